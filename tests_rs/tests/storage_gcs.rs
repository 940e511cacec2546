//! Stores of Google against a stand-in, which shows that our client works and not that it matches
//! Google's service: see `servers/gcs.py`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use mithril_core::testing::check_backend;
use mithril_core::{PutCondition, StorageBackend, StorageError, runtime};
use mithril_tests::servers::FakeGcs;

fn keeps_the_rules(bucket: &str, prefix: Option<&str>) {
    let server = FakeGcs::shared();
    server.make_bucket(bucket);
    let store: Box<dyn StorageBackend> =
        Box::new(server.builder(bucket).with_prefix(prefix.map(str::to_owned)).build().unwrap());
    // Not on a thread of the runtime: the store finds it by itself.
    futures_executor::block_on(check_backend(&store));
    let start = std::time::Instant::now();
    while server.open_uploads(bucket) > 0 {
        assert!(start.elapsed().as_secs() < 20, "uploads are left in {bucket}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn google_keeps_the_rules() {
    keeps_the_rules("rules", None);
}

#[test]
fn google_keeps_the_rules_below_a_prefix() {
    keeps_the_rules("rules-below", Some("a prefix/é#%2F"));
}

#[test]
fn a_version_is_a_generation() {
    let server = FakeGcs::shared();
    server.make_bucket("versions");
    let store = server.builder("versions").build().unwrap();
    runtime().block_on(async {
        let absent = PutCondition::Absent;
        let one = store.put_if("key", Bytes::from("same"), absent).await.unwrap().unwrap();
        let matches = PutCondition::Matches(one.clone());
        let two = store.put_if("key", Bytes::from("same"), matches).await.unwrap().unwrap();
        assert!(two.parse::<u64>().unwrap() > one.parse().unwrap());
        assert_eq!(store.head("key").await.unwrap().etag, Some(two));
        let text = PutCondition::Matches("not a generation".to_owned());
        assert!(store.put_if("key", Bytes::new(), text).await.is_err());
    });
}

#[test]
fn a_listing_of_many_pages_is_whole() {
    let server = FakeGcs::shared();
    server.make_bucket("pages");
    let store = server.builder("pages").build().unwrap();
    let keys: Vec<_> = (0..2500).map(|number| format!("{number:05}")).collect();
    runtime().block_on(async {
        let puts = keys.iter().map(|key| store.put(key, Bytes::from("x")));
        futures_util::future::try_join_all(puts).await.unwrap();
        assert_eq!(store.list("").await.unwrap(), keys);
    });
}

#[test]
fn a_missing_bucket_is_named_whatever_is_asked() {
    let server = FakeGcs::shared();
    let store = server.builder("nowhere").build().unwrap();
    let large = || Box::pin(futures_util::stream::iter([Bytes::from(vec![0; 20 << 20])]));
    let outcomes = runtime().block_on(async {
        [
            store.get("the/key").await.map(drop),
            store.get_opt("the/key").await.map(drop),
            store.exists("the/key").await.map(drop),
            store.head("the/key").await.map(drop),
            store.delete("the/key").await,
            store.list("the/key").await.map(drop),
            store.put("the/key", Bytes::from("x")).await,
            store.put_stream("the/key", large()).await,
            store.copy("the/key", "to").await,
        ]
    });
    for outcome in outcomes {
        let Err(StorageError::NotFound(text)) = outcome else { panic!("{outcome:?}") };
        assert!(text.contains("no bucket") && text.contains("nowhere"), "{text}");
        assert!(text.contains(&server.endpoint()), "{text}");
    }
}
