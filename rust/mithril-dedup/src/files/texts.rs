//! The texts of files, for what is not a run over them.

use super::input::{Format, InputFormat, Inputs};
use super::scan::Columns;
use super::scan_inputs;
use crate::control::Control;
use crate::documents::Documents;
use crate::error::Result;
use crate::spill::Spill;
use crate::threads::on_a_pool;
use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Which texts [`read_texts`] reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextFiles {
    /// The column that holds the texts.
    pub text_column: String,
    /// A column that is read beside them.
    pub id_column: Option<String>,
    /// How the format of the input is found.
    pub input_format: InputFormat,
}

impl Default for TextFiles {
    fn default() -> Self {
        Self { text_column: "text".to_owned(), id_column: None, input_format: InputFormat::Auto }
    }
}

/// The texts of files, which are named as for [`dedup_files`](super::dedup_files), and their ids if
/// those were asked for.
///
/// # Errors
///
/// Every [`DedupError`](crate::DedupError) of reading.
///
/// ```
/// use mithril_dedup::{Control, TextFiles, read_texts};
///
/// let folder = tempfile::tempdir()?;
/// let input = folder.path().join("rows.jsonl");
/// std::fs::write(&input, "{\"text\": \"one text\"}\n{\"text\": \"another\"}\n")?;
/// let (documents, _) = read_texts(&[&input], &TextFiles::default(), Control::default())?;
/// assert_eq!(documents.text(1), Some("another"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_texts<P: AsRef<Path>>(
    inputs: &[P],
    options: &TextFiles,
    control: Control,
) -> Result<(Documents, Option<ArrayRef>)> {
    control.with_flag(|stop| {
        let inputs = Inputs::find(inputs, options.input_format, stop)?;
        let columns =
            Columns { text: &options.text_column, id: options.id_column.as_deref(), by: None };
        let spill = Spill::new(&std::env::temp_dir(), u64::MAX);
        let scan = on_a_pool(|| scan_inputs(&inputs, columns, &spill, control))?;
        Ok((scan.documents, scan.id))
    })
}

/// The files of an input in the order in which [`dedup_files`](super::dedup_files) reads them, and their format.
///
/// # Errors
///
/// [`DedupError::NotFound`](crate::DedupError::NotFound),
/// [`DedupError::MixedFormats`](crate::DedupError::MixedFormats), and those of reading folders.
///
/// ```
/// use mithril_dedup::{InputFormat, find_files};
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("b.jsonl"), "{\"text\": \"one text\"}\n")?;
/// std::fs::write(folder.path().join("a.jsonl"), "")?;
/// let (format, files) = find_files(&[folder.path()], InputFormat::Auto)?;
/// assert_eq!(format, InputFormat::Jsonl);
/// assert_eq!(files, [folder.path().join("a.jsonl"), folder.path().join("b.jsonl")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn find_files<P: AsRef<Path>>(
    inputs: &[P],
    format: InputFormat,
) -> Result<(InputFormat, Vec<PathBuf>)> {
    let inputs = Control::default().with_flag(|stop| Inputs::find(inputs, format, stop))?;
    let format = match inputs.format {
        Format::Parquet => InputFormat::Parquet,
        Format::Jsonl => InputFormat::Jsonl,
        Format::Arrow => InputFormat::Arrow,
        Format::Csv => InputFormat::Csv,
        Format::Webdataset => InputFormat::Webdataset,
        Format::Text => InputFormat::Text,
    };
    Ok((format, inputs.files.into_iter().map(|file| file.path).collect()))
}
