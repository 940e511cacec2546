//! Content under the hash of its bytes: each content once, however often it is stored.
//!
//! [`ContentAddressedStore`] puts this on any [`StorageBackend`](crate::StorageBackend), with any
//! [`HashFunction`](crate::HashFunction), and optionally a [`Compressor`](crate::Compressor).
//!
//! # References
//!
//! Every [`store`](ContentAddressable::store) of a content adds a reference, every
//! [`delete`](ContentAddressable::delete) takes one, and the bytes go with the last one. References are
//! in the store itself, so they survive the process, and any number of processes may store and delete
//! at the same time: a reference that somebody holds always has its bytes.
//!
//! # How that is kept
//!
//! Each address has a *record*, a small object that says how many references there are and where the
//! bytes lie. It is only ever changed by a conditional write.
//!
//! - Storing new content writes the bytes, to a key that nobody else uses, and then the record that
//!   names it: a record that has references is never without bytes.
//! - Storing known content adds one to the record.
//! - The last deletion turns the record into a *tombstone*, and then deletes the bytes that it named.
//!   Whoever stores the content anew has other keys, so that a deleter that was stopped for hours
//!   deletes nothing that is alive.
//! - A writer that loses a race looks again, and takes back what it wrote.
//!
//! A crash between two steps leaves bytes without a reference, never a reference without bytes.
//! [`repair`](ContentAddressedStore::repair) sweeps them. It first changes the record, so that a slow
//! writer of those bytes loses its race, and may therefore run while others work.
//!
//! # What is verified
//!
//! Every read hashes what it returns. Damaged content is an error that names the address.
//!
//! ```
//! use bytes::Bytes;
//! use mithril_core::{Blake3Hash, ContentAddressable, ContentAddressedStore, MemoryStorage};
//!
//! # mithril_core::runtime().block_on(async {
//! let cas = ContentAddressedStore::new(MemoryStorage::new(), Blake3Hash::new());
//! let address = cas.store(Bytes::from("content")).await?;
//! assert_eq!(cas.store(Bytes::from("content")).await?, address);
//! assert_eq!(cas.retrieve(&address).await?, "content");
//!
//! cas.delete(&address).await?;
//! assert!(cas.contains(&address).await?, "one of two references is left");
//! cas.delete(&address).await?;
//! assert!(!cas.contains(&address).await?);
//! # Ok::<(), mithril_core::CasError>(())
//! # }).unwrap();
//! ```

mod content;
mod error;
mod keys;
mod many;
mod record;
mod references;
mod repair;
mod store;
mod stream;
mod tensor;

pub use error::CasError;
pub use repair::{Damage, RepairOptions, RepairReport, VerifyReport};
pub use store::ContentAddressedStore;
pub use tensor::tensor_header;

use async_trait::async_trait;
use bytes::Bytes;

/// Content under the hash of its bytes.
#[async_trait]
pub trait ContentAddressable: Send + Sync {
    /// Adds a reference to the content, which is written if it is new, and returns its address: the
    /// hash in lower-case hexadecimal.
    async fn store(&self, data: Bytes) -> Result<String, CasError>;

    /// The content of an address, verified.
    ///
    /// Errors: `NotFound` if there is no reference to it, `Damaged` if what is there is not what was
    /// stored.
    async fn retrieve(&self, address: &str) -> Result<Bytes, CasError>;

    /// Whether there is a reference to content of this address.
    async fn contains(&self, address: &str) -> Result<bool, CasError>;

    /// Takes a reference from the content, whose bytes go with the last one.
    ///
    /// Errors: `NotFound` if there is no reference.
    async fn delete(&self, address: &str) -> Result<(), CasError>;

    /// How much is stored. It reads every record.
    async fn stats(&self) -> Result<CasStats, CasError>;
}

/// How much a content-addressed store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CasStats {
    /// Contents that have a reference.
    pub total_objects: u64,
    /// The bytes that they take in the store, compressed where they are.
    pub total_bytes: u64,
    /// The bytes that further references would take, were each stored on its own.
    pub deduplicated_bytes: u64,
}
