//! Stores of S3 against two servers that have nothing in common.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use mithril_core::testing::check_backend;
use mithril_core::{StorageBackend, StorageError, runtime};
use mithril_tests::servers::{KEY_ID, Moto, S3Server, SeaweedFs};

/// The rules, and that nothing is left of the uploads that were broken off.
fn keeps_the_rules(server: &dyn S3Server, bucket: &str, prefix: Option<&str>) {
    server.make_bucket(bucket);
    let store: Box<dyn StorageBackend> =
        Box::new(server.builder(bucket).with_prefix(prefix.map(str::to_owned)).build().unwrap());
    // Not on a thread of the runtime: the store finds it by itself.
    futures_executor::block_on(check_backend(&store));
    no_upload_stays(server, bucket);
}

/// Parts are taken back after the upload has been dropped.
fn no_upload_stays(server: &dyn S3Server, bucket: &str) {
    let start = std::time::Instant::now();
    while server.open_uploads(bucket) > 0 {
        assert!(start.elapsed().as_secs() < 20, "uploads are left in {bucket}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn moto_keeps_the_rules() {
    keeps_the_rules(Moto::shared(), "rules", None);
}

#[test]
fn moto_keeps_the_rules_below_a_prefix() {
    keeps_the_rules(Moto::shared(), "rules-below", Some("a prefix/é#%2F"));
}

#[test]
fn seaweedfs_keeps_the_rules() {
    keeps_the_rules(SeaweedFs::shared(), "rules", None);
}

#[test]
fn seaweedfs_keeps_the_rules_below_a_prefix() {
    keeps_the_rules(SeaweedFs::shared(), "rules-below", Some("a/b"));
}

#[test]
fn stores_below_other_prefixes_do_not_see_each_other() {
    let server = Moto::shared();
    server.make_bucket("prefixes");
    let below = |prefix: &str| {
        server.builder("prefixes").with_prefix(Some(prefix.to_owned())).build().unwrap()
    };
    let (one, two) = (below("a"), below("ab"));
    runtime().block_on(async {
        one.put("key", Bytes::from("one")).await.unwrap();
        two.put("key", Bytes::from("two")).await.unwrap();
        assert_eq!(one.list("").await.unwrap(), ["key"]);
        assert_eq!(one.get("key").await.unwrap(), "one");
        assert_eq!(two.get("key").await.unwrap(), "two");
    });
}

#[test]
fn folder_markers_are_not_objects() {
    let server = Moto::shared();
    server.make_bucket("markers");
    let store = server.builder("markers").build().unwrap();
    let port = server.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    mithril_tests::servers::request(port, "PUT", "/markers/folder/").unwrap();
    runtime().block_on(async {
        store.put("folder/object", Bytes::from("x")).await.unwrap();
        for number in 0..40 {
            store.put(&format!("empty/{number:02}"), Bytes::new()).await.unwrap();
        }
        let listed = store.list("").await.unwrap();
        assert_eq!(listed.len(), 41, "{listed:?}");
        assert_eq!(listed[40], "folder/object");
    });
}

async fn every_verb(store: &dyn StorageBackend) -> Vec<(&'static str, Result<(), StorageError>)> {
    let data = || Bytes::from("x");
    let large = || Box::pin(futures_util::stream::iter([Bytes::from(vec![0; 20 << 20])]));
    let absent = mithril_core::PutCondition::Absent;
    let changed = mithril_core::PutCondition::Matches("\"0\"".to_owned());
    vec![
        ("get", store.get("the/key").await.map(drop)),
        ("get_opt", store.get_opt("the/key").await.map(drop)),
        ("get_stream", store.get_stream("the/key").await.map(drop)),
        ("get_range", store.get_range("the/key", 0..1).await.map(drop)),
        ("get_ranges", store.get_ranges("the/key", &[0..1, 2..3]).await.map(drop)),
        ("exists", store.exists("the/key").await.map(drop)),
        ("head", store.head("the/key").await.map(drop)),
        ("delete", store.delete("the/key").await),
        ("list", store.list("the/key").await.map(drop)),
        ("put", store.put("the/key", data()).await),
        ("put_stream", store.put_stream("the/key", large()).await),
        ("put_if absent", store.put_if("the/key", data(), absent).await.map(drop)),
        ("put_if changed", store.put_if("the/key", data(), changed).await.map(drop)),
        ("copy", store.copy("the/key", "to").await),
        ("rename", store.rename("the/key", "to").await),
    ]
}

fn a_missing_bucket_is_named(server: &dyn S3Server) {
    let store = server.builder("nowhere").build().unwrap();
    for (verb, outcome) in runtime().block_on(every_verb(&store)) {
        match outcome {
            Err(StorageError::NotFound(text)) => {
                assert!(text.contains("no bucket") && text.contains("nowhere"), "{verb}: {text}");
                assert!(text.contains(&server.endpoint()), "{verb}: {text}");
            }
            outcome => panic!("{verb} in a missing bucket: {outcome:?}"),
        }
    }
}

#[test]
fn a_missing_bucket_is_named_whatever_is_asked_of_moto() {
    a_missing_bucket_is_named(Moto::shared());
}

#[test]
fn a_missing_bucket_is_named_whatever_is_asked_of_seaweedfs() {
    a_missing_bucket_is_named(SeaweedFs::shared());
}

#[test]
fn a_wrong_secret_is_refused_and_never_shown() {
    let server = SeaweedFs::shared();
    server.make_bucket("refused");
    for (id, secret) in [(KEY_ID, "wrongwrong/wrong+"), ("unknown", "wrongwrong/wrong+")] {
        let store = server.builder("refused").with_credentials(id, secret).build().unwrap();
        for (verb, outcome) in runtime().block_on(every_verb(&store)) {
            let error = outcome.expect_err(verb);
            let texts = [error.to_string(), format!("{error:?}"), format!("{store:?}")];
            assert!(matches!(error, StorageError::PermissionDenied(_)), "{verb}: {error:?}");
            assert!(texts.iter().all(|text| !text.contains("wrongwrong")), "{verb}: {texts:?}");
            assert!(texts[0].contains("refused") && texts[0].contains(&server.endpoint()));
        }
    }
}
