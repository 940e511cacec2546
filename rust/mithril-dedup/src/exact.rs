//! Exact copies: rows whose texts are the same, byte for byte.

use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use crate::options::Shingling;
use rayon::prelude::*;
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_128;

const CHUNK: usize = 1024;

/// The rows that go on to the sketch, and what became of the others.
#[derive(Debug)]
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
///
/// With `prepare`, texts are equal that are so once they are normalized and in the case that it says; such that are
/// not Unicode stay as they are.
pub(crate) fn find(
    documents: &Documents,
    order: &[u32],
    prepare: Option<Shingling>,
    control: Control,
) -> Result<ExactCopies> {
    let bytes = |row: u32| -> Cow<[u8]> {
        let text = |shingling: Shingling| {
            let text = documents.text(row as usize).unwrap_or_default();
            shingling.whole(text).map(|whole| Cow::Owned(whole.into_bytes()))
        };
        prepare
            .filter(|_| !documents.is_raw(row as usize))
            .and_then(text)
            .unwrap_or_else(|| Cow::Borrowed(documents.bytes(row as usize).unwrap_or_default()))
    };
    control.begin("hashing", order.len() as u64);
    let mut hashes = vec![0_u128; order.len()];
    hashes.par_chunks_mut(CHUNK).zip(order.par_chunks(CHUNK)).try_for_each(|(out, rows)| {
        for (hash, &row) in out.iter_mut().zip(rows) {
            *hash = xxh3_128(&bytes(row));
        }
        control.advance(rows.len() as u64)
    })?;

    let mut firsts = Firsts::new(order.len());
    let mut found = ExactCopies { distinct: Vec::new(), copies: Vec::new() };
    for (&row, hash) in order.iter().zip(hashes) {
        let position = firsts.first_of(hash);
        let same =
            found.distinct.get(position as usize).is_some_and(|&other| bytes(other) == bytes(row));
        if same {
            found.copies.push((row, position));
        } else {
            firsts.push(hash);
            found.distinct.push(row);
        }
    }
    Ok(found)
}

/// Where each hash has come first, among texts that are told apart.
///
/// A table of eight bytes a place, half of them empty, since new memory is most of what a larger one costs:
/// it takes a third of the time of a `HashMap`.
struct Firsts {
    /// The upper 32 bits of a hash, and the position of its text; a power of two of them.
    table: Vec<u64>,
    /// By position.
    hashes: Vec<u128>,
}

impl Firsts {
    /// No position is as large.
    const FREE: u64 = u64::MAX;

    fn new(most: usize) -> Self {
        let places = (2 * most).next_power_of_two();
        Self { table: vec![Self::FREE; places], hashes: Vec::with_capacity(most) }
    }

    /// The position of the first text of this hash: if there is none, the next position, which it is noted for.
    fn first_of(&mut self, hash: u128) -> u32 {
        let mask = self.table.len() - 1;
        let upper = (hash >> 96) as u64;
        let mut at = hash as usize & mask;
        while let Some(place) = self.table.get_mut(at) {
            if *place == Self::FREE {
                *place = upper << 32 | self.hashes.len() as u64;
                break;
            }
            let position = *place as u32;
            if *place >> 32 == upper && self.hashes.get(position as usize) == Some(&hash) {
                return position;
            }
            at = (at + 1) & mask;
        }
        self.hashes.len() as u32
    }

    /// Notes the hash of the next position.
    fn push(&mut self, hash: u128) {
        self.hashes.push(hash);
    }
}
