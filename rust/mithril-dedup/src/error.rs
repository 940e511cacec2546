//! What can go wrong, with the file, row or column it went wrong at.

use std::path::{Path, PathBuf};

/// A result whose error is [`DedupError`].
pub type Result<T> = std::result::Result<T, DedupError>;

/// Any other error, kept as the source of ours.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a deduplication did not happen. Nothing has been written when one is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DedupError {
    /// An option is outside what is accepted.
    #[error("{0}")]
    InvalidArgument(String),

    /// An input does not exist, or a pattern matches nothing.
    #[error("no such file, folder or match: {}", path.display())]
    NotFound {
        /// The input as it was given.
        path: PathBuf,
    },

    /// The inputs of one call have different formats.
    #[error(
        "more than one input format in one call: {found}; \
         name the files of one format, or choose it with --input-format (input_format=)"
    )]
    MixedFormats {
        /// The formats with their number of files and an example of each.
        found: String,
    },

    /// A column that was asked for is not there.
    #[error("{}: no column {column:?}; the columns are: {}", file.display(), listed(available))]
    MissingColumn {
        /// The file that lacks it.
        file: PathBuf,
        /// The name asked for.
        column: String,
        /// The columns there are.
        available: Vec<String>,
    },

    /// A column has a type that cannot be used for what it was asked for.
    #[error("column {column:?} is of type {found}; {expected}")]
    ColumnType {
        /// The column's name.
        column: String,
        /// Its Arrow type.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },

    /// Temporary files cannot be written.
    #[error(
        "cannot write {wanted} bytes to temporary files in {}: {source}; free some space there, or choose another \
         folder with --temp-dir (temp_dir=)",
        folder.display()
    )]
    Temporary {
        /// The folder that they are in.
        folder: PathBuf,
        /// The bytes that were to be written.
        wanted: u64,
        /// What the system said.
        source: Source,
    },

    /// One row of the input is damaged.
    #[error("{}, {place} {number}: {problem}", file.display())]
    BadRow {
        /// The file.
        file: PathBuf,
        /// What `number` counts: `"line"` from one, `"row"` from zero.
        place: &'static str,
        /// Which line or row.
        number: u64,
        /// What is wrong with it.
        problem: String,
    },

    /// A file could not be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: Source,
    },

    /// A file or folder could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: Source,
    },

    /// The output folder is in the way and must stay.
    #[error("output {}: {problem}", path.display())]
    OutputInTheWay {
        /// The folder.
        path: PathBuf,
        /// Why it is not replaced, and what to do.
        problem: &'static str,
    },

    /// What an earlier run has left is not what this one could go on from.
    #[error(
        "cannot go on with what is in {}: {difference}; run without --resume (resume=) to begin anew, or remove that \
         folder",
        folder.display()
    )]
    CannotResume {
        /// The folder that keeps it.
        folder: PathBuf,
        /// What is other than it was.
        difference: String,
    },

    /// An input file is not what it was when the run began.
    #[error("{} changed while it was being read; run again", file.display())]
    InputChanged {
        /// The file.
        file: PathBuf,
    },

    /// The Arrow library refused data that was read without an error.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),

    /// A thread pool could not be started.
    #[error("cannot start {threads} threads: {source}")]
    Threads {
        /// How many were wanted.
        threads: usize,
        /// Why.
        source: Source,
    },

    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,

    /// An object is not the part of an index that it should be.
    #[error("{object}: {problem}")]
    IndexDamaged {
        /// The key of the object.
        object: String,
        /// What is wrong with it.
        problem: String,
    },

    /// An index in a store is not the one that this one goes on from.
    #[error("{object}: {problem}")]
    IndexChanged {
        /// The key of its manifest.
        object: String,
        /// What is there, and what to do.
        problem: &'static str,
    },

    /// A store of objects failed.
    #[error(transparent)]
    Storage(#[from] mithril_core::StorageError),
}

impl DedupError {
    /// Every [`kind`](Self::kind) there is; the list only ever grows.
    pub const KINDS: [&'static str; 16] = [
        "invalid_argument",
        "not_found",
        "mixed_formats",
        "missing_column",
        "column_type",
        "bad_row",
        "read",
        "write",
        "output_in_the_way",
        "cannot_resume",
        "input_changed",
        "internal",
        "interrupted",
        "index_damaged",
        "index_changed",
        "storage",
    ];

    /// A short stable name of what happened, for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::InvalidArgument(_) => "invalid_argument",
            Self::NotFound { .. } => "not_found",
            Self::MixedFormats { .. } => "mixed_formats",
            Self::MissingColumn { .. } => "missing_column",
            Self::ColumnType { .. } => "column_type",
            Self::BadRow { .. } => "bad_row",
            Self::Read { .. } => "read",
            Self::Write { .. } | Self::Temporary { .. } => "write",
            Self::OutputInTheWay { .. } => "output_in_the_way",
            Self::CannotResume { .. } => "cannot_resume",
            Self::InputChanged { .. } => "input_changed",
            Self::Arrow(_) | Self::Threads { .. } => "internal",
            Self::Interrupted => "interrupted",
            Self::IndexDamaged { .. } => "index_damaged",
            Self::IndexChanged { .. } => "index_changed",
            Self::Storage(_) => "storage",
        }
    }

    /// An error at reading `file`.
    pub fn read(file: &Path, source: impl Into<Source>) -> Self {
        Self::Read { file: file.to_owned(), source: source.into() }
    }

    /// An error at writing `path`.
    pub fn write(path: &Path, source: impl Into<Source>) -> Self {
        Self::Write { path: path.to_owned(), source: source.into() }
    }
}

impl From<mithril_core::MithrilError> for DedupError {
    fn from(error: mithril_core::MithrilError) -> Self {
        match error {
            mithril_core::MithrilError::InvalidArgument(text) => Self::InvalidArgument(text),
            mithril_core::MithrilError::Storage(error) => Self::Storage(error),
            other => Self::InvalidArgument(other.to_string()),
        }
    }
}

/// Names for an error, which a million of them would not help.
fn listed(names: &[String]) -> String {
    const MOST: usize = 50;
    let first: Vec<_> = names.iter().take(MOST).map(String::as_str).collect();
    let more = names.len().saturating_sub(MOST);
    first.join(", ") + &if more > 0 { format!(", and {more} more") } else { String::new() }
}
