//! What extension modules for Python need besides `pyo3` itself (feature `python`).
//!
//! Everything here takes the GIL for granted that its caller holds. A module that uses it adds its
//! exceptions to itself, so that Python code can name them:
//!
//! ```
//! use mithril_core::python::exception_types;
//! use pyo3::prelude::*;
//!
//! #[pymodule]
//! fn my_module(module: &Bound<'_, PyModule>) -> PyResult<()> {
//!     exception_types(module.py())?.into_iter().try_for_each(|(name, class)| module.add(name, class))
//! }
//! ```
//!
//! Each extension module has classes of its own, as it has a copy of this crate.

mod exceptions;
mod numpy;
mod wait;

pub use self::exceptions::{
    CasException, CompressionException, MithrilException, StorageException, exception_types,
    to_py_err,
};
pub use self::numpy::{NumpyBytes, bytes_to_numpy, numpy_to_bytes};
pub use self::wait::{run_async, wait_for};
