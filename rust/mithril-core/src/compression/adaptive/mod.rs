//! A frame whose blocks each say how they are compressed.
//!
//! # The format, version 1
//!
//! A number is a LEB128 varint (seven bits a byte, least significant first, at most ten bytes) unless
//! it says otherwise.
//!
//! ```text
//! frame     magic  93 4d 54 41  (".MTA")
//!           version             1 byte: 1
//!           flags               1 byte: bit 0, a content size follows; bit 1, a table follows;
//!                               all others are 0
//!           [content size]      the bytes of all blocks' content
//!           [table]             1 byte, how many (at most 62); for each 1 byte, how long (1 to 255),
//!                               and the name of a compressor in UTF-8. Without it: "lz4", "zstd"
//!           blocks
//!           end                 1 byte: 0; then the bytes of all blocks' content
//!
//! block     width               1 byte: 1, 2, 4 or 8
//!           length              the bytes of the content, 1 to 16 MiB (2^24)
//!           lanes               as many as the width says
//!           checksum            4 bytes, least significant first: the lower half of XXH3 (64 bits)
//!                               of the content, whose seed is the content's place in the frame
//!
//! lane      choice              1 byte: 0 raw, 1 run, from 2 on the table's
//!           raw                 the bytes of the lane as they are
//!           run                 1 byte, of which all bytes of the lane are copies
//!           of the table        the length of the payload, less than the lane's, and the payload
//! ```
//!
//! Lane `i` of a block of width `w` has the bytes at `i`, `i + w`, `i + 2w`, … of the content; of the
//! floats of a tensor, the bytes of the exponents stand together in one lane, and the bits of the
//! fractions, which nothing makes smaller, in the others. The payload of a compressor of the table is
//! all that it writes for the lane.
//!
//! A writer cuts the content where it thinks fit. This one decides for each MiB, and makes one block of
//! neighbours that are treated alike, so that matches reach far.
//!
//! Several frames one after the other are read as one content. A reader needs no more memory than a
//! block and its lanes take.

mod decode;
mod encode;
pub(super) mod format;
mod lanes;
mod look;
mod plan;

pub use lanes::{group_bytes, ungroup_bytes};

use super::limit::{DEFAULT_MAX_OUTPUT_SIZE, preallocation, reserve};
use super::stream::{Limited, StreamDecoder, StreamEncoder};
use super::{CompressionError, CompressionLevel, Compressor, Lz4Compressor, ZstdCompressor};
use crate::types::DType;
use std::fmt;
use std::sync::Arc;

/// The compressors to choose from.
#[derive(Clone)]
pub(crate) struct Compressors {
    /// The quickest first.
    list: Arc<[Box<dyn Compressor>]>,
    /// The place of the one that looks for no matches, if there is one.
    entropy_only: Option<usize>,
}

/// Looks at the data and chooses, block by block, what makes it small in the least time.
///
/// It chooses among raw bytes, LZ4, zstd at levels 1 and 3, and zstd without a search for matches, which
/// is what the exponents of weights need; each over the bytes as they are or grouped by their place in
/// an element (see [`group_bytes`]): the quickest of those that are within one percent of the smallest
/// on a sample. Data of more than a MiB is compressed by all threads of this process's pool. Data that nothing makes smaller is stored at the speed of
/// memory, and blocks of one repeated byte take a few bytes. The [format](self) is ours alone.
///
/// ```
/// use mithril_core::{AdaptiveCompressor, Compressor, DType};
///
/// let weights: Vec<u8> = (0..4096_u32)
///     .flat_map(|i| ((i.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0).to_le_bytes())
///     .collect();
/// let adaptive = AdaptiveCompressor::new().with_dtype(DType::Float32);
/// let frame = adaptive.compress(&weights)?;
/// assert!(frame.len() < weights.len() * 9 / 10);
/// assert_eq!(adaptive.decompress(&frame)?, weights);
/// # Ok::<(), mithril_core::CompressionError>(())
/// ```
#[derive(Clone)]
pub struct AdaptiveCompressor {
    compressors: Compressors,
    /// The width of an element, if it is known.
    width: Option<usize>,
    max_output_size: Option<u64>,
}

/// The window of zstd's frames in the blocks: as large as a block. Matches that do not reach from one
/// block to the next are made up for by those that reach further than the levels' own 2 MiB.
const WINDOW_LOG: u32 = 24;

impl AdaptiveCompressor {
    /// Chooses among raw, LZ4 and zstd.
    #[must_use]
    pub fn new() -> Self {
        let zstd = |level| {
            ZstdCompressor::new(CompressionLevel::Custom(level))
                .with_checksum(false)
                .with_max_window_log(WINDOW_LOG)
                .with_window_log(WINDOW_LOG)
        };
        let lz4 = Lz4Compressor::new(CompressionLevel::Default).with_checksum(false);
        let mut new = Self::with_compressors(vec![
            Box::new(lz4),
            Box::new(zstd(1).with_entropy_only()),
            Box::new(zstd(1)),
            Box::new(zstd(3)),
        ]);
        new.compressors.entropy_only = Some(1);
        new
    }

    /// Chooses among raw and these, of which the quickest is to be named first.
    ///
    /// The frame names the choice by [`Compressor::name`], and is read by whoever has a compressor of
    /// that name; those beyond 62 different names are left out. Raw is always a choice, so that an
    /// empty list is one too.
    ///
    /// ```
    /// use mithril_core::{AdaptiveCompressor, CompressionLevel, Compressor, ZstdCompressor};
    ///
    /// let zstd = ZstdCompressor::new(CompressionLevel::Custom(9));
    /// let adaptive = AdaptiveCompressor::with_compressors(vec![Box::new(zstd)]);
    /// let frame = adaptive.compress("chosen by trial; ".repeat(100).as_bytes())?;
    ///
    /// let none = AdaptiveCompressor::with_compressors(Vec::new());
    /// assert!(none.decompress(&frame).unwrap_err().to_string().contains("\"zstd\""));
    /// # Ok::<(), mithril_core::CompressionError>(())
    /// ```
    #[must_use]
    pub fn with_compressors(compressors: Vec<Box<dyn Compressor>>) -> Self {
        let compressors = Compressors { list: compressors.into(), entropy_only: None };
        Self { compressors, width: None, max_output_size: None }
    }

    /// Says what the elements are, so that it need not be found by looking.
    ///
    /// Their bytes are grouped where that makes the data smaller, and not otherwise. Whoever
    /// decompresses need not know.
    #[must_use]
    pub fn with_dtype(mut self, dtype: DType) -> Self {
        self.width = Some(dtype.size_bytes());
        self
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
}

impl AdaptiveCompressor {
    /// Appends the frame of `data`.
    pub(super) fn compress_into(
        &self,
        data: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let size = Some(data.len() as u64);
        let mut blocks = encode::Blocks::new(self.compressors.clone(), self.width, size);
        blocks.whole(data, output)?;
        blocks.end(output)?;
        output.shrink_to_fit();
        Ok(())
    }
}

impl Default for AdaptiveCompressor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AdaptiveCompressor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.compressors.list.iter().map(Compressor::name).collect();
        formatter
            .debug_struct("AdaptiveCompressor")
            .field("compressors", &names)
            .field("width", &self.width)
            .field("max_output_size", &self.max_output_size)
            .finish()
    }
}

impl Compressor for AdaptiveCompressor {
    fn compress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut frame = Vec::new();
        self.compress_into(data, &mut frame)?;
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
        let mut blocks = decode::Blocks::new(self.compressors.clone(), max_output_size);
        let mut output = Vec::new();
        while blocks.next(&mut source, &mut output)? {
            if let Some(claim) = blocks.take_claim()
                && output.is_empty()
            {
                let bound = preallocation(data.len()).min(max_output_size);
                reserve(&mut output, claim.min(bound) as usize)?;
            }
        }
        output.shrink_to_fit();
        Ok(output)
    }

    fn encoder(&self, content_size: Option<u64>) -> Option<Box<dyn StreamEncoder>> {
        let blocks = encode::Blocks::new(self.compressors.clone(), self.width, content_size);
        Some(Box::new(encode::Encoder::new(blocks)))
    }

    fn decoder(&self) -> Option<Box<dyn StreamDecoder>> {
        let decoder = decode::Decoder::new(self.compressors.clone());
        match self.max_output_size {
            None => Some(Box::new(decoder)),
            Some(limit) => Some(Box::new(Limited::new(decoder, limit))),
        }
    }

    fn name(&self) -> &'static str {
        "adaptive"
    }
}
