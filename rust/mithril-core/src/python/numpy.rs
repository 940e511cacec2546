//! Bytes of numpy arrays, and numpy arrays of bytes.

use std::fmt;
use std::ops::Deref;

use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::DType;

/// The bytes of a numpy array, which is kept alive as long as this is.
///
/// Other Rust code cannot write to the array meanwhile. Python can: whoever releases the GIL while
/// using the bytes sees to it that nobody does.
pub struct NumpyBytes<'py> {
    bytes: PyReadonlyArray1<'py, u8>,
    is_copy: bool,
}

impl NumpyBytes<'_> {
    /// Whether the bytes had to be copied, as those of an array that is not contiguous.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.is_copy
    }
}

impl Deref for NumpyBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // Contiguous by the way it was made.
        self.bytes.as_slice().unwrap_or_default()
    }
}

impl fmt::Debug for NumpyBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NumpyBytes({} bytes)", self.len())
    }
}

/// The bytes of an array in C order, of any shape and element type but objects. Nothing is copied if
/// they lie so in memory already.
///
/// # Errors
///
/// `TypeError` if it is no array or holds Python objects, `ValueError` if its elements are not in the
/// byte order of this machine.
///
/// ```
/// use mithril_core::python::numpy_to_bytes;
/// use numpy::PyArray1;
/// use pyo3::prelude::*;
///
/// Python::initialize();
/// Python::attach(|py| {
///     let array = PyArray1::from_slice(py, &[1_u16, 2, 3]);
///     let bytes = numpy_to_bytes(py, array.as_any())?;
///     assert_eq!(bytes.len(), 6);
///     assert!(!bytes.is_copy());
///     Ok::<(), PyErr>(())
/// })?;
/// # Ok::<(), PyErr>(())
/// ```
pub fn numpy_to_bytes<'py>(py: Python<'py>, arr: &Bound<'py, PyAny>) -> PyResult<NumpyBytes<'py>> {
    let array = arr
        .cast::<PyUntypedArray>()
        .map_err(|_| PyTypeError::new_err("a numpy array is wanted"))?;
    let dtype = arr.getattr("dtype")?;
    if dtype.getattr("hasobject")?.extract()? {
        return Err(PyTypeError::new_err("the array holds Python objects, which have no bytes"));
    }
    if !dtype.getattr("isnative")?.extract::<bool>()? {
        return Err(PyValueError::new_err(
            "the array is in the other byte order; pass array.astype(array.dtype.newbyteorder())",
        ));
    }
    let is_copy = !array.is_c_contiguous();
    let numpy = py.import("numpy")?;
    let whole = numpy.call_method1("ascontiguousarray", (arr,))?;
    let flat = whole.call_method1("reshape", (-1,))?;
    let bytes = flat.call_method1("view", (numpy.getattr("uint8")?,))?;
    let bytes = bytes.cast_into::<PyArray1<u8>>()?.try_readonly()?;
    Ok(NumpyBytes { bytes, is_copy })
}

/// A new array of one dimension with a copy of `data`, as elements of `dtype`.
///
/// # Errors
///
/// `ValueError` if the bytes are no whole number of elements, `ImportError` for
/// [`BFloat16`](DType::BFloat16) if the package `ml_dtypes`, which has that type, is not installed.
pub fn bytes_to_numpy<'py>(
    py: Python<'py>,
    data: &[u8],
    dtype: DType,
) -> PyResult<Bound<'py, PyAny>> {
    let size = dtype.size_bytes();
    if !data.len().is_multiple_of(size) {
        return Err(PyValueError::new_err(format!(
            "{} bytes are no whole number of {} elements of {size} bytes",
            data.len(),
            dtype.to_numpy_str(),
        )));
    }
    let dtype = match dtype {
        DType::BFloat16 => py.import("ml_dtypes")?.getattr("bfloat16")?,
        dtype => py.import("numpy")?.call_method1("dtype", (dtype.to_numpy_str(),))?,
    };
    PyArray1::from_slice(py, data).call_method1("view", (dtype,))
}
