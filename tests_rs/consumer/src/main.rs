//! What a product crate does with the packaged crate: every building block through its public names,
//! and a store of the product's own.

mod shelf;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use mithril_core::{
    AdaptiveCompressor, Blake3Hash, CallbackProgress, CasError, CompressionError, CompressionLevel,
    Compressor, ContentAddressable, ContentAddressedStore, CoreConfig, DType, HashFunction,
    LocalStorage, Lz4Compressor, MemoryStorage, MinHashSignature, MinHasher, MithrilError,
    NoopProgress, ProgressReporter, Sha256Hash, StorageBackend, StorageConfig, StorageError,
    TensorMeta, XxHash, XxHash3, ZstdCompressor, create_storage, par_compute, runtime, spawn,
    spawn_blocking,
};
use shelf::Shelf;
use std::sync::atomic::{AtomicU64, Ordering};

const TEXT: &str = "the quick brown fox jumps over the lazy dog";

/// Every kind of error becomes the one that products return, with `?`.
fn main() -> mithril_core::Result<()> {
    compression()?;
    hashing();
    minhash()?;
    types()?;
    configuration()?;
    progress();
    runtime().block_on(async {
        storage().await?;
        content(MemoryStorage::new()).await?;
        content(LocalStorage::temp()?).await?;
        content(Shelf::default()).await?;
        threads().await;
        Ok::<(), MithrilError>(())
    })?;
    println!("the packaged crate serves a product");
    Ok(())
}

async fn storage() -> Result<(), StorageError> {
    let stores: [Box<dyn StorageBackend>; 3] = [
        create_storage(StorageConfig::Memory)?,
        Box::new(LocalStorage::temp()?),
        Box::new(Shelf::default()),
    ];
    for store in &stores {
        store.put("a/b", Bytes::from("value")).await?;
        assert_eq!(store.get("a/b").await?, "value");
        assert_eq!(store.get_opt("a/c").await?, None);
        assert!(store.exists("a/b").await?);
        assert_eq!(store.head("a/b").await?.size, 5);
        let pieces = stream::iter(["in ", "pieces"].map(Bytes::from)).boxed();
        store.put_stream("a/c", pieces).await?;
        let pieces: Vec<Bytes> = store.get_stream("a/c").await?.try_collect().await?;
        assert_eq!(pieces.concat(), b"in pieces");
        // What only some stores have of their own comes with the trait.
        assert_eq!(store.get_range("a/c", 3..6).await?, "pie");
        store.copy("a/c", "copy").await?;
        assert_eq!(store.list("").await?, ["a/b", "a/c", "copy"]);
        assert_eq!(store.list("a").await?, ["a/b", "a/c"]);
        store.delete("a/b").await?;
        let gone = store.get("a/b").await;
        assert!(matches!(gone, Err(StorageError::NotFound(text)) if text.contains("a/b")));
    }
    for store in &stores[..2] {
        let refused = store.put("../outside", Bytes::new()).await;
        assert!(matches!(refused, Err(StorageError::InvalidKey(_))));
    }
    Ok(())
}

async fn content(store: impl StorageBackend + Clone + 'static) -> Result<(), CasError> {
    let open = || {
        ContentAddressedStore::new(store.clone(), Blake3Hash::new())
            .with_compression(ZstdCompressor::new(CompressionLevel::Default))
    };
    let data = Bytes::from(TEXT.repeat(100));
    let address = open().store(data.clone()).await?;
    assert_eq!(address, Blake3Hash::new().hash_hex(&data));
    // One after the other through one store object: that is what every backend promises.
    let cas = open();
    for _ in 0..4 {
        assert_eq!(cas.store(data.clone()).await?, address);
    }
    let stats = cas.stats().await?;
    assert_eq!(stats.total_objects, 1);
    assert!(stats.total_bytes < data.len() as u64);
    assert_eq!(stats.deduplicated_bytes, 4 * stats.total_bytes);
    for _ in 0..5 {
        assert_eq!(cas.retrieve(&address).await?, data);
        cas.delete(&address).await?;
    }
    assert!(!cas.contains(&address).await?);
    assert!(matches!(cas.delete(&address).await, Err(CasError::NotFound(_))));
    assert!(matches!(cas.retrieve("no hash").await, Err(CasError::InvalidAddress { .. })));
    assert_eq!(store.list("objects/").await?, [""; 0]);
    Ok(())
}

async fn threads() {
    assert_eq!(spawn(async { 6 * 7 }).await.ok(), Some(42));
    assert_eq!(spawn_blocking(|| 6 * 7).await.ok(), Some(42));
    assert_eq!(par_compute(vec![3, 1, 2], |item| item * item), [9, 1, 4]);
}

fn compression() -> Result<(), CompressionError> {
    let data = TEXT.repeat(1000).into_bytes();
    let dictionary = TEXT.as_bytes();
    let compressors: [Box<dyn Compressor>; 4] = [
        Box::new(ZstdCompressor::new(CompressionLevel::Best)),
        Box::new(ZstdCompressor::with_dictionary(dictionary, CompressionLevel::Custom(5))),
        Box::new(Lz4Compressor::new(CompressionLevel::Fastest)),
        Box::new(AdaptiveCompressor::new()),
    ];
    for compressor in &compressors {
        let frame = compressor.compress(&data)?;
        assert!(frame.len() < data.len() / 10, "{}", compressor.name());
        assert_eq!(compressor.decompress(&frame)?, data);
        assert!(compressor.decompress(&frame[..frame.len() - 1]).is_err());
        let (mut streamed, mut back) = (Vec::new(), Vec::new());
        let written = compressor.compress_stream(data.as_slice(), &mut streamed)?;
        assert_eq!(written, streamed.len() as u64);
        compressor.decompress_stream(streamed.as_slice(), &mut back)?;
        assert_eq!(back, data);
        assert!(compressor.estimate_ratio(&data) > 10.0);
    }
    Ok(())
}

fn hashing() {
    let functions: [Box<dyn HashFunction>; 4] = [
        Box::new(XxHash::new()),
        Box::new(XxHash3::new()),
        Box::new(Blake3Hash::new()),
        Box::new(Sha256Hash::new()),
    ];
    for function in &functions {
        let mut hasher = function.hasher();
        hasher.update(b"con");
        hasher.update(b"tent");
        assert_eq!(hasher.finalize(), function.hash(b"content"));
        assert_eq!(function.hash_hex(b"content").len(), 2 * function.output_size());
        let hasher = function.hasher();
        assert_eq!(hasher.finalize_u64(), function.hash_u64(b""), "{}", function.name());
    }
}

fn minhash() -> mithril_core::Result<()> {
    let hasher = MinHasher::with_seed(128, 7);
    let one = hasher.hash_text(TEXT, 3);
    let two = hasher.hash_text(&TEXT.replace("jumps", "jumped"), 3);
    assert!(MinHasher::similarity(&one, &two) > 0.6);
    assert_eq!(one.bands(16).len(), 16);
    let stored = MinHashSignature { values: one.values.clone() };
    assert_eq!(stored.merge(&one)?, one);
    let short = MinHasher::new(64).hash_tokens(&[1, 2, 3]);
    assert!(matches!(stored.merge(&short), Err(MithrilError::InvalidArgument(_))));
    Ok(())
}

fn types() -> mithril_core::Result<()> {
    let json = r#"{"name": "w", "shape": [3, 4], "dtype": "Float32", "size_bytes": 48}"#;
    let meta: TensorMeta = serde_json::from_str(json)?;
    assert_eq!(meta, TensorMeta::new("w", vec![3, 4], DType::Float32));
    assert_eq!(DType::from_numpy_str(meta.dtype.to_numpy_str()), Some(DType::Float32));
    assert_eq!(meta.dtype.size_bytes(), 4);
    Ok(())
}

fn configuration() -> mithril_core::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mithril.toml");
    std::fs::write(&path, "storage = 's3://corpus/cleaned'\nlog_level = 'info'\n")?;
    let variables = CoreConfig::from_variables([("MITHRIL_STORAGE", "memory://")])?;
    let config = CoreConfig::from_file(&path)?.merge(variables);
    assert_eq!(config.storage, StorageConfig::Memory);
    assert_eq!(config.log_level.as_deref(), Some("info"));
    std::fs::write(&path, "log_levle = 'info'\n")?;
    let error = CoreConfig::from_file(&path).map_err(|error| error.to_string());
    assert!(error.is_err_and(|text| text.contains("mithril.toml:1")));
    Ok(())
}

fn progress() {
    let seen = AtomicU64::new(0);
    let callback = CallbackProgress::new(|done, _, _| seen.store(done, Ordering::Relaxed));
    let reporters: [&dyn ProgressReporter; 2] = [&callback, &NoopProgress];
    for reporter in reporters {
        reporter.set_message("reading");
        reporter.set_total(10);
        reporter.increment(4);
        reporter.finish();
    }
    assert_eq!(seen.load(Ordering::Relaxed), 4);
}
