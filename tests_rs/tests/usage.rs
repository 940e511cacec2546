//! What a user of `mithril-core` writes first.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::error::Error;

use bytes::Bytes;
use mithril_core::runtime;
use mithril_tests::child::{again, shown, task};
use mithril_tests::servers::{KEY_ID, Moto, S3Server, SECRET};

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn local_storage() -> Outcome {
    use mithril_core::{LocalStorage, StorageBackend};

    let folder = tempfile::tempdir()?;
    let root = folder.path().join("mithril");
    runtime().block_on(async {
        let storage = LocalStorage::new(&root)?;
        storage.put("key", Bytes::from("value")).await?;
        let data = storage.get("key").await?;

        assert_eq!(data, "value");
        Ok(())
    })
}

/// In a process of its own, whose environment names the server.
#[test]
fn s3_storage() -> Outcome {
    use mithril_core::{S3Storage, StorageBackend};

    if task().is_none() {
        let moto = Moto::start();
        moto.make_bucket("my-bucket");
        let output = again("s3_storage", "put")
            .env("AWS_ENDPOINT_URL", moto.endpoint())
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_BUCKET_NAME", "my-bucket")
            .output()?;
        assert!(output.status.success(), "{}", shown(&output));
        return Ok(());
    }
    runtime().block_on(async {
        let storage = S3Storage::new("my-bucket", Some("prefix/")).await?;
        storage.put("key", Bytes::from("value")).await?;

        assert_eq!(storage.get("key").await?, "value");
        let whole = S3Storage::from_env().await?;
        assert_eq!(whole.list("").await?, ["prefix/key"]);
        Ok(())
    })
}

#[test]
fn compression() -> Outcome {
    use mithril_core::{CompressionLevel, Compressor, ZstdCompressor};

    let data = b"some data ".repeat(100);
    let compressor = ZstdCompressor::new(CompressionLevel::Default);
    let compressed = compressor.compress(&data)?;
    let decompressed = compressor.decompress(&compressed)?;
    assert_eq!(data, decompressed);
    Ok(())
}

#[test]
fn content_addressed_storage() -> Outcome {
    // One name more than without a trait: the methods are those of `ContentAddressable`.
    use mithril_core::{ContentAddressable, ContentAddressedStore, LocalStorage, XxHash3};

    let folder = tempfile::tempdir()?;
    runtime().block_on(async {
        let storage = LocalStorage::new(folder.path().join("cas"))?;
        let cas = ContentAddressedStore::new(storage, XxHash3::new());

        let address = cas.store(Bytes::from("content")).await?;
        let retrieved = cas.retrieve(&address).await?;

        assert_eq!(retrieved, "content");
        Ok(())
    })
}

#[test]
fn minhash() {
    use mithril_core::MinHasher;

    let hasher = MinHasher::new(128); // 128 permutations
    let sig1 = hasher.hash_text("hello world", 3); // 3-gram
    let sig2 = hasher.hash_text("hello there world", 3);
    let similarity = MinHasher::similarity(&sig1, &sig2);

    // 8 of 16 n-grams are common; the standard error is 0.04.
    assert!((similarity - 0.5).abs() < 0.2, "{similarity}");
}
