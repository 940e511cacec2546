//! Files of an output, and what tells that one is still what was written.

use super::upload::{Growth, Written};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The stage whose entries say what was written.
pub(super) const WRITTEN: &str = "written";

/// The size and the XXH3 of a file.
pub(super) type Print = (u64, u64);

/// What a file is called in what is kept of a run.
pub(super) fn written(name: &str) -> (&'static str, u64) {
    (WRITTEN, xxh3_64(name.as_bytes()))
}

/// A file that is hashed as it is written.
pub(super) struct PartFile {
    file: File,
    size: u64,
    hash: Xxh3,
    /// Who sends it meanwhile.
    growth: Option<Growth>,
}

impl PartFile {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create_new(path)?, size: 0, hash: Xxh3::new(), growth: None })
    }

    /// Has it sent as it is written.
    pub(super) fn tell(&mut self, growth: Option<Growth>) {
        self.growth = growth;
    }

    /// Says that all of it is written; whether it was sent meanwhile.
    pub(super) fn end(&self) -> bool {
        let written = Written { bytes: self.size, is_whole: true };
        self.growth.as_ref().map(|growth| growth.send_replace(written)).is_some()
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    pub(super) fn print(&self) -> Print {
        (self.size, self.hash.digest())
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        self.size += count as u64;
        if let Some(growth) = &self.growth {
            growth.send_replace(Written { bytes: self.size, is_whole: false });
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether a file is what was written.
pub(super) fn holds(path: &Path, print: &Print) -> bool {
    let hash = || -> io::Result<u64> {
        let (mut file, mut hash) = (File::open(path)?, Xxh3::new());
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(hash.digest());
            }
            hash.update(buffer.get(..read).unwrap_or_default());
        }
    };
    let size = path.metadata().map(|metadata| metadata.len());
    size.is_ok_and(|size| size == print.0) && hash().is_ok_and(|hash| hash == print.1)
}
