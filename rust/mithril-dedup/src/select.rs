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
use crate::options::DedupOptions;
use crate::shingle::Shingler;
use crate::verify::Verifier;
use rayon::prelude::*;

/// Large enough to occupy many threads, small enough that most comparisons are with earlier blocks.
const BLOCK: usize = 2048;

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
    options: &DedupOptions,
    control: Control,
) -> Result<Selection> {
    control.begin("matching", buckets.len() as u64);
    let mut kept_in: Vec<Vec<u32>> = vec![Vec::new(); buckets.count()];
    let mut selection = Selection { removed: Vec::new(), candidate_pairs: 0, verified_pairs: 0 };
    let mut shingler = Shingler::new(options.shingling);
    for start in (0..buckets.len()).step_by(BLOCK) {
        let block = start..(start + BLOCK).min(buckets.len());
        let first = buckets.get(start).map_or(0, |(document, _)| document);
        let leaders = leaders(buckets, block.clone());
        let pending: Vec<Pending> = block
            .into_par_iter()
            .filter_map(|index| buckets.get(index))
            .map_init(
                || shingler.clone(),
                |shingler, (document, in_buckets)| {
                    control.check()?;
                    let mut comparisons = Comparisons::default();
                    for kept in members(&kept_in, in_buckets, 0) {
                        comparisons.add(kept, verifier.verify(shingler, document, kept)?);
                    }
                    let mut guesses = Vec::new();
                    for leader in leading(&leaders, in_buckets, document) {
                        guesses.push((leader, verifier.verify(shingler, document, leader)?));
                    }
                    Ok(Pending { document, buckets: in_buckets, comparisons, guesses })
                },
            )
            .collect::<Result<_>>()?;

        control.advance(pending.len() as u64)?;
        for Pending { document, buckets, mut comparisons, guesses } in pending {
            control.check()?;
            for kept in members(&kept_in, buckets, first) {
                let similarity = match guesses.binary_search_by_key(&kept, |guess| guess.0) {
                    Ok(at) => guesses.get(at).and_then(|guess| guess.1),
                    Err(_) => verifier.verify(&mut shingler, document, kept)?,
                };
                comparisons.add(kept, similarity);
            }
            selection.candidate_pairs += comparisons.candidates;
            selection.verified_pairs += comparisons.verified;
            if let Some((similarity, kept)) = comparisons.best {
                selection.removed.push(Removal { position: document, kept, similarity });
            } else {
                for &bucket in buckets {
                    if let Some(kept) = kept_in.get_mut(bucket as usize) {
                        kept.push(document);
                    }
                }
            }
        }
    }
    Ok(selection)
}

/// The kept documents from `first` on that share a bucket, ascending, each once.
fn members(kept_in: &[Vec<u32>], buckets: &[u32], first: u32) -> Vec<u32> {
    let mut members = Vec::new();
    for kept in buckets.iter().filter_map(|&bucket| kept_in.get(bucket as usize)) {
        members.extend(kept.iter().rev().take_while(|&&document| document >= first));
    }
    members.sort_unstable();
    members.dedup();
    members
}

/// `(bucket, first document of the block in it)`, ascending by bucket.
fn leaders(buckets: &Buckets, block: std::ops::Range<usize>) -> Vec<(u32, u32)> {
    let mut leaders: Vec<(u32, u32)> = block
        .filter_map(|index| buckets.get(index))
        .flat_map(|(document, buckets)| buckets.iter().map(move |&bucket| (bucket, document)))
        .collect();
    leaders.sort_unstable();
    leaders.dedup_by_key(|leader| leader.0);
    leaders
}

/// The leaders of a document's buckets that come before it, ascending, each once.
fn leading(leaders: &[(u32, u32)], buckets: &[u32], document: u32) -> Vec<u32> {
    let mut found: Vec<u32> = buckets
        .iter()
        .filter_map(|bucket| leaders.binary_search_by_key(bucket, |leader| leader.0).ok())
        .filter_map(|at| leaders.get(at))
        .map(|&(_, leader)| leader)
        .filter(|&leader| leader < document)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
