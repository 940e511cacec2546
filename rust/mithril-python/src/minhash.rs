//! Signatures from Python.

use crate::dedup::parse_options;
use crate::tokens::{self, Tokens, Values};
use crate::{column, error, interrupt, numpy_api};
use mithril_core::minhash::{DatasketchScheme, Scheme};
use mithril_core::{MinHashSignature, MinHasher};
use mithril_dedup::{Banding, Control, DedupError, DedupOptions, HashColumn, Threads};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;

/// What makes a hasher; names are those of the keyword arguments.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Configuration {
    num_permutations: usize,
    seed: u64,
    scheme: SchemeName,
}

impl Default for Configuration {
    fn default() -> Self {
        Self { num_permutations: 128, seed: 42, scheme: SchemeName::Similarity }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum SchemeName {
    #[serde(rename = "similarity")]
    Similarity,
    #[serde(rename = "datasketch-affine32", alias = "datasketch")]
    Affine32,
    #[serde(rename = "datasketch-affine64")]
    Affine64,
    #[serde(rename = "datasketch-legacy")]
    Legacy,
}

impl From<SchemeName> for Scheme {
    fn from(name: SchemeName) -> Self {
        match name {
            SchemeName::Similarity => Self::Similarity,
            SchemeName::Affine32 => Self::Datasketch(DatasketchScheme::Affine32),
            SchemeName::Affine64 => Self::Datasketch(DatasketchScheme::Affine64),
            SchemeName::Legacy => Self::Datasketch(DatasketchScheme::Legacy),
        }
    }
}

/// A hasher; the class `mithril.MinHasher` wraps it.
#[pyclass(name = "MinHasher", module = "mithril._native", frozen)]
pub(crate) struct PyMinHasher {
    hasher: MinHasher,
    scheme: SchemeName,
}

#[pymethods]
impl PyMinHasher {
    /// A hasher of a configuration in JSON.
    #[new]
    fn new(py: Python, configuration: &str) -> PyResult<Self> {
        let Configuration { num_permutations, seed, scheme } = parse_options(configuration)?;
        let hasher = MinHasher::try_with_scheme(num_permutations, seed, scheme.into())
            .map_err(|error| error::to_python(py, &error.into()))?;
        Ok(Self { hasher, scheme })
    }

    #[getter]
    fn num_permutations(&self) -> usize {
        self.hasher.num_permutations()
    }

    #[getter]
    fn seed(&self) -> u64 {
        self.hasher.seed()
    }

    #[getter]
    fn scheme(&self) -> &'static str {
        match self.scheme {
            SchemeName::Similarity => "similarity",
            SchemeName::Affine32 => "datasketch-affine32",
            SchemeName::Affine64 => "datasketch-affine64",
            SchemeName::Legacy => "datasketch-legacy",
        }
    }

    #[getter]
    fn kernel(&self) -> String {
        format!("{:?}", self.hasher.kernel()).to_lowercase()
    }

    /// The signature of a set of tokens, or of each row of tokens.
    fn hash_tokens<'py>(
        &self,
        tokens: &Bound<'py, PyAny>,
        offsets: Option<&Bound<'py, PyAny>>,
        options: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = tokens.py();
        let DedupOptions { threads, .. } = parse_options(options)?;
        check(py, Threads::check(threads))?;
        let (tokens, offsets) = match (tokens::tokens(tokens)?, offsets) {
            (Tokens::Set(tokens), None) => {
                let tokens = tokens.as_slice()?;
                let values = py.detach(|| self.hasher.hash_tokens(tokens).values);
                return Ok(values.into_pyarray(py).into_any());
            }
            (Tokens::Set(tokens), Some(offsets)) => (tokens, tokens::offsets(offsets)?),
            (Tokens::Rows(tokens, offsets), None) => (tokens, offsets),
            (Tokens::Rows(..), Some(_)) => {
                let message = "offsets cut one sequence of tokens into rows: \
                               tokens must be of one dimension with them";
                return Err(error::of_kind(py, "invalid_argument", message));
            }
        };
        let tokens = tokens.as_slice()?;
        let rows = MinHasher::check_offsets(&offsets, tokens.len())
            .map_err(|error| error::to_python(py, &error.into()))?;
        let values = filled(py, rows, self.num_permutations(), threads, |values, control| {
            self.hasher.hash_token_rows_into(tokens, &offsets, values, control)
        })?;
        Ok(values.into_any())
    }

    /// The signature of every text of a column.
    fn hash_column<'py>(
        &self,
        column: &Bound<'py, PyAny>,
        options: &str,
    ) -> PyResult<Bound<'py, PyArray2<u64>>> {
        let py = column.py();
        let DedupOptions { shingling, threads, .. } = parse_options(options)?;
        check(py, shingling.check())?;
        let documents = column::documents(column)?;
        filled(py, documents.len(), self.num_permutations(), threads, |values, control| {
            self.hasher.hash_column_into(&documents, shingling, values, control)
        })
    }

    /// The band hashes of every text of a column.
    fn band_column<'py>(
        &self,
        column: &Bound<'py, PyAny>,
        options: &str,
    ) -> PyResult<Bound<'py, PyArray2<u64>>> {
        let py = column.py();
        let options = DedupOptions {
            permutations: self.num_permutations(),
            ..parse_options::<DedupOptions>(options)?
        };
        let banding = check(py, options.banding())?;
        numpy_api::import(py)?;
        let documents = column::documents(column)?;
        let values = run(py, options.threads, |control| {
            self.hasher.band_column(&documents, options.shingling, banding, control)
        })?;
        shaped(py, values, documents.len(), banding.bands)
    }

    /// `(bands, rows)` that the threshold and the recall need.
    fn banding(&self, py: Python, options: &str) -> PyResult<(usize, usize)> {
        let options = DedupOptions {
            permutations: self.num_permutations(),
            ..parse_options::<DedupOptions>(options)?
        };
        let Banding { bands, rows } = check(py, options.banding())?;
        Ok((bands, rows))
    }

    /// The share of equal values of two signatures.
    #[staticmethod]
    fn similarity(one: &Bound<'_, PyAny>, two: &Bound<'_, PyAny>) -> PyResult<f64> {
        let (first, second) = (values("one", one)?, values("two", two)?);
        MinHasher::try_similarity(first.as_slice()?, second.as_slice()?)
            .map_err(|error| error::to_python(one.py(), &error.into()))
    }

    /// The band hashes of a signature.
    #[staticmethod]
    fn bands<'py>(
        signature: &Bound<'py, PyAny>,
        num_bands: usize,
    ) -> PyResult<Bound<'py, PyArray1<u64>>> {
        let bands = self::signature("signature", signature)?.bands(num_bands);
        Ok(bands.into_pyarray(signature.py()))
    }

    /// The signature of the union.
    #[staticmethod]
    fn merge<'py>(
        one: &Bound<'py, PyAny>,
        two: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArray1<u64>>> {
        let merged = signature("one", one)?.merge(&signature("two", two)?);
        let merged = merged.map_err(|error| error::to_python(one.py(), &error.into()))?;
        Ok(merged.values.into_pyarray(one.py()))
    }
}

/// The values of one signature.
fn values<'py>(name: &str, signature: &Bound<'py, PyAny>) -> PyResult<Values<'py>> {
    match tokens::named(name, signature)? {
        Tokens::Set(values) => Ok(values),
        Tokens::Rows(..) => {
            let message = format!("{name} must be one signature, of one dimension");
            Err(error::of_kind(signature.py(), "invalid_argument", &message))
        }
    }
}

fn signature(name: &str, signature: &Bound<PyAny>) -> PyResult<MinHashSignature> {
    Ok(MinHashSignature { values: values(name, signature)?.as_slice()?.to_vec() })
}

/// Computes on so many threads with the GIL released, until it is done or a signal comes.
fn run<T: Send>(
    py: Python,
    threads: Option<usize>,
    work: impl FnOnce(Control) -> mithril_dedup::Result<T> + Send,
) -> PyResult<T> {
    interrupt::run(py, &AtomicBool::new(false), |stop| {
        Threads::try_new(threads)?.install(|| work(Control { stop, ..Control::default() }))
    })
}

fn check<T>(py: Python, checked: Result<T, DedupError>) -> PyResult<T> {
    checked.map_err(|error| error::to_python(py, &error))
}

/// An array of `rows` signatures of `width` values, which `fill` writes on so many threads.
///
/// The memory is numpy's, which asks for huge pages past 4 MiB unless `NUMPY_MADVISE_HUGEPAGE` is 0. New memory in
/// ordinary pages costs more than the signatures of short sets that go there: 3.4 µs for 4 KiB, in huge ones 0.7 to
/// 1.2 (a virtual machine; 6 and 17 for memory that it has never touched, once). Sets of 10 tokens take half
/// the time, of 300 seven tenths.
fn filled(
    py: Python,
    rows: usize,
    width: usize,
    threads: Option<usize>,
    fill: impl FnOnce(&mut [u64], Control) -> mithril_dedup::Result<()> + Send,
) -> PyResult<Bound<PyArray2<u64>>> {
    numpy_api::import(py)?;
    let array = py.import("numpy")?.call_method1("empty", ((rows, width), "uint64")).map_err(|_| {
        let message = format!(
            "{rows} rows of {width} values each do not fit into memory: take fewer rows at a time"
        );
        error::of_kind(py, "invalid_argument", &message)
    })?;
    let array = array.cast_into::<PyArray2<u64>>()?;
    let mut places = array.try_readwrite()?;
    let values = places.as_slice_mut()?;
    run(py, threads, |control| fill(values, control))?;
    drop(places);
    Ok(array)
}

/// An array over the memory of `values`.
fn shaped(
    py: Python,
    values: Vec<u64>,
    rows: usize,
    width: usize,
) -> PyResult<Bound<PyArray2<u64>>> {
    let flat: Bound<PyArray1<u64>> = values.into_pyarray(py);
    flat.reshape([rows, width])
}
