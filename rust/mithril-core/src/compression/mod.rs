//! Compression behind one trait: standard zstd and LZ4 frames, and a frame that chooses.
//!
//! | compressor | frames | for |
//! |---|---|---|
//! | [`ZstdCompressor`] | those of the command `zstd` | text and JSON; dictionaries for small objects |
//! | [`Lz4Compressor`] | those of the command `lz4` | where time counts more than size |
//! | [`AdaptiveCompressor`] | [its own](adaptive) | tensors, mixed and unknown data |
//! | [`compress_array`] | [a header](mod@array), and the adaptive ones | arrays whose type and shape come back |
//!
//! Frames that are written carry a checksum, and their content's size where it is known beforehand.
//! Several frames one after the other are read as one content, skippable frames are skipped.
//!
//! **Input that is not trusted** may be passed to any of them. What a frame claims is never believed:
//! memory is reserved for what the bytes at hand can hold, and grows as data really arrives. The
//! output is bounded by a limit that is checked before a byte is written past it (see
//! `with_max_output_size`), the window of zstd by another. Input that is cut, damaged or followed by
//! something else is an error, never a shorter or different result.
//!
//! ```
//! use mithril_core::{CompressionLevel, Compressor, ZstdCompressor};
//!
//! let data = "the quick brown fox ".repeat(100).into_bytes();
//! let compressor = ZstdCompressor::new(CompressionLevel::Default);
//! let compressed = compressor.compress(&data)?;
//! assert!(compressed.len() < 100);
//! assert_eq!(compressor.decompress(&compressed)?, data);
//! # Ok::<(), mithril_core::CompressionError>(())
//! ```

pub mod adaptive;
pub mod array;
mod error;
mod level;
mod limit;
mod lz4;
mod pointer;
mod sample;
mod stream;
mod zstd;

pub use adaptive::{AdaptiveCompressor, group_bytes, ungroup_bytes};
pub use array::{ArrayHeader, compress_array, decompress_array};
pub use error::CompressionError;
pub use level::CompressionLevel;
pub use limit::DEFAULT_MAX_OUTPUT_SIZE;
pub use lz4::Lz4Compressor;
pub use stream::{CompressWriter, DecompressReader, StreamDecoder, StreamEncoder};
pub use zstd::{DEFAULT_MAX_WINDOW_LOG, ZstdCompressor};

use std::io::{Read, Write};

/// What makes data smaller, and brings it back.
///
/// [`compress`](Self::compress), [`decompress`](Self::decompress) and [`name`](Self::name) are all
/// that an implementation must have. One that can work in pieces also gives
/// [`encoder`](Self::encoder) and [`decoder`](Self::decoder), and all streaming forms with them.
///
/// The trait is usable as `dyn`, and `Box<dyn Compressor>`, `Arc<dyn Compressor>` and references are
/// compressors too:
///
/// ```
/// use mithril_core::{Compressor, CompressionLevel, Lz4Compressor, ZstdCompressor};
///
/// let compressors: [Box<dyn Compressor>; 2] = [
///     Box::new(ZstdCompressor::new(CompressionLevel::Fast)),
///     Box::new(Lz4Compressor::new(CompressionLevel::Fast)),
/// ];
/// for compressor in &compressors {
///     let (mut frame, mut back) = (Vec::new(), Vec::new());
///     let length = compressor.compress_stream(&b"a stream"[..], &mut frame)?;
///     assert_eq!(length, frame.len() as u64);
///     assert_eq!(compressor.decompress_stream(frame.as_slice(), &mut back)?, 8);
///     assert_eq!(back, b"a stream");
/// }
/// # Ok::<(), mithril_core::CompressionError>(())
/// ```
pub trait Compressor: Send + Sync {
    /// `data` as one frame.
    ///
    /// # Errors
    /// [`CompressionError::CompressionFailed`], and [`CompressionError::InvalidDictionary`].
    fn compress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError>;

    /// The content of all frames in `data`.
    ///
    /// # Errors
    /// For data that is cut, damaged, followed by other bytes, or larger than allowed.
    fn decompress(&self, data: &[u8]) -> Result<Vec<u8>, CompressionError>;

    /// As [`decompress`](Self::decompress), with a limit for this call in place of the compressor's.
    ///
    /// An implementation that does not override this decompresses before it counts.
    ///
    /// # Errors
    /// As [`decompress`](Self::decompress); [`CompressionError::OutputTooLarge`] past the limit.
    fn decompress_limited(
        &self,
        data: &[u8],
        max_output_size: u64,
    ) -> Result<Vec<u8>, CompressionError> {
        let output = self.decompress(data)?;
        if output.len() as u64 > max_output_size {
            return Err(CompressionError::OutputTooLarge { limit: max_output_size });
        }
        Ok(output)
    }

    /// Compresses all that `reader` has into `writer`; returns the bytes written to `writer`.
    ///
    /// Memory does not grow with the data. A source of less than 256 KiB gives the frame of
    /// [`compress`](Self::compress); a longer one a frame that does not say its content's size.
    ///
    /// # Errors
    /// As [`compress`](Self::compress), and those of the reader and the writer.
    fn compress_stream<R: Read, W: Write>(
        &self,
        mut reader: R,
        mut writer: W,
    ) -> Result<u64, CompressionError>
    where
        Self: Sized,
    {
        self.compress_stream_dyn(&mut reader, &mut writer)
    }

    /// Decompresses all frames of `reader` into `writer`; returns the bytes written to `writer`.
    ///
    /// Memory does not grow with the data. On an error, what was written before it is to be thrown
    /// away.
    ///
    /// # Errors
    /// As [`decompress`](Self::decompress), and those of the reader and the writer.
    fn decompress_stream<R: Read, W: Write>(
        &self,
        mut reader: R,
        mut writer: W,
    ) -> Result<u64, CompressionError>
    where
        Self: Sized,
    {
        self.decompress_stream_dyn(&mut reader, &mut writer)
    }

    /// [`compress_stream`](Self::compress_stream) for `dyn Compressor`.
    ///
    /// # Errors
    /// The same.
    fn compress_stream_dyn(
        &self,
        reader: &mut dyn Read,
        writer: &mut dyn Write,
    ) -> Result<u64, CompressionError> {
        stream::compress_all(self, reader, writer)
    }

    /// [`decompress_stream`](Self::decompress_stream) for `dyn Compressor`.
    ///
    /// # Errors
    /// The same.
    fn decompress_stream_dyn(
        &self,
        reader: &mut dyn Read,
        writer: &mut dyn Write,
    ) -> Result<u64, CompressionError> {
        stream::decompress_all(self, reader, writer)
    }

    /// A machine that compresses in pieces, or none if this compressor works on whole data only.
    ///
    /// A `content_size` is written into the frame where the format has a place for it; data of
    /// another length is then an error.
    fn encoder(&self, content_size: Option<u64>) -> Option<Box<dyn StreamEncoder>> {
        let _ = content_size;
        None
    }

    /// A machine that decompresses in pieces, or none if this compressor works on whole data only.
    fn decoder(&self) -> Option<Box<dyn StreamDecoder>> {
        None
    }

    /// How many times smaller data like `sample` becomes: its size divided by the compressed size.
    ///
    /// A long sample is itself sampled: 256 KiB of it are compressed. 1 for an empty one, and for one
    /// that cannot be compressed.
    fn estimate_ratio(&self, sample: &[u8]) -> f32 {
        let pieces = sample::pieces(sample, 8, 32 << 10);
        match self.compress(&pieces) {
            Ok(compressed) if !pieces.is_empty() && !compressed.is_empty() => {
                pieces.len() as f32 / compressed.len() as f32
            }
            _ => 1.0,
        }
    }

    /// The name of the compressor, for metadata: `"zstd"`, `"lz4"` or `"adaptive"`.
    fn name(&self) -> &'static str;
}
