//! Keys that are hashes already.

use std::hash::{BuildHasherDefault, Hasher};

/// For maps whose keys are hashes.
pub(crate) type BuildAsItIs = BuildHasherDefault<AsItIs>;

/// Takes a key that is a hash already for its own.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64 ^ (key >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
