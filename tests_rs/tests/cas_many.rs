//! Many contents at once, and tensors as contents.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use mithril_core::cas::tensor_header;
use mithril_core::{
    Blake3Hash, CasError, ContentAddressable, ContentAddressedStore, DType, HashFunction,
    LocalStorage, MemoryStorage, MithrilError, Sha256Hash, StorageBackend, TensorMeta, XxHash3,
    runtime,
};
use proptest::prelude::*;
use std::sync::Arc;

type Any = ContentAddressedStore<Arc<dyn StorageBackend>, Box<dyn HashFunction>>;

fn stores() -> Vec<Arc<Any>> {
    let hashes: [Box<dyn HashFunction>; 2] =
        [Box::new(Sha256Hash::new()), Box::new(XxHash3::new())];
    let storages: [Arc<dyn StorageBackend>; 2] =
        [Arc::new(MemoryStorage::new()), Arc::new(LocalStorage::temp().unwrap())];
    storages
        .into_iter()
        .zip(hashes)
        .map(|(storage, hash)| Arc::new(Any::new(storage, hash)))
        .collect()
}

#[test]
fn many_are_stored_as_one_after_the_other_are() {
    runtime().block_on(async {
        for (cas, other) in stores().into_iter().zip(stores()) {
            let contents: Vec<Bytes> =
                (0..300).map(|at| Bytes::from(format!("content {}", at % 70))).collect();
            for concurrency in [0, 1, 64] {
                let many = cas.store_many(contents.clone(), concurrency).await;
                let many: Vec<String> = many.into_iter().collect::<Result<_, _>>().unwrap();
                for (content, address) in contents.iter().zip(&many) {
                    assert_eq!(&other.store(content.clone()).await.unwrap(), address);
                }
                let back = cas.retrieve_many(many.clone(), concurrency).await;
                let back: Vec<Bytes> = back.into_iter().collect::<Result<_, _>>().unwrap();
                assert_eq!(back, contents);
            }
            for address in cas.list().await.unwrap() {
                assert_eq!(
                    cas.references(&address).await.unwrap(),
                    other.references(&address).await.unwrap()
                );
            }
            assert_eq!(cas.stats().await.unwrap(), other.stats().await.unwrap());
            assert!(cas.store_many(Vec::new(), 8).await.is_empty());
        }
    });
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    runtime().block_on(async {
        let storage = MemoryStorage::new();
        let cas = Arc::new(ContentAddressedStore::new(storage.clone(), Blake3Hash::new()));
        let spoilt = cas.store(Bytes::from("spoilt")).await.unwrap();
        let key = storage.list("references/").await.unwrap().remove(0);
        storage.put(&key, Bytes::from("no record")).await.unwrap();
        let contents = ["one", "spoilt", "two", "spoilt"].map(Bytes::from).to_vec();
        let outcomes = cas.store_many(contents, 8).await;
        let addresses = [&outcomes[0], &outcomes[2]].map(|outcome| outcome.as_ref().unwrap());
        for outcome in [&outcomes[1], &outcomes[3]] {
            let error = outcome.as_ref().unwrap_err();
            assert!(matches!(error, CasError::Damaged { .. }), "{error}");
            assert_eq!(error.address(), Some(spoilt.as_str()));
        }
        let asked = [addresses[0].clone(), "00".repeat(32), addresses[1].clone()];
        let found = cas.retrieve_many(asked.to_vec(), 8).await;
        assert_eq!(found[0].as_ref().unwrap(), "one");
        assert!(matches!(found[1], Err(CasError::NotFound(_))));
        assert_eq!(found[2].as_ref().unwrap(), "two");
    });
}

fn dtypes() -> impl Strategy<Value = DType> {
    prop::sample::select(DType::ALL.to_vec())
}

proptest! {
    #[test]
    fn tensors_come_back(
        shape in prop::collection::vec(0_usize..5, 0..5),
        dtype in dtypes(),
        name in ".{0,40}",
    ) {
        runtime().block_on(async {
            let cas = ContentAddressedStore::new(MemoryStorage::new(), Blake3Hash::new());
            let meta = TensorMeta::new(name, shape, dtype);
            let data: Vec<u8> = (0..meta.size_bytes).map(|at| at as u8).collect();
            let address = cas.store_tensor(&meta, &data).await.unwrap();
            let (found, back) = cas.retrieve_tensor(&address).await.unwrap();
            assert_eq!(found, meta);
            assert_eq!(back, data);
            assert_eq!(cas.store_tensor(&meta, &data).await.unwrap(), address);
            assert_eq!(tensor_header(&meta).unwrap().len() % 64, 0);
        });
    }

    #[test]
    fn no_content_is_taken_for_a_tensor_that_it_is_not(
        at in 0_usize..128,
        byte in any::<u8>(),
        cut in 0_usize..128,
    ) {
        runtime().block_on(async {
            let cas = ContentAddressedStore::new(MemoryStorage::new(), Blake3Hash::new());
            let meta = TensorMeta::new("", vec![3], DType::Int16);
            let mut content = tensor_header(&meta).unwrap();
            content.extend_from_slice(&[1; 6]);
            content.truncate(content.len() - cut.min(content.len()));
            if let Some(place) = content.get_mut(at) {
                *place = byte;
            }
            let address = cas.store(content.into()).await.unwrap();
            match cas.retrieve_tensor(&address).await {
                Ok((found, data)) => assert_eq!(found.size_bytes, data.len() as u64),
                Err(CasError::NotATensor { address: named, .. }) => assert_eq!(named, address),
                Err(other) => panic!("{other}"),
            }
        });
    }
}

#[test]
fn the_header_is_the_documented_one() {
    let header = tensor_header(&TensorMeta::new("", vec![2, 3], DType::BFloat16)).unwrap();
    let text = br#"{"name":"","shape":[2,3],"dtype":"BFloat16","size_bytes":12}"#;
    let mut wanted = b"mithril\0\x01\0\0\0\x70\0\0\0".to_vec();
    wanted.extend_from_slice(text);
    wanted.resize(128, b' ');
    assert_eq!(header, wanted);
}

#[test]
fn a_tensor_that_does_not_have_its_bytes_is_refused() {
    runtime().block_on(async {
        let cas = ContentAddressedStore::new(MemoryStorage::new(), Blake3Hash::new());
        let meta = TensorMeta::new("", vec![2], DType::Int16);
        let lying = TensorMeta { size_bytes: 3, ..meta.clone() };
        for (meta, size) in [(&meta, 3), (&lying, 3), (&lying, 4)] {
            let refused = cas.store_tensor(meta, &[0; 4][..size]).await.unwrap_err();
            assert!(matches!(refused, MithrilError::InvalidArgument(_)), "{refused}");
        }
        let long = TensorMeta::new("n".repeat(70_000), vec![], DType::Int8);
        let deep = TensorMeta::new("", vec![1; 65], DType::Int8);
        for meta in [long, deep] {
            let refused = tensor_header(&meta).unwrap_err();
            assert!(matches!(refused, MithrilError::InvalidArgument(_)), "{refused}");
        }
        assert!(cas.list().await.unwrap().is_empty());
    });
}
