//! What an index is made with, and how that is written down.

use super::code::Code;
use super::object::{damaged, number};
use crate::banding::Banding;
use crate::error::{DedupError, Result};
use crate::options::{DedupOptions, Form, Normalization, Shingle, Shingling};
use serde::{Deserialize, Serialize};

/// The options of a [`MinHashIndex`](crate::MinHashIndex): two indexes can be merged when theirs are equal.
///
/// ```
/// use mithril_dedup::IndexOptions;
/// let options = IndexOptions { threshold: 0.7, code: false, ..IndexOptions::default() };
/// assert_eq!(options.recall, 0.99);
/// assert!(options.banding()?.candidate_probability(0.7) >= 0.99);
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IndexOptions {
    /// The Jaccard similarity of two shingle sets from which on documents are to be found, in (0, 1].
    pub threshold: f64,
    /// The least probability, in (0, 1), that a document exactly at the threshold is a candidate.
    pub recall: f64,
    /// The number of values in a signature, 1 to 4096.
    pub permutations: usize,
    /// The seed of the sketch.
    pub seed: u64,
    /// How a text becomes shingles.
    #[serde(flatten)]
    pub shingling: Shingling,
    /// Whether a code of at most 64 bytes is kept of each document, from which similarities are estimated.
    pub code: bool,
}

impl Default for IndexOptions {
    fn default() -> Self {
        let DedupOptions { threshold, recall, permutations, seed, shingling, .. } =
            DedupOptions::default();
        Self { threshold, recall, permutations, seed, shingling, code: true }
    }
}

impl IndexOptions {
    /// Checks every field and chooses bands and rows.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`], which names the option and what it accepts.
    pub fn banding(&self) -> Result<Banding> {
        let &Self { threshold, recall, permutations, seed, shingling, code: _ } = self;
        let options = DedupOptions {
            threshold,
            recall,
            permutations,
            seed,
            shingling,
            ..DedupOptions::default()
        };
        options.banding()
    }
}

/// The options, and what follows from them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) options: IndexOptions,
    pub(super) banding: Banding,
    /// None if the index keeps no codes.
    pub(super) code: Option<Code>,
}

/// The bytes of the section `options`.
pub(super) const OPTIONS_BYTES: usize = 64;

impl Shape {
    pub(super) fn new(options: IndexOptions) -> Result<Self> {
        let banding = options.banding()?;
        let code = options.code.then(|| Code::of(options.permutations));
        Ok(Self { options, banding, code })
    }

    /// The bytes of the code of a document.
    pub(super) fn code_bytes(&self) -> usize {
        self.code.map_or(0, Code::bytes)
    }

    /// The section `options`, as `docs/minhash-index.md` has it.
    pub(super) fn to_bytes(self) -> [u8; OPTIONS_BYTES] {
        let IndexOptions { threshold, recall, permutations, seed, shingling, .. } = self.options;
        let Shingling { shingle, ngram, lowercase, normalization } = shingling;
        let Normalization { form, casefold, strip_accents, strip_punctuation, collapse_digits } =
            normalization;
        let shingle = match shingle {
            Shingle::Auto => 0,
            Shingle::Whitespace => 1,
            Shingle::Words => 2,
            Shingle::Chars => 3,
        };
        let form = match form {
            None => 0,
            Some(Form::Nfc) => 1,
            Some(Form::Nfkc) => 2,
        };
        let numbers = [threshold.to_bits(), recall.to_bits(), seed, ngram as u64];
        let counts = [permutations, self.banding.bands, self.banding.rows];
        let small = [
            shingle,
            u8::from(lowercase),
            form,
            u8::from(casefold),
            u8::from(strip_accents),
            u8::from(strip_punctuation),
            u8::from(collapse_digits),
            self.code.map_or(0, |code| code.bits as u8),
        ];
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        let bytes = bytes.chain(counts.iter().flat_map(|&count| (count as u32).to_le_bytes()));
        let mut written = [0; OPTIONS_BYTES];
        for (place, byte) in written.iter_mut().zip(bytes.chain(small)) {
            *place = byte;
        }
        written
    }

    /// Reads the section `options` of `object`.
    pub(super) fn from_bytes(object: &str, bytes: &[u8]) -> Result<Self> {
        let wrong = |what: &str| damaged(object, format!("its options hold {what}"));
        if bytes.len() != OPTIONS_BYTES {
            return Err(wrong(&format!("{} bytes in place of {OPTIONS_BYTES}", bytes.len())));
        }
        let wide = |at: usize| number::<8>(bytes, at).map(u64::from_le_bytes).unwrap_or_default();
        let count = |at: usize| number::<4>(bytes, at).map(u32::from_le_bytes).unwrap_or_default();
        let small = |at: usize| bytes.get(at).copied().unwrap_or_default();
        let flag = |at: usize| match small(at) {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(wrong(&format!("{other} where 0 or 1 belongs"))),
        };
        let shingle = match small(44) {
            0 => Shingle::Auto,
            1 => Shingle::Whitespace,
            2 => Shingle::Words,
            3 => Shingle::Chars,
            other => return Err(wrong(&format!("an unknown way to cut texts, {other}"))),
        };
        let form = match small(46) {
            0 => None,
            1 => Some(Form::Nfc),
            2 => Some(Form::Nfkc),
            other => return Err(wrong(&format!("an unknown form of Unicode, {other}"))),
        };
        let normalization = Normalization {
            form,
            casefold: flag(47)?,
            strip_accents: flag(48)?,
            strip_punctuation: flag(49)?,
            collapse_digits: flag(50)?,
        };
        let ngram = usize::try_from(wide(24)).map_err(|_| wrong("an ngram past any memory"))?;
        let shingling = Shingling { shingle, ngram, lowercase: flag(45)?, normalization };
        let options = IndexOptions {
            threshold: f64::from_bits(wide(0)),
            recall: f64::from_bits(wide(8)),
            permutations: count(32) as usize,
            seed: wide(16),
            shingling,
            code: small(51) != 0,
        };
        // Whatever this machine makes of the logarithms: the bands are those that were written.
        let read = Self::new(options).map_err(|error| match error {
            DedupError::InvalidArgument(text) => wrong(&format!("what none can be: {text}")),
            other => other,
        })?;
        let banding = Banding { bands: count(36) as usize, rows: count(40) as usize };
        let used = banding.bands.saturating_mul(banding.rows);
        if !(1..=options.permutations).contains(&used) {
            return Err(wrong(&format!("{} bands of {} rows", banding.bands, banding.rows)));
        }
        let read = Self { banding, ..read };
        if read.to_bytes() != bytes {
            return Err(wrong("a code of another kind, or bytes where there should be zeros"));
        }
        Ok(read)
    }
}
