//! What the first pass brings back.

use crate::documents::Documents;
use crate::error::{DedupError, Result};
use arrow::array::ArrayRef;
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;

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
    /// The column that names rows, when one was asked for.
    pub(super) id: Option<ArrayRef>,
    /// The column that `keep` compares by, when one was asked for.
    pub(super) by: Option<ArrayRef>,
    /// The first row of each file, and the number of all rows at the end.
    pub(super) starts: Vec<usize>,
}

impl Scan {
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

/// The chunks of a column as one array; files may hold it in different types, the first decides.
pub(super) fn concat_column(name: &str, chunks: &[ArrayRef]) -> Result<Option<ArrayRef>> {
    let Some(first) =
        chunks.iter().find(|chunk| chunk.data_type() != &DataType::Null).or(chunks.first())
    else {
        return Ok(None);
    };
    let wanted = match first.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    let cast_chunk = |chunk: &ArrayRef| {
        cast(chunk, wanted).map_err(|_| DedupError::ColumnType {
            column: name.to_owned(),
            found: format!("{} in one file and {wanted} in another", chunk.data_type()),
            expected: "it must be of one type",
        })
    };
    let chunks = chunks.iter().map(cast_chunk).collect::<Result<Vec<_>>>()?;
    let chunks: Vec<_> = chunks.iter().map(AsRef::as_ref).collect();
    Ok(Some(concat(&chunks)?))
}
