//! Arrays that come back with their element type and their shape.

use super::config::dtype_of;
use super::{fail, to_python};
use crate::buffer::Input;
use crate::compute::compute;
use crate::error::Place;
use crate::numpy_api;
use crate::operation::PyOperation;
use bytes::Bytes;
use mithril_core::{ArrayHeader, DType};
use numpy::IntoPyArray;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The elements in C order of an array of this type and shape, compressed.
#[pyfunction]
pub(crate) fn compress_array(
    data: &Bound<PyAny>,
    dtype: &str,
    shape: Vec<u64>,
) -> PyResult<PyOperation> {
    let py = data.py();
    let dtype = dtype_of(dtype).map_err(|error| fail(py, error))?;
    let data = Input::of(data)?.into_bytes(py);
    let work =
        compute(move |_| mithril_core::compress_array(&data, &shape, dtype).map(Bytes::from));
    Ok(PyOperation::new(Place::default(), work, to_python))
}

/// The array that was compressed.
#[pyfunction]
pub(crate) fn decompress_array(
    data: &Bound<PyAny>,
    max_output_size: Option<u64>,
) -> PyResult<PyOperation> {
    let data = Input::of(data)?.into_bytes(data.py());
    let work = compute(move |_| mithril_core::decompress_array(&data, max_output_size));
    Ok(PyOperation::new(Place::default(), work, |py, (header, elements)| {
        array(py, &header, elements).map(Bound::unbind)
    }))
}

/// An array over the memory of `elements`.
fn array<'py>(
    py: Python<'py>,
    header: &ArrayHeader,
    elements: Vec<u8>,
) -> PyResult<Bound<'py, PyAny>> {
    let dtype = match header.dtype {
        DType::BFloat16 => py
            .import("ml_dtypes")
            .map_err(|_| {
                PyImportError::new_err(
                    "the array is of the type bfloat16, which numpy has from the package ml_dtypes: \
                     install that",
                )
            })?
            .getattr("bfloat16")?,
        dtype => py.import("numpy")?.call_method1("dtype", (dtype.to_numpy_str(),))?,
    };
    numpy_api::import(py)?;
    let shape = PyTuple::new(py, &header.shape)?;
    let flat = elements.into_pyarray(py).call_method1("view", (dtype,))?;
    flat.call_method1("reshape", (shape,))
}
