//! The second pass: what to read again, what stays of it, and where it goes.

use super::input::{Format, InputFile, Inputs};
use super::output::OutputFolder;
use super::scan::Scan;
use super::{OutputFormat, jsonl, parquet, text};
use crate::control::Control;
use crate::deduplicator::Deduplication;
use crate::error::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

/// What every writer of surviving rows needs.
#[derive(Clone, Copy)]
pub(super) struct Rewrite<'a> {
    pub(super) inputs: &'a Inputs,
    pub(super) scan: &'a Scan,
    pub(super) text_column: &'a str,
    /// Which rows stay, and what was removed within them.
    pub(super) outcome: &'a Deduplication,
    pub(super) format: OutputFormat,
    pub(super) folder: &'a OutputFolder,
    pub(super) control: Control<'a>,
}

impl<'a> Rewrite<'a> {
    /// Writes the rows that stay; the number of parts.
    pub(super) fn run(self) -> Result<u64> {
        let parts = if self.inputs.format == Format::Text { 1 } else { self.files().len() as u64 };
        self.control.begin("writing", parts);
        match self.inputs.format {
            Format::Parquet => parquet::rewrite(self)?,
            Format::Jsonl => jsonl::rewrite(self)?,
            Format::Text => text::rewrite(self)?,
        }
        Ok(parts)
    }

    pub(super) fn files(&self) -> &'a [InputFile] {
        &self.inputs.files
    }

    /// For each row of a file whether it stays.
    pub(super) fn keep_of(&self, file: usize) -> &'a [bool] {
        self.outcome.keep.get(self.scan.rows(file)).unwrap_or_default()
    }

    /// Writes batches of one schema as the part of this number.
    pub(super) fn write_part(
        &self,
        index: usize,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<()> {
        match self.format {
            OutputFormat::Parquet => {
                let name = format!("part-{index:05}.parquet");
                parquet::write_parquet(&name, schema, batches, self.folder)
            }
            OutputFormat::Jsonl => jsonl::write_batches(index, batches, self.folder),
        }
    }
}
