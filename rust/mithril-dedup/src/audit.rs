//! How many pairs a run has found, from a sample that is compared with everything.

use crate::buckets::Buckets;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use crate::hash_keys::BuildAsItIs;
use crate::options::DedupOptions;
use crate::select::{Removal, Rule};
use crate::shingle::Shingler;
use crate::verify::Verifier;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The quantile of the normal distribution for an interval of 95 %.
const QUANTILE: f64 = 1.959_964;

/// What a comparison of some documents with all others, without bands, has found out about a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// The documents that were compared with all others: distinct texts, drawn at random.
    pub sampled: u64,
    /// Those of them that have a pair.
    pub with_pairs: u64,
    /// Their pairs: documents whose Jaccard similarity to them reaches the threshold.
    pub pairs: u64,
    /// Those pairs that the run could find, since they share a band and pass verification.
    pub found: u64,
    /// The recall: found pairs over pairs; `None` without a pair.
    pub recall: Option<f64>,
    /// The ends of an interval for it: that of Wilson (JASA 1927) with a confidence of 95 %, where the pairs of one
    /// document count as one observation, since they come and go together.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Sampled rows that stayed although they are similar to a row kept before them.
    pub missed: u64,
}

/// Audits what was decided for the documents of `rows`.
pub(crate) fn audit(
    (documents, rows): (&Documents, &[u32]),
    (options, rule): (&DedupOptions, Rule),
    buckets: &Buckets,
    verifier: &Verifier,
    removed: &[Removal],
    control: Control,
) -> Result<Audit> {
    control.begin("auditing", rows.len() as u64);
    let text = |position: u32| {
        let row = rows.get(position as usize).copied().unwrap_or(u32::MAX);
        documents.text(row as usize).unwrap_or_default()
    };
    let references = rule.references;
    let positions = sample(references..rows.len() as u32, options.audit, options.seed);
    let mut shingler = Shingler::new(options.shingling);
    let sets: Vec<Vec<u64>> = positions.iter().map(|&at| shingler.set(text(at))).collect();
    let index = Index::new(&sets);
    let tally = Tally { positions: &positions, sets: &sets, index: &index, options };
    let pairs: Vec<Vec<(u32, u32)>> = (0..rows.len() as u32)
        .into_par_iter()
        .map_init(
            || (Shingler::new(options.shingling), Vec::new(), vec![0_u32; sets.len()]),
            |(shingler, set, counts), position| {
                shingler.set_into(text(position), set);
                control.check()?;
                control.advance(1)?;
                Ok(tally.pairs_of(position, set, counts))
            },
        )
        .collect::<Result<_>>()?;

    let is_kept = |at: u32| removed.binary_search_by_key(&at, |removal| removal.position).is_err();
    let mut comparer = verifier.comparer();
    let (mut found, mut count) = (0, 0);
    let mut has_pairs = vec![false; positions.len()];
    let mut is_missed = vec![false; positions.len()];
    let counts = |other: u32| rule.within || other < references;
    for (sampled, other) in pairs.into_iter().flatten().filter(|pair| counts(pair.1)) {
        let Some(&position) = positions.get(sampled as usize) else { continue };
        count += 1;
        let shared = buckets
            .of(position)
            .iter()
            .any(|bucket| buckets.of(other).binary_search(bucket).is_ok());
        found += u64::from(shared && comparer.verify(position, other)?.is_some());
        if let Some(has_pairs) = has_pairs.get_mut(sampled as usize) {
            *has_pairs = true;
        }
        if other < position
            && is_kept(position)
            && is_kept(other)
            && let Some(is_missed) = is_missed.get_mut(sampled as usize)
        {
            *is_missed = true;
        }
    }
    let ones = |flags: Vec<bool>| flags.into_iter().filter(|&flag| flag).count() as u64;
    let with_pairs = ones(has_pairs);
    let recall = (count > 0).then(|| found as f64 / count as f64);
    let interval = recall.map(|recall| wilson(recall, with_pairs as f64));
    Ok(Audit {
        sampled: positions.len() as u64,
        with_pairs,
        pairs: count,
        found,
        recall,
        low: interval.map(|interval| interval.0),
        high: interval.map(|interval| interval.1),
        missed: ones(is_missed),
    })
}

/// So many of the positions, at random, ascending.
fn sample(all: Range<u32>, wanted: usize, seed: u64) -> Vec<u32> {
    let mut positions: Vec<u32> = all.collect();
    if wanted < positions.len() {
        let random = |position: &u32| xxh3_64_with_seed(&position.to_le_bytes(), seed);
        positions.select_nth_unstable_by_key(wanted, random);
        positions.truncate(wanted);
        positions.sort_unstable();
    }
    positions
}

/// The interval for a share that was observed so many times.
fn wilson(share: f64, observations: f64) -> (f64, f64) {
    let square = QUANTILE * QUANTILE / observations;
    let middle = share + square / 2.0;
    let half =
        QUANTILE * (share * (1.0 - share) / observations + square / (4.0 * observations)).sqrt();
    ((middle - half) / (1.0 + square), ((middle + half) / (1.0 + square)).min(1.0))
}

/// The sampled documents that have each shingle.
struct Index {
    /// Where those of a shingle begin and end in `sampled`.
    ranges: HashMap<u64, (u32, u32), BuildAsItIs>,
    sampled: Vec<u32>,
}

impl Index {
    fn new(sets: &[Vec<u64>]) -> Self {
        let mut pairs: Vec<(u64, u32)> = (0..)
            .zip(sets)
            .flat_map(|(sampled, set)| set.iter().map(move |&shingle| (shingle, sampled)))
            .collect();
        pairs.sort_unstable();
        let mut ranges = HashMap::default();
        let mut start = 0;
        for group in pairs.chunk_by(|one, two| one.0 == two.0) {
            let end = start + group.len() as u32;
            if let Some(first) = group.first() {
                ranges.insert(first.0, (start, end));
            }
            start = end;
        }
        Self { ranges, sampled: pairs.into_iter().map(|pair| pair.1).collect() }
    }

    fn of(&self, shingle: u64) -> &[u32] {
        let range = self.ranges.get(&shingle).copied().unwrap_or_default();
        self.sampled.get(range.0 as usize..range.1 as usize).unwrap_or_default()
    }
}

struct Tally<'a> {
    positions: &'a [u32],
    sets: &'a [Vec<u64>],
    index: &'a Index,
    options: &'a DedupOptions,
}

impl Tally<'_> {
    /// The sampled documents, each with this one, that are similar to it; `counts` are zeros before and after.
    fn pairs_of(&self, position: u32, set: &[u64], counts: &mut [u32]) -> Vec<(u32, u32)> {
        let mut met = Vec::new();
        for &shingle in set {
            for &sampled in self.index.of(shingle) {
                if let Some(count) = counts.get_mut(sampled as usize) {
                    if *count == 0 {
                        met.push(sampled);
                    }
                    *count += 1;
                }
            }
        }
        met.retain(|&sampled| {
            let count = counts.get_mut(sampled as usize).map(std::mem::take).unwrap_or_default();
            let size = self.sets.get(sampled as usize).map_or(0, Vec::len);
            let union = set.len() + size - count as usize;
            f64::from(count) / union as f64 >= self.options.threshold
                && self.positions.get(sampled as usize) != Some(&position)
        });
        met.into_iter().map(|sampled| (sampled, position)).collect()
    }
}
