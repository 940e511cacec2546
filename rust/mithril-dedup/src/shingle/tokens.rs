//! The ways to cut a text into tokens by their definitions, for all of Unicode: the tokens, or their
//! hashes, in their order. [`words`](super::words) is faster where it knows every character.

use mithril_core::minhash::ngram::{scalar_hash, token_hash};
use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

/// What a token becomes.
pub(super) trait Token {
    fn of(text: &str) -> Self;
    fn of_scalar(scalar: char) -> Self;
}

/// Its hash.
impl Token for u64 {
    #[inline]
    fn of(text: &str) -> Self {
        token_hash(text.as_bytes())
    }

    #[inline]
    fn of_scalar(scalar: char) -> Self {
        scalar_hash(scalar)
    }
}

/// Itself.
impl Token for Box<str> {
    fn of(text: &str) -> Self {
        text.into()
    }

    fn of_scalar(scalar: char) -> Self {
        Self::of(scalar.encode_utf8(&mut [0; 4]))
    }
}

/// What Python's `str.isspace` is true for: Unicode white space, and the four separators of ASCII.
fn is_python_space(scalar: char) -> bool {
    scalar.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&scalar)
}

/// Runs between white space, as Python's `str.split()` gives them.
pub(super) fn whitespace<T: Token>(text: &str, tokens: &mut Vec<T>) {
    let runs = text.split(is_python_space).filter(|run| !run.is_empty());
    tokens.extend(runs.map(T::of));
}

/// UAX #29 segments that hold a letter or a digit.
pub(super) fn words<T: Token>(text: &str, tokens: &mut Vec<T>) {
    tokens.extend(text.unicode_words().map(T::of));
}

/// Unicode scalar values.
pub(super) fn chars<T: Token>(text: &str, tokens: &mut Vec<T>) {
    scalars(text.chars(), tokens);
}

/// UAX #29 words, cut into their characters where the script is written without spaces.
pub(super) fn auto_words<T: Token>(text: &str, tokens: &mut Vec<T>) {
    for word in text.unicode_words() {
        if word.chars().next().is_some_and(is_of_unspaced_script) {
            scalars(word.chars(), tokens);
        } else {
            tokens.push(T::of(word));
        }
    }
}

/// The characters other than white space.
pub(super) fn visible<T: Token>(text: &str, tokens: &mut Vec<T>) {
    scalars(text.chars().filter(|&scalar| !is_python_space(scalar)), tokens);
}

fn scalars<T: Token>(text: impl Iterator<Item = char>, tokens: &mut Vec<T>) {
    tokens.extend(text.map(T::of_scalar));
}

/// Whether words of the character's script are written without spaces between them: the scripts
/// whose line breaks need a dictionary (UAX #14, classes SA and ID) that are in living use.
fn is_of_unspaced_script(scalar: char) -> bool {
    !scalar.is_ascii()
        && matches!(
            scalar.script(),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Bopomofo
                | Script::Yi
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
                | Script::Tai_Le
                | Script::New_Tai_Lue
                | Script::Tai_Tham
                | Script::Tai_Viet
                | Script::Javanese
                | Script::Balinese
                | Script::Tibetan
        )
}
