//! The engine against a naive one that compares every pair.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use arrow::array::{
    Array, ArrayRef, DictionaryArray, LargeStringArray, StringArray, StringViewArray,
};
use arrow::datatypes::Int32Type;
use mithril_core::NoopProgress;
use mithril_dedup::{
    Control, DedupError, DedupOptions, Deduplication, Deduplicator, Documents, Keep, Shingle,
    Shingler, Shingling, Verify,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn run(texts: &[Option<String>], options: &DedupOptions) -> Deduplication {
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let documents = Documents::try_from_chunks([column]).unwrap();
    Deduplicator::try_new(options.clone())
        .unwrap()
        .deduplicate(&documents, None, Control::default())
        .unwrap()
}

fn of_ngrams(ngram: usize) -> Shingling {
    Shingling { ngram, ..Shingling::default() }
}

fn jaccard(one: &str, two: &str, options: &DedupOptions) -> f64 {
    let mut shingler = Shingler::new(options.shingling);
    let one: BTreeSet<u64> = shingler.set(one).into_iter().collect();
    let two: BTreeSet<u64> = shingler.set(two).into_iter().collect();
    let union = one.union(&two).count();
    if union == 0 { 0.0 } else { one.intersection(&two).count() as f64 / union as f64 }
}

/// Rows in order; one that has a match among those kept so far goes, for the most similar of them.
/// A copy of an earlier text shares its fate.
fn naive(texts: &[Option<String>], options: &DedupOptions) -> Vec<Option<usize>> {
    let mut fate: Vec<Option<usize>> = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else {
            fate.push(None);
            continue;
        };
        if let Some(first) = texts[..row].iter().position(|other| other.as_deref() == Some(text)) {
            fate.push(fate[first].or(Some(first)));
            continue;
        }
        let mut best: Option<(f64, usize)> = None;
        for (other, _) in fate.iter().enumerate().filter(|(_, fate)| fate.is_none()) {
            let similarity = jaccard(text, texts[other].as_deref().unwrap_or_default(), options);
            if similarity >= options.threshold && best.is_none_or(|(most, _)| similarity > most) {
                best = Some((similarity, other));
            }
        }
        fate.push(best.map(|(_, other)| other));
    }
    fate
}

/// Texts of few different words, so that all degrees of similarity occur.
fn corpus() -> impl Strategy<Value = Vec<Option<String>>> {
    let text = prop_oneof![
        8 => prop::collection::vec("[ab]", 0..14).prop_map(|words| Some(words.join(" "))),
        1 => Just(None),
        1 => Just(Some(String::new())),
        1 => Just(Some("!?".to_owned())),
    ];
    prop::collection::vec(text, 0..60)
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn with_a_recall_near_one_the_rows_removed_are_the_naive_ones(texts in corpus(), ngram in 1_usize..4) {
        // One row a band: a pair at the threshold is missed with probability 10⁻⁹.
        let options = DedupOptions {
            threshold: 0.5, recall: 0.999_999_999, permutations: 512,
            shingling: Shingling { shingle: Shingle::Words, ngram, ..Shingling::default() },
            ..DedupOptions::default()
        };
        let result = run(&texts, &options);
        let found: Vec<Option<usize>> = (0..texts.len())
            .map(|row| {
                let duplicate = result.duplicates.iter().find(|one| one.row == row as u64);
                duplicate.map(|one| one.kept_row as usize)
            })
            .collect();
        prop_assert_eq!(found, naive(&texts, &options));
    }

    #[test]
    fn threads_and_chunks_change_nothing(texts in corpus()) {
        let options = DedupOptions { threshold: 0.4, shingling: of_ngrams(2), ..DedupOptions::default() };
        let one = run(&texts, &DedupOptions { threads: Some(1), ..options.clone() });
        let many = Deduplicator::try_new(DedupOptions { threads: Some(3), ..options }).unwrap();
        let chunks = texts.chunks(7).map(|chunk| Arc::new(StringArray::from(chunk.to_vec())) as ArrayRef);
        let documents = Documents::try_from_chunks(chunks).unwrap();
        let other = many.deduplicate(&documents, None, Control::default()).unwrap();
        prop_assert_eq!(&one.duplicates, &other.duplicates);
        prop_assert_eq!(one.report.candidate_pairs, other.report.candidate_pairs);
    }
}

/// A row with a text of the given words.
#[expect(clippy::unnecessary_wraps, reason = "other rows are null")]
fn words(numbers: impl IntoIterator<Item = u64>) -> Option<String> {
    Some(numbers.into_iter().map(|number| format!("w{number}")).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_block_after_the_first_is_decided_like_the_first() {
    // Clusters that reach over many blocks: every tenth row is like row 0, the others like each other by fives.
    let texts: Vec<_> = (0..12_000_u64)
        .map(|row| {
            if row % 10 == 0 {
                words((0..40).chain([1_000 + row]))
            } else {
                words(row / 5 * 100..row / 5 * 100 + 30)
            }
        })
        .collect();
    let result = run(&texts, &DedupOptions::default());
    for (row, &keep) in result.keep.iter().enumerate() {
        let expected =
            if row % 10 == 0 { row == 0 } else { row % 5 == 0 || (row % 5 == 1 && row % 10 == 1) };
        assert_eq!(keep, expected, "row {row}");
    }
}

#[test]
fn a_chain_is_not_a_cluster() {
    // J(A, B) = J(B, C) = 17/21 > 0.8, J(A, C) < 0.8.
    let options = DedupOptions { shingling: of_ngrams(1), ..DedupOptions::default() };
    let texts = [words(0..19), words(2..21), words(4..23)];
    let result = run(&texts, &options);
    assert_eq!(result.keep, [true, false, true]);
    assert_eq!(result.duplicates.len(), 1);
    assert_eq!(result.duplicates[0].kept_row, 0);
    assert!((result.duplicates[0].jaccard.unwrap() - 17.0 / 21.0).abs() < 1e-12);
}

#[test]
fn a_hundred_thousand_identical_rows_are_one() {
    let texts = vec![words(0..50); 100_000];
    let result = run(&texts, &DedupOptions::default());
    assert_eq!(result.report.kept, 1);
    assert_eq!(result.report.exact_duplicates, 99_999);
    assert_eq!(result.report.candidate_pairs, 0);
    assert_eq!(result.report.clusters.largest, 100_000);
}

#[test]
fn a_hundred_thousand_near_duplicates_cost_one_comparison_each() {
    let texts: Vec<_> = (0..100_000).map(|row| words((0..60).chain([1_000 + row]))).collect();
    let result = run(&texts, &DedupOptions::default());
    assert_eq!(result.report.kept, 1);
    assert!(result.report.candidate_pairs < 100_000);
}

#[test]
fn a_copy_of_a_removed_row_is_removed_for_the_row_that_is_kept() {
    let (first, second) = (words(0..60), words((0..60).chain([99])));
    let result = run(&[first, second.clone(), second], &DedupOptions::default());
    assert_eq!(result.keep, [true, false, false]);
    let [one, two] = result.duplicates[..] else { panic!("two rows go") };
    assert_eq!((one.kept_row, two.kept_row), (0, 0));
    assert_eq!(one.jaccard, two.jaccard);
    assert!(!two.exact_copy);
}

#[test]
fn null_and_empty_texts_are_kept() {
    let texts =
        [None, None, Some(String::new()), Some(String::new()), Some(" ".into()), Some(" ".into())];
    let result = run(&texts, &DedupOptions::default());
    assert_eq!(result.keep, [true, true, true, true, true, false]);
    assert_eq!((result.report.null_texts, result.report.empty_texts), (2, 2));
}

#[test]
fn the_row_that_is_kept_is_the_one_asked_for() {
    let texts = vec![words(0..60), words((0..60).chain([98, 99])), words((0..60).chain([99]))];
    let column: ArrayRef = Arc::new(StringArray::from(texts));
    let documents = Documents::try_from_chunks([column]).unwrap();
    let kept = |keep, by: Option<ArrayRef>| {
        let options = DedupOptions { keep, ..DedupOptions::default() };
        let result = Deduplicator::try_new(options).unwrap().deduplicate(
            &documents,
            by.as_ref(),
            Control::default(),
        );
        result.unwrap().keep.iter().position(|&keep| keep).unwrap()
    };
    let floats: ArrayRef =
        Arc::new(arrow::array::Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(2.0)]));
    let nulls: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![None, Some(5), Some(5)]));
    assert_eq!(kept(Keep::First, None), 0);
    assert_eq!(kept(Keep::Longest, None), 1);
    assert_eq!(kept(Keep::Max, Some(floats.clone())), 2);
    assert_eq!(kept(Keep::Min, Some(floats)), 0);
    assert_eq!(kept(Keep::Max, Some(nulls)), 1);
}

#[test]
fn every_string_type_is_the_same_column() {
    let texts = vec![Some("a b c d e f"), None, Some("A b c d e f")];
    let columns: [ArrayRef; 4] = [
        Arc::new(StringArray::from(texts.clone())),
        Arc::new(LargeStringArray::from(texts.clone())),
        Arc::new(StringViewArray::from(texts.clone())),
        Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    for column in columns {
        let sliced = Documents::try_from_chunks([column.slice(0, 1), column.slice(1, 2)]).unwrap();
        let deduplicator = Deduplicator::try_new(DedupOptions::default()).unwrap();
        let result = deduplicator.deduplicate(&sliced, None, Control::default()).unwrap();
        assert_eq!(result.keep, [true, true, false], "{}", column.data_type());
    }
    let numbers: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![1]));
    assert!(matches!(Documents::try_from_chunks([numbers]), Err(DedupError::ColumnType { .. })));
}

#[test]
fn signatures_or_nothing_can_verify() {
    let texts = [words(0..60), words((0..60).chain([99])), words(0..4)];
    for (verify, jaccard_known) in [(Verify::Signature, true), (Verify::None, false)] {
        let result = run(&texts, &DedupOptions { verify, ..DedupOptions::default() });
        assert_eq!(result.keep, [true, false, true]);
        assert_eq!(result.duplicates[0].jaccard.is_some(), jaccard_known);
    }
}

#[test]
fn a_run_stops_when_told() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["a text"; 3]));
    let documents = Documents::try_from_chunks([column]).unwrap();
    let control = Control { progress: &NoopProgress, stop: &AtomicBool::new(true) };
    let deduplicator = Deduplicator::try_new(DedupOptions::default()).unwrap();
    assert!(matches!(
        deduplicator.deduplicate(&documents, None, control),
        Err(DedupError::Interrupted)
    ));
}

#[test]
fn options_out_of_range_say_what_they_accept() {
    let default = DedupOptions::default;
    for (options, word) in [
        (DedupOptions { threshold: 0.0, ..default() }, "threshold"),
        (DedupOptions { threshold: f64::NAN, ..default() }, "threshold"),
        (DedupOptions { recall: 1.0, ..default() }, "recall"),
        (DedupOptions { permutations: 5000, ..default() }, "permutations"),
        (DedupOptions { shingling: of_ngrams(0), ..default() }, "ngram"),
        (DedupOptions { threads: Some(0), ..default() }, "threads"),
        (DedupOptions { threshold: 0.01, ..default() }, "permutations"),
    ] {
        let error = Deduplicator::try_new(options).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn every_threshold_has_a_banding_that_keeps_its_promise() {
    for threshold in [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0] {
        for recall in [0.5, 0.9, 0.99, 0.999] {
            let banding = mithril_dedup::Banding::for_recall(threshold, recall, 128).unwrap();
            assert!(banding.bands * banding.rows <= 128);
            assert!(banding.candidate_probability(threshold) >= recall);
        }
    }
}
