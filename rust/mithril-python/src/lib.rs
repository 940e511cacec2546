//! The Python module `mithril._native`: it checks, converts, releases the GIL and calls the engine.

#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments from Python are extracted into owned values"
)]

mod buffer;
mod cas;
mod column;
mod compression;
mod compute;
mod config;
mod dedup;
mod error;
mod filter;
mod fork;
mod hashing;
mod index;
mod interrupt;
mod minhash;
mod numpy_api;
mod operation;
mod stages;
mod storage;
mod table;
mod tokens;
mod types;

use pyo3::prelude::*;

/// The engine of Mithril; the package `mithril` is what to import.
#[pymodule]
mod _native {
    use pyo3::prelude::*;
    use std::time::Duration;

    #[pymodule_export]
    use super::buffer::PyRustBytes;
    #[pymodule_export]
    use super::cas::PyContentAddressedStore;
    #[pymodule_export]
    use super::compression::{
        PyCompressor, PyDecoder, PyEncoder, compress_array, decompress_array,
    };
    #[pymodule_export]
    use super::config::PyCoreConfig;
    #[pymodule_export]
    use super::dedup::{
        PyDeduplication, dedup_files, deduplicate, explain_removed, plan_files, sample_files,
    };
    #[pymodule_export]
    use super::filter::PyDedupFilter;
    #[pymodule_export]
    use super::fork::{after_fork, before_fork, prepare_numpy};
    #[pymodule_export]
    use super::hashing::{PyHashFunction, PyHasher, hash_column, hash_many};
    #[pymodule_export]
    use super::index::PyMinHashIndex;
    #[pymodule_export]
    use super::minhash::PyMinHasher;
    #[pymodule_export]
    use super::operation::{PyMailbox, PyOperation};
    #[pymodule_export]
    use super::stages::{PyDecisions, PyStages, PyTexts, find_files};
    #[pymodule_export]
    use super::storage::{PyByteStream, PyStorage, PyUpload, parse_url};
    #[pymodule_export]
    use super::table::PyTable;
    #[pymodule_export]
    use super::types::parse_dtype;

    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "the name that Python sees")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    const ERROR_KINDS: [&str; 16] = mithril_dedup::DedupError::KINDS;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("DTYPES", super::types::all())?;
        let mut types = mithril_core::python::exception_types(module.py())?.into_iter();
        types.try_for_each(|(name, class)| module.add(name, class))
    }

    /// Stops what is under way on the threads of the engine; whether all of it has ended in time.
    #[pyfunction]
    fn shutdown(py: Python<'_>, seconds: f64) -> bool {
        let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        py.detach(|| super::operation::shutdown(timeout))
    }
}
