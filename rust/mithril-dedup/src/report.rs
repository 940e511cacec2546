//! What a run did, in numbers.

use crate::audit::Audit;
use crate::banding::Banding;
use crate::options::DedupOptions;
#[cfg(doc)]
use crate::options::Method;
use crate::repeats::Repeats;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The account of a run; `report.json` is this, serialised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of Mithril that made it.
    pub version: Cow<'static, str>,
    /// The rows read.
    pub documents: u64,
    /// The rows that they were compared with and that are none of them: references.
    pub against: u64,
    /// The bytes of their texts, in UTF-8.
    pub bytes: u64,
    /// The rows whose text is null: kept, and compared with nothing.
    pub null_texts: u64,
    /// The rows whose text is empty: kept, and compared with nothing.
    pub empty_texts: u64,
    /// The rows kept.
    pub kept: u64,
    /// The rows removed.
    pub removed: u64,
    /// Those of them that were removed for a reference.
    pub removed_against: u64,
    /// The rows removed whose text is byte for byte that of the row kept for them.
    pub exact_duplicates: u64,
    /// The other rows removed.
    pub near_duplicates: u64,
    /// The groups of a kept row and those removed for it.
    pub clusters: Clusters,
    /// How signatures were cut.
    pub banding: Banding,
    /// The probability that a pair exactly at the threshold is found (1 for [`Method::Exact`]); `None` when signatures verify,
    /// whose estimate is below the threshold for about half of such pairs.
    pub promised_recall: Option<f64>,
    /// The pairs of rows that share a band and were compared. Where many rows share one, those that cannot reach
    /// the threshold are not.
    pub candidate_pairs: u64,
    /// Those of them that were found to be duplicates.
    pub verified_pairs: u64,
    /// Of components: rows that were alike with so many others that further ones were not compared with them.
    pub left_out: u64,
    /// What was removed within rows; absent but for [`Method::Lines`] and [`Method::Paragraphs`], for which
    /// `removed` counts the rows of which nothing was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
    /// What comparing some documents with all others has shown; absent where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    /// How long each stage took.
    pub seconds: Seconds,
    /// The options of the run.
    pub options: DedupOptions,
    /// What was read and written; absent where the texts were in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
}

/// The groups of a kept row and those removed for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clusters {
    /// Their number.
    pub count: u64,
    /// The rows in the largest, the kept one included.
    pub largest: u64,
    /// How many there are of each size.
    pub sizes: BTreeMap<u64, u64>,
}

/// Seconds by stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Finding and reading the input.
    pub read: f64,
    /// Finding exact copies.
    pub exact: f64,
    /// Shingles, signatures and bands.
    pub sketch: f64,
    /// Candidates, verification and the choice of rows.
    #[serde(rename = "match")]
    pub matching: f64,
    /// Comparing some documents with all others.
    pub audit: f64,
    /// Writing the output.
    pub write: f64,
    /// All of it.
    pub total: f64,
}

/// What was read and written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// The column that held the texts.
    pub text_column: String,
    /// The column that names rows in the table of duplicates.
    pub id_column: Option<String>,
    /// The column that `keep` compared by.
    pub keep_column: Option<String>,
    /// The format of the input: `parquet`, `jsonl` or `text`.
    pub input_format: Cow<'static, str>,
    /// The number of input files.
    pub inputs: u64,
    /// Their names; a part has the number that its file has here, from zero.
    pub input_files: Vec<String>,
    /// The names of the files of references.
    pub against_files: Vec<String>,
    /// The size of the input files on disk.
    pub input_bytes: u64,
    /// Files of a folder that are not text (they hold a NUL byte) and were left out.
    pub skipped_binary: u64,
    /// The bytes of memory that the run was allowed.
    pub memory: u64,
    /// The bytes of texts that went to a temporary file; 0 where all was expected to fit into memory.
    pub spooled_bytes: u64,
    /// What the inputs, as they were, and the options come to: XXH3 in hexadecimal, 32 digits. Two runs with the same
    /// have the same output.
    pub fingerprint: String,
    /// The units of work that an earlier run had done and kept; 0 where nothing was to be resumed.
    pub resumed: u64,
    /// The format of the surviving rows: `parquet` or `jsonl`.
    pub output_format: Cow<'static, str>,
    /// The number of `part-*` files.
    pub parts: u64,
    /// The size of the output folder, this report excluded.
    pub output_bytes: u64,
}
