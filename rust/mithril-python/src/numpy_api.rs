//! numpy by way of its bindings, which import it at their first use and panic where that fails.

use numpy::PyUntypedArray;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Imports numpy before the bindings do: a failure, and a Ctrl-C meanwhile, is an error here.
pub(crate) fn import(py: Python) -> PyResult<()> {
    py.import(intern!(py, "numpy")).map(drop)
}

/// The array that an object is; without numpy there is none, and numpy is not imported to see that.
pub(crate) fn as_array<'a, 'py>(
    object: &'a Bound<'py, PyAny>,
) -> Option<&'a Bound<'py, PyUntypedArray>> {
    let py = object.py();
    let modules = py.import(intern!(py, "sys")).and_then(|sys| sys.getattr(intern!(py, "modules")));
    let is_imported = modules
        .ok()
        .and_then(|modules| modules.cast_into::<PyDict>().ok())
        .is_some_and(|modules| modules.contains(intern!(py, "numpy")).unwrap_or(false));
    if is_imported { object.cast().ok() } else { None }
}
