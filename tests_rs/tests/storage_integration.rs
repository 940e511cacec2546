//! The tests that `object_store` has for its own stores, for ours.
//!
//! Left out: `put_get_attributes`, as our stores keep none; `multipart`, `multipart_with_opts`,
//! `multipart_put_part_out_of_order`, `multipart_race_condition` and `multipart_out_of_order`, as a
//! stream has its pieces in order and its parts are nobody's business; `list_paginated`, as pages
//! are not ours to ask for; `response_extensions`, which wants a client of its own; `signing` and
//! `tagging`, which we do not do.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::sync::Arc;

use mithril_core::{LocalStorage, MemoryStorage, StorageBackend, runtime};
use mithril_tests::adapter::Adapter;
use mithril_tests::servers::{FakeGcs, Moto, S3Server, SeaweedFs};
use object_store::integration as theirs;

fn passes_their_tests(store: impl StorageBackend + 'static) {
    let store = Adapter(Arc::new(store));
    runtime().block_on(async {
        theirs::put_get_delete_list(&store).await;
        theirs::get_opts(&store).await;
        // It empties the store, and so do some of the others.
        theirs::put_opts(&store, true).await;
        store.0.delete("put_opts").await.unwrap();
        store.0.delete("RACE").await.unwrap();
        theirs::stream_get(&store).await;
        theirs::list_uses_directories_correctly(&store).await;
        theirs::list_with_delimiter(&store).await;
        theirs::rename_and_copy(&store).await;
        theirs::copy_if_not_exists(&store).await;
        theirs::copy_rename_nonexistent_object(&store).await;
        let missing = theirs::get_nonexistent_object(&store, None).await;
        assert!(matches!(missing, Err(object_store::Error::NotFound { .. })), "{missing:?}");
        theirs::list_with_offset_exclusivity(&store).await;
    });
}

#[test]
fn memory() {
    passes_their_tests(MemoryStorage::new());
}

#[test]
fn a_folder() {
    passes_their_tests(LocalStorage::temp().unwrap());
}

#[test]
fn moto() {
    Moto::shared().make_bucket("theirs");
    passes_their_tests(Moto::shared().builder("theirs").build().unwrap());
}

#[test]
fn seaweedfs() {
    SeaweedFs::shared().make_bucket("theirs");
    passes_their_tests(SeaweedFs::shared().builder("theirs").build().unwrap());
}

#[test]
fn google() {
    FakeGcs::shared().make_bucket("theirs");
    passes_their_tests(FakeGcs::shared().builder("theirs").build().unwrap());
}
