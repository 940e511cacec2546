//! What is found, and what is refused.

use std::sync::atomic::AtomicBool;

use mithril_dedup::{Control, DedupError, IndexOptions, MinHashIndex, Shingle, Shingling, Threads};

use crate::naive::{Naive, assert_same};
use crate::{Texts, add, documents, options, texts};

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
