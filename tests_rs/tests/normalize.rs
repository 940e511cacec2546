//! Normalization against its definition, step by step, over other tables than those of the crate.
//!
//! Shingles of one character show the whole text: two texts are equal when their hashes are.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use mithril_dedup::{DedupOptions, Form, Normalization, Shingle, Shingler, Shingling};
use proptest::prelude::*;
use proptest::sample::select;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// The characters of `text` once it is normalized.
fn normalized(text: &str, normalization: Normalization, lowercase: bool) -> Vec<u64> {
    let shingling = Shingling { shingle: Shingle::Chars, ngram: 1, lowercase, normalization };
    Shingler::new(shingling).hashes(text).to_vec()
}

/// The characters of `text` as it is.
fn as_it_is(text: &str) -> Vec<u64> {
    normalized(text, Normalization::default(), false)
}

/// The definition, one step after the other.
fn naive(text: &str, normalization: Normalization, lowercase: bool) -> String {
    let Normalization { form, casefold, strip_accents, strip_punctuation, collapse_digits } =
        normalization;
    let mut text = in_form(text, form);
    if casefold {
        text = text.chars().map(naive_fold).collect();
    } else if lowercase {
        text = text.to_lowercase();
    }
    if strip_accents {
        text = text.nfd().collect();
        text.retain(|character| character.general_category() != GeneralCategory::NonspacingMark);
    }
    if strip_punctuation {
        text.retain(|character| {
            character.general_category_group() != GeneralCategoryGroup::Punctuation
        });
    }
    if collapse_digits {
        let digit =
            |character: char| character.general_category() == GeneralCategory::DecimalNumber;
        let before = std::iter::once(None).chain(text.chars().map(Some));
        let first = |(before, character): (Option<char>, char)| match character {
            _ if !digit(character) => Some(character),
            _ if before.is_some_and(digit) => None,
            _ => Some('0'),
        };
        text = before.zip(text.chars()).filter_map(first).collect();
    }
    in_form(&text, form.or(strip_accents.then_some(Form::Nfc)))
}

fn in_form(text: &str, form: Option<Form>) -> String {
    match form {
        None => text.to_owned(),
        Some(Form::Nfc) => text.nfc().collect(),
        Some(Form::Nfkc) => text.nfkc().collect(),
    }
}

/// Folding is lower-casing the upper case, but for these.
fn naive_fold(character: char) -> String {
    match character {
        // Dotless, which folds to a dotted one in no language.
        'ı' => "ı".to_owned(),
        'ẞ' => "ss".to_owned(),
        // Cherokee got its small letters later.
        '\u{13a0}'..='\u{13fd}' | '\u{ab70}'..='\u{abbf}' => character.to_uppercase().collect(),
        _ => character.to_uppercase().flat_map(char::to_lowercase).collect(),
    }
}

/// Whether the standard library's tables may not know the case of `character`, new in Unicode 18.
fn is_new(character: char) -> bool {
    matches!(character,
        '\u{a7dd}'..='\u{a7e2}' | '\u{ab6c}'..='\u{ab6d}' | '\u{1df40}'..='\u{1df9f}')
}

fn all() -> impl Iterator<Item = (Normalization, bool)> {
    let forms = [None, Some(Form::Nfc), Some(Form::Nfkc)];
    forms.into_iter().flat_map(|form| {
        (0..32).map(move |bits| {
            let normalization = Normalization {
                form,
                casefold: bits & 1 != 0,
                strip_accents: bits & 2 != 0,
                strip_punctuation: bits & 4 != 0,
                collapse_digits: bits & 8 != 0,
            };
            (normalization, bits & 16 != 0)
        })
    })
}

fn every() -> Normalization {
    Normalization {
        form: Some(Form::Nfkc),
        casefold: true,
        strip_accents: true,
        strip_punctuation: true,
        collapse_digits: true,
    }
}

/// Any characters, and often those that have something to do with each other.
fn texts() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => any::<char>(),
        4 => prop::char::range(' ', '~'),
        4 => one_of("\u{300}\u{301}\u{307}\u{308}\u{30c}\u{323}\u{338}\u{345}\u{5b0}\u{94d}\u{20e3}"),
        4 => one_of("aeiIjsSkKåÅÅKΩΑαιᾳᾼΐΰǰŉßẞﬁﬅſẛİıΣσςᏣꮳꭰՙև"),
        2 => one_of("\u{1100}\u{1161}\u{11a8}가\u{9c7}\u{9be}\u{9cb}\u{3b0}\u{37a}\u{958}"),
        2 => one_of("0189٠٩۳२２𝟗²½Ⅳ①"),
        2 => one_of("«»‘’“”…·;؟。、_‿–—⁅≠´`"),
    ];
    prop::collection::vec(character, 0..24)
        .prop_map(|text| text.into_iter().filter(|&character| !is_new(character)).collect())
}

fn one_of(characters: &str) -> impl Strategy<Value = char> + use<> {
    select(characters.chars().collect::<Vec<_>>())
}

fn normalizations() -> impl Strategy<Value = (Normalization, bool)> {
    select(all().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn texts_become_what_the_definition_says(text in texts(), (normalization, lowercase) in normalizations()) {
        let naive = naive(&text, normalization, lowercase);
        prop_assert_eq!(normalized(&text, normalization, lowercase), as_it_is(&naive), "{:?}", naive);
    }

    #[test]
    fn twice_is_once(text in texts(), (normalization, lowercase) in normalizations()) {
        let once = naive(&text, normalization, lowercase);
        prop_assert_eq!(normalized(&once, normalization, lowercase), as_it_is(&once), "{:?}", once);
    }

    #[test]
    fn ascii_becomes_what_it_does_within_other_texts(
        text in "[ -~\t\n]{0,40}", (normalization, lowercase) in normalizations(),
    ) {
        let mut expected = normalized(&text, normalization, lowercase);
        expected.extend(as_it_is("中"));
        prop_assert_eq!(normalized(&format!("{text}中"), normalization, lowercase), expected);
    }

    #[test]
    fn one_shingler_forgets_the_text_before(one in texts(), two in texts(), (normalization, lowercase) in normalizations()) {
        let shingling = Shingling { shingle: Shingle::Chars, ngram: 1, lowercase, normalization };
        let mut shingler = Shingler::new(shingling);
        shingler.hashes(&one);
        prop_assert_eq!(shingler.hashes(&two), normalized(&two, normalization, lowercase));
    }

    #[test]
    fn with_a_form_texts_that_are_canonically_equivalent_become_one(text in texts(), (normalization, lowercase) in normalizations()) {
        if normalization.form.is_some() {
            let decomposed: String = text.nfd().collect();
            prop_assert_eq!(
                normalized(&decomposed, normalization, lowercase),
                normalized(&text, normalization, lowercase)
            );
        }
    }
}

#[test]
fn every_assigned_character_becomes_what_the_definition_says_and_stays_that() {
    let nothing = [GeneralCategory::Unassigned, GeneralCategory::PrivateUse];
    let characters = ('\0'..=char::MAX).filter(|&character| {
        !is_new(character) && !nothing.contains(&character.general_category())
    });
    let text: String = characters.flat_map(|character| [character, '\n']).collect();
    for (normalization, lowercase) in all() {
        let once = naive(&text, normalization, lowercase);
        let expected = as_it_is(&once);
        for text in [&text, &once] {
            let found = normalized(text, normalization, lowercase);
            let first = found.iter().zip(&expected).position(|(found, expected)| found != expected);
            let place = first.and_then(|first| once.char_indices().nth(first));
            assert_eq!(place, None, "{normalization:?} {lowercase}");
            assert_eq!(found.len(), expected.len(), "{normalization:?} {lowercase}");
        }
    }
}

#[test]
fn nothing_is_nothing() {
    let nothing = Normalization::default();
    assert!(nothing.is_nothing());
    assert!(!every().is_nothing());
    assert_eq!(nothing, Shingling::default().normalization);
    let text = "ﬁ É e\u{301} «ΑΣ» ẞ 12 ١٢";
    assert_eq!(normalized(text, nothing, true), as_it_is(&text.to_lowercase()));
}

#[test]
fn forms() {
    let of = |form| Normalization { form: Some(form), ..Normalization::default() };
    let found = |text: &str, form| normalized(text, of(form), false);
    for form in [Form::Nfc, Form::Nfkc] {
        assert_eq!(found("A\u{30a} \u{212b} Å", form), as_it_is("Å Å Å"));
        assert_eq!(found("\u{1100}\u{1161}", form), as_it_is("가"));
    }
    assert_eq!(found("ﬁ２²…", Form::Nfc), as_it_is("ﬁ２²…"));
    assert_eq!(found("ﬁ２²…", Form::Nfkc), as_it_is("fi22..."));
}

#[test]
fn case() {
    let casefold = Normalization { casefold: true, ..Normalization::default() };
    for lowercase in [false, true] {
        let found = |text: &str| normalized(text, casefold, lowercase);
        assert_eq!(found("Straße STRASSE STRAẞE"), as_it_is("strasse strasse strasse"));
        assert_eq!(found("ΣΊΣΥΦΟΣ Σίσυφος"), as_it_is("σίσυφοσ σίσυφοσ"));
        assert_eq!(found("İstanbul ISPARTA ı"), as_it_is("i\u{307}stanbul isparta ı"));
        assert_eq!(found("ASCII only"), as_it_is("ascii only"));
    }
    // Beside another step, lower-casing is what it is alone.
    let form = Normalization { form: Some(Form::Nfc), ..Normalization::default() };
    assert_eq!(normalized("ΣΊΣΥΦΟΣ ẞ İ", form, true), as_it_is("σίσυφος ß i\u{307}"));
    assert_eq!(normalized("ΣΊΣΥΦΟΣ ẞ İ", form, false), as_it_is("ΣΊΣΥΦΟΣ ẞ İ"));
}

#[test]
fn accents() {
    let accents = Normalization { strip_accents: true, ..Normalization::default() };
    let found = |text: &str| normalized(text, accents, false);
    assert_eq!(found("Åé e\u{301}ё ≠ Việt"), as_it_is("Ae e\u{435} = Viet"));
    assert_eq!(found("łø가 12, ½"), as_it_is("łø가 12, ½"));
    assert_eq!(found("שָׁלוֹם"), as_it_is("שלום"));
    // A spacing mark stays, a nonspacing one goes.
    assert_eq!(found("की कु"), as_it_is("की क"));
    assert_eq!(normalized("İ", accents, true), as_it_is("i"));
}

#[test]
fn punctuation() {
    let punctuation = Normalization { strip_punctuation: true, ..Normalization::default() };
    let found = |text: &str| normalized(text, punctuation, false);
    assert_eq!(found("«quotes» “can't” – well-known…"), as_it_is("quotes cant  wellknown"));
    assert_eq!(found("¿que? 你好，世界。"), as_it_is("que 你好世界"));
    assert_eq!(found("!\"#%&'()*,-./:;?@[\\]_{}"), as_it_is(""));
    assert_eq!(found("$+<=>^`|~ €÷´"), as_it_is("$+<=>^`|~ €÷´"));
    // What it stood between is composed where a form is asked for, and left alone where none is.
    let composed = Normalization { form: Some(Form::Nfc), ..punctuation };
    assert_eq!(normalized("e.\u{301}", composed, false), as_it_is("é"));
    assert_eq!(found("e.\u{301}"), as_it_is("e\u{301}"));
}

#[test]
fn digits() {
    let digits = Normalization { collapse_digits: true, ..Normalization::default() };
    let found = |text: &str| normalized(text, digits, false);
    assert_eq!(found("7 42 1,024 a1b22"), as_it_is("0 0 0,0 a0b0"));
    assert_eq!(found("٣ ١٢٣ १2 ２٣𝟗"), as_it_is("0 0 0 0"));
    assert_eq!(found("²½Ⅳ①"), as_it_is("²½Ⅳ①"));
    let compatible = Normalization { form: Some(Form::Nfkc), ..digits };
    assert_eq!(normalized("10² ①", compatible, false), as_it_is("0 0"));
    let both = Normalization { strip_punctuation: true, ..digits };
    assert_eq!(normalized("1,024 1.024 ١٬٠٢٤", both, false), as_it_is("0 0 0"));
}

#[test]
fn words_are_those_of_the_normalized_text() {
    let shingling = |normalization| Shingling { ngram: 1, normalization, ..Shingling::default() };
    let mut plain = Shingler::new(shingling(Normalization::default()));
    let expected = plain.set("the cafe at 0 rue fin");
    let mut shingler = Shingler::new(shingling(every()));
    assert_eq!(shingler.set("«The CAFÉ, at 12–14 rue ﬁn!»"), expected);
    assert_eq!(shingler.hashes("... «—» !"), plain.hashes(""));
}

#[test]
fn options_are_flat_in_json() {
    let json = serde_json::to_value(DedupOptions::default()).unwrap();
    assert_eq!(json["unicode_form"], serde_json::Value::Null);
    for name in ["casefold", "strip_accents", "strip_punctuation", "collapse_digits"] {
        assert_eq!(json[name], false, "{name}");
    }
    let shingling = Shingling { normalization: every(), ..Shingling::default() };
    let options = DedupOptions { shingling, ..DedupOptions::default() };
    let json = serde_json::to_value(&options).unwrap();
    assert_eq!(json["unicode_form"], "nfkc");
    assert_eq!(json["collapse_digits"], true);
    assert_eq!(serde_json::from_value::<DedupOptions>(json).unwrap(), options);
}
