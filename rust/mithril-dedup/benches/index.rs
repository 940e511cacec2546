//! What an index of a million documents costs: to add to, to ask, to save, to open.
//!
//! The number of documents can be given: `cargo bench -p mithril-dedup --bench index -- 100000`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use arrow::array::{ArrayRef, StringArray};
use mithril_core::{LocalStorage, runtime};
use mithril_dedup::{Control, Documents, IndexOptions, MinHashIndex};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const DOCUMENTS: usize = 1_000_000;
const BATCH: usize = 50_000;
const QUERIES: usize = 2000;

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(DOCUMENTS);
    for code in [true, false] {
        measure(count, IndexOptions { code, ..IndexOptions::default() });
    }
}

fn measure(count: usize, options: IndexOptions) {
    println!("{count} documents of 60 words, codes: {}", options.code);
    let mut index = MinHashIndex::try_new(options).expect("options");
    let start = Instant::now();
    for first in (0..count).step_by(BATCH) {
        let texts = documents(first..(first + BATCH).min(count));
        index.add(&texts, None, Control::default()).expect("documents");
    }
    tell("texts made and added", start, count);
    ask(&index, "as it grew");
    println!("{:#?}", index.stats().expect("stats"));
    let start = Instant::now();
    index.compact(Control::default()).expect("memory");
    tell("compact", start, count);
    ask(&index, "one segment");
    let stats = index.stats().expect("stats");
    println!("{:.1} bytes a document", stats.bytes_per_document);

    let store = LocalStorage::temp().expect("a folder");
    let start = Instant::now();
    runtime().block_on(index.save(&store, "")).expect("save");
    tell("save", start, count);
    drop(index);
    for _ in 0..3 {
        let start = Instant::now();
        let index = runtime().block_on(MinHashIndex::open(&store, "")).expect("open");
        tell("open, every checksum verified", start, count);
        ask(&index, "mapped");
    }
    let index = runtime().block_on(MinHashIndex::open(&store, "")).expect("open");
    let texts = documents(0..BATCH.min(count));
    let start = Instant::now();
    let found = index.query_batch(&texts, None, Control::default()).expect("matches");
    tell("query_batch, all threads", start, texts.len());
    assert!(found.ids.len() >= texts.len());
}

/// Every text is like the one before it, in groups of four.
fn text(number: usize) -> String {
    let group = number / 4;
    let word = |at: usize| {
        let seed = if at == 30 { number } else { group * 100 + at };
        format!("{:x}", (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44)
    };
    (0..60).map(word).collect::<Vec<_>>().join(" ")
}

fn documents(numbers: std::ops::Range<usize>) -> Documents {
    let column: ArrayRef =
        Arc::new(numbers.map(|number| Some(text(number))).collect::<StringArray>());
    Documents::try_from_chunks([column]).expect("a column of strings")
}

fn ask(index: &MinHashIndex, what: &str) {
    let step = (index.len() / QUERIES).max(1);
    let mut times: Vec<f64> = (0..QUERIES)
        .map(|query| {
            let text = text((query * step * 7919) % index.len());
            let start = Instant::now();
            black_box(index.query(&text, None).expect("matches"));
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "query ({what}): {:.0} µs, 99 of 100 in {:.0} µs, all in {:.0} µs",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn tell(what: &str, start: Instant, count: usize) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what}: {seconds:.2} s, {:.2} µs a document", seconds * 1e6 / count as f64);
}
