//! The classes of exceptions, and which error becomes which.

use pyo3::exceptions::{
    PyConnectionError, PyException, PyFileExistsError, PyFileNotFoundError, PyPermissionError,
    PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

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

/// A class below one of the four that is one of Python's too.
#[derive(Clone, Copy)]
enum Class {
    ObjectNotFound,
    ObjectExists,
    ObjectChanged,
    AccessDenied,
    StoreConnection,
    InvalidKey,
    ContentNotFound,
    InvalidAddress,
    InvalidArgument,
}

/// In the order of [`Class`]: the name, what it says, and the two classes that it is below.
type Row = (&'static str, &'static str, fn(Python<'_>) -> [Bound<'_, PyType>; 2]);
const CLASSES: [Row; 9] = [
    ("ObjectNotFoundException", "There is no such object, or no such bucket.", |py| {
        [py.get_type::<StorageException>(), py.get_type::<PyFileNotFoundError>()]
    }),
    ("ObjectExistsException", "There is such an object already.", |py| {
        [py.get_type::<StorageException>(), py.get_type::<PyFileExistsError>()]
    }),
    ("ObjectChangedException", "The object has changed since it was looked at.", |py| {
        [py.get_type::<StorageException>(), py.get_type::<PyException>()]
    }),
    ("AccessDeniedException", "The store refuses the caller.", |py| {
        [py.get_type::<StorageException>(), py.get_type::<PyPermissionError>()]
    }),
    ("StoreConnectionException", "The server does not answer, or breaks off.", |py| {
        [py.get_type::<StorageException>(), py.get_type::<PyConnectionError>()]
    }),
    ("InvalidKeyException", "No object can have this key, or the range is none of it.", |py| {
        [py.get_type::<StorageException>(), py.get_type::<PyValueError>()]
    }),
    ("ContentNotFoundException", "No content has this address.", |py| {
        [py.get_type::<CasException>(), py.get_type::<PyFileNotFoundError>()]
    }),
    ("InvalidAddressException", "The text is no address of this store.", |py| {
        [py.get_type::<CasException>(), py.get_type::<PyValueError>()]
    }),
    ("InvalidArgumentException", "An argument or a setting is out of range.", |py| {
        [py.get_type::<MithrilException>(), py.get_type::<PyValueError>()]
    }),
];

/// Every class of exception with its name, those above before those below.
///
/// A module adds them to itself, so that its users can name them.
///
/// # Errors
///
/// Those of Python while it makes the classes, which the first use does.
///
/// ```
/// use mithril_core::python::exception_types;
/// use pyo3::prelude::*;
///
/// Python::initialize();
/// Python::attach(|py| {
///     let names: Vec<&str> = exception_types(py)?.into_iter().map(|(name, _)| name).collect();
///     assert_eq!(names[..2], ["MithrilException", "StorageException"]);
///     Ok::<(), PyErr>(())
/// })?;
/// # Ok::<(), PyErr>(())
/// ```
pub fn exception_types(py: Python<'_>) -> PyResult<Vec<(&'static str, Bound<'_, PyType>)>> {
    let mut types = vec![
        ("MithrilException", py.get_type::<MithrilException>()),
        ("StorageException", py.get_type::<StorageException>()),
        ("CompressionException", py.get_type::<CompressionException>()),
        ("CasException", py.get_type::<CasException>()),
    ];
    let below = below(py)?.iter().map(|class| class.bind(py).clone());
    types.extend(CLASSES.iter().map(|row| row.0).zip(below));
    Ok(types)
}

/// The exception for an error: its class by the error's variant, its text the error's, and its
/// attribute `kind` [`MithrilError::kind`].
///
/// What is missing is a `FileNotFoundError` too, what exists already a `FileExistsError`, a refusal a
/// `PermissionError`, a lost connection a `ConnectionError`, and a bad argument or key a `ValueError`.
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
#[expect(clippy::needless_pass_by_value, reason = "the contract's form")]
#[must_use]
pub fn to_py_err(err: MithrilError) -> PyErr {
    let text = match &err {
        MithrilError::Storage(error) => error.to_string(),
        MithrilError::Compression(error) => error.to_string(),
        MithrilError::Cas(error) => error.to_string(),
        error => error.to_string(),
    };
    Python::attach(|py| {
        let make = || {
            let exception = class_of(py, &err)?.call1((text,))?;
            exception.setattr("kind", err.kind())?;
            Ok(PyErr::from_value(exception))
        };
        make().unwrap_or_else(|error| error)
    })
}

fn class_of<'py>(py: Python<'py>, err: &MithrilError) -> PyResult<Bound<'py, PyType>> {
    let class = match err {
        MithrilError::Storage(error) | MithrilError::Cas(CasError::Storage(error)) => match error {
            StorageError::NotFound(_) => Class::ObjectNotFound,
            StorageError::AlreadyExists(_) => Class::ObjectExists,
            StorageError::Changed(_) => Class::ObjectChanged,
            StorageError::PermissionDenied(_) => Class::AccessDenied,
            StorageError::Connection(_) => Class::StoreConnection,
            StorageError::InvalidKey(_) | StorageError::InvalidRange(_) => Class::InvalidKey,
            _ => return Ok(py.get_type::<StorageException>()),
        },
        MithrilError::Compression(_) => return Ok(py.get_type::<CompressionException>()),
        MithrilError::Cas(CasError::NotFound(_)) => Class::ContentNotFound,
        MithrilError::Cas(CasError::InvalidAddress { .. }) => Class::InvalidAddress,
        MithrilError::Cas(_) => return Ok(py.get_type::<CasException>()),
        MithrilError::InvalidArgument(_) | MithrilError::Config { .. } => Class::InvalidArgument,
        _ => return Ok(py.get_type::<MithrilException>()),
    };
    let class = below(py)?.get(class as usize).map(|class| class.bind(py).clone());
    Ok(class.unwrap_or_else(|| py.get_type::<MithrilException>()))
}

/// The classes of [`CLASSES`], made at the first use.
fn below(py: Python<'_>) -> PyResult<&Vec<Py<PyType>>> {
    static MADE: PyOnceLock<Vec<Py<PyType>>> = PyOnceLock::new();
    MADE.get_or_try_init(py, || {
        let base = py.get_type::<MithrilException>();
        for attribute in ["kind", "key", "store"] {
            base.setattr(attribute, py.None())?;
        }
        CLASSES.iter().map(|row| make(py, row)).collect()
    })
}

fn make(py: Python<'_>, (name, text, bases): &Row) -> PyResult<Py<PyType>> {
    let namespace = PyDict::new(py);
    namespace.set_item("__module__", "mithril")?;
    namespace.set_item("__doc__", text)?;
    let [ours, pythons] = bases(py);
    let bases = if ours.is_subclass(&pythons)? {
        PyTuple::new(py, [ours])?
    } else {
        PyTuple::new(py, [ours, pythons])?
    };
    let class = py.get_type::<PyType>().call1((name, bases, namespace))?;
    Ok(class.cast_into::<PyType>()?.unbind())
}
