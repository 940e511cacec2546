//! What a character does to the words around it: the part of UAX #29 that most text needs.
//!
//! Marks, format characters, joiners, flags, scripts with marks inside words and whatever else is not
//! named here are [`Class::Other`]; text with one of them is left to the complete implementation.
//! `tests_rs/tests/shingle.rs` compares every character of the table with that, among neighbours of all kinds.

/// The word-break property, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Class {
    /// Ends words and is none: white space, most punctuation and symbols.
    Break,
    /// `ALetter`.
    Letter,
    /// `Numeric`.
    Digit,
    /// `ExtendNumLet`: part of a word beside letters and digits, and none alone.
    Underscore,
    /// `MidLetter`: part of a word between two letters.
    BetweenLetters,
    /// `MidNum`: part of a word between two digits.
    BetweenDigits,
    /// `MidNumLet` and `Single_Quote`: between two letters or two digits.
    Between,
    /// A word by itself: Han, Hiragana, numerals in circles.
    Single,
    /// `Katakana`: words of their own kind.
    Katakana,
    /// Ask the complete implementation.
    Other,
}

use Class::{
    Between, BetweenDigits, BetweenLetters, Break, Digit, Katakana, Letter, Other, Single,
    Underscore,
};

/// The characters below this are in the table.
const TABLE_END: u32 = 0x3100;

/// First and last character of each range, those of the Basic Latin block first.
const RANGES: &[(u32, u32, Class)] = &[
    (0x00, 0x7f, Break),
    (0x27, 0x27, Between),
    (0x2c, 0x2c, BetweenDigits),
    (0x2e, 0x2e, Between),
    (0x30, 0x39, Digit),
    (0x3a, 0x3a, BetweenLetters),
    (0x3b, 0x3b, BetweenDigits),
    (0x41, 0x5a, Letter),
    (0x5f, 0x5f, Underscore),
    (0x61, 0x7a, Letter),
    // Latin-1 and Latin Extended. The capital dotted I becomes two characters in lower case.
    (0x80, 0xa9, Break),
    (0xaa, 0xaa, Letter),
    (0xab, 0xac, Break),
    (0xae, 0xb1, Break),
    (0xb2, 0xb3, Single),
    (0xb4, 0xb4, Break),
    (0xb5, 0xb5, Letter),
    (0xb6, 0xb6, Break),
    (0xb7, 0xb7, BetweenLetters),
    (0xb9, 0xb9, Single),
    (0xba, 0xba, Letter),
    (0xbb, 0xbb, Break),
    (0xbc, 0xbe, Single),
    (0xbf, 0xbf, Break),
    (0xc0, 0xd6, Letter),
    (0xd7, 0xd7, Break),
    (0xd8, 0xf6, Letter),
    (0xf7, 0xf7, Break),
    (0xf8, 0x12f, Letter),
    (0x131, 0x2c1, Letter),
    // Greek, without the capital sigma, whose lower case depends on what follows; Cyrillic; Armenian.
    (0x386, 0x386, Letter),
    (0x388, 0x38a, Letter),
    (0x38c, 0x38c, Letter),
    (0x38e, 0x3a1, Letter),
    (0x3a4, 0x3f5, Letter),
    (0x3f6, 0x3f6, Break),
    (0x3f7, 0x481, Letter),
    (0x48a, 0x52f, Letter),
    (0x531, 0x556, Letter),
    (0x560, 0x588, Letter),
    // Hebrew and Arabic letters and Arabic digits; their marks are not here.
    (0x60c, 0x60d, BetweenDigits),
    (0x61b, 0x61b, Break),
    (0x61d, 0x61f, Break),
    (0x620, 0x64a, Letter),
    (0x660, 0x669, Digit),
    (0x671, 0x6d3, Letter),
    (0x6d4, 0x6d4, Break),
    (0x6f0, 0x6f9, Digit),
    // Latin for Vietnamese, and polytonic Greek.
    (0x1e00, 0x1f15, Letter),
    (0x1f18, 0x1f1d, Letter),
    (0x1f20, 0x1f45, Letter),
    (0x1f48, 0x1f4d, Letter),
    (0x1f50, 0x1f57, Letter),
    (0x1f60, 0x1f7d, Letter),
    // General punctuation.
    (0x2000, 0x200b, Break),
    (0x2010, 0x2017, Break),
    (0x2018, 0x2019, Between),
    (0x201a, 0x2023, Break),
    (0x2024, 0x2024, Between),
    (0x2025, 0x2026, Break),
    (0x2027, 0x2027, BetweenLetters),
    (0x2028, 0x2029, Break),
    (0x202f, 0x202f, Underscore),
    (0x2030, 0x203e, Break),
    (0x203f, 0x2040, Underscore),
    (0x2041, 0x2043, Break),
    (0x2044, 0x2044, BetweenDigits),
    (0x2045, 0x2053, Break),
    (0x2054, 0x2054, Underscore),
    (0x2055, 0x205f, Break),
    // Currency, arrows, mathematics, boxes, symbols.
    (0x20a0, 0x20c0, Break),
    (0x2190, 0x23ff, Break),
    (0x2500, 0x2775, Break),
    (0x2794, 0x2bff, Break),
    // Chinese and Japanese punctuation, Hiragana, Katakana.
    (0x3000, 0x3004, Break),
    (0x3006, 0x3007, Single),
    (0x3008, 0x3020, Break),
    (0x3030, 0x3030, Break),
    (0x303d, 0x303f, Break),
    (0x3041, 0x3096, Single),
    (0x309d, 0x309f, Single),
    (0x30a1, 0x30fa, Katakana),
    (0x30fb, 0x30fb, Break),
    (0x30fc, 0x30ff, Katakana),
];

static TABLE: [Class; TABLE_END as usize] = {
    let mut table = [Other; TABLE_END as usize];
    let mut range = 0;
    while range < RANGES.len() {
        let (first, last, class) = RANGES[range];
        let mut scalar = first;
        while scalar <= last {
            table[scalar as usize] = class;
            scalar += 1;
        }
        range += 1;
    }
    table
};

/// The class of a character.
#[inline]
pub(super) fn class(scalar: char) -> Class {
    let number = u32::from(scalar);
    if let Some(&class) = TABLE.get(number as usize) {
        return class;
    }
    match number {
        0x3400..=0x4dbf | 0x4e00..=0x9fff => Single,
        0xac00..=0xd7a3 | 0xff21..=0xff3a | 0xff41..=0xff5a => Letter,
        0xff10..=0xff19 => Digit,
        0xff07 | 0xff0e => Between,
        0xff0c | 0xff1b => BetweenDigits,
        0xff1a => BetweenLetters,
        0xff3f => Underscore,
        0xff01..=0xff06
        | 0xff08..=0xff0b
        | 0xff0d
        | 0xff0f
        | 0xff1c..=0xff20
        | 0xff3b..=0xff3e
        | 0xff40
        | 0xff5b..=0xff65 => Break,
        _ => Other,
    }
}
