//! SHA-256, where others expect it.

use super::{HashFunction, Hasher, first_u64};
use sha2::{Digest, Sha256};

/// SHA-256 (FIPS 180-4).
///
/// ```
/// use mithril_core::{HashFunction, Sha256Hash};
/// assert!(Sha256Hash::new().hash_hex(b"abc").starts_with("ba7816bf8f01cfea414140de5dae2223"));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Sha256Hash;

impl Sha256Hash {
    /// The function.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl HashFunction for Sha256Hash {
    fn hash(&self, data: &[u8]) -> Vec<u8> {
        Sha256::digest(data).to_vec()
    }

    fn hash_u64(&self, data: &[u8]) -> u64 {
        first_u64(&Sha256::digest(data).into())
    }

    fn hasher(&self) -> Box<dyn Hasher> {
        Box::new(Sha256Hasher(Sha256::new()))
    }

    fn output_size(&self) -> usize {
        32
    }

    fn name(&self) -> &'static str {
        "sha256"
    }
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().to_vec()
    }

    fn finalize_u64(self: Box<Self>) -> u64 {
        first_u64(&self.0.finalize().into())
    }

    fn try_clone(&self) -> Option<Box<dyn Hasher>> {
        Some(Box::new(Self(self.0.clone())))
    }
}
