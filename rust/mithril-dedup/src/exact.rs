//! Exact copies: rows whose texts are the same, byte for byte.

use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use crate::options::Shingling;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use xxhash_rust::xxh3::xxh3_128;

const CHUNK: usize = 1024;
/// Hashes that are looked up in one table.
const PART: usize = 1 << 14;

/// The rows that go on to the sketch, and what became of the others.
#[derive(Debug, Serialize, Deserialize)]
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

    let same = |one: u32, other: u32| {
        let row = |position: u32| order.get(position as usize).copied().unwrap_or(u32::MAX);
        bytes(row(one)) == bytes(row(other))
    };
    let groups: Vec<(u32, u32)> = firsts(&hashes, same, control)?;
    drop(hashes);

    // The place of each position among the distinct ones; of a copy, that of its first.
    let mut places = vec![0_u32; order.len()];
    for &(copy, _) in &groups {
        if let Some(place) = places.get_mut(copy as usize) {
            *place = u32::MAX;
        }
    }
    let mut distinct = Vec::with_capacity(order.len() - groups.len());
    for (place, &row) in places.iter_mut().zip(order) {
        if *place != u32::MAX {
            *place = distinct.len() as u32;
            distinct.push(row);
        }
    }
    let copy = |&(copy, first): &(u32, u32)| {
        let row = order.get(copy as usize).copied().unwrap_or(u32::MAX);
        (row, places.get(first as usize).copied().unwrap_or(u32::MAX))
    };
    let copies = groups.iter().map(copy).collect();
    Ok(ExactCopies { distinct, copies })
}

/// Positions and the first ones of their hashes, where `same` says that they are the same; ascending.
///
/// Hashes are dealt out by their lowest bits first, so that each table stays in the cache.
fn firsts(
    hashes: &[u128],
    same: impl Fn(u32, u32) -> bool + Sync,
    control: Control,
) -> Result<Vec<(u32, u32)>> {
    let parts = (hashes.len() / PART).next_power_of_two();
    let part_of = |hash: u128| hash as usize & (parts - 1);
    let mut starts = vec![0_usize; parts + 1];
    for &hash in hashes {
        if let Some(count) = starts.get_mut(part_of(hash) + 1) {
            *count += 1;
        }
    }
    let mut end = 0;
    for start in &mut starts {
        end += *start;
        *start = end;
    }
    let mut positions = vec![0_u32; hashes.len()];
    let mut next = starts.clone();
    for (position, &hash) in (0_u32..).zip(hashes) {
        if let Some(next) = next.get_mut(part_of(hash)) {
            if let Some(place) = positions.get_mut(*next) {
                *place = position;
            }
            *next += 1;
        }
    }
    let parts: Vec<&[u32]> = starts
        .windows(2)
        .filter_map(|bounds| positions.get(*bounds.first()?..*bounds.get(1)?))
        .collect();
    let found: Vec<Vec<(u32, u32)>> = parts
        .into_par_iter()
        .map(|positions| {
            let mut table = Firsts::new(positions.len());
            let mut copies = Vec::new();
            for &position in positions {
                let hash = hashes.get(position as usize).copied().unwrap_or_default();
                let first = table.first_of(hash, position, hashes);
                if first != position && same(position, first) {
                    copies.push((position, first));
                }
            }
            control.check()?;
            Ok(copies)
        })
        .collect::<Result<_>>()?;
    let mut found: Vec<(u32, u32)> = found.into_iter().flatten().collect();
    found.par_sort_unstable();
    Ok(found)
}

/// Where each hash has come first.
///
/// A table of eight bytes a place, half of them empty, since new memory is most of what a larger one costs:
/// it takes a third of the time of a `HashMap`.
struct Firsts {
    /// The upper 32 bits of a hash, and its first position; a power of two of them.
    table: Vec<u64>,
}

impl Firsts {
    /// No position is as large.
    const FREE: u64 = u64::MAX;

    fn new(most: usize) -> Self {
        Self { table: vec![Self::FREE; (2 * most).next_power_of_two()] }
    }

    /// The first position of this hash, which is this one if there was none.
    fn first_of(&mut self, hash: u128, position: u32, hashes: &[u128]) -> u32 {
        let mask = self.table.len() - 1;
        let upper = (hash >> 96) as u64;
        // Its lowest bits are the same for all.
        let mut at = (hash >> 64) as usize & mask;
        while let Some(place) = self.table.get_mut(at) {
            if *place == Self::FREE {
                *place = upper << 32 | u64::from(position);
                break;
            }
            let first = *place as u32;
            if *place >> 32 == upper && hashes.get(first as usize) == Some(&hash) {
                return first;
            }
            at = (at + 1) & mask;
        }
        position
    }
}
