//! Crowded buckets: those of many kept documents, as where half of a corpus shares one paragraph.
//!
//! To compare each document with all that are kept there would take time in the square of their number. An
//! index finds those that can reach the threshold, and no others are looked at: nothing is lost.
//!
//! It holds the rarest elements (shingles, say) of each document. Where o elements are in common of m and n, the
//! similarity is o / (m + n − o), so that a threshold t asks for o ≥ (m + n)·t / (1 + t). Take all elements in one
//! order, the rarest first. The first that two documents have in common comes among the first m − ⌈m·t⌉ + 1 of the
//! one with m, or else too few follow; and with m ≤ n even among its first m − ⌈m·2t / (1 + t)⌉ + 1 (Chaudhuri,
//! Ganti and Kaushik, ICDE 2006; Bayardo, Ma and Srikant, WWW 2007; Xiao, Wang, Lin and Yu, WWW 2008). What a
//! crowd shares is common, so it comes last in the order, and past these places where it is not enough for the
//! threshold.

use crate::control::Control;
use crate::error::Result;
use crate::hash_keys::BuildAsItIs;
use crate::verify::{Comparer, Verifier};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU8, Ordering};

/// Kept documents that make a bucket crowded: to look them all up costs what comparing with so many does.
pub(crate) const CROWD: usize = 32;
/// Kept documents from which on a bucket becomes crowded together with another.
pub(crate) const SOON: usize = CROWD / 2;
/// Counters for the elements of a document, as a power of two; what falls into one counter is taken for more
/// common than it is, which costs time alone.
const COUNTERS: usize = 256;
/// The least and the most counters, of a byte each.
const FEWEST_COUNTERS: usize = 1 << 12;
const MOST_COUNTERS: usize = 1 << 26;
/// What quotients of sizes may be off by in floating point.
const ROUNDING: f64 = 1e-9;
/// Parts of the index that threads add to on their own.
const SHARDS: usize = 4;
/// No document.
const END: u32 = u32::MAX;

/// The documents of crowded buckets that are kept.
pub(crate) struct Crowd {
    /// How common elements are, about.
    counts: Vec<u8>,
    threshold: f64,
    /// Whether similarity is the share of a document that is in another.
    is_containment: bool,
    /// Those of the blocks before, by the upper bits of the element, so that threads add to them together.
    before: Vec<Lists>,
    /// Those of the block that is decided now: few enough to stay in the cache.
    in_block: Lists,
    /// What is to be added to those before.
    added: Vec<Rarest>,
    documents: HashSet<u32>,
}

/// Which documents are looked up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Those {
    /// Those that were kept in the blocks before, while nothing of this block is decided.
    Before,
    /// Those that were kept in this block.
    InBlock,
    All,
}

/// The rarest elements of a document, in the order of rarity.
pub(crate) struct Rarest {
    document: u32,
    elements: Vec<u64>,
    /// How many of them no other document has.
    alone: usize,
    /// How many of them are looked up by larger documents too.
    first: usize,
    /// How many of them it looks up itself.
    looked_up: usize,
    /// The number of all its elements.
    size: usize,
}

impl Crowd {
    /// An index of nothing, for `documents` alone, by how common their elements are.
    pub(crate) fn new(verifier: &Verifier, documents: &[u32], control: Control) -> Result<Self> {
        let counters = (COUNTERS * documents.len()).next_power_of_two();
        let counters = counters.clamp(FEWEST_COUNTERS, MOST_COUNTERS);
        let counts: Vec<AtomicU8> = (0..counters).map(|_| AtomicU8::new(0)).collect();
        documents.par_iter().try_for_each_init(
            || (verifier.comparer(), Vec::new()),
            |(comparer, elements), &document| {
                comparer.elements(document, elements);
                for &element in &*elements {
                    if let Some(count) = counts.get(element as usize % counters) {
                        // As far as a byte goes, and the same however threads meet.
                        let more = |count: u8| count.checked_add(1);
                        let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
                    }
                }
                control.check()
            },
        )?;
        Ok(Self {
            counts: counts.into_iter().map(AtomicU8::into_inner).collect(),
            threshold: verifier.threshold_of_elements(),
            is_containment: verifier.measures_containment(),
            before: (0..SHARDS).map(|_| Lists::default()).collect(),
            in_block: Lists::default(),
            added: Vec::new(),
            documents: HashSet::new(),
        })
    }

    /// The rarest elements of a document.
    pub(crate) fn rarest(&self, comparer: &mut Comparer, document: u32) -> Rarest {
        let mut elements = Vec::new();
        comparer.elements(document, &mut elements);
        let size = elements.len();
        let (t, n) = (self.threshold, size as f64);
        let looked_up = places(size, n * t);
        // What is within another has one of its rarest elements in common with it, and that any of the other's.
        let (first, all) = if self.is_containment {
            (size, size)
        } else {
            (places(size, n * 2.0 * t / (1.0 + t)), looked_up)
        };
        // How common an element is, and below it the element. What no other document has is not looked up.
        let key = |&element: &u64| {
            let count = self.counts.get(element as usize % self.counts.len());
            u128::from(count.copied().unwrap_or_default()) << 64 | u128::from(element)
        };
        let mut keys: Vec<u128> = elements.iter().map(key).collect();
        if all < size {
            keys.select_nth_unstable(all);
            keys.truncate(all);
        }
        keys.sort_unstable();
        elements.clear();
        elements.extend(keys.iter().map(|&key| key as u64));
        let alone = keys.partition_point(|key| key >> 64 <= 1);
        Rarest { document, elements, alone, first, looked_up, size }
    }

    /// Adds a document of this block, or of one before.
    pub(crate) fn add(&mut self, rarest: Rarest) {
        self.documents.insert(rarest.document);
        rarest.postings().for_each(|posting| self.in_block.add(&posting));
        self.added.push(rarest);
    }

    /// Ends the block: what was added in it is from now on before.
    pub(crate) fn end_block(&mut self) {
        self.in_block.clear();
        let added = std::mem::take(&mut self.added);
        self.before.par_iter_mut().enumerate().for_each(|(shard, lists)| {
            let postings = added.iter().flat_map(Rarest::postings);
            postings.filter(|posting| shard_of(posting.element) == shard).for_each(|posting| {
                lists.add(&posting);
            });
        });
    }

    /// Whether a document has been added.
    pub(crate) fn has(&self, document: u32) -> bool {
        self.documents.contains(&document)
    }

    /// Appends those documents that may reach the threshold with a document, some of them more than once.
    pub(crate) fn candidates(&self, rarest: &Rarest, those: Those, candidates: &mut Vec<u32>) {
        let looked_up = rarest.elements.iter().take(rarest.looked_up).enumerate();
        for (place, &element) in looked_up.skip(rarest.alone) {
            let before = (those != Those::InBlock).then(|| self.before.get(shard_of(element)));
            let in_block = (those != Those::Before).then_some(&self.in_block);
            let (after, is_first) = (rarest.size - place - 1, place < rarest.first);
            for lists in before.flatten().into_iter().chain(in_block) {
                let [first, second] = lists.of(element);
                let first = first.filter(|other| is_first || other.size as usize <= rarest.size);
                let larger = |other: &&Place| other.size as usize >= rarest.size;
                let second = is_first.then(|| second.filter(larger)).into_iter().flatten();
                let are_enough = |other: &&Place| {
                    let in_common = 1 + after.min(other.after as usize);
                    let sizes = (rarest.size + other.size as usize) as f64;
                    let needed = if self.is_containment {
                        rarest.size as f64 * self.threshold
                    } else {
                        sizes * self.threshold / (1.0 + self.threshold)
                    };
                    in_common as f64 >= needed * (1.0 - ROUNDING)
                };
                candidates
                    .extend(first.chain(second).filter(are_enough).map(|other| other.document));
            }
        }
    }
}

/// The places in which the first common element is, where at least `common` of `size` elements are in common.
fn places(size: usize, common: f64) -> usize {
    let common = (common * (1.0 - ROUNDING)).ceil() as usize;
    (size + 1).saturating_sub(common.max(1)).min(size)
}

/// The part of the index that an element belongs to.
fn shard_of(element: u64) -> usize {
    // Elements have 61 bits at least.
    (element >> 50) as usize % SHARDS
}

/// An element of a document on its way into the index.
struct Posting {
    element: u64,
    /// Whether larger documents look it up too.
    is_first: bool,
    place: Place,
}

impl Rarest {
    fn postings(&self) -> impl Iterator<Item = Posting> {
        let size = self.size as u32;
        self.elements.iter().zip(0_u32..).skip(self.alone).map(move |(&element, at)| Posting {
            element,
            is_first: (at as usize) < self.first,
            place: Place { document: self.document, size, after: size - at - 1, next: END },
        })
    }
}

/// Documents by element.
#[derive(Default)]
struct Lists {
    /// Where the two lists of an element begin: of documents that are found by it from any other, and of those
    /// that are found from smaller ones.
    heads: HashMap<u64, [u32; 2], BuildAsItIs>,
    documents: Vec<Place>,
}

/// A document in the list of one of its elements.
#[derive(Clone, Copy)]
struct Place {
    document: u32,
    /// The number of its elements.
    size: u32,
    /// How many of them are more common.
    after: u32,
    next: u32,
}

impl Lists {
    fn add(&mut self, posting: &Posting) {
        let [first, second] = self.heads.entry(posting.element).or_insert([END; 2]);
        let head = if posting.is_first { first } else { second };
        let next = std::mem::replace(head, self.documents.len() as u32);
        self.documents.push(Place { next, ..posting.place });
    }

    /// The two lists of an element.
    fn of(&self, element: u64) -> [impl Iterator<Item = &Place>; 2] {
        let get = |at: u32| self.documents.get(at as usize);
        let heads = self.heads.get(&element).copied().unwrap_or([END; 2]);
        heads.map(|head| std::iter::successors(get(head), move |place| get(place.next)))
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.documents.clear();
    }
}
