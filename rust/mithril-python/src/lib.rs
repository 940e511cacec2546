//! The Python module `mithril._native`: it checks, converts, releases the GIL and calls the engine.

#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments from Python are extracted into owned values"
)]

mod column;
mod dedup;
mod error;
mod interrupt;
mod minhash;
mod table;
mod tokens;

use pyo3::prelude::*;

/// The engine of Mithril; the package `mithril` is what to import.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::dedup::{dedup_files, deduplicate};
    #[pymodule_export]
    use super::minhash::PyMinHasher;
    #[pymodule_export]
    use super::table::PyTable;

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python sees")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    const ERROR_KINDS: [&str; 12] = mithril_dedup::DedupError::KINDS;
}
