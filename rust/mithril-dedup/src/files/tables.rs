//! Tables that are read from their beginning to their end, batch by batch: Arrow IPC files and streams, and CSV.

use super::input::Format;
use super::input_file::{InputFile, guarded};
use super::ipc;
use super::jsonl::decompressed;
use super::parquet::find_columns;
use super::rewrite::Rewrite;
use super::scan::{Chunks, Columns, READ, Scan, starts};
use super::sink::{EXPECTED_ROW, Sink};
use crate::control::Control;
use crate::error::{Result, Source};
use crate::spill::Spill;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::csv::reader::{Format as CsvFormat, ReaderBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use rayon::prelude::*;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

const BATCH_ROWS: usize = 4096;

/// Reads the columns that decide, files in parallel.
pub(super) fn scan(
    (format, files): (Format, &[InputFile]),
    columns: Columns,
    spill: &Spill,
    control: Control,
) -> Result<Scan> {
    let bytes: u64 = files.iter().map(super::jsonl::expected_bytes).sum();
    control.begin("reading", files.iter().map(|file| file.size).sum());
    let sink = Sink::new(spill, bytes, bytes / EXPECTED_ROW)?;
    let read: Vec<Chunks> = files
        .par_iter()
        .enumerate()
        .map(|(number, file)| {
            let hold = |read: &Chunks| read.hold(&sink);
            let read = || read(format, file, columns, &sink, control);
            let read = spill.unit((READ, number), hold, read)?;
            control.advance(file.size)?;
            Ok(read)
        })
        .collect::<Result<_>>()?;
    let starts = starts(read.iter().map(|file| file.rows));
    let mut scan = Scan::of_chunks(read, starts, columns, sink)?;
    if format == Format::Csv {
        scan.by = scan.by.map(as_numbers);
    }
    Ok(scan)
}

/// Writes the rows of each file that stay, as they came, files in parallel.
pub(super) fn rewrite(rewrite: Rewrite) -> Result<()> {
    rewrite.each_file(|index, file| {
        let (schema, batches) = open(rewrite.inputs.format, file)?;
        rewrite.write_survivors(index, file, &schema, batches)
    })
}

fn read(
    format: Format,
    file: &InputFile,
    columns: Columns,
    sink: &Sink,
    control: Control,
) -> Result<Chunks> {
    let (schema, batches) = open(format, file)?;
    find_columns(file, &schema, columns)?;
    let mut read = Chunks::default();
    for batch in batches {
        control.check()?;
        read.push(&batch?, columns, sink)?;
    }
    Ok(read)
}

pub(super) type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch>> + 'a>;

/// The schema of a file, and its batches.
pub(super) fn open(format: Format, file: &InputFile) -> Result<(SchemaRef, Batches<'_>)> {
    if format == Format::Csv {
        return open_csv(file);
    }
    let mut handle = file.open()?;
    // To jump about in an object costs a request a jump; what is in a file is a stream too.
    let (schema, batches) = if !file.is_remote() && ipc::check(file, &mut handle)? {
        let reader = guarded(file, || Ok(FileReader::try_new_buffered(handle, None)?))?;
        (reader.schema(), guard(file, reader))
    } else {
        let stream = ipc::messages(file, BufReader::new(handle))?;
        let reader = guarded(file, || Ok(StreamReader::try_new(stream, None)?))?;
        (reader.schema(), guard(file, reader))
    };
    let schema = ipc::parquet_schema(file, &schema)?;
    let target = Arc::clone(&schema);
    let batches = batches.map(move |batch| ipc::to_schema(batch?, &target));
    Ok((schema, Box::new(batches)))
}

/// A table of strings: what a value is called a number for, nobody has said, and `007` is none.
fn open_csv(file: &InputFile) -> Result<(SchemaRef, Batches<'_>)> {
    let name = file.path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let delimiter = if Path::new(name).extension() == Some("tsv".as_ref()) { b'\t' } else { b',' };
    let format = CsvFormat::default().with_header(true).with_delimiter(delimiter);
    let head = decompressed(file, Control::default())?;
    let (inferred, _) = guarded(file, || Ok(format.infer_schema(head, Some(0))?))?;
    let strings = |field: &Arc<Field>| Field::new(field.name(), DataType::Utf8, true);
    let schema = Arc::new(Schema::new(inferred.fields().iter().map(strings).collect::<Vec<_>>()));
    let builder = ReaderBuilder::new(Arc::clone(&schema)).with_format(format);
    let body = decompressed(file, Control::default())?;
    let reader = guarded(file, || Ok(builder.with_batch_size(BATCH_ROWS).build_buffered(body)?))?;
    Ok((schema, guard(file, reader)))
}

/// Batches whose errors, and panics that damaged files provoke, name the file.
fn guard<'a>(
    file: &'a InputFile,
    mut batches: impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + 'a,
) -> Batches<'a> {
    Box::new(std::iter::from_fn(move || {
        let next = guarded(file, || batches.next().transpose().map_err(Source::from));
        next.transpose()
    }))
}

/// A column of strings as numbers, if all of them are.
fn as_numbers(strings: ArrayRef) -> ArrayRef {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&strings, &DataType::Float64, &options).unwrap_or(strings)
}
