//! Which files there are to read, and of which format.

use crate::error::{DedupError, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use walkdir::WalkDir;

/// How the format of the input is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputFormat {
    /// By the names of the files; more than one format is an error.
    #[default]
    Auto,
    /// Parquet; in folders and patterns only `.parquet` files.
    Parquet,
    /// JSON lines; in folders and patterns only files with such a name.
    Jsonl,
    /// Text; in folders and patterns every file that is not binary.
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Parquet,
    Jsonl,
    Text,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
            Self::Text => "text",
        }
    }
}

/// A file as it was when the run began.
#[derive(Debug, Clone)]
pub(super) struct InputFile {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    modified: Option<SystemTime>,
}

impl InputFile {
    fn new(path: PathBuf) -> Result<Self> {
        let metadata = fs::metadata(&path).map_err(|error| DedupError::read(&path, error))?;
        Ok(Self { size: metadata.len(), modified: metadata.modified().ok(), path })
    }

    /// Opens the file; an error when it is not what it was.
    pub(super) fn open(&self) -> Result<File> {
        let now = Self::new(self.path.clone())?;
        if (now.size, now.modified) != (self.size, self.modified) {
            return Err(DedupError::InputChanged { file: self.path.clone() });
        }
        File::open(&self.path).map_err(|error| DedupError::read(&self.path, error))
    }
}

/// The files of a run in their order: that of the arguments, and by path within a folder.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) format: Format,
    pub(super) files: Vec<InputFile>,
    pub(super) skipped_binary: u64,
}

/// What other tools leave in a folder of data beside the data.
const NOT_DATA: [&str; 3] = ["_SUCCESS", "_metadata", "_common_metadata"];
/// Tables that are read as text only when the user says so.
const OTHER_TABLES: [&str; 9] =
    ["arrow", "avro", "csv", "feather", "ipc", "orc", "tar", "tsv", "xlsx"];
/// How much of a file is looked at to tell text from binary, as git does.
const SNIFFED: u64 = 8000;

impl Inputs {
    /// Resolves files, folders and patterns; a file that is reached twice is read once.
    pub(super) fn find<P: AsRef<Path>>(arguments: &[P], wanted: InputFormat) -> Result<Self> {
        let mut search =
            Search { wanted, seen: HashSet::new(), found: Vec::new(), skipped_binary: 0 };
        for argument in arguments {
            search.argument(argument.as_ref())?;
        }
        let mut formats: BTreeMap<Format, (usize, &Path)> = BTreeMap::new();
        for (format, path) in &search.found {
            formats.entry(*format).or_insert((0, path)).0 += 1;
        }
        if formats.len() > 1 {
            let describe = |(format, (count, example)): (&Format, &(usize, &Path))| {
                format!("{count} {} ({})", format.name(), example.display())
            };
            let found: Vec<String> = formats.iter().map(describe).collect();
            return Err(DedupError::MixedFormats { found: found.join(", ") });
        }
        let nothing = match wanted {
            InputFormat::Parquet => Format::Parquet,
            InputFormat::Jsonl => Format::Jsonl,
            InputFormat::Auto | InputFormat::Text => Format::Text,
        };
        let format = formats.keys().next().copied().unwrap_or(nothing);
        let files = search
            .found
            .into_iter()
            .map(|(_, path)| InputFile::new(path))
            .collect::<Result<_>>()?;
        Ok(Self { format, files, skipped_binary: search.skipped_binary })
    }
}

struct Search {
    wanted: InputFormat,
    seen: HashSet<PathBuf>,
    found: Vec<(Format, PathBuf)>,
    skipped_binary: u64,
}

impl Search {
    fn argument(&mut self, argument: &Path) -> Result<()> {
        if argument.is_dir() {
            return self.folder(argument);
        }
        if argument.exists() {
            return self.named(argument);
        }
        let missing = || DedupError::NotFound { path: argument.to_owned() };
        let pattern = argument
            .to_str()
            .filter(|pattern| pattern.contains(['*', '?', '[']))
            .ok_or_else(missing)?;
        let options = glob::MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..glob::MatchOptions::default()
        };
        let matches = glob::glob_with(pattern, options).map_err(|error| {
            DedupError::InvalidArgument(format!("pattern {pattern:?}: {error}"))
        })?;
        let mut any = false;
        for path in matches {
            let path =
                path.map_err(|error| DedupError::read(&PathBuf::from(error.path()), error))?;
            any = true;
            if path.is_dir() {
                self.folder(&path)?;
            } else {
                self.inside(path)?;
            }
        }
        if any { Ok(()) } else { Err(missing()) }
    }

    /// A file that the user named: it is read, whatever it is.
    fn named(&mut self, path: &Path) -> Result<()> {
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
        let format = match self.wanted {
            InputFormat::Parquet => Format::Parquet,
            InputFormat::Jsonl => Format::Jsonl,
            InputFormat::Text => Format::Text,
            InputFormat::Auto if suffix == "json" => Format::Jsonl,
            InputFormat::Auto if OTHER_TABLES.contains(&suffix) => {
                return Err(DedupError::InvalidArgument(format!(
                    "{}: .{suffix} files are not read as tables; convert it to Parquet or JSON lines, or take \
                     the whole file as one document with --input-format text (input_format=\"text\")",
                    path.display()
                )));
            }
            InputFormat::Auto => by_name(path).unwrap_or(Format::Text),
        };
        self.add(format, path.to_owned());
        Ok(())
    }

    /// All files under a folder; hidden ones and those that only accompany data are left out.
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let own = is_output(folder);
        let visible = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            let accompanies = NOT_DATA.contains(&&*name) || (own && !name.starts_with("part-"));
            entry.depth() == 0 || !(name.starts_with('.') || accompanies)
        };
        for entry in WalkDir::new(folder)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(visible)
        {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(folder).to_owned();
                DedupError::read(&path, error)
            })?;
            if entry.file_type().is_file() {
                self.inside(entry.into_path())?;
            }
        }
        Ok(())
    }

    /// A file that a folder or a pattern brought: it is taken where it fits.
    fn inside(&mut self, path: PathBuf) -> Result<()> {
        let format = match by_name(&path) {
            None if holds_json_lines(&path)? => Some(Format::Jsonl),
            other => other,
        };
        let format = match (self.wanted, format) {
            (InputFormat::Auto | InputFormat::Parquet, Some(Format::Parquet)) => Format::Parquet,
            (InputFormat::Auto | InputFormat::Jsonl, Some(Format::Jsonl)) => Format::Jsonl,
            (InputFormat::Parquet | InputFormat::Jsonl, _) => return Ok(()),
            (InputFormat::Auto | InputFormat::Text, _) => {
                if is_binary(&path)? {
                    self.skipped_binary += u64::from(self.seen.insert(path));
                    return Ok(());
                }
                Format::Text
            }
        };
        self.add(format, path);
        Ok(())
    }

    fn add(&mut self, format: Format, path: PathBuf) {
        if self.seen.insert(path.clone()) {
            self.found.push((format, path));
        }
    }
}

/// Whether a folder was written by [`dedup_files`](super::dedup_files).
pub(super) fn is_output(folder: &Path) -> bool {
    folder.join("report.json").is_file() && folder.join("duplicates.parquet").is_file()
}

/// The format that a file's name tells, where it does.
fn by_name(path: &Path) -> Option<Format> {
    let name = PathBuf::from(path.file_name()?.to_str()?.to_ascii_lowercase());
    let suffix =
        |name: &Path| name.extension().and_then(|suffix| suffix.to_str()).map(str::to_owned);
    let compressed = matches!(suffix(&name).as_deref(), Some("gz" | "zst"));
    let name = if compressed { name.with_extension("") } else { name };
    match suffix(&name).as_deref() {
        Some("parquet" | "pq") if !compressed => Some(Format::Parquet),
        Some("jsonl" | "ndjson") => Some(Format::Jsonl),
        Some("json") if compressed => Some(Format::Jsonl),
        _ => None,
    }
}

/// Whether a `.json` file holds an object a line: its first line is a whole object.
fn holds_json_lines(path: &Path) -> Result<bool> {
    if path.extension().is_none_or(|suffix| suffix != "json") {
        return Ok(false);
    }
    let file = File::open(path).map_err(|error| DedupError::read(path, error))?;
    let mut line = Vec::new();
    // A first line longer than this is taken for an object when it begins like one.
    let limit = 1 << 20;
    BufReader::new(file.take(limit))
        .read_until(b'\n', &mut line)
        .map_err(|error| DedupError::read(path, error))?;
    let line = line.trim_ascii();
    let whole = serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    Ok(line.starts_with(b"{") && (whole || line.len() as u64 >= limit - 2))
}

/// Whether a file has a NUL byte near its beginning.
fn is_binary(path: &Path) -> Result<bool> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(|error| DedupError::read(path, error))?;
    file.take(SNIFFED).read_to_end(&mut head).map_err(|error| DedupError::read(path, error))?;
    Ok(head.contains(&0))
}
