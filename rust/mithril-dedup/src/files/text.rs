//! Text files: each is a document.

use super::input_file::InputFile;
use super::rewrite::Rewrite;
use super::scan::{Columns, READ, Scan};
use super::sink::{Sink, Texts};
use crate::control::Control;
use crate::error::{DedupError, Result};
use crate::spill::Spill;
use arrow::array::{ArrayRef, LargeStringArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use rayon::prelude::*;
use std::io::Read;
use std::sync::Arc;

const COLUMNS: [&str; 2] = ["path", "text"];
/// Files that are held at a time, and their bytes.
const CHUNK: usize = 256;
const CHUNK_BYTES: u64 = 8 << 20;

/// Reads every file whole.
pub(super) fn scan(
    files: &[InputFile],
    columns: Columns,
    spill: &Spill,
    control: Control,
) -> Result<Scan> {
    for column in [Some(columns.text), columns.id, columns.by].into_iter().flatten() {
        if !COLUMNS.contains(&column) {
            return Err(DedupError::MissingColumn {
                file: files.first().map_or_else(|| "text files".into(), |file| file.path.clone()),
                column: column.to_owned(),
                available: COLUMNS.map(str::to_owned).to_vec(),
            });
        }
    }
    if columns.text != "text" {
        return Err(DedupError::InvalidArgument(
            "the text column of text files is \"text\"".to_owned(),
        ));
    }
    let bytes = files.iter().map(|file| file.size).sum();
    control.begin("reading", bytes);
    let sink = Sink::new(spill, bytes, files.len() as u64)?;
    let chunks = chunks(files, |file| file.size);
    let texts: Vec<Texts> = chunks
        .into_par_iter()
        .enumerate()
        .map(|(number, files)| {
            let hold = |texts: &Texts| sink.holds(std::slice::from_ref(texts));
            let read = || read_all(files, &sink, control);
            spill.unit((READ, number), hold, read)
        })
        .collect::<Result<_>>()?;
    let (documents, spooled) = sink.finish(texts)?;
    let column = |name: Option<&str>| -> Option<ArrayRef> {
        match name? {
            "path" => Some(Arc::new(paths(files.iter()))),
            _ => Some(Arc::new(
                (0..files.len()).map(|row| documents.text(row)).collect::<LargeStringArray>(),
            )),
        }
    };
    let (id, by) = (column(columns.id), column(columns.by));
    let starts = (0..=files.len()).collect();
    Ok(Scan { documents, spooled, id, by, footers: Vec::new(), page: 0, starts })
}

fn read_all(files: &[InputFile], sink: &Sink, control: Control) -> Result<Texts> {
    let texts = files.iter().map(|file| {
        control.advance(file.size)?;
        read(file)
    });
    let texts = texts.collect::<Result<Vec<_>>>()?;
    sink.array(Arc::new(LargeStringArray::from_iter_values(texts)))
}

/// Runs of files of about [`CHUNK_BYTES`] together.
fn chunks<T>(files: &[T], size: impl Fn(&T) -> u64) -> Vec<&[T]> {
    let (mut bytes, mut count) = (0, 0);
    let same = move |_: &T, next: &T| {
        bytes += size(next);
        count += 1;
        if bytes <= CHUNK_BYTES && count < CHUNK {
            return true;
        }
        (bytes, count) = (0, 0);
        false
    };
    files.chunk_by(same).collect()
}

/// Writes path and text of the files that stay as one part.
pub(super) fn rewrite(rewrite: Rewrite) -> Result<()> {
    // A file may hold more text than a string array with offsets of 32 bits.
    let schema = Arc::new(Schema::new(vec![
        Field::new("path", DataType::Utf8, false),
        Field::new("text", DataType::LargeUtf8, false),
    ]));
    let kept = rewrite.files().iter().zip(&rewrite.outcome.keep).enumerate();
    let kept: Vec<(usize, &InputFile)> =
        kept.filter(|(_, (_, keep))| **keep).map(|(row, (file, _))| (row, file)).collect();
    let batches = chunks(&kept, |(_, file)| file.size).into_iter().map(|kept| {
        rewrite.control.check()?;
        let documents = &rewrite.scan.documents;
        let mut edits = rewrite.outcome.edits();
        let text = |&(row, _): &(usize, _)| edits.left_of(documents, row, row);
        let texts = kept.iter().map(text).collect::<Result<Vec<_>>>()?;
        let texts = texts.into_iter().map(Option::unwrap_or_default);
        let texts = LargeStringArray::from_iter_values(texts);
        let paths = paths(kept.iter().map(|&(_, file)| file));
        Ok(RecordBatch::try_new(schema.clone(), vec![Arc::new(paths), Arc::new(texts)])?)
    });
    rewrite.write_part(0, &schema, batches)?;
    rewrite.control.advance(1)
}

fn paths<'a>(files: impl Iterator<Item = &'a InputFile>) -> StringArray {
    StringArray::from_iter_values(files.map(|file| file.path.to_string_lossy()))
}

fn read(file: &InputFile) -> Result<String> {
    let mut bytes = Vec::with_capacity(file.size as usize);
    file.open()?.read_to_end(&mut bytes).map_err(|error| DedupError::read(&file.path, error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        DedupError::BadRow {
            file: file.path.clone(),
            place: "line",
            number: before.split(|&byte| byte == b'\n').count() as u64,
            problem: format!(
                "not valid UTF-8 at byte {} of the line; a file is read as text if its name tells no other format",
                valid - line_start
            ),
        }
    })
}
