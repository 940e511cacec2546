//! The contract of `mithril-core` with the products: every name at the root of the crate, with the
//! signature that products are written against. Most of this is shown by compiling.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use mithril_core::{
    AdaptiveCompressor, Blake3Hash, CallbackProgress, CasError, CasStats, CompressionError,
    CompressionLevel, Compressor, ConsoleProgress, ContentAddressable, ContentAddressedStore,
    CoreConfig, DType, GcsStorage, HashFunction, Hasher, LocalStorage, Lz4Compressor,
    MemoryStorage, MinHashSignature, MinHasher, MithrilError, NoopProgress, ObjectMeta,
    ProgressReporter, Result, S3Storage, Sha256Hash, StorageBackend, StorageConfig, StorageError,
    TensorMeta, XxHash, XxHash3, ZstdCompressor, create_storage, par_compute, runtime, spawn,
    spawn_blocking,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

type Stored<T> = std::result::Result<T, StorageError>;
type Compressed<T> = std::result::Result<T, CompressionError>;
type Content<T> = std::result::Result<T, CasError>;

/// A future of this type that may go to another thread.
fn gives<T>(_: &(impl Future<Output = T> + Send)) {}

fn is_backend<S: StorageBackend + Send + Sync>() {}
fn is_compressor<C: Compressor + Send + Sync>() {}
fn is_hash<H: HashFunction + Send + Sync + Default>() {}
fn is_progress<P: ProgressReporter + Send + Sync>() {}
fn is_data<T: Debug + Clone>() {}
fn is_persisted<T: Debug + Clone + Serialize + DeserializeOwned>() {}
fn is_error<E: Error + Debug + Send + Sync + 'static>() {}

#[test]
fn every_name_is_there_as_what_it_is() {
    is_backend::<LocalStorage>();
    is_backend::<S3Storage>();
    is_backend::<GcsStorage>();
    is_backend::<MemoryStorage>();
    is_backend::<Box<dyn StorageBackend>>();
    is_compressor::<ZstdCompressor>();
    is_compressor::<Lz4Compressor>();
    is_compressor::<AdaptiveCompressor>();
    is_compressor::<Box<dyn Compressor>>();
    is_hash::<XxHash>();
    is_hash::<XxHash3>();
    is_hash::<Blake3Hash>();
    is_hash::<Sha256Hash>();
    is_progress::<NoopProgress>();
    is_progress::<ConsoleProgress>();
    is_progress::<CallbackProgress<fn(u64, u64, &str)>>();
    is_data::<ObjectMeta>();
    is_data::<MinHashSignature>();
    is_data::<CompressionLevel>();
    is_persisted::<TensorMeta>();
    is_persisted::<DType>();
    is_persisted::<CoreConfig>();
    is_error::<StorageError>();
    is_error::<CompressionError>();
    is_error::<CasError>();
    is_error::<MithrilError>();
}

/// The signatures, which compiling alone checks: nothing calls these functions.
#[allow(dead_code, reason = "compiled, not run")]
mod signatures {
    use super::*;

    fn backend(store: &dyn StorageBackend, stream: BoxStream<'_, Bytes>) {
        gives::<Stored<Bytes>>(&store.get("key"));
        gives::<Stored<Option<Bytes>>>(&store.get_opt("key"));
        gives::<Stored<()>>(&store.put("key", Bytes::new()));
        gives::<Stored<()>>(&store.delete("key"));
        gives::<Stored<bool>>(&store.exists("key"));
        gives::<Stored<Vec<String>>>(&store.list("prefix"));
        gives::<Stored<ObjectMeta>>(&store.head("key"));
        gives::<Stored<BoxStream<'_, Stored<Bytes>>>>(&store.get_stream("key"));
        gives::<Stored<()>>(&store.put_stream("key", stream));
    }

    fn object_meta(meta: ObjectMeta) {
        let ObjectMeta { key, size, last_modified, etag, content_type } = meta;
        let _: (String, u64, chrono::DateTime<chrono::Utc>) = (key, size, last_modified);
        let _: (Option<String>, Option<String>) = (etag, content_type);
    }

    fn stores() {
        let _: Stored<LocalStorage> = LocalStorage::new("folder");
        let _: Stored<LocalStorage> = LocalStorage::new(Path::new("folder"));
        let _: fn() -> Stored<LocalStorage> = LocalStorage::temp;
        let _: fn() -> MemoryStorage = MemoryStorage::new;
        let _: fn(StorageConfig) -> Stored<Box<dyn StorageBackend>> = create_storage;
        gives::<Stored<S3Storage>>(&S3Storage::new("bucket", Some("prefix")));
        gives::<Stored<S3Storage>>(&S3Storage::from_env());
        gives::<Stored<GcsStorage>>(&GcsStorage::new("bucket", None));
    }

    fn storage_config(path: PathBuf, bucket: String, prefix: Option<String>) -> [StorageConfig; 4] {
        [
            StorageConfig::Local { path },
            StorageConfig::S3 { bucket: bucket.clone(), prefix: prefix.clone() },
            StorageConfig::Gcs { bucket, prefix },
            StorageConfig::Memory,
        ]
    }

    fn compressor<C: Compressor>(compressor: &C) {
        let _: fn(&C, &[u8]) -> Compressed<Vec<u8>> = C::compress;
        let _: fn(&C, &[u8]) -> Compressed<Vec<u8>> = C::decompress;
        let _: fn(&C, &[u8]) -> f32 = C::estimate_ratio;
        let _: fn(&C) -> &'static str = C::name;
        let _: Compressed<u64> = compressor.compress_stream(io::empty(), io::sink());
        let _: Compressed<u64> = compressor.decompress_stream(io::empty(), io::sink());
    }

    fn compressors() {
        let _: fn(CompressionLevel) -> ZstdCompressor = ZstdCompressor::new;
        let _: fn(&[u8], CompressionLevel) -> ZstdCompressor = ZstdCompressor::with_dictionary;
        let _: fn(CompressionLevel) -> Lz4Compressor = Lz4Compressor::new;
        let _: fn() -> AdaptiveCompressor = AdaptiveCompressor::new;
        let _: fn(Vec<Box<dyn Compressor>>) -> AdaptiveCompressor =
            AdaptiveCompressor::with_compressors;
    }

    fn level(level: CompressionLevel) {
        let copied = level;
        match copied {
            CompressionLevel::Custom(level) => {
                let _: i32 = level;
            }
            CompressionLevel::Fastest
            | CompressionLevel::Fast
            | CompressionLevel::Default
            | CompressionLevel::Best => {}
        }
    }

    fn hash(function: &dyn HashFunction) {
        let _: Vec<u8> = function.hash(b"data");
        let _: String = function.hash_hex(b"data");
        let _: u64 = function.hash_u64(b"data");
        let _: usize = function.output_size();
        let _: &'static str = function.name();
        let mut hasher: Box<dyn Hasher> = function.hasher();
        hasher.update(b"data");
        let _: Vec<u8> = hasher.finalize();
        let _: u64 = function.hasher().finalize_u64();
        let _: (XxHash, XxHash3) = (XxHash::new(), XxHash3::new());
        let _: (Blake3Hash, Sha256Hash) = (Blake3Hash::new(), Sha256Hash::new());
    }

    fn content<S, H>(storage: S, hasher: H)
    where
        S: StorageBackend + 'static,
        H: HashFunction + 'static,
    {
        let store: ContentAddressedStore<S, H> = ContentAddressedStore::new(storage, hasher);
        let cas: &dyn ContentAddressable = &store;
        gives::<Content<String>>(&cas.store(Bytes::new()));
        gives::<Content<Bytes>>(&cas.retrieve("address"));
        gives::<Content<bool>>(&cas.contains("address"));
        gives::<Content<()>>(&cas.delete("address"));
        gives::<Content<CasStats>>(&cas.stats());
    }

    fn cas_stats(stats: CasStats) -> [u64; 3] {
        let CasStats { total_objects, total_bytes, deduplicated_bytes } = stats;
        [total_objects, total_bytes, deduplicated_bytes]
    }

    fn minhash(signature: MinHashSignature) {
        let _: fn(usize) -> MinHasher = MinHasher::new;
        let _: fn(usize, u64) -> MinHasher = MinHasher::with_seed;
        let _: fn(&MinHasher, &[u64]) -> MinHashSignature = MinHasher::hash_tokens;
        let _: fn(&MinHasher, &str, usize) -> MinHashSignature = MinHasher::hash_text;
        let _: fn(&MinHashSignature, &MinHashSignature) -> f64 = MinHasher::similarity;
        let _: fn(&MinHashSignature, usize) -> Vec<u64> = MinHashSignature::bands;
        let MinHashSignature { values } = signature;
        let _: Vec<u64> = values;
    }

    fn threads() {
        let _: fn() -> &'static tokio::runtime::Runtime = runtime;
        drop::<tokio::task::JoinHandle<u8>>(spawn(async { 0 }));
        drop::<tokio::task::JoinHandle<u8>>(spawn_blocking(|| 0));
        let _: Vec<String> = par_compute(vec![1_u8], |item: u8| item.to_string());
    }

    fn progress(reporter: &dyn ProgressReporter) {
        reporter.set_total(1_u64);
        reporter.increment(1_u64);
        reporter.set_message("message");
        reporter.finish();
        let _ = (NoopProgress, ConsoleProgress::new());
        let _ = CallbackProgress::new(|_done: u64, _total: u64, _message: &str| ());
    }

    fn tensor(meta: TensorMeta) {
        let TensorMeta { name, shape, dtype, size_bytes } = meta;
        let _: (String, Vec<usize>, DType, u64) = (name, shape, dtype, size_bytes);
        let _: fn(&DType) -> usize = DType::size_bytes;
        let _: fn(&str) -> Option<DType> = DType::from_numpy_str;
        let _: fn(&DType) -> &'static str = DType::to_numpy_str;
    }

    /// Every type, and no other.
    fn dtype(dtype: DType) {
        match dtype {
            DType::Float32
            | DType::Float16
            | DType::BFloat16
            | DType::Float64
            | DType::Int8
            | DType::Int16
            | DType::Int32
            | DType::Int64
            | DType::UInt8
            | DType::UInt16
            | DType::UInt32
            | DType::UInt64
            | DType::Bool => {}
        }
    }

    fn config(storage: StorageConfig, path: PathBuf) {
        let config =
            CoreConfig { storage, temp_dir: Some(path), log_level: Some(String::from("info")) };
        let _: Result<CoreConfig> = CoreConfig::from_file(Path::new("mithril.toml"));
        let _: fn() -> Result<CoreConfig> = CoreConfig::from_env;
        let _: CoreConfig = config.clone().merge(config);
    }
}

#[test]
fn errors_say_what_the_contract_says() {
    let text = || "text".to_owned();
    let io = || io::Error::other("disk");
    let storage: [(StorageError, &str); 6] = [
        (StorageError::NotFound(text()), "Object not found: text"),
        (StorageError::PermissionDenied(text()), "Permission denied: text"),
        (StorageError::Connection(text()), "Connection error: text"),
        (StorageError::InvalidKey(text()), "Invalid key: text"),
        (StorageError::from(io()), "IO error: disk"),
        (StorageError::Other(text()), "Other: text"),
    ];
    for (error, wanted) in storage {
        assert_eq!(error.to_string(), wanted);
        assert_eq!(MithrilError::from(error).to_string(), format!("Storage error: {wanted}"));
    }
    let compression: [(CompressionError, &str); 4] = [
        (CompressionError::CompressionFailed(text()), "Compression failed: text"),
        (CompressionError::DecompressionFailed(text()), "Decompression failed: text"),
        (CompressionError::InvalidData, "Invalid data"),
        (CompressionError::from(io()), "IO error: disk"),
    ];
    for (error, wanted) in compression {
        assert_eq!(error.to_string(), wanted);
        assert_eq!(MithrilError::from(error).to_string(), format!("Compression error: {wanted}"));
    }
    let json = serde_json::from_str::<u8>("no number").unwrap_err();
    let told = json.to_string();
    let mithril: [(MithrilError, &str); 6] = [
        (MithrilError::Hash(text()), "Hash error: text"),
        (MithrilError::from(CasError::from(StorageError::Other(text()))), "CAS error: Other: text"),
        (MithrilError::from(json), &format!("Serialization error: {told}")),
        (MithrilError::from(io()), "IO error: disk"),
        (MithrilError::InvalidArgument(text()), "Invalid argument: text"),
        (MithrilError::Other(text()), "text"),
    ];
    for (error, wanted) in mithril {
        assert_eq!(error.to_string(), wanted);
    }
}

/// The four examples that the contract ends with.
#[test]
fn the_examples_of_the_contract_run() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let storage = LocalStorage::new(folder.path().join("mithril")).unwrap();
        storage.put("key", Bytes::from("value")).await.unwrap();
        assert_eq!(storage.get("key").await.unwrap(), "value");
        // The same interface, and no network before it is used.
        let remote = S3Storage::new("my-bucket", Some("prefix/")).await.unwrap();
        let pieces = futures_util::stream::iter([Bytes::from("value")]).boxed();
        drop(remote.put_stream("key", pieces));

        let storage = LocalStorage::new(folder.path().join("cas")).unwrap();
        let cas = ContentAddressedStore::new(storage, XxHash3::new());
        let address = cas.store(Bytes::from("content")).await.unwrap();
        assert_eq!(cas.retrieve(&address).await.unwrap(), "content");
    });

    let data = b"data ".repeat(100);
    let compressor = ZstdCompressor::new(CompressionLevel::Default);
    let compressed = compressor.compress(&data).unwrap();
    let decompressed = compressor.decompress(&compressed).unwrap();
    assert_eq!(data, decompressed);

    let hasher = MinHasher::new(128);
    let sig1 = hasher.hash_text("hello world", 3);
    let sig2 = hasher.hash_text("hello there world", 3);
    let similarity: f64 = MinHasher::similarity(&sig1, &sig2);
    assert!((0.0..=1.0).contains(&similarity));
}
