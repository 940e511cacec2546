//! The index by its definitions.

use std::collections::BTreeMap;

use mithril_core::{MinHashSignature, MinHasher};
use mithril_dedup::{Control, HashColumn, IndexMatch, IndexOptions, MinHashIndex};

use crate::{documents, random};

/// What is known of a document: its band hashes and its signature, if it is in the buckets.
type Known = Option<(Vec<u64>, Vec<u64>)>;

/// The same by the definitions: documents by id, every one compared with every other.
pub(crate) struct Naive {
    pub(crate) options: IndexOptions,
    pub(crate) documents: BTreeMap<u64, Known>,
}

impl Naive {
    pub(crate) fn new(options: IndexOptions) -> Self {
        Self { options, documents: BTreeMap::new() }
    }

    fn known(&self, texts: &[Option<String>]) -> Vec<Known> {
        let IndexOptions { permutations, seed, shingling, .. } = self.options;
        let banding = self.options.banding().unwrap();
        let (hasher, column) = (MinHasher::with_seed(permutations, seed), documents(texts));
        let control = Control::default();
        let signatures = hasher.hash_column(&column, shingling, control).unwrap();
        let bands = hasher.band_column(&column, shingling, banding, control).unwrap();
        let rows = bands.chunks(banding.bands).zip(signatures.chunks(permutations));
        rows.map(|(bands, signature)| {
            let filled = bands.iter().any(|&hash| hash != MinHashSignature::EMPTY);
            filled.then(|| (bands.to_vec(), signature.to_vec()))
        })
        .collect()
    }

    pub(crate) fn add(&mut self, texts: &[Option<String>], ids: &[u64]) {
        self.documents.extend(ids.iter().copied().zip(self.known(texts)));
    }

    fn query(&self, text: &Known, threshold: f64) -> Vec<IndexMatch> {
        let Some((bands, signature)) = text else { return Vec::new() };
        let banding = self.options.banding().unwrap();
        let mut found = Vec::new();
        for (&id, known) in &self.documents {
            let Some((other_bands, other)) = known else { continue };
            let equal = bands.iter().zip(other_bands).filter(|(a, b)| *a >> 32 == *b >> 32).count();
            if equal == 0 {
                continue;
            }
            let similarity = if self.options.code {
                let bits = match self.options.permutations {
                    512.. => 1,
                    256.. => 2,
                    _ => 4,
                };
                let values = signature.len().min(512 / bits);
                let coded = |value: u64| {
                    random(&mut value.wrapping_sub(0x9E37_79B9_7F4A_7C15)) >> (64 - bits)
                };
                let pairs = signature.iter().zip(other).take(values);
                let equal = pairs.filter(|&(&a, &b)| coded(a) == coded(b)).count();
                let (share, chance) = (equal as f64 / values as f64, 1.0 / f64::from(1 << bits));
                ((share - chance) / (1.0 - chance)).clamp(0.0, 1.0)
            } else {
                (equal as f64 / banding.bands as f64).powf(1.0 / banding.rows as f64)
            };
            if similarity >= threshold {
                found.push(IndexMatch { id, similarity });
            }
        }
        found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.id.cmp(&b.id)));
        found
    }
}

/// Every text finds the same in both, one by one and as a column.
pub(crate) fn assert_same(index: &MinHashIndex, naive: &Naive, texts: &[Option<String>]) {
    assert_eq!(index.ids(), naive.documents.keys().copied().collect::<Vec<_>>());
    for threshold in [None, Some(0.0), Some(0.5)] {
        let used = threshold.unwrap_or(naive.options.threshold);
        let batch = index.query_batch(&documents(texts), threshold, Control::default()).unwrap();
        for (row, (text, known)) in texts.iter().zip(naive.known(texts)).enumerate() {
            let expected = naive.query(&known, used);
            let text = text.as_deref().unwrap_or_default();
            assert_eq!(index.query(text, threshold).unwrap(), expected, "{text:?}");
            let (start, end) = (batch.offsets[row], batch.offsets[row + 1]);
            let found: Vec<_> = (start..end)
                .map(|at| IndexMatch { id: batch.ids[at], similarity: batch.similarities[at] })
                .collect();
            assert_eq!(found, expected);
        }
    }
}
