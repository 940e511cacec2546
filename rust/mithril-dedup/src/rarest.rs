//! The rarest elements of documents: where two are similar, they have one of few in common.
//!
//! Where o elements (shingles, say) are in common of m and n, the similarity is o / (m + n − o), so that a threshold t
//! asks for o ≥ (m + n)·t / (1 + t). Take all elements in one order, the rarest first. The first that two documents
//! have in common comes among the first m − ⌈m·t⌉ + 1 of the one with m, or else too few follow; and with m ≤ n even
//! among its first m − ⌈m·2t / (1 + t)⌉ + 1 (Chaudhuri, Ganti and Kaushik, ICDE 2006; Bayardo, Ma and Srikant, WWW
//! 2007; Xiao, Wang, Lin and Yu, WWW 2008). What many have in common comes last in the order, and past these places
//! where it is not enough for the threshold.

use std::sync::atomic::{AtomicU8, Ordering};

/// What quotients of sizes may be off by in floating point.
const ROUNDING: f64 = 1e-9;

/// Of so many elements that would be enough, one more is looked up, where what is found is counted. That leaves out what
/// has less than a fifth of them.
const MORE: usize = 4;

/// What similarity has to reach, and of what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) threshold: f64,
    /// Whether it is the share of a document that is in another, and not that of what either has.
    pub(crate) is_containment: bool,
}

/// How common elements are, about: a counter for each, which others share, as far as a byte goes. What is taken for
/// more common than it is costs time alone.
#[derive(Debug)]
pub(crate) struct Rarity {
    counts: Vec<AtomicU8>,
    goal: Goal,
}

/// The rarest elements of a document, in the order of rarity.
#[derive(Debug)]
pub(crate) struct Rarest {
    elements: Vec<u64>,
    /// How many of them no other document has.
    alone: usize,
    /// How many of them are looked up by larger documents too.
    first: usize,
    /// How many of them it looks up itself.
    looked_up: usize,
    /// How many of these another has at least.
    least: usize,
    /// The number of all its elements.
    size: usize,
}

/// One of the rarest elements, among all of its document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The number of elements.
    pub(crate) size: u32,
    /// How many of them are more common.
    pub(crate) after: u32,
}

impl Goal {
    /// Whether a document finds another by an element of both, each with its place and whether larger documents look it
    /// up too there. For containment, in which it is.
    pub(crate) fn do_meet(
        self,
        (place, is_first): (Place, bool),
        (other, is_others_first): (Place, bool),
    ) -> bool {
        // The smaller of two is found by what it looks up as the smaller.
        let is_looked_up = is_first && (is_others_first || other.size >= place.size)
            || is_others_first && other.size <= place.size;
        is_looked_up && self.may_be_reached(place, other)
    }

    /// Whether two documents may be as similar, of which the element at these places is the rarest that both have.
    fn may_be_reached(self, place: Place, other: Place) -> bool {
        if self.is_containment {
            // That is told by how many of those that were looked up are found.
            return true;
        }
        let needed = (f64::from(place.size) + f64::from(other.size)) * self.threshold
            / (1.0 + self.threshold);
        f64::from(1 + place.after.min(other.after)) >= needed * (1.0 - ROUNDING)
    }
}

impl Rarity {
    /// So many counters, at which nothing is counted.
    pub(crate) fn new(counters: usize, goal: Goal) -> Self {
        Self::of_counts(&vec![0; counters.max(1)], goal)
    }

    pub(crate) fn of_counts(counts: &[u8], goal: Goal) -> Self {
        // Of no counters nothing is known.
        let counts = if counts.is_empty() { &[u8::MAX] } else { counts };
        Self { counts: counts.iter().map(|&count| AtomicU8::new(count)).collect(), goal }
    }

    pub(crate) fn goal(&self) -> Goal {
        self.goal
    }

    fn counter(&self, element: u64) -> Option<&AtomicU8> {
        self.counts.get(element as usize % self.counts.len())
    }

    /// Counts the elements of a document, each once; the same however threads meet.
    pub(crate) fn count(&self, elements: &[u64]) {
        for counter in elements.iter().filter_map(|&element| self.counter(element)) {
            let more = |count: u8| count.checked_add(1);
            let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    pub(crate) fn counts(&self) -> Vec<u8> {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// The rarest of the elements of a document.
    pub(crate) fn rarest(&self, mut elements: Vec<u64>) -> Rarest {
        let size = elements.len();
        let (t, n) = (self.goal.threshold, size as f64);
        let looked_up = places(size, n * t);
        let (first, looked_up, least, all) = if self.goal.is_containment {
            // What it is within may have any of its elements. That has one of so many, and one more of each more.
            let more = (looked_up / MORE).min(size - looked_up);
            (size, looked_up + more, 1 + more, size)
        } else {
            (places(size, n * 2.0 * t / (1.0 + t)), looked_up, 1, looked_up)
        };
        // How common an element is, and below it the element. What no other document has is not looked up.
        let key = |&element: &u64| {
            let count = self.counter(element).map(|count| count.load(Ordering::Relaxed));
            u128::from(count.unwrap_or_default()) << 64 | u128::from(element)
        };
        let mut keys: Vec<u128> = elements.iter().map(key).collect();
        if all < size {
            keys.select_nth_unstable(all);
            keys.truncate(all);
        }
        keys.sort_unstable();
        elements.clear();
        elements.extend(keys.iter().map(|&key| key as u64));
        elements.shrink_to_fit();
        let alone = keys.partition_point(|key| key >> 64 <= 1);
        // Of what is too few nothing is found.
        let is_hopeless = looked_up.saturating_sub(alone) < least;
        let looked_up = if is_hopeless { alone } else { looked_up };
        Rarest { elements, alone, first, looked_up, least, size }
    }
}

impl Rarest {
    /// Its elements that others may have too, where they are, and whether larger documents look them up too.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u64, Place, bool)> {
        let size = self.size as u32;
        self.elements.iter().zip(0_u32..).skip(self.alone).map(move |(&element, at)| {
            (element, Place { size, after: size - at - 1 }, (at as usize) < self.first)
        })
    }

    /// How many of those that it looks up another has at least.
    pub(crate) fn least(&self) -> usize {
        self.least
    }

    /// Those of them that it looks up.
    pub(crate) fn looked_up(&self) -> impl Iterator<Item = (u64, Place, bool)> {
        self.places().take(self.looked_up.saturating_sub(self.alone))
    }
}

/// The places in which the first common element is, where at least `common` of `size` elements are in common.
fn places(size: usize, common: f64) -> usize {
    let common = (common * (1.0 - ROUNDING)).ceil() as usize;
    (size + 1).saturating_sub(common.max(1)).min(size)
}
