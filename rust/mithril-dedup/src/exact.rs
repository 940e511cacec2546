//! Exact copies: rows whose texts are the same, byte for byte.

use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_128;

const CHUNK: usize = 1024;

/// The rows that go on to the sketch, and what became of the others.
pub(crate) struct ExactCopies {
    /// The first row of each distinct text, in keep order.
    pub(crate) distinct: Vec<u32>,
    /// `(row, position in distinct)` of every further copy, in keep order.
    pub(crate) copies: Vec<(u32, u32)>,
}

/// Groups equal texts, `order` being the rows that have a text in keep order.
///
/// Texts are told apart by a 128-bit hash (XXH3), and rows with equal hashes by their bytes: a
/// collision, which can be made on purpose, leaves both rows for the stages that follow.
pub(crate) fn find(documents: &Documents, order: &[u32], control: Control) -> Result<ExactCopies> {
    control.begin("hashing", order.len() as u64);
    let mut hashes = vec![0_u128; order.len()];
    hashes.par_chunks_mut(CHUNK).zip(order.par_chunks(CHUNK)).try_for_each(|(out, rows)| {
        for (hash, &row) in out.iter_mut().zip(rows) {
            *hash = xxh3_128(documents.bytes(row as usize).unwrap_or_default());
        }
        control.advance(rows.len() as u64)
    })?;

    let mut first: HashMap<u128, u32, BuildHasherDefault<LowBits>> =
        HashMap::with_capacity_and_hasher(order.len(), BuildHasherDefault::default());
    let mut found = ExactCopies { distinct: Vec::new(), copies: Vec::new() };
    for (&row, hash) in order.iter().zip(hashes) {
        let next = found.distinct.len() as u32;
        let position = *first.entry(hash).or_insert(next);
        let same = found
            .distinct
            .get(position as usize)
            .is_some_and(|&other| documents.bytes(other as usize) == documents.bytes(row as usize));
        if same {
            found.copies.push((row, position));
        } else {
            found.distinct.push(row);
        }
    }
    Ok(found)
}

/// Takes the lower half of a key that is a hash already.
#[derive(Default)]
struct LowBits(u64);

impl Hasher for LowBits {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
