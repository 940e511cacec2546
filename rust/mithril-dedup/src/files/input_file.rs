//! A file of the input, wherever it is.

use super::remote::{Fetch, Handle, Look, Object, ObjectReader};
use crate::error::{DedupError, Result, Source};
use crate::resume::Input;
use rayon::prelude::*;
use std::fs::{self, File};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// What is asked for of a bucket before it is needed.
const AHEAD_BYTES: u64 = 64 << 20;
/// How many objects are looked at together.
const LOOKS: usize = 64;

/// A file, or an object of a bucket, as it was when the run began.
#[derive(Debug, Clone)]
pub(super) struct InputFile {
    /// Its path or URL.
    pub(super) path: PathBuf,
    pub(super) size: u64,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    File { modified: Option<SystemTime> },
    Object(Arc<Object>),
}

impl InputFile {
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        let metadata = fs::metadata(&path).map_err(|error| DedupError::read(&path, error))?;
        if !metadata.is_file() {
            return Err(DedupError::read(&path, "not a regular file; a pipe cannot be read twice"));
        }
        let origin = Origin::File { modified: metadata.modified().ok() };
        Ok(Self { size: metadata.len(), origin, path })
    }

    pub(super) fn of_object(object: Object) -> Self {
        Self { path: object.url(), size: object.size, origin: Origin::Object(Arc::new(object)) }
    }

    /// What tells whether it has changed between two runs.
    pub(super) fn account(&self) -> Input {
        let state = match &self.origin {
            Origin::File { modified } => modified
                .and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok())
                .map_or_else(String::new, |since| since.as_nanos().to_string()),
            Origin::Object(object) => object.etag().to_owned(),
        };
        Input { name: self.path.to_string_lossy().into_owned(), size: self.size, state }
    }

    /// Whether it is an object of a bucket.
    pub(super) fn is_remote(&self) -> bool {
        matches!(self.origin, Origin::Object(_))
    }

    /// Begins to look what has become of an object.
    fn look(&self) -> Option<Look> {
        match &self.origin {
            Origin::Object(object) => Some(object.look()),
            Origin::File { .. } => None,
        }
    }

    fn check(&self, look: Look) -> Result<()> {
        if look.finish()? {
            return Ok(());
        }
        Err(DedupError::InputChanged { file: self.path.clone() })
    }

    /// Opens the file; an error when it is not what it was.
    pub(super) fn open(&self) -> Result<Handle> {
        self.fetch(Vec::new())?.open()
    }

    /// Begins to read ranges of an object, which are at hand when it is opened; of a file there is nothing to begin.
    /// An error when it is not what it was, which for an object is looked for without ranges only.
    pub(super) fn fetch(&self, ranges: Vec<Range<u64>>) -> Result<Fetched> {
        match &self.origin {
            Origin::Object(object) if ranges.is_empty() => {
                self.check(object.look())?;
                Ok(Fetched::Handle(Handle::Object(ObjectReader::new(Arc::clone(object), 0))))
            }
            Origin::Object(object) => Ok(Fetched::Fetch(object.fetch(ranges))),
            Origin::File { modified } => {
                let now = fs::metadata(&self.path)
                    .map_err(|error| DedupError::read(&self.path, error))?;
                if (now.len(), now.modified().ok()) != (self.size, *modified) {
                    return Err(DedupError::InputChanged { file: self.path.clone() });
                }
                let file = File::open(&self.path);
                let file = file.map_err(|error| DedupError::read(&self.path, error))?;
                Ok(Fetched::Handle(Handle::File(file)))
            }
        }
    }
}

/// An error when one of the objects is not what it was; files are looked at whenever they are opened.
pub(super) fn check_all(files: &[InputFile]) -> Result<()> {
    files.chunks(LOOKS).try_for_each(|files| {
        let looks: Vec<_> = files.iter().map(InputFile::look).collect();
        let looks = files.iter().zip(looks);
        looks
            .filter_map(|(file, look)| Some((file, look?)))
            .try_for_each(|(file, look)| file.check(look))
    })
}

/// Works on items in parallel. What is to be read of each of them is asked for before, of so many that they have about
/// [`AHEAD_BYTES`] together, if it comes from a bucket.
pub(super) fn with_ahead<T: Sync, R: Send>(
    items: &[T],
    what: impl Fn(&T) -> (&InputFile, Vec<Range<u64>>),
    work: impl Fn(&T, Option<Fetched>) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    if !items.iter().any(|item| what(item).0.is_remote()) {
        return items.par_iter().map(|item| work(item, None)).collect();
    }
    let mut bytes = 0;
    let mut windows: Vec<Vec<&T>> = vec![Vec::new()];
    for item in items {
        let size: u64 = what(item).1.iter().map(|range| range.end - range.start).sum();
        if bytes + size > AHEAD_BYTES
            && windows.last().is_some_and(|window| window.len() >= rayon::current_num_threads())
        {
            windows.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        windows.last_mut().into_iter().for_each(|window| window.push(item));
    }
    let begin = |window: &[&T]| -> Result<Vec<Option<Fetched>>> {
        let fetch = |item: &&T| {
            let (file, ranges) = what(item);
            (file.is_remote() && !ranges.is_empty()).then(|| file.fetch(ranges)).transpose()
        };
        window.iter().map(fetch).collect()
    };
    let mut done = Vec::with_capacity(items.len());
    let mut coming = windows.first().map(|window| begin(window)).transpose()?.unwrap_or_default();
    for (index, window) in windows.iter().enumerate() {
        let next = windows.get(index + 1).map(|next| begin(next)).transpose()?;
        let here = std::mem::replace(&mut coming, next.unwrap_or_default());
        let work = window.par_iter().zip(here).map(|(item, fetched)| work(item, fetched));
        done.extend(work.collect::<Result<Vec<R>>>()?);
    }
    Ok(done)
}

/// A file of which parts may be on their way.
pub(super) enum Fetched {
    Handle(Handle),
    Fetch(Fetch),
}

impl Fetched {
    pub(super) fn open(self) -> Result<Handle> {
        match self {
            Self::Handle(handle) => Ok(handle),
            Self::Fetch(fetch) => fetch.open().map(Handle::Object),
        }
    }
}

/// Runs a call into a library that reads files; its errors, and panics that damaged files provoke in it,
/// name the file.
pub(super) fn guarded<T>(
    file: &InputFile,
    call: impl FnOnce() -> std::result::Result<T, Source>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.map_err(|source| DedupError::read(&file.path, source)),
        Err(_) => Err(DedupError::read(&file.path, "damaged, or of a kind that is not supported")),
    }
}
