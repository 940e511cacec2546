//! Temporary files in memory as they lie, as far as they are looked at.

use super::{read_at, write_at};
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the system may map at a look, beside what was looked at: its "fault-around" on Linux, and what was written at
/// once.
const AROUND: u64 = 64 << 10;

/// Writes what is to be mapped, in pieces no larger than what a look at it should map: Linux keeps in one piece what
/// was written at once, up to 2 MiB, and maps the whole of it since 6.18.
pub(super) fn write_for_map(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut at = offset;
    for piece in bytes.chunks(AROUND as usize) {
        write_at(file, piece, at)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// A mapped file of which no more than about so many bytes count as this process's memory at a time.
///
/// What is looked at is counted, and when it may be too much, everything is given back; the system keeps it in its
/// cache as long as nothing else needs the memory.
#[derive(Debug)]
pub(crate) struct Map {
    file: Mmap,
    /// The same, to be read.
    source: File,
    touched: AtomicU64,
    most: u64,
}

impl Map {
    /// Maps a file whole.
    #[expect(
        unsafe_code,
        reason = "the bytes of a mapped file must not change while they are looked at"
    )]
    pub(super) fn new(file: &File, most: u64) -> io::Result<Self> {
        // SAFETY: the file was made without a name, so that nobody else can open it, or is in a folder that this
        // process has locked; and nothing is written to it once it is mapped.
        let mapped = unsafe { Mmap::map(file)? };
        Ok(Self { file: mapped, source: file.try_clone()?, touched: AtomicU64::new(0), most })
    }

    /// The bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.file.len() as u64
    }

    /// Reads some of the bytes: for little in many places, since a place that is looked at is mapped with what is
    /// around it.
    pub(crate) fn read<'b>(&self, range: Range<u64>, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        buffer.resize(range.end.checked_sub(range.start)? as usize, 0);
        read_at(&self.source, buffer, range.start).ok()?;
        Some(buffer)
    }

    /// Some of the bytes.
    pub(crate) fn get(&self, range: Range<u64>) -> Option<&[u8]> {
        let bytes = self.file.get(range.start as usize..range.end as usize)?;
        let more = bytes.len() as u64 + AROUND;
        if self.touched.fetch_add(more, Ordering::Relaxed) + more > self.most {
            self.touched.store(0, Ordering::Relaxed);
            self.give_back();
        }
        Some(bytes)
    }

    #[cfg(unix)]
    #[expect(unsafe_code, reason = "pages of private memory would lose what was written to them")]
    fn give_back(&self) {
        // SAFETY: nothing is ever written to these pages: whoever looks at one reads it from the file once more.
        // It is advice: where the system does not take it, only memory is lost.
        let _ = unsafe { self.file.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }

    #[cfg(not(unix))]
    fn give_back(&self) {}
}
