//! The index against a naive one, and in stores.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, StringArray};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use mithril_core::testing::crash_at;
use mithril_core::{
    HashFunction, LocalStorage, MemoryStorage, MinHashSignature, MinHasher, ObjectMeta,
    PutCondition, StorageBackend, StorageError, XxHash3, runtime,
};
use mithril_dedup::{
    Control, DedupError, Documents, HashColumn, IndexMatch, IndexOptions, MinHashIndex, Shingle,
    Shingling, Threads,
};
use mithril_tests::child::{again, shown, task};

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

/// What is known of a document: its band hashes and its signature, if it is in the buckets.
type Known = Option<(Vec<u64>, Vec<u64>)>;

/// The same by the definitions: documents by id, every one compared with every other.
struct Naive {
    options: IndexOptions,
    documents: BTreeMap<u64, Known>,
}

impl Naive {
    fn new(options: IndexOptions) -> Self {
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

    fn add(&mut self, texts: &[Option<String>], ids: &[u64]) {
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
fn assert_same(index: &MinHashIndex, naive: &Naive, texts: &[Option<String>]) {
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

fn add(index: &mut MinHashIndex, texts: &[Option<String>], ids: Option<&[u64]>) -> Vec<u64> {
    index.add(&documents(texts), ids, Control::default()).unwrap()
}

#[test]
fn an_index_finds_what_a_naive_one_finds() {
    for options in [
        options(),
        IndexOptions { code: false, ..options() },
        IndexOptions { threshold: 0.5, permutations: 256, seed: 7, ..options() },
        IndexOptions { threshold: 0.7, permutations: 600, recall: 0.9, ..options() },
        IndexOptions { threshold: 0.3, permutations: 20, recall: 0.5, ..options() },
        IndexOptions { threshold: 1.0, permutations: 1, ..options() },
    ] {
        let (mut index, mut naive) = (MinHashIndex::try_new(options).unwrap(), Naive::new(options));
        let all = texts(600, 1);
        for part in all.chunks(150) {
            let ids = add(&mut index, part, None);
            naive.add(part, &ids);
        }
        assert_same(&index, &naive, &all[..120]);
        let gone: Vec<u64> = (0..600).filter(|id| id % 3 == 0).collect();
        index.remove(&gone).unwrap();
        naive.documents.retain(|id, _| id % 3 != 0);
        assert_same(&index, &naive, &all[..60]);
        index.compact(Control::default()).unwrap();
        assert_same(&index, &naive, &all[..60]);
        assert_eq!(index.stats().unwrap().removed, 0);
    }
}

/// Segments of all sizes, of which some are merged, with removed documents in all of them.
#[test]
fn segments_and_what_was_added_last_are_one_index() {
    let (mut index, mut naive) = (MinHashIndex::try_new(options()).unwrap(), Naive::new(options()));
    let all = texts(30_000, 2);
    let mut start = 0;
    for (round, size) in [4096, 100, 4200, 9000, 1, 300, 4096, 1500, 5000].into_iter().enumerate() {
        let part = &all[start..start + size];
        // Not in order, and some far away.
        let ids: Vec<u64> = (0..size as u64)
            .map(|row| (row * 7919 % size as u64) * 8 + round as u64 + (row % 2) * (1 << 40))
            .collect();
        add(&mut index, part, Some(&ids));
        naive.add(part, &ids);
        let gone: Vec<u64> = ids.iter().copied().filter(|id| id % 5 == 0).collect();
        index.remove(&gone).unwrap();
        naive.documents.retain(|id, _| !gone.contains(id));
        assert_eq!(index.len(), naive.documents.len());
        start += size;
    }
    let asked: Texts = all[..start].iter().step_by(211).cloned().collect();
    assert_same(&index, &naive, &asked);
    let before = index.stats().unwrap();
    assert!(before.segments > 1 && before.removed > 0);
    index.compact(Control::default()).unwrap();
    assert_same(&index, &naive, &asked);
    let after = index.stats().unwrap();
    assert_eq!((after.segments, after.removed, after.documents), (1, 0, before.documents));
    assert_eq!(after.largest_bucket, before.largest_bucket);
    assert!(after.bytes_per_document < 201.0, "{after:?}");
}

#[test]
fn many_small_additions_leave_few_segments() {
    let mut index = MinHashIndex::try_new(options()).unwrap();
    let part: Texts = (0..4096).map(|row| Some(format!("only {row}"))).collect();
    let batch = index.sketch(&documents(&part), Control::default()).unwrap();
    for _ in 0..70 {
        index.insert(&batch, None).unwrap();
    }
    assert_eq!(index.len(), 70 * 4096);
    let stats = index.stats().unwrap();
    assert!(stats.segments <= 9, "{stats:?}");
    let found = index.query("only 17", None).unwrap();
    assert_eq!(found.len(), 70);
    assert!(found.is_sorted_by_key(|found| found.id));
}

#[test]
fn threads_and_batches_change_nothing() {
    let all = texts(9000, 3);
    let mut outcomes = Vec::new();
    for (threads, batch) in [(1, 9000), (2, 9000), (8, 9000), (2, 977), (8, 5000)] {
        let threads = Threads::try_new(Some(threads)).unwrap();
        outcomes.push(threads.install(|| {
            let mut index = MinHashIndex::try_new(options()).unwrap();
            for part in all.chunks(batch) {
                add(&mut index, part, None);
            }
            let found = index.query_batch(&documents(&all), Some(0.0), Control::default()).unwrap();
            index.compact(Control::default()).unwrap();
            (found, index.to_objects().unwrap().1)
        }));
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
}

#[test]
fn wrong_ids_are_errors_that_name_them_and_change_nothing() {
    let mut index = MinHashIndex::try_new(options()).unwrap();
    let three = texts(3, 4);
    add(&mut index, &three, Some(&[5, u64::MAX, 1]));
    let mut fails = |ids: Option<&[u64]>, needle: &str| {
        let error = index.add(&documents(&three), ids, Control::default()).unwrap_err();
        assert!(
            matches!(error, DedupError::InvalidArgument(_)) && error.to_string().contains(needle),
            "{error}"
        );
        assert_eq!(index.ids(), [1, 5, u64::MAX]);
    };
    fails(Some(&[7, 5, 8]), "row 1: id 5 is in the index already");
    fails(Some(&[7, 9, 7]), "row 2: id 7 is given twice");
    fails(Some(&[7]), "1 ids do not fit 3 documents");
    fails(Some(&[2, 3, u64::MAX]), "id 18446744073709551615");
    fails(None, "no number above the largest id is free");
    for (ids, needle) in
        [(&[5, 6][..], "id 6 is not in the index"), (&[5, 5], "id 5 is given twice")]
    {
        let error = index.remove(ids).unwrap_err();
        assert!(error.to_string().contains(needle), "{error}");
        assert_eq!(index.len(), 3);
    }
    let other = MinHashIndex::try_new(IndexOptions { seed: 1, ..options() }).unwrap();
    assert!(index.merge(&other).unwrap_err().to_string().contains("different options"));
    let clone = index.clone();
    assert!(index.merge(&clone).unwrap_err().to_string().contains("id 1 is in both"));
    assert!(
        index.query("text", Some(1.1)).is_err() && index.query("text", Some(f64::NAN)).is_err()
    );
    index.remove(&[u64::MAX]).unwrap();
    add(&mut index, &three[..1], Some(&[u64::MAX]));
    assert!(MinHashIndex::try_new(IndexOptions { permutations: 2, ..options() }).is_err());
}

#[test]
fn a_number_once_given_is_not_given_again() {
    let mut index = MinHashIndex::try_new(options()).unwrap();
    let two = texts(2, 5);
    assert_eq!(add(&mut index, &two, None), [0, 1]);
    assert_eq!(add(&mut index, &two[..1], Some(&[10])), [10]);
    index.remove(&[10]).unwrap();
    let (manifest, segments) = index.to_objects().unwrap();
    let mut index = MinHashIndex::from_objects(&manifest, segments).unwrap();
    assert_eq!(add(&mut index, &two, None), [11, 12]);
    assert_eq!(add(&mut index, &[], None), [0; 0]);
}

#[test]
fn what_is_stopped_adds_nothing() {
    let mut index = MinHashIndex::try_new(options()).unwrap();
    let all = documents(&texts(1000, 6));
    let stop = AtomicBool::new(true);
    let control = Control { stop: &stop, ..Control::default() };
    assert!(matches!(index.add(&all, None, control), Err(DedupError::Interrupted)));
    assert!(matches!(index.query_batch(&all, None, control), Err(DedupError::Interrupted)));
    assert!(index.is_empty());
}

/// Pairs of known similarity: the mean of the estimates is theirs, and their spread what it should be.
#[test]
fn codes_estimate_without_bias() {
    for (permutations, deviation) in [(128, 0.037), (256, 0.030), (512, 0.027)] {
        let shingling =
            Shingling { shingle: Shingle::Whitespace, ngram: 1, ..Shingling::default() };
        let options = IndexOptions { permutations, shingling, threshold: 0.5, ..options() };
        let (mut sum, mut squares, pairs) = (0.0, 0.0, 2000);
        let mut index = MinHashIndex::try_new(options).unwrap();
        // 800 words in common of 1000.
        let words = |pair: usize, from: usize, to: usize| -> String {
            (from..to).map(|word| format!("p{pair}w{word}")).collect::<Vec<_>>().join(" ")
        };
        let stored: Texts = (0..pairs).map(|pair| Some(words(pair, 0, 900))).collect();
        let asked: Texts = (0..pairs).map(|pair| Some(words(pair, 100, 1000))).collect();
        add(&mut index, &stored, None);
        let found = index.query_batch(&documents(&asked), Some(0.0), Control::default()).unwrap();
        // At this threshold next to no pair is missed.
        assert!(found.ids.len() > pairs - 10);
        for similarity in &found.similarities {
            sum += similarity;
            squares += similarity * similarity;
        }
        let count = found.ids.len() as f64;
        let mean = sum / count;
        let spread = (squares / count - mean * mean).sqrt();
        assert!((mean - 0.8).abs() < 4.0 * deviation / count.sqrt(), "{permutations}: {mean}");
        assert!(spread < 1.1 * deviation, "{permutations}: {spread}");
    }
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

#[test]
fn saving_writes_what_is_new_and_compacting_deletes_what_is_old() {
    let (local, memory) = (LocalStorage::temp().unwrap(), MemoryStorage::new());
    for store in [&local as &dyn StorageBackend, &memory] {
        let (mut index, mut naive) =
            (MinHashIndex::try_new(options()).unwrap(), Naive::new(options()));
        let all = texts(500, 7);
        save(&mut index, store).unwrap();
        assert!(open(store).unwrap().is_empty());
        for (round, part) in all.chunks(100).enumerate() {
            let ids = add(&mut index, part, None);
            naive.add(part, &ids);
            let before = keys(store);
            save(&mut index, store).unwrap();
            let after = keys(store);
            assert!(before.iter().all(|key| after.contains(key)) && after.len() == round + 2);
            assert!(after.iter().all(|key| key.starts_with("some/index/")));
            let again = open(store).unwrap();
            assert_same(&again, &naive, &all[..30]);
            let stats = again.stats().unwrap();
            assert_eq!(
                stats.mapped_bytes > 0,
                block(store.open_file(&after[0])).unwrap().is_some()
            );
        }
        // What is opened goes on: it removes, adds, and is opened again.
        let mut again = open(store).unwrap();
        again.remove(&[3, 250]).unwrap();
        naive.documents.remove(&3);
        naive.documents.remove(&250);
        save(&mut again, store).unwrap();
        assert_same(&open(store).unwrap(), &naive, &all[..30]);
        assert_eq!(open(store).unwrap().stats().unwrap().removed, 2);
        again.compact(Control::default()).unwrap();
        save(&mut again, store).unwrap();
        assert_eq!(keys(store).len(), 2);
        assert_same(&open(store).unwrap(), &naive, &all[..30]);
        let ids: Vec<u64> = again.ids();
        again.remove(&ids).unwrap();
        save(&mut again, store).unwrap();
        assert_eq!((keys(store).len(), open(store).unwrap().len()), (1, 0));
    }
}

#[test]
fn the_second_of_two_writers_is_told_and_loses_nothing() {
    let store = MemoryStorage::new();
    let mut one = MinHashIndex::try_new(options()).unwrap();
    add(&mut one, &texts(10, 8), None);
    save(&mut one, &store).unwrap();
    let mut two = open(&store).unwrap();
    add(&mut one, &texts(5, 9), None);
    add(&mut two, &texts(5, 10), None);
    save(&mut one, &store).unwrap();
    let before = keys(&store);
    let error = save(&mut two, &store).unwrap_err();
    assert!(matches!(error, DedupError::IndexChanged { .. }), "{error}");
    assert!(error.to_string().contains("some/index/manifest"));
    assert_eq!((keys(&store), open(&store).unwrap().ids()), (before, one.ids()));
    // A new index is no heir of one that is there.
    let mut three = MinHashIndex::try_new(options()).unwrap();
    assert!(matches!(save(&mut three, &store), Err(DedupError::IndexChanged { .. })));
    // One that was saved elsewhere meanwhile still is.
    block(one.save(&store, "elsewhere")).unwrap();
    save(&mut one, &store).unwrap();
    assert_eq!(block(MinHashIndex::open(&store, "elsewhere")).unwrap().ids(), one.ids());
}

#[test]
fn of_writers_at_the_same_time_one_is_told_that_it_was_first() {
    let store = Arc::new(LocalStorage::temp().unwrap());
    let mut index = MinHashIndex::try_new(options()).unwrap();
    save(&mut index, &*store).unwrap();
    let opened = std::sync::Barrier::new(8);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u64)
            .map(|number| {
                let (store, opened) = (Arc::clone(&store), &opened);
                scope.spawn(move || {
                    let mut index = open(&*store).unwrap();
                    opened.wait();
                    add(&mut index, &texts(5, number), Some(&[number, 100, 101, 102, 103]));
                    save(&mut index, &*store).map(|()| number)
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let won: Vec<u64> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).copied().collect();
    let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(lost.clone().all(|error| matches!(error, DedupError::IndexChanged { .. })));
    assert_eq!(won.len(), 1);
    assert_eq!(open(&*store).unwrap().ids()[0], won[0]);
    assert_eq!(keys(&*store).len(), 2);
}

/// An object as it should not be.
fn faults(data: &Bytes) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap()) as usize;
    let count = u32::from_le_bytes(data[16..20].try_into().unwrap()) as usize;
    let entries = (0..count).map(|section| 64 + 32 * section);
    let sections: Vec<(usize, usize)> =
        entries.map(|at| (number(at + 8), number(at + 8) + number(at + 16))).collect();
    let mut faults = Vec::new();
    let mut ends = vec![0, 1, 7, 8, 63, 64, 64 + 32 * count];
    ends.extend(sections.iter().flat_map(|&(start, end)| [start, end, end.saturating_sub(1)]));
    for end in ends.into_iter().filter(|&end| end < data.len()) {
        faults.push((format!("cut at {end}"), data[..end].to_vec()));
    }
    let mut places: Vec<usize> = (0..64 + 32 * count).collect();
    for (start, end) in sections {
        places.extend([start, usize::midpoint(start, end), end.max(1) - 1]);
    }
    for place in places {
        for bit in [0, 7] {
            let mut flipped = data.to_vec();
            flipped[place] ^= 1 << bit;
            faults.push((format!("bit {bit} of byte {place}"), flipped));
        }
    }
    let mut longer = data.to_vec();
    longer.push(0);
    faults.push(("a byte more".to_owned(), longer));
    faults.push(("something else".to_owned(), b"PAR1".repeat(100)));
    let mut newer = data.to_vec();
    newer[8] = 2;
    faults.push(("a newer version".to_owned(), newer));
    faults
}

#[test]
fn damaged_objects_are_errors_that_name_them() {
    let (local, memory) = (LocalStorage::temp().unwrap(), MemoryStorage::new());
    for store in [&local as &dyn StorageBackend, &memory] {
        let mut index = MinHashIndex::try_new(options()).unwrap();
        add(&mut index, &texts(40, 11), None);
        save(&mut index, store).unwrap();
        index.remove(&[4]).unwrap();
        save(&mut index, store).unwrap();
        for key in keys(store) {
            let whole = block(store.get(&key)).unwrap();
            for (fault, data) in faults(&whole) {
                block(store.put(&key, Bytes::from(data))).unwrap();
                match open(store) {
                    Err(DedupError::IndexDamaged { object, problem }) => {
                        assert_eq!(object, key, "{fault}: {problem}");
                        let says = |what: &str| problem.contains(what);
                        assert!(!fault.starts_with("cut") || says("cut"), "{fault}: {problem}");
                        assert!(fault != "a newer version" || says("version 2"), "{problem}");
                    }
                    other => panic!("{key}, {fault}: {other:?}"),
                }
            }
            block(store.delete(&key)).unwrap();
            match open(store) {
                Err(DedupError::Storage(StorageError::NotFound(_)))
                    if key.ends_with("manifest") => {}
                Err(DedupError::IndexDamaged { problem, .. }) => {
                    assert!(problem.contains("not there"), "{problem}");
                }
                other => panic!("{key}, deleted: {other:?}"),
            }
            block(store.put(&key, whole)).unwrap();
        }
        assert_eq!(open(store).unwrap().ids(), index.ids());
    }
}

/// A segment of one index in the place of another's, with the right checksums.
#[test]
fn the_segment_of_another_index_is_noticed() {
    let store = MemoryStorage::new();
    for (name, seed) in [("some/index", 12), ("other", 13)] {
        let mut index = MinHashIndex::try_new(options()).unwrap();
        add(&mut index, &texts(40, seed), None);
        block(index.save(&store, name)).unwrap();
    }
    let segment = |prefix: &str| block(store.list(&format!("{prefix}/segment"))).unwrap().remove(0);
    let other = block(store.get(&segment("other"))).unwrap();
    block(store.put(&segment("some/index"), other)).unwrap();
    let error = open(&store).unwrap_err().to_string();
    assert!(
        error.contains("another segment") || error.contains("cut") || error.contains("follow"),
        "{error}"
    );
}

/// Before and after every write, rename and deletion of an append and of a compaction.
#[test]
fn a_death_at_any_point_leaves_the_old_index_or_the_new_one() {
    const NAME: &str = "a_death_at_any_point_leaves_the_old_index_or_the_new_one";
    let change = |root: &Path, verb: &str| {
        let store = LocalStorage::new(root).unwrap();
        let mut index = open(&store).unwrap();
        match verb {
            "append" => drop(add(&mut index, &texts(20, 15), None)),
            _ => index.compact(Control::default()).unwrap(),
        }
        index
    };
    if let Some(task) = task() {
        let mut parts = task.splitn(3, ' ');
        let (verb, at) = (parts.next().unwrap(), parts.next().unwrap().parse().unwrap());
        let root = Path::new(parts.next().unwrap());
        let mut index = change(root, verb);
        crash_at(at);
        save(&mut index, &LocalStorage::new(root).unwrap()).unwrap();
        return;
    }
    for verb in ["append", "compact"] {
        let (mut deaths, mut at) = (0, 1);
        loop {
            let folder = tempfile::tempdir().unwrap();
            let store = LocalStorage::new(folder.path()).unwrap();
            let mut index = MinHashIndex::try_new(options()).unwrap();
            for seed in [1, 14] {
                add(&mut index, &texts(20, seed), None);
                save(&mut index, &store).unwrap();
            }
            index.remove(&[0]).unwrap();
            save(&mut index, &store).unwrap();
            let (old, new) = (index.ids(), change(folder.path(), verb).ids());
            let output =
                again(NAME, &format!("{verb} {at} {}", folder.path().display())).output().unwrap();
            let found = open(&store).unwrap();
            assert!([&old, &new].contains(&&found.ids()), "{verb}, point {at}: {:?}", found.ids());
            let asked = documents(&texts(20, 14));
            assert!(found.query_batch(&asked, None, Control::default()).is_ok());
            if output.status.success() {
                assert_eq!(found.ids(), new);
                break;
            }
            assert!(output.status.code().is_none(), "{verb}, point {at}: {}", shown(&output));
            // What it has left goes, and nothing else.
            block(MinHashIndex::sweep(&store, "some/index")).unwrap();
            let named = found.stats().unwrap().segments;
            assert_eq!((keys(&store).len(), open(&store).unwrap().ids()), (1 + named, found.ids()));
            // Whoever comes next goes on.
            let mut next = change(folder.path(), verb);
            save(&mut next, &store).unwrap();
            assert_eq!(open(&store).unwrap().ids(), next.ids());
            (deaths, at) = (deaths + 1, at + 1);
        }
        assert!(deaths >= 6, "{verb}: {deaths}");
    }
}

/// A store in which a conditional write is done and its answer lost: it is sent again, and meets itself. And
/// one whose readers have just read what is there no more.
#[derive(Default)]
struct Odd {
    within: MemoryStorage,
    loses_answers: bool,
    stale: Mutex<Option<Bytes>>,
}

#[async_trait]
impl StorageBackend for Odd {
    async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        let stale = self.stale.lock().unwrap().take_if(|_| key.ends_with("manifest"));
        if let Some(stale) = stale {
            return Ok(stale);
        }
        self.within.get(key).await
    }

    async fn put_if(
        &self,
        key: &str,
        data: Bytes,
        condition: PutCondition,
    ) -> Result<Option<String>, StorageError> {
        let written = self.within.put_if(key, data, condition).await?;
        if self.loses_answers {
            return Err(StorageError::Changed(key.to_owned()));
        }
        Ok(written)
    }

    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        self.within.get_opt(key).await
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError> {
        self.within.put(key, data).await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.within.delete(key).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        self.within.exists(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.within.list(prefix).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError> {
        self.within.head(key).await
    }

    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError> {
        self.within.get_stream(key).await
    }
}

#[test]
fn a_writer_whose_answer_was_lost_knows_its_own_manifest() {
    let store = Odd { loses_answers: true, ..Odd::default() };
    let mut index = MinHashIndex::try_new(options()).unwrap();
    for seed in 0..3 {
        add(&mut index, &texts(10, seed), None);
        save(&mut index, &store).unwrap();
    }
    assert_eq!(open(&store).unwrap().ids(), index.ids());
    assert_eq!(keys(&store).len(), 4);
}

#[test]
fn a_reader_whose_segments_have_just_been_replaced_looks_again() {
    let store = Odd::default();
    let mut index = MinHashIndex::try_new(options()).unwrap();
    for seed in 0..2 {
        add(&mut index, &texts(10, seed), None);
        save(&mut index, &store).unwrap();
    }
    let old = block(store.get("some/index/manifest")).unwrap();
    index.compact(Control::default()).unwrap();
    save(&mut index, &store).unwrap();
    *store.stale.lock().unwrap() = Some(old);
    assert_eq!(open(&store).unwrap().ids(), index.ids());
}

/// Gives an object the checksums that it should have.
fn seal(data: &mut [u8]) {
    let hash = |data: &[u8]| XxHash3::new().hash_u64(data).to_le_bytes();
    let number =
        |data: &[u8], at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap()) as usize;
    for at in [64, 96, 128, 160] {
        let (start, length) = (number(data, at + 8), number(data, at + 16));
        let checksum = hash(&data[start..start + length]);
        data[at + 24..at + 32].copy_from_slice(&checksum);
    }
    data[32..40].fill(0);
    let checksum = hash(&data[..192]);
    data[32..40].copy_from_slice(&checksum);
}

/// Whoever makes objects with the right checksums gets wrong answers, and nothing worse.
#[test]
fn forged_objects_give_wrong_answers_at_worst() {
    let all = texts(60, 16);
    let mut index = MinHashIndex::try_new(options()).unwrap();
    for part in all.chunks(20) {
        add(&mut index, part, None);
        index.compact(Control::default()).unwrap();
        let (manifest, segments) = index.to_objects().unwrap();
        index = MinHashIndex::from_objects(&manifest, segments).unwrap();
    }
    let mut other = MinHashIndex::try_new(options()).unwrap();
    add(&mut other, &all[..5], Some(&[1000, 1001, 1002, 1003, 1004]));
    index.remove(&[3]).unwrap();
    let (manifest, segments) = index.to_objects().unwrap();
    let asked = documents(&all);
    let (mut state, mut opened) = (1, 0);
    let mut forge = |round: usize| {
        let (mut manifest, mut segment) = (manifest.to_vec(), segments[0].to_vec());
        let target = if round.is_multiple_of(4) { &mut manifest } else { &mut segment };
        for _ in 0..=random(&mut state) % 4 {
            // Not the header, whose every field is looked at.
            let at = 192 + random(&mut state) as usize % (target.len() - 192);
            target[at] = [0, 255, random(&mut state) as u8][random(&mut state) as usize % 3];
        }
        seal(&mut segment);
        let table = u64::from_le_bytes(manifest[136..144].try_into().unwrap()) as usize;
        let checksum: [u8; 8] = segment[32..40].try_into().unwrap();
        manifest[table + 40..table + 48].copy_from_slice(&checksum);
        seal(&mut manifest);
        let forged = MinHashIndex::from_objects(&manifest, vec![segment.into()]);
        let Ok(mut forged) = forged else { return };
        opened += 1;
        forged.query_batch(&asked, Some(0.0), Control::default()).unwrap();
        forged.stats().unwrap();
        let ids = forged.ids();
        let _ = forged.remove(&ids[..5]);
        let _ = forged.merge(&other);
        forged.compact(Control::default()).unwrap();
        forged.query_batch(&asked, Some(0.0), Control::default()).unwrap();
        let _ = forged.add(&asked, None, Control::default());
    };
    Threads::try_new(Some(2)).unwrap().install(|| (0..3000).for_each(&mut forge));
    assert!(opened > 1000, "{opened}");
}

/// The bytes of a small segment, so that a change of the format is noticed: see `docs/index.md`.
#[test]
fn the_format_is_the_one_written_down() {
    let options = IndexOptions { permutations: 6, threshold: 0.9, recall: 0.5, ..options() };
    let mut index = MinHashIndex::try_new(options).unwrap();
    let rows = vec![Some("one text of some words".to_owned()), None, Some("another".to_owned())];
    add(&mut index, &rows, Some(&[300, 7, 5]));
    let (_, segments) = index.to_objects().unwrap();
    let digest = XxHash3::new().hash_u64(&segments[0]);
    assert_eq!((segments[0].len(), digest), KNOWN, "{:?}", &segments[0][..]);
}

const KNOWN: (usize, u64) = (408, 13_451_029_858_831_830_249);
