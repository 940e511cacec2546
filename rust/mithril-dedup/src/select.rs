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
//!
//! Where many of a bucket are kept, the block ends early. From the next on that bucket is crowded, and only
//! documents that can reach the threshold are compared ([`Crowd`]): the outcome is the same again.

use crate::buckets::Buckets;
use crate::control::Control;
use crate::crowded::{Crowd, SOON, Those};
use crate::error::Result;
use crate::kept::Kept;
use crate::options::Verify;
use crate::rarest::Rarest;
use crate::spill::Spill;
use crate::verify::{Comparer, Verifier};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Large enough to occupy many threads, small enough that most comparisons are with earlier blocks.
const BLOCK: usize = 2048;
/// At first, and after one that ended early, blocks are smaller, since a part of them is compared in vain when
/// they end early.
const FIRST_BLOCK: usize = 128;
/// A block ends where its texts have so many bytes: what finds each of them in crowded buckets may take fifty times as
/// much. It is the same in any memory, so that the same buckets become crowded.
const BLOCK_BYTES: u64 = 2 << 20;
/// What this stage is called in what is kept of a run.
const STAGE: &str = "select";

/// No document: there are fewer.
const NOBODY: u32 = u32::MAX;

/// A document that goes, and the one that is kept for it, by their positions in keep order.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Removal {
    pub(crate) position: u32,
    pub(crate) kept: u32,
    pub(crate) similarity: f64,
}

/// What was decided, and what it took.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Selection {
    /// Ascending by position.
    pub(crate) removed: Vec<Removal>,
    /// Distinct pairs of a document and an earlier kept one that share a band, and were compared.
    pub(crate) candidate_pairs: u64,
    /// Those of them that are duplicates.
    pub(crate) verified_pairs: u64,
    /// The latter, each a document and an earlier kept one, if they were asked for.
    pub(crate) edges: Vec<(u32, u32)>,
}

/// The comparisons of one document.
#[derive(Default)]
struct Comparisons {
    best: Option<(f64, u32)>,
    candidates: u64,
    verified: Vec<u32>,
}

impl Comparisons {
    fn add(&mut self, kept: u32, similarity: Option<f64>) {
        self.candidates += 1;
        if let Some(similarity) = similarity {
            self.verified.push(kept);
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
    /// If a bucket of it is crowded.
    rarest: Option<Rarest>,
}

/// How documents are decided.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    /// So many of the first are references, which stay.
    pub(crate) references: u32,
    /// Whether others are compared with each other too.
    pub(crate) within: bool,
    /// Whether the verified pairs are asked for.
    pub(crate) keep_edges: bool,
}

/// Decides for every document that shares a bucket with another.
pub(crate) fn select(
    buckets: &Buckets,
    verifier: &Verifier,
    rule: Rule,
    spill: Option<&Spill>,
    control: Control,
) -> Result<Selection> {
    control.begin("matching", buckets.len() as u64);
    let mut selecting = Selecting {
        buckets,
        kept: Kept::new(buckets.sizes()),
        crowd: None,
        comparer: verifier.comparer(),
        members: Vec::new(),
        kept_in_block: Vec::new(),
        is_crowding: false,
        may_crowd: verifier.verifies() != Verify::None,
        rule,
        spill,
        selection: Selection::default(),
    };
    if verifier.measures_containment() {
        selecting.kept.crowd_all();
        let all: Vec<u32> = (0..buckets.len() as u32).collect();
        selecting.crowd = Some(Crowd::new(verifier, &all, spill, control)?);
    }
    let mut leaders = vec![NOBODY; buckets.sizes().len()];
    let is_alone = rayon::current_num_threads() == 1;
    let (mut start, mut length, mut number) = (0, FIRST_BLOCK, 0);
    while let Some((first, _)) = buckets.get(start) {
        let mut block = start..end_of_block(buckets, verifier, start, length);
        let kept = spill.and_then(|spill| spill.kept_unit((STAGE, number), |_| true));
        let is_kept = kept.is_some();
        let before = selecting.selection.so_far();
        if !is_kept {
            block = selecting.look_ahead(verifier, block, control)?;
        }
        let decided = if let Some(decided) = kept {
            selecting.repeat(start, decided)
        } else if is_alone {
            selecting.decide_alone(block.clone(), control)?
        } else {
            lead(&mut leaders, block.clone().filter_map(|index| buckets.get(index)), first);
            let pending = selecting.compare(verifier, block.clone(), &leaders, control)?;
            selecting.decide_all(pending, first, control)?
        };
        if let (Some(spill), false) = (spill, is_kept) {
            let decided = Decided { count: decided, selection: selecting.selection.since(before) };
            spill.keep_unit((STAGE, number), &decided)?;
        }
        number += 1;
        let is_whole = decided >= block.len();
        length = if is_whole { (2 * length).min(BLOCK) } else { FIRST_BLOCK };
        selecting.end_block(verifier, control)?;
        control.advance(decided as u64)?;
        start += decided;
    }
    Ok(selecting.selection)
}

/// Where a block ends that begins at `start`, and has at most so many documents.
fn end_of_block(buckets: &Buckets, verifier: &Verifier, start: usize, length: usize) -> usize {
    let (mut left, mut end) = (BLOCK_BYTES, start);
    while let Some((document, _)) = buckets.get(end).filter(|_| end < start + length) {
        let bytes = verifier.length(document);
        if bytes > left && end > start {
            break;
        }
        left = left.saturating_sub(bytes);
        end += 1;
    }
    end
}

/// What was decided of a block, for another run.
#[derive(Serialize, Deserialize)]
struct Decided {
    count: usize,
    selection: Selection,
}

impl Selection {
    /// The numbers of what there is: of those that were removed, of candidates, verified pairs and edges.
    fn so_far(&self) -> [u64; 4] {
        let lengths = (self.removed.len() as u64, self.edges.len() as u64);
        [lengths.0, self.candidate_pairs, self.verified_pairs, lengths.1]
    }

    /// What has come since there was so much.
    fn since(&self, [removed, candidates, verified, edges]: [u64; 4]) -> Self {
        Self {
            removed: self.removed.get(removed as usize..).unwrap_or_default().to_vec(),
            candidate_pairs: self.candidate_pairs - candidates,
            verified_pairs: self.verified_pairs - verified,
            edges: self.edges.get(edges as usize..).unwrap_or_default().to_vec(),
        }
    }
}

/// What was decided so far, and what one thread decides with.
struct Selecting<'a> {
    buckets: &'a Buckets,
    kept: Kept,
    /// The kept documents of crowded buckets, when there are any.
    crowd: Option<Crowd>,
    comparer: Comparer<'a>,
    members: Vec<u32>,
    kept_in_block: Vec<u32>,
    /// Whether a bucket has more kept documents than it may have without being crowded.
    is_crowding: bool,
    /// Whether pairs are told apart by their elements: where nothing verifies, sharing a bucket is all there is.
    may_crowd: bool,
    rule: Rule,
    spill: Option<&'a Spill>,
    selection: Selection,
}

impl<'a> Selecting<'a> {
    /// Compares the documents of a block with all that were kept before it, and with its leaders, in parallel.
    fn compare(
        &self,
        verifier: &'a Verifier<'a>,
        block: Range<usize>,
        leaders: &[u32],
        control: Control,
    ) -> Result<Vec<Pending<'a>>> {
        let documents = block.into_par_iter().filter_map(|index| self.buckets.get(index));
        let pending = documents.map_init(
            || (verifier.comparer(), Vec::new()),
            |(comparer, others), (document, buckets)| {
                control.check()?;
                let mut comparisons = Comparisons::default();
                let rarest = rarest(self.crowd.as_ref(), &self.kept, comparer, (document, buckets));
                if document < self.rule.references {
                    let guesses = Vec::new();
                    return Ok(Pending { document, buckets, comparisons, guesses, rarest });
                }
                let row = (document, buckets);
                self.members(row, rarest.as_ref(), (Those::Before, 0), others);
                for &kept in &*others {
                    comparisons.add(kept, comparer.verify(document, kept)?);
                }
                let mut guesses = Vec::new();
                if !self.rule.within {
                    return Ok(Pending { document, buckets, comparisons, guesses, rarest });
                }
                let open = buckets.iter().filter(|&&bucket| !self.kept.is_crowded(bucket));
                let leaders = open.filter_map(|&bucket| leaders.get(bucket as usize));
                collect(leaders.copied().filter(|&leader| leader < document), others);
                for &leader in &*others {
                    guesses.push((leader, comparer.verify(document, leader)?));
                }
                if comparisons.best.is_none() && guesses.iter().all(|(_, guess)| guess.is_none()) {
                    comparer.remember(document);
                }
                Ok(Pending { document, buckets, comparisons, guesses, rarest })
            },
        );
        pending.collect()
    }

    /// Has the documents of a block looked up that the crowd has in temporary files; gives those of them that were.
    fn look_ahead(
        &mut self,
        verifier: &Verifier,
        mut block: Range<usize>,
        control: Control,
    ) -> Result<Range<usize>> {
        let Self { crowd: Some(crowd), buckets, kept, .. } = self else { return Ok(block) };
        let Some((last, _)) = buckets.get(block.end - 1) else { return Ok(block) };
        let documents = may_be_crowded(buckets, kept, block.start);
        let end = crowd.look_ahead(verifier, documents, last + 1, control)?;
        let is_ahead = |index: usize| buckets.get(index).is_some_and(|(one, _)| one >= end);
        while block.len() > 1 && is_ahead(block.end - 1) {
            block.end -= 1;
        }
        Ok(block)
    }

    /// Decides as an earlier run has done, without a comparison; returns how many documents that are.
    fn repeat(&mut self, start: usize, Decided { count, selection }: Decided) -> usize {
        let mut removed = selection.removed.iter().map(|removal| removal.position).peekable();
        for index in start..start + count {
            let Some((document, buckets)) = self.buckets.get(index) else { continue };
            let is_reference = document < self.rule.references;
            if removed.next_if_eq(&document).is_some() || !(self.rule.within || is_reference) {
                continue;
            }
            let Self { crowd, kept, comparer, .. } = self;
            let rarest = rarest(crowd.as_ref(), kept, comparer, (document, buckets));
            self.stays(document, buckets, rarest);
        }
        self.selection.removed.extend(selection.removed);
        self.selection.edges.extend(selection.edges);
        self.selection.candidate_pairs += selection.candidate_pairs;
        self.selection.verified_pairs += selection.verified_pairs;
        count
    }

    /// Compares and decides one document after the other; returns how many there are until a bucket becomes crowded.
    fn decide_alone(&mut self, block: Range<usize>, control: Control) -> Result<usize> {
        for (count, index) in (1..).zip(block.clone()) {
            control.check()?;
            let Some((document, buckets)) = self.buckets.get(index) else { continue };
            let Self { crowd, kept, comparer, .. } = self;
            let rarest = rarest(crowd.as_ref(), kept, comparer, (document, buckets));
            let (comparisons, guesses) = (Comparisons::default(), Vec::new());
            self.decide(
                Pending { document, buckets, comparisons, guesses, rarest },
                (Those::All, 0),
            )?;
            if self.is_crowding {
                return Ok(count);
            }
        }
        Ok(block.len())
    }

    /// As [`decide_alone`](Self::decide_alone), after the comparison with those kept before `first`.
    fn decide_all(&mut self, all: Vec<Pending>, first: u32, control: Control) -> Result<usize> {
        let length = all.len();
        for (count, pending) in (1..).zip(all) {
            control.check()?;
            self.decide(pending, (Those::InBlock, first))?;
            if self.is_crowding {
                return Ok(count);
            }
        }
        Ok(length)
    }

    /// Compares a document with those kept from `first` on, all or those of the block, and decides.
    fn decide(&mut self, pending: Pending, (those, first): (Those, u32)) -> Result<()> {
        let Pending { document, buckets, mut comparisons, guesses, rarest } = pending;
        let is_reference = document < self.rule.references;
        let mut members = std::mem::take(&mut self.members);
        if is_reference {
            members.clear();
        } else {
            self.members((document, buckets), rarest.as_ref(), (those, first), &mut members);
        }
        for &kept in &members {
            let similarity = match guesses.binary_search_by_key(&kept, |guess| guess.0) {
                Ok(at) => guesses.get(at).and_then(|guess| guess.1),
                Err(_) => self.comparer.verify(document, kept)?,
            };
            comparisons.add(kept, similarity);
        }
        self.members = members;
        self.selection.candidate_pairs += comparisons.candidates;
        self.selection.verified_pairs += comparisons.verified.len() as u64;
        if self.rule.keep_edges {
            let edges = comparisons.verified.iter().map(|&kept| (document, kept));
            self.selection.edges.extend(edges);
        }
        if let Some((similarity, kept)) = comparisons.best {
            self.selection.removed.push(Removal { position: document, kept, similarity });
            return Ok(());
        }
        if !self.rule.within && !is_reference {
            return Ok(());
        }
        self.stays(document, buckets, rarest);
        Ok(())
    }

    /// Keeps a document, for those that follow to be compared with.
    fn stays(&mut self, document: u32, buckets: &[u32], rarest: Option<Rarest>) {
        self.is_crowding |= self.kept.add(document, buckets) && self.may_crowd;
        self.kept_in_block.push(document);
        self.comparer.remember(document);
        if let (Some(crowd), Some(rarest)) = (&mut self.crowd, rarest) {
            crowd.add(document, rarest);
        }
    }

    /// Puts the kept documents that one of such buckets is to be compared with into `members`, ascending, each
    /// once.
    fn members(
        &self,
        (document, buckets): (u32, &[u32]),
        rarest: Option<&Rarest>,
        (those, first): (Those, u32),
        members: &mut Vec<u32>,
    ) {
        members.clear();
        if let (Some(crowd), Some(rarest)) = (&self.crowd, rarest) {
            crowd.candidates((document, rarest), those, members);
            // Candidates are those that share a band, whatever finds them.
            members.retain(|&other| self.share_a_crowd(buckets, self.buckets.of(other)));
        }
        members.extend(self.kept.members(buckets, first));
        members.sort_unstable();
        members.dedup();
    }

    /// Whether a crowded bucket is in both, which are ascending.
    fn share_a_crowd(&self, buckets: &[u32], others: &[u32]) -> bool {
        let has = |bucket: &&u32| others.binary_search(bucket).is_ok();
        buckets.iter().filter(has).any(|&bucket| self.kept.is_crowded(bucket))
    }

    /// Makes buckets crowded in which many are kept by now.
    fn end_block(&mut self, verifier: &Verifier, control: Control) -> Result<()> {
        let kept_in_block = std::mem::take(&mut self.kept_in_block);
        if !std::mem::take(&mut self.is_crowding) {
            return self.crowd.as_mut().map_or(Ok(()), Crowd::end_block);
        }
        let mut newcomers = Vec::new();
        for document in kept_in_block {
            for &bucket in self.buckets.of(document) {
                self.kept.crowd(bucket, &mut newcomers);
            }
        }
        collect(newcomers, &mut self.members);
        let crowd = match &mut self.crowd {
            Some(crowd) => crowd,
            none => {
                let documents = may_be_crowded(self.buckets, &self.kept, 0);
                let documents: Vec<u32> = documents.collect();
                none.insert(Crowd::new(verifier, &documents, self.spill, control)?)
            }
        };
        for &document in &self.members {
            if !crowd.has(document) {
                crowd.add(document, crowd.rarest(&mut self.comparer, document));
            }
        }
        crowd.end_block()
    }
}

/// The documents of buckets that are crowded, or large enough to become so, from the `start`-th that is in any bucket
/// on.
fn may_be_crowded(
    buckets: &Buckets,
    kept: &Kept,
    start: usize,
) -> impl Iterator<Item = u32> + Clone {
    let may_be = |&bucket: &u32| {
        let size = buckets.sizes().get(bucket as usize).copied().unwrap_or_default();
        size as usize > SOON || kept.is_crowded(bucket)
    };
    let all = (start..buckets.len()).filter_map(|index| buckets.get(index));
    all.filter(move |(_, buckets)| buckets.iter().any(may_be)).map(|(document, _)| document)
}

/// What finds a document in crowded buckets, if it is in any.
fn rarest(
    crowd: Option<&Crowd>,
    kept: &Kept,
    comparer: &mut Comparer,
    (document, buckets): (u32, &[u32]),
) -> Option<Rarest> {
    let crowd = crowd?;
    buckets.iter().any(|&bucket| kept.is_crowded(bucket)).then(|| crowd.rarest(comparer, document))
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
fn collect(documents: impl IntoIterator<Item = u32>, collected: &mut Vec<u32>) {
    collected.clear();
    collected.extend(documents);
    collected.sort_unstable();
    collected.dedup();
}
