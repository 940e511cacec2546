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

    /// The sorted hashes of the distinct shingles of `text`.
    pub fn set(&mut self, text: &str) -> Vec<u64> {
        let mut set = self.hashes(text).to_vec();
        set.sort_unstable();
        set.dedup();
        set
    }
}
