//! Which files there are to read, and of which format.

use super::input_file::InputFile;
use super::remote::{Bucket, Named, Object};
use crate::error::{DedupError, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
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
    /// Arrow IPC, files and streams; in folders and patterns only `.arrow`, `.ipc` and `.feather` files. Folders of
    /// Hugging Face's `save_to_disk` hold such.
    Arrow,
    /// CSV with a first line of names, or with tabs if it is called `.tsv`; plain, `.gz` or `.zst`. All columns are
    /// strings.
    Csv,
    /// Tar files of samples, as `WebDataset` has them; plain, `.gz` or `.zst`. Members that follow each other and share a
    /// name up to its first dot are a row, what is behind the dot are its columns; in folders and patterns only files
    /// with such a name.
    Webdataset,
    /// Text; in folders and patterns every file that is not binary.
    Text,
}

impl InputFormat {
    /// The format, unless it goes by names.
    fn format(self) -> Option<Format> {
        Some(match self {
            Self::Auto => return None,
            Self::Parquet => Format::Parquet,
            Self::Jsonl => Format::Jsonl,
            Self::Arrow => Format::Arrow,
            Self::Csv => Format::Csv,
            Self::Webdataset => Format::Webdataset,
            Self::Text => Format::Text,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    Parquet,
    Jsonl,
    Arrow,
    Csv,
    Webdataset,
    Text,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Jsonl => "jsonl",
            Self::Arrow => "arrow",
            Self::Csv => "csv",
            Self::Webdataset => "webdataset",
            Self::Text => "text",
        }
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
const OTHER_TABLES: [&str; 3] = ["avro", "orc", "xlsx"];
/// What Hugging Face's `save_to_disk` leaves beside the data.
const OF_DATASET: [&str; 2] = ["state.json", "dataset_info.json"];
/// What runs write beside the parts.
const OF_OUTPUTS: [&str; 2] = ["report.json", "duplicates.parquet"];
/// How patterns match: a star is neither a slash nor a leading dot.
const GLOB: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};
/// How much of a file is looked at to tell text from binary, as git does.
const SNIFFED: u64 = 8000;

impl Inputs {
    /// The names of the files.
    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.path.to_string_lossy().into_owned()).collect()
    }

    /// Resolves files, folders and patterns; a file that is reached twice is read once.
    pub(super) fn find<P: AsRef<Path>>(
        arguments: &[P],
        wanted: InputFormat,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self> {
        if arguments.is_empty() {
            return Err(DedupError::InvalidArgument("no input was named".to_owned()));
        }
        let mut search = Search {
            wanted,
            stop: Arc::clone(stop),
            seen: HashSet::new(),
            folders: HashSet::new(),
            found: Vec::new(),
            skipped_binary: 0,
            passed_over: 0,
        };
        for argument in arguments {
            search.argument(argument.as_ref())?;
        }
        let mut formats: BTreeMap<Format, (usize, &Path)> = BTreeMap::new();
        for (format, file) in &search.found {
            formats.entry(*format).or_insert((0, &file.path)).0 += 1;
        }
        if formats.len() > 1 {
            let describe = |(format, (count, example)): (&Format, &(usize, &Path))| {
                format!("{count} {} ({})", format.name(), example.display())
            };
            let found: Vec<String> = formats.iter().map(describe).collect();
            return Err(DedupError::MixedFormats { found: found.join(", ") });
        }
        if search.found.is_empty() && search.passed_over > 0 {
            return Err(DedupError::InvalidArgument(format!(
                "none of the {} files of the input is of the format asked for",
                search.passed_over
            )));
        }
        search.check_tables(&formats)?;
        let nothing = wanted.format().unwrap_or(Format::Text);
        let format = formats.keys().next().copied().unwrap_or(nothing);
        let files = search.found.into_iter().map(|(_, file)| file).collect();
        Ok(Self { format, files, skipped_binary: search.skipped_binary })
    }
}

struct Search {
    wanted: InputFormat,
    stop: Arc<AtomicBool>,
    seen: HashSet<PathBuf>,
    /// Those that hold Arrow files, and were looked at.
    folders: HashSet<PathBuf>,
    found: Vec<(Format, InputFile)>,
    skipped_binary: u64,
    passed_over: u64,
}

impl Search {
    fn argument(&mut self, argument: &Path) -> Result<()> {
        let argument = &match Named::parse(argument, &self.stop)? {
            Named::Path(path) => path,
            Named::Bucket(bucket, key) => return self.objects(&bucket, &key),
        };
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
        let mut any = false;
        for path in expand(pattern)? {
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
        let format = match self.wanted.format() {
            Some(wanted) => wanted,
            None if suffix.eq_ignore_ascii_case("json") => Format::Jsonl,
            None if OTHER_TABLES.contains(&suffix) => return Err(not_a_table(path)),
            None => by_name(path).unwrap_or(Format::Text),
        };
        self.add(format, path.to_owned())
    }

    /// An object, all whose keys begin with a folder's name, or those whose keys match a pattern.
    fn objects(&mut self, bucket: &Bucket, key: &str) -> Result<()> {
        let missing = || DedupError::NotFound { path: bucket.url_of(key) };
        let literal = key.find(['*', '?', '[']);
        let is_folder = key.is_empty() || key.ends_with('/');
        let named = match (!is_folder).then(|| bucket.find(key)).transpose() {
            // What is no key may be a pattern.
            Err(_) if literal.is_some() => None,
            found => found?.flatten(),
        };
        if let Some(object) = named {
            let format = self.format_of_object(&object, true).unwrap_or(Format::Text);
            if self.seen.insert(object.url()) {
                self.found.push((format, InputFile::of_object(object)));
            }
            return Ok(());
        }
        let (prefix, pattern) = match literal {
            Some(at) => (key.get(..at).unwrap_or_default().to_owned(), Some(compile(key)?)),
            None if is_folder => (key.to_owned(), None),
            None => (format!("{key}/"), None),
        };
        let mut any = false;
        let objects = bucket.list(&prefix)?;
        let keys: HashSet<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        // Of what an earlier run wrote, all but the parts.
        let is_own = |folder: &str, name: &str| {
            OF_OUTPUTS.contains(&name) && has_all(&keys, folder, &OF_OUTPUTS)
        };
        let mut seen_datasets = HashSet::new();
        for object in &objects {
            let (folder, name) = object.key.split_at(object.key.rfind('/').map_or(0, |at| at + 1));
            let dataset = has_all(&keys, folder, &OF_DATASET);
            if dataset && seen_datasets.insert(folder) {
                check_state(&bucket.url_of(folder), &bucket.read(&format!("{folder}state.json"))?)?;
            }
            let is_left_out = dataset && is_beside_dataset(name)
                || name.starts_with('.')
                || name.is_empty()
                || NOT_DATA.contains(&name)
                || is_own(folder, name);
            let fits = pattern.as_ref().is_none_or(|pattern| is_below(&object.key, pattern));
            if is_left_out || !fits {
                continue;
            }
            any = true;
            match self.format_of_object(object, false) {
                Some(format) if self.seen.insert(object.url()) => {
                    self.found.push((format, InputFile::of_object(object.clone())));
                }
                Some(_) => {}
                None => self.passed_over += 1,
            }
        }
        if any { Ok(()) } else { Err(missing()) }
    }

    /// The format of an object: by its name alone, since it takes a request to look.
    fn format_of_object(&self, object: &Object, is_named: bool) -> Option<Format> {
        let path = Path::new(&object.key);
        let is_json = is_named && path.extension().is_some_and(|suffix| suffix == "json");
        let found = if is_json { Some(Format::Jsonl) } else { by_name(path) };
        let found = found.unwrap_or(Format::Text);
        let Some(wanted) = self.wanted.format() else { return Some(found) };
        (is_named || wanted == found || wanted == Format::Text).then_some(wanted)
    }

    /// All files under a folder; hidden ones and those that only accompany data are left out, and of
    /// what an earlier run wrote all but the parts.
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let visible = |entry: &walkdir::DirEntry| {
            let name = entry.file_name().to_string_lossy();
            let is_part = name.starts_with("part-");
            let own = !is_part && entry.path().parent().is_some_and(is_output);
            let beside = is_beside_dataset(&name) && entry.path().parent().is_some_and(is_dataset);
            let left_out = name.starts_with('.') || NOT_DATA.contains(&&*name) || own || beside;
            entry.depth() == 0 || !left_out
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
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_beside_dataset(&name) && path.parent().is_some_and(is_dataset) {
            return Ok(());
        }
        let format = match by_name(&path) {
            None if holds_json_lines(&path)? => Some(Format::Jsonl),
            other => other,
        };
        let format = match (self.wanted.format(), format) {
            (None, Some(found)) => found,
            (Some(wanted), Some(found)) if wanted == found => found,
            (None | Some(Format::Text), _) => {
                if is_binary(&path)? {
                    self.skipped_binary += u64::from(self.seen.insert(path));
                    return Ok(());
                }
                Format::Text
            }
            (Some(_), _) => {
                self.passed_over += 1;
                return Ok(());
            }
        };
        self.add(format, path)
    }

    /// Folders of tables that are not read as such are an error, not documents of commas.
    fn check_tables(&self, formats: &BTreeMap<Format, (usize, &Path)>) -> Result<()> {
        let is_table = |path: &Path| {
            path.extension().is_some_and(|suffix| OTHER_TABLES.iter().any(|table| suffix == *table))
        };
        if self.wanted == InputFormat::Auto
            && let Some((_, example)) = formats.get(&Format::Text)
            && self.found.iter().all(|(_, file)| is_table(&file.path))
        {
            return Err(not_a_table(example));
        }
        Ok(())
    }

    fn add(&mut self, format: Format, path: PathBuf) -> Result<()> {
        if format == Format::Arrow
            && let Some(folder) = path.parent()
            && self.folders.insert(folder.to_owned())
        {
            check_dataset(folder)?;
        }
        // By what it is, not by what it is called: ./a and a are one file, as are links to it.
        if self.seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            self.found.push((format, InputFile::new(path)?));
        }
        Ok(())
    }
}

/// The error for a file that is a table to people, but would be one document here.
fn not_a_table(path: &Path) -> DedupError {
    DedupError::InvalidArgument(format!(
        "{}: such files are not read as tables; convert it to Parquet or JSON lines, or take each \
         whole file as one document with --input-format text (input_format=\"text\")",
        path.display()
    ))
}

/// Whether a key, or a folder that it is in, matches a pattern.
fn is_below(key: &str, pattern: &glob::Pattern) -> bool {
    let folders = key.match_indices('/').filter_map(|(at, _)| key.get(..at));
    folders.chain([key]).any(|name| pattern.matches_with(name, GLOB))
}

fn compile(pattern: &str) -> Result<glob::Pattern> {
    glob::Pattern::new(pattern)
        .map_err(|error| DedupError::InvalidArgument(format!("pattern {pattern:?}: {error}")))
}

/// The paths that match a pattern, in order; those whose names are not Unicode match none.
fn expand(pattern: &str) -> Result<Vec<PathBuf>> {
    let compiled = compile(pattern)?;
    let parts: Vec<_> = Path::new(pattern).components().collect();
    let is_literal = |part: &std::path::Component| {
        part.as_os_str().to_str().is_some_and(|part| !part.contains(['*', '?', '[']))
    };
    let literal = parts.iter().take_while(|part| is_literal(part)).count();
    let base: PathBuf = parts.iter().take(literal).collect();
    let depth = if pattern.contains("**") { usize::MAX } else { parts.len() - literal };
    let root = if literal == 0 { Path::new(".") } else { &base };
    let mut paths = Vec::new();
    for entry in
        WalkDir::new(root).follow_links(true).min_depth(1).max_depth(depth).sort_by_file_name()
    {
        // A folder that cannot be read may be one that the pattern does not lead to.
        let Ok(entry) = entry else { continue };
        let path = match literal {
            0 => entry.path().strip_prefix(".").unwrap_or(entry.path()),
            _ => entry.path(),
        };
        if compiled.matches_path_with(path, GLOB) {
            paths.push(path.to_owned());
        }
    }
    Ok(paths)
}

/// Whether a folder was written by [`dedup_files`](super::dedup_files).
pub(super) fn is_output(folder: &Path) -> bool {
    OF_OUTPUTS.iter().all(|name| folder.join(name).is_file())
}

/// Whether a folder, or one above it, was written by `save_to_disk` of Hugging Face's datasets.
fn is_dataset(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    has("dataset_dict.json") || OF_DATASET.iter().all(|name| has(name))
}

/// Whether a file of a saved dataset is none of its data.
fn is_beside_dataset(name: &str) -> bool {
    let is_cache =
        name.starts_with("cache-") && Path::new(name).extension() == Some("arrow".as_ref());
    OF_DATASET.contains(&name) || name == "dataset_dict.json" || is_cache
}

/// Whether all these are in a folder of a bucket.
fn has_all(keys: &HashSet<&str>, folder: &str, names: &[&str]) -> bool {
    names.iter().all(|name| keys.contains(&*format!("{folder}{name}")))
}

/// Refuses a saved dataset whose rows are not those of its files.
fn check_dataset(folder: &Path) -> Result<()> {
    let state = folder.join("state.json");
    if !is_dataset(folder) || !state.is_file() {
        return Ok(());
    }
    check_state(folder, &fs::read(&state).map_err(|error| DedupError::read(&state, error))?)
}

fn check_state(folder: &Path, state: &[u8]) -> Result<()> {
    let value: serde_json::Value = serde_json::from_slice(state)
        .map_err(|error| DedupError::read(&folder.join("state.json"), error))?;
    let indices = value.get("_indices_data_files").and_then(serde_json::Value::as_array);
    if indices.is_some_and(|files| !files.is_empty()) {
        return Err(DedupError::InvalidArgument(format!(
            "{}: its rows are chosen by indices, which datasets saved beside the data before its version 1.18; save what \
             dataset.flatten_indices() returns with such a version",
            folder.display()
        )));
    }
    Ok(())
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
        Some("arrow" | "ipc" | "feather") if !compressed => Some(Format::Arrow),
        Some("csv" | "tsv") => Some(Format::Csv),
        Some("tar" | "tgz") => Some(Format::Webdataset),
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
