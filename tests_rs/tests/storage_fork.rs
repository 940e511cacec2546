//! Stores in a forked child: it harms nothing of its parent's, and waits for nothing of it.
//!
//! One test alone, so that only the threads that it starts itself run while it forks.
#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use bytes::Bytes;
use mithril_core::{LocalStorage, PutCondition, S3Storage, StorageBackend, runtime};
use mithril_tests::child::in_child;
use mithril_tests::servers::{Moto, S3Server};

#[test]
fn a_forked_child_has_stores_of_its_own() {
    a_temporary_folder_stays_the_parents();
    connections_are_not_shared();
    a_fork_beside_writers_keeps_no_lock();
}

fn a_temporary_folder_stays_the_parents() {
    let mut store = Some(LocalStorage::temp().unwrap());
    let root = store.as_ref().unwrap().root().to_owned();
    runtime().block_on(store.as_ref().unwrap().put("key", Bytes::from("x"))).unwrap();
    in_child("a temporary folder", || {
        let store = store.take().unwrap();
        runtime().block_on(store.put("of the child", Bytes::from("y"))).unwrap();
        drop(store);
        assert!(root.exists());
    });
    let list = runtime().block_on(store.as_ref().unwrap().list(""));
    assert_eq!(list.unwrap(), ["key", "of the child"]);
    drop(store);
    assert!(!root.exists(), "its own process does not remove it");
}

fn use_often(store: &S3Storage, who: &str) {
    let data = Bytes::from(who.repeat(1000));
    runtime().block_on(async {
        for _ in 0..20 {
            store.put(who, data.clone()).await.unwrap();
            assert_eq!(store.get(who).await.unwrap(), data);
        }
    });
}

fn connections_are_not_shared() {
    // Before the first request, so that the server's waiting does not meet the child's.
    let server = Moto::shared();
    server.make_bucket("forked");
    let store = server.builder("forked").build().unwrap();
    use_often(&store, "parent");
    thread::scope(|scope| {
        // The parent goes on with the very connections that the child has copies of.
        scope.spawn(|| use_often(&store, "parent"));
        in_child("a store with open connections", || {
            use_often(&store, "child");
            in_child("a grandchild", || use_often(&store, "grandchild"));
        });
    });
    use_often(&store, "parent");
}

fn a_fork_beside_writers_keeps_no_lock() {
    let store = LocalStorage::temp().unwrap();
    let (stop, writes) = (AtomicBool::new(false), AtomicU32::new(0));
    let write = |store: &LocalStorage| {
        let absent = PutCondition::Absent;
        runtime().block_on(async {
            let _ = store.put_if("contended", Bytes::from("x"), absent).await;
            store.delete("contended").await.unwrap();
        });
    };
    thread::scope(|scope| {
        // Dropped when a child has failed, too: the writers must not go on for ever.
        let stopped = StopOnDrop(&stop);
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    // A store that has not swept yet, too.
                    write(&LocalStorage::new(store.root()).unwrap());
                    if writes.fetch_add(1, Ordering::SeqCst) > 10 {
                        let _ = fs::write(store.root().join("writes-go-on"), "x");
                    }
                }
            });
        }
        for round in 0..30 {
            in_child(&format!("fork {round} beside writers"), || {
                let start = Instant::now();
                write(&store);
                // A lock that came along with the fork would stand still here, with both.
                while !store.root().join("writes-go-on").exists() {
                    assert!(start.elapsed() < Duration::from_secs(20), "the parent stands still");
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let _ = fs::remove_file(store.root().join("writes-go-on"));
            writes.store(0, Ordering::SeqCst);
        }
        drop(stopped);
    });
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
