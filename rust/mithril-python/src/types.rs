//! The element types of arrays.

use mithril_core::DType;
use pyo3::prelude::*;

/// Every element type: numpy's name, and the bytes of an element.
pub(crate) fn all() -> Vec<(&'static str, usize)> {
    DType::ALL.iter().map(|dtype| (dtype.to_numpy_str(), dtype.size_bytes())).collect()
}

/// The name of the type that numpy writes so; `None` if the engine does not have it.
#[pyfunction]
pub(crate) fn parse_dtype(text: &str) -> Option<&'static str> {
    DType::from_numpy_str(text).map(|dtype| dtype.to_numpy_str())
}
