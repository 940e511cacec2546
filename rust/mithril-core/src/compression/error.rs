//! What can go wrong between bytes and fewer bytes.

use std::io;

/// What can go wrong when data is compressed or decompressed.
///
/// ```
/// use mithril_core::{CompressionError, CompressionLevel, Compressor, ZstdCompressor};
///
/// let zstd = ZstdCompressor::new(CompressionLevel::Default);
/// let frame = zstd.compress(b"a frame that is cut").unwrap();
/// let cut = zstd.decompress(&frame[..frame.len() - 1]);
/// assert!(matches!(cut, Err(CompressionError::Truncated)));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The data could not be compressed; the text says why.
    #[error("Compression failed: {0}")]
    CompressionFailed(String),

    /// The data is not what a compressor of this kind writes; the text says where it departs.
    #[error("Decompression failed: {0}")]
    DecompressionFailed(String),

    /// The data is not what a compressor of this kind writes, and no more is known.
    ///
    /// For compressors of others; those of this crate say more.
    #[error("Invalid data")]
    InvalidData,

    /// Reading or writing failed.
    #[error("IO error: {0}")]
    Io(#[source] io::Error),

    /// The data ends before its last frame does: it was cut, or has not arrived whole.
    #[error("Decompression failed: the data ends inside a frame; it was cut, or is still arriving")]
    Truncated,

    /// The output would be longer than was allowed.
    #[error(
        "Decompression failed: the output is larger than the limit of {limit} bytes; \
         raise it (max_output_size) if the data is trusted"
    )]
    OutputTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },

    /// The output is not what was compressed: its checksum differs from the one in the frame.
    #[error("Decompression failed: the checksum of the content differs; the data is damaged")]
    ChecksumMismatch,

    /// The frame needs more memory for its window than was allowed.
    #[error(
        "Decompression failed: the frame needs a window of more than 2^{limit_log} bytes; \
         raise the limit (max_window_log) if the data is trusted"
    )]
    WindowTooLarge {
        /// The base-2 logarithm of the limit.
        limit_log: u32,
    },

    /// The frame was written with another dictionary than the one given, or with one where none is.
    #[error(
        "Decompression failed: the frame needs {}; pass the one it was written with",
        needed.map_or_else(|| "another dictionary".to_owned(), |id| format!("dictionary {id}"))
    )]
    WrongDictionary {
        /// The identifier in the frame, where it is known.
        needed: Option<u32>,
    },

    /// The bytes begin as a zstd dictionary does, and are none.
    #[error("Invalid dictionary: it begins as a zstd dictionary, but its tables cannot be read")]
    InvalidDictionary,

    /// The frame names a compressor that is not among those given.
    #[error(
        "Decompression failed: the frame was written with the compressor {name:?}; \
         add it with with_compressors"
    )]
    UnknownCompressor {
        /// The name in the frame.
        name: String,
    },
}

impl CompressionError {
    /// A short stable name of what happened; see [`MithrilError::kind`](crate::MithrilError::kind).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CompressionFailed(_) => "compression_failed",
            Self::DecompressionFailed(_) => "decompression_failed",
            Self::InvalidData => "invalid_data",
            Self::Io(_) => "io",
            Self::Truncated => "truncated",
            Self::OutputTooLarge { .. } => "output_too_large",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::WindowTooLarge { .. } => "window_too_large",
            Self::WrongDictionary { .. } => "wrong_dictionary",
            Self::InvalidDictionary => "invalid_dictionary",
            Self::UnknownCompressor { .. } => "unknown_compressor",
        }
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::DecompressionFailed(what.into())
    }
}

/// The error as it was where it passed through a [`Read`](io::Read) or [`Write`](io::Write).
impl From<io::Error> for CompressionError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) => Self::Io(error),
        }
    }
}

/// For readers and writers: the error is kept whole inside, and comes out again by [`From`].
impl From<CompressionError> for io::Error {
    fn from(error: CompressionError) -> Self {
        let kind = match error {
            CompressionError::Io(error) => return error,
            CompressionError::Truncated => io::ErrorKind::UnexpectedEof,
            CompressionError::CompressionFailed(_) => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// The next `buffer.len()` bytes; fewer are a frame that was cut.
pub(crate) fn read_whole(
    source: &mut (impl io::Read + ?Sized),
    buffer: &mut [u8],
) -> Result<(), CompressionError> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        // An error of our own that passed through the source keeps what it says.
        io::ErrorKind::UnexpectedEof
            if error.get_ref().is_none_or(|own| !own.is::<CompressionError>()) =>
        {
            CompressionError::Truncated
        }
        _ => error.into(),
    })
}

/// As many of `buffer.len()` bytes as there are before the end.
pub(crate) fn read_up_to(
    source: &mut (impl io::Read + ?Sized),
    buffer: &mut [u8],
) -> Result<usize, CompressionError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read.min(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

/// Appends the next `length` bytes; memory is taken as they come, so that a length that is a lie costs
/// little.
pub(crate) fn read_more(
    source: &mut (impl io::Read + ?Sized),
    length: usize,
    output: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    const STEP: usize = 256 << 10;
    let end = output.len() + length;
    while output.len() < end {
        let start = output.len();
        output.resize(end.min(start + STEP), 0);
        read_whole(source, output.get_mut(start..).unwrap_or_default())?;
    }
    Ok(())
}
