//! BLAKE3: cryptographic, and fast.

use super::{HashFunction, Hasher, first_u64};
use crate::runtime::install;

/// From here on two threads are faster than one, by the documentation of the crate and by measurement.
const PARALLEL: usize = 256 << 10;

/// BLAKE3 with an output of 256 bits. Large data is hashed by all threads of the pool of this process.
///
/// ```
/// use mithril_core::{Blake3Hash, HashFunction};
/// assert!(Blake3Hash::new().hash_hex(b"").starts_with("af1349b9f5f9a1a6a0404dea36dcc949"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Blake3Hash;

impl Blake3Hash {
    /// The function.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl HashFunction for Blake3Hash {
    fn hash(&self, data: &[u8]) -> Vec<u8> {
        hashed(data).as_bytes().to_vec()
    }

    fn hash_u64(&self, data: &[u8]) -> u64 {
        first_u64(hashed(data).as_bytes())
    }

    fn hasher(&self) -> Box<dyn Hasher> {
        Box::new(Blake3Hasher(blake3::Hasher::new()))
    }

    fn output_size(&self) -> usize {
        blake3::OUT_LEN
    }

    fn name(&self) -> &'static str {
        "blake3"
    }
}

fn hashed(data: &[u8]) -> blake3::Hash {
    if data.len() < PARALLEL {
        blake3::hash(data)
    } else {
        updated(&mut blake3::Hasher::new(), data).finalize()
    }
}

fn updated<'a>(hasher: &'a mut blake3::Hasher, data: &[u8]) -> &'a mut blake3::Hasher {
    if data.len() < PARALLEL { hasher.update(data) } else { install(|| hasher.update_rayon(data)) }
}

struct Blake3Hasher(blake3::Hasher);

impl Hasher for Blake3Hasher {
    fn update(&mut self, data: &[u8]) {
        updated(&mut self.0, data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().as_bytes().to_vec()
    }

    fn finalize_u64(self: Box<Self>) -> u64 {
        first_u64(self.0.finalize().as_bytes())
    }

    fn try_clone(&self) -> Option<Box<dyn Hasher>> {
        Some(Box::new(Self(self.0.clone())))
    }
}
