//! What the index of a crowd has no memory for: in temporary files, by element.
//!
//! To look a document up there, all of it would have to be read. So many documents are looked up together, ahead of
//! their turn: what they look for and what is written are both in the order of elements, and read side by side. What is
//! written later meets them at once, while it is still in memory.

use super::lists::Lists;
use super::{SHARDS, shard_of};
use crate::control::Control;
use crate::error::Result;
use crate::rarest::{Goal, Place, Rarity};
use crate::spill::{Runs, Spill};
use crate::verify::{Comparer, Verifier};
use rayon::prelude::*;
use std::collections::HashMap;

/// The part of a run's memory for the index, and for what documents look for; the least of either. Both may take twice
/// as much for a while.
const OF_MEMORY: u64 = 16;
const LEAST_BYTES: u64 = 16 << 20;
/// What a pair that was found takes, about.
const PAIR_BYTES: usize = 32;
/// Postings that are read at once.
const READ: u64 = 1 << 15;

/// An element, a document and its size, and the place of the element in two ways.
type Record = [u64; 3];

/// The postings of kept documents, as far as memory does not hold them.
pub(super) struct Spilled {
    runs: Runs<3>,
    /// By shard: where each run begins, and how many postings it has, in the order of elements.
    written: Vec<Vec<(u64, u64)>>,
    bytes: u64,
    ahead: Ahead,
}

/// Documents that were looked up before their turn.
#[derive(Default)]
struct Ahead {
    /// Documents before this one.
    end: u32,
    /// By shard, in the order of elements; of each, first those of documents that look it up as the smaller too.
    lookups: Vec<Vec<Lookup>>,
    found: Found,
}

/// For each document those that were found, as often as they were.
type Found = HashMap<u32, Vec<(u32, u32)>>;

#[derive(Clone, Copy)]
struct Lookup {
    element: u64,
    document: u32,
    place: Place,
    is_first: bool,
}

impl Spilled {
    pub(super) fn new(spill: &Spill) -> Result<Self> {
        Ok(Self {
            runs: Runs::new(spill, "crowd")?,
            written: vec![Vec::new(); SHARDS],
            bytes: (spill.memory() / OF_MEMORY).max(LEAST_BYTES),
            ahead: Ahead::default(),
        })
    }

    /// Whether lists take more memory than there is for them.
    pub(super) fn is_full(&self, lists: &[Lists]) -> bool {
        lists.iter().map(Lists::bytes).sum::<usize>() as u64 > self.bytes
    }

    /// Moves the postings of all lists into files.
    pub(super) fn write(&mut self, lists: &mut [Lists], goal: Goal) -> Result<()> {
        let (ahead, most) = (&self.ahead, self.most_pairs());
        let written: Vec<((u64, u64), Option<Found>)> = lists
            .par_iter_mut()
            .enumerate()
            .map(|(shard, lists)| {
                let record = |(element, posting, is_first): (u64, &super::Posting, bool)| {
                    let Place { size, after } = posting.place;
                    let document = u64::from(posting.document) << 32 | u64::from(size);
                    [element, document, u64::from(after) << 1 | u64::from(is_first)]
                };
                let mut records: Vec<Record> = lists.all().map(record).collect();
                *lists = Lists::default();
                records.sort_unstable();
                let lookups = ahead.lookups.get(shard).map_or(&[][..], Vec::as_slice);
                let mut meeting = Meeting::new(lookups, most, goal);
                meeting.meet(&records);
                let start = self.runs.write(&records)?;
                Ok(((start, records.len() as u64), meeting.found()))
            })
            .collect::<Result<_>>()?;
        let mut is_too_much = false;
        for (runs, (run, found)) in self.written.iter_mut().zip(written) {
            runs.push(run);
            is_too_much |= found.is_none();
            add(&mut self.ahead.found, found.unwrap_or_default());
        }
        let pairs: usize = self.ahead.found.values().map(Vec::len).sum();
        if is_too_much || pairs > SHARDS * self.most_pairs() {
            // They are looked up once more, fewer at a time.
            self.ahead = Ahead::default();
        }
        Ok(())
    }

    /// How many pairs a shard may find.
    fn most_pairs(&self) -> usize {
        self.bytes as usize / PAIR_BYTES / SHARDS
    }

    /// The first document that has not been looked up; none before there is anything to look into.
    pub(super) fn end(&self) -> u32 {
        if self.written.iter().all(Vec::is_empty) { u32::MAX } else { self.ahead.end }
    }

    /// Looks documents up, which are ascending and have not been decided: as many as there is memory for, and one at
    /// least.
    pub(super) fn look_up(
        &mut self,
        mut documents: impl Iterator<Item = u32>,
        (verifier, rarity): (&Verifier, &Rarity),
        control: Control,
    ) -> Result<()> {
        let mut ahead = Ahead { end: u32::MAX, ..Ahead::default() };
        ahead.lookups.resize_with(SHARDS, Vec::new);
        let mut chosen: Vec<u32> = Vec::new();
        let mut left = self.bytes as usize / size_of::<Lookup>();
        loop {
            let together = rayon::current_num_threads() * 4;
            let next: Vec<u32> = documents.by_ref().take(together).collect();
            if next.is_empty() {
                break;
            }
            let look_up = |comparer: &mut Comparer, &document: &u32| {
                let lookup =
                    |(element, place, is_first)| Lookup { element, document, place, is_first };
                let rarest = comparer.rarest(document, rarity);
                control.check().map(|()| rarest.looked_up().map(lookup).collect())
            };
            let found = next.par_iter().map_init(|| verifier.comparer(), look_up);
            for lookup in found.collect::<Result<Vec<Vec<Lookup>>>>()?.concat() {
                left = left.saturating_sub(1);
                if let Some(lookups) = ahead.lookups.get_mut(shard_of(lookup.element)) {
                    lookups.push(lookup);
                }
            }
            chosen.extend(next);
            if left == 0 {
                ahead.end = chosen.last().map_or(u32::MAX, |last| last + 1);
                break;
            }
        }
        ahead.lookups.par_iter_mut().for_each(|lookups| {
            lookups.sort_unstable_by_key(|lookup| (lookup.element, !lookup.is_first));
        });
        loop {
            let most = if chosen.len() > 1 { self.most_pairs() } else { usize::MAX };
            if let Some(found) = self.meet(&ahead.lookups, most, rarity.goal(), control)? {
                ahead.found = found;
                break;
            }
            chosen.truncate(chosen.len() / 2);
            let end = chosen.last().map_or(u32::MAX, |last| last + 1);
            ahead.end = end;
            ahead.lookups.iter_mut().for_each(|all| all.retain(|lookup| lookup.document < end));
        }
        self.ahead = ahead;
        Ok(())
    }

    /// What lookups find in all runs; nothing if a shard has more than so many pairs.
    fn meet(
        &self,
        lookups: &[Vec<Lookup>],
        most: usize,
        goal: Goal,
        control: Control,
    ) -> Result<Option<Found>> {
        let found = lookups.par_iter().zip(&self.written).map(|(lookups, runs)| {
            let mut meeting = Meeting::new(lookups, most, goal);
            for &(start, count) in runs {
                meeting.begin();
                for first in (0..count).step_by(READ as usize) {
                    control.check()?;
                    meeting.meet(&self.runs.read(start, first, READ.min(count - first))?);
                    if meeting.is_over() {
                        return Ok(None);
                    }
                }
            }
            Ok(meeting.found())
        });
        let mut all = Found::new();
        for of_shard in found.collect::<Result<Vec<_>>>()? {
            let Some(of_shard) = of_shard else { return Ok(None) };
            add(&mut all, of_shard);
        }
        Ok(Some(all))
    }

    /// Appends what was found for a document, each as often as it was.
    pub(super) fn candidates(&self, document: u32, candidates: &mut Vec<u32>) {
        for &(other, times) in self.ahead.found.get(&document).into_iter().flatten() {
            candidates.extend(std::iter::repeat_n(other, times as usize));
        }
    }
}

fn add(all: &mut Found, more: Found) {
    for (document, found) in more {
        all.entry(document).or_default().extend(found);
    }
}

/// Lookups and postings, both in the order of elements, side by side.
struct Meeting<'a> {
    lookups: &'a [Lookup],
    at: usize,
    goal: Goal,
    /// How often each pair of a document and another has met.
    times: HashMap<(u32, u32), u32>,
    /// How many pairs it may be.
    most: usize,
}

impl<'a> Meeting<'a> {
    fn new(lookups: &'a [Lookup], most: usize, goal: Goal) -> Self {
        Self { lookups, at: 0, goal, times: HashMap::new(), most }
    }

    fn is_over(&self) -> bool {
        self.times.len() > self.most
    }

    /// Begins with another run.
    fn begin(&mut self) {
        self.at = 0;
    }

    /// Goes on with the next postings of a run.
    fn meet(&mut self, postings: &[Record]) {
        for &[element, document, after] in postings {
            if self.is_over() {
                return;
            }
            let behind = self.lookups.get(self.at..).unwrap_or_default();
            self.at += behind.iter().take_while(|lookup| lookup.element < element).count();
            let (other, size) = ((document >> 32) as u32, document as u32);
            let (place, is_first) = (Place { size, after: (after >> 1) as u32 }, after & 1 == 1);
            let here = self.lookups.get(self.at..).unwrap_or_default();
            // Where neither looks it up as the smaller, and these are the many, no time is spent.
            let may_meet =
                |lookup: &&Lookup| lookup.element == element && (is_first || lookup.is_first);
            for lookup in here.iter().take_while(may_meet) {
                if lookup.document > other
                    && self.goal.do_meet((lookup.place, lookup.is_first), (place, is_first))
                {
                    *self.times.entry((lookup.document, other)).or_default() += 1;
                }
            }
        }
    }

    /// What has met, if it is not too much.
    fn found(self) -> Option<Found> {
        if self.is_over() {
            return None;
        }
        let mut found = Found::new();
        for ((document, other), times) in self.times {
            found.entry(document).or_default().push((other, times));
        }
        Some(found)
    }
}
