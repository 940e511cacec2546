//! JSON lines in and out.
//!
//! A row that stays is written as the line it was, byte for byte. Texts may hold escapes of lone
//! surrogates, which JSON allows and UTF-8 does not: such a row keeps its own bytes for telling exact
//! copies, and U+FFFD stands in its text.

mod convert;
mod line;

use self::line::Lines;
pub(super) use self::line::{decompressed, expected_bytes};
use super::OutputFormat;
use super::input_file::InputFile;
use super::output::OutputFolder;
use super::part::PartFile;
use super::record::{self, Record};
use super::rewrite::Rewrite;
use super::scan::{Columns, Scan};
use super::scanned::{self, Rows, Scanned};
use super::sink::{EXPECTED_ROW, Sink};
use crate::control::Control;
use crate::error::{DedupError, Result};
use crate::repeats::Edits;
use crate::spill::Spill;
use arrow::array::RecordBatch;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use mithril_core::ProgressReporter;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const ZSTD_LEVEL: i32 = 3;

/// Reads the columns that decide, files in parallel.
pub(super) fn scan(
    files: &[InputFile],
    columns: Columns,
    spill: &Spill,
    control: Control,
) -> Result<Scan> {
    control.begin("reading", files.iter().map(|file| file.size).sum());
    let bytes = files.iter().map(expected_bytes).sum();
    let sink = Sink::new(spill, bytes, bytes / EXPECTED_ROW)?;
    let read = |file: &InputFile, sink: &Sink| scan_file(file, columns, sink, control);
    scanned::scan(files, columns, sink, spill, read)
}

fn scan_file(file: &InputFile, columns: Columns, sink: &Sink, control: Control) -> Result<Scanned> {
    let mut lines = Lines::open(file, control)?;
    let mut rows = Rows::new(columns, sink);
    while let Some(line) = lines.next()? {
        let row = Record::parse(line.text, columns).and_then(Record::row);
        let row = row.map_err(|problem| line.error(file, problem))?;
        rows.push(row, || record::names(line.text))?;
    }
    rows.finish()
}

/// Writes the rows of each file that stay, files in parallel.
pub(super) fn rewrite(rewrite: Rewrite) -> Result<()> {
    let quiet = Control { progress: &mithril_core::NoopProgress, ..rewrite.control };
    let quiet = Rewrite { control: quiet, ..rewrite };
    let survivors = |index: usize, file| Survivors::open(file, quiet, index);
    let schema = match rewrite.format {
        OutputFormat::Jsonl | OutputFormat::Webdataset => None,
        OutputFormat::Parquet => Some(convert::infer_schema(rewrite.files(), survivors)?),
    };
    rewrite.each_file(|index, file| {
        let mut lines = survivors(index, file)?;
        if let Some(schema) = &schema {
            rewrite.write_part(index, schema, convert::batches(lines, schema)?)?;
        } else {
            write_lines(index, rewrite.folder, |out| {
                while let Some(line) = lines.next()? {
                    out.line(line.text)?;
                }
                Ok(())
            })?;
        }
        rewrite.control.advance(1)
    })
}

/// Writes batches as the part of this number, a line a row; null is written as null.
pub(super) fn write_batches(
    index: usize,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    folder: &OutputFolder,
) -> Result<()> {
    write_lines(index, folder, |out| {
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        let mut writer = builder.build::<_, LineDelimited>(&mut out.encoder);
        for batch in batches {
            writer.write(&batch?).map_err(|error| folder.error(out.name, error))?;
        }
        writer.finish().map_err(|error| folder.error(out.name, error))
    })
}

/// Copies the first lines of a file; returns how many bytes of the file that took.
pub(super) fn head_of_lines(file: &InputFile, rows: usize, to: &Path) -> Result<u64> {
    let counted = Counter::default();
    let control = Control { progress: &counted, ..Control::default() };
    let mut lines = Lines::open(file, control)?;
    let wrong = |error: std::io::Error| DedupError::write(to, error);
    let mut out = std::io::BufWriter::new(std::fs::File::create_new(to).map_err(wrong)?);
    let mut plain = 0;
    for _ in 0..rows {
        let Some(line) = lines.next()? else { break };
        plain += line.text.len() as u64 + 1;
        writeln!(out, "{}", line.text).map_err(wrong)?;
    }
    out.flush().map_err(wrong)?;
    // What was read ahead of a plain file is more than was copied.
    Ok(plain.min(counted.count()))
}

/// Counts what was read.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ProgressReporter for Counter {
    fn increment(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    fn set_total(&self, _total: u64) {}

    fn set_message(&self, _message: &str) {}

    fn finish(&self) {}
}

struct LineWriter<'a, W: Write> {
    name: &'a str,
    folder: &'a OutputFolder,
    encoder: zstd::Encoder<'static, W>,
}

impl<W: Write> LineWriter<'_, W> {
    fn line(&mut self, text: &str) -> Result<()> {
        let mut write = || {
            self.encoder.write_all(text.as_bytes())?;
            self.encoder.write_all(b"\n")
        };
        write().map_err(|error: std::io::Error| self.folder.error(self.name, error))
    }
}

fn write_lines(
    index: usize,
    folder: &OutputFolder,
    write: impl FnOnce(&mut LineWriter<&mut std::io::BufWriter<PartFile>>) -> Result<()>,
) -> Result<()> {
    let name = &format!("part-{index:05}.jsonl.zst");
    folder.file(name, |file| {
        let wrong = |error| folder.error(name, error);
        let mut encoder = zstd::Encoder::new(file, ZSTD_LEVEL).map_err(wrong)?;
        encoder.include_checksum(true).map_err(wrong)?;
        let mut out = LineWriter { name, folder, encoder };
        write(&mut out)?;
        out.encoder.finish().map_err(wrong)?;
        Ok(())
    })
}

/// The lines of a file whose rows stay, without what was removed within their texts.
struct Survivors<'a> {
    lines: Lines<'a>,
    file: &'a InputFile,
    rewrite: Rewrite<'a>,
    rows: std::ops::Range<usize>,
    edits: Edits<'a>,
    /// The line that was given last, if something was removed within it.
    edited: String,
}

impl<'a> Survivors<'a> {
    fn open(file: &'a InputFile, rewrite: Rewrite<'a>, index: usize) -> Result<Self> {
        let lines = Lines::open(file, rewrite.control)?;
        let (rows, edits) = (rewrite.scan.rows(index), rewrite.outcome.edits());
        Ok(Self { lines, file, rewrite, rows, edits, edited: String::new() })
    }

    fn next(&mut self) -> Result<Option<line::Line<'_>>> {
        let Rewrite { scan, outcome, text_column, .. } = self.rewrite;
        for row in self.rows.by_ref() {
            if outcome.keep.get(row) != Some(&true) {
                self.lines.next()?;
                continue;
            }
            let changed = || DedupError::InputChanged { file: self.file.path.clone() };
            let line = self.lines.next()?.ok_or_else(changed)?;
            let text = scan.documents.text(row);
            let text = text.map(|text| self.edits.edited(row, text)).transpose()?;
            let Some(text) = text.flatten() else { return Ok(Some(line)) };
            self.edited = record::with_text(line.text, text_column, &text).ok_or_else(changed)?;
            return Ok(Some(line.with_text(&self.edited)));
        }
        Ok(None)
    }

    /// An error at the line that was read last.
    fn error(&self, problem: String) -> DedupError {
        self.lines.error(problem)
    }

    fn next_value(&mut self) -> Result<Option<Value>> {
        let file = self.file;
        let Some(line) = self.next()? else { return Ok(None) };
        let value = serde_json::from_str(line.text)
            .map_err(|error| line.error(file, record::no_json(&error)))?;
        if record::has_large_integer(&value) {
            return Err(line
                .error(file, "an integer above 2^63 - 1 has no type in Parquet here".to_owned()));
        }
        Ok(Some(value))
    }
}
