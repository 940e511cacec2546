//! What does not fit into memory: temporary files.
//!
//! They have no name, so that nothing is left of them however the process ends; but for a run that is to be resumed,
//! whose files are in a folder of its own.

mod columns;
mod map;
mod memory;
mod partitions;
mod texts;

use crate::error::{DedupError, Result};
use crate::resume::Resume;
pub(crate) use columns::{Columns, RowSpool, Rows};
pub(crate) use map::Map;
pub(crate) use memory::of_the_machine;
pub(crate) use partitions::{PartitionWriter, Partitions, RECORD, Record, Runs};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub(crate) use texts::{Piece, SpooledTexts, TextSpool};

/// The least memory that can be asked for: below it, what a run takes without any document is most of it.
pub(crate) const LEAST_MEMORY: u64 = 64 << 20;

/// Where temporary files are, and how much memory there is beside them.
#[derive(Debug, Clone)]
pub(crate) struct Spill {
    folder: PathBuf,
    memory: u64,
    /// Whether files are used however much memory there is.
    always: bool,
    /// What is kept of the run for another.
    resume: Option<Arc<Resume>>,
    /// What stages and files are called before their own names.
    prefix: &'static str,
}

impl Spill {
    pub(crate) fn new(folder: &Path, memory: u64) -> Self {
        Self { folder: folder.to_owned(), memory, always: false, resume: None, prefix: "" }
    }

    /// As this one, for a run of which everything is kept until it is done.
    pub(crate) fn kept(self, resume: &Arc<Resume>) -> Self {
        let folder = resume.folder().to_owned();
        Self { folder, always: true, resume: Some(Arc::clone(resume)), ..self }
    }

    /// As this one, for stages of the same names that are others.
    pub(crate) fn of(&self, prefix: &'static str) -> Self {
        Self { prefix, ..self.clone() }
    }

    /// What is kept of the run for another.
    pub(crate) fn resume(&self) -> Option<&Resume> {
        self.resume.as_deref()
    }

    /// What has become of a unit of a stage: what an earlier run has kept, if that holds, or what `make` makes.
    pub(crate) fn unit<T: Serialize + DeserializeOwned>(
        &self,
        (stage, number): (&str, usize),
        holds: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if let Some(kept) = self.kept_unit((stage, number), holds) {
            return Ok(kept);
        }
        let unit = make()?;
        self.keep_unit((stage, number), &unit)?;
        Ok(unit)
    }

    /// What an earlier run has kept of a unit of a stage, if that holds.
    pub(crate) fn kept_unit<T: DeserializeOwned>(
        &self,
        (stage, number): (&str, usize),
        holds: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        self.resume.as_ref()?.kept((&self.name(stage), number as u64), holds)
    }

    /// Keeps what has become of a unit of a stage.
    pub(crate) fn keep_unit<T: Serialize>(
        &self,
        (stage, number): (&str, usize),
        made: &T,
    ) -> Result<()> {
        let Some(resume) = &self.resume else { return Ok(()) };
        resume.keep((&self.name(stage), number as u64), made)
    }

    /// Whether an earlier run has kept a unit.
    pub(crate) fn has_unit(&self, (stage, number): (&str, usize)) -> bool {
        let journal = |resume: &Arc<Resume>| resume.journal(&self.name(stage));
        let journal = self.resume.as_ref().and_then(|resume| journal(resume).ok());
        journal.is_some_and(|journal| journal.has(number as u64))
    }

    /// As this one, for runs that use files however much memory there is.
    pub(crate) fn always(self) -> Self {
        Self { always: true, ..self }
    }

    pub(crate) fn is_always(&self) -> bool {
        self.always
    }

    /// The bytes of memory that a run may take.
    pub(crate) fn memory(&self) -> u64 {
        self.memory
    }

    /// A new file without a name, or the file of this name that an earlier run has begun.
    fn file(&self, name: &str) -> Result<File> {
        let file = match &self.resume {
            Some(resume) => resume.file(&self.name(name)),
            None => tempfile::tempfile_in(&self.folder),
        };
        file.map_err(|error| self.error(0, error))
    }

    /// Whether an earlier run has begun a file of this name.
    fn has_file(&self, name: &str) -> bool {
        self.resume.as_ref().is_some_and(|resume| resume.has(&self.name(name)))
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Maps one of so many files for reading.
    fn map(&self, file: &File, files: usize) -> Result<Arc<Map>> {
        let map = Map::new(file, self.memory / 16 / files.max(1) as u64);
        map.map(Arc::new).map_err(|source| DedupError::read(&self.folder, source))
    }

    /// What is answered when so many bytes could not be written.
    fn error(&self, wanted: u64, source: io::Error) -> DedupError {
        DedupError::Temporary { folder: self.folder.clone(), wanted, source: source.into() }
    }
}

#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        let read = file.seek_read(bytes, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes = bytes.get_mut(read..).unwrap_or_default();
        offset += read as u64;
    }
    Ok(())
}
