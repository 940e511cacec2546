//! Crowded buckets: those of many kept documents, as where half of a corpus shares one paragraph.
//!
//! To compare each document with all that are kept there would take time in the square of their number. An
//! index of their rarest elements finds those that can reach the threshold, and no others are looked at: nothing is
//! lost.

mod lists;
mod spilled;

use crate::control::Control;
use crate::error::Result;
use crate::rarest::{Rarest, Rarity};
use crate::spill::Spill;
use crate::verify::{Comparer, Verifier};
use lists::{Lists, Posting};
use rayon::prelude::*;
use spilled::Spilled;
use std::collections::HashSet;

/// Kept documents that make a bucket crowded: to look them all up costs what comparing with so many does.
pub(crate) const CROWD: usize = 32;
/// Kept documents from which on a bucket becomes crowded together with another.
pub(crate) const SOON: usize = CROWD / 2;
/// Counters for each element; what falls into one counter is taken for more common than it is, which costs time
/// alone.
const COUNTERS: u64 = 4;
/// The least and the most counters, of a byte each. They are the same in any memory, so that candidates are.
const FEWEST_COUNTERS: u64 = 1 << 12;
const MOST_COUNTERS: u64 = 1 << 26;
/// Documents by which the number of elements is estimated.
const SAMPLE: usize = 256;
/// Parts of the index that threads add to on their own.
const SHARDS: usize = 4;

/// The documents of crowded buckets that are kept.
pub(crate) struct Crowd {
    rarity: Rarity,
    /// Those of the blocks before, by the upper bits of the element, so that threads add to them together.
    before: Vec<Lists>,
    /// Those of the block that is decided now: few enough to stay in the cache.
    in_block: Lists,
    /// What is to be added to those before.
    added: Vec<(u32, Rarest)>,
    documents: HashSet<u32>,
    /// What there was no memory for of those before, if memory is limited.
    spilled: Option<Spilled>,
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

impl Crowd {
    /// An index of nothing, for `documents` alone, by how common their elements are.
    pub(crate) fn new(
        verifier: &Verifier,
        documents: &[u32],
        spill: Option<&Spill>,
        control: Control,
    ) -> Result<Self> {
        let counters = (COUNTERS * expected_elements(verifier, documents)).next_power_of_two();
        let counters = counters.clamp(FEWEST_COUNTERS, MOST_COUNTERS) as usize;
        let rarity = Rarity::new(counters, verifier.goal());
        documents.par_iter().try_for_each_init(
            || (verifier.comparer(), Vec::new()),
            |(comparer, elements), &document| {
                comparer.elements(document, elements);
                rarity.count(elements);
                control.check()
            },
        )?;
        Ok(Self {
            rarity,
            before: (0..SHARDS).map(|_| Lists::default()).collect(),
            in_block: Lists::default(),
            added: Vec::new(),
            documents: HashSet::new(),
            spilled: spill.map(Spilled::new).transpose()?,
        })
    }

    /// The rarest elements of a document.
    pub(crate) fn rarest(&self, comparer: &mut Comparer, document: u32) -> Rarest {
        comparer.rarest(document, &self.rarity)
    }

    /// Adds a document of this block, or of one before.
    pub(crate) fn add(&mut self, document: u32, rarest: Rarest) {
        self.documents.insert(document);
        rarest.places().for_each(|place| self.in_block.add(document, place));
        self.added.push((document, rarest));
    }

    /// Ends the block: what was added in it is from now on before.
    pub(crate) fn end_block(&mut self) -> Result<()> {
        self.in_block.clear();
        let added = std::mem::take(&mut self.added);
        self.before.par_iter_mut().enumerate().for_each(|(shard, lists)| {
            for (document, rarest) in &added {
                let places = rarest.places().filter(|&(element, ..)| shard_of(element) == shard);
                places.for_each(|place| lists.add(*document, place));
            }
        });
        match &mut self.spilled {
            Some(spilled) if spilled.is_full(&self.before) => {
                spilled.write(&mut self.before, self.rarity.goal())
            }
            _ => Ok(()),
        }
    }

    /// Whether a document has been added.
    pub(crate) fn has(&self, document: u32) -> bool {
        self.documents.contains(&document)
    }

    /// Has the documents that come next looked up in temporary files, if there are any and one of a block is not, which
    /// ends before `end`. Gives the first document that is not.
    pub(crate) fn look_ahead(
        &mut self,
        verifier: &Verifier,
        documents: impl Iterator<Item = u32> + Clone,
        end: u32,
        control: Control,
    ) -> Result<u32> {
        let Self { spilled: Some(spilled), rarity, .. } = self else { return Ok(u32::MAX) };
        let looked_up = spilled.end();
        if documents.clone().take_while(|&document| document < end).all(|one| one < looked_up) {
            return Ok(end.max(looked_up));
        }
        spilled.look_up(documents, (verifier, rarity), control)?;
        Ok(spilled.end())
    }

    /// Puts those documents that may reach the threshold with a document into `candidates`, ascending.
    pub(crate) fn candidates(
        &self,
        (document, rarest): (u32, &Rarest),
        those: Those,
        candidates: &mut Vec<u32>,
    ) {
        let goal = self.rarity.goal();
        candidates.clear();
        if let Some(spilled) = self.spilled.as_ref().filter(|_| those != Those::InBlock) {
            spilled.candidates(document, candidates);
        }
        for (element, place, is_first) in rarest.looked_up() {
            let before = (those != Those::InBlock).then(|| self.before.get(shard_of(element)));
            let in_block = (those != Those::Before).then_some(&self.in_block);
            for lists in before.flatten().into_iter().chain(in_block) {
                let [first, second] = lists.of(element);
                let second = is_first.then_some(second).into_iter().flatten();
                let both =
                    first.map(|other| (other, true)).chain(second.map(|other| (other, false)));
                let do_meet = |&(other, is_others_first): &(&Posting, bool)| {
                    goal.do_meet((place, is_first), (other.place, is_others_first))
                };
                candidates.extend(both.filter(do_meet).map(|(other, _)| other.document));
            }
        }
        candidates.sort_unstable();
        let often = candidates.chunk_by(|one, other| one == other);
        let often = often.filter(|same| same.len() >= rarest.least());
        *candidates = often.filter_map(<[u32]>::first).copied().collect();
    }
}

/// About how many elements documents have, by those of some of them.
fn expected_elements(verifier: &Verifier, documents: &[u32]) -> u64 {
    let (mut comparer, mut elements) = (verifier.comparer(), Vec::new());
    let (mut bytes, mut found) = (1, 0);
    for &document in documents.iter().step_by(documents.len().div_ceil(SAMPLE).max(1)) {
        comparer.elements(document, &mut elements);
        bytes += verifier.length(document);
        found += elements.len() as u64;
    }
    let all: u64 = documents.iter().map(|&document| verifier.length(document)).sum();
    (all as f64 / bytes as f64 * found as f64) as u64
}

/// The part of the index that an element belongs to.
fn shard_of(element: u64) -> usize {
    // Elements have 61 bits at least.
    (element >> 50) as usize % SHARDS
}
