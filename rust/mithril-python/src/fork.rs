//! What has to be in order while the process forks.

use numpy::{IntoPyArray, PyArrayMethods};
use pyo3::prelude::*;

/// Fills the cells that numpy's bindings fill at their first use.
///
/// A fork that finds another thread in the middle of that leaves a child in which nobody ever will
/// fill them, and every use waits. The caller has the GIL until it forks.
#[pyfunction]
pub(crate) fn prepare_numpy(py: Python) -> PyResult<()> {
    vec![0_u64].into_pyarray(py).try_readonly()?;
    vec![false].into_pyarray(py).try_readonly()?;
    vec![0_u8].into_pyarray(py).try_readonly()?;
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
