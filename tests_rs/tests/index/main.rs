//! The index against a naive one, in stores, and from damaged objects.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod answers;
mod damage;
mod naive;
mod stores;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use mithril_core::{StorageBackend, runtime};
use mithril_dedup::{Control, Documents, IndexOptions, MinHashIndex, Shingling};

type Texts = Vec<Option<String>>;

fn documents(texts: &[Option<String>]) -> Documents {
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    Documents::try_from_chunks([column]).unwrap()
}

/// Numbers that look random, the same in every run.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Texts of which many are like others, with nulls and empty ones.
fn texts(count: usize, seed: u64) -> Texts {
    let mut state = seed;
    let mut texts: Texts = Vec::new();
    for row in 0..count {
        let fresh: Vec<String> =
            (0..40).map(|_| format!("w{}", random(&mut state) % 100_000)).collect();
        let text = match (random(&mut state) % 20, texts.last()) {
            (0, _) => None,
            (1, _) => Some(String::new()),
            (2, _) => {
                Some("boilerplate that many pages have in common and nothing else".to_owned())
            }
            (3..=10, Some(Some(before))) if !before.is_empty() => {
                let mut words: Vec<String> = before.split(' ').map(str::to_owned).collect();
                let at = random(&mut state) as usize % words.len();
                words[at] = format!("x{row}");
                Some(words.join(" "))
            }
            _ => Some(fresh.join(" ")),
        };
        texts.push(text);
    }
    texts
}

fn small() -> Shingling {
    Shingling { ngram: 2, ..Shingling::default() }
}

fn options() -> IndexOptions {
    IndexOptions { shingling: small(), ..IndexOptions::default() }
}

fn add(index: &mut MinHashIndex, texts: &[Option<String>], ids: Option<&[u64]>) -> Vec<u64> {
    index.add(&documents(texts), ids, Control::default()).unwrap()
}

fn block<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

fn open(store: &dyn StorageBackend) -> mithril_dedup::Result<MinHashIndex> {
    block(MinHashIndex::open(store, "some/index"))
}

fn save(index: &mut MinHashIndex, store: &dyn StorageBackend) -> mithril_dedup::Result<()> {
    block(index.save(store, "some/index"))
}

fn keys(store: &dyn StorageBackend) -> Vec<String> {
    block(store.list("")).unwrap()
}
