//! How hard to try.

/// How much time to spend for fewer bytes; each compressor says what its levels mean.
///
/// ```
/// use mithril_core::{CompressionLevel, Compressor, ZstdCompressor};
///
/// let text = "levels trade time for size; ".repeat(50);
/// let best = ZstdCompressor::new(CompressionLevel::Best).compress(text.as_bytes())?;
/// let fastest = ZstdCompressor::new(CompressionLevel::Fastest).compress(text.as_bytes())?;
/// assert!(best.len() <= fastest.len());
/// # Ok::<(), mithril_core::CompressionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CompressionLevel {
    /// The least time.
    Fastest,
    /// Less time than the default.
    Fast,
    /// What suits most data.
    #[default]
    Default,
    /// The fewest bytes, at many times the time.
    Best,
    /// The codec's own number, moved into the range that it has.
    Custom(i32),
}
