//! The building blocks that Mithril's products stand on.
//!
//! - [`minhash`]: signatures whose agreement estimates the Jaccard similarity of two sets, and the
//!   n-gram hashes they are made from.
//! - [`hashing`]: xxHash, BLAKE3 and SHA-256 behind one trait.
//! - [`types`]: the element types of arrays, with numpy's names.
//! - [`storage`]: folders, buckets and memory behind one trait.
//! - [`progress`]: how a long computation tells where it is.
//! - [`mod@runtime`]: where asynchronous work and heavy computing run, before and after a fork.
//! - [`config`]: settings from a file or the environment.
//! - [`error`]: the error that every fallible function here returns.
//!
//! ```
//! use mithril_core::MinHasher;
//!
//! let hasher = MinHasher::new(128);
//! let one = hasher.hash_text("the quick brown fox jumps over the lazy dog", 3);
//! let two = hasher.hash_text("the quick brown fox jumped over the lazy dog", 3);
//! assert!(MinHasher::similarity(&one, &two) > 0.6);
//! ```

pub mod cas;
pub mod compression;
pub mod config;
pub mod error;
mod fault;
pub mod hashing;
pub mod minhash;
pub mod progress;
#[cfg(feature = "python")]
pub mod python;
pub mod runtime;
pub mod storage;
#[cfg(feature = "testing")]
pub mod testing {
    //! What tests of backends and of crashes need (feature `testing`).

    pub use crate::fault::{crash_at, fail_at};
    pub use crate::storage::conformance::check_backend;
}
pub mod types;

pub use cas::{
    CasError, CasStats, ContentAddressable, ContentAddressedStore, Damage, RepairOptions,
    RepairReport, VerifyReport,
};
pub use compression::{
    AdaptiveCompressor, ArrayHeader, CompressWriter, CompressionError, CompressionLevel,
    Compressor, DEFAULT_MAX_OUTPUT_SIZE, DEFAULT_MAX_WINDOW_LOG, DecompressReader, Lz4Compressor,
    StreamDecoder, StreamEncoder, ZstdCompressor, compress_array, decompress_array, group_bytes,
    ungroup_bytes,
};
pub use config::CoreConfig;
pub use error::{MithrilError, Result};
pub use hashing::{Blake3Hash, HashFunction, Hasher, Sha256Hash, XxHash, XxHash3};
pub use minhash::{MinHashSignature, MinHasher};
pub use progress::{CallbackProgress, ConsoleProgress, NoopProgress, ProgressReporter};
pub use runtime::{par_compute, runtime, spawn, spawn_blocking};
pub use storage::{
    FolderListing, GcsStorage, GcsStorageBuilder, LocalStorage, MemoryStorage, ObjectMeta,
    PutCondition, S3Storage, S3StorageBuilder, StorageBackend, StorageConfig, StorageError,
    create_storage,
};
pub use types::{DType, TensorMeta};

/// The example of the package's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
