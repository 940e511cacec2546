//! What the first pass brings back.

use super::sink::{Sink, Texts};
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::resume::arrays;
use arrow::array::{Array, ArrayRef, RecordBatch, new_empty_array};
use arrow::compute::{CastOptions, cast_with_options, concat};
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use serde::{Deserialize, Serialize};

/// The columns that the first pass reads.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub(super) text: &'a str,
    pub(super) id: Option<&'a str>,
    pub(super) by: Option<&'a str>,
}

/// The columns that decide, over all files.
pub(super) struct Scan {
    pub(super) documents: Documents,
    /// The bytes of texts in a temporary file, if they are in one.
    pub(super) spooled: Option<u64>,
    /// The column that names rows, when one was asked for.
    pub(super) id: Option<ArrayRef>,
    /// The column that `keep` compares by, when one was asked for.
    pub(super) by: Option<ArrayRef>,
    /// What the footers of Parquet files in a bucket say, unless it is too much.
    pub(super) footers: Vec<ArrowReaderMetadata>,
    /// The bytes that a page of a Parquet file may have.
    pub(super) page: u64,
    /// The first row of each file, and the number of all rows at the end.
    pub(super) starts: Vec<usize>,
}

/// What was read of the columns that decide, in chunks.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Chunks {
    pub(super) rows: usize,
    texts: Vec<Texts>,
    #[serde(with = "arrays")]
    id: Vec<ArrayRef>,
    #[serde(with = "arrays")]
    by: Vec<ArrayRef>,
}

/// What reading is called in what is kept of a run.
pub(super) const READ: &str = "read";

impl Chunks {
    /// Whether the texts are as an earlier run has written them.
    pub(super) fn hold(&self, sink: &Sink) -> bool {
        sink.holds(&self.texts)
    }

    /// Takes the columns of a batch.
    pub(super) fn push(
        &mut self,
        batch: &RecordBatch,
        columns: Columns,
        sink: &Sink,
    ) -> Result<()> {
        let column = |name: &str| batch.column_by_name(name).cloned();
        if let Some(texts) = column(columns.text) {
            self.texts.push(sink.array(texts)?);
        }
        self.id.extend(columns.id.and_then(column));
        self.by.extend(columns.by.and_then(column));
        self.rows += batch.num_rows();
        Ok(())
    }
}

impl Scan {
    /// What was read of all files, of which each begins with one of `starts`.
    pub(super) fn of_chunks(
        read: Vec<Chunks>,
        starts: Vec<usize>,
        columns: Columns,
        sink: Sink,
    ) -> Result<Self> {
        let (mut texts, mut ids, mut bys) = (Vec::new(), Vec::new(), Vec::new());
        for chunks in read {
            texts.extend(chunks.texts);
            ids.extend(chunks.id);
            bys.extend(chunks.by);
        }
        let (documents, spooled) = sink.finish(texts)?;
        let id = concat_column(columns.id.unwrap_or_default(), &ids)?;
        let by = concat_column(columns.by.unwrap_or_default(), &bys)?;
        Ok(Self { documents, spooled, id, by, footers: Vec::new(), page: 0, starts })
    }

    /// The rows of one file.
    pub(super) fn rows(&self, file: usize) -> std::ops::Range<usize> {
        let at = |index: usize| self.starts.get(index).copied().unwrap_or(self.documents.len());
        at(file)..at(file + 1)
    }

    /// The file that a row is in, and its place there.
    pub(super) fn locate(&self, row: usize) -> (usize, usize) {
        let file = self.starts.partition_point(|&start| start <= row).saturating_sub(1);
        (file, row - self.rows(file).start)
    }
}

/// Starts of runs of the given lengths, and the end of the last.
pub(super) fn starts(lengths: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut starts = vec![0];
    let mut end = 0;
    starts.extend(lengths.into_iter().map(|length| {
        end += length;
        end
    }));
    starts
}

/// The chunks of a column as one array of a type that holds all of them without a loss.
fn concat_column(name: &str, chunks: &[ArrayRef]) -> Result<Option<ArrayRef>> {
    let types: Vec<&DataType> = chunks.iter().map(|chunk| value_type(chunk.data_type())).collect();
    let Some(&last) = types.last() else {
        // A column that was asked for, of no rows.
        return Ok((!name.is_empty()).then(|| new_empty_array(&DataType::Int64)));
    };
    let present: Vec<&DataType> = types.into_iter().filter(|&one| one != &DataType::Null).collect();
    let all = |fits: fn(&DataType) -> bool| present.iter().all(|one| fits(one));
    let wanted = match present.first() {
        None => last.clone(),
        Some(&first) if present.iter().all(|&one| one == first) => first.clone(),
        Some(_) if all(DataType::is_integer) => DataType::Int64,
        Some(_) if all(DataType::is_numeric) => DataType::Float64,
        Some(_) if all(DataType::is_string) => DataType::LargeUtf8,
        Some(&first) => {
            let other = present.iter().find(|&&one| one != first).unwrap_or(&first);
            return Err(DedupError::ColumnType {
                column: name.to_owned(),
                found: format!("{first} in one file and {other} in another"),
                expected: "it must be of one type",
            });
        }
    };
    // Not the cast that makes null of what does not fit.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let chunks = chunks.iter().map(|chunk| cast_with_options(chunk, &wanted, &options));
    let chunks = chunks.collect::<std::result::Result<Vec<_>, _>>()?;
    let chunks: Vec<_> = chunks.iter().map(AsRef::as_ref).collect();
    Ok(Some(concat(&chunks)?))
}

fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}
