//! From files to a folder with the surviving rows, the table of duplicates and the report.
//!
//! The input is read twice: first the columns that decide, then, with the decision made, every
//! column of the rows that stay. The output is built in a temporary folder beside its place and
//! takes that place in one step, so it is there whole or not at all.

mod begin;
mod input;
mod input_file;
mod ipc;
mod jsonl;
mod lookup;
mod output;
mod parquet;
mod part;
mod places;
mod plan;
mod record;
mod references;
mod remote;
mod rewrite;
mod scan;
mod scanned;
mod sink;
mod table;
mod tables;
mod text;
mod texts;
mod upload;
mod values;
mod webdataset;

pub use input::InputFormat;
pub use lookup::{NamedRow, RemovedRow, explain_removed};
pub use plan::{Plan, plan_files, sample_files};
pub use texts::{TextFiles, find_files, read_texts};

use crate::control::Control;
use crate::deduplicator::Deduplicator;
use crate::error::{DedupError, Result};
use crate::options::{DedupOptions, Keep};
use crate::repeats::{self, Unit};
use crate::report::{Files, Report};
use crate::resume::Resume;
use crate::spill::{LEAST_MEMORY, Spill, of_the_machine};
use begin::{Beginning, Begun};
use input::{Format, Inputs};
use references::References;
use rewrite::Rewrite;
use scan::{Columns, Scan};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The format of the surviving rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Parquet, compressed with zstd.
    Parquet,
    /// JSON lines, compressed with zstd.
    Jsonl,
    /// Tar files of samples; only of such.
    Webdataset,
}

impl OutputFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
            Self::Webdataset => "webdataset",
        }
    }

    /// What is asked for if rows of the input can be written as that, and else what suits them.
    fn of(inputs: &Inputs, wanted: Option<Self>) -> Result<Self> {
        match (inputs.format, wanted) {
            (Format::Webdataset, Some(Self::Jsonl)) => Err(DedupError::InvalidArgument(
                "samples of tar files are written as tar files or as Parquet: JSON has no bytes"
                    .to_owned(),
            )),
            (Format::Webdataset, Some(Self::Webdataset) | None) => Ok(Self::Webdataset),
            (other, Some(Self::Webdataset)) => Err(DedupError::InvalidArgument(format!(
                "only samples of tar files are written as tar files, and the input is {}",
                other.name()
            ))),
            (_, Some(wanted)) => Ok(wanted),
            (Format::Jsonl, None) => Ok(Self::Jsonl),
            (_, None) => Ok(Self::Parquet),
        }
    }
}

/// What [`dedup_files`] can be told beyond the options of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileOptions {
    /// The options of the engine.
    #[serde(flatten)]
    pub dedup: DedupOptions,
    /// The column that holds the texts.
    pub text_column: String,
    /// The column whose values name rows in the table of duplicates; the number of the row over
    /// all inputs when `None`.
    pub id_column: Option<String>,
    /// The column that [`Keep::Max`] and [`Keep::Min`] compare by.
    pub keep_column: Option<String>,
    /// The format of the input.
    pub input_format: InputFormat,
    /// The format of the surviving rows; JSON lines for JSON lines, tar files for tar files and Parquet otherwise when
    /// `None`.
    pub output_format: Option<OutputFormat>,
    /// Files, folders and patterns whose rows are references: rows like them go, and they are not written. Of the
    /// same formats as inputs, and with the same text column. Or folders of a
    /// [`MinHashIndex`](crate::MinHashIndex): rows that it estimates to be like one of its documents go.
    pub against: Vec<PathBuf>,
    /// The bytes of memory that the run may take; half of what the machine has when `None`. Texts and band hashes
    /// that may not fit go to temporary files. Never changes the result.
    pub memory: Option<u64>,
    /// Where temporary files are; beside the output when `None`. Nothing is left of them however the run ends.
    pub temp_dir: Option<PathBuf>,
    /// Whether an output folder of an earlier run is replaced.
    pub overwrite: bool,
    /// Whether what is done is kept until all is, beside the output and in temporary files: a run that ended early,
    /// however it did, is gone on from by the next one with the same inputs and options, and what comes out is byte
    /// for byte the same.
    pub resume: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            dedup: DedupOptions::default(),
            text_column: "text".to_owned(),
            id_column: None,
            keep_column: None,
            input_format: InputFormat::Auto,
            output_format: None,
            against: Vec::new(),
            memory: None,
            temp_dir: None,
            overwrite: false,
            resume: false,
        }
    }
}

/// Removes near-duplicates from files.
///
/// Each of `inputs` is a file, a folder (searched through all its folders) or a glob pattern, of
/// Parquet, of JSON lines or CSV (plain, `.gz`, `.zst`), of Arrow IPC, of tar files of samples or of text files, each
/// of which is a document with the columns `path` and `text`. `output` becomes a folder with
///
/// - `part-NNNNN.parquet`, `part-NNNNN.jsonl.zst` or `part-NNNNN.tar`: the surviving rows of the input file with that
///   number, every column as it came (text files are written together);
/// - `duplicates.parquet`: one row for each removed row, with `id`, `row`, `file`, those of the row
///   kept for it, `jaccard` and `exact_copy`;
/// - `report.json`: the [`Report`] that is returned.
///
/// # Errors
///
/// Every [`DedupError`]; nothing is left in the place of the output then, and what was there
/// before still is; in a bucket, unless it is the last step that fails, of which the report of what was there goes first.
/// With [`resume`](FileOptions::resume), what was done is left for the next run.
/// Not to be called from within an asynchronous task when places are URLs, since it waits.
///
/// ```
/// use mithril_dedup::{Control, FileOptions, dedup_files};
///
/// let folder = tempfile::tempdir()?;
/// let input = folder.path().join("rows.jsonl");
/// std::fs::write(&input, "{\"text\": \"one text\"}\n{\"text\": \"One text!\"}\n")?;
/// let output = folder.path().join("clean");
/// let report = dedup_files(&[&input], &output, &FileOptions::default(), Control::default())?;
/// assert_eq!(report.removed, 1);
/// assert!(output.join("part-00000.jsonl.zst").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dedup_files<P: AsRef<Path>>(
    inputs: &[P],
    output: &Path,
    options: &FileOptions,
    control: Control,
) -> Result<Report> {
    let outcome = run(inputs, output, options, None, control);
    control.progress.finish();
    outcome
}

/// As [`dedup_files`], with temporary files as `spill` says if there is one.
fn run<P: AsRef<Path>>(
    inputs: &[P],
    output: &Path,
    options: &FileOptions,
    spill: Option<Spill>,
    control: Control,
) -> Result<Report> {
    let outcome =
        control.with_flag(|stop| run_until(stop, inputs, output, options, spill, control));
    // What waited for a bucket has another error then.
    outcome.or_else(|error| control.check().and(Err(error)))
}

fn run_until<P: AsRef<Path>>(
    stop: &Arc<AtomicBool>,
    inputs: &[P],
    output: &Path,
    options: &FileOptions,
    spill: Option<Spill>,
    control: Control,
) -> Result<Report> {
    let start = Instant::now();
    let by_column = matches!(options.dedup.keep, Keep::Max | Keep::Min);
    if by_column != options.keep_column.is_some() {
        return Err(DedupError::InvalidArgument(
            "keeping the largest or smallest needs a column to compare by, and nothing else does"
                .to_owned(),
        ));
    }
    let deduplicator = Deduplicator::try_new(options.dedup.clone())?;
    let inputs = Inputs::find(inputs, options.input_format, stop)?;
    let references = References::find(options, stop)?;
    let found = (&inputs, &references);
    let begun = match Beginning::of(output, found, options, spill, stop)? {
        Beginning::Done(report) => return Ok(*report),
        Beginning::Run(begun) => begun,
    };
    let report = work(&begun, (inputs, references), deduplicator, options, (start, control));
    match report {
        Ok(report) => begun.commit(options.overwrite).map(|()| report),
        Err(error) => {
            begun.give_up(&error);
            Err(error)
        }
    }
}

/// Makes the output, all but putting it in its place.
fn work(
    Begun { folder, spill, fingerprint, .. }: &Begun,
    (inputs, mut references): (Inputs, References),
    mut deduplicator: Deduplicator,
    options: &FileOptions,
    (start, control): (Instant, Control),
) -> Result<Report> {
    let output_format = OutputFormat::of(&inputs, options.output_format)?;
    let columns = Columns {
        text: &options.text_column,
        id: options.id_column.as_deref(),
        by: options.keep_column.as_deref(),
    };
    let scan = deduplicator.threads().install(|| {
        references.read(&options.text_column, spill, control)?;
        scan_inputs(&inputs, columns, spill, control)
    })?;
    folder.check_apart(references.paths())?;
    let spooled = [references.spooled(), scan.spooled].into_iter().flatten().reduce(|a, b| a + b);
    // What is made of lines takes more than they do.
    let is_much = Unit::of(options.dedup.method).is_some()
        && !repeats::fits(scan.documents.memory(), spill.memory());
    deduplicator.set_spill(spill.clone(), spooled.is_some() || is_much);
    if !options.dedup.within && references.are_none() {
        return Err(DedupError::InvalidArgument(
            "without within, rows are compared with those of against alone, and there are none"
                .to_owned(),
        ));
    }
    let read = start.elapsed().as_secs_f64();

    let mut documents = references.documents();
    documents.append(scan.documents.clone())?;
    let threshold = options.dedup.threshold;
    let found = deduplicator
        .threads()
        .install(|| references.found_in_indexes(&scan.documents, threshold, control))?;
    let first = documents.references();
    documents.set_aside(found.iter().map(|duplicate| first + duplicate.row as usize));
    let mut outcome = deduplicator.deduplicate(&documents, scan.by.as_ref(), control)?;
    outcome.remove(found, references.indexes_hold());
    let writing = Instant::now();
    let parts = deduplicator.threads().install(|| {
        let rewrite = Rewrite {
            inputs: &inputs,
            scan: &scan,
            text_column: &options.text_column,
            outcome: &outcome,
            format: output_format,
            folder,
            control,
            memory: spill.memory().saturating_sub(scan.documents.memory()),
        };
        let parts = rewrite.run()?;
        let tables = table::Rows { inputs: &inputs, scan: &scan, references: &references };
        table::write(tables, &outcome, folder)?;
        Ok::<_, DedupError>(parts)
    })?;

    let mut report = outcome.report;
    report.files = Some(Files {
        text_column: options.text_column.clone(),
        id_column: options.id_column.clone(),
        keep_column: options.keep_column.clone(),
        input_format: inputs.format.name().into(),
        inputs: inputs.files.len() as u64,
        input_files: inputs.names(),
        against_files: references.names(),
        input_bytes: inputs.files.iter().map(|file| file.size).sum(),
        skipped_binary: inputs.skipped_binary,
        memory: spill.memory(),
        spooled_bytes: spooled.unwrap_or(0),
        fingerprint: fingerprint.clone(),
        resumed: spill.resume().map_or(0, Resume::taken),
        output_format: output_format.name().into(),
        parts,
        output_bytes: folder.size()?,
    });
    report.seconds.read = read;
    report.seconds.write = writing.elapsed().as_secs_f64();
    report.seconds.total = start.elapsed().as_secs_f64();
    folder.write_report(&report)?;
    control.check()?;
    Ok(report)
}

/// Reads the columns that decide.
fn scan_inputs(inputs: &Inputs, columns: Columns, spill: &Spill, control: Control) -> Result<Scan> {
    match inputs.format {
        Format::Parquet => parquet::scan(&inputs.files, columns, spill, control),
        Format::Jsonl => jsonl::scan(&inputs.files, columns, spill, control),
        Format::Arrow | Format::Csv => {
            tables::scan((inputs.format, &inputs.files), columns, spill, control)
        }
        Format::Webdataset => webdataset::scan(&inputs.files, columns, spill, control),
        Format::Text => text::scan(&inputs.files, columns, spill, control),
    }
}

impl FileOptions {
    /// Where what does not fit into memory goes, if nothing else is said beside the output.
    fn spill(&self, beside: &Path) -> Result<Spill> {
        let folder = self.temp_dir.as_deref().unwrap_or(beside);
        if !folder.is_dir() {
            return Err(DedupError::InvalidArgument(format!(
                "{}, for temporary files, is no folder",
                folder.display()
            )));
        }
        let memory = match self.memory {
            Some(memory) if memory < LEAST_MEMORY => {
                return Err(DedupError::InvalidArgument(format!(
                    "memory must be at least 64 MiB ({LEAST_MEMORY} bytes), not {memory} bytes"
                )));
            }
            Some(memory) => memory,
            None => of_the_machine().map_or(u64::MAX, |memory| memory / 2).max(LEAST_MEMORY),
        };
        Ok(Spill::new(folder, memory))
    }
}
