//! Shingles against a naive definition over sets of strings.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use mithril_dedup::{Shingle, Shingler, Shingling};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn options(shingle: Shingle, ngram: usize) -> Shingling {
    Shingling { shingle, ngram, ..Shingling::default() }
}

/// The set of shingles as sequences of strings.
fn naive(tokens: &[String], ngram: usize) -> BTreeSet<Vec<String>> {
    if tokens.is_empty() {
        return BTreeSet::new();
    }
    if tokens.len() < ngram {
        return BTreeSet::from([tokens.to_vec()]);
    }
    tokens.windows(ngram).map(<[String]>::to_vec).collect()
}

/// The tokens of `chars` and `whitespace`, written as plainly as can be.
fn naive_tokens(text: &str, shingle: Shingle) -> Vec<String> {
    let lower = text.to_lowercase();
    if shingle == Shingle::Chars {
        return lower.chars().map(String::from).collect();
    }
    let mut tokens = vec![String::new()];
    for scalar in lower.chars() {
        // The white space of Python 3's str.split, by its documentation and unicodedata.
        let space = matches!(scalar as u32,
            9..=13 | 28..=32 | 0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000);
        if space {
            tokens.push(String::new());
        } else if let Some(token) = tokens.last_mut() {
            token.push(scalar);
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

fn texts() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        4 => "[a-cA-C]{1,3}",
        1 => "\\PC{1,3}",
        1 => Just("ΣΑΣ".to_owned()),
        1 => Just("\u{1c}\u{85}\u{2003}".to_owned()),
    ];
    prop::collection::vec(token, 0..30).prop_map(|tokens| tokens.join(" "))
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn sets_and_intersections_have_the_sizes_of_the_naive_ones(
        one in texts(), two in texts(), ngram in 1_usize..7, by_chars in any::<bool>(),
    ) {
        let shingle = if by_chars { Shingle::Chars } else { Shingle::Whitespace };
        let mut shingler = Shingler::new(options(shingle, ngram));
        let set = |shingler: &mut Shingler, text: &str| -> BTreeSet<u64> {
            shingler.hashes(text).iter().copied().collect()
        };
        let (set_one, set_two) = (set(&mut shingler, &one), set(&mut shingler, &two));
        let naive_one = naive(&naive_tokens(&one, shingle), ngram);
        let naive_two = naive(&naive_tokens(&two, shingle), ngram);
        prop_assert_eq!(set_one.len(), naive_one.len());
        prop_assert_eq!(set_one.intersection(&set_two).count(), naive_one.intersection(&naive_two).count());
        prop_assert_eq!(shingler.set(&one), set_one.into_iter().collect::<Vec<_>>());
    }
}

fn count(shingle: Shingle, ngram: usize, text: &str) -> usize {
    Shingler::new(options(shingle, ngram)).hashes(text).len()
}

#[test]
fn words_are_those_of_uax_29() {
    assert_eq!(
        count(Shingle::Words, 1, "The quick (\"brown\") fox can't jump 32.3 feet, right?"),
        9
    );
    assert_eq!(count(Shingle::Words, 1, "... --- !?"), 0);
}

#[test]
fn auto_cuts_scripts_without_spaces_into_characters() {
    assert_eq!(count(Shingle::Auto, 1, "我用Python写代码"), 6);
    assert_eq!(count(Shingle::Auto, 1, "カタカナとひらがな"), 9);
    assert_eq!(count(Shingle::Auto, 1, "สวัสดี"), 6);
    assert_eq!(count(Shingle::Auto, 5, "我用Python写代码"), 2);
    assert_eq!(count(Shingle::Auto, 1, "한국어 문장"), 2);
}

#[test]
fn auto_cuts_a_text_without_words_into_characters() {
    assert_eq!(count(Shingle::Auto, 1, "😀 😀 🎉"), 3);
    assert_eq!(count(Shingle::Auto, 1, " \t\n"), 0);
    // Where there is a word, symbols say nothing.
    assert_eq!(count(Shingle::Auto, 1, "party 🎉 !"), 1);
}

#[test]
fn case_matters_only_when_asked() {
    let mut exact = Shingler::new(Shingling { lowercase: false, ..options(Shingle::Words, 1) });
    assert_ne!(exact.set("Straße"), exact.set("STRASSE"));
    let mut folded = Shingler::new(options(Shingle::Words, 1));
    assert_eq!(folded.set("ὈΔΥΣΣΕΎΣ"), folded.set("ὀδυσσεύς"));
}

#[test]
fn shingles_that_a_polynomial_modulo_a_power_of_two_confuses_are_told_apart() {
    // The Thue-Morse sequence of two words and its complement, 1024 words each.
    let sequence = |flip: u32| -> String {
        let word =
            |index: u32| if (index.count_ones() + flip).is_multiple_of(2) { "foo" } else { "bar" };
        (0..1024).map(word).collect::<Vec<_>>().join(" ")
    };
    let mut shingler = Shingler::new(options(Shingle::Whitespace, 1024));
    assert_ne!(shingler.set(&sequence(0)), shingler.set(&sequence(1)));
}
