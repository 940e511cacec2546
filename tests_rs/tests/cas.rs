//! A content-addressed store as its users see it: references, damage, repair.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use mithril_core::{
    AdaptiveCompressor, Blake3Hash, CasError, CasStats, CompressionLevel, ContentAddressable,
    ContentAddressedStore, HashFunction, Hasher, LocalStorage, Lz4Compressor, MemoryStorage,
    RepairOptions, StorageBackend, StorageError, XxHash3, ZstdCompressor, runtime,
};

type Memory = ContentAddressedStore<MemoryStorage, Blake3Hash>;

fn memory() -> (MemoryStorage, Memory) {
    let storage = MemoryStorage::new();
    (storage.clone(), ContentAddressedStore::new(storage, Blake3Hash::new()))
}

fn text(length: usize) -> Bytes {
    Bytes::from("the quick brown fox jumps over the lazy dog. ".repeat(length / 45 + 1))
        .slice(..length)
}

#[test]
fn each_store_adds_a_reference_and_the_bytes_go_with_the_last() {
    runtime().block_on(async {
        let (storage, cas) = memory();
        let data = text(1000);
        let address = cas.store(data.clone()).await.unwrap();
        assert_eq!(address, Blake3Hash::new().hash_hex(&data));
        for references in 2..=3 {
            assert_eq!(cas.store(data.clone()).await.unwrap(), address);
            assert_eq!(cas.references(&address).await.unwrap(), references);
        }
        assert_eq!(storage.list("objects/").await.unwrap().len(), 1);
        let stats = cas.stats().await.unwrap();
        let wanted = CasStats { total_objects: 1, total_bytes: 1000, deduplicated_bytes: 2000 };
        assert_eq!(stats, wanted);
        for _ in 0..3 {
            assert_eq!(cas.retrieve(&address).await.unwrap(), data);
            cas.delete(&address).await.unwrap();
        }
        assert!(!cas.contains(&address).await.unwrap());
        assert_eq!(storage.list("objects/").await.unwrap(), [""; 0]);
        let gone = cas.retrieve(&address).await.unwrap_err();
        assert!(matches!(&gone, CasError::NotFound(named) if *named == address), "{gone}");
        assert!(matches!(cas.delete(&address).await, Err(CasError::NotFound(_))));
        assert_eq!(cas.stats().await.unwrap(), CasStats::default());
        // And again, after its death.
        cas.store(data.clone()).await.unwrap();
        assert_eq!(cas.retrieve(&address).await.unwrap(), data);
        assert_eq!(cas.list().await.unwrap(), [address]);
    });
}

#[test]
fn references_outlive_the_store_object() {
    runtime().block_on(async {
        let storage = LocalStorage::temp().unwrap();
        let open = || ContentAddressedStore::new(storage.clone(), Blake3Hash::new());
        let address = open().store(text(100)).await.unwrap();
        open().store(text(100)).await.unwrap();
        open().delete(&address).await.unwrap();
        assert_eq!(open().retrieve(&address).await.unwrap(), text(100));
        open().delete(&address).await.unwrap();
        assert!(!open().contains(&address).await.unwrap());
    });
}

#[test]
fn content_of_every_size_comes_back_whatever_it_is_packed_with() {
    runtime().block_on(async {
        let storage = MemoryStorage::new();
        let open = || ContentAddressedStore::new(storage.clone(), Blake3Hash::new());
        let stores = [
            open(),
            open().with_compression(ZstdCompressor::new(CompressionLevel::Default)),
            open().with_compression(Lz4Compressor::new(CompressionLevel::Default)),
            open().with_compression(AdaptiveCompressor::new()),
        ];
        for (writer, cas) in stores.iter().enumerate() {
            for length in [0, 1, 2, 1000, 100_000, 3_000_000] {
                let data = Bytes::from([format!("{writer} ").as_bytes(), &text(length)].concat());
                let address = cas.store(data.clone()).await.unwrap();
                // In pieces, too: by another writer, of the same content.
                let content = Bytes::from([&b"stream "[..], &data].concat());
                let pieces = content.chunks(70_001).map(|piece| Ok(content.slice_ref(piece)));
                let streamed = cas.store_stream(stream::iter(pieces).boxed()).await.unwrap();
                assert_eq!(streamed, Blake3Hash::new().hash_hex(&content));
                for reader in &stores {
                    assert_eq!(reader.retrieve(&address).await.unwrap(), data);
                    assert_eq!(reader.retrieve(&streamed).await.unwrap(), content);
                    for (address, data) in [(&address, &data), (&streamed, &content)] {
                        let pieces: Vec<Bytes> = reader
                            .retrieve_stream(address)
                            .await
                            .unwrap()
                            .try_collect()
                            .await
                            .unwrap();
                        assert!(pieces.concat() == *data, "{length} bytes by writer {writer}");
                    }
                }
            }
        }
        let stats = stores[0].stats().await.unwrap();
        assert!(stats.total_bytes < 14_000_000, "compressed contents take {stats:?}");
        assert_eq!(storage.list("incoming/").await.unwrap(), [""; 0]);
    });
}

#[test]
fn a_stream_that_fails_stores_nothing() {
    runtime().block_on(async {
        let (storage, cas) = memory();
        let fault = Err(StorageError::Other("the source failed".to_owned()));
        let source = stream::iter([Ok(text(100)), fault]).boxed();
        let error = cas.store_stream(source).await.unwrap_err();
        assert!(error.to_string().contains("the source failed"), "{error}");
        assert_eq!(storage.list("").await.unwrap(), [""; 0]);
    });
}

#[test]
fn a_stream_of_known_content_adds_a_reference_and_leaves_nothing_behind() {
    runtime().block_on(async {
        let (storage, cas) = memory();
        let address = cas.store(text(100)).await.unwrap();
        let source = || stream::iter([Ok(text(100))]).boxed();
        assert_eq!(cas.store_stream(source()).await.unwrap(), address);
        assert_eq!(cas.references(&address).await.unwrap(), 2);
        assert_eq!(storage.list("").await.unwrap().len(), 2, "one record and one object");
    });
}

#[test]
fn what_is_no_address_is_refused_before_any_key_is_made_of_it() {
    runtime().block_on(async {
        let (_, cas) = memory();
        let upper = "A".repeat(64);
        for wrong in ["", "ab", "../../etc/passwd", upper.as_str(), "é", &"f".repeat(65)] {
            for error in [
                cas.retrieve(wrong).await.unwrap_err(),
                cas.delete(wrong).await.unwrap_err(),
                cas.contains(wrong).await.unwrap_err(),
                cas.retrieve_stream(wrong).await.err().unwrap(),
            ] {
                assert!(matches!(error, CasError::InvalidAddress { .. }), "{wrong:?}: {error}");
            }
        }
    });
}

#[test]
fn a_store_opened_with_another_hash_says_so() {
    runtime().block_on(async {
        let (storage, cas) = memory();
        let address = cas.store(text(10)).await.unwrap();
        let other = ContentAddressedStore::new(storage, mithril_core::Sha256Hash::new());
        let error = other.retrieve(&address).await.unwrap_err().to_string();
        assert!(error.contains("blake3") && error.contains("sha256"), "{error}");
    });
}

/// A hash of one byte: every content has a partner.
struct Parity;

impl HashFunction for Parity {
    fn hash(&self, data: &[u8]) -> Vec<u8> {
        vec![data.iter().fold(0, |parity, byte| parity ^ byte) & 1]
    }

    fn hash_u64(&self, data: &[u8]) -> u64 {
        u64::from(self.hash(data)[0])
    }

    fn hasher(&self) -> Box<dyn Hasher> {
        Box::new(ParityHasher(Vec::new()))
    }

    fn output_size(&self) -> usize {
        1
    }

    fn name(&self) -> &'static str {
        "parity"
    }
}

struct ParityHasher(Vec<u8>);

impl Hasher for ParityHasher {
    fn update(&mut self, data: &[u8]) {
        self.0.extend_from_slice(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        Parity.hash(&self.0)
    }

    fn finalize_u64(self: Box<Self>) -> u64 {
        Parity.hash_u64(&self.0)
    }
}

#[test]
fn contents_of_one_hash_are_a_collision_and_never_taken_for_each_other() {
    runtime().block_on(async {
        let cas = ContentAddressedStore::new(MemoryStorage::new(), Parity);
        let address = cas.store(Bytes::from_static(b"a")).await.unwrap();
        for other in ["c", "another one", ""] {
            if Parity.hash(other.as_bytes()) != Parity.hash(b"a") {
                continue;
            }
            let data = Bytes::from_static(other.as_bytes());
            let error = cas.store(data.clone()).await.unwrap_err();
            assert!(matches!(error, CasError::Collision(_)), "{other:?}: {error}");
            let error = cas.store_stream(stream::iter([Ok(data)]).boxed()).await.unwrap_err();
            assert!(matches!(error, CasError::Collision(_)), "{other:?}: {error}");
        }
        cas.store(Bytes::from_static(b"a")).await.unwrap();
        assert_eq!(cas.retrieve(&address).await.unwrap(), "a");
        assert_eq!(cas.references(&address).await.unwrap(), 2);
    });
}

/// One content in a store, with the keys of its record and its object.
async fn stored(data: &Bytes, compressed: bool) -> (MemoryStorage, Memory, String, [String; 2]) {
    let (storage, mut cas) = memory();
    if compressed {
        cas = cas.with_compression(ZstdCompressor::new(CompressionLevel::Default));
    }
    let address = cas.store(data.clone()).await.unwrap();
    let object = storage.list("objects/").await.unwrap().remove(0);
    let record = storage.list("references/").await.unwrap().remove(0);
    (storage, cas, address, [object, record])
}

#[test]
fn no_truncation_and_no_flipped_bit_is_ever_returned() {
    runtime().block_on(async {
        let data = text(300);
        for compressed in [false, true] {
            let (storage, cas, address, keys) = stored(&data, compressed).await;
            for key in keys {
                let whole = storage.get(&key).await.unwrap();
                let cuts = (0..whole.len()).map(|length| whole.slice(..length));
                let flips = (0..whole.len() * 8).map(|bit| {
                    let mut flipped = whole.to_vec();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    Bytes::from(flipped)
                });
                for damaged in cuts.chain(flips) {
                    storage.put(&key, damaged).await.unwrap();
                    let pieces = match cas.retrieve_stream(&address).await {
                        Ok(pieces) => pieces.try_collect::<Vec<_>>().await,
                        Err(error) => Err(error),
                    };
                    let whole = cas.retrieve(&address).await;
                    let streamed = pieces.map(|pieces| Bytes::from(pieces.concat()));
                    for found in [&whole, &streamed] {
                        match found {
                            Err(CasError::Damaged { address: named, .. }) => {
                                assert_eq!(*named, address);
                            }
                            // A few bits of a zstd frame mean nothing.
                            Ok(found) if compressed => assert_eq!(*found, data),
                            other => panic!("damage of {key}: {other:?}"),
                        }
                    }
                    let damaged = cas.verify(1.0, 0).await.unwrap().damaged;
                    assert_eq!(damaged.len(), usize::from(whole.is_err()));
                    assert!(damaged.iter().all(|damage| damage.address == address));
                }
                storage.put(&key, whole).await.unwrap();
                assert_eq!(cas.retrieve(&address).await.unwrap(), data);
            }
        }
    });
}

#[test]
fn a_missing_object_is_damage_and_not_absence() {
    runtime().block_on(async {
        let (storage, cas, address, [object, _]) = stored(&text(50), false).await;
        storage.delete(&object).await.unwrap();
        assert!(matches!(cas.retrieve(&address).await, Err(CasError::Damaged { .. })));
        let stream = cas.retrieve_stream(&address).await.err().unwrap();
        assert!(matches!(stream, CasError::Damaged { .. }), "{stream}");
        let report = cas.repair(RepairOptions::default()).await.unwrap();
        assert_eq!(report.rebuilt, [""; 0]);
        assert!(matches!(cas.retrieve(&address).await, Err(CasError::Damaged { .. })));
        let options = RepairOptions { discard_damaged: true, ..RepairOptions::default() };
        let report = cas.repair(options).await.unwrap();
        assert_eq!(report.damaged[0].address, address);
        assert!(!cas.contains(&address).await.unwrap());
        cas.store(text(50)).await.unwrap();
        assert_eq!(cas.retrieve(&address).await.unwrap(), text(50));
    });
}

#[test]
fn a_record_that_cannot_be_read_is_rebuilt_and_its_bytes_stay() {
    runtime().block_on(async {
        let data = text(500);
        for compressed in [false, true] {
            let (storage, cas, address, [object, record]) = stored(&data, compressed).await;
            storage.put(&record, Bytes::from_static(b"garbage")).await.unwrap();
            assert!(matches!(cas.delete(&address).await, Err(CasError::Damaged { .. })));
            assert!(matches!(cas.store(data.clone()).await, Err(CasError::Damaged { .. })));
            let report = cas.repair(RepairOptions::default()).await.unwrap();
            assert_eq!(report.rebuilt, [address.as_str()]);
            assert_eq!(report.swept_objects, 0, "{report:?}");
            assert_eq!(storage.list("objects/").await.unwrap(), [object]);
            assert_eq!(cas.retrieve(&address).await.unwrap(), data);
            // How many references there were is not known: no deletion takes the bytes.
            for _ in 0..3 {
                cas.delete(&address).await.unwrap();
                assert_eq!(cas.retrieve(&address).await.unwrap(), data);
            }
            cas.set_references(&address, 1).await.unwrap();
            cas.delete(&address).await.unwrap();
            assert!(!cas.contains(&address).await.unwrap());
            assert_eq!(storage.list("objects/").await.unwrap(), [""; 0]);
        }
    });
}

/// A record that says something else, with the checksum that belongs to it.
fn tampered(record: &[u8], from: &str, to: &str) -> Bytes {
    let json = std::str::from_utf8(&record[17..]).unwrap().replace(from, to);
    let check = XxHash3::new().hash_u64(json.as_bytes());
    Bytes::from(format!("{check:016x}\n{json}"))
}

#[test]
fn a_record_that_was_tampered_with_cannot_lead_out_of_its_address_nor_stop_a_repair() {
    runtime().block_on(async {
        let data = text(500);
        for id in ["../..", "a/b", "a.b", "", "a\\\\b", "a\\u0000"] {
            let (storage, cas, address, [object, record]) = stored(&data, false).await;
            let place = object.split('.').nth(1).unwrap();
            let forged = tampered(&storage.get(&record).await.unwrap(), place, id);
            storage.put(&record, forged).await.unwrap();
            assert!(matches!(cas.retrieve(&address).await, Err(CasError::Damaged { .. })), "{id}");
            assert_eq!(cas.verify(1.0, 0).await.unwrap().damaged.len(), 1, "{id}");
            let report = cas.repair(RepairOptions::default()).await.unwrap();
            assert_eq!(report.rebuilt, [address.as_str()], "{id}");
            assert_eq!(cas.retrieve(&address).await.unwrap(), data);
        }
    });
}

#[test]
fn content_that_cannot_be_judged_is_named_and_left_alone() {
    runtime().block_on(async {
        let discard = RepairOptions { discard_damaged: true, ..RepairOptions::default() };
        let swaps = [("\"blake3\"", "\"another\""), ("\"zstd\"", "\"another\"")];
        for (from, to) in swaps {
            let (storage, cas, address, [object, record]) = stored(&text(500), true).await;
            let other = cas.store(text(700)).await.unwrap();
            let forged = tampered(&storage.get(&record).await.unwrap(), from, to);
            storage.put(&record, forged).await.unwrap();
            // Its bytes lie where the record says.
            if from.contains("zstd") {
                let bytes = storage.get(&object).await.unwrap();
                storage.put(&object.replace("zstd", "another"), bytes).await.unwrap();
            }
            let report = cas.repair(discard).await.unwrap();
            assert_eq!(report.damaged.len(), 1, "{report:?}");
            assert_eq!(report.damaged[0].address, address);
            assert!(report.damaged[0].fault.contains("another"), "{report:?}");
            assert!(cas.contains(&address).await.unwrap());
            assert_eq!(cas.retrieve(&other).await.unwrap(), text(700));
        }
    });
}

#[test]
fn lost_records_come_back_if_asked_for_and_else_their_bytes_are_swept() {
    runtime().block_on(async {
        for keep_unreferenced in [true, false] {
            let (storage, cas, address, [_, record]) = stored(&text(500), false).await;
            storage.delete(&record).await.unwrap();
            let options = RepairOptions { keep_unreferenced, ..RepairOptions::default() };
            let report = cas.repair(options).await.unwrap();
            assert_eq!(cas.contains(&address).await.unwrap(), keep_unreferenced);
            assert_eq!(report.rebuilt.len(), usize::from(keep_unreferenced));
            assert_eq!(report.swept_objects, u64::from(!keep_unreferenced));
        }
    });
}

#[test]
fn a_repair_with_nothing_to_do_does_nothing_and_an_exclusive_one_tidies_up() {
    runtime().block_on(async {
        let (storage, cas) = memory();
        let kept = cas.store(text(10)).await.unwrap();
        let gone = cas.store(text(20)).await.unwrap();
        cas.delete(&gone).await.unwrap();
        let before = storage.list("").await.unwrap();
        let report = cas.repair(RepairOptions::default()).await.unwrap();
        assert_eq!(report, mithril_core::RepairReport::default());
        assert_eq!(storage.list("").await.unwrap(), before);
        assert_eq!(before.len(), 3, "a record, its object and a tombstone");
        let options = RepairOptions { exclusive: true, ..RepairOptions::default() };
        cas.repair(options).await.unwrap();
        assert_eq!(storage.list("").await.unwrap().len(), 2);
        assert_eq!(cas.retrieve(&kept).await.unwrap(), text(10));
    });
}

#[test]
fn a_sample_is_drawn_by_its_share_and_seed() {
    runtime().block_on(async {
        let (_, cas) = memory();
        for number in 0..400 {
            cas.store(Bytes::from(format!("content {number}"))).await.unwrap();
        }
        let half = cas.verify(0.5, 1).await.unwrap();
        assert!((140..=260).contains(&half.checked), "{half:?}");
        assert_eq!(cas.verify(0.5, 1).await.unwrap(), half);
        assert_ne!(cas.verify(0.5, 2).await.unwrap().bytes, half.bytes);
        assert_eq!(cas.verify(0.0, 1).await.unwrap().checked, 0);
        assert_eq!(cas.verify(1.0, 1).await.unwrap().checked, 400);
    });
}

#[test]
fn any_store_may_be_boxed_and_the_trait_is_usable_as_dyn() {
    runtime().block_on(async {
        let boxed: Box<dyn StorageBackend> = Box::new(MemoryStorage::new());
        let cas: Box<dyn ContentAddressable> =
            Box::new(ContentAddressedStore::new(boxed, XxHash3::new()));
        let address = cas.store(text(10)).await.unwrap();
        assert_eq!(cas.retrieve(&address).await.unwrap(), text(10));
    });
}
