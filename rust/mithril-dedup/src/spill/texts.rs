//! Texts in temporary files, in pieces of a few thousand.

use super::map::write_for_map;
use super::{Map, Spill, read_at};
use crate::error::{DedupError, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::ErrorKind::NotFound;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64;

/// Writes texts, from any number of threads.
///
/// Each thread has a file of its own: in one, they would wait for each other, which took an eighth of the time.
pub(crate) struct TextSpool {
    spill: Spill,
    files: Vec<(File, AtomicU64)>,
}

/// Where some texts that follow each other are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Piece {
    file: usize,
    start: u64,
    /// The XXH3 of all its texts, where it is kept for another run.
    hash: u64,
    /// Where each text ends, counted from `start`.
    ends: Vec<u32>,
    /// Which of them are null; nothing if none is.
    nulls: Vec<bool>,
}

/// The texts of a piece.
#[derive(Debug, Clone)]
pub(crate) struct SpooledTexts {
    map: Arc<Map>,
    piece: Arc<Piece>,
}

impl TextSpool {
    pub(crate) fn new(spill: &Spill) -> Result<Self> {
        let name = |at: usize| format!("texts-{at}");
        let mut count = rayon::current_num_threads();
        while spill.has_file(&name(count)) {
            count += 1;
        }
        let files = (0..count).map(|at| {
            let file = spill.file(&name(at))?;
            let length = file.metadata().map_err(|error| spill.error(0, error))?.len();
            Ok((file, AtomicU64::new(length)))
        });
        Ok(Self { spill: spill.clone(), files: files.collect::<Result<_>>()? })
    }

    /// Writes some texts, which have less than 4 GiB together.
    pub(crate) fn write<'a>(&self, texts: impl Iterator<Item = Option<&'a str>>) -> Result<Piece> {
        let (mut bytes, mut ends, mut nulls) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
            let end = u32::try_from(bytes.len()).map_err(|_| {
                DedupError::InvalidArgument(
                    "a text has 4 GiB or more: give the run more memory, so that it needs no temporary files"
                        .to_owned(),
                )
            })?;
            ends.push(end);
            if text.is_none() && nulls.is_empty() {
                nulls.resize(ends.len() - 1, false);
            }
            if text.is_none() || !nulls.is_empty() {
                nulls.push(text.is_none());
            }
        }
        let length = bytes.len() as u64;
        let hash = self.spill.resume().map_or(0, |_| xxh3_64(&bytes));
        let at = rayon::current_thread_index().unwrap_or_default() % self.files.len().max(1);
        let (file, end) =
            self.files.get(at).ok_or_else(|| self.spill.error(length, NotFound.into()))?;
        let start = end.fetch_add(length, Ordering::Relaxed);
        write_for_map(file, &bytes, start).map_err(|error| self.spill.error(length, error))?;
        Ok(Piece { file: at, start, hash, ends, nulls })
    }

    /// Whether a piece is as it was written by an earlier run.
    pub(crate) fn holds(&self, piece: &Piece) -> bool {
        let Some((file, _)) = self.files.get(piece.file) else { return false };
        let mut bytes = vec![0; piece.ends.last().copied().unwrap_or(0) as usize];
        read_at(file, &mut bytes, piece.start).is_ok() && xxh3_64(&bytes) == piece.hash
    }

    /// Gives the texts for reading, file by file.
    pub(crate) fn finish(self) -> Result<Vec<Arc<Map>>> {
        let maps = self.files.iter().map(|(file, _)| self.spill.map(file, self.files.len()));
        maps.collect()
    }
}

impl SpooledTexts {
    /// The texts of a piece, in one of the files; `None` if there is no such file.
    pub(crate) fn new(files: &[Arc<Map>], piece: Piece) -> Option<Self> {
        let map = files.get(piece.file).map(Arc::clone)?;
        Some(Self { map, piece: Arc::new(piece) })
    }

    /// The number of texts, null ones included.
    pub(crate) fn len(&self) -> usize {
        self.piece.ends.len()
    }

    /// A text, unless it is null.
    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        self.part(at, 0..self.length(at)?)
    }

    /// A part of a text, unless it is null or shorter.
    pub(crate) fn part(&self, at: usize, bytes: Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.map.get(self.place(at, bytes)?)?).ok()
    }

    /// As [`part`](Self::part), read into a buffer.
    pub(crate) fn part_by<'b>(
        &self,
        at: usize,
        bytes: Range<usize>,
        buffer: &'b mut Vec<u8>,
    ) -> Option<&'b str> {
        std::str::from_utf8(self.map.read(self.place(at, bytes)?, buffer)?).ok()
    }

    /// Where a part of a text is in the file.
    fn place(&self, at: usize, bytes: Range<usize>) -> Option<Range<u64>> {
        let (start, end) = self.range(at)?;
        let (from, to) = (start + bytes.start as u64, start + bytes.end as u64);
        let is_inside = from <= to && to <= end;
        is_inside.then(|| self.piece.start + from..self.piece.start + to)
    }

    /// The length of a text in bytes, unless it is null.
    pub(crate) fn length(&self, at: usize) -> Option<usize> {
        self.range(at).map(|(start, end)| (end - start) as usize)
    }

    fn range(&self, at: usize) -> Option<(u64, u64)> {
        let Piece { ends, nulls, .. } = &*self.piece;
        if nulls.get(at).copied().unwrap_or_default() {
            return None;
        }
        let start = at.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        Some((start.into(), (*ends.get(at)?).into()))
    }
}
