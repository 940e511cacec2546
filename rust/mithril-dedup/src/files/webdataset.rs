//! Tar files of samples, as `WebDataset` has them: members that follow each other and share a name up to its first dot
//! are a row, what is behind the dot are its columns.
//!
//! The column `__key__` is what they share; `json.FIELD` is a field of a JSON member. Rows that stay are written as the
//! members that they were, byte for byte.

mod head;
mod samples;

use self::samples::{Cell, KEY, Sample, Tar, Told};
use super::OutputFormat;
use super::input_file::InputFile;
use super::rewrite::Rewrite;
use super::scan::{Columns, Scan};
use super::scanned::{self, Row, Rows, Scanned};
use super::sink::Sink;
use crate::control::Control;
use crate::error::{DedupError, Result};
use crate::spill::Spill;
use arrow::array::{ArrayRef, LargeBinaryArray, LargeStringBuilder, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use tar::Builder;

/// The last parts of suffixes of which a table has strings and not bytes.
const STRINGS: [&str; 12] = [
    "caption",
    "cls",
    "csv",
    "html",
    "id",
    "index",
    "json",
    "jsonl",
    "md",
    "text",
    "transcript",
    "txt",
];
/// What batches of a table have at most, about.
const BATCH_ROWS: usize = 1024;
const BATCH_BYTES: usize = 32 << 20;
/// The most columns of a table.
const MOST_COLUMNS: usize = 1000;

/// Reads the columns that decide, files in parallel.
pub(super) fn scan(
    files: &[InputFile],
    columns: Columns,
    spill: &Spill,
    control: Control,
) -> Result<Scan> {
    control.begin("reading", files.iter().map(|file| file.size).sum());
    // How much of the files is text, they do not tell: it is in memory until it is too much.
    let sink = Sink::new(spill, 0, 0)?;
    let read = |file: &InputFile, sink: &Sink| scan_file(file, columns, sink, control);
    scanned::scan(files, columns, sink, spill, read)
}

fn scan_file(file: &InputFile, columns: Columns, sink: &Sink, control: Control) -> Result<Scanned> {
    let names = [Some(columns.text), columns.id, columns.by];
    let is_wanted = |suffix: &str| {
        let begins = |name: &str| name.strip_prefix(suffix).is_some_and(|rest| !rest.is_empty());
        names.into_iter().flatten().any(|name| name == suffix || begins(name))
    };
    let mut tar = Tar::open(file, control)?;
    let mut samples = tar.samples(|_, suffix| is_wanted(suffix))?;
    let mut rows = Rows::new(columns, sink);
    let mut number = 0;
    while let Some(sample) = samples.next()? {
        let row = row(&sample, columns).map_err(|problem| bad_row(file, number, problem))?;
        rows.push(row, || {
            let members = sample.columns().flat_map(|suffix| {
                let fields = (suffix == "json").then(|| "json.FIELD".to_owned());
                [Some(suffix.to_owned()), fields]
            });
            [Some(KEY.to_owned())].into_iter().chain(members).flatten().collect()
        })?;
        number += 1;
    }
    if number == 0 && samples.others() > 0 {
        let problem = "none of its files is of a sample; their names are like 0001.txt, with a dot and not in __folders__";
        return Err(DedupError::read(&file.path, problem));
    }
    rows.finish()
}

fn bad_row(file: &InputFile, number: usize, problem: String) -> DedupError {
    DedupError::BadRow { file: file.path.clone(), place: "row", number: number as u64, problem }
}

/// The columns that decide, of a sample.
fn row(sample: &Sample, columns: Columns) -> Told<Row> {
    let text = sample.cell(columns.text)?;
    let id = columns.id.map(|id| sample.cell(id)).transpose()?.flatten();
    let by = columns.by.map(|by| sample.cell(by)).transpose()?.flatten();
    let present = [&text, &id, &by].map(|cell| cell.as_ref().is_some_and(Cell::is_present));
    let text = text.map(Cell::into_text).transpose()?.flatten();
    let id = id.map(Cell::into_id).transpose()?.unwrap_or_default();
    let by = by.map(Cell::into_by).transpose()?.unwrap_or_default();
    Ok(Row { text, id, by, present })
}

/// Writes the samples of each file that stay, files in parallel.
pub(super) fn rewrite(rewrite: Rewrite) -> Result<()> {
    let quiet = Control { progress: &mithril_core::NoopProgress, ..rewrite.control };
    let quiet = Rewrite { control: quiet, ..rewrite };
    let schema = match rewrite.format {
        OutputFormat::Parquet => Some(schema_of(rewrite.files(), quiet.control)?),
        OutputFormat::Jsonl | OutputFormat::Webdataset => None,
    };
    rewrite.each_file(|index, file| {
        let mut tar = Tar::open(file, quiet.control)?;
        let mut next = survivors(&mut tar, file, quiet, index)?;
        if let Some(schema) = &schema {
            let batches = std::iter::from_fn(|| batch(file, &mut next, schema).transpose());
            rewrite.write_part(index, schema, batches)?;
        } else {
            let name = &format!("part-{index:05}.tar");
            rewrite.folder.file(name, |out| {
                let wrong = |error| rewrite.folder.error(name, error);
                let mut out = Builder::new(out);
                while let Some(sample) = next()? {
                    sample.write(&mut out).map_err(wrong)?;
                }
                out.into_inner().map_err(wrong)?;
                Ok(())
            })?;
        }
        rewrite.control.advance(1)
    })
}

/// The samples of a file that stay, without what was removed within their texts.
fn survivors<'t>(
    tar: &'t mut Tar<'_>,
    file: &'t InputFile,
    rewrite: Rewrite<'t>,
    index: usize,
) -> Result<impl FnMut() -> Result<Option<Sample>> + 't> {
    let Rewrite { scan, outcome, text_column, .. } = rewrite;
    let keep = rewrite.keep_of(index);
    let mut samples = tar.samples(|row, _| keep.get(row) == Some(&true))?;
    if rewrite.format == OutputFormat::Webdataset {
        samples = samples.with_heads();
    }
    let changed = || DedupError::InputChanged { file: file.path.clone() };
    let mut rows = scan.rows(index).zip(keep);
    let mut edits = outcome.edits();
    Ok(move || {
        for (row, keep) in rows.by_ref() {
            let mut sample = samples.next()?.ok_or_else(changed)?;
            if !keep {
                continue;
            }
            let text = scan.documents.text(row).map(|text| edits.edited(row, text)).transpose()?;
            if let Some(text) = text.flatten() {
                sample.set_text(text_column, &text).ok_or_else(changed)?;
            }
            return Ok(Some(sample));
        }
        Ok(None)
    })
}

/// Copies the first samples of a file; returns how many bytes of the file that took.
pub(super) fn head_of_samples(file: &InputFile, rows: usize, to: &Path) -> Result<u64> {
    let counted = super::jsonl::Counter::default();
    let control = Control { progress: &counted, ..Control::default() };
    let mut tar = Tar::open(file, control)?;
    let mut samples = tar.samples(|row, _| row < rows)?.with_heads();
    let wrong = |error: std::io::Error| DedupError::write(to, error);
    let out = std::fs::File::create_new(to).map_err(wrong)?;
    let mut out = Builder::new(std::io::BufWriter::new(out));
    let mut written = 0;
    for _ in 0..rows {
        let Some(sample) = samples.next()? else { break };
        sample.write(&mut out).map_err(wrong)?;
        written += sample.size();
    }
    out.into_inner().and_then(|mut out| std::io::Write::flush(&mut out)).map_err(wrong)?;
    // What was read ahead of a plain file is more than was copied.
    Ok(written.min(counted.count()))
}

/// A table for all samples: a column for each suffix that one has.
fn schema_of(files: &[InputFile], control: Control) -> Result<SchemaRef> {
    let suffixes = files.par_iter().map(|file| {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut tar = Tar::open(file, control)?;
        let mut samples = tar.samples(|_, _| false)?;
        while let Some(sample) = samples.next()? {
            for suffix in sample.columns() {
                if !seen.contains(suffix) {
                    seen.insert(suffix.to_owned());
                    found.push(suffix.to_owned());
                }
            }
            if found.len() > MOST_COLUMNS {
                let problem = format!("its samples have more than {MOST_COLUMNS} columns");
                return Err(DedupError::read(&file.path, problem));
            }
        }
        Ok(found)
    });
    let mut seen = HashSet::new();
    let suffixes = suffixes.collect::<Result<Vec<_>>>()?.into_iter().flatten();
    let fields = suffixes.filter(|suffix| seen.insert(suffix.clone())).map(|suffix| {
        let last = suffix.rsplit('.').next().unwrap_or_default();
        let is_string = STRINGS.contains(&last);
        let data_type = if is_string { DataType::LargeUtf8 } else { DataType::LargeBinary };
        Field::new(suffix, data_type, true)
    });
    let key = Field::new(KEY, DataType::LargeUtf8, false);
    Ok(Arc::new(Schema::new([key].into_iter().chain(fields).collect::<Vec<_>>())))
}

/// The next samples as a batch of that table.
fn batch(
    file: &InputFile,
    next: &mut impl FnMut() -> Result<Option<Sample>>,
    schema: &SchemaRef,
) -> Result<Option<RecordBatch>> {
    let (mut samples, mut bytes) = (Vec::new(), 0);
    while samples.len() < BATCH_ROWS && bytes < BATCH_BYTES as u64 {
        let Some(sample) = next()? else { break };
        bytes += sample.size();
        samples.push(sample);
    }
    if samples.is_empty() {
        return Ok(None);
    }
    let columns = schema.fields().iter().map(|field| -> Result<ArrayRef> {
        if field.data_type() == &DataType::LargeBinary {
            let bytes = samples.iter().map(|sample| sample.data(field.name()));
            return Ok(Arc::new(bytes.collect::<LargeBinaryArray>()));
        }
        let mut column = LargeStringBuilder::new();
        for sample in &samples {
            let text = if field.name() == KEY {
                Ok(Some(sample.key()))
            } else {
                sample.text(field.name())
            };
            let text = text.map_err(|problem| bad_row(file, sample.number(), problem))?;
            column.append_option(text);
        }
        Ok(Arc::new(column.finish()))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(Some(RecordBatch::try_new(Arc::clone(schema), columns)?))
}
