//! From candidates to the rows that are kept and those that go.
//!
//! Documents are decided in keep order: one that has a verified match among those kept before it
//! goes, for the most similar of them (the first among equals); any other is kept. So every
//! removed row has a verified match with the very row that is kept for it, no two kept rows are a
//! verified pair, and a bucket of thousands that are alike costs one comparison each.
//!
//! A further copy of a text is not decided at all: it shares the fate of the first.
//!
//! The rule is sequential, the work is not: a block of documents is compared in parallel with all
//! that were kept before the block, and then one after the other among themselves. The outcome is
//! that of the rule whatever the block size and the number of threads.

use crate::buckets::Buckets;
use crate::control::Control;
use crate::error::Result;
use crate::verify::{Comparer, Verifier};
use rayon::prelude::*;
use std::ops::Range;

/// Large enough to occupy many threads, small enough that most comparisons are with earlier blocks.
const BLOCK: usize = 2048;

/// No document: there are fewer.
const NOBODY: u32 = u32::MAX;

/// A document that goes, and the one that is kept for it, by their positions in keep order.
#[derive(Clone, Copy)]
pub(crate) struct Removal {
    pub(crate) position: u32,
    pub(crate) kept: u32,
    pub(crate) similarity: f64,
}

/// What was decided, and what it took.
pub(crate) struct Selection {
    /// Ascending by position.
    pub(crate) removed: Vec<Removal>,
    /// Distinct pairs of a document and an earlier kept one that share a band.
    pub(crate) candidate_pairs: u64,
    /// Those of them that are duplicates.
    pub(crate) verified_pairs: u64,
}

/// The comparisons of one document.
#[derive(Default)]
struct Comparisons {
    best: Option<(f64, u32)>,
    candidates: u64,
    verified: u64,
}

impl Comparisons {
    fn add(&mut self, kept: u32, similarity: Option<f64>) {
        self.candidates += 1;
        if let Some(similarity) = similarity {
            self.verified += 1;
            // Kept documents come ascending, so that the first of the most similar stays.
            if self.best.is_none_or(|(best, _)| similarity > best) {
                self.best = Some((similarity, kept));
            }
        }
    }
}

/// A document of a block after its comparison with all earlier blocks.
struct Pending<'a> {
    document: u32,
    buckets: &'a [u32],
    comparisons: Comparisons,
    /// Similarity to documents of the same block that will probably be kept.
    guesses: Vec<(u32, Option<f64>)>,
}

/// Decides for every document that shares a bucket with another.
pub(crate) fn select(
    buckets: &Buckets,
    verifier: &Verifier,
    control: Control,
) -> Result<Selection> {
    control.begin("matching", buckets.len() as u64);
    let mut selecting = Selecting {
        kept: Kept::new(buckets.sizes()),
        comparer: verifier.comparer(),
        members: Vec::new(),
        selection: Selection { removed: Vec::new(), candidate_pairs: 0, verified_pairs: 0 },
    };
    let mut leaders = vec![NOBODY; buckets.sizes().len()];
    let is_alone = rayon::current_num_threads() == 1;
    for start in (0..buckets.len()).step_by(BLOCK) {
        let block = start..(start + BLOCK).min(buckets.len());
        let documents = block.clone().filter_map(|index| buckets.get(index));
        if is_alone {
            for (document, buckets) in documents {
                control.check()?;
                selecting.decide(document, buckets, 0, Comparisons::default(), &[])?;
            }
        } else {
            let first = buckets.get(start).map_or(0, |(document, _)| document);
            lead(&mut leaders, documents, first);
            for pending in
                compare(buckets, block.clone(), verifier, &selecting.kept, &leaders, control)?
            {
                control.check()?;
                let Pending { document, buckets, comparisons, guesses } = pending;
                selecting.decide(document, buckets, first, comparisons, &guesses)?;
            }
        }
        control.advance(block.len() as u64)?;
    }
    Ok(selecting.selection)
}

/// Compares the documents of a block with all that were kept before it, and with its leaders, in parallel.
fn compare<'a>(
    buckets: &'a Buckets,
    block: Range<usize>,
    verifier: &Verifier,
    kept: &Kept,
    leaders: &[u32],
    control: Control,
) -> Result<Vec<Pending<'a>>> {
    let documents = block.into_par_iter().filter_map(|index| buckets.get(index));
    let pending = documents.map_init(
        || (verifier.comparer(), Vec::new()),
        |(comparer, others), (document, buckets)| {
            control.check()?;
            let mut comparisons = Comparisons::default();
            kept.members(buckets, 0, others);
            for &kept in &*others {
                comparisons.add(kept, comparer.verify(document, kept)?);
            }
            let mut guesses = Vec::new();
            let leaders = buckets.iter().filter_map(|&bucket| leaders.get(bucket as usize));
            collect(leaders.copied().filter(|&leader| leader < document), others);
            for &leader in &*others {
                guesses.push((leader, comparer.verify(document, leader)?));
            }
            if comparisons.best.is_none() && guesses.iter().all(|(_, guess)| guess.is_none()) {
                comparer.remember(document);
            }
            Ok(Pending { document, buckets, comparisons, guesses })
        },
    );
    pending.collect()
}

/// What one thread decides with.
struct Selecting<'a> {
    kept: Kept,
    comparer: Comparer<'a>,
    members: Vec<u32>,
    selection: Selection,
}

impl Selecting<'_> {
    /// Compares a document with those kept from `first` on, and decides.
    fn decide(
        &mut self,
        document: u32,
        buckets: &[u32],
        first: u32,
        mut comparisons: Comparisons,
        guesses: &[(u32, Option<f64>)],
    ) -> Result<()> {
        self.kept.members(buckets, first, &mut self.members);
        for &kept in &self.members {
            let similarity = match guesses.binary_search_by_key(&kept, |guess| guess.0) {
                Ok(at) => guesses.get(at).and_then(|guess| guess.1),
                Err(_) => self.comparer.verify(document, kept)?,
            };
            comparisons.add(kept, similarity);
        }
        self.selection.candidate_pairs += comparisons.candidates;
        self.selection.verified_pairs += comparisons.verified;
        if let Some((similarity, kept)) = comparisons.best {
            self.selection.removed.push(Removal { position: document, kept, similarity });
        } else {
            self.kept.add(document, buckets);
            self.comparer.remember(document);
        }
        Ok(())
    }
}

/// The documents of each bucket that are kept, ascending.
struct Kept {
    /// Where each bucket begins in `documents`, which has room for all of it.
    starts: Vec<usize>,
    counts: Vec<u32>,
    documents: Vec<u32>,
}

impl Kept {
    fn new(sizes: &[u32]) -> Self {
        let mut end = 0;
        let start_of = |&size: &u32| {
            let start = end;
            end += size as usize;
            start
        };
        let starts = sizes.iter().map(start_of).collect();
        Self { starts, counts: vec![0; sizes.len()], documents: vec![0; end] }
    }

    fn add(&mut self, document: u32, buckets: &[u32]) {
        for &bucket in buckets {
            let bucket = bucket as usize;
            if let (Some(start), Some(count)) =
                (self.starts.get(bucket), self.counts.get_mut(bucket))
                && let Some(place) = self.documents.get_mut(start + *count as usize)
            {
                *place = document;
                *count += 1;
            }
        }
    }

    /// Puts the kept documents from `first` on that share a bucket into `members`, ascending, each once.
    fn members(&self, buckets: &[u32], first: u32, members: &mut Vec<u32>) {
        let kept = buckets.iter().flat_map(|&bucket| {
            let bucket = bucket as usize;
            let start = self.starts.get(bucket).copied().unwrap_or_default();
            let count = self.counts.get(bucket).copied().unwrap_or_default();
            let kept = self.documents.get(start..start + count as usize).unwrap_or_default();
            kept.iter().rev().copied().take_while(|&document| document >= first)
        });
        collect(kept, members);
    }
}

/// Notes for the buckets of `documents`, a block that begins with `first`, which of them is the first there.
fn lead<'a>(leaders: &mut [u32], documents: impl Iterator<Item = (u32, &'a [u32])>, first: u32) {
    for (document, buckets) in documents {
        for &bucket in buckets {
            if let Some(leader) = leaders.get_mut(bucket as usize)
                // What has been noted for an earlier block is of no use.
                && (*leader == NOBODY || *leader < first)
            {
                *leader = document;
            }
        }
    }
}

/// Puts documents into `collected`, ascending, each once.
fn collect(documents: impl Iterator<Item = u32>, collected: &mut Vec<u32>) {
    collected.clear();
    collected.extend(documents);
    collected.sort_unstable();
    collected.dedup();
}
