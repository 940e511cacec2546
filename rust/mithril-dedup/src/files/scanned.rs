//! What the first pass brings back of rows that are read one by one: JSON lines, and samples in tar files.

use super::input_file::InputFile;
use super::scan::{Columns, READ, Scan, starts};
use super::sink::{Sink, Texts};
use super::values;
use crate::documents::TextBuilder;
use crate::error::{DedupError, Result};
use crate::spill::Spill;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, NullArray, UInt64Array,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// The rows of one file.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Scanned {
    texts: Vec<Texts>,
    rows: usize,
    #[serde(with = "values")]
    ids: Vec<Value>,
    #[serde(with = "values")]
    bys: Vec<Value>,
    /// Whether a row has the text, id and keep column.
    present: [bool; 3],
    /// The names of the columns in the first row.
    names: Vec<String>,
}

/// Takes the rows of a file, one after the other.
pub(super) struct Rows<'a> {
    columns: Columns<'a>,
    sink: &'a Sink,
    building: TextBuilder,
    scanned: Scanned,
}

/// The columns that decide, of one row.
pub(super) struct Row {
    /// In UTF-8, but for lone surrogates, which are encoded like other characters.
    pub(super) text: Option<Vec<u8>>,
    pub(super) id: Value,
    pub(super) by: Value,
    /// Whether it has the text, id and keep column.
    pub(super) present: [bool; 3],
}

impl<'a> Rows<'a> {
    pub(super) fn new(columns: Columns<'a>, sink: &'a Sink) -> Self {
        Self { columns, sink, building: TextBuilder::default(), scanned: Scanned::default() }
    }

    /// Takes a row; the names of its columns are asked for if it is the first.
    pub(super) fn push(&mut self, row: Row, names: impl FnOnce() -> Vec<String>) -> Result<()> {
        let scanned = &mut self.scanned;
        if scanned.rows == 0 {
            scanned.names = names();
        }
        for (seen, here) in scanned.present.iter_mut().zip(row.present) {
            *seen |= here;
        }
        match row.text.map(String::from_utf8) {
            None => self.building.append_null(),
            Some(Ok(text)) => self.building.append_str(&text),
            Some(Err(error)) => self.building.append_surrogates(error.into_bytes()),
        }
        scanned.rows += 1;
        scanned.texts.extend(self.sink.built(&mut self.building, false)?);
        if self.columns.id.is_some() {
            scanned.ids.push(row.id);
        }
        if self.columns.by.is_some() {
            scanned.bys.push(row.by);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Scanned> {
        self.scanned.texts.extend(self.sink.built(&mut self.building, true)?);
        Ok(self.scanned)
    }
}

/// Reads all files with `read`, in parallel.
pub(super) fn scan(
    files: &[InputFile],
    columns: Columns,
    sink: Sink,
    spill: &Spill,
    read: impl Fn(&InputFile, &Sink) -> Result<Scanned> + Sync,
) -> Result<Scan> {
    let scanned = files.par_iter().enumerate().map(|(number, file)| {
        let hold = |scanned: &Scanned| sink.holds(&scanned.texts);
        spill.unit((READ, number), hold, || read(file, &sink))
    });
    let scanned: Vec<Scanned> = scanned.collect::<Result<_>>()?;

    // A column may be absent from some rows, where it is null, but not from all.
    let wanted = [Some(columns.text), columns.id, columns.by];
    let first = scanned.iter().position(|file| !file.names.is_empty() || file.rows > 0);
    for (index, column) in wanted.into_iter().enumerate() {
        let present = scanned.iter().any(|file| file.present.get(index) == Some(&true));
        if let (Some(column), Some(first), false) = (column, first, present) {
            return Err(DedupError::MissingColumn {
                file: files.get(first).map(|file| file.path.clone()).unwrap_or_default(),
                column: column.to_owned(),
                available: scanned
                    .into_iter()
                    .nth(first)
                    .map(|file| file.names)
                    .unwrap_or_default(),
            });
        }
    }
    let starts = starts(scanned.iter().map(|file| file.rows));
    let (mut texts, mut ids, mut bys) = (Vec::new(), Vec::new(), Vec::new());
    for file in scanned {
        texts.extend(file.texts);
        ids.extend(file.ids);
        bys.extend(file.bys);
    }
    let id = columns.id.map(|_| column_of(ids));
    let by = columns.by.map(|_| column_of(bys));
    let (documents, spooled) = sink.finish(texts)?;
    Ok(Scan { documents, spooled, id, by, footers: Vec::new(), page: 0, starts })
}

/// The values of a column as the narrowest of null, bool, int64, uint64, float64 and string that holds all;
/// a mixture is written as JSON.
fn column_of(values: Vec<Value>) -> ArrayRef {
    let all = |fits: fn(&Value) -> bool| values.iter().all(|value| value.is_null() || fits(value));
    if all(|_| false) {
        Arc::new(NullArray::new(values.len()))
    } else if all(Value::is_boolean) {
        Arc::new(values.iter().map(Value::as_bool).collect::<BooleanArray>())
    } else if all(Value::is_i64) {
        Arc::new(values.iter().map(Value::as_i64).collect::<Int64Array>())
    } else if all(Value::is_u64) {
        Arc::new(values.iter().map(Value::as_u64).collect::<UInt64Array>())
    } else if all(is_exact_float) {
        Arc::new(values.iter().map(Value::as_f64).collect::<Float64Array>())
    } else {
        let text = |value| match value {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        Arc::new(values.into_iter().map(text).collect::<LargeStringArray>())
    }
}

/// Whether a number is a fraction, or an integer that a float64 holds exactly.
fn is_exact_float(value: &Value) -> bool {
    let small = value.as_i64().is_some_and(|value| value.unsigned_abs() <= 1 << 53);
    value.is_f64() || small
}
