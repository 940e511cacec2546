//! From band hashes to candidates: the documents that share a bucket.

use crate::error::Result;
use crate::hash_keys::BuildAsItIs;
use crate::sketch::Sketches;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// Bands that one thread goes through together: their hashes of a document are a line of the cache or two.
const TOGETHER: usize = 8;
/// Places in the filter of a band, by documents: of the documents that share no bucket, one in so many is
/// looked at again.
const PLACES: usize = 8;

/// The buckets that hold two documents or more, one for the same documents, and for each document those it is in.
///
/// Most documents are in none: they are kept without another look.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Buckets {
    /// The number of documents in each bucket.
    sizes: Vec<u32>,
    /// The documents that are in a bucket, ascending.
    documents: Vec<u32>,
    /// Where the buckets of each of `documents` begin in `memberships`, and one end.
    starts: Vec<usize>,
    memberships: Vec<u32>,
}

/// What some bands have found.
#[derive(Default)]
struct Found {
    /// By bucket.
    sizes: Vec<u32>,
    /// What stands for the documents of each bucket: the same for the same documents.
    members: Vec<u128>,
    /// Documents with the buckets that they are in.
    memberships: Vec<(u32, u32)>,
}

/// Memory for what a thread does with some bands, which it uses for the next ones again: new memory takes longer than
/// all else, a sixth of the time of ten million documents.
#[derive(Default)]
struct Room {
    hashes: Vec<Vec<u8>>,
    filters: Vec<Filter>,
    passed: Vec<Vec<(u64, u32)>>,
}

/// Buckets that are told apart by their documents.
#[derive(Default)]
struct Distinct {
    sizes: Vec<u32>,
    known: HashSet<u128, BuildAsItIs>,
    memberships: Vec<(u32, u32)>,
}

impl Distinct {
    /// No bucket that is to be added.
    const KNOWN: u32 = u32::MAX;

    /// Adds buckets, but for those whose very documents another has. Documents that are alike share many bands: of a
    /// pair, all these buckets say the same.
    fn add(&mut self, found: Found) {
        let numbers = found.members.iter().zip(&found.sizes).map(|(&members, &size)| {
            if !self.known.insert(members) {
                return Self::KNOWN;
            }
            self.sizes.push(size);
            self.sizes.len() as u32 - 1
        });
        let numbers: Vec<u32> = numbers.collect();
        let memberships = found.memberships.into_iter().filter_map(|(document, bucket)| {
            let number = numbers.get(bucket as usize).copied().unwrap_or(Self::KNOWN);
            (number != Self::KNOWN).then_some((document, number))
        });
        self.memberships.extend(memberships);
    }
}

impl Buckets {
    /// One bucket of all documents.
    pub(crate) fn one_of_all(documents: usize) -> Self {
        let count = documents as u32;
        Self {
            sizes: vec![count],
            documents: (0..count).collect(),
            starts: (0..=documents).collect(),
            memberships: vec![0; documents],
        }
    }

    /// Finds the documents of equal hashes in each band.
    pub(crate) fn build(sketches: &Sketches) -> Result<Self> {
        let (bands, threads) = (sketches.bands(), rayon::current_num_threads());
        let together = sketches.bands_together(bands.div_ceil(threads).clamp(1, TOGETHER));
        let groups: Vec<Range<usize>> =
            (0..bands).step_by(together).map(|band| band..bands.min(band + together)).collect();
        let mut distinct = Distinct::default();
        let mut rooms: Vec<Room> = groups.iter().take(threads).map(|_| Room::default()).collect();
        for groups in groups.chunks(threads) {
            let found = groups.par_iter().zip(&mut rooms);
            let found = found.map(|(bands, room)| Found::in_bands(sketches, bands.clone(), room));
            for found in found.collect::<Result<Vec<_>>>()? {
                distinct.add(found);
            }
        }
        Ok(Self::of_memberships(sketches.len(), distinct))
    }

    /// Memberships by document: counted, and then put in their places.
    fn of_memberships(documents: usize, distinct: Distinct) -> Self {
        let Distinct { sizes, memberships, .. } = distinct;
        let mut counts = vec![0_u32; documents];
        for &(document, _) in &memberships {
            if let Some(count) = counts.get_mut(document as usize) {
                *count += 1;
            }
        }
        let mut built =
            Self { sizes, documents: Vec::new(), starts: vec![0], memberships: Vec::new() };
        let mut end = 0;
        for (document, count) in (0..).zip(&mut counts) {
            if *count > 0 {
                end += *count as usize;
                built.documents.push(document);
                built.starts.push(end);
                // From here on the place of the document among those in a bucket.
                *count = built.documents.len() as u32 - 1;
            }
        }
        built.memberships.resize(end, 0);
        let mut next = built.starts.clone();
        for (document, bucket) in memberships {
            let next = counts.get(document as usize).and_then(|&at| next.get_mut(at as usize));
            if let Some(next) = next
                && let Some(place) = built.memberships.get_mut(*next)
            {
                *place = bucket;
                *next += 1;
            }
        }
        built
    }

    /// The number of documents in each bucket.
    pub(crate) fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    /// The number of documents that are in a bucket.
    pub(crate) fn len(&self) -> usize {
        self.documents.len()
    }

    /// The `index`-th document that is in a bucket, and its buckets.
    pub(crate) fn get(&self, index: usize) -> Option<(u32, &[u32])> {
        let range = *self.starts.get(index)?..*self.starts.get(index + 1)?;
        Some((*self.documents.get(index)?, self.memberships.get(range)?))
    }

    /// The buckets of a document, ascending.
    pub(crate) fn of(&self, document: u32) -> &[u32] {
        let index = self.documents.binary_search(&document).ok();
        index.and_then(|index| self.get(index)).map_or(&[], |(_, buckets)| buckets)
    }
}

impl Found {
    /// The buckets of some bands. Hashes are sorted out by a filter first, which a document passes only if
    /// another has come to its place: of hashes that occur once, which are most, it leaves one in
    /// [`PLACES`]. It takes less than a third of the time of sorting them, 10 ms in place of 40 for 45,000
    /// documents in 16 bands.
    fn in_bands(sketches: &Sketches, bands: Range<usize>, room: &mut Room) -> Result<Self> {
        let Room { hashes, filters, passed } = room;
        let hashes = sketches.in_bands(bands.clone(), hashes)?;
        filters.resize_with(bands.len(), Filter::default);
        for filter in filters.iter_mut() {
            filter.clear(PLACES * sketches.len());
        }
        passed.resize_with(bands.len(), Vec::new);
        passed.iter_mut().for_each(Vec::clear);
        hashes.for_each(|_, band, hash| {
            if let Some(filter) = filters.get_mut(band) {
                filter.add(hash);
            }
        });
        hashes.for_each(|document, band, hash| {
            if let (Some(filter), Some(passed)) = (filters.get(band), passed.get_mut(band))
                && filter.has_two(hash)
            {
                passed.push((hash, document));
            }
        });

        let mut found = Self::default();
        for passed in passed {
            found.gather(passed);
        }
        Ok(found)
    }

    /// Adds the buckets of one band, of which `passed` are all hashes that occur twice or more, and others.
    fn gather(&mut self, passed: &[(u64, u32)]) {
        /// A hash that has occurred once.
        const ALONE: u32 = u32::MAX;
        // The first document of each hash, and its bucket.
        let mut of_hash: HashMap<u64, (u32, u32), BuildAsItIs> =
            HashMap::with_capacity_and_hasher(passed.len(), BuildAsItIs::default());
        for &(hash, document) in passed {
            let (first, bucket) = of_hash.entry(hash).or_insert((document, ALONE));
            if *first == document {
                continue;
            }
            if *bucket == ALONE {
                *bucket = self.sizes.len() as u32;
                self.sizes.push(1);
                self.members.push(with_member(0, *first));
                self.memberships.push((*first, *bucket));
            }
            let at = *bucket as usize;
            if let (Some(size), Some(members)) = (self.sizes.get_mut(at), self.members.get_mut(at))
            {
                *size += 1;
                *members = with_member(*members, document);
            }
            self.memberships.push((document, *bucket));
        }
    }
}

/// What stands for documents and one more, which come ascending.
fn with_member(members: u128, document: u32) -> u128 {
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(&members.to_le_bytes());
    bytes[16..].copy_from_slice(&document.to_le_bytes());
    xxh3_128(&bytes)
}

/// For each of its places whether no hash has come there, one, or more: two bits.
#[derive(Default)]
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// Makes so many places, to which no hash has come.
    fn clear(&mut self, places: usize) {
        let length = places.div_ceil(32).next_power_of_two();
        if self.words.len() == length {
            self.words.fill(0);
        } else {
            self.words = vec![0; length];
        }
    }

    /// The word of a hash, and its bit there.
    #[inline]
    fn place(&self, hash: u64) -> (usize, u32) {
        ((hash >> 5) as usize & (self.words.len() - 1), 2 * (hash & 31) as u32)
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        let (at, bit) = self.place(hash);
        if let Some(word) = self.words.get_mut(at) {
            *word |= (1 | (*word >> bit & 1) << 1) << bit;
        }
    }

    #[inline]
    fn has_two(&self, hash: u64) -> bool {
        let (at, bit) = self.place(hash);
        self.words.get(at).is_some_and(|word| word >> (bit + 1) & 1 == 1)
    }
}
