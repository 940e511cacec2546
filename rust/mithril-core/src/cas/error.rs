//! What can go wrong with content.

use crate::StorageError;
use crate::compression::CompressionError;

/// Why a content-addressed store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CasError {
    /// Nobody holds a reference to content of this address.
    #[error("no content has the address {0}")]
    NotFound(String),

    /// The text is no address of this store.
    #[error("{address:?} is no address of this store: {fault}")]
    InvalidAddress {
        /// What was given.
        address: String,
        /// What is wrong with it.
        fault: String,
    },

    /// What the store holds is not what was stored.
    #[error("the content of {address} is damaged: {fault}")]
    Damaged {
        /// The address.
        address: String,
        /// What was found.
        fault: String,
    },

    /// Other content with the same hash is stored already. Cryptographic hashes have no such pairs.
    #[error("other content has the same hash, {0}; use a cryptographic hash")]
    Collision(String),

    /// The content was stored with a compressor that is not at hand.
    #[error("the content of {address} was compressed with {name:?}; open the store with it")]
    UnknownCompressor {
        /// The address.
        address: String,
        /// The name of the compressor.
        name: String,
    },

    /// The content is no tensor that [`store_tensor`](super::ContentAddressedStore::store_tensor) has
    /// written.
    #[error("the content of {address} is no array: {fault}")]
    NotATensor {
        /// The address.
        address: String,
        /// What was found.
        fault: String,
    },

    /// The compressor failed.
    #[error("compressing the content of {address}: {source}")]
    Compression {
        /// The address.
        address: String,
        /// What the compressor said.
        source: CompressionError,
    },

    /// The store below failed.
    #[error(transparent)]
    Storage(#[from] StorageError),

    /// A thread that hashed or compressed was lost: it panicked, or the process is shutting down.
    #[error("hashing or compressing broke off: {0}")]
    Lost(#[from] tokio::task::JoinError),
}

impl CasError {
    /// A short stable name of what happened; see [`MithrilError::kind`](crate::MithrilError::kind).
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::InvalidAddress { .. } => "invalid_address",
            Self::Damaged { .. } => "damaged",
            Self::Collision(_) => "collision",
            Self::UnknownCompressor { .. } => "unknown_compressor",
            Self::NotATensor { .. } => "not_a_tensor",
            Self::Compression { source, .. } => source.kind(),
            Self::Storage(error) => error.kind(),
            Self::Lost(_) => "lost",
        }
    }
    /// The address of the content that the error is about, if it is about one that is stored.
    ///
    /// ```
    /// use mithril_core::CasError;
    /// assert_eq!(CasError::NotFound("00ff".to_owned()).address(), Some("00ff"));
    /// ```
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::NotFound(address)
            | Self::Collision(address)
            | Self::InvalidAddress { address, .. }
            | Self::Damaged { address, .. }
            | Self::UnknownCompressor { address, .. }
            | Self::NotATensor { address, .. } => Some(address),
            // What cannot be compressed is not stored.
            Self::Compression { .. } | Self::Storage(_) | Self::Lost(_) => None,
        }
    }
}
