//! How much memory it takes to stream objects that are much larger.
#![cfg(target_os = "linux")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use mithril_core::{LocalStorage, StorageBackend, runtime};
use mithril_tests::child::{peak_memory, run_again, task};
use mithril_tests::servers::{S3Server, SeaweedFs, builder_at};

const LIMIT: u64 = 256 << 20;
/// A prime, so that no piece or part that is lost or repeated goes unseen.
const PERIOD: usize = 1_000_003;

fn pattern() -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(&mut next).take(PERIOD).collect::<Vec<_>>().repeat(2)
}

/// Writes an object of `size` bytes and reads it again, in this process.
async fn there_and_back(store: &dyn StorageBackend, size: u64) {
    let pattern = pattern();
    let start = Instant::now();
    let pieces = stream::unfold(0_u64, |at| {
        let piece = PERIOD.min((size - at) as usize);
        // A copy: somebody else's pieces are new memory, too.
        let piece = Bytes::copy_from_slice(&pattern[at as usize % PERIOD..][..piece]);
        async move {
            (at < size).then(|| {
                let next = at + piece.len() as u64;
                (piece, next)
            })
        }
    });
    store.put_stream("large", pieces.boxed()).await.unwrap();
    let (written, peak) = (start.elapsed(), peak_memory());
    let start = Instant::now();
    let mut at = 0;
    let mut pieces = store.get_stream("large").await.unwrap();
    while let Some(piece) = pieces.next().await {
        for piece in piece.unwrap().chunks(PERIOD) {
            assert!(piece == &pattern[at as usize % PERIOD..][..piece.len()], "at {at}");
            at += piece.len() as u64;
        }
    }
    assert_eq!(at, size);
    println!(
        "{} MiB written in {written:.1?} (peak {} MiB), read in {:.1?} (peak {} MiB)",
        size >> 20,
        peak >> 20,
        start.elapsed(),
        peak_memory() >> 20
    );
    assert!(peak_memory() < LIMIT, "a peak of {} MiB", peak_memory() >> 20);
}

fn to_disk_and_back(name: &str, mebibytes: u64) {
    if task().is_some() {
        let store = LocalStorage::temp().unwrap();
        runtime().block_on(there_and_back(&store, mebibytes << 20));
    } else {
        println!("{}", run_again(name, "disk"));
    }
}

/// The server is no part of the process whose memory is measured.
fn to_s3_and_back(name: &str, bucket: &str, mebibytes: u64) {
    if let Some(endpoint) = task() {
        let store = builder_at(&endpoint, bucket).build().unwrap();
        runtime().block_on(there_and_back(&store, mebibytes << 20));
        runtime().block_on(store.delete("large")).unwrap();
    } else {
        let server = SeaweedFs::shared();
        server.make_bucket(bucket);
        println!("{}", run_again(name, &server.endpoint()));
        assert_eq!(server.open_uploads(bucket), 0);
    }
}

#[test]
fn half_a_gibibyte_to_disk_and_back() {
    to_disk_and_back("half_a_gibibyte_to_disk_and_back", 512);
}

#[test]
fn two_hundred_mebibytes_to_s3_and_back() {
    to_s3_and_back("two_hundred_mebibytes_to_s3_and_back", "middling", 200);
}

#[test]
#[ignore = "4 GiB: make soak"]
fn four_gibibytes_to_disk_and_back() {
    to_disk_and_back("four_gibibytes_to_disk_and_back", 4 << 10);
}

#[test]
#[ignore = "1 GiB: make soak"]
fn one_gibibyte_to_s3_and_back() {
    to_s3_and_back("one_gibibyte_to_s3_and_back", "large", 1 << 10);
}
