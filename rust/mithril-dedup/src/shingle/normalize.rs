//! Texts that are to count as alike, made alike.

use crate::options::{Form, Normalization};
use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed, DecomposingNormalizer};
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use std::borrow::Cow;

/// Replaces what is in `out` by the normalized `text`; [`Normalization`] says what that is.
pub(crate) fn normalize(
    text: &str,
    normalization: Normalization,
    lowercase: bool,
    out: &mut String,
) {
    out.clear();
    let Normalization { form, casefold, strip_accents, strip_punctuation, collapse_digits } =
        normalization;
    let beyond_accents = strip_punctuation || collapse_digits;
    let mut filter = Filter { normalization, in_digits: false };
    if text.is_ascii() {
        // It is in every form, without marks, and folding it is lower-casing it.
        if beyond_accents {
            out.extend(text.chars().filter_map(|character| filter.pass(character)));
        } else {
            out.push_str(text);
        }
        if casefold || lowercase {
            out.make_ascii_lowercase();
        }
        return;
    }

    let formed = form.map_or(Cow::Borrowed(text), |form| composer(form).normalize(text));
    let cased = if casefold {
        CaseMapper::new().fold_string(&formed)
    } else if lowercase {
        // The standard library's, as where nothing is normalized.
        Cow::Owned(formed.to_lowercase())
    } else {
        Cow::Borrowed(&*formed)
    };
    if strip_accents {
        let decomposed = DecomposingNormalizer::new_nfd().normalize_iter(cased.chars());
        out.extend(decomposed.filter_map(|character| filter.pass(character)));
    } else if beyond_accents {
        out.extend(cased.chars().filter_map(|character| filter.pass(character)));
    } else {
        out.push_str(&cased);
    }
    if let Some(form) = form.or(strip_accents.then_some(Form::Nfc))
        && let Cow::Owned(composed) = composer(form).normalize(out)
    {
        *out = composed;
    }
}

fn composer(form: Form) -> ComposingNormalizerBorrowed<'static> {
    match form {
        Form::Nfc => ComposingNormalizer::new_nfc(),
        Form::Nfkc => ComposingNormalizer::new_nfkc(),
    }
}

/// What is left out of the characters of a text, which pass one after the other.
struct Filter {
    normalization: Normalization,
    /// Whether the last character that was let through stands for a run of digits.
    in_digits: bool,
}

impl Filter {
    /// What the next character of the text becomes, if anything.
    fn pass(&mut self, character: char) -> Option<char> {
        let kind = Kind::of(character);
        if kind == Kind::Mark && self.normalization.strip_accents
            || kind == Kind::Punctuation && self.normalization.strip_punctuation
        {
            // Digits before and after it are one run.
            return None;
        }
        let was_in_digits = self.in_digits;
        self.in_digits = kind == Kind::Digit && self.normalization.collapse_digits;
        match (self.in_digits, was_in_digits) {
            (true, true) => None,
            (true, false) => Some('0'),
            (false, _) => Some(character),
        }
    }
}

/// What the steps tell apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Mn.
    Mark,
    /// Pc, Pd, Ps, Pe, Pi, Pf and Po.
    Punctuation,
    /// Nd.
    Digit,
    Other,
}

impl Kind {
    fn of(character: char) -> Self {
        match character {
            '0'..='9' => return Self::Digit,
            // What ASCII calls punctuation and Unicode a symbol.
            '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => return Self::Other,
            _ if character.is_ascii_punctuation() => return Self::Punctuation,
            _ if character.is_ascii() => return Self::Other,
            _ => {}
        }
        match CodePointMapData::<GeneralCategory>::new().get(character) {
            GeneralCategory::NonspacingMark => Self::Mark,
            GeneralCategory::DecimalNumber => Self::Digit,
            GeneralCategory::ConnectorPunctuation
            | GeneralCategory::DashPunctuation
            | GeneralCategory::OpenPunctuation
            | GeneralCategory::ClosePunctuation
            | GeneralCategory::InitialPunctuation
            | GeneralCategory::FinalPunctuation
            | GeneralCategory::OtherPunctuation => Self::Punctuation,
            _ => Self::Other,
        }
    }
}
