//! The classes of exceptions, and which error becomes which.

use pyo3::exceptions::{PyException, PyFileExistsError, PyFileNotFoundError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

use crate::{CasError, MithrilError, StorageError};

pyo3::create_exception!(
    mithril,
    MithrilException,
    PyException,
    "The base of all exceptions that Mithril raises."
);
pyo3::create_exception!(mithril, StorageException, MithrilException, "A store failed.");
pyo3::create_exception!(mithril, CompressionException, MithrilException, "A compressor failed.");
pyo3::create_exception!(
    mithril,
    CasException,
    MithrilException,
    "A content-addressed store failed."
);

/// The exception for an error: its class by the error's variant, its text the error's.
///
/// What is missing is a `FileNotFoundError` too, what exists already a `FileExistsError`, and a bad
/// argument or key a `ValueError`.
///
/// ```
/// use mithril_core::python::{StorageException, to_py_err};
/// use mithril_core::{MithrilError, StorageError};
/// use pyo3::exceptions::PyFileNotFoundError;
/// use pyo3::prelude::*;
///
/// Python::initialize();
/// Python::attach(|py| {
///     let missing = MithrilError::from(StorageError::NotFound("key".into()));
///     let error = to_py_err(missing);
///     assert!(error.is_instance_of::<StorageException>(py));
///     assert!(error.is_instance_of::<PyFileNotFoundError>(py));
///     assert!(error.to_string().contains("Object not found: key"));
/// });
/// ```
#[must_use]
pub fn to_py_err(err: MithrilError) -> PyErr {
    let text = match &err {
        MithrilError::Storage(error) | MithrilError::Cas(CasError::Storage(error)) => {
            error.to_string()
        }
        MithrilError::Compression(error) => error.to_string(),
        MithrilError::Cas(error) => error.to_string(),
        error => error.to_string(),
    };
    Python::attach(|py| {
        class_of(py, err).map_or_else(
            |error| error,
            |class| match class.call1((text,)) {
                Ok(exception) => PyErr::from_value(exception),
                Err(error) => error,
            },
        )
    })
}

fn class_of(py: Python<'_>, err: MithrilError) -> PyResult<Bound<'_, PyType>> {
    match err {
        MithrilError::Storage(error) | MithrilError::Cas(CasError::Storage(error)) => {
            storage_class(py, &error)
        }
        MithrilError::Compression(_) => Ok(py.get_type::<CompressionException>()),
        MithrilError::Cas(CasError::NotFound(_)) => {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            let base = py.get_type::<CasException>();
            both(py, &CLASS, "ContentNotFoundException", base, py.get_type::<PyFileNotFoundError>())
        }
        MithrilError::Cas(CasError::InvalidAddress { .. }) => {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            let base = py.get_type::<CasException>();
            both(py, &CLASS, "InvalidAddressException", base, py.get_type::<PyValueError>())
        }
        MithrilError::Cas(_) => Ok(py.get_type::<CasException>()),
        MithrilError::InvalidArgument(_) | MithrilError::Config { .. } => {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            let base = py.get_type::<MithrilException>();
            both(py, &CLASS, "InvalidArgumentException", base, py.get_type::<PyValueError>())
        }
        _ => Ok(py.get_type::<MithrilException>()),
    }
}

fn storage_class<'py>(py: Python<'py>, error: &StorageError) -> PyResult<Bound<'py, PyType>> {
    let base = py.get_type::<StorageException>();
    match error {
        StorageError::NotFound(_) => {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            let too = py.get_type::<PyFileNotFoundError>();
            both(py, &CLASS, "ObjectNotFoundException", base, too)
        }
        StorageError::AlreadyExists(_) => {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            let too = py.get_type::<PyFileExistsError>();
            both(py, &CLASS, "ObjectExistsException", base, too)
        }
        StorageError::InvalidKey(_) | StorageError::InvalidRange(_) => {
            static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            both(py, &CLASS, "InvalidKeyException", base, py.get_type::<PyValueError>())
        }
        _ => Ok(base),
    }
}

/// The class `mithril.NAME`, made at its first use, below one of ours and one of Python's.
fn both<'py>(
    py: Python<'py>,
    class: &PyOnceLock<Py<PyType>>,
    name: &str,
    ours: Bound<'py, PyType>,
    pythons: Bound<'py, PyType>,
) -> PyResult<Bound<'py, PyType>> {
    let class = class.get_or_try_init(py, || {
        let bases = PyTuple::new(py, [ours, pythons])?;
        let namespace = pyo3::types::PyDict::new(py);
        namespace.set_item("__module__", "mithril")?;
        let class = py.get_type::<PyType>().call1((name, bases, namespace))?;
        Ok::<_, PyErr>(class.cast_into::<PyType>()?.unbind())
    });
    Ok(class?.bind(py).clone())
}
