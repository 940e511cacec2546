//! A content-addressed store against a dictionary, through any sequence of calls.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use mithril_core::{
    Blake3Hash, CasError, CompressionLevel, ContentAddressable, ContentAddressedStore,
    HashFunction, LocalStorage, Lz4Compressor, MemoryStorage, RepairOptions, Sha256Hash,
    StorageBackend, XxHash, XxHash3, runtime,
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Call {
    Store(u8),
    StoreStream(u8, u16),
    Delete(u8),
    Retrieve(u8),
    RetrieveStream(u8),
    Contains(u8),
    SetReferences(u8, u8),
    Stats,
    Verify,
    Repair(bool),
    Reopen,
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let content = 0..5_u8;
    let call = prop_oneof![
        4 => content.clone().prop_map(Call::Store),
        2 => (content.clone(), 1..900_u16).prop_map(|(content, piece)| Call::StoreStream(content, piece)),
        5 => content.clone().prop_map(Call::Delete),
        2 => content.clone().prop_map(Call::Retrieve),
        1 => content.clone().prop_map(Call::RetrieveStream),
        1 => content.clone().prop_map(Call::Contains),
        1 => (content, 0..4_u8).prop_map(|(content, references)| Call::SetReferences(content, references)),
        1 => Just(Call::Stats),
        1 => Just(Call::Verify),
        1 => any::<bool>().prop_map(Call::Repair),
        1 => Just(Call::Reopen),
    ];
    prop::collection::vec(call, 1..60)
}

/// Empty, short, long and hard to compress.
fn content(number: u8) -> Bytes {
    match number {
        0 => Bytes::new(),
        1 => Bytes::from_static(b"x"),
        2 => Bytes::from("a line of text\n".repeat(50)),
        3 => Bytes::from("a line of text\n".repeat(5000)),
        _ => (0..3000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect(),
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each call")]
async fn run<S, H>(storage: S, hash: fn() -> H, compress: bool, calls: &[Call])
where
    S: StorageBackend + Clone,
    H: HashFunction + 'static,
{
    let open = || {
        let cas = ContentAddressedStore::new(storage.clone(), hash());
        if compress {
            cas.with_compression(Lz4Compressor::new(CompressionLevel::Fastest))
        } else {
            cas
        }
    };
    let mut cas = open();
    let mut dictionary: BTreeMap<String, (Bytes, u64)> = BTreeMap::new();
    let address = |number: u8| hash().hash_hex(&content(number));
    for call in calls {
        match *call {
            Call::Store(number) => {
                assert_eq!(cas.store(content(number)).await.unwrap(), address(number));
                dictionary.entry(address(number)).or_insert((content(number), 0)).1 += 1;
            }
            Call::StoreStream(number, piece) => {
                let data = content(number);
                let pieces: Vec<_> =
                    data.chunks(piece.into()).map(|piece| Ok(data.slice_ref(piece))).collect();
                let stored = cas.store_stream(stream::iter(pieces).boxed()).await.unwrap();
                assert_eq!(stored, address(number));
                dictionary.entry(address(number)).or_insert((content(number), 0)).1 += 1;
            }
            Call::Delete(number) => match cas.delete(&address(number)).await {
                Ok(()) => {
                    let entry = dictionary.get_mut(&address(number)).expect("nothing to delete");
                    entry.1 -= 1;
                    if entry.1 == 0 {
                        dictionary.remove(&address(number));
                    }
                }
                Err(CasError::NotFound(_)) => {
                    assert!(!dictionary.contains_key(&address(number)), "it is there");
                }
                Err(error) => panic!("{error}"),
            },
            Call::Retrieve(number) => match cas.retrieve(&address(number)).await {
                Ok(found) => assert_eq!(found, dictionary[&address(number)].0),
                Err(CasError::NotFound(_)) => {
                    assert!(!dictionary.contains_key(&address(number)));
                }
                Err(error) => panic!("{error}"),
            },
            Call::RetrieveStream(number) => match cas.retrieve_stream(&address(number)).await {
                Ok(pieces) => {
                    let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
                    assert_eq!(pieces.concat(), dictionary[&address(number)].0);
                }
                Err(CasError::NotFound(_)) => {
                    assert!(!dictionary.contains_key(&address(number)));
                }
                Err(error) => panic!("{error}"),
            },
            Call::Contains(number) => {
                let found = cas.contains(&address(number)).await.unwrap();
                assert_eq!(found, dictionary.contains_key(&address(number)));
            }
            Call::SetReferences(number, references) => {
                match cas.set_references(&address(number), references.into()).await {
                    Ok(()) if references == 0 => drop(dictionary.remove(&address(number)).unwrap()),
                    Ok(()) => {
                        dictionary.get_mut(&address(number)).unwrap().1 = references.into();
                    }
                    Err(CasError::NotFound(_)) => {
                        assert!(!dictionary.contains_key(&address(number)));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Call::Stats => {
                let stats = cas.stats().await.unwrap();
                assert_eq!(stats.total_objects, dictionary.len() as u64);
                if !compress {
                    let total: u64 = dictionary.values().map(|(data, _)| data.len() as u64).sum();
                    let further: u64 =
                        dictionary.values().map(|(data, n)| data.len() as u64 * (n - 1)).sum();
                    assert_eq!((stats.total_bytes, stats.deduplicated_bytes), (total, further));
                }
            }
            Call::Verify => {
                let report = cas.verify(1.0, 0).await.unwrap();
                assert_eq!((report.checked, report.damaged.len()), (dictionary.len() as u64, 0));
            }
            Call::Repair(exclusive) => {
                let options = RepairOptions { exclusive, ..RepairOptions::default() };
                let report = cas.repair(options).await.unwrap();
                assert_eq!(report, mithril_core::RepairReport::default());
            }
            Call::Reopen => cas = open(),
        }
    }
    assert_eq!(cas.list().await.unwrap(), dictionary.keys().cloned().collect::<Vec<_>>());
    for (address, (data, references)) in &dictionary {
        assert_eq!(cas.references(address).await.unwrap(), *references);
        assert_eq!(cas.retrieve(address).await.unwrap(), data);
    }
    assert_eq!(storage.list("objects/").await.unwrap().len(), dictionary.len());
    assert_eq!(storage.list("incoming/").await.unwrap(), [""; 0]);
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn any_calls_leave_what_a_dictionary_would_hold(
        calls in calls(),
        compress in any::<bool>(),
        hash in 0..4_u8,
    ) {
        let memory = MemoryStorage::new();
        runtime().block_on(async {
            match hash {
                0 => run(memory, Blake3Hash::new, compress, &calls).await,
                1 => run(memory, Sha256Hash::new, compress, &calls).await,
                2 => run(memory, XxHash3::new, compress, &calls).await,
                _ => run(memory, XxHash::new, compress, &calls).await,
            }
        });
    }

    #[test]
    fn any_calls_on_a_folder_leave_what_a_dictionary_would_hold(calls in calls()) {
        let folder = LocalStorage::temp().unwrap();
        runtime().block_on(run(folder, Blake3Hash::new, true, &calls));
    }
}
