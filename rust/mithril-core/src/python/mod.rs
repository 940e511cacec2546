//! What extension modules for Python need besides `pyo3` itself (feature `python`).
//!
//! Everything here takes the GIL for granted that its caller holds. A module that uses it adds its
//! exceptions to itself, so that Python code can name them:
//!
//! ```
//! use mithril_core::python::{MithrilException, StorageException};
//! use pyo3::prelude::*;
//!
//! #[pymodule]
//! fn my_module(module: &Bound<'_, PyModule>) -> PyResult<()> {
//!     module.add("MithrilException", module.py().get_type::<MithrilException>())?;
//!     module.add("StorageException", module.py().get_type::<StorageException>())
//! }
//! ```

mod exceptions;
mod numpy;
mod wait;

pub use self::exceptions::{
    CasException, CompressionException, MithrilException, StorageException, to_py_err,
};
pub use self::numpy::{NumpyBytes, bytes_to_numpy, numpy_to_bytes};
pub use self::wait::run_async;
