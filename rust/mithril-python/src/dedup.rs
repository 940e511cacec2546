//! Deduplication from Python.

use crate::index::PyMinHashIndex;
use crate::table::PyTable;
use crate::{column, error, interrupt, numpy_api};
use arrow::array::{ArrayRef, LargeStringArray, RecordBatch};
use mithril_core::{CallbackProgress, ConsoleProgress, NoopProgress, ProgressReporter};
use mithril_dedup::{
    Candidates, Control, DedupError, DedupOptions, Deduplication, Deduplicator, Documents,
    Explanation, FileOptions, Method, Report,
};
use numpy::{PyArray1, PyReadonlyArray1, ToPyArray};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a run over a column has found: the mask of rows that stay, the table of the others, the report as JSON.
type Found<'py> = (Bound<'py, PyArray1<bool>>, PyTable, String);

/// What [`Found`] has, and what further questions are put to.
#[pyfunction]
pub(crate) fn deduplicate<'py>(
    column: &Bound<'py, PyAny>,
    by: Option<&Bound<'py, PyAny>>,
    against: Option<&Bound<'py, PyAny>>,
    options: &str,
    progress: Progress,
) -> PyResult<(Found<'py>, PyDeduplication)> {
    let py = column.py();
    let options: DedupOptions = parse_options(options)?;
    numpy_api::import(py)?;
    if !options.within && against.is_none() {
        let message =
            "without within, rows are compared with those of against alone, and there are none";
        return Err(error::of_kind(py, "invalid_argument", message));
    }
    let by = by.map(column::values).transpose()?;
    let index = against.and_then(|against| against.cast::<PyMinHashIndex>().ok());
    let index = index.map(|index| index.get().get());
    let texts = against.filter(|_| index.is_none());
    let mut documents = texts.map(column::documents).transpose()?.unwrap_or_default();
    documents.become_references();
    let own = column::documents(column)?;
    documents.append(own).map_err(|error| error::to_python(py, &error))?;
    let (outcome, candidates) = run(py, &progress, |control| {
        let deduplicator = Deduplicator::try_new(options.clone())?;
        let is_of_rows = !matches!(options.method, Method::Lines | Method::Paragraphs);
        if !is_of_rows && index.is_none() {
            return Ok((deduplicator.deduplicate(&documents, by.as_ref(), control)?, None));
        }
        if let Some(index) = &index {
            let by = by.as_ref();
            return Ok((deduplicator.deduplicate_against(&documents, index, by, control)?, None));
        }
        let candidates = deduplicator.candidates(&documents, by.as_ref(), control)?;
        let outcome = deduplicator.decide(&documents, &candidates, options.threshold, control)?;
        Ok((outcome, Some(candidates)))
    })?;
    let found = found(py, &outcome, &documents)?;
    Ok((found, PyDeduplication { options, documents, candidates, outcome }))
}

fn found<'py>(
    py: Python<'py>,
    outcome: &Deduplication,
    documents: &Documents,
) -> PyResult<Found<'py>> {
    let table = match outcome.report.repeats {
        Some(_) => outcome.repeats_batch(documents),
        None => outcome.duplicates_batch(),
    };
    let table = table.map_err(|error| error::to_python(py, &error))?;
    let report = to_json(&outcome.report)?;
    Ok((outcome.keep.to_pyarray(py), PyTable::new(table), report))
}

/// The texts of a run, and its candidates.
#[pyclass(name = "Deduplication", module = "mithril._native", frozen)]
pub(crate) struct PyDeduplication {
    options: DedupOptions,
    documents: Documents,
    /// None where no rows were compared, or where rows were compared with an index too.
    candidates: Option<Candidates>,
    outcome: Deduplication,
}

#[pymethods]
impl PyDeduplication {
    /// The text of a row, or of a reference.
    fn text(&self, row: usize, against: bool) -> Option<&str> {
        let references = self.documents.references();
        // What is of an index has no text here.
        let row = if against {
            Some(row).filter(|&row| row < references)
        } else {
            Some(references + row)
        };
        self.documents.text(row?)
    }

    /// The texts of the rows that this mask has, without what was removed within them.
    fn texts(&self, py: Python, keep: PyReadonlyArray1<bool>) -> PyResult<PyTable> {
        let keep = keep.as_array().to_vec();
        let texts: LargeStringArray = py.detach(|| {
            let kept = keep.iter().enumerate().filter(|(_, keep)| **keep);
            kept.map(|(row, _)| self.outcome.text(&self.documents, row)).collect()
        });
        let texts: ArrayRef = Arc::new(texts);
        let batch = RecordBatch::try_from_iter([("text", texts)]);
        batch.map(PyTable::new).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// What the texts of a row, and of another or a reference, have in common: Jaccard similarity, shingles of both,
    /// of the first alone, of the second alone.
    #[expect(clippy::type_complexity, reason = "a tuple for Python")]
    fn explain(
        &self,
        py: Python,
        first: usize,
        second: usize,
        against: bool,
    ) -> PyResult<(f64, Vec<String>, Vec<String>, Vec<String>)> {
        py.detach(|| {
            let text = |row, against| self.text(row, against).unwrap_or_default();
            Explanation::new(text(first, false), text(second, against), self.options.shingling)
        })
        .map(|explanation| {
            let Explanation { jaccard, common, only_first, only_second, .. } = explanation;
            (jaccard, common, only_first, only_second)
        })
        .map_err(|error| error::to_python(py, &error))
    }

    /// Decides once more, at another threshold.
    fn rethreshold<'py>(
        &self,
        py: Python<'py>,
        threshold: f64,
        progress: Progress,
    ) -> PyResult<Found<'py>> {
        let outcome = run(py, &progress, |control| {
            let deduplicator = Deduplicator::try_new(self.options.clone())?;
            let candidates = self.candidates.as_ref().ok_or_else(|| {
                DedupError::InvalidArgument(
                    "rows were compared with an index too, which knows one threshold: run \
                     deduplicate once more"
                        .to_owned(),
                )
            })?;
            deduplicator.decide(&self.documents, candidates, threshold, control)
        })?;
        found(py, &outcome, &self.documents)
    }
}

/// Why a row was removed by a run over files, as JSON.
#[pyfunction]
pub(crate) fn explain_removed(py: Python, output: PathBuf, row: &str) -> PyResult<String> {
    let removed = run(py, &Progress::Console(false), |control| {
        mithril_dedup::explain_removed(&output, row, control)
    })?;
    serde_json::to_string(&removed).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// What a run over files would take, as JSON.
#[pyfunction]
pub(crate) fn plan_files(
    py: Python,
    inputs: Vec<PathBuf>,
    options: &str,
    progress: Progress,
) -> PyResult<String> {
    let options: FileOptions = parse_options(options)?;
    let plan = run(py, &progress, |control| mithril_dedup::plan_files(&inputs, &options, control))?;
    serde_json::to_string(&plan).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// The report as JSON of a run over so many rows of files.
#[pyfunction]
pub(crate) fn sample_files(
    py: Python,
    inputs: Vec<PathBuf>,
    rows: usize,
    options: &str,
    progress: Progress,
) -> PyResult<String> {
    let options: FileOptions = parse_options(options)?;
    let report = run(py, &progress, |control| {
        mithril_dedup::sample_files(&inputs, rows, &options, control)
    })?;
    to_json(&report)
}

/// The report as JSON of a run over files.
#[pyfunction]
pub(crate) fn dedup_files(
    py: Python,
    inputs: Vec<PathBuf>,
    output: PathBuf,
    options: &str,
    progress: Progress,
) -> PyResult<String> {
    let options: FileOptions = parse_options(options)?;
    let report = run(py, &progress, |control| {
        mithril_dedup::dedup_files(&inputs, &output, &options, control)
    })?;
    to_json(&report)
}

/// Where progress goes: nowhere (`None`), to the terminal (`True`), or to a function of phase, done and total.
#[derive(FromPyObject)]
pub(crate) enum Progress {
    Console(bool),
    Callback(Option<Py<PyAny>>),
}

pub(crate) fn run<T: Send>(
    py: Python,
    progress: &Progress,
    work: impl FnOnce(Control) -> mithril_dedup::Result<T> + Send,
) -> PyResult<T> {
    match progress {
        Progress::Console(true) => {
            let bar = ConsoleProgress::new();
            let outcome = watched(py, &bar, work);
            bar.finish();
            outcome
        }
        Progress::Console(false) | Progress::Callback(None) => watched(py, &NoopProgress, work),
        Progress::Callback(Some(callback)) => {
            let raised = Mutex::new(None);
            let failed = AtomicBool::new(false);
            let reporter = CallbackProgress::new(|done, total, phase| {
                if failed.load(Ordering::Relaxed) {
                    return;
                }
                Python::attach(|py| {
                    if let Err(error) = callback.call1(py, (phase, done, total)) {
                        failed.store(true, Ordering::Relaxed);
                        raised.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    }
                });
            });
            let outcome =
                interrupt::run(py, &failed, |stop| work(Control { progress: &reporter, stop }));
            match raised.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(error) => Err(error),
                None => outcome,
            }
        }
    }
}

fn watched<T: Send>(
    py: Python,
    progress: &dyn ProgressReporter,
    work: impl FnOnce(Control) -> mithril_dedup::Result<T> + Send,
) -> PyResult<T> {
    interrupt::run(py, &AtomicBool::new(false), |stop| work(Control { progress, stop }))
}

/// Options from the JSON object that the package makes of keyword arguments; an error names the one
/// that is wrong.
pub(crate) fn parse_options<T: Default + Serialize + DeserializeOwned>(json: &str) -> PyResult<T> {
    let internal = |error: serde_json::Error| PyValueError::new_err(error.to_string());
    let given: Map<String, Value> = serde_json::from_str(json).map_err(internal)?;
    let mut options = T::default();
    let mut all = serde_json::to_value(&options).map_err(internal)?;
    for (name, value) in given {
        let wrong =
            |problem: &str| Python::attach(|py| error::of_kind(py, "invalid_argument", problem));
        let place = all.get_mut(&name).ok_or_else(|| wrong(&format!("no option {name:?}")))?;
        *place = value;
        options = T::deserialize(&all)
            .map_err(|problem| wrong(&format!("{name}: {}", in_words(&problem.to_string()))))?;
    }
    Ok(options)
}

/// What is wrong with a value, without the names that Rust has for its types.
fn in_words(problem: &str) -> String {
    let types = [
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected f64", "expected a number"),
        ("floating point", "number"),
        ("unknown variant", "there is no"),
    ];
    types.iter().fold(problem.to_owned(), |problem, (rust, words)| problem.replace(rust, words))
}

fn to_json(report: &Report) -> PyResult<String> {
    serde_json::to_string(report).map_err(|error| PyValueError::new_err(error.to_string()))
}
