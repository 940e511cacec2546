//! From a text to the hashes of its shingles.

mod class;
mod scan;
mod tokens;
mod words;

use crate::options::{Shingle, Shingling};
use mithril_core::minhash::ngram::ngram_hashes;
use words::Words;

/// Cuts texts into shingles. One belongs to one thread: its buffers are used again and again.
///
/// A shingle is a run of `ngram` tokens; a text with fewer tokens is one shingle of all of them,
/// and a text without a token has none.
///
/// ```
/// use mithril_dedup::{Shingler, Shingling};
/// let mut shingler = Shingler::new(Shingling { ngram: 2, ..Shingling::default() });
/// assert_eq!(shingler.hashes("To be, or not to be").len(), 5);
/// assert_eq!(shingler.hashes("to").len(), 1);
/// assert_eq!(shingler.hashes("").len(), 0);
/// ```
#[derive(Debug, Clone)]
pub struct Shingler {
    shingling: Shingling,
    words: Words,
    tokens: Vec<u64>,
    hashes: Vec<u64>,
}

impl Shingler {
    /// A shingler with buffers of its own.
    #[must_use]
    pub fn new(shingling: Shingling) -> Self {
        Self { shingling, words: Words::default(), tokens: Vec::new(), hashes: Vec::new() }
    }

    /// The hash of every shingle of `text` in its order, repetitions included.
    ///
    /// Lower-casing is that of the Unicode standard, as in Python's `str.lower()`, over the whole
    /// text before it is cut.
    pub fn hashes(&mut self, text: &str) -> &[u64] {
        self.hashes.clear();
        self.tokens.clear();
        let Shingling { shingle, ngram, lowercase } = self.shingling;
        let (words, tokens) = (&mut self.words, &mut self.tokens);
        match shingle {
            Shingle::Auto => {
                words.hash(text, true, lowercase, tokens);
                if tokens.is_empty() {
                    // As in a row of emoji.
                    let lowered = lowercase.then(|| text.to_lowercase());
                    tokens::visible(lowered.as_deref().unwrap_or(text), tokens);
                }
            }
            Shingle::Words => words.hash(text, false, lowercase, tokens),
            Shingle::Whitespace => words.hash_runs(text, lowercase, tokens),
            Shingle::Chars => words.hash_scalars(text, lowercase, tokens),
        }
        ngram_hashes(&self.tokens, ngram, &mut self.hashes);
        &self.hashes
    }

    /// As [`hashes`](Self::hashes), with another hash: `hash` is given the bytes of each shingle.
    ///
    /// These are its tokens in UTF-8, joined by one space, and by nothing where they are characters
    /// ([`Shingle::Chars`]). Every token is hashed as often as there are shingles with it: a good deal
    /// slower than [`hashes`](Self::hashes).
    ///
    /// ```
    /// use mithril_dedup::{Shingler, Shingling};
    /// let mut shingler = Shingler::new(Shingling { ngram: 2, ..Shingling::default() });
    /// let mut seen = Vec::new();
    /// shingler.hashes_with("To be, or", |bytes| {
    ///     seen.push(bytes.to_vec());
    ///     0
    /// });
    /// assert_eq!(seen, [b"to be", b"be or"]);
    /// ```
    pub fn hashes_with(&mut self, text: &str, mut hash: impl FnMut(&[u8]) -> u64) -> &[u64] {
        self.hashes.clear();
        let Shingling { shingle, ngram, lowercase } = self.shingling;
        let lowered = lowercase.then(|| text.to_lowercase());
        let text = lowered.as_deref().unwrap_or(text);
        let mut tokens: Vec<Box<str>> = Vec::new();
        match shingle {
            Shingle::Auto => {
                tokens::auto_words(text, &mut tokens);
                if tokens.is_empty() {
                    tokens::visible(text, &mut tokens);
                }
            }
            Shingle::Words => tokens::words(text, &mut tokens),
            Shingle::Whitespace => tokens::whitespace(text, &mut tokens),
            Shingle::Chars => tokens::chars(text, &mut tokens),
        }
        if tokens.is_empty() {
            return &self.hashes;
        }
        let between = if shingle == Shingle::Chars { "" } else { " " };
        let shingles = tokens.windows(ngram.clamp(1, tokens.len()));
        self.hashes.extend(shingles.map(|shingle| hash(shingle.join(between).as_bytes())));
        &self.hashes
    }

    /// The sorted hashes of the distinct shingles of `text`.
    pub fn set(&mut self, text: &str) -> Vec<u64> {
        let mut set = self.hashes(text).to_vec();
        set.sort_unstable();
        set.dedup();
        set
    }
}
