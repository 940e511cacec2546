//! Why a row of an earlier run was removed: from its output, and from its input once more.

use super::input::{InputFormat, Inputs};
use super::scan::{Columns, Scan};
use super::scan_inputs;
use crate::control::Control;
use crate::error::{DedupError, Result};
use crate::explain::Explanation;
use crate::index::MinHashIndex;
use crate::options::DedupOptions;
use crate::repeats::Unit;
use crate::spill::Spill;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A row of an input, named as in the table of duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedRow {
    /// The value of the id column, or the number of the row over all inputs.
    pub id: String,
    /// The file that it is in.
    pub file: PathBuf,
    /// Its number there, from zero.
    pub row: u64,
    /// Its text.
    pub text: String,
}

/// Why a row was removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RemovedRow {
    /// The row that was removed.
    pub removed: NamedRow,
    /// The row that is kept for it.
    pub kept: NamedRow,
    /// The similarity that the table of duplicates has.
    pub jaccard: Option<f64>,
    /// Whether the two texts are the same byte for byte.
    pub exact_copy: bool,
    /// Whether the row that is kept is a reference.
    pub against: bool,
    /// What the two texts have in common: `first` is the row that was removed.
    pub explanation: Explanation,
}

/// What a report has to say about the run.
#[derive(Deserialize)]
struct Said {
    options: DedupOptions,
    files: SaidOfFiles,
}

#[derive(Deserialize)]
struct SaidOfFiles {
    text_column: String,
    input_format: InputFormat,
}

/// Finds the row of this id among those that the run with this output has removed, reads both texts from the
/// input, and compares them.
///
/// # Errors
///
/// [`DedupError::Read`] when the folder is not the output of a run, and those of reading; [`DedupError::NotFound`] when
/// an input is not there any more; [`DedupError::InvalidArgument`] when no removed row has the id.
pub fn explain_removed(output: &Path, id: &str, control: Control) -> Result<RemovedRow> {
    if output.to_str().is_some_and(|name| name.contains("://")) {
        return Err(DedupError::InvalidArgument(format!(
            "{}: an output in a bucket cannot be asked; copy it to a folder first",
            output.display()
        )));
    }
    let report = output.join("report.json");
    let text = fs::read_to_string(&report).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            DedupError::read(output, "no output of mithril dedup: it has no report.json")
        }
        _ => DedupError::read(&report, error),
    })?;
    let said: Said =
        serde_json::from_str(&text).map_err(|error| DedupError::read(&report, error))?;
    if Unit::of(said.options.method).is_some() {
        return Err(DedupError::InvalidArgument(format!(
            "{}: that run removed what stands within rows, and compared no rows; duplicates.parquet says what went, \
             and where it stays",
            output.display()
        )));
    }
    let Some(found) = find(&output.join("duplicates.parquet"), id)? else {
        return Err(DedupError::InvalidArgument(format!(
            "no row with the id {id} was removed: it stayed, or there is none"
        )));
    };
    if MinHashIndex::open_folder(&found.kept.2).is_some() {
        return Err(DedupError::InvalidArgument(format!(
            "row {id} was removed for document {} of the index {}, which keeps no texts",
            found.kept.1,
            found.kept.2.display()
        )));
    }
    let read = |(id, row, file): (String, u64, PathBuf), format| -> Result<NamedRow> {
        let inputs = control.with_flag(|stop| Inputs::find(&[&file], format, stop))?;
        let columns = Columns { text: &said.files.text_column, id: None, by: None };
        let spill = Spill::new(&std::env::temp_dir(), u64::MAX);
        let Scan { documents, .. } = scan_inputs(&inputs, columns, &spill, control)?;
        let Some(text) = documents.text(row as usize) else {
            return Err(DedupError::read(&file, format!("it has no text in row {row} any more")));
        };
        Ok(NamedRow { id, row, text: text.to_owned(), file })
    };
    let format = said.files.input_format;
    let removed = read(found.removed, format)?;
    let kept = read(found.kept, if found.against { InputFormat::Auto } else { format })?;
    let explanation = Explanation::new(&removed.text, &kept.text, said.options.shingling)?;
    let Found { jaccard, exact_copy, against, .. } = found;
    Ok(RemovedRow { removed, kept, jaccard, exact_copy, against, explanation })
}

/// A row of the table of duplicates.
struct Found {
    removed: (String, u64, PathBuf),
    kept: (String, u64, PathBuf),
    jaccard: Option<f64>,
    exact_copy: bool,
    against: bool,
}

fn find(table: &Path, id: &str) -> Result<Option<Found>> {
    let wrong = |error: parquet::errors::ParquetError| DedupError::read(table, error);
    let file = File::open(table).map_err(|error| DedupError::read(table, error))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(wrong)?;
    for batch in reader.build().map_err(wrong)? {
        let batch = batch.map_err(|error| DedupError::read(table, error))?;
        if let Some(found) =
            find_in(&batch, id).map_err(|problem| DedupError::read(table, problem))?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn find_in(batch: &RecordBatch, id: &str) -> std::result::Result<Option<Found>, String> {
    let column = |name: &str| -> std::result::Result<&ArrayRef, String> {
        batch.column_by_name(name).ok_or_else(|| format!("it has no column {name}"))
    };
    let options = FormatOptions::default();
    let written = |name: &str| -> std::result::Result<ArrayFormatter, String> {
        ArrayFormatter::try_new(column(name)?, &options).map_err(|error| error.to_string())
    };
    let ids = written("id")?;
    let Some(at) = (0..batch.num_rows()).find(|&row| ids.value(row).to_string() == id) else {
        return Ok(None);
    };
    let named = |prefix: &str| -> std::result::Result<(String, u64, PathBuf), String> {
        let row = column(&format!("{prefix}row"))?.as_primitive_opt::<Int64Type>();
        let row = row.ok_or("the rows are no integers")?.value(at);
        Ok((
            written(&format!("{prefix}id"))?.value(at).to_string(),
            u64::try_from(row).map_err(|error| error.to_string())?,
            written(&format!("{prefix}file"))?.value(at).to_string().into(),
        ))
    };
    let jaccard = column("jaccard")?;
    let jaccard = jaccard.as_primitive_opt::<Float64Type>().ok_or("similarities are no numbers")?;
    let exact = column("exact_copy")?.as_boolean_opt().ok_or("exact_copy is not true or false")?;
    let against = batch.column_by_name("against").and_then(|column| column.as_boolean_opt());
    Ok(Some(Found {
        against: against.is_some_and(|against| against.value(at)),
        removed: named("")?,
        kept: named("kept_")?,
        jaccard: jaccard.is_valid(at).then(|| jaccard.value(at)),
        exact_copy: exact.value(at),
    }))
}
