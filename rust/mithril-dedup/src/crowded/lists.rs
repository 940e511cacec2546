//! Documents by element, in memory.

use crate::hash_keys::BuildAsItIs;
use crate::rarest::Place;
use std::collections::HashMap;

/// No document.
const END: u32 = u32::MAX;
/// What a place in the table of heads takes, about.
const HEAD_BYTES: usize = size_of::<(u64, [u32; 2])>() + 1;

/// Documents by element.
#[derive(Default)]
pub(super) struct Lists {
    /// Where the two lists of an element begin: of documents that are found by it from any other, and of those
    /// that are found from smaller ones.
    heads: HashMap<u64, [u32; 2], BuildAsItIs>,
    postings: Vec<Posting>,
}

/// A document in the list of one of its elements.
#[derive(Clone, Copy)]
pub(super) struct Posting {
    pub(super) document: u32,
    pub(super) place: Place,
    next: u32,
}

impl Lists {
    pub(super) fn add(&mut self, document: u32, (element, place, is_first): (u64, Place, bool)) {
        let [first, second] = self.heads.entry(element).or_insert([END; 2]);
        let head = if is_first { first } else { second };
        let next = std::mem::replace(head, self.postings.len() as u32);
        self.postings.push(Posting { document, place, next });
    }

    /// The two lists of an element.
    pub(super) fn of(&self, element: u64) -> [impl Iterator<Item = &Posting>; 2] {
        self.from(self.heads.get(&element).copied().unwrap_or([END; 2]))
    }

    fn from(&self, heads: [u32; 2]) -> [impl Iterator<Item = &Posting>; 2] {
        let get = |at: u32| self.postings.get(at as usize);
        heads.map(|head| std::iter::successors(get(head), move |posting| get(posting.next)))
    }

    /// All that was added, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Posting, bool)> {
        self.heads.iter().flat_map(|(&element, &heads)| {
            let [first, second] = self.from(heads);
            let first = first.map(move |posting| (element, posting, true));
            first.chain(second.map(move |posting| (element, posting, false)))
        })
    }

    /// The bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.heads.capacity() * HEAD_BYTES + self.postings.capacity() * size_of::<Posting>()
    }

    pub(super) fn clear(&mut self) {
        self.heads.clear();
        self.postings.clear();
    }
}
