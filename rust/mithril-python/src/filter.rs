//! The filter for streams.

use crate::dedup::parse_options;
use crate::{column, error, interrupt, numpy_api};
use mithril_dedup::{Control, DedupFilter, FilterOptions, Threads};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::AtomicBool;

/// A filter; what uses it borrows it, so that two threads that do at a time are an error and no wait.
#[pyclass(name = "DedupFilter", module = "mithril._native")]
pub(crate) struct PyDedupFilter {
    filter: DedupFilter,
}

#[pymethods]
impl PyDedupFilter {
    #[new]
    fn new(py: Python, options: &str) -> PyResult<Self> {
        let options: FilterOptions = parse_options(options)?;
        let filter = py.detach(|| DedupFilter::try_new(options));
        Ok(Self { filter: filter.map_err(|error| error::to_python(py, &error))? })
    }

    /// For each text whether it stays.
    fn check<'py>(
        &mut self,
        column: &Bound<'py, PyAny>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<bool>>> {
        let py = column.py();
        numpy_api::import(py)?;
        let documents = column::documents(column)?;
        let filter = &mut self.filter;
        let stays = interrupt::run(py, &AtomicBool::new(false), |stop| {
            let threads = Threads::try_new(Some(threads))?;
            threads.install(|| filter.check(&documents, Control { stop, ..Control::default() }))
        })?;
        Ok(stays.into_pyarray(py))
    }

    /// The documents seen, dropped, remembered, and the candidates passed over.
    fn stats(&self) -> (u64, u64, u64, u64) {
        let stats = self.filter.stats();
        (stats.seen, stats.dropped, stats.remembered, stats.passed_over)
    }

    /// The options as JSON.
    fn options(&self, py: Python) -> PyResult<String> {
        serde_json::to_string(self.filter.options())
            .map_err(|problem| error::of_kind(py, "internal", &problem.to_string()))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.filter.to_bytes());
        Ok(PyBytes::new(py, &bytes.map_err(|error| error::to_python(py, &error))?))
    }

    #[staticmethod]
    fn from_bytes(py: Python, state: &[u8]) -> PyResult<Self> {
        let filter = py.detach(|| DedupFilter::try_from_bytes(state));
        Ok(Self { filter: filter.map_err(|error| error::to_python(py, &error))? })
    }
}
