//! From errors of the engine to exceptions of `mithril.exceptions`.

use mithril_dedup::DedupError;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// The exception that `mithril.exceptions.of_kind` makes of the error's kind and message.
pub(crate) fn to_python(py: Python, error: &DedupError) -> PyErr {
    if matches!(error, DedupError::Interrupted) {
        return PyKeyboardInterrupt::new_err(());
    }
    of_kind(py, error.kind(), &error.to_string())
}

pub(crate) fn of_kind(py: Python, kind: &str, message: &str) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let of_kind = py.import("mithril.exceptions")?.getattr("of_kind")?;
        let arguments = (PyString::new(py, kind), PyString::new(py, message));
        Ok(PyErr::from_value(of_kind.call1(arguments)?))
    };
    make().unwrap_or_else(|error| error)
}
