//! Chinese and Japanese: characters of three bytes in UTF-8, of which most are words by themselves.
//!
//! A boundary is before and behind each of them, whatever stands there, but for marks and the like that are
//! joined to the one before. So text can be cut at them as at its ends, and they are hashed in one loop: manual
//! pages and messages, a quarter of them ASCII, at 114 MB/s up to the bands where going by the rules of
//! UAX #29 from character to character has 84.

use super::class::{Class, class};
use mithril_core::minhash::ngram::scalar_hash;

/// Where the first character is that can begin a run, at `at` or after it.
///
/// Among those are no pictograms, which a joiner before them would join to what that stands behind, no space, which is
/// joined to another before it, and nothing that the case of what stands before depends on.
pub(super) fn first(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = at;
    // The first bytes of U+3000 to U+9FFF.
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| matches!(byte, 0xe3..=0xe9)) {
        at += found;
        let number = number(bytes, at)?;
        if is_alone(number) || matches!(number, 0x3001..=0x3002 | 0x3008..=0x3011) {
            return Some(at);
        }
        at += 3;
    }
    None
}

/// A run of such characters, and what comes behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Where the part behind it begins.
    pub(super) end: usize,
    /// Where the next run can begin at the earliest.
    pub(super) next: usize,
}

/// Appends the hashes of the words of the run that begins at `start`, where [`first`] has found it.
///
/// The last character of it is left to the part behind it if that begins with something that may be joined to it.
pub(super) fn hash_run(text: &str, start: usize, by_scalar: bool, hashes: &mut Vec<u64>) -> Run {
    let bytes = text.as_bytes();
    let mut at = start;
    // What is left to the part behind the run begins here, and so many hashes come before.
    let (mut kept_until, mut kept) = (start, hashes.len());
    let mut after_space = false;
    loop {
        if let Some(number) = number(bytes, at)
            && is_alone(number)
        {
            (kept_until, kept) = (at, hashes.len());
            hashes.push(scalar_hash(char::from_u32(number).unwrap_or_default()));
            after_space = false;
            at += 3;
            continue;
        }
        let Some(scalar) = text.get(at..).and_then(|rest| rest.chars().next()) else {
            return Run { end: at, next: at };
        };
        let length = scalar.len_utf8();
        // Spaces are joined to each other (rule 3d), and a mark to all of them.
        let follows_space = std::mem::replace(&mut after_space, is_space(scalar)) && after_space;
        match class(scalar) {
            Class::Break if follows_space => {}
            // Between letters or digits they would join them; they are behind something else.
            Class::Break | Class::Between | Class::BetweenLetters | Class::BetweenDigits => {
                (kept_until, kept) = (at, hashes.len());
            }
            Class::Single => {
                (kept_until, kept) = (at, hashes.len());
                hashes.push(scalar_hash(scalar));
            }
            // A mark of length before the others makes a word of them.
            Class::Katakana if by_scalar && scalar != '\u{30fc}' => {
                (kept_until, kept) = (at, hashes.len());
                let end = katakana(text, at);
                let run = text.get(at..end).unwrap_or_default();
                hashes.extend(run.chars().map(scalar_hash));
                let next = text.get(end..).and_then(|rest| rest.chars().next()).map(class);
                if next == Some(Class::Underscore) {
                    hashes.truncate(kept);
                    return Run { end: at, next: end };
                }
                at = end;
                continue;
            }
            Class::Other => {
                hashes.truncate(kept);
                return Run { end: kept_until, next: at + length };
            }
            _ => return Run { end: at, next: at },
        }
        at += length;
    }
}

/// `WSegSpace`.
fn is_space(scalar: char) -> bool {
    matches!(
        scalar,
        ' ' | '\u{1680}'
            | '\u{2000}'..='\u{2006}'
            | '\u{2008}'..='\u{200a}'
            | '\u{205f}'
            | '\u{3000}'
    )
}

/// The end of the Katakana that begins at `at`.
fn katakana(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let is_katakana = |&at: &usize| {
        let scalar = number(bytes, at).and_then(char::from_u32);
        scalar.is_some_and(|scalar| class(scalar) == Class::Katakana)
    };
    (at..).step_by(3).find(|at| !is_katakana(at)).unwrap_or(at)
}

/// Han but for the rarest, and Hiragana: always [`Class::Single`].
#[inline]
fn is_alone(number: u32) -> bool {
    matches!(number, 0x3041..=0x3096 | 0x3400..=0x4dbf | 0x4e00..=0x9fff)
}

/// The character of three bytes at `at`, if there is one.
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let &[first, second, third] = bytes.get(at..)?.first_chunk()?;
    let bits = |byte: u8| u32::from(byte & 0x3f);
    (first & 0xf0 == 0xe0).then(|| u32::from(first & 0xf) << 12 | bits(second) << 6 | bits(third))
}
