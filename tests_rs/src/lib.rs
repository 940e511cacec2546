//! What the tests in `tests/` share.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

pub mod adapter;
pub mod child;
pub mod faulty;
pub mod mutation;
pub mod schedule;
pub mod servers;
pub mod told;

use proptest::test_runner::{Config, FileFailurePersistence};

/// Failures are written to `tests/*.regressions` beside the test, to be committed with its mending.
#[must_use]
pub fn proptest_config() -> Config {
    let persistence = FileFailurePersistence::WithSource("regressions");
    Config { failure_persistence: Some(Box::new(persistence)), ..Config::default() }
}

/// The examples of the page for users of Rust, which `cargo test` runs.
#[cfg(doctest)]
#[doc = include_str!("../../docs/api/rust.md")]
struct RustPage;
