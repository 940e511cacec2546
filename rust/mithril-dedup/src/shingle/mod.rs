//! From a text to the hashes of its shingles.

mod class;
mod normalize;
mod scan;
mod tokens;
mod wide;
mod words;

use crate::options::{Normalization, Shingle, Shingling};
use mithril_core::minhash::ngram::ngram_hashes;
use words::Words;
pub(crate) use words::split_piece;

/// Bytes of text that are cut at a time: few enough that text, tokens and hashes stay in the second-level
/// cache.
const PIECE: usize = 64 << 10;

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
    /// For texts that are normalized, when there are any.
    plain: Option<Box<Self>>,
}

impl Shingler {
    /// A shingler with buffers of its own.
    #[must_use]
    pub fn new(shingling: Shingling) -> Self {
        let (tokens, hashes) = (Vec::new(), Vec::new());
        Self { shingling, words: Words::default(), tokens, hashes, plain: None }
    }

    /// The hash of every shingle of `text` in its order, repetitions included.
    ///
    /// Lower-casing is that of the Unicode standard, as in Python's `str.lower()`, over the whole
    /// text before it is cut; [`Normalization`](crate::Normalization) says what else may be done to it.
    pub fn hashes(&mut self, text: &str) -> &[u64] {
        if let Some(prepared) = self.shingling.prepared(text) {
            self.plain().hashes_of(&prepared)
        } else {
            self.hashes_of(text)
        }
    }

    /// Calls `visit` with the hashes of [`hashes`](Self::hashes) in runs of some thousands, so that long
    /// texts are never in memory as shingles.
    ///
    /// # Errors
    ///
    /// Those of `visit`, which end it.
    ///
    /// ```
    /// use mithril_dedup::{Shingler, Shingling};
    /// let mut shingler = Shingler::new(Shingling::default());
    /// let text = "A text of a million words or so. ".repeat(100_000);
    /// let mut count = 0;
    /// shingler.for_each_run(&text, |hashes| {
    ///     count += hashes.len();
    ///     Ok::<(), std::convert::Infallible>(())
    /// })?;
    /// assert_eq!(count, shingler.hashes(&text).len());
    /// # Ok::<(), std::convert::Infallible>(())
    /// ```
    pub fn for_each_run<E>(
        &mut self,
        text: &str,
        mut visit: impl FnMut(&[u64]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(prepared) = self.shingling.prepared(text) {
            return self.plain().for_each_run(&prepared, visit);
        }
        if text.len() <= PIECE {
            return visit(self.hashes_of(text));
        }
        let ngram = self.shingling.ngram.max(1);
        let (mut rest, mut complete) = (text, false);
        self.tokens.clear();
        while !rest.is_empty() {
            let (piece, after) = split_piece(rest, PIECE);
            self.cut(piece);
            rest = after;
            if self.tokens.len() >= ngram {
                complete = true;
                self.hashes.clear();
                ngram_hashes(&self.tokens, ngram, &mut self.hashes);
                visit(&self.hashes)?;
                // What the next piece needs of this one.
                self.tokens.drain(..self.tokens.len() - (ngram - 1));
            }
        }
        // A text that is shorter than a shingle, or of no words.
        if complete { Ok(()) } else { visit(self.hashes_of(text)) }
    }

    /// How texts become shingles.
    #[must_use]
    pub fn shingling(&self) -> Shingling {
        self.shingling
    }

    /// The hash of every token of `text`, but of those that take the place of missing words.
    pub(crate) fn tokens(&mut self, text: &str) -> &[u64] {
        self.tokens.clear();
        self.cut(text);
        &self.tokens
    }

    /// A shingler for texts that are normalized.
    fn plain(&mut self) -> &mut Self {
        let plain = || Box::new(Self::new(self.shingling.for_prepared()));
        self.plain.get_or_insert_with(plain)
    }

    fn hashes_of(&mut self, text: &str) -> &[u64] {
        self.hashes.clear();
        self.tokens.clear();
        self.cut(text);
        if self.tokens.is_empty() && self.shingling.shingle == Shingle::Auto {
            // As in a row of emoji.
            let lowered = self.shingling.lowercase.then(|| text.to_lowercase());
            tokens::visible(lowered.as_deref().unwrap_or(text), &mut self.tokens);
        }
        ngram_hashes(&self.tokens, self.shingling.ngram, &mut self.hashes);
        &self.hashes
    }

    /// Appends the hashes of the tokens of `text`.
    fn cut(&mut self, text: &str) {
        let (words, tokens) = (&mut self.words, &mut self.tokens);
        let lowercase = self.shingling.lowercase;
        match self.shingling.shingle {
            Shingle::Auto => words.hash(text, true, lowercase, tokens),
            Shingle::Words => words.hash(text, false, lowercase, tokens),
            Shingle::Whitespace => words.hash_runs(text, lowercase, tokens),
            Shingle::Chars => Words::hash_scalars(text, lowercase, tokens),
        }
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
        let Shingling { shingle, ngram, lowercase, .. } = self.shingling;
        let lower = || lowercase.then(|| text.to_lowercase());
        let lowered = self.shingling.prepared(text).or_else(lower);
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
        let mut set = Vec::new();
        self.set_into(text, &mut set);
        set
    }

    /// As [`set`](Self::set), in place of what `set` holds.
    pub(crate) fn set_into(&mut self, text: &str, set: &mut Vec<u64>) {
        set.clear();
        set.extend_from_slice(self.hashes(text));
        set.sort_unstable();
        set.dedup();
    }
}

impl Shingling {
    /// The text normalized and in the case that it is compared in, if there is more to do than lower-casing.
    pub(crate) fn prepared(&self, text: &str) -> Option<String> {
        if self.normalization.is_nothing() {
            return None;
        }
        let mut prepared = String::with_capacity(text.len());
        normalize::normalize(text, self.normalization, self.lowercase, &mut prepared);
        Some(prepared)
    }

    /// The text normalized and in the case that it is compared in, if it is not compared as it is.
    pub(crate) fn whole(&self, text: &str) -> Option<String> {
        self.prepared(text).or_else(|| self.lowercase.then(|| text.to_lowercase()))
    }

    /// What is left to do with a text that is prepared.
    pub(crate) fn for_prepared(self) -> Self {
        Self { normalization: Normalization::default(), lowercase: false, ..self }
    }
}
