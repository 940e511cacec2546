//! Frames back to their content, a block at a time.
//!
//! The frame is read here and not by the library, whose reader takes a frame that is cut between two
//! blocks for a whole one, stops after the first frame, and refuses skippable ones.

use super::block::{WINDOW, unpack};
use super::frame::Descriptor;
use crate::compression::CompressionError;
use crate::compression::error::{read_more, read_whole};
use crate::compression::stream::StreamDecoder;
use std::io::Read;
use xxhash_rust::xxh32::{Xxh32, xxh32};

/// The frames of a source, block for block.
pub(super) struct Blocks {
    /// The frame that is being read, if one is.
    frame: Option<Frame>,
    /// Whether no frame has been seen.
    first: bool,
    limit: u64,
    /// The bytes of all frames so far.
    produced: u64,
    packed: Vec<u8>,
}

struct Frame {
    descriptor: Descriptor,
    hasher: Xxh32,
    length: u64,
    /// The size in the header, until somebody has asked for it.
    claim: Option<u64>,
}

impl Blocks {
    pub(super) fn new(limit: u64) -> Self {
        Self { frame: None, first: true, limit, produced: 0, packed: Vec::new() }
    }

    /// The size that the header of the current frame claims; once for each frame.
    pub(super) fn take_claim(&mut self) -> Option<u64> {
        self.frame.as_mut().and_then(|frame| frame.claim.take())
    }

    /// Reads the next header, block or end of a frame; a block's content is appended to `output`,
    /// where the content before it still stands. False at the end of the source.
    pub(super) fn next(
        &mut self,
        source: &mut (impl Read + ?Sized),
        output: &mut Vec<u8>,
    ) -> Result<bool, CompressionError> {
        let Some(frame) = &mut self.frame else {
            let Some(descriptor) = Descriptor::read(source, self.first)? else {
                return Ok(false);
            };
            self.first = false;
            let claim = descriptor.content_size;
            if claim.is_some_and(|claim| claim > self.limit.saturating_sub(self.produced)) {
                return Err(CompressionError::OutputTooLarge { limit: self.limit });
            }
            self.frame = Some(Frame { descriptor, hasher: Xxh32::new(0), length: 0, claim });
            return Ok(true);
        };
        let size = number(source)?;
        if size == 0 {
            frame.end(source)?;
            self.frame = None;
            return Ok(true);
        }
        let (stored, size) = (size >> 31 == 1, (size & 0x7fff_ffff) as usize);
        let most = frame.descriptor.block_size.bytes();
        if size > most {
            return Err(CompressionError::malformed(format!(
                "a block of {size} bytes in an LZ4 frame whose blocks have {most} at most"
            )));
        }
        self.packed.clear();
        read_more(source, size, &mut self.packed)?;
        if frame.descriptor.block_checksum && number(source)? != xxh32(&self.packed, 0) {
            return Err(CompressionError::ChecksumMismatch);
        }
        let start = output.len();
        if stored {
            output.extend_from_slice(&self.packed);
        } else {
            let linked = if frame.descriptor.independent { 0 } else { frame.length };
            let history = usize::try_from(linked).unwrap_or(WINDOW).min(WINDOW);
            unpack(&self.packed, most, history, output)?;
        }
        let block = output.get(start..).unwrap_or_default();
        frame.length += block.len() as u64;
        self.produced += block.len() as u64;
        if self.produced > self.limit {
            return Err(CompressionError::OutputTooLarge { limit: self.limit });
        }
        frame.check_length(u64::lt)?;
        if frame.descriptor.content_checksum {
            frame.hasher.update(block);
        }
        Ok(true)
    }
}

impl Frame {
    /// Whether the size in the header does not stand in that relation to what came.
    fn check_length(&self, wrong: impl Fn(&u64, &u64) -> bool) -> Result<(), CompressionError> {
        match self.descriptor.content_size {
            Some(size) if wrong(&size, &self.length) => Err(CompressionError::malformed(format!(
                "an LZ4 frame claims {size} bytes of content and holds {}",
                self.length
            ))),
            _ => Ok(()),
        }
    }

    fn end(&self, source: &mut (impl Read + ?Sized)) -> Result<(), CompressionError> {
        self.check_length(u64::ne)?;
        if self.descriptor.content_checksum && number(source)? != self.hasher.digest() {
            return Err(CompressionError::ChecksumMismatch);
        }
        Ok(())
    }
}

fn number(source: &mut (impl Read + ?Sized)) -> Result<u32, CompressionError> {
    let mut bytes = [0; 4];
    read_whole(source, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

pub(super) struct Decoder {
    blocks: Blocks,
    /// Content that was handed out, as far back as matches reach, and content that was not.
    content: Vec<u8>,
    start: usize,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { blocks: Blocks::new(u64::MAX), content: Vec::new(), start: 0 }
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
        while self.start == self.content.len() {
            let old = self.content.len().saturating_sub(WINDOW);
            self.content.drain(..old);
            self.start = self.content.len();
            if !self.blocks.next(source, &mut self.content)? {
                return Ok(0);
            }
        }
        let length = self.content.get(self.start..).unwrap_or_default().read(buffer)?;
        self.start += length;
        Ok(length)
    }
}
