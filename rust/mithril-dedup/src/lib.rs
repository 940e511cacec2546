//! Near-duplicate removal for text: candidates by `MinHash`, every removal verified.
//!
//! Two ways in, which do the same:
//!
//! - [`Deduplicator`] over [`Documents`], a column of texts in Arrow memory;
//! - [`dedup_files`] from Parquet, JSON lines or text files to a folder with the surviving rows,
//!   the table of duplicates and the [`Report`].
//!
//! [`MinHashIndex`] keeps what finds near-duplicates of a text later: it grows, shrinks and is saved.
//! [`HashColumn`] has the stages up to the signatures and the bands alone, for those who do something
//! else with them; [`hash_rows`] hashes the rows of a column whole. [`stages`] are the deduplicator in pieces, for
//! engines that spread work over machines.
//!
//! The data flows one way: reader → [`Documents`] → [`Shingler`] → signatures and bands → buckets
//! → verified pairs → the rows that go → writer. A row goes only for a verified match with the very
//! row that is kept for it; the same input and options give the same output whatever the threads.

mod audit;
mod banding;
mod buckets;
mod column;
mod components;
mod control;
mod crowded;
mod deduplicator;
mod documents;
mod error;
mod exact;
mod explain;
mod files;
mod filter;
mod hash_keys;
mod index;
mod keep;
mod kept;
mod options;
mod rarest;
mod repeats;
mod report;
mod resume;
mod row_hash;
mod select;
mod shingle;
mod sketch;
mod spill;
pub mod stages;
mod threads;
mod verify;

pub use audit::Audit;
pub use banding::Banding;
pub use column::HashColumn;
pub use control::Control;
pub use deduplicator::{Candidates, Deduplication, Deduplicator, Duplicate};
pub use documents::{Documents, MAX_DOCUMENTS, TextBuilder};
pub use error::{DedupError, Result, Source};
pub use explain::Explanation;
pub use files::{
    FileOptions, InputFormat, NamedRow, OutputFormat, Plan, RemovedRow, TextFiles, dedup_files,
    explain_removed, find_files, plan_files, read_texts, sample_files,
};
pub use filter::{DedupFilter, FilterOptions, FilterStats, WhenFull};
pub use index::{
    Batch, IndexMatch, IndexMatches, IndexOptions, IndexStats, MinHashIndex, Snapshot,
    ids_of_column,
};
pub use options::{
    Cluster, DedupOptions, Form, Keep, Method, Normalization, Shingle, Shingling, Verify,
};
pub use repeats::{Repeat, Repeats};
pub use report::{Clusters, Files, Report, Seconds};
pub use row_hash::hash_rows;
pub use shingle::Shingler;
pub use threads::Threads;
