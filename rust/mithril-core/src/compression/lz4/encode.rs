//! Compression in pieces: a block at a time.

use super::block::{self, Packer};
use super::frame::{BlockSize, Descriptor};
use crate::compression::CompressionError;
use crate::compression::stream::StreamEncoder;
use std::io::Write;
use xxhash_rust::xxh32::{Xxh32, xxh32};

/// The bit of a block's size which says that it is stored as it is.
const STORED: u32 = 1 << 31;

/// What a frame of one block has besides the block, at most.
const AROUND: usize = 32;

fn descriptor(block_size: BlockSize, checksum: bool, content_size: Option<u64>) -> Descriptor {
    Descriptor {
        block_size,
        independent: true,
        block_checksum: false,
        content_checksum: checksum,
        content_size,
    }
}

pub(super) struct Encoder {
    descriptor: Descriptor,
    begun: bool,
    packer: Packer,
    /// The beginning of a block that is not full yet.
    pending: Vec<u8>,
    content_length: u64,
    hasher: Xxh32,
}

impl Encoder {
    pub(super) fn new(block_size: BlockSize, checksum: bool, content_size: Option<u64>) -> Self {
        Self {
            descriptor: descriptor(block_size, checksum, content_size),
            begun: false,
            packer: Packer::new(),
            pending: Vec::new(),
            content_length: 0,
            hasher: Xxh32::new(0),
        }
    }

    /// The frame of a few bytes.
    pub(super) fn frame_of_few(checksum: bool, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let block_size = BlockSize::holding(data.len());
        let descriptor = descriptor(block_size, checksum, Some(data.len() as u64));
        let mut frame = Vec::with_capacity(data.len() + AROUND);
        frame.extend(descriptor.bytes());
        if !data.is_empty() {
            block::pack_small(data, |packed| {
                let (stored, bytes) = packed.map_or((STORED, data), |packed| (0, packed));
                frame.extend((bytes.len() as u32 | stored).to_le_bytes());
                frame.extend_from_slice(bytes);
            })?;
        }
        frame.extend(0_u32.to_le_bytes());
        if checksum {
            frame.extend(xxh32(data, 0).to_le_bytes());
        }
        Ok(frame)
    }

    fn begin(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        if !self.begun {
            sink.write_all(&self.descriptor.bytes())?;
            self.begun = true;
        }
        Ok(())
    }

    fn block(&mut self, block: &[u8], sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.content_length += block.len() as u64;
        if self.descriptor.content_checksum {
            self.hasher.update(block);
        }
        let (stored, bytes) = match self.packer.pack(block)? {
            Some(packed) => (0, packed),
            None => (STORED, block),
        };
        sink.write_all(&(bytes.len() as u32 | stored).to_le_bytes())?;
        sink.write_all(bytes)?;
        Ok(())
    }
}

impl StreamEncoder for Encoder {
    fn write(&mut self, mut data: &[u8], sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.begin(sink)?;
        let full = self.descriptor.block_size.bytes();
        if !self.pending.is_empty() {
            let (head, rest) = data.split_at(data.len().min(full - self.pending.len()));
            self.pending.extend_from_slice(head);
            data = rest;
            if self.pending.len() < full {
                return Ok(());
            }
            self.flush(sink)?;
        }
        // Whole blocks are compressed from where they are.
        let mut blocks = data.chunks_exact(full);
        for block in &mut blocks {
            self.block(block, sink)?;
        }
        self.pending.extend_from_slice(blocks.remainder());
        Ok(())
    }

    fn flush(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.begin(sink)?;
        if !self.pending.is_empty() {
            let mut pending = std::mem::take(&mut self.pending);
            self.block(&pending, sink)?;
            pending.clear();
            self.pending = pending;
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut dyn Write) -> Result<(), CompressionError> {
        self.flush(sink)?;
        if let Some(size) = self.descriptor.content_size.filter(|&size| size != self.content_length)
        {
            return Err(CompressionError::CompressionFailed(format!(
                "{size} bytes were announced and {} came",
                self.content_length
            )));
        }
        sink.write_all(&0_u32.to_le_bytes())?;
        if self.descriptor.content_checksum {
            sink.write_all(&self.hasher.digest().to_le_bytes())?;
        }
        Ok(())
    }
}
