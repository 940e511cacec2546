//! LZ4: standard frames, at the speed of memory where it goes well.

mod block;
mod decode;
mod encode;
mod frame;

use super::limit::{DEFAULT_MAX_OUTPUT_SIZE, preallocation, reserve};
use super::stream::{Limited, StreamDecoder, StreamEncoder};
use super::{CompressionError, CompressionLevel, Compressor};
use frame::BlockSize;

/// Compresses into LZ4 frames and reads those of the command `lz4`.
///
/// There is one method of compression, LZ4's fast one; levels choose the size of the blocks that
/// matches are looked for in, and that a reader must hold:
///
/// | level | blocks |
/// |---|---|
/// | [`Fastest`](CompressionLevel::Fastest) | 64 KiB |
/// | [`Fast`](CompressionLevel::Fast) | 256 KiB |
/// | [`Default`](CompressionLevel::Default) | 1 MiB |
/// | [`Best`](CompressionLevel::Best) | 4 MiB |
/// | [`Custom`](CompressionLevel::Custom) | up to 0, 1 and 2: as the first three; from 3: 4 MiB |
///
/// Where size counts, zstd's [`Fastest`](CompressionLevel::Fastest) gives far more than any level
/// here. Frames have a checksum of the content, and its size where the data is given as a whole.
/// Blocks are independent; linked ones are read. Frames that need a dictionary are refused, and so
/// is the format of `lz4 -l`, which does not tell a whole file from a cut one.
///
/// ```
/// use mithril_core::{CompressionLevel, Compressor, Lz4Compressor};
///
/// let lz4 = Lz4Compressor::new(CompressionLevel::Default);
/// let data = "quick, quick, slow, ".repeat(100).into_bytes();
/// let frame = lz4.compress(&data)?;
/// assert!(frame.len() < data.len() / 10);
/// assert_eq!(lz4.decompress(&frame)?, data);
/// # Ok::<(), mithril_core::CompressionError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Lz4Compressor {
    block_size: BlockSize,
    checksum: bool,
    max_output_size: Option<u64>,
}

impl Lz4Compressor {
    /// A compressor with blocks of the level's size.
    #[must_use]
    pub fn new(level: CompressionLevel) -> Self {
        let block_size = match level {
            CompressionLevel::Fastest | CompressionLevel::Custom(..=0) => BlockSize::KiB64,
            CompressionLevel::Fast | CompressionLevel::Custom(1) => BlockSize::KiB256,
            CompressionLevel::Default | CompressionLevel::Custom(2) => BlockSize::MiB1,
            CompressionLevel::Best | CompressionLevel::Custom(3..) => BlockSize::MiB4,
        };
        Self { block_size, checksum: true, max_output_size: None }
    }

    /// Stops every decompression, also of streams, at this many bytes of output.
    ///
    /// Without it the limit is [`DEFAULT_MAX_OUTPUT_SIZE`] for results in memory, and none for
    /// streams.
    #[must_use]
    pub fn with_max_output_size(mut self, bytes: u64) -> Self {
        self.max_output_size = Some(bytes);
        self
    }

    /// Whether a checksum is written; one that is there is always verified. On unless this is
    /// called: leave it out only where what surrounds the frame has one of its own.
    #[must_use]
    pub fn with_checksum(mut self, checksum: bool) -> Self {
        self.checksum = checksum;
        self
    }
}

impl Default for Lz4Compressor {
    /// The default level.
    fn default() -> Self {
        Self::new(CompressionLevel::Default)
    }
}

impl Compressor for Lz4Compressor {
    fn compress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
        if data.len() <= block::SMALL {
            return encode::Encoder::frame_of_few(self.checksum, data);
        }
        // The smallest blocks that hold the data in one: a reader reserves no more than it needs.
        let block_size = self.block_size.min(BlockSize::holding(data.len()));
        let mut encoder = encode::Encoder::new(block_size, self.checksum, Some(data.len() as u64));
        let mut frame = Vec::new();
        encoder.write(data, &mut frame)?;
        encoder.finish(&mut frame)?;
        frame.shrink_to_fit();
        Ok(frame)
    }

    fn decompress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
        self.decompress_limited(data, self.max_output_size.unwrap_or(DEFAULT_MAX_OUTPUT_SIZE))
    }

    fn decompress_limited(
        &self,
        data: &[u8],
        max_output_size: u64,
    ) -> Result<Vec<u8>, CompressionError> {
        let mut source = data;
        let mut blocks = decode::Blocks::new(max_output_size);
        let mut output = Vec::new();
        // A byte of LZ4 becomes 255 bytes at most.
        let bound = (data.len() as u64).saturating_mul(255).min(preallocation(data.len()));
        while blocks.next(&mut source, &mut output)? {
            if let Some(claim) = blocks.take_claim()
                && output.is_empty()
            {
                reserve(&mut output, claim.min(bound).min(max_output_size) as usize)?;
            }
        }
        output.shrink_to_fit();
        Ok(output)
    }

    fn encoder(&self, content_size: Option<u64>) -> Option<Box<dyn StreamEncoder>> {
        Some(Box::new(encode::Encoder::new(self.block_size, self.checksum, content_size)))
    }

    fn decoder(&self) -> Option<Box<dyn StreamDecoder>> {
        match self.max_output_size {
            None => Some(Box::new(decode::Decoder::new())),
            Some(limit) => Some(Box::new(Limited::new(decode::Decoder::new(), limit))),
        }
    }

    fn name(&self) -> &'static str {
        "lz4"
    }
}
