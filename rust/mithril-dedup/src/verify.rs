//! From candidate pairs to verified pairs.

use crate::documents::Documents;
use crate::error::Result;
use crate::options::{DedupOptions, Method, Verify};
use crate::rarest::{Goal, Rarest, Rarity};
use crate::shingle::Shingler;
use crate::sketch::Signatures;
use mithril_core::MinHasher;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Shingle sets are made again when they are not among the most recent of this many bytes.
const CACHE_BYTES: usize = 256 << 20;
/// Steps of a comparison between two looks at whether it can still reach the threshold.
const STEPS: usize = 64;
/// So that threads seldom wait for each other.
const SHARDS: usize = 64;

/// Decides whether documents, named by their position in keep order, are duplicates.
pub(crate) struct Verifier<'a> {
    documents: &'a Documents,
    /// The row of each position.
    rows: &'a [u32],
    options: &'a DedupOptions,
    signatures: &'a Signatures,
    /// How many bytes of shingle sets are held in each shard.
    shard_bytes: usize,
    /// The shingle sets of documents that others are compared with.
    sets: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    sets: HashMap<u32, Arc<[u64]>>,
    bytes: usize,
}

/// Compares one document after the other with those that are kept. One belongs to one thread.
#[derive(Clone)]
pub(crate) struct Comparer<'a> {
    verifier: &'a Verifier<'a>,
    shingler: Shingler,
    /// The document whose shingles are in `set`.
    document: Option<u32>,
    set: Vec<u64>,
    /// For sets that are made on the way.
    scratch: Vec<u64>,
}

impl<'a> Verifier<'a> {
    /// A verifier as the options say; `signatures` are needed for [`Verify::Signature`] alone. `memory` is what the run
    /// may take, if that is limited.
    pub(crate) fn new(
        documents: &'a Documents,
        rows: &'a [u32],
        options: &'a DedupOptions,
        signatures: &'a Signatures,
        memory: Option<u64>,
    ) -> Self {
        let sets = (0..SHARDS).map(|_| Mutex::default()).collect();
        let bytes = memory.map_or(CACHE_BYTES, |memory| CACHE_BYTES.min((memory / 8) as usize));
        Self { documents, rows, options, signatures, shard_bytes: bytes / SHARDS, sets }
    }

    pub(crate) fn comparer(&'a self) -> Comparer<'a> {
        let shingler = Shingler::new(self.options.shingling);
        Comparer { verifier: self, shingler, document: None, set: Vec::new(), scratch: Vec::new() }
    }

    /// What a pair must pass.
    pub(crate) fn verifies(&self) -> Verify {
        self.options.verify
    }

    /// Whether similarity is the share of a document's shingles that another has.
    pub(crate) fn measures_containment(&self) -> bool {
        self.options.method == Method::Containment
    }

    /// What the sets of [`elements`](Comparer::elements) have to reach.
    pub(crate) fn goal(&self) -> Goal {
        let t = self.options.threshold;
        let threshold = match self.options.verify {
            Verify::Exact => t,
            // Of k places in each, t·k are the same: t·k of 2·k − t·k.
            Verify::Signature | Verify::None => t / (2.0 - t),
        };
        Goal { threshold, is_containment: self.measures_containment() }
    }

    /// The bytes of a document's text.
    pub(crate) fn length(&self, position: u32) -> u64 {
        self.documents.length(self.row(position)).unwrap_or_default() as u64
    }

    fn text(&self, position: u32) -> &str {
        self.documents.text(self.row(position)).unwrap_or_default()
    }

    fn row(&self, position: u32) -> usize {
        self.rows.get(position as usize).copied().unwrap_or(u32::MAX) as usize
    }

    fn shard(&self, position: u32) -> Option<MutexGuard<'_, Shard>> {
        let shard = self.sets.get(position as usize % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn held(&self, position: u32) -> Option<Arc<[u64]>> {
        self.shard(position)?.sets.get(&position).cloned()
    }

    fn hold(&self, position: u32, set: &Arc<[u64]>) {
        if let Some(mut shard) = self.shard(position) {
            if shard.bytes > self.shard_bytes {
                *shard = Shard::default();
            }
            if shard.sets.insert(position, Arc::clone(set)).is_none() {
                shard.bytes += size_of_val(&**set);
            }
        }
    }
}

impl Comparer<'_> {
    /// The similarity of two documents when it reaches the threshold. It is quickest for one document with
    /// many others.
    ///
    /// Without verification every candidate has similarity 1.
    pub(crate) fn verify(&mut self, document: u32, other: u32) -> Result<Option<f64>> {
        let threshold = self.verifier.options.threshold;
        let similarity = self.similarity(document, other, threshold)?;
        Ok((similarity >= threshold).then_some(similarity))
    }

    /// The similarity of two documents, whatever it is.
    pub(crate) fn measure(&mut self, document: u32, other: u32) -> Result<f64> {
        self.similarity(document, other, 0.0)
    }

    /// The similarity of two documents, or anything below `least` if it is that.
    fn similarity(&mut self, document: u32, other: u32, least: f64) -> Result<f64> {
        let verifier = self.verifier;
        Ok(match verifier.options.verify {
            Verify::Exact => {
                self.take(document);
                let other = self.set_of(other);
                let similarity =
                    if verifier.measures_containment() { containment_of } else { jaccard_of };
                let reaches = |shared| similarity(shared, &self.set, &other) >= least;
                similarity(shared(&self.set, &other, reaches), &self.set, &other)
            }
            Verify::Signature => {
                let signatures = verifier.signatures;
                MinHasher::try_similarity(&signatures.get(document), &signatures.get(other))?
            }
            Verify::None => 1.0,
        })
    }

    /// What documents have in common when they are similar, put into `elements`, each once: shingles, or
    /// the values of the signature with their places.
    pub(crate) fn elements(&mut self, document: u32, elements: &mut Vec<u64>) {
        elements.clear();
        if self.verifier.options.verify == Verify::Exact {
            self.take(document);
            elements.extend_from_slice(&self.set);
        } else {
            let signature = self.verifier.signatures.get(document);
            let values = signature.iter().zip(0_u64..);
            elements.extend(
                values.map(|(value, place)| xxh3_64_with_seed(&value.to_le_bytes(), place)),
            );
        }
    }

    /// The rarest of the [`elements`](Self::elements) of a document.
    pub(crate) fn rarest(&mut self, document: u32, rarity: &Rarity) -> Rarest {
        let mut elements = Vec::new();
        self.elements(document, &mut elements);
        rarity.rarest(elements)
    }

    /// Says that others will be compared with a document, so that its shingles are held if they are at hand.
    pub(crate) fn remember(&self, document: u32) {
        if self.document == Some(document) {
            self.verifier.hold(document, &Arc::from(&*self.set));
        }
    }

    /// Makes `set` that of the document.
    fn take(&mut self, document: u32) {
        if self.document == Some(document) {
            return;
        }
        self.document = Some(document);
        if let Some(held) = self.verifier.held(document) {
            self.set.clear();
            self.set.extend_from_slice(&held);
        } else {
            self.shingler.set_into(self.verifier.text(document), &mut self.set);
        }
    }

    fn set_of(&mut self, position: u32) -> Arc<[u64]> {
        if let Some(held) = self.verifier.held(position) {
            return held;
        }
        self.shingler.set_into(self.verifier.text(position), &mut self.scratch);
        let set = Arc::from(&*self.scratch);
        self.verifier.hold(position, &set);
        set
    }
}

/// The number of elements that two sets have in common, given as sorted slices; or a number that does not reach what
/// is asked for either, as soon as that is clear.
///
/// The quotient of what they could share at most and at least unite rounds as that of what they do.
fn shared(one: &[u64], two: &[u64], reaches: impl Fn(usize) -> bool) -> usize {
    let (mut in_one, mut in_two, mut shared) = (0, 0, 0_usize);
    loop {
        let most = shared + (one.len() - in_one).min(two.len() - in_two);
        if most == shared || !reaches(most) {
            return most;
        }
        for _ in 0..STEPS {
            // Without a branch that hangs on the hashes, which no processor foresees.
            let (Some(first), Some(second)) = (one.get(in_one), two.get(in_two)) else {
                return shared;
            };
            shared += usize::from(first == second);
            in_one += usize::from(first <= second);
            in_two += usize::from(second <= first);
        }
    }
}

/// The share of the first of two sets that is in the second, if they have so many elements in common.
fn containment_of(shared: usize, one: &[u64], _two: &[u64]) -> f64 {
    if one.is_empty() { 0.0 } else { shared as f64 / one.len() as f64 }
}

/// The Jaccard similarity of two sets that have so many elements in common.
///
/// One division of two integers, so that a threshold of 0.8 is reached by 4 of 5 exactly.
fn jaccard_of(shared: usize, one: &[u64], two: &[u64]) -> f64 {
    let union = one.len() + two.len() - shared;
    if union == 0 { 0.0 } else { shared as f64 / union as f64 }
}
