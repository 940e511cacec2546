//! What the user can choose.

use crate::banding::Banding;
use crate::error::{DedupError, Result};
use crate::threads::Threads;
use mithril_core::minhash::MAX_PERMUTATIONS;
use serde::{Deserialize, Serialize};

/// How a text becomes tokens; a shingle is a run of `ngram` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shingle {
    /// UAX #29 words; every character of a script written without spaces is a token of its own.
    /// A text without any word is cut into its characters, white space left out.
    Auto,
    /// What Python's `str.split()` gives.
    Whitespace,
    /// The words of UAX #29: segments that hold a letter or a digit.
    Words,
    /// Unicode scalar values.
    Chars,
}

/// A normalization form of Unicode (UAX #15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Canonical composition: `é` is one character, however it was written.
    Nfc,
    /// Compatibility composition: also `ﬁ` becomes `fi`, `２` and `²` become `2`, `…` becomes `...`.
    Nfkc,
}

/// What is made alike in texts before they are cut into tokens, beside their case.
///
/// The steps that are asked for are taken in this order, each over the whole text that the one before
/// it has left:
///
/// 1. `form`: the text is brought to that form.
/// 2. `casefold`: full default case folding. Without it, [`Shingling::lowercase`] as everywhere.
/// 3. `strip_accents`: canonical decomposition (NFD), of which nonspacing marks are left out.
/// 4. `strip_punctuation`: punctuation is left out.
/// 5. `collapse_digits`: every run of decimal digits becomes one `0`.
/// 6. `form` again, or NFC if there is none and accents were stripped. What was decomposed is composed,
///    and what has come to stand side by side.
///
/// Hence with the last two, `１,000` and `1000` both become `0`; and normalizing twice is normalizing once.
/// The tables are those of Unicode 18, but for lower-casing, which is that of Rust's standard library.
///
/// None of it changes what is written: a row that stays has its text as it came.
///
/// ```
/// use mithril_dedup::{Form, Normalization, Shingle, Shingler, Shingling};
/// let normalization = Normalization {
///     form: Some(Form::Nfkc),
///     casefold: true,
///     strip_accents: true,
///     strip_punctuation: true,
///     collapse_digits: true,
/// };
/// let mut shingler = Shingler::new(Shingling {
///     shingle: Shingle::Chars,
///     ngram: 1,
///     normalization,
///     ..Shingling::default()
/// });
/// assert_eq!(shingler.set("«Ｃafé» STRAẞE, № 1,024!"), shingler.set("cafe strasse no 0"));
/// ```
#[expect(clippy::struct_excessive_bools, reason = "each is a step of its own")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Normalization {
    /// The form that texts are brought to.
    #[serde(rename = "unicode_form")]
    pub form: Option<Form>,
    /// Whether case is folded, by the full mappings of `CaseFolding.txt` (status C and F), those of
    /// Turkic languages left out: `ß` and `ẞ` become `ss`, `ς` becomes `σ`, `İ` becomes `i` and U+0307.
    /// It takes the place of lower-casing, whether that is asked for or not.
    pub casefold: bool,
    /// Whether texts are decomposed canonically and lose their nonspacing marks (general category Mn):
    /// `é` becomes `e`, `ё` becomes `е`. Letters that do not decompose, as `ø` and `ł`, stay. Many vowel
    /// signs of Indic scripts, the points of Hebrew and Arabic and what stands above and below letters of
    /// Thai are such marks too, and go; `≠` is `=` with one.
    pub strip_accents: bool,
    /// Whether punctuation (the general categories Pc, Pd, Ps, Pe, Pi, Pf and Po) is removed. Nothing takes
    /// its place: `can't` becomes `cant`, and `well-known` becomes `wellknown`. Symbols, as `$`, `+`, `<`,
    /// `=`, `^`, `` ` ``, `|` and `~`, stay.
    pub strip_punctuation: bool,
    /// Whether every longest run of decimal digits (general category Nd), in whatever script, becomes one
    /// `0`. Other numbers, as `²`, `½` and `Ⅳ`, are none of these.
    pub collapse_digits: bool,
}

impl Normalization {
    /// Whether no step is asked for.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// How a text becomes shingles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shingling {
    /// How a text becomes tokens.
    pub shingle: Shingle,
    /// The number of tokens in a shingle, at least 1.
    pub ngram: usize,
    /// Whether texts are lower-cased before they are cut into tokens.
    pub lowercase: bool,
    /// What else is made alike before that; nothing unless asked for.
    #[serde(flatten)]
    pub normalization: Normalization,
}

impl Default for Shingling {
    /// Shingles of five words in lower case.
    fn default() -> Self {
        Self {
            shingle: Shingle::Auto,
            ngram: 5,
            lowercase: true,
            normalization: Normalization::default(),
        }
    }
}

impl Shingling {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`], which names the option and what it accepts.
    pub fn check(&self) -> Result<()> {
        if self.ngram == 0 {
            return Err(DedupError::InvalidArgument("ngram must be at least 1".to_owned()));
        }
        Ok(())
    }
}

/// Which rows are duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Those whose shingle sets are alike: candidates by `MinHash`, verified.
    MinHash,
    /// Those whose texts are the same once they are normalized and in lower case, as far as that is asked for.
    /// Shingles, and all that is about them, are of no account.
    Exact,
    /// Those of which a share of the shingles, at least the threshold, is in a row that stays and has as many
    /// characters or more. Every such row is found, without bands: what is said of signatures and recall is of
    /// no account. The longest texts are decided first, or else what is within another could stay for
    /// coming before it.
    Containment,
    /// None: lines that stand in several texts, or several times in one, are removed from all but the first. Of
    /// them are equal those that are so once they are normalized, in lower case as far as that is asked for, and
    /// without white space at both ends. A row goes if nothing but white space is left of it. What is said of
    /// shingles, signatures and similarity is of no account.
    Lines,
    /// As [`Lines`](Self::Lines), with paragraphs: runs of lines between blank ones.
    Paragraphs,
}

/// What a candidate pair must pass before a row is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// The Jaccard similarity of the two shingle sets reaches the threshold.
    Exact,
    /// The fraction of equal signature values reaches the threshold.
    Signature,
    /// Nothing: sharing a band is enough.
    None,
}

/// Which row of several alike is kept. Among equals, and where nothing decides, the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The first in the order of the input.
    First,
    /// The one with the most characters (Unicode scalar values).
    Longest,
    /// The one with the largest value of a column; rows with null or NaN come last.
    Max,
    /// The one with the smallest value of a column; rows with null or NaN come last.
    Min,
}

/// Which rows belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cluster {
    /// Those that are a verified pair with the very row that is kept for them.
    Direct,
    /// Those that verified pairs link, over however many others: the first in keep order stays for all of
    /// them, like it or not.
    Components,
}

/// The options of a [`Deduplicator`](crate::Deduplicator).
///
/// ```
/// use mithril_dedup::{DedupOptions, Shingle, Shingling};
/// let shingling = Shingling { shingle: Shingle::Chars, ..Shingling::default() };
/// let options = DedupOptions { threshold: 0.7, shingling, ..DedupOptions::default() };
/// assert_eq!(options.recall, 0.99);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DedupOptions {
    /// Which rows are duplicates.
    pub method: Method,
    /// The least Jaccard similarity of two shingle sets that makes them duplicates, in (0, 1].
    pub threshold: f64,
    /// The least probability, in (0, 1), that a pair at the threshold becomes a candidate.
    pub recall: f64,
    /// The number of values in a signature, 1 to 4096.
    pub permutations: usize,
    /// The seed of the sketch.
    pub seed: u64,
    /// How a text becomes shingles.
    #[serde(flatten)]
    pub shingling: Shingling,
    /// What a candidate pair must pass.
    pub verify: Verify,
    /// Which row of several alike is kept.
    pub keep: Keep,
    /// Which rows are alike.
    pub cluster: Cluster,
    /// Whether rows are compared with each other, and not only with references
    /// ([`Documents::become_references`](crate::Documents::become_references)).
    pub within: bool,
    /// How many documents are compared with all others afterwards, to estimate the recall.
    pub audit: usize,
    /// Of [`Method::Lines`] and [`Method::Paragraphs`]: how many characters (Unicode scalar values) a line or a
    /// paragraph has at least, as it is compared, for being removed.
    pub min_length: usize,
    /// Of these too: how often it stands in all texts at least, 2 or more.
    pub min_count: u64,
    /// The number of threads; all that the machine has when `None`. Never changes the result.
    pub threads: Option<usize>,
}

impl Default for DedupOptions {
    fn default() -> Self {
        Self {
            method: Method::MinHash,
            threshold: 0.8,
            recall: 0.99,
            permutations: 128,
            seed: 42,
            shingling: Shingling::default(),
            verify: Verify::Exact,
            keep: Keep::First,
            cluster: Cluster::Direct,
            within: true,
            audit: 0,
            min_length: 20,
            min_count: 2,
            threads: None,
        }
    }
}

impl DedupOptions {
    /// Checks what only some methods have.
    pub(crate) fn check_method(&self) -> Result<()> {
        let wrong = |text: &str| Err(DedupError::InvalidArgument(text.to_owned()));
        let is_of_parts = matches!(self.method, Method::Lines | Method::Paragraphs);
        let usual = Self::default();
        let of_parts = |options: &Self| (options.min_length, options.min_count);
        match self.method {
            _ if !is_of_parts && of_parts(self) != of_parts(&usual) => {
                wrong("min_length and min_count are for methods lines and paragraphs")
            }
            Method::MinHash => Ok(()),
            _ if self.audit > 0 => wrong(
                "an audit estimates what bands do not find, and only method minhash has bands: leave one of \
                 them out",
            ),
            Method::Containment if self.verify != Verify::Exact => {
                wrong("method containment counts shingles: verify must be exact")
            }
            Method::Containment if self.cluster != Cluster::Direct => wrong(
                "what is within another is not linked to it both ways: cluster must be direct",
            ),
            Method::Containment if self.keep != Keep::Longest => {
                wrong("method containment decides the longest first: keep must be longest")
            }
            Method::Exact | Method::Containment => Ok(()),
            _ if self.verify != Verify::Exact || self.cluster != Cluster::Direct => wrong(
                "methods lines and paragraphs compare no rows: verify must be exact, cluster direct",
            ),
            _ if self.keep != Keep::First => wrong(
                "methods lines and paragraphs leave what they remove where it is first: keep must be first",
            ),
            _ if self.min_count < 2 => {
                wrong("min_count must be at least 2: what stands once is no repetition")
            }
            Method::Lines | Method::Paragraphs => Ok(()),
        }
    }

    /// Checks every field and chooses bands and rows.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`], which names the option and what it accepts.
    pub fn banding(&self) -> Result<Banding> {
        let wrong = |text: String| Err(DedupError::InvalidArgument(text));
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            return wrong(format!(
                "threshold must be above 0 and at most 1, not {}",
                self.threshold
            ));
        }
        if !(self.recall > 0.0 && self.recall < 1.0) {
            return wrong(format!("recall must be above 0 and below 1, not {}", self.recall));
        }
        if !(1..=MAX_PERMUTATIONS).contains(&self.permutations) {
            return wrong(format!(
                "permutations must be between 1 and {MAX_PERMUTATIONS}, not {}",
                self.permutations
            ));
        }
        self.shingling.check()?;
        Threads::check(self.threads)?;
        if self.method != Method::MinHash {
            // Nothing is cut into bands.
            return Ok(Banding { bands: 1, rows: 1 });
        }
        Banding::for_recall(self.threshold, self.recall, self.permutations)
    }
}
