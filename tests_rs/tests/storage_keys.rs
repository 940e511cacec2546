//! Keys and URLs of any text: what one store takes all take, and it comes back as it was.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use mithril_core::{
    LocalStorage, MemoryStorage, StorageBackend, StorageConfig, StorageError, runtime,
};
use mithril_tests::proptest_config;
use proptest::prelude::*;

/// Texts that are often almost keys.
fn key() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(".".to_owned()),
        Just("..".to_owned()),
        Just(".mithril".to_owned()),
        Just(String::new()),
        "[a-zA-Z0-9 .#%~?*:|<>\"'\\\\-]{1,12}",
        "\\PC{1,8}",
        any::<String>(),
        (250_usize..260).prop_map(|length| "p".repeat(length)),
    ];
    prop::collection::vec(part, 1..6).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(proptest_config())]

    #[test]
    fn stores_take_the_same_keys(key in key()) {
        let (memory, folder) = (MemoryStorage::new(), LocalStorage::temp().unwrap());
        let data = Bytes::from(key.clone());
        runtime().block_on(async {
            let outcomes = [memory.put(&key, data.clone()).await, folder.put(&key, data.clone()).await];
            match outcomes {
                [Ok(()), Ok(())] => {
                    for store in [&memory as &dyn StorageBackend, &folder] {
                        assert_eq!(store.get(&key).await.unwrap(), data);
                        assert_eq!(store.list("").await.unwrap(), [key.as_str()]);
                        assert_eq!(store.list(&key).await.unwrap(), [key.as_str()]);
                        assert_eq!(store.head(&key).await.unwrap().key, key);
                        store.delete(&key).await.unwrap();
                        assert_eq!(store.list("").await.unwrap(), [""; 0]);
                    }
                }
                [Err(StorageError::InvalidKey(_)), Err(StorageError::InvalidKey(_))] => {}
                outcomes => panic!("{key:?}: {outcomes:?}"),
            }
        });
        let left = std::fs::read_dir(folder.root()).unwrap().flatten();
        assert!(left.into_iter().all(|entry| entry.file_name() == ".mithril"));
    }

    #[test]
    fn a_store_is_written_as_it_is_read(
        scheme in prop::sample::select(vec!["", "s3://", "s3a://", "gs://", "gcs://", "file://", "file:///", "memory://", "x://"]),
        rest in prop_oneof!["[a-z0-9./%@:?# -]{0,20}", any::<String>()],
    ) {
        let Ok(config) = (scheme.to_owned() + &rest).parse::<StorageConfig>() else { return Ok(()) };
        let written = config.to_string();
        prop_assert_eq!(written.parse::<StorageConfig>().unwrap(), config, "{}", written);
    }
}
