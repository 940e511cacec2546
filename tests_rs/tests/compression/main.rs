//! Compressors: what they write, what they read of others, and what they refuse.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod adaptive;
mod array;
mod dictionary;
mod hostile;
mod roundtrip;
mod standard;

use mithril_core::{
    AdaptiveCompressor, CompressionError, CompressionLevel, Compressor, DType, Lz4Compressor,
    ZstdCompressor,
};
use std::io::{self, Read};

/// Every compressor, at levels that differ in what they write.
fn compressors() -> Vec<Box<dyn Compressor>> {
    use CompressionLevel::{Best, Custom, Default, Fast, Fastest};
    let mut all: Vec<Box<dyn Compressor>> = Vec::new();
    for level in [Fastest, Fast, Default, Custom(-5), Custom(9)] {
        all.push(Box::new(ZstdCompressor::new(level)));
    }
    for level in [Fastest, Fast, Default, Best] {
        all.push(Box::new(Lz4Compressor::new(level)));
    }
    all.push(Box::new(AdaptiveCompressor::new()));
    all.push(Box::new(AdaptiveCompressor::new().with_dtype(DType::Float32)));
    all.push(Box::new(AdaptiveCompressor::with_compressors(Vec::new())));
    all
}

/// One of each kind.
fn kinds() -> [Box<dyn Compressor>; 3] {
    [
        Box::new(ZstdCompressor::default()),
        Box::new(Lz4Compressor::default()),
        Box::new(AdaptiveCompressor::new()),
    ]
}

/// A reader that gives a few bytes at a time, and is interrupted between them.
struct Slow<'a> {
    data: &'a [u8],
    step: usize,
    interrupted: bool,
}

impl<'a> Slow<'a> {
    fn new(data: &'a [u8], step: usize) -> Self {
        Self { data, step, interrupted: false }
    }
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = self.step.min(buffer.len());
        self.data.read(&mut buffer[..length])
    }
}

/// The content of a stream, read through small steps.
fn streamed(
    compressor: &dyn Compressor,
    data: &[u8],
    step: usize,
) -> Result<Vec<u8>, CompressionError> {
    let mut output = Vec::new();
    let length = compressor.decompress_stream_dyn(&mut Slow::new(data, step), &mut output)?;
    assert_eq!(length, output.len() as u64);
    Ok(output)
}

/// `SplitMix64`: bytes that nothing makes smaller, the same in every run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let words = (1..=length.div_ceil(8) as u64).flat_map(|index| {
        let mut mixed = seed.wrapping_add(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    words.take(length).collect()
}

/// Text of a vocabulary of its own.
fn text(length: usize) -> Vec<u8> {
    let bytes = noise(7, length);
    let words = ["deduplicate", "shingle", "of", "the", "band", "signature", "and", "row\n"];
    let chosen = bytes.iter().flat_map(|byte| {
        let word = words[usize::from(byte % 8)];
        word.bytes().chain([b' ', b'a' + byte / 8 % 26])
    });
    chosen.take(length).collect()
}

/// Weights as a network has them: signs and fractions at random, exponents near each other.
fn weights(count: usize) -> Vec<u8> {
    let bytes = noise(9, 4 * count);
    let sums = bytes.chunks_exact(4).map(|four| four.iter().map(|&byte| f32::from(byte)).sum());
    let values = sums
        .zip(&bytes)
        .map(|(sum, byte): (f32, _)| (sum - 510.0) / 3000.0 + f32::from(*byte) * 1e-7);
    values.flat_map(f32::to_le_bytes).collect()
}

/// Bytes from hexadecimal; `(ff*9)` is nine times `ff`.
fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let text: String = text.split_whitespace().collect();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        if let Some((part, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            let (byte, count) = part.split_once('*').unwrap();
            let byte = u8::from_str_radix(byte, 16).unwrap();
            bytes.resize(bytes.len() + count.parse::<usize>().unwrap(), byte);
            rest = after;
        } else {
            bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
            rest = &rest[2..];
        }
    }
    bytes
}
