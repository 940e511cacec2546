//! The stages of a deduplication that runs on many machines.

use crate::dedup::parse_options;
use crate::table::PyTable;
use crate::{column, error, interrupt};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use mithril_dedup::stages::{self, Decisions, Fingerprints, Rows, State};
use mithril_dedup::{
    Control, DedupOptions, Documents, InputFormat, TextFiles, Threads, find_files as find,
    read_texts,
};
use pyo3::prelude::*;
use pyo3_arrow::input::AnyRecordBatch;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// A table of Arrow in one batch.
///
/// Stages exchange tables among themselves, without strings but for texts, which are checked where they come in.
struct Batch(RecordBatch);

impl<'py> FromPyObject<'_, 'py> for Batch {
    type Error = PyErr;

    fn extract(table: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let reader = table.extract::<AnyRecordBatch>()?.into_reader()?;
        let schema = reader.schema();
        let batches = reader.collect::<Result<Vec<_>, _>>();
        let whole = batches.and_then(|batches| {
            for batch in &batches {
                batch.columns().iter().try_for_each(|column| column.to_data().validate_full())?;
            }
            concat_batches(&schema, &batches)
        });
        whole.map(Self).map_err(|problem: ArrowError| {
            error::of_kind(table.py(), "bad_row", &format!("a table is damaged: {problem}"))
        })
    }
}

fn plain(tables: Vec<Batch>) -> Vec<RecordBatch> {
    tables.into_iter().map(|table| table.0).collect()
}

fn tables(batches: Vec<RecordBatch>) -> Vec<PyTable> {
    batches.into_iter().map(PyTable::new).collect()
}

/// The rows of each block, and two states of these rows.
type States = (Vec<usize>, Batch, Batch);

fn both((lengths, before, after): States) -> mithril_dedup::Result<(State, State)> {
    let rows = Rows::new(lengths);
    let before = State::try_new(rows.clone(), &before.0)?;
    Ok((before, State::try_new(rows, &after.0)?))
}

/// Does the work without the GIL.
fn detached<T: Send>(
    py: Python,
    work: impl FnOnce() -> mithril_dedup::Result<T> + Send,
) -> PyResult<T> {
    py.detach(work).map_err(|error| error::to_python(py, &error))
}

fn interruptible<T: Send>(
    py: Python,
    work: impl FnOnce(Control) -> mithril_dedup::Result<T> + Send,
) -> PyResult<T> {
    interrupt::run(py, &AtomicBool::new(false), |stop| work(Control { stop, ..Control::default() }))
}

/// Texts of a block.
#[pyclass(name = "Texts", module = "mithril._native", frozen)]
pub(crate) struct PyTexts {
    documents: Documents,
}

#[pymethods]
impl PyTexts {
    /// Those of a column.
    #[staticmethod]
    fn of_column(column: &Bound<PyAny>) -> PyResult<Self> {
        Ok(Self { documents: column::documents(column)? })
    }

    /// Those of a file.
    #[staticmethod]
    fn of_file(py: Python, path: PathBuf, files: &str) -> PyResult<Self> {
        let files: TextFiles = parse_options(files)?;
        let (documents, _) = interruptible(py, |control| {
            let read = || read_texts(&[path], &files, control);
            Threads::try_new(Some(1))?.install(read)
        })?;
        Ok(Self { documents })
    }

    fn __len__(&self) -> usize {
        self.documents.len()
    }
}

/// What [`find_files`] is told.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Wanted {
    input_format: InputFormat,
}

/// The files of an input, in order, and their format.
#[pyfunction]
pub(crate) fn find_files(
    py: Python,
    inputs: Vec<PathBuf>,
    options: &str,
) -> PyResult<(String, Vec<PathBuf>)> {
    let wanted: Wanted = parse_options(options)?;
    let (format, files) = detached(py, || find(&inputs, wanted.input_format))?;
    Ok((format!("{format:?}").to_lowercase(), files))
}

/// The stages that have options, and those that have none.
#[pyclass(name = "Stages", module = "mithril._native", frozen)]
pub(crate) struct PyStages {
    options: DedupOptions,
    threads: Threads,
}

type Signed = (Vec<PyTable>, Vec<PyTable>, PyTable, (u64, u64, u64, u64));

#[pymethods]
impl PyStages {
    #[new]
    fn new(py: Python, options: &str) -> PyResult<Self> {
        let options: DedupOptions = parse_options(options)?;
        let threads = detached(py, || {
            stages::check(&options)?;
            Threads::try_new(options.threads)
        })?;
        Ok(Self { options, threads })
    }

    /// Bands, rows of each, and the recall that they promise at the threshold.
    fn banding(&self, py: Python) -> PyResult<(usize, usize, f64)> {
        let banding = detached(py, || self.options.banding())?;
        Ok((banding.bands, banding.rows, banding.candidate_probability(self.options.threshold)))
    }

    /// Parts of digests, parts of bands, copies; rows, null and empty texts, bytes.
    fn sign(&self, py: Python, texts: &PyTexts, block: u32, parts: usize) -> PyResult<Signed> {
        let signed = interruptible(py, |control| {
            let sign = || stages::sign(&texts.documents, block, parts, &self.options, control);
            self.threads.install(sign)
        })?;
        let counts = signed.counts;
        Ok((
            tables(signed.digests),
            tables(signed.bands),
            PyTable::new(signed.copies),
            (counts.rows, counts.null_texts, counts.empty_texts, counts.bytes),
        ))
    }

    /// The edges among pairs.
    fn verify(&self, py: Python, pairs: Batch, texts: Vec<Batch>) -> PyResult<PyTable> {
        let texts = plain(texts);
        let edges =
            interruptible(py, |control| stages::verify(&pairs.0, &texts, &self.options, control))?;
        Ok(PyTable::new(edges))
    }

    /// The fingerprints of texts.
    fn fingerprints(&self, py: Python, texts: Batch) -> PyResult<PyTable> {
        detached(py, || stages::fingerprints(&texts.0, &self.options)).map(PyTable::new)
    }

    #[staticmethod]
    fn pick(
        py: Python,
        texts: &PyTexts,
        block: u32,
        table: Batch,
        column: &str,
    ) -> PyResult<PyTable> {
        detached(py, || stages::pick(&texts.documents, block, &table.0, column)).map(PyTable::new)
    }

    #[staticmethod]
    fn select(py: Python, texts: Batch, table: Batch, column: &str) -> PyResult<PyTable> {
        detached(py, || stages::select(&texts.0, &table.0, column)).map(PyTable::new)
    }

    #[staticmethod]
    fn find_copies(py: Python, digests: Vec<Batch>) -> PyResult<PyTable> {
        let digests = plain(digests);
        detached(py, || stages::find_copies(&digests)).map(PyTable::new)
    }

    /// Pairs, and crowds.
    #[staticmethod]
    fn candidates(
        py: Python,
        bands: Vec<Batch>,
        lengths: Vec<usize>,
        state: Batch,
        limits: (usize, usize),
    ) -> PyResult<(PyTable, PyTable)> {
        let bands = plain(bands);
        let (pairs, crowds) = detached(py, || {
            let state = State::try_new(Rows::new(lengths), &state.0)?;
            stages::candidates(&bands, &state, limits.0, limits.1)
        })?;
        Ok((PyTable::new(pairs), PyTable::new(crowds)))
    }

    /// Pairs, and the ids of the rows that wait.
    fn pivots(
        &self,
        py: Python,
        crowds: Batch,
        lengths: Vec<usize>,
        state: Batch,
        limits: (usize, usize),
        prints: Vec<Batch>,
    ) -> PyResult<(PyTable, PyTable)> {
        let prints = plain(prints);
        let (pairs, waiting) = detached(py, || {
            let state = State::try_new(Rows::new(lengths), &state.0)?;
            stages::pivots(&crowds.0, &state, limits, &self.prints(&prints)?)
        })?;
        Ok((PyTable::new(pairs), PyTable::new(waiting)))
    }

    /// Pairs.
    fn spread(
        &self,
        py: Python,
        crowds: Batch,
        states: States,
        limits: (usize, usize),
        part: (usize, usize),
        prints: Vec<Batch>,
    ) -> PyResult<PyTable> {
        let prints = plain(prints);
        detached(py, || {
            let (before, after) = both(states)?;
            stages::spread(&crowds.0, (&before, &after), limits, part, &self.prints(&prints)?)
        })
        .map(PyTable::new)
    }

    fn spread_size(
        &self,
        py: Python,
        crowds: Batch,
        states: States,
        limits: (usize, usize),
        prints: Vec<Batch>,
    ) -> PyResult<usize> {
        let prints = plain(prints);
        detached(py, || {
            let (before, after) = both(states)?;
            stages::spread_size(&crowds.0, (&before, &after), limits, &self.prints(&prints)?)
        })
    }

    fn count_shingles(&self, py: Python, texts: Batch, counters: usize) -> PyResult<PyTable> {
        detached(py, || stages::count_shingles(&texts.0, &self.options, counters)).map(PyTable::new)
    }

    #[staticmethod]
    fn add_counts(py: Python, counts: Vec<Batch>) -> PyResult<PyTable> {
        let counts = plain(counts);
        detached(py, || stages::add_counts(&counts)).map(PyTable::new)
    }

    /// Postings by part.
    fn postings(
        &self,
        py: Python,
        texts: Batch,
        counts: Batch,
        parts: usize,
    ) -> PyResult<Vec<PyTable>> {
        detached(py, || stages::postings(&texts.0, &self.options, &counts.0, parts)).map(tables)
    }

    /// Pairs.
    fn join(
        &self,
        py: Python,
        postings: Vec<Batch>,
        lengths: Vec<usize>,
        state: Batch,
    ) -> PyResult<PyTable> {
        let postings = plain(postings);
        detached(py, || {
            let state = State::try_new(Rows::new(lengths), &state.0)?;
            stages::join(&postings, &state, &self.options)
        })
        .map(PyTable::new)
    }

    #[staticmethod]
    fn join_size(
        py: Python,
        postings: Vec<Batch>,
        lengths: Vec<usize>,
        state: Batch,
    ) -> PyResult<usize> {
        let postings = plain(postings);
        detached(py, || {
            stages::join_size(&postings, &State::try_new(Rows::new(lengths), &state.0)?)
        })
    }

    /// Edges.
    fn sharing_a_band(&self, py: Python, edges: Batch, texts: Vec<Batch>) -> PyResult<PyTable> {
        let texts = plain(texts);
        interruptible(py, |control| {
            let share = || stages::sharing_a_band(&edges.0, &texts, &self.options, control);
            self.threads.install(share)
        })
        .map(PyTable::new)
    }

    #[staticmethod]
    fn gather(py: Python, pairs: Vec<Batch>) -> PyResult<PyTable> {
        let pairs = plain(pairs);
        detached(py, || stages::gather(&pairs)).map(PyTable::new)
    }

    #[staticmethod]
    fn split_ids(
        py: Python,
        table: Batch,
        column: &str,
        groups: Vec<u32>,
    ) -> PyResult<Vec<PyTable>> {
        detached(py, || stages::split_ids(&table.0, column, &groups)).map(tables)
    }

    #[staticmethod]
    fn gather_edges(py: Python, edges: Vec<Batch>) -> PyResult<PyTable> {
        let edges = plain(edges);
        detached(py, || stages::gather_edges(&edges)).map(PyTable::new)
    }

    #[staticmethod]
    fn assign(py: Python, edges: Batch, lengths: Vec<usize>, state: Batch) -> PyResult<PyTable> {
        detached(py, || stages::assign(&edges.0, &State::try_new(Rows::new(lengths), &state.0)?))
            .map(PyTable::new)
    }

    #[staticmethod]
    fn resolve(py: Python, copies: Vec<Batch>, removed: Batch) -> PyResult<PyTable> {
        let copies = plain(copies);
        detached(py, || stages::resolve(&copies, &removed.0)).map(PyTable::new)
    }

    #[staticmethod]
    fn finish(
        py: Python,
        removed: Batch,
        resolved: Vec<Batch>,
        copies: Vec<Batch>,
    ) -> PyResult<PyTable> {
        let (resolved, copies) = (plain(resolved), plain(copies));
        detached(py, || stages::finish(&removed.0, &resolved, &copies)).map(PyTable::new)
    }
}

impl PyStages {
    fn prints(&self, tables: &[RecordBatch]) -> mithril_dedup::Result<Fingerprints> {
        Fingerprints::try_new(tables, self.options.threshold)
    }
}

/// The decisions about all rows.
#[pyclass(name = "Decisions", module = "mithril._native")]
pub(crate) struct PyDecisions {
    decisions: Decisions,
}

#[pymethods]
impl PyDecisions {
    #[new]
    fn new(lengths: Vec<usize>) -> Self {
        Self { decisions: Decisions::new(Rows::new(lengths)) }
    }

    fn remove(&mut self, py: Python, table: Batch) -> PyResult<()> {
        let decisions = &mut self.decisions;
        detached(py, || decisions.remove(&table.0))
    }

    fn wait(&mut self, py: Python, table: Batch) -> PyResult<()> {
        let decisions = &mut self.decisions;
        detached(py, || decisions.wait(&table.0))
    }

    fn wait_no_more(&mut self) {
        self.decisions.wait_no_more();
    }

    fn settle(
        &mut self,
        py: Python,
        edges: Batch,
        blocks: (u32, u32),
        may_keep: bool,
    ) -> PyResult<()> {
        let decisions = &mut self.decisions;
        detached(py, || decisions.settle(&edges.0, blocks.0..blocks.1, may_keep))
    }

    fn open(&self) -> usize {
        self.decisions.open()
    }

    fn state(&self, py: Python) -> PyResult<PyTable> {
        detached(py, || self.decisions.state()?.table()).map(PyTable::new)
    }
}
