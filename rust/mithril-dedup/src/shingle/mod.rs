//! From a text to the hashes of its shingles.

mod tokens;

use crate::options::{Shingle, Shingling};
use mithril_core::minhash::ngram::ngram_hashes;

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
    lowered: String,
    tokens: Vec<u64>,
    hashes: Vec<u64>,
}

impl Shingler {
    /// A shingler with buffers of its own.
    #[must_use]
    pub fn new(shingling: Shingling) -> Self {
        Self { shingling, lowered: String::new(), tokens: Vec::new(), hashes: Vec::new() }
    }

    /// The hash of every shingle of `text` in its order, repetitions included.
    ///
    /// Lower-casing is that of the Unicode standard, as in Python's `str.lower()`, over the whole
    /// text before it is cut.
    pub fn hashes(&mut self, text: &str) -> &[u64] {
        self.hashes.clear();
        self.tokens.clear();
        let text = if self.shingling.lowercase {
            self.lowered.clear();
            if text.is_ascii() {
                self.lowered.push_str(text);
                self.lowered.make_ascii_lowercase();
            } else {
                // The standard library's, not a per-character mapping: a final sigma depends on
                // what stands around it.
                self.lowered = text.to_lowercase();
            }
            &self.lowered
        } else {
            text
        };
        match self.shingling.shingle {
            Shingle::Auto => tokens::auto(text, &mut self.tokens),
            Shingle::Whitespace => tokens::whitespace(text, &mut self.tokens),
            Shingle::Words => tokens::words(text, &mut self.tokens),
            Shingle::Chars => tokens::chars(text, &mut self.tokens),
        }
        ngram_hashes(&self.tokens, self.shingling.ngram, &mut self.hashes);
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
