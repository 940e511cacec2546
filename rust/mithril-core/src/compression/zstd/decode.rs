//! Decompression in pieces, and into memory that grows as the content comes.

use super::context::Settings;
use super::frame::{self, Header};
use crate::compression::CompressionError;
use crate::compression::limit::reserve;
use crate::compression::stream::StreamDecoder;
use std::io::{self, Read};
use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer, ResetDirective};

const INPUT: usize = 128 << 10;

pub(super) struct Decoder {
    settings: Settings,
    context: Option<DCtx<'static>>,
    /// Bytes of the source; those from `start` to `end` were not yet taken.
    input: Vec<u8>,
    start: usize,
    end: usize,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Between frames, or before the first.
    Outside {
        first: bool,
    },
    /// In a frame, of which so many bytes of content are still to come, if it says how many it has.
    Inside {
        left: Option<u64>,
    },
    Ended,
}

impl Decoder {
    pub(super) fn new(settings: Settings) -> Self {
        let state = State::Outside { first: true };
        Self { settings, context: None, input: Vec::new(), start: 0, end: 0, state }
    }

    fn ready(&self) -> &[u8] {
        self.input.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads more behind what is ready; false at the end of the source.
    fn fill(&mut self, source: &mut dyn Read) -> Result<bool, CompressionError> {
        self.input.resize(INPUT, 0);
        self.input.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match source.read(self.input.get_mut(self.end..).unwrap_or_default()) {
                Ok(read) => {
                    self.end += read.min(INPUT - self.end);
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks at the header of the next frame, and reads just as far as it goes; false at the end of
    /// the source.
    ///
    /// zstd's own reader does not hold a frame to its size when the last block is empty, and does not
    /// say which dictionary is missing.
    fn enter(&mut self, first: bool, source: &mut dyn Read) -> Result<bool, CompressionError> {
        loop {
            let left = match frame::header(self.ready(), &self.settings) {
                Ok(Header::Skippable(_)) => Some(0),
                Ok(Header::Frame(frame)) => {
                    frame.check_window(&self.settings)?;
                    frame.content_size
                }
                Err(CompressionError::Truncated) => {
                    if self.fill(source)? {
                        continue;
                    }
                    if first || !self.ready().is_empty() {
                        return Err(CompressionError::Truncated);
                    }
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            self.state = State::Inside { left };
            return Ok(true);
        }
    }
}

impl StreamDecoder for Decoder {
    fn read(
        &mut self,
        source: &mut dyn Read,
        buffer: &mut [u8],
    ) -> Result<usize, CompressionError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        // A context that failed is not used again.
        let mut context = match self.context.take() {
            Some(context) => context,
            None => self.settings.decompressor()?,
        };
        loop {
            let left = match self.state {
                State::Ended => return Ok(0),
                State::Inside { left } => left,
                State::Outside { first } => {
                    if !self.enter(first, source)? {
                        self.state = State::Ended;
                    }
                    continue;
                }
            };
            // There may be output that needs no more input: zstd is asked before the source is.
            let mut input = InBuffer::around(self.ready());
            let mut output = OutBuffer::around(&mut *buffer);
            let hint = context
                .decompress_stream(&mut output, &mut input)
                .map_err(|code| self.settings.error(code))?;
            let (taken, given) = (input.pos(), output.pos());
            self.start += taken;
            let left = left.map(|left| left.checked_sub(given as u64));
            let ended = hint == 0;
            if left == Some(None) || ended && left.is_some_and(|left| left != Some(0)) {
                return Err(CompressionError::malformed("a frame holds other than its size says"));
            }
            self.state = if ended {
                State::Outside { first: false }
            } else {
                State::Inside { left: left.flatten() }
            };
            if given > 0 {
                self.context = Some(context);
                return Ok(given);
            }
            if !ended && self.ready().is_empty() && !self.fill(source)? {
                return Err(CompressionError::Truncated);
            }
        }
    }
}

/// Decompresses all frames into `output`, which grows with what comes and not with what is claimed.
pub(super) fn grow(
    context: &mut DCtx<'static>,
    settings: &Settings,
    data: &[u8],
    limit: u64,
    output: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    const LEAST: usize = 128 << 10;
    const MOST: usize = 64 << 20;
    let failed = |code| settings.error(code);
    context.reset(ResetDirective::SessionOnly).map_err(failed)?;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut input = InBuffer::around(data);
    let mut within = false;
    while within || input.pos() < data.len() {
        if output.len() == output.capacity() {
            // One byte more than is allowed tells whether the content ends at the limit.
            let room = most.saturating_add(1).saturating_sub(output.len());
            let more = output.len().clamp(LEAST, MOST).min(room);
            reserve(output, more)?;
        }
        let (before, position) = (output.len(), input.pos());
        let mut grown = OutBuffer::around_pos(&mut *output, before);
        let hint = context.decompress_stream(&mut grown, &mut input).map_err(failed)?;
        if output.len() as u64 > limit {
            return Err(CompressionError::OutputTooLarge { limit });
        }
        within = hint > 0;
        if within && output.len() == before && input.pos() == position {
            return Err(CompressionError::Truncated);
        }
    }
    output.shrink_to_fit();
    Ok(())
}
