//! From band hashes to candidates: the documents that share a bucket.

use crate::hash_keys::BuildAsItIs;
use crate::sketch::Sketches;
use rayon::prelude::*;
use std::collections::HashMap;
use std::ops::Range;

/// Bands that one thread goes through together: their hashes of a document are a line of the cache or two.
const TOGETHER: usize = 8;
/// Places in the filter of a band, by documents: of the documents that share no bucket, one in so many is
/// looked at again.
const PLACES: usize = 8;

/// The buckets that hold two documents or more, and for each document those it is in.
///
/// Most documents are in none: they are kept without another look.
#[derive(Debug, Default)]
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
    /// Documents with the buckets that they are in.
    memberships: Vec<(u32, u32)>,
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
    pub(crate) fn build(sketches: &Sketches) -> Self {
        let bands = sketches.bands();
        let together = bands.div_ceil(rayon::current_num_threads()).clamp(1, TOGETHER);
        let groups: Vec<Range<usize>> =
            (0..bands).step_by(together).map(|band| band..bands.min(band + together)).collect();
        let found: Vec<Found> =
            groups.into_par_iter().map(|bands| Found::in_bands(sketches, bands)).collect();

        // Memberships by document: counted, and then put in their places.
        let mut counts = vec![0_u32; sketches.len()];
        for &(document, _) in found.iter().flat_map(|found| &found.memberships) {
            if let Some(count) = counts.get_mut(document as usize) {
                *count += 1;
            }
        }
        let mut built = Self {
            sizes: Vec::new(),
            documents: Vec::new(),
            starts: vec![0],
            memberships: Vec::new(),
        };
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
        for Found { sizes, memberships } in found {
            let first = built.sizes.len() as u32;
            for (document, bucket) in memberships {
                let next = counts.get(document as usize).and_then(|&at| next.get_mut(at as usize));
                if let Some(next) = next
                    && let Some(place) = built.memberships.get_mut(*next)
                {
                    *place = first + bucket;
                    *next += 1;
                }
            }
            built.sizes.extend(sizes);
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
    fn in_bands(sketches: &Sketches, bands: Range<usize>) -> Self {
        let mut filters: Vec<Filter> =
            bands.clone().map(|_| Filter::new(PLACES * sketches.len())).collect();
        for (_, hashes) in sketches.rows() {
            let hashes = hashes.get(bands.clone()).unwrap_or_default();
            filters.iter_mut().zip(hashes).for_each(|(filter, &hash)| filter.add(hash));
        }
        let mut passed: Vec<Vec<(u64, u32)>> = vec![Vec::new(); bands.len()];
        for (document, hashes) in sketches.rows() {
            let hashes = hashes.get(bands.clone()).unwrap_or_default();
            for ((filter, passed), &hash) in filters.iter().zip(&mut passed).zip(hashes) {
                if filter.has_two(hash) {
                    passed.push((hash, document));
                }
            }
        }
        drop(filters);

        let mut found = Self::default();
        for passed in passed {
            found.gather(&passed);
        }
        found
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
                self.memberships.push((*first, *bucket));
            }
            if let Some(size) = self.sizes.get_mut(*bucket as usize) {
                *size += 1;
            }
            self.memberships.push((document, *bucket));
        }
    }
}

/// For each of its places whether no hash has come there, one, or more: two bits.
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    fn new(places: usize) -> Self {
        Self { words: vec![0; places.div_ceil(32).next_power_of_two()] }
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
