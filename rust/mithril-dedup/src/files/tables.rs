//! Tables that are read from their beginning to their end, batch by batch: Arrow IPC files and streams, and CSV.

use super::input::Format;
use super::input_file::{InputFile, guarded};
use super::ipc;
use super::jsonl::decompressed;
use super::parquet::find_columns;
use super::rewrite::{Rewrite, survivors, without_repeats};
use super::scan::{Columns, Scan, concat_column, starts};
use super::sink::{EXPECTED_ROW, Sink, Texts};
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

const BUFFER: usize = 1 << 20;
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
    let read: Vec<ReadFile> = files
        .par_iter()
        .map(|file| {
            let read = read(format, file, columns, &sink, control)?;
            control.advance(file.size)?;
            Ok(read)
        })
        .collect::<Result<_>>()?;
    let starts = starts(read.iter().map(|file| file.rows));
    let (mut texts, mut ids, mut bys) = (Vec::new(), Vec::new(), Vec::new());
    for file in read {
        texts.extend(file.texts);
        ids.extend(file.id);
        bys.extend(file.by);
    }
    let (documents, spooled) = sink.finish(texts)?;
    let id = concat_column(columns.id.unwrap_or_default(), &ids)?;
    let by = concat_column(columns.by.unwrap_or_default(), &bys)?;
    let by = if format == Format::Csv { by.map(as_numbers) } else { by };
    Ok(Scan { documents, spooled, id, by, starts })
}

/// Writes the rows of each file that stay, as they came, files in parallel.
pub(super) fn rewrite(rewrite: Rewrite) -> Result<()> {
    rewrite.files().par_iter().enumerate().try_for_each(|(index, file)| {
        let (schema, batches) = open(rewrite.inputs.format, file)?;
        let mut row = rewrite.scan.rows(index).start;
        let batches = batches.map(|batch| {
            rewrite.control.check()?;
            let batch = without_repeats(rewrite, file, row, batch?)?;
            row += batch.num_rows();
            Ok(batch)
        });
        let batches = survivors(file, batches, rewrite.keep_of(index));
        rewrite.write_part(index, &schema, batches)?;
        file.check()?;
        rewrite.control.advance(1)
    })
}

/// What was read of a file, in chunks.
struct ReadFile {
    rows: usize,
    texts: Vec<Texts>,
    id: Vec<ArrayRef>,
    by: Vec<ArrayRef>,
}

fn read(
    format: Format,
    file: &InputFile,
    columns: Columns,
    sink: &Sink,
    control: Control,
) -> Result<ReadFile> {
    let (schema, batches) = open(format, file)?;
    let [text, id, by] = find_columns(file, &schema, columns)?;
    let mut read = ReadFile { rows: 0, texts: Vec::new(), id: Vec::new(), by: Vec::new() };
    for batch in batches {
        control.check()?;
        let batch = batch?;
        let column = |at: Option<usize>| at.and_then(|at| batch.columns().get(at)).cloned();
        if let Some(texts) = column(text) {
            read.texts.push(sink.array(texts)?);
        }
        read.id.extend(column(id));
        read.by.extend(column(by));
        read.rows += batch.num_rows();
    }
    Ok(read)
}

pub(super) type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch>> + 'a>;

/// The schema of a file, and its batches.
pub(super) fn open(format: Format, file: &InputFile) -> Result<(SchemaRef, Batches<'_>)> {
    if format == Format::Csv {
        return open_csv(file);
    }
    let mut reader = BufReader::with_capacity(BUFFER, file.open()?);
    let is_file = ipc::check(file, &mut reader)?;
    // To jump about in an object costs a request a jump; what is in a file is a stream too.
    let (schema, batches) = if is_file && !file.is_remote() {
        let reader = guarded(file, || Ok(FileReader::try_new(reader, None)?))?;
        (reader.schema(), guard(file, reader))
    } else {
        let reader = guarded(file, || Ok(StreamReader::try_new(reader, None)?))?;
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
