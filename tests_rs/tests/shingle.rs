//! Shingles against a naive definition over sets of strings.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use mithril_core::minhash::ngram::{ngram_hashes, token_hash};
use mithril_dedup::{Shingle, Shingler, Shingling};
use proptest::prelude::*;
use std::collections::BTreeSet;
use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

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
fn naive_tokens(text: &str, shingle: Shingle, lowercase: bool) -> Vec<String> {
    let lower = if lowercase { text.to_lowercase() } else { text.to_owned() };
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

/// The tokens of `words` and `auto` by the complete implementation of UAX #29.
fn complete_tokens(text: &str, shingle: Shingle, lowercase: bool) -> Vec<String> {
    let text = if lowercase { text.to_lowercase() } else { text.to_owned() };
    if matches!(shingle, Shingle::Chars | Shingle::Whitespace) {
        // Lower case already, and no character has another one.
        return naive_tokens(&text, shingle, false);
    }
    let is_unspaced = |word: &str| {
        let script = word.chars().next().map(|scalar| scalar.script());
        // Those that the tests have; all are in the documentation.
        let scripts = [
            Script::Han,
            Script::Hiragana,
            Script::Katakana,
            Script::Bopomofo,
            Script::Yi,
            Script::Thai,
            Script::Lao,
            Script::Khmer,
            Script::Myanmar,
            Script::Tai_Le,
            Script::New_Tai_Lue,
            Script::Tai_Tham,
            Script::Tai_Viet,
            Script::Javanese,
            Script::Balinese,
            Script::Tibetan,
        ];
        shingle == Shingle::Auto && script.is_some_and(|script| scripts.contains(&script))
    };
    let mut tokens = Vec::new();
    for word in text.unicode_words() {
        if is_unspaced(word) {
            tokens.extend(word.chars().map(String::from));
        } else {
            tokens.push(word.to_owned());
        }
    }
    if tokens.is_empty() && shingle == Shingle::Auto {
        tokens = naive_tokens(&text, Shingle::Whitespace, false);
        tokens = tokens.iter().flat_map(|run| run.chars().map(String::from)).collect();
    }
    tokens
}

/// Compares every token in its place, for all ways to cut.
fn check_tokens(text: &str) {
    for shingle in [Shingle::Auto, Shingle::Words, Shingle::Whitespace, Shingle::Chars] {
        for lowercase in [true, false] {
            check_tokens_of(text, shingle, lowercase);
        }
    }
}

fn check_tokens_of(text: &str, shingle: Shingle, lowercase: bool) {
    let is_right = |text: &str, tokens: &[String]| {
        let mut expected = Vec::new();
        for token in tokens {
            ngram_hashes(&[token_hash(token.as_bytes())], 1, &mut expected);
        }
        Shingler::new(Shingling { shingle, ngram: 1, lowercase, ..Shingling::default() })
            .hashes(text)
            == expected
    };
    if !is_right(text, &complete_tokens(text, shingle, lowercase)) {
        // The line that shows it, if one does.
        let of = |text: &str| complete_tokens(text, shingle, lowercase);
        let line = text.split('\n').find(|line| !is_right(line, &of(line))).unwrap_or(text);
        panic!("{shingle:?}, lower case {lowercase}: {line:?} has the tokens {:?}", of(line));
    }
}

#[test]
fn a_mark_is_joined_to_all_spaces_before_it() {
    // A vowel sign, which is a letter to Unicode and a mark to its rules for words.
    for spaces in [" \u{3000}", "\u{3000} ", "\u{3000}\u{3000}", "  \u{3000}\u{2003}", "\u{3000}"] {
        for before in ["", "a", "\u{6f22}", "\u{6f22}\u{3002}", "\u{30ab}", "1 \u{6f22} "] {
            for after in ["", "b", "\u{5b57}"] {
                check_tokens(&format!("{before}{spaces}\u{11ca9}{after}"));
                check_tokens(&format!("{before}{spaces}\u{301}{after}"));
            }
        }
    }
}

#[test]
fn every_character_is_cut_as_uax_29_says_among_neighbours_of_all_kinds() {
    let neighbours = "a1_'.,: \u{e9}\u{6f22}\u{30ab}\u{2019}\u{30fc}\u{301}";
    // All up to the end of Katakana and the full-width forms; of the others, which are alike in thousands or
    // are left to the complete implementation, some.
    let scalars: Vec<char> = ('\u{80}'..='\u{1ffff}')
        .filter(|&scalar| {
            matches!(scalar as u32, 0..0x3100 | 0xff00..0xfff0)
                || (scalar as u32).is_multiple_of(61)
        })
        .collect();
    mithril_core::par_compute(scalars, |scalar| {
        let mut text = String::new();
        for before in neighbours.chars() {
            for after in neighbours.chars() {
                text.extend([before, scalar, after, '\n', scalar, before, after, '\n']);
                text.extend([
                    before, after, scalar, '\n', before, scalar, scalar, after, '\n', 'x',
                ]);
            }
        }
        check_tokens_of(&text, Shingle::Auto, true);
        check_tokens_of(&text, Shingle::Words, false);
    });
}

#[test]
fn runs_of_chinese_and_japanese_are_cut_as_uax_29_says_whatever_stands_in_them() {
    // All texts of four: Han, Hiragana, Katakana, the mark of length, punctuation of three bytes and of one, what
    // joins letters or digits, marks and joiners, letters whose case depends on others, and what has no class.
    let alphabet: Vec<char> =
        "\u{6f22}\u{3042}\u{30ab}\u{30fc}\u{3002}\u{ff0c}_a1 '\u{301}\u{200d}\u{3005}\u{2600}\u{3a3}"
            .chars()
            .collect();
    mithril_core::par_compute(alphabet.clone(), |first| {
        let mut text = String::new();
        for rest in 0..alphabet.len().pow(3) {
            text.clear();
            text.push(first);
            for place in 0..3 {
                text.push(alphabet[rest / alphabet.len().pow(place) % alphabet.len()]);
            }
            check_tokens_of(&text, Shingle::Auto, true);
            check_tokens_of(&text, Shingle::Words, rest % 2 == 0);
        }
    });
}

#[test]
fn characters_of_ascii_are_cut_alike_wherever_they_stand_in_a_block() {
    let all: Vec<char> = "aZ09_.,;:' \n-\t\u{1c}\u{b}\u{0}\u{7f}".chars().collect();
    let mut state = 1_u64;
    for length in (0..200).chain([1000]) {
        for _ in 0..100 {
            let mut next = || {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                all[(state >> 33) as usize % all.len()]
            };
            check_tokens(&(0..length).map(|_| next()).collect::<String>());
        }
    }
    for byte in 0..128_u8 {
        for at in [0, 1, 62, 63, 64, 65, 127, 128] {
            let mut text = "a".repeat(130);
            text.replace_range(at..=at, std::str::from_utf8(&[byte]).unwrap());
            check_tokens(&text);
        }
    }
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

/// Words of several scripts, marks, spaces and anything at all.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        8 => "[a-zA-Z]{1,9}",
        2 => "[0-9.,:;'_]{1,6}",
        6 => prop::sample::select(vec![" ", "\n", "  ", "\t", "\u{3000}", "\u{a0}"]).prop_map(str::to_owned),
        2 => "[а-яА-Яα-ωΑ-Ωß-ÿÀ-Ö]{1,9}",
        2 => "[ぁ-んァ-ヶー一-龥。、「」]{1,9}",
        1 => "[가-힣]{1,5}",
        1 => "[\u{300}-\u{320}\u{200d}\u{fe0f}\u{ad}\u{e01}-\u{e4e}]{1,3}",
        1 => "[ΣσςİIıﬁẞ’…—]{1,4}",
        1 => any::<String>(),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn any_text_is_cut_as_uax_29_says(text in any_text()) {
        check_tokens(&text);
    }

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
        let naive_one = naive(&naive_tokens(&one, shingle, true), ngram);
        let naive_two = naive(&naive_tokens(&two, shingle, true), ngram);
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
fn shingles_of_no_tokens_are_of_one_however_long_the_text() {
    for text in ["to be or not".to_owned(), "to be or not ".repeat(10_000)] {
        let mut count = 0;
        Shingler::new(options(Shingle::Words, 0))
            .for_each_run(&text, |hashes| {
                count += hashes.len();
                Ok::<(), std::convert::Infallible>(())
            })
            .unwrap();
        assert_eq!(count, Shingler::new(options(Shingle::Words, 1)).hashes(&text).len());
    }
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
