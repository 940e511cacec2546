//! The error that holds any of the others.

use crate::cas::CasError;
use crate::compression::CompressionError;
use crate::storage::StorageError;

/// What can go wrong in this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MithrilError {
    /// A store of objects failed.
    #[error("Storage error: {0}")]
    Storage(#[from] StorageError),

    /// A compressor failed.
    #[error("Compression error: {0}")]
    Compression(#[from] CompressionError),

    /// A hash could not be computed.
    #[error("Hash error: {0}")]
    Hash(String),

    /// A content-addressed store failed.
    #[error("CAS error: {0}")]
    Cas(#[from] CasError),

    /// A value has no JSON form, or a text is not the JSON of one.
    #[error("Serialization error: {0}")]
    Serialization(#[from] serde_json::Error),

    /// The operating system failed to read or write.
    #[error("IO error: {0}")]
    Io(#[from] std::io::Error),

    /// An argument is outside what the function accepts; the text names it and the accepted range.
    #[error("Invalid argument: {0}")]
    InvalidArgument(String),

    /// Anything else.
    #[error("{0}")]
    Other(String),

    /// A configuration file or an environment variable makes no sense.
    #[error("Configuration error: {place}: {message}")]
    Config {
        /// The file, with line and column where they are known (`mithril.toml:3:1`), or the variable.
        place: String,
        /// The key, and what is wrong with it.
        message: String,
    },
}

/// A result whose error is [`MithrilError`].
pub type Result<T> = std::result::Result<T, MithrilError>;

impl MithrilError {
    /// A short stable name of what happened, for programs to look at: `"not_found"`,
    /// `"invalid_argument"`, ... Names are only ever added.
    ///
    /// ```
    /// use mithril_core::{MithrilError, StorageError};
    ///
    /// let missing = StorageError::NotFound("key".into());
    /// assert_eq!(missing.kind(), "not_found");
    /// assert_eq!(MithrilError::from(missing).kind(), "not_found");
    /// ```
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.kind(),
            Self::Compression(error) => error.kind(),
            Self::Cas(error) => error.kind(),
            Self::Hash(_) => "hash",
            Self::Serialization(_) => "serialization",
            Self::Io(_) => "io",
            Self::InvalidArgument(_) => "invalid_argument",
            Self::Other(_) => "other",
            Self::Config { .. } => "config",
        }
    }
}
