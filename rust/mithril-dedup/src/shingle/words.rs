//! Words of any text: ASCII by [`scan`], Chinese and Japanese by [`wide`], other text by
//! [`class`](super::class), and by the complete implementation of UAX #29 where that does not know a character.
//!
//! A text is cut where a white space of ASCII is followed by another byte of ASCII that is no space: spaces
//! stay together, and a mark stays with them. No rule of UAX #29 looks across such a place, and neither does
//! that of the final sigma: both sides have the same words apart as together.

use super::class::{Class, class};
use super::scan::{self, Runs};
use super::{tokens, wide};
use mithril_core::minhash::ngram::{scalar_hash, token_hash_within};
use once_cell::race::OnceBox;

/// Buffers that are used for text after text.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    lowered: Vec<u8>,
    text: String,
    /// The class of each character of `text`, and where it begins.
    classes: Vec<(Class, u32)>,
}

impl Words {
    /// Appends the hash of every word of `text` to `hashes`; those of scripts without spaces are cut into
    /// their characters if `by_scalar`.
    pub(super) fn hash(&mut self, text: &str, by_scalar: bool, lower: bool, hashes: &mut Vec<u64>) {
        self.hash_parts(text, Runs::Words, lower, hashes, |words, other, hashes| {
            let (mut end, mut next) = (0, 0);
            while let Some(start) = wide::first(other, next) {
                words.hash_narrow(other.get(end..start), by_scalar, lower, hashes);
                wide::Run { end, next } = wide::hash_run(other, start, by_scalar, hashes);
            }
            words.hash_narrow(other.get(end..), by_scalar, lower, hashes);
        });
    }

    /// As [`hash`](Self::hash), for what stands between the runs of [`wide`].
    fn hash_narrow(
        &mut self,
        text: Option<&str>,
        by_scalar: bool,
        lower: bool,
        hashes: &mut Vec<u64>,
    ) {
        let text = text.unwrap_or_default();
        if text.is_ascii() {
            if !text.is_empty() {
                self.hash_ascii(text, Runs::Words, lower, hashes);
            }
        } else if self.lower(text, lower) {
            self.cut(by_scalar, hashes);
        } else if by_scalar {
            complete(text, lower, |text| tokens::auto_words(text, hashes));
        } else {
            complete(text, lower, |text| tokens::words(text, hashes));
        }
    }

    fn hash_ascii(&mut self, text: &str, runs: Runs, lower: bool, hashes: &mut Vec<u64>) {
        let push = |bytes: &[u8], start, end| hashes.push(token_hash_within(bytes, start, end));
        scan::tokens(text.as_bytes(), runs, lower, &mut self.lowered, push);
    }

    /// As [`hash`](Self::hash), for runs between white space.
    pub(super) fn hash_runs(&mut self, text: &str, lower: bool, hashes: &mut Vec<u64>) {
        self.hash_parts(text, Runs::Whitespace, lower, hashes, |_, other, hashes| {
            complete(other, lower, |text| tokens::whitespace(text, hashes));
        });
    }

    /// Appends the hashes of `runs` in the parts of `text` that are ASCII, and has `beyond_ascii` append those
    /// of the parts between them.
    fn hash_parts(
        &mut self,
        text: &str,
        runs: Runs,
        lower: bool,
        hashes: &mut Vec<u64>,
        mut beyond_ascii: impl FnMut(&mut Self, &str, &mut Vec<u64>),
    ) {
        let mut rest = text;
        loop {
            let (ascii, other, after) = split(rest);
            if !ascii.is_empty() {
                self.hash_ascii(ascii, runs, lower, hashes);
            }
            if other.is_empty() {
                return;
            }
            beyond_ascii(self, other, hashes);
            rest = after;
        }
    }

    /// As [`hash`](Self::hash), for single characters.
    pub(super) fn hash_scalars(text: &str, lower: bool, hashes: &mut Vec<u64>) {
        let before = hashes.len();
        let mut rest = text;
        while !rest.is_empty() {
            let other = first_beyond_ascii(rest.as_bytes()).unwrap_or(rest.len());
            let (ascii, after) = rest.split_at_checked(other).unwrap_or((rest, ""));
            let small = |byte: u8| char::from(if lower { byte.to_ascii_lowercase() } else { byte });
            hashes.extend(ascii.bytes().map(|byte| scalar_hash(small(byte))));
            let mut scalars = after.chars();
            rest = "";
            while let Some(scalar) = scalars.next() {
                if scalar.is_ascii() {
                    hashes.push(scalar_hash(small(scalar as u8)));
                    rest = scalars.as_str();
                    break;
                }
                if lower && class(scalar) == Class::Other {
                    // What it becomes may depend on those around it.
                    hashes.truncate(before);
                    return complete(text, true, |text| tokens::chars(text, hashes));
                }
                hashes.push(scalar_hash(if lower { lower_case(scalar) } else { scalar }));
            }
        }
    }

    /// Puts `text`, in lower case or not, into the buffer, with the classes of its characters; false if one
    /// has none.
    fn lower(&mut self, text: &str, lower: bool) -> bool {
        self.text.clear();
        self.classes.clear();
        if u32::try_from(text.len()).is_err() {
            return false;
        }
        for scalar in text.chars() {
            let class = class(scalar);
            if class == Class::Other {
                return false;
            }
            self.classes.push((class, self.text.len() as u32));
            self.text.push(if lower { lower_case(scalar) } else { scalar });
        }
        true
    }

    /// Cuts the buffer at the boundaries of its words.
    fn cut(&mut self, by_scalar: bool, hashes: &mut Vec<u64>) {
        // Two characters of nothing on either side, so that there always are neighbours.
        let end = (Class::Break, self.text.len() as u32);
        let class_at = |at: usize| self.classes.get(at).copied().unwrap_or(end);
        // Short hashes read sixteen bytes.
        self.text.push_str("                ");
        let bytes = self.text.as_bytes();
        let (mut start, mut is_word) = (0, false);
        let (mut two_before, mut before) = (Class::Break, Class::Break);
        for at in 0..=self.classes.len() {
            let (current, _) = class_at(at);
            if !joins(two_before, before, current, class_at(at + 1).0) {
                if is_word {
                    let (first, from) = class_at(start);
                    let (_, to) = class_at(at);
                    let run = self.classes.get(start..at).unwrap_or_default();
                    if by_scalar
                        && first == Class::Katakana
                        && run.len() > 1
                        && !begins_with_a_mark_of_length(&self.text, from as usize)
                    {
                        for index in start..at {
                            let (from, to) = (class_at(index).1, class_at(index + 1).1);
                            hashes.push(token_hash_within(bytes, from as usize, to as usize));
                        }
                    } else {
                        hashes.push(token_hash_within(bytes, from as usize, to as usize));
                    }
                }
                (start, is_word) = (at, false);
            }
            is_word |=
                matches!(current, Class::Letter | Class::Digit | Class::Katakana | Class::Single);
            (two_before, before) = (before, current);
        }
    }
}

/// Whether there is no word boundary between `before` and `current` (UAX #29, rules 5 to 13b).
#[inline]
fn joins(two_before: Class, before: Class, current: Class, after: Class) -> bool {
    use Class::{Between, BetweenDigits, BetweenLetters, Digit, Katakana, Letter, Underscore};
    match (before, current) {
        (Letter | Digit, Letter | Digit | Underscore)
        | (Katakana, Katakana | Underscore)
        | (Underscore, Letter | Digit | Katakana | Underscore) => true,
        (Letter, BetweenLetters | Between) => after == Letter,
        (BetweenLetters | Between, Letter) => two_before == Letter,
        (Digit, BetweenDigits | Between) => after == Digit,
        (BetweenDigits | Between, Digit) => two_before == Digit,
        _ => false,
    }
}

/// The mark that makes the vowel before it long belongs to Hiragana and Katakana alike: its script is
/// neither, so that a word that begins with it is not cut.
fn begins_with_a_mark_of_length(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|text| text.starts_with('\u{30fc}'))
}

/// `text` up to a boundary before its first character beyond ASCII; from there to one behind that character;
/// and the rest.
fn split(text: &str) -> (&str, &str, &str) {
    let bytes = text.as_bytes();
    let Some(other) = first_beyond_ascii(bytes) else { return (text, "", "") };
    let mut before = bytes.get(..other).unwrap_or_default().windows(2);
    let start = before.rposition(is_boundary).map_or(0, |at| at + 1);
    let end = boundary(bytes, other + 1);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    (part(0, start), part(start, end), part(end, bytes.len()))
}

/// `text` up to the first boundary after `least` bytes, and the rest.
pub(crate) fn split_piece(text: &str, least: usize) -> (&str, &str) {
    let bytes = text.as_bytes();
    let end = boundary(bytes, least.max(1));
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The first boundary from `start` on, which is not 0, or the end.
fn boundary(bytes: &[u8], start: usize) -> usize {
    let found = bytes.get(start - 1..).and_then(|rest| rest.windows(2).position(is_boundary));
    found.map_or(bytes.len(), |at| start + at)
}

/// Whether words can be cut between two bytes without looking at what is around them.
#[inline]
fn is_boundary(pair: &[u8]) -> bool {
    matches!(*pair, [b'\t' | b'\n' | b'\r' | b' ', after] if after.is_ascii() && after != b' ')
}

fn first_beyond_ascii(bytes: &[u8]) -> Option<usize> {
    const HIGH: u128 = u128::from_ne_bytes([0x80; 16]);
    let (chunks, _) = bytes.as_chunks::<16>();
    let is_ascii = |chunk: &&[u8; 16]| u128::from_ne_bytes(**chunk) & HIGH == 0;
    let start = 16 * chunks.iter().take_while(is_ascii).count();
    let rest = bytes.get(start..).unwrap_or_default();
    rest.iter().position(|byte| !byte.is_ascii()).map(|at| start + at)
}

/// The standard library's lower case of the whole, not of each character: a final sigma depends on what
/// stands around it.
fn complete(text: &str, lower: bool, cut: impl FnOnce(&str)) {
    if lower { cut(&text.to_lowercase()) } else { cut(text) }
}

/// Lower case for characters that have a class: always one character, whatever stands around it.
#[inline]
fn lower_case(scalar: char) -> char {
    const END: usize = 0x2000;
    static TABLE: OnceBox<[char; END]> = OnceBox::new();
    let simple = |scalar: char| scalar.to_lowercase().next().unwrap_or(scalar);
    match u32::from(scalar) {
        0..0x80 => scalar.to_ascii_lowercase(),
        number @ 0x80..0x2000 => {
            let table = TABLE.get_or_init(|| {
                let of = |number: usize| char::from_u32(number as u32).map_or('\0', simple);
                Box::new(std::array::from_fn(of))
            });
            table.get(number as usize).copied().unwrap_or(scalar)
        }
        0xff21..=0xff3a => simple(scalar),
        // What else has a class has no case.
        _ => scalar,
    }
}
