//! Columns on their way in: anything that speaks Arrow without a copy, anything iterable with one.

use crate::error;
use arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, LargeBinaryBuilder, StringArray, UInt64Array,
    make_array, new_empty_array,
};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use mithril_dedup::{Documents, TextBuilder};
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyString};
use pyo3_arrow::input::AnyArray;
use std::sync::Arc;

/// The texts of a Python object.
pub(crate) fn documents(column: &Bound<PyAny>) -> PyResult<Documents> {
    let py = column.py();
    if let Some(chunks) = arrow_chunks(column)? {
        return py
            .detach(|| Documents::try_from_chunks(chunks))
            .map_err(|error| error::to_python(py, &error));
    }
    let mut documents = Documents::new();
    documents.push_texts(iterate(column)?).map_err(|error| error::to_python(py, &error))?;
    Ok(documents)
}

/// The values of a Python object as one array, to keep rows by.
pub(crate) fn values(column: &Bound<PyAny>) -> PyResult<ArrayRef> {
    let py = column.py();
    if let Some(chunks) = arrow_chunks(column)? {
        let chunks: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
        if chunks.is_empty() {
            return Ok(new_empty_array(&DataType::Null));
        }
        return concat(&chunks).map_err(|error| error::to_python(py, &error.into()));
    }
    // numpy gives Python's own numbers through tolist, and an iterator of its own scalars.
    let column =
        if column.hasattr("tolist")? { column.call_method0("tolist")? } else { column.clone() };
    if let Ok(values) = column.extract::<Vec<Option<i64>>>() {
        Ok(Arc::new(Int64Array::from(values)))
    } else if let Ok(values) = column.extract::<Vec<Option<u64>>>() {
        Ok(Arc::new(UInt64Array::from(values)))
    } else if let Ok(values) = column.extract::<Vec<Option<f64>>>() {
        Ok(Arc::new(Float64Array::from(values)))
    } else if let Ok(values) = column.extract::<Vec<Option<String>>>() {
        Ok(Arc::new(StringArray::from(values)))
    } else {
        Err(PyTypeError::new_err(
            "by must be an Arrow column or a sequence of numbers or of strings",
        ))
    }
}

/// The rows of a column of strings or bytes, whose strings may not be UTF-8.
pub(crate) fn byte_chunks(column: &Bound<PyAny>) -> PyResult<Vec<ArrayRef>> {
    let py = column.py();
    if let Some(chunks) = imported(column)? {
        return py
            .detach(|| chunks.iter().map(as_bytes).collect::<Result<_, _>>())
            .map_err(|problem: ArrowError| error::of_kind(py, "bad_row", &damaged(&problem)));
    }
    Ok(vec![iterate_bytes(column)?])
}

/// The chunk as bytes, which any are; an error if it points outside of its memory.
fn as_bytes(chunk: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let plain = match chunk.data_type() {
        DataType::Utf8 => DataType::Binary,
        DataType::LargeUtf8 => DataType::LargeBinary,
        DataType::Utf8View => DataType::BinaryView,
        _ => {
            chunk.to_data().validate_full()?;
            return Ok(chunk.clone());
        }
    };
    Ok(make_array(chunk.to_data().into_builder().data_type(plain).build()?))
}

/// The chunks of an object that speaks the Arrow `PyCapsule` interface; `None` for another.
fn arrow_chunks(column: &Bound<PyAny>) -> PyResult<Option<Vec<ArrayRef>>> {
    let py = column.py();
    let Some(chunks) = imported(column)? else { return Ok(None) };
    // What crosses the C interface is taken on trust by arrow; strings that are not UTF-8 would be
    // undefined behaviour, and this runs at the speed of memory.
    let checked = py.detach(|| chunks.iter().try_for_each(|chunk| chunk.to_data().validate_full()));
    checked.map_err(|problem| error::of_kind(py, "bad_row", &damaged(&problem)))?;
    Ok(Some(chunks))
}

fn damaged(problem: &ArrowError) -> String {
    format!("the column is damaged: {problem}")
}

/// The chunks as they came, and nothing in them is to be trusted.
fn imported(column: &Bound<PyAny>) -> PyResult<Option<Vec<ArrayRef>>> {
    if !column.hasattr("__arrow_c_stream__")? && !column.hasattr("__arrow_c_array__")? {
        return Ok(None);
    }
    let py = column.py();
    let chunked = column.extract::<AnyArray>()?.into_chunked_array().map_err(PyErr::from)?;
    let (chunks, field) = chunked.into_inner();
    if matches!(field.data_type(), DataType::Struct(_)) {
        return Err(error::of_kind(
            py,
            "column_type",
            "a table was given where one column is needed; pass the column, such as table[\"text\"]",
        ));
    }
    Ok(Some(chunks))
}

/// The rows of a sequence of str or bytes: the slow path, which copies each.
fn iterate_bytes(column: &Bound<PyAny>) -> PyResult<ArrayRef> {
    let wanted = "a column of strings or bytes is needed: an Arrow column, a pandas or polars Series, or a sequence of str or bytes";
    if column.is_instance_of::<PyString>() || column.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(wanted));
    }
    let rows = column.try_iter().map_err(|_| PyTypeError::new_err(wanted))?;
    let mut bytes = LargeBinaryBuilder::new();
    for (row, item) in rows.enumerate() {
        let item = item?;
        if let Ok(text) = item.cast::<PyString>() {
            match text.to_str() {
                Ok(text) => bytes.append_value(text),
                Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
                    let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
                    bytes.append_value(encoded.extract::<Vec<u8>>()?);
                }
                Err(error) => return Err(error),
            }
        } else if let Ok(data) = item.cast::<PyBytes>() {
            bytes.append_value(data.as_bytes());
        } else if is_missing(&item)? {
            bytes.append_null();
        } else {
            let kind = item.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!(
                "row {row}: expected str, bytes or None, not {kind}"
            )));
        }
    }
    Ok(Arc::new(bytes.finish()))
}

fn iterate(column: &Bound<PyAny>) -> PyResult<TextBuilder> {
    let wanted = "a column of texts is needed: an Arrow column, a pandas or polars Series, or a sequence of str";
    if column.is_instance_of::<PyString>() || column.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(wanted));
    }
    let rows = column.try_iter().map_err(|_| PyTypeError::new_err(wanted))?;
    let mut texts = TextBuilder::default();
    for item in rows {
        let item = item?;
        if let Ok(text) = item.cast::<PyString>() {
            match text.to_str() {
                Ok(text) => texts.append_str(text),
                Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
                    let bytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
                    texts.append_surrogates(bytes.extract::<Vec<u8>>()?);
                }
                Err(error) => return Err(error),
            }
        } else if is_missing(&item)? {
            texts.append_null();
        } else {
            let (row, kind) = (texts.len(), item.get_type().qualname()?);
            return Err(PyTypeError::new_err(format!(
                "row {row}: expected str or None, not {kind}"
            )));
        }
    }
    Ok(texts)
}

/// Whether an item stands for a missing text: None, a float NaN, or pandas' `NA` and `NaT`.
fn is_missing(item: &Bound<PyAny>) -> PyResult<bool> {
    if let Ok(number) = item.cast::<PyFloat>() {
        return Ok(number.value().is_nan());
    }
    let kind = item.get_type().qualname()?;
    Ok(item.is_none() || kind == "NAType" || kind == "NaTType")
}
