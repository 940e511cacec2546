//! How much output may be made, and how much memory may be reserved before it is.

use super::CompressionError;

/// The bytes at which [`decompress`](super::Compressor::decompress) stops unless
/// `with_max_output_size` says otherwise: 4 GiB.
///
/// It is for memory, so it holds for results in memory. Streams write elsewhere and hold little
/// themselves: they have a limit only where `with_max_output_size` set one.
pub const DEFAULT_MAX_OUTPUT_SIZE: u64 = 4 << 30;

/// The most that is reserved for `input` bytes of compressed data before any is decompressed.
///
/// 64 MiB, or 32 times the input: data that shrinks more than that lets its output grow, which costs
/// one copy of it.
pub(crate) fn preallocation(input: usize) -> u64 {
    (input as u64).saturating_mul(32).max(64 << 20)
}

/// Makes room in `output` for `more` bytes and no others, with an error where memory has no place for them.
pub(crate) fn reserve(output: &mut Vec<u8>, more: usize) -> Result<(), CompressionError> {
    output.try_reserve_exact(more).map_err(|_| {
        CompressionError::DecompressionFailed(format!("no memory for {more} more bytes of output"))
    })
}
