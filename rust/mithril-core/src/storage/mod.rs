//! Stores of objects: a folder, a bucket, or memory behind one trait.
//!
//! | store | URL | for |
//! |---|---|---|
//! | [`LocalStorage`] | `file:///data` | a folder; its files are the objects |
//! | [`S3Storage`] | `s3://bucket/prefix` | S3 and what speaks its language |
//! | [`GcsStorage`] | `gs://bucket/prefix` | Google Cloud Storage |
//! | [`MemoryStorage`] | `memory://` | tests |
//!
//! [`create_storage`] opens the one that a [`StorageConfig`] or a URL names. `Box`, `Arc` and
//! references of stores are stores too.

mod backend;
mod bucket;
mod config;
#[cfg(feature = "testing")]
pub(crate) mod conformance;
mod error;
mod gcs;
mod key;
mod local;
mod memory;
mod remote;
mod s3;
mod task;

pub use backend::{FolderListing, ObjectMeta, PutCondition, StorageBackend};
pub use config::{StorageConfig, create_storage};
pub use error::StorageError;
pub use gcs::{GcsStorage, GcsStorageBuilder};
pub use local::LocalStorage;
pub use memory::MemoryStorage;
pub use s3::{S3Storage, S3StorageBuilder};

type BoxedStorage = Box<dyn StorageBackend>;
