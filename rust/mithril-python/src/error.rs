//! From errors of the engine to exceptions of `mithril`.

use mithril_core::MithrilError;
use mithril_core::python::to_py_err;
use mithril_dedup::DedupError;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::sync::Arc;

/// What was asked for, and of which store.
#[derive(Clone, Default)]
pub(crate) struct Place {
    pub(crate) key: Option<String>,
    pub(crate) store: Option<Arc<str>>,
}

/// The exception for an error of `mithril-core`, with the place as its attributes.
pub(crate) fn at(py: Python, error: MithrilError, place: &Place) -> PyErr {
    let address = match &error {
        MithrilError::Cas(error) => error.address().map(str::to_owned),
        _ => None,
    };
    let exception = to_py_err(error);
    let value = exception.value(py);
    // An exception takes any attribute.
    let _ = value.setattr("key", place.key.as_deref().or(address.as_deref()));
    let _ = value.setattr("store", place.store.as_deref());
    exception
}

/// The exception for an error of an index in a store, with the place as its attributes.
pub(crate) fn of_index(py: Python, error: DedupError, place: &Place) -> PyErr {
    if let DedupError::Storage(error) = error {
        return at(py, error.into(), place);
    }
    let exception = to_python(py, &error);
    // An exception takes any attribute.
    let _ = exception.value(py).setattr("store", place.store.as_deref());
    if let DedupError::IndexDamaged { object, .. } | DedupError::IndexChanged { object, .. } =
        &error
    {
        let _ = exception.value(py).setattr("key", object);
    }
    exception
}

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
