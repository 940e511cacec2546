//! What a run would take, told from a sample of its input.

use super::input::{Format, InputFormat, Inputs};
use super::input_file::InputFile;
use super::jsonl::{expected_bytes, head_of_lines};
use super::parquet::{head_of_rows, totals, write_rows};
use super::sink::{EXPECTED_ROW, Sink};
use super::webdataset::head_of_samples;
use super::{FileOptions, run, tables};
use crate::control::Control;
use crate::error::{DedupError, Result};
use crate::options::Method;
use crate::repeats;
use crate::report::Report;
use crate::spill::Spill;
use arrow::array::RecordBatch;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// Files that a sample is taken of, evenly spaced: enough for all threads of most machines.
const SAMPLED_FILES: usize = 16;
/// Rows of a sample.
const SAMPLED_ROWS: usize = 200_000;
/// Bytes of a sample of text files, each of which is a row.
const SAMPLED_BYTES: u64 = 64 << 20;

/// What a run takes whatever its input: the program, its threads, batches that are read.
const MEMORY_OF_ANY: u64 = 75 << 20;
/// The most that writers hold, and the share of the texts that they do below that.
const MEMORY_OF_WRITERS: u64 = 100 << 20;
const SHARE_OF_WRITERS: f64 = 0.3;
/// Of each row, where texts and band hashes are in memory: beside these; and where they are in files.
const MEMORY_OF_ROW_HELD: f64 = 0.8;
const MEMORY_OF_ROW_SPILLED: u64 = 58;
const BYTES_PER_HASH: u64 = 8;
/// Of lines: each that differs and each that goes, in memory; and each in a file.
const MEMORY_OF_DISTINCT: f64 = 90.0;
const MEMORY_OF_REMOVED: f64 = 110.0;
const BYTES_PER_LINE: f64 = 40.0;
/// What finding equal hashes costs a row grows with the number of rows to this power, since tables leave the caches:
/// 0.35 µs of 10^5 rows, 0.65 of 10^6, 1.15 of 10^7 (`make bench-scale`).
const GROWTH_OF_MATCHING: f64 = 0.2;

/// What a run is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The rows of the input; exact for Parquet, and for text files.
    pub documents: u64,
    /// The bytes of their texts.
    pub text_bytes: u64,
    /// The rows that were run as a sample.
    pub sampled: u64,
    /// The most resident memory in bytes.
    pub memory: u64,
    /// Whether texts and band hashes go to temporary files.
    pub spools: bool,
    /// The bytes of temporary files, those of the output apart.
    pub temporary_bytes: u64,
    /// The bytes of the output; fewer by what goes of copies that the sample does not have both of.
    pub output_bytes: u64,
    /// Seconds from the beginning to the end.
    pub seconds: f64,
}

/// Tells what [`dedup_files`](super::dedup_files) would take: runs a sample of the input, and extends what it took to the whole.
///
/// Nothing is written but temporary files. How many rows are like others is not known before: matching is taken to find
/// as many as in the sample, and to cost a little more for each row, the more there are.
///
/// # Errors
///
/// As [`dedup_files`](super::dedup_files).
///
/// ```
/// use mithril_dedup::{Control, FileOptions, plan_files};
///
/// let folder = tempfile::tempdir()?;
/// let input = folder.path().join("rows.jsonl");
/// std::fs::write(&input, "{\"text\": \"one text\"}\n{\"text\": \"One text!\"}\n")?;
/// let plan = plan_files(&[&input], &FileOptions::default(), Control::default())?;
/// assert_eq!((plan.documents, plan.spools), (2, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan_files<P: AsRef<Path>>(
    inputs: &[P],
    options: &FileOptions,
    control: Control,
) -> Result<Plan> {
    let plan = control.with_flag(|stop| plan_until(stop, inputs, options, control));
    plan.or_else(|error| control.check().and(Err(error)))
}

/// Deduplicates so many rows of the input, the first ones of files evenly spaced, and writes nothing but temporary files;
/// fewer if there are fewer. Of text files, each of which is a row, files evenly spaced.
///
/// Rows that are alike and far apart are rarely both in a sample: of the whole a larger share is removed.
///
/// # Errors
///
/// As [`dedup_files`](super::dedup_files).
///
/// ```
/// use mithril_dedup::{Control, FileOptions, sample_files};
///
/// let folder = tempfile::tempdir()?;
/// let input = folder.path().join("rows.jsonl");
/// std::fs::write(&input, "{\"text\": \"one text\"}\n{\"text\": \"One text!\"}\n{\"text\": \"more\"}\n")?;
/// let report = sample_files(&[&input], 2, &FileOptions::default(), Control::default())?;
/// assert_eq!((report.documents, report.removed), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sample_files<P: AsRef<Path>>(
    inputs: &[P],
    rows: usize,
    options: &FileOptions,
    control: Control,
) -> Result<Report> {
    let sampled = control.with_flag(|stop| {
        let inputs = Inputs::find(inputs, options.input_format, stop)?;
        let folder = Folder::make(options)?;
        let size = Size { rows, step: inputs.files.len().div_ceil(rows.max(1)) };
        let sample = Sample::take(&inputs, folder.path(), size)?;
        folder.run(&sample, options, None, control)
    });
    sampled.or_else(|error| control.check().and(Err(error)))
}

/// Where a sample is run.
struct Folder {
    workspace: PathBuf,
    folder: TempDir,
}

impl Folder {
    fn make(options: &FileOptions) -> Result<Self> {
        let workspace = options.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        let folder = tempfile::Builder::new().prefix(".mithril-plan-").tempdir_in(&workspace);
        let folder = folder.map_err(|error| DedupError::write(&workspace, error))?;
        Ok(Self { workspace, folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a sample, and leaves nothing but the report.
    fn run(
        &self,
        sample: &Sample,
        options: &FileOptions,
        spill: Option<Spill>,
        control: Control,
    ) -> Result<Report> {
        let options = FileOptions {
            input_format: sample.format,
            temp_dir: Some(self.workspace.clone()),
            overwrite: false,
            resume: false,
            ..options.clone()
        };
        let report = run(&sample.files, &self.path().join("output"), &options, spill, control);
        control.progress.finish();
        report
    }
}

fn plan_until<P: AsRef<Path>>(
    stop: &Arc<AtomicBool>,
    inputs: &[P],
    options: &FileOptions,
    control: Control,
) -> Result<Plan> {
    let inputs = Inputs::find(inputs, options.input_format, stop)?;
    let spill = options.spill(&std::env::temp_dir())?;
    let folder = Folder::make(options)?;
    let total: u64 = inputs.files.iter().map(|file| file.size).sum();
    let size = Size { rows: SAMPLED_ROWS, step: (total / SAMPLED_BYTES).max(1) as usize };
    let sample = Sample::take(&inputs, folder.path(), size)?;
    // As the run will guess.
    let mut whole = match inputs.format {
        Format::Parquet => totals(&inputs.files, &options.text_column)?,
        Format::Webdataset => Amount::default(),
        _ => {
            let text_bytes = inputs.files.iter().map(expected_bytes).sum();
            Amount { text_bytes, rows: expected_rows(inputs.format, text_bytes, &inputs.files) }
        }
    };
    let mut spools = !Sink::fits(&spill, whole.text_bytes, whole.rows);
    // So that the sample goes the way that the whole will go.
    let way = if spools { spill.clone().always() } else { spill.clone() };
    let report = folder.run(&sample, options, Some(way), control)?;
    if inputs.format != Format::Parquet {
        whole.rows = (report.documents as f64 * sample.times) as u64;
        whole.text_bytes = (report.bytes as f64 * sample.times) as u64;
    }
    if inputs.format == Format::Webdataset {
        spools = !Sink::fits(&spill, whole.text_bytes, whole.rows);
    }

    let times = whole.text_bytes as f64 / report.bytes.max(1) as f64;
    let writers = (whole.text_bytes as f64 * SHARE_OF_WRITERS) as u64;
    let bands = match options.dedup.method {
        Method::MinHash => report.banding.bands as u64,
        _ => 0,
    };
    let hashes = whole.rows * bands * BYTES_PER_HASH;
    let texts = if spools { whole.text_bytes } else { 0 };
    // What goes to files of lines goes there sooner than texts do.
    let is_much = !repeats::fits(whole.text_bytes, spill.memory());
    let repeats = report.repeats.unwrap_or_default();
    let of_whole = |count: u64, bytes: f64| (count as f64 * times * bytes) as u64;
    let held_lines = of_whole(repeats.distinct, MEMORY_OF_DISTINCT)
        + of_whole(repeats.removed_parts, MEMORY_OF_REMOVED);
    let (lines_held, lines) = match (report.repeats, spools || is_much) {
        (Some(_), true) => {
            let lines = repeats.parts + repeats.removed_parts;
            (held_lines.min(spill.memory() / 4), of_whole(lines, BYTES_PER_LINE))
        }
        _ => (held_lines, 0),
    };
    let held = if spools {
        whole.rows * MEMORY_OF_ROW_SPILLED
    } else {
        whole.text_bytes + (hashes as f64 * MEMORY_OF_ROW_HELD) as u64
    };
    let temporary_bytes = texts + if spools { hashes } else { 0 } + lines;
    let matching = report.seconds.exact + report.seconds.matching;
    let output_bytes = report.files.as_ref().map_or(0, |files| files.output_bytes);
    Ok(Plan {
        documents: whole.rows,
        text_bytes: whole.text_bytes,
        sampled: report.documents,
        memory: MEMORY_OF_ANY + writers.min(MEMORY_OF_WRITERS) + held + lines_held,
        spools: temporary_bytes > 0,
        temporary_bytes,
        output_bytes: (output_bytes as f64 * times) as u64,
        seconds: (report.seconds.total + matching * (times.powf(GROWTH_OF_MATCHING) - 1.0)) * times,
    })
}

/// The rows that a run expects before it has read any.
fn expected_rows(format: Format, bytes: u64, files: &[InputFile]) -> u64 {
    match format {
        Format::Text => files.len() as u64,
        _ => bytes / EXPECTED_ROW,
    }
}

/// Rows and texts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amount {
    pub(super) rows: u64,
    pub(super) text_bytes: u64,
}

/// How much is taken as a sample.
#[derive(Clone, Copy)]
struct Size {
    rows: usize,
    /// Of text files: each one of so many.
    step: usize,
}

/// Some of the input.
struct Sample {
    files: Vec<PathBuf>,
    format: InputFormat,
    /// How many times as much the whole has, as far as it can be told from sizes.
    times: f64,
}

impl Sample {
    /// Takes the first rows of some files, evenly spaced.
    fn take(inputs: &Inputs, folder: &Path, size: Size) -> Result<Self> {
        let total: u64 = inputs.files.iter().map(|file| file.size).sum();
        if inputs.format == Format::Text {
            let chosen = inputs.files.iter().step_by(size.step);
            let read: u64 = chosen.clone().map(|file| file.size).sum();
            let files = chosen.map(|file| file.path.clone()).collect();
            let times = total as f64 / read.max(1) as f64;
            return Ok(Self { files, format: InputFormat::Text, times });
        }
        let step = inputs.files.len().div_ceil(SAMPLED_FILES).max(1);
        let chosen: Vec<&InputFile> = inputs.files.iter().step_by(step).collect();
        let (mut files, mut read) = (Vec::with_capacity(chosen.len()), 0);
        let count = chosen.len();
        for (index, file) in chosen.into_iter().enumerate() {
            // So many that they come to what was asked for.
            let rows = size.rows * (index + 1) / count - size.rows * index / count;
            let mut target = folder.join(format!("{index:05}"));
            match inputs.format {
                Format::Jsonl => {
                    target.set_extension("jsonl");
                    read += head_of_lines(file, rows, &target)?;
                }
                Format::Webdataset => {
                    target.set_extension("tar");
                    read += head_of_samples(file, rows, &target)?;
                }
                Format::Parquet => {
                    target.set_extension("parquet");
                    let (schema, batches) = head_of_rows(file, rows)?;
                    write_rows(&target, &schema, batches)?;
                }
                Format::Arrow | Format::Csv | Format::Text => {
                    target.set_extension("parquet");
                    let (schema, batches) = tables::open(inputs.format, file)?;
                    read += write_rows(&target, &schema, first_rows(batches, rows))?;
                }
            }
            files.push(target);
        }
        let format = match inputs.format {
            Format::Jsonl => InputFormat::Jsonl,
            Format::Webdataset => InputFormat::Webdataset,
            _ => InputFormat::Parquet,
        };
        // What was read of compressed lines is counted as they are compressed.
        let times = total as f64 / read.max(1) as f64;
        Ok(Self { files, format, times })
    }
}

/// The first rows of some batches.
fn first_rows<'a>(
    batches: impl Iterator<Item = Result<RecordBatch>> + 'a,
    rows: usize,
) -> impl Iterator<Item = Result<RecordBatch>> + 'a {
    let mut left = rows;
    batches.map_while(move |batch| {
        let batch = match batch {
            Ok(batch) => batch,
            error => return Some(error),
        };
        let count = left.min(batch.num_rows());
        left -= count;
        (count > 0).then(|| Ok(batch.slice(0, count)))
    })
}
