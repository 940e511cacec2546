//! The stores that need no server: a folder and memory.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use mithril_core::testing::check_backend;
use mithril_core::{LocalStorage, MemoryStorage, StorageBackend, runtime};

#[test]
fn memory_keeps_the_rules() {
    runtime().block_on(check_backend(&MemoryStorage::new()));
}

#[test]
fn a_folder_keeps_the_rules() {
    runtime().block_on(check_backend(&LocalStorage::temp().unwrap()));
}

#[test]
fn a_durable_folder_keeps_the_rules() {
    runtime().block_on(check_backend(&LocalStorage::temp().unwrap().with_durability(true)));
}

#[test]
fn a_boxed_store_keeps_the_rules_without_a_runtime_of_its_own() {
    let store: Box<dyn StorageBackend> = Box::new(LocalStorage::temp().unwrap());
    futures_executor::block_on(check_backend(&store));
}
