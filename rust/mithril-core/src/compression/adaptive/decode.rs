//! Content from blocks.

use super::format::{self, Header, LARGEST_BLOCK, RAW, RUN, TABLE, read_byte, read_number};
use super::lanes::{lane_length, ungroup_into};
use super::look::WIDTHS;
use super::{CompressionError, Compressors};
use crate::compression::Compressor;
use crate::compression::error::{read_more, read_whole};
use crate::compression::stream::StreamDecoder;
use std::io::Read;

/// The frames of a source, block for block.
pub(super) struct Blocks {
    compressors: Compressors,
    /// The names in the frame that is being read, if one is.
    header: Option<Header>,
    first: bool,
    /// The size in the header, until somebody has asked for it.
    claim: Option<u64>,
    limit: u64,
    /// The bytes of all frames so far, and of this one.
    produced: u64,
    place: u64,
    payload: Vec<u8>,
    grouped: Vec<u8>,
}

impl Blocks {
    pub(super) fn new(compressors: Compressors, limit: u64) -> Self {
        Self {
            compressors,
            header: None,
            first: true,
            claim: None,
            limit,
            produced: 0,
            place: 0,
            payload: Vec::new(),
            grouped: Vec::new(),
        }
    }

    /// The size that the header of the current frame claims; once for each frame.
    pub(super) fn take_claim(&mut self) -> Option<u64> {
        self.claim.take()
    }

    /// Reads the next header, block or end of a frame; a block's content is appended to `output`.
    /// False at the end of the source.
    pub(super) fn next(
        &mut self,
        source: &mut (impl Read + ?Sized),
        output: &mut Vec<u8>,
    ) -> Result<bool, CompressionError> {
        let Some(header) = &self.header else {
            let Some(header) = Header::read(source, self.first)? else {
                return Ok(false);
            };
            self.first = false;
            self.claim = header.content_size;
            if self.claim.is_some_and(|claim| claim > self.limit.saturating_sub(self.produced)) {
                return Err(CompressionError::OutputTooLarge { limit: self.limit });
            }
            self.header = Some(header);
            self.place = 0;
            return Ok(true);
        };
        let content_size = header.content_size;
        let width = usize::from(read_byte(source)?);
        if width == 0 {
            let total = read_number(source)?;
            if total != self.place || content_size.is_some_and(|size| size != total) {
                return Err(CompressionError::malformed(format!(
                    "a frame that should have {} bytes of content has {}",
                    content_size.unwrap_or(total),
                    self.place
                )));
            }
            self.header = None;
            return Ok(true);
        }
        if !WIDTHS.contains(&width) {
            return Err(CompressionError::malformed(format!("a block of width {width}")));
        }
        let length = read_number(source)?;
        if length == 0 || length > LARGEST_BLOCK as u64 {
            return Err(CompressionError::malformed(format!("a block of {length} bytes")));
        }
        if length > self.limit.saturating_sub(self.produced) {
            return Err(CompressionError::OutputTooLarge { limit: self.limit });
        }
        if content_size.is_some_and(|size| length > size.saturating_sub(self.place)) {
            return Err(CompressionError::malformed("more content than the frame claims"));
        }
        self.block(source, width, length as usize, output)?;
        Ok(true)
    }

    fn block(
        &mut self,
        source: &mut (impl Read + ?Sized),
        width: usize,
        length: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let start = output.len();
        if width == 1 {
            self.lane(source, length, output)?;
        } else {
            let mut grouped = std::mem::take(&mut self.grouped);
            grouped.clear();
            for lane in 0..width {
                self.lane(source, lane_length(length, width, lane), &mut grouped)?;
            }
            output.resize(start + length, 0);
            ungroup_into(&grouped, width, output.get_mut(start..).unwrap_or_default());
            self.grouped = grouped;
        }
        let mut checksum = [0; 4];
        read_whole(source, &mut checksum)?;
        let content = output.get(start..).unwrap_or_default();
        if format::checksum(content, self.place) != checksum {
            return Err(CompressionError::ChecksumMismatch);
        }
        self.place += length as u64;
        self.produced += length as u64;
        Ok(())
    }

    /// Appends the `length` bytes of a lane.
    fn lane(
        &mut self,
        source: &mut (impl Read + ?Sized),
        length: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let start = output.len();
        let choice = read_byte(source)?;
        match choice {
            RAW => {
                return read_more(source, length, output);
            }
            RUN => {
                let byte = read_byte(source)?;
                output.resize(start + length, byte);
                return Ok(());
            }
            _ => {}
        }
        let index = choice.checked_sub(TABLE).map(usize::from);
        let names = self.header.as_ref().map(|header| header.names.as_slice()).unwrap_or_default();
        let Some(name) = index.and_then(|index| names.get(index)) else {
            return Err(CompressionError::malformed(format!("a lane with the choice {choice}")));
        };
        let size = read_number(source)?;
        if size >= length as u64 {
            return Err(CompressionError::malformed("a payload that is no smaller than its lane"));
        }
        let Some(compressor) = self.compressors.list.iter().find(|one| one.name() == name) else {
            return Err(CompressionError::UnknownCompressor { name: name.clone() });
        };
        self.payload.clear();
        read_more(source, size as usize, &mut self.payload)?;
        let content = compressor.decompress_limited(&self.payload, length as u64)?;
        if content.len() != length {
            return Err(CompressionError::malformed("a payload that is not as long as its lane"));
        }
        output.extend_from_slice(&content);
        Ok(())
    }
}

pub(super) struct Decoder {
    blocks: Blocks,
    content: Vec<u8>,
    start: usize,
}

impl Decoder {
    pub(super) fn new(compressors: Compressors) -> Self {
        Self { blocks: Blocks::new(compressors, u64::MAX), content: Vec::new(), start: 0 }
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
            self.content.clear();
            self.start = 0;
            if !self.blocks.next(source, &mut self.content)? {
                return Ok(0);
            }
        }
        let length = self.content.get(self.start..).unwrap_or_default().read(buffer)?;
        self.start += length;
        Ok(length)
    }
}
