//! What the tests in `tests/` share.

use proptest::test_runner::{Config, FileFailurePersistence};

/// Failures are written to `tests/*.regressions` beside the test, to be committed with its mending.
#[must_use]
pub fn proptest_config() -> Config {
    let persistence = FileFailurePersistence::WithSource("regressions");
    Config { failure_persistence: Some(Box::new(persistence)), ..Config::default() }
}
