//! What points to a hash function is one.

use super::{HashFunction, Hasher};
use std::sync::Arc;

macro_rules! forward {
    ($pointer:ty) => {
        impl<H: HashFunction + ?Sized> HashFunction for $pointer {
            fn hash(&self, data: &[u8]) -> Vec<u8> {
                (**self).hash(data)
            }

            fn hash_hex(&self, data: &[u8]) -> String {
                (**self).hash_hex(data)
            }

            fn hash_u64(&self, data: &[u8]) -> u64 {
                (**self).hash_u64(data)
            }

            fn hasher(&self) -> Box<dyn Hasher> {
                (**self).hasher()
            }

            fn output_size(&self) -> usize {
                (**self).output_size()
            }

            fn name(&self) -> &'static str {
                (**self).name()
            }
        }
    };
}

forward!(Box<H>);
forward!(Arc<H>);
forward!(&H);
