//! What has to be in order while the process forks.

use crate::numpy_api;
use numpy::{IntoPyArray, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyList;

/// Fills the cells that numpy's bindings, and Python's, fill at their first use.
///
/// A fork that finds another thread in the middle of that leaves a child in which nobody ever will
/// fill them, and every use waits. The caller has the GIL until it forks.
#[pyfunction]
pub(crate) fn prepare_numpy(py: Python) -> PyResult<()> {
    vec![0_u64].into_pyarray(py).try_readonly()?;
    vec![false].into_pyarray(py).try_readonly()?;
    vec![0_u8].into_pyarray(py).try_readonly()?;
    // A cell is filled with the GIL, and taken without it: a fork in between leaves a child that waits.
    // These are the names of modules, and the function by which iterators are asked for their length.
    let list = PyList::empty(py);
    numpy_api::import(py)?;
    let _ = numpy_api::as_array(&list);
    let _ = list.try_iter()?.size_hint();
    Ok(())
}

/// Holds off what a child would find half-done.
#[pyfunction]
pub(crate) fn before_fork() {
    // With the GIL, which nobody inside waits for.
    mithril_core::runtime::before_fork();
}

/// Lets it go on, in the parent and in the child.
#[pyfunction]
pub(crate) fn after_fork() {
    mithril_core::runtime::after_fork();
}
