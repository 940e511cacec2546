//! Damaged inputs for every parser: none panics, hangs, or takes more memory than it may.
//!
//! Each target runs its share of `MITHRIL_FUZZ_SECONDS` (10 if not set), one after the other, so that
//! the memory that an input takes can be counted.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use mithril_core::{
    Blake3Hash, CasError, CompressionLevel, ContentAddressable, ContentAddressedStore, CoreConfig,
    DType, HashFunction, MemoryStorage, MithrilError, PutCondition, RepairOptions, StorageBackend,
    StorageConfig, StorageError, XxHash3, ZstdCompressor, runtime,
};
use mithril_tests::mutation::{mutated, mutated_text};
use mithril_tests::proptest_config;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// What one input may take, of which none is longer than 2 MiB. The most is that of a TOML file at its
/// limit of 1 MiB that is all dots, whose tokens take 64 bytes each.
const MAX_MEMORY: usize = 96 << 20;
/// What one input may last: hundreds of times what the slowest takes, for busy machines.
const MAX_TIME: Duration = Duration::from_secs(60);
const TARGETS: u32 = 5;

type Outcome = Result<(), TestCaseError>;

/// Counts the bytes that are allocated, and the most that were at one time.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(taken: usize, given: usize) {
    let live = LIVE.fetch_add(taken, Ordering::Relaxed) + taken;
    PEAK.fetch_max(live, Ordering::Relaxed);
    LIVE.fetch_sub(given, Ordering::Relaxed);
}

#[expect(unsafe_code, reason = "an allocator has no other form")]
// SAFETY: every call goes to the system's allocator as it came, and counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are those of this call.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Held by the test whose memory is counted.
static ALONE: Mutex<()> = Mutex::new(());

/// The most bytes that `work` had at one time.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let outcome = work();
    (outcome, PEAK.load(Ordering::Relaxed).saturating_sub(before))
}

#[test]
fn memory_is_counted() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ((), taken) = peak_of(|| drop(std::hint::black_box(vec![1_u8; MAX_MEMORY])));
    assert!(taken >= MAX_MEMORY, "{taken} bytes");
}

/// Runs `target` on inputs until its time is over; the smallest that fails is told and kept.
fn fuzz<S: Strategy>(strategy: &S, target: impl Fn(S::Value) -> Outcome) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = std::env::var("MITHRIL_FUZZ_SECONDS");
    let seconds = seconds.map_or(10, |seconds| seconds.parse().expect("MITHRIL_FUZZ_SECONDS"));
    let end = Instant::now() + Duration::from_secs(seconds) / TARGETS;
    let config = Config { cases: 32, source_file: Some(file!()), ..proptest_config() };
    let mut inputs = 0;
    loop {
        let run = TestRunner::new(config.clone()).run(strategy, |input| {
            let shown = format!("{input:.300?}");
            let (outcome, taken) = peak_of(|| in_time(shown, || target(input)));
            outcome?;
            prop_assert!(taken <= MAX_MEMORY, "it took {taken} bytes of memory");
            Ok(())
        });
        if let Err(error) = run {
            panic!("{error}");
        }
        inputs += config.cases;
        if Instant::now() >= end {
            println!("{inputs} inputs");
            return;
        }
    }
}

/// Ends the process if `work` does not end: nothing else stops a loop.
fn in_time<T>(input: String, work: impl FnOnce() -> T) -> T {
    let (done, watch) = mpsc::channel::<()>();
    let watcher = thread::spawn(move || {
        if watch.recv_timeout(MAX_TIME) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("this input takes more than {MAX_TIME:?}: {input}");
            std::process::abort();
        }
    });
    let outcome = work();
    drop(done);
    watcher.join().unwrap();
    outcome
}

#[test]
fn keys_are_accepted_by_every_verb_or_by_none() {
    let keys = mutated_text(&["key", "corpus/part-0", "a/b/c.parquet", ".git/x", "é/%2F #?", ""]);
    fuzz(&keys, |key| runtime().block_on(every_verb(&key)));
}

async fn every_verb(key: &str) -> Outcome {
    let store = MemoryStorage::new();
    let data = || Bytes::from("value");
    let pieces = || stream::iter([data()]);
    let is_key = match store.put(key, data()).await {
        Ok(()) => true,
        Err(StorageError::InvalidKey(_)) => false,
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    // Anything but a refusal of the key where there is no fault, and the other way round.
    let told = |outcome: Result<(), StorageError>| match outcome {
        Ok(()) => is_key,
        Err(StorageError::InvalidKey(_)) => !is_key,
        Err(_) => false,
    };
    prop_assert!(told(store.get(key).await.map(|found| assert_eq!(found, data()))));
    prop_assert!(told(store.get_opt(key).await.map(|found| assert_eq!(found, Some(data())))));
    prop_assert!(told(store.exists(key).await.map(|exists| assert!(exists))));
    prop_assert!(told(store.head(key).await.map(|meta| assert_eq!(meta.key, key))));
    prop_assert!(told(store.get_range(key, 1..3).await.map(|part| assert_eq!(part, "al"))));
    prop_assert!(told(store.get_ranges(key, &[0..1, 4..9]).await.map(drop)));
    prop_assert!(told(store.get_with_meta(key).await.map(drop)));
    prop_assert!(told(store.get_many(&[key.to_owned()], 1).await.remove(0).map(drop)));
    let streamed = match store.get_stream(key).await {
        Ok(stream) => stream.try_collect::<Vec<_>>().await.map(drop),
        Err(error) => Err(error),
    };
    prop_assert!(told(streamed));
    prop_assert!(told(store.put_stream(key, pieces().boxed()).await));
    prop_assert!(told(store.try_put_stream(key, pieces().map(Ok).boxed()).await));
    prop_assert!(told(store.copy(key, "copy of it").await));
    prop_assert!(told(store.rename(key, "moved").await));
    prop_assert!(told(store.put_if(key, data(), PutCondition::Absent).await.map(drop)));
    // A prefix that is no key may be one (`a/`), and a key is always one.
    let listed = store.list(key).await;
    prop_assert!(!is_key || listed.as_ref().is_ok_and(|keys| keys.contains(&key.to_owned())));
    let metas: Result<Vec<_>, _> = store.list_stream(key).try_collect().await;
    prop_assert_eq!(
        listed.ok(),
        metas.ok().map(|metas| metas.into_iter().map(|meta| meta.key).collect::<Vec<_>>())
    );
    prop_assert!(told(store.delete(key).await));
    let left = store.list("").await.unwrap();
    prop_assert!(left.iter().all(|left| ["copy of it", "moved"].contains(&left.as_str())));
    Ok(())
}

#[test]
fn urls_of_stores_are_refused_or_say_again_what_was_read() {
    let urls = mutated_text(&[
        "s3://corpus/cleaned/2026",
        "gs://corpus",
        "file:///var/lib/a%20b",
        "file://localhost/data",
        "memory://",
        "relative/folder",
        "/absolute/50%",
    ]);
    fuzz(&urls, |url| {
        match url.parse::<StorageConfig>() {
            Ok(config) => {
                let again = config.to_string().parse::<StorageConfig>();
                prop_assert_eq!(again.ok(), Some(config));
            }
            Err(StorageError::Other(_) | StorageError::InvalidKey(_)) => {}
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        Ok(())
    });
}

#[test]
fn configurations_are_read_or_refused_with_their_place() {
    const TABLE: &str = "[storage]\ntype = 's3'\nbucket = 'corpus'\nprefix = 'a/b'\n";
    let plain = "storage = 's3://corpus/cleaned'\ntemp_dir = '/var/tmp'\nlog_level = 'info'\n";
    let toml = mutated_text(&[plain, TABLE, "storage.path = '/data'\nstorage.type = 'local'"]);
    let json = mutated_text(&[
        r#"{"storage": "s3://corpus/a", "temp_dir": "/var/tmp", "log_level": "info"}"#,
        r#"{"storage": {"type": "gcs", "bucket": "corpus", "prefix": null}}"#,
    ]);
    let yaml = mutated_text(&[
        "storage: s3://corpus/cleaned\ntemp_dir: /var/tmp\nlog_level: info\n",
        "storage:\n  type: local\n  path: &a /data\ntemp_dir: *a\n",
        "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nlog_level: [*c, *c, *c]\n",
    ]);
    let of = |suffix: &'static str| move |text: String| (suffix, text);
    let files = prop_oneof![
        toml.prop_map(of("toml")),
        json.prop_map(of("json")),
        yaml.prop_map(of("yaml")),
    ];
    let folder = tempfile::tempdir().unwrap();
    fuzz(&files, |(suffix, text)| {
        let path = folder.path().join("mithril").with_extension(suffix);
        fs::write(&path, text).unwrap();
        match CoreConfig::from_file(&path) {
            Ok(config) => {
                // Not through a file: as JSON it may be longer than one may be.
                let json = serde_json::to_vec(&config).unwrap();
                prop_assert_eq!(serde_json::from_slice(&json).ok(), Some(config));
            }
            Err(MithrilError::Config { place, .. }) => {
                prop_assert!(place.starts_with(path.to_str().unwrap()), "{}", place);
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        Ok(())
    });
}

#[test]
fn a_damaged_record_gives_an_error_or_the_content_that_was_stored() {
    let seeds = [false, true].into_iter().flat_map(|compressed| {
        runtime().block_on(async {
            let damaged = Damaged::new(Blake3Hash::new(), compressed).await;
            let live = damaged.record().await;
            let again = damaged.cas.store(damaged.data.clone()).await.unwrap();
            let twice = damaged.record().await;
            damaged.cas.delete(&again).await.unwrap();
            damaged.cas.delete(&again).await.unwrap();
            [live, twice, damaged.record().await]
        })
    });
    // The record without its checksum, which most inputs get anew: else none would be read.
    let seeds: Vec<_> = seeds.map(|record| record[17..].to_vec()).collect();
    // Half of the inputs stay JSON, with other values; the other half is damaged anywhere.
    let changed = (select(seeds.clone()), prop::collection::vec((field(), value()), 1..4));
    let changed = changed.prop_map(|(record, values)| with_values(&record, values));
    let inputs = (
        prop_oneof![mutated(seeds), changed].prop_map(Bytes::from),
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.8),
        any::<[bool; 3]>(),
        any::<bool>(),
    );
    fuzz(&inputs, |(json, is_sealed, has_place, [unreferenced, discard, exclusive], fast)| {
        let options =
            RepairOptions { keep_unreferenced: unreferenced, discard_damaged: discard, exclusive };
        runtime().block_on(async {
            if fast {
                let damaged = Damaged::new(XxHash3::new(), false).await;
                damaged.survives(&json, is_sealed, has_place, options).await
            } else {
                let damaged = Damaged::new(Blake3Hash::new(), true).await;
                damaged.survives(&json, is_sealed, has_place, options).await
            }
        })
    });
}

/// Their sum panicked.
#[test]
fn sizes_that_no_content_has_can_be_summed() {
    runtime().block_on(async {
        let damaged = Damaged::new(Blake3Hash::new(), false).await;
        let record = with_values(&damaged.record().await[17..], vec![("stored", json!(u64::MAX))]);
        damaged.survives(&record, true, false, RepairOptions::default()).await.unwrap();
    });
}

fn field() -> impl Strategy<Value = &'static str> {
    const FIELDS: [&str; 9] = [
        "format",
        "hash",
        "references",
        "pinned",
        "id",
        "compression",
        "size",
        "stored",
        "changes",
    ];
    select(&FIELDS[..])
}

fn value() -> impl Strategy<Value = Value> {
    let values = [
        json!(0),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(1_u64 << 40),
        json!(u64::MAX),
        json!(true),
        json!(null),
        json!(""),
        json!("blake3"),
        json!("xxh3"),
        json!("zstd"),
        json!("lz4"),
        json!("adaptive"),
        json!("../../outside"),
        json!("x".repeat(5000)),
        json!([]),
        json!({}),
        json!(["change"]),
        json!(vec!["change"; 5000]),
    ];
    select(values.to_vec())
}

fn with_values(record: &[u8], values: Vec<(&str, Value)>) -> Vec<u8> {
    let mut record: Value = serde_json::from_slice(record).unwrap();
    for (field, value) in values {
        record[field] = value;
    }
    serde_json::to_vec(&record).unwrap()
}

/// A store with two contents, and the record of one about to be another.
struct Damaged<H: HashFunction> {
    storage: MemoryStorage,
    cas: ContentAddressedStore<MemoryStorage, H>,
    data: Bytes,
    address: String,
}

impl<H: HashFunction + 'static> Damaged<H> {
    async fn new(hash: H, compressed: bool) -> Self {
        let storage = MemoryStorage::new();
        let mut cas = ContentAddressedStore::new(storage.clone(), hash);
        if compressed {
            cas = cas.with_compression(ZstdCompressor::new(CompressionLevel::Default));
        }
        let data = Bytes::from("the quick brown fox ".repeat(50));
        let address = cas.store(data.clone()).await.unwrap();
        cas.store(Bytes::from("another content")).await.unwrap();
        Self { storage, cas, data, address }
    }

    fn record_key(&self) -> String {
        format!("references/{}/{}", &self.address[..2], self.address)
    }

    async fn record(&self) -> Bytes {
        self.storage.get(&self.record_key()).await.unwrap()
    }

    /// Nothing here may panic, and what is read is what was stored.
    async fn survives(
        &self,
        json: &[u8],
        is_sealed: bool,
        has_place: bool,
        options: RepairOptions,
    ) -> Outcome {
        let there = self.record().await;
        let mut json = json.to_vec();
        if has_place && let Some(id) = text_of(&there[17..], "id") {
            // The seeds' bytes are in other stores: here, mostly, they are where the record says.
            if let Some(seeds) = text_of(&json, "id") {
                let text = String::from_utf8_lossy(&json).replace(&seeds, &id);
                json = text.into_bytes();
            }
        }
        let check = if is_sealed { XxHash3::new().hash_u64(&json) } else { 0 };
        let record = [format!("{check:016x}\n").as_bytes(), &json].concat();
        self.storage.put(&self.record_key(), Bytes::from(record)).await.unwrap();
        let (cas, address) = (&self.cas, &self.address);
        let same = |found: Result<Bytes, CasError>| found.is_err() || found.unwrap() == self.data;
        prop_assert!(same(cas.retrieve(address).await));
        let _ = (cas.contains(address).await, cas.stats().await, cas.list().await);
        let _ = cas.verify(1.0, 0).await;
        let streamed = match cas.retrieve_stream(address).await {
            Ok(stream) => stream.try_collect::<Vec<_>>().await.map(|all| Bytes::from(all.concat())),
            Err(error) => Err(error),
        };
        prop_assert!(same(streamed));
        let _ = (cas.store(self.data.clone()).await, cas.delete(address).await);
        prop_assert!(same(cas.retrieve(address).await));
        let _ = cas.repair(options).await;
        prop_assert!(same(cas.retrieve(address).await));
        let stored = cas.store(self.data.clone()).await;
        let found = cas.retrieve(address).await;
        prop_assert!(same(found), "after {stored:?}");
        // What else is in the store is none of this record's business.
        let other = cas.retrieve(&cas.hash_function().hash_hex(b"another content")).await;
        prop_assert_eq!(other.ok(), Some(Bytes::from("another content")));
        Ok(())
    }
}

/// The text under `name` in a record.
fn text_of(json: &[u8], name: &str) -> Option<String> {
    let text = serde_json::from_slice::<Value>(json).ok()?;
    text.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[test]
fn names_of_element_types_are_known_or_not() {
    let names = mutated_text(&["float32", "<f4", ">i8", "|b1", "=u2", "bfloat16", "uint64"]);
    fuzz(&names, |name| {
        if let Some(dtype) = DType::from_numpy_str(&name) {
            prop_assert_eq!(DType::from_numpy_str(dtype.to_numpy_str()), Some(dtype));
            prop_assert!(name.len() <= "bfloat16".len());
        }
        Ok(())
    });
}
