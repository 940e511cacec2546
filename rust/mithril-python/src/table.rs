//! Arrow tables on their way out.

use crate::numpy_api;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use numpy::IntoPyArray;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyList};
use pyo3_arrow::ffi::{ArrayIterator, to_stream_pycapsule};
use std::sync::Arc;

/// A table in Arrow memory; the class `mithril.Table` wraps it.
#[pyclass(name = "Table", module = "mithril._native", frozen)]
pub(crate) struct PyTable {
    batch: RecordBatch,
}

impl PyTable {
    pub(crate) fn new(batch: RecordBatch) -> Self {
        Self { batch }
    }
}

#[pymethods]
impl PyTable {
    /// The table as an Arrow C stream; nothing is copied.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let field = Field::new_struct("", self.batch.schema().fields().clone(), false);
        let rows: ArrayRef = Arc::new(StructArray::from(self.batch.clone()));
        let stream = ArrayIterator::new([Ok(rows)], Arc::new(field));
        to_stream_pycapsule(py, Box::new(stream), requested_schema).map_err(PyErr::from)
    }

    /// The rows from `start` to `end` as dictionaries.
    fn rows<'py>(
        &self,
        py: Python<'py>,
        start: usize,
        end: usize,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let end = end.min(self.batch.num_rows());
        (start.min(end)..end)
            .map(|row| {
                let dictionary = PyDict::new(py);
                for (field, column) in self.batch.schema().fields().iter().zip(self.batch.columns())
                {
                    dictionary.set_item(field.name(), value(py, column, row)?)?;
                }
                Ok(dictionary)
            })
            .collect()
    }

    /// The table as an Arrow IPC stream.
    fn to_ipc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let write = || -> Result<Vec<u8>, ArrowError> {
            let mut writer = StreamWriter::try_new(Vec::new(), &self.batch.schema())?;
            writer.write(&self.batch)?;
            writer.into_inner()
        };
        let stream = write().map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &stream))
    }

    /// The table of an Arrow IPC stream.
    #[staticmethod]
    fn from_ipc(stream: &[u8]) -> PyResult<Self> {
        let read = || -> Result<RecordBatch, ArrowError> {
            let reader = StreamReader::try_new(stream, None)?;
            let schema = reader.schema();
            let batches = reader.collect::<Result<Vec<_>, _>>()?;
            concat_batches(&schema, &batches)
        };
        read().map(Self::new).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// The number of rows.
    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    /// A column as an array of numpy; null becomes NaN.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        numpy_api::import(py)?;
        let column = self.batch.column_by_name(name);
        let column = column.ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        Ok(match column.data_type() {
            DataType::Int64 => {
                column.as_primitive::<Int64Type>().values().to_vec().into_pyarray(py).into_any()
            }
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>().iter();
                let values: Vec<f64> = values.map(|value| value.unwrap_or(f64::NAN)).collect();
                values.into_pyarray(py).into_any()
            }
            DataType::Boolean => {
                let values: Vec<bool> =
                    column.as_boolean().iter().map(|value| value == Some(true)).collect();
                values.into_pyarray(py).into_any()
            }
            DataType::LargeUtf8 => {
                let values = (0..column.len()).map(|row| value(py, column, row));
                let values = PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)?;
                py.import("numpy")?.getattr("array")?.call1((values, "O"))?
            }
            other => return Err(PyTypeError::new_err(format!("no array for a column of {other}"))),
        })
    }

    /// The names of the columns in their order.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|field| field.name().clone()).collect()
    }
}

/// A value of a type that the tables here have.
fn value<'py>(py: Python<'py>, column: &ArrayRef, row: usize) -> PyResult<Bound<'py, PyAny>> {
    if column.is_null(row) {
        return Ok(py.None().into_bound(py));
    }
    match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into_bound_py_any(py),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into_bound_py_any(py),
        DataType::Boolean => column.as_boolean().value(row).into_bound_py_any(py),
        DataType::LargeUtf8 => column.as_string::<i64>().value(row).into_bound_py_any(py),
        other => Err(PyTypeError::new_err(format!("no Python value for a column of {other}"))),
    }
}
