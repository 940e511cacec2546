//! What does not fit into memory: temporary files.
//!
//! They have no name, so that nothing is left of them however the process ends.

mod columns;
mod map;
mod memory;
mod texts;

use crate::error::{DedupError, Result};
pub(crate) use columns::{Columns, RowSpool, Rows};
pub(crate) use map::Map;
pub(crate) use memory::of_the_machine;
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
}

impl Spill {
    pub(crate) fn new(folder: &Path, memory: u64) -> Self {
        Self { folder: folder.to_owned(), memory, always: false }
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

    /// A new file without a name.
    fn file(&self) -> Result<File> {
        tempfile::tempfile_in(&self.folder).map_err(|error| self.error(0, error))
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
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
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
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
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
