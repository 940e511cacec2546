//! Signatures and bands of columns against those of every text on its own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use arrow::array::{
    Array, ArrayRef, DictionaryArray, LargeStringArray, NullArray, StringArray, StringViewArray,
};
use arrow::datatypes::Int32Type;
use mithril_core::minhash::datasketch::token_hash;
use mithril_core::minhash::{DatasketchScheme, Scheme, ngram};
use mithril_core::{CallbackProgress, MinHashSignature, MinHasher};
use mithril_dedup::{
    Banding, Control, DedupError, Documents, HashColumn, Normalization, Shingle, Shingler,
    Shingling, Threads,
};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TEXTS: [Option<&str>; 6] = [
    Some("the quick brown fox jumps over the lazy dog"),
    None,
    Some(""),
    Some("two words"),
    Some("我用Python写代码 and more words than five"),
    Some("!?"),
];

fn documents(chunks: impl IntoIterator<Item = ArrayRef>) -> Documents {
    Documents::try_from_chunks(chunks).unwrap()
}

fn column(texts: &[Option<String>]) -> Documents {
    documents([Arc::new(StringArray::from(texts.to_vec())) as ArrayRef])
}

/// As many different words.
fn numbers(count: usize, step: usize) -> String {
    (0..count).map(|word| (word * step).to_string()).collect::<Vec<_>>().join(" ")
}

fn hash(hasher: &MinHasher, documents: &Documents, shingling: Shingling) -> Vec<u64> {
    hasher.hash_column(documents, shingling, Control::default()).unwrap()
}

/// One text after the other.
fn naive(hasher: &MinHasher, texts: &[Option<&str>], shingling: Shingling) -> Vec<u64> {
    let mut shingler = Shingler::new(shingling);
    let texts = texts.iter().map(|text| text.unwrap_or_default());
    texts.flat_map(|text| hasher.hash_tokens(shingler.hashes(text)).values).collect()
}

#[test]
fn every_kind_of_column_has_the_signatures_of_its_texts() {
    let hasher = MinHasher::new(48);
    let texts = TEXTS.to_vec();
    let dictionary: DictionaryArray<Int32Type> = texts.iter().copied().collect();
    let kinds: [(&str, Vec<ArrayRef>); 5] = [
        ("Utf8", vec![Arc::new(StringArray::from(texts.clone()))]),
        ("LargeUtf8", vec![Arc::new(LargeStringArray::from(texts.clone()))]),
        ("Utf8View", vec![Arc::new(StringViewArray::from(texts.clone()))]),
        ("dictionary", vec![Arc::new(dictionary)]),
        (
            "chunks",
            vec![
                Arc::new(StringArray::from(texts[..1].to_vec())),
                Arc::new(NullArray::new(1)),
                Arc::new(StringViewArray::from(Vec::<&str>::new())),
                Arc::new(LargeStringArray::from(texts[2..].to_vec())),
            ],
        ),
    ];
    for shingle in [Shingle::Auto, Shingle::Whitespace, Shingle::Words, Shingle::Chars] {
        for (ngram, lowercase) in [(1, true), (3, false), (5, true)] {
            let shingling = Shingling { shingle, ngram, lowercase, ..Shingling::default() };
            let expected = naive(&hasher, &TEXTS, shingling);
            for (kind, chunks) in &kinds {
                let values = hash(&hasher, &documents(chunks.clone()), shingling);
                assert_eq!(values, expected, "{kind}, {shingling:?}");
            }
        }
    }
    assert_eq!(hash(&hasher, &Documents::new(), Shingling::default()), Vec::<u64>::new());
}

#[test]
fn a_slice_has_the_signatures_of_its_part() {
    let (hasher, shingling) = (MinHasher::new(16), Shingling::default());
    let whole = naive(&hasher, &TEXTS, shingling);
    let arrays: [ArrayRef; 3] = [
        Arc::new(StringArray::from(TEXTS.to_vec())),
        Arc::new(StringViewArray::from(TEXTS.to_vec())),
        Arc::new(TEXTS.into_iter().collect::<DictionaryArray<Int32Type>>()),
    ];
    for array in arrays {
        let part = hash(&hasher, &documents([array.slice(1, 4)]), shingling);
        assert_eq!(part, whole[16..80], "{}", array.data_type());
    }
}

#[test]
fn null_and_what_has_no_shingle_are_the_empty_set() {
    let banding = Banding { bands: 4, rows: 4 };
    let words = Shingling { shingle: Shingle::Words, ..Shingling::default() };
    let empty = column(&[None, Some(String::new()), Some("!?".to_owned())]);
    let schemes = [
        (Scheme::Similarity, u64::MAX),
        (Scheme::Datasketch(DatasketchScheme::Affine32), u32::MAX.into()),
        (Scheme::Datasketch(DatasketchScheme::Affine64), u64::MAX),
        (Scheme::Datasketch(DatasketchScheme::Legacy), u32::MAX.into()),
    ];
    for (scheme, value) in schemes {
        let hasher = MinHasher::try_with_scheme(16, 1, scheme).unwrap();
        assert_eq!(hash(&hasher, &empty, words), [value; 48], "{scheme:?}");
        let bands = hasher.band_column(&empty, words, banding, Control::default()).unwrap();
        assert_eq!(bands, [MinHashSignature::EMPTY; 12], "{scheme:?}");
    }
}

#[test]
fn datasketch_hashes_the_bytes_of_shingles() {
    let shingles = [
        (Shingle::Whitespace, 2, "To be, or", vec!["to be,", "be, or"]),
        (Shingle::Words, 2, "To be, or", vec!["to be", "be or"]),
        (Shingle::Words, 5, "To be", vec!["to be"]),
        (Shingle::Chars, 2, "Äß c", vec!["äß", "ß ", " c"]),
        (Shingle::Auto, 2, "写code", vec!["写 code"]),
        (Shingle::Auto, 1, "😀 🎉", vec!["😀", "🎉"]),
    ];
    for scheme in [DatasketchScheme::Affine32, DatasketchScheme::Affine64, DatasketchScheme::Legacy]
    {
        let hasher = MinHasher::try_with_scheme(32, 1, Scheme::Datasketch(scheme)).unwrap();
        for (shingle, ngram, text, expected) in &shingles {
            let tokens: Vec<u64> =
                expected.iter().map(|shingle| token_hash(scheme, shingle.as_bytes())).collect();
            let shingling = Shingling { shingle: *shingle, ngram: *ngram, ..Shingling::default() };
            let values = hash(&hasher, &column(&[Some((*text).to_owned())]), shingling);
            assert_eq!(values, hasher.hash_tokens(&tokens).values, "{scheme:?}, {text}");
        }
        // The one definition that both crates have.
        let chars = Shingling {
            shingle: Shingle::Chars,
            ngram: 3,
            lowercase: false,
            ..Shingling::default()
        };
        let values = hash(&hasher, &column(&[Some("Hello wörld".to_owned())]), chars);
        assert_eq!(values, hasher.hash_text("Hello wörld", 3).values);
    }
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn bands_and_signatures_are_those_of_each_text(
        texts in prop::collection::vec(prop::option::weighted(0.9, "[a-c ]{0,40}"), 0..40),
        k in 1_usize..70,
        band_rows in 1_usize..9,
        threads in 1_usize..5,
    ) {
        let hasher = MinHasher::with_seed(k, 3);
        let shingling = Shingling { ngram: 2, ..Shingling::default() };
        let borrowed: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        let expected = naive(&hasher, &borrowed, shingling);
        let documents = column(&texts);
        let threads = Threads::try_new(Some(threads)).unwrap();
        let values = threads.install(|| hash(&hasher, &documents, shingling));
        prop_assert_eq!(&values, &expected);

        let rows = band_rows.min(k);
        let banding = Banding { bands: k / rows, rows };
        let bands = threads.install(|| {
            hasher.band_column(&documents, shingling, banding, Control::default()).unwrap()
        });
        prop_assert_eq!(bands.len(), texts.len() * banding.bands);
        for (signature, hashes) in expected.chunks(k).zip(bands.chunks(banding.bands)) {
            let mut of_one = vec![MinHashSignature::EMPTY; banding.bands];
            if signature[0] != MinHashSignature::EMPTY {
                MinHashSignature::band_hashes(signature, rows, &mut of_one);
            }
            prop_assert_eq!(hashes, of_one);
        }
    }

    #[test]
    fn rows_of_tokens_have_the_signatures_of_each(
        rows in prop::collection::vec(prop::collection::vec(any::<u64>(), 0..100), 0..50),
        before in 0_usize..3,
        k in 1_usize..70,
    ) {
        let hasher = MinHasher::with_seed(k, 3);
        let mut tokens = vec![9; before];
        let mut offsets = vec![before];
        for row in &rows {
            tokens.extend(row);
            offsets.push(tokens.len());
        }
        tokens.push(9);
        let expected: Vec<u64> =
            rows.iter().flat_map(|row| hasher.hash_tokens(row).values).collect();
        let mut values = vec![0; rows.len() * k];
        hasher.hash_rows(&tokens, &offsets, &mut values).unwrap();
        prop_assert_eq!(&values, &expected);
        let parallel = hasher.hash_token_rows(&tokens, &offsets, Control::default()).unwrap();
        prop_assert_eq!(&parallel, &expected);
    }
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn hashes_with_another_hash_are_of_the_same_shingles(
        text in "[\\PC \t我用สคาΣ😀]{0,60}", lowercase in any::<bool>(),
    ) {
        for shingle in [Shingle::Auto, Shingle::Whitespace, Shingle::Words, Shingle::Chars] {
            let shingling = Shingling { shingle, ngram: 1, lowercase, ..Shingling::default() };
            let mut shingler = Shingler::new(shingling);
            let expected = shingler.hashes(&text).to_vec();
            let of_one = |bytes: &[u8]| {
                let mut hashes = Vec::new();
                ngram::ngram_hashes(&[ngram::token_hash(bytes)], 1, &mut hashes);
                hashes[0]
            };
            prop_assert_eq!(shingler.hashes_with(&text, of_one), expected, "{:?}", shingle);
        }
    }
}

#[test]
fn documents_of_any_size_are_the_same_on_any_threads() {
    // From nothing to a megabyte, the large ones last.
    let mut texts: Vec<Option<String>> =
        (0..3000).map(|row: usize| Some(numbers(row % 50, row))).collect();
    for words in [20_000, 150_000] {
        texts.push(Some(numbers(words, 1)));
    }
    let hasher = MinHasher::new(64);
    let documents = column(&texts);
    let run = |threads| {
        let threads = Threads::try_new(threads).unwrap();
        threads.install(|| hash(&hasher, &documents, Shingling::default()))
    };
    let one = run(Some(1));
    assert_eq!(one, run(Some(2)));
    assert_eq!(one, run(Some(7)));
    let borrowed: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
    assert_eq!(one, naive(&hasher, &borrowed, Shingling::default()));
}

#[test]
fn a_document_that_is_cut_into_pieces_has_the_signature_of_the_whole() {
    let megabytes = 9 << 20;
    let line = "Größe 1,024 of the Σίσυφος, ΣΑΣ and 我用Python\u{301} or \u{1f600} can't. ";
    let texts = [
        (numbers(megabytes / 7, 3), 5),
        (line.repeat(megabytes / line.len()), 3),
        // Nowhere to cut, too few words for a shingle, and no word at all.
        (numbers(megabytes / 7, 3).replace(' ', "-"), 2),
        (numbers(megabytes / 7, 1), 9 << 20),
        ("\u{1f600} ".repeat(megabytes / 5), 2),
        (" ".repeat(megabytes), 5),
    ];
    let hasher = MinHasher::new(32);
    for (text, ngram) in texts {
        for (shingle, normalization) in [
            (Shingle::Auto, Normalization::default()),
            (Shingle::Auto, Normalization { strip_accents: true, ..Normalization::default() }),
            (Shingle::Whitespace, Normalization::default()),
        ] {
            let shingling = Shingling { shingle, ngram, normalization, ..Shingling::default() };
            let expected = naive(&hasher, &[Some(&text)], shingling);
            for threads in [1, 2] {
                let threads = Threads::try_new(Some(threads)).unwrap();
                let documents = column(&[Some(text.clone())]);
                let values = threads.install(|| hash(&hasher, &documents, shingling));
                assert_eq!(values, expected, "{shingling:?} of {:?}", &text.chars().take(20));
            }
        }
    }
}

#[test]
fn a_long_document_is_begun_first_and_goes_alone() {
    let mut texts: Vec<Option<String>> = (0..400).map(|row| Some(format!("row {row}"))).collect();
    texts.push(Some(numbers(40_000, 1)));
    let documents = column(&texts);
    // One thread, which finishes what it begins.
    let steps = Mutex::new(Vec::new());
    let progress = CallbackProgress::new(|done, _, _| steps.lock().unwrap().push(done));
    let stop = AtomicBool::new(false);
    let control = Control { progress: &progress, stop: &stop };
    let threads = Threads::try_new(Some(1)).unwrap();
    threads
        .install(|| MinHasher::new(16).hash_column(&documents, Shingling::default(), control))
        .unwrap();
    let mut steps = steps.into_inner().unwrap();
    steps.retain(|&done| done > 0);
    assert_eq!(steps.first(), Some(&1));
    assert_eq!(steps.last(), Some(&401));
}

#[test]
fn a_run_that_is_to_stop_stops() {
    let texts: Vec<Option<String>> = (0..20_000).map(|row| Some(format!("text {row}"))).collect();
    let documents = column(&texts);
    let stop = AtomicBool::new(true);
    let control = Control { stop: &stop, ..Control::default() };
    let hasher = MinHasher::new(16);
    let start = Instant::now();
    let column = hasher.hash_column(&documents, Shingling::default(), control);
    assert!(matches!(column, Err(DedupError::Interrupted)));
    let rows = hasher.hash_token_rows(&[1, 2], &[0, 1, 2], control);
    assert!(matches!(rows, Err(DedupError::Interrupted)));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn arguments_that_make_no_sense_are_errors() {
    let hasher = MinHasher::new(16);
    let documents = column(&[Some("a".to_owned())]);
    let shingling = Shingling::default();
    let no_ngram = Shingling { ngram: 0, ..shingling };
    let told = |result: Result<Vec<u64>, DedupError>| result.unwrap_err().to_string();
    assert!(told(hasher.hash_column(&documents, no_ngram, Control::default())).contains("ngram"));
    for (bands, rows) in [(0, 4), (4, 0), (5, 4), (usize::MAX, 2)] {
        let banding = Banding { bands, rows };
        let error = told(hasher.band_column(&documents, shingling, banding, Control::default()));
        assert!(error.contains("16 values"), "{error}");
    }
    assert!(matches!(Threads::try_new(Some(0)), Err(DedupError::InvalidArgument(_))));
    assert!(matches!(Threads::try_new(Some(5000)), Err(DedupError::InvalidArgument(_))));
}

#[test]
fn offsets_that_do_not_fit_name_the_row() {
    let hasher = MinHasher::new(2);
    let tokens = [1, 2, 3];
    let bad: [(&[usize], &str); 6] = [
        (&[], "not none"),
        (&[0, 2, 1], "row 1 begins at 2 and ends at 1"),
        (&[0, 4], "row 0 goes on to 4"),
        (&[0, 3, 9, 9], "row 1 goes on to 9"),
        (&[4, 4], "row 0 goes on to 4"),
        (&[4], "row 0 goes on to 4"),
    ];
    for (offsets, message) in bad {
        let mut values = vec![0; 6];
        let error = hasher.hash_rows(&tokens, offsets, &mut values).unwrap_err().to_string();
        assert!(error.contains(message), "{offsets:?}: {error}");
        assert_eq!(values, [0; 6]);
        let error = hasher.hash_token_rows(&tokens, offsets, Control::default()).unwrap_err();
        assert!(error.to_string().contains(message), "{offsets:?}: {error}");
    }
    for room in [0, 5, 7] {
        let mut values = vec![0; room];
        assert!(hasher.hash_rows(&tokens, &[0, 1, 2, 3], &mut values).is_err());
    }
    hasher.hash_rows(&tokens, &[3], &mut []).unwrap();
}
