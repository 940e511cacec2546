//! Where the texts that are read go: into memory, or into a temporary file if they may not fit there.

use crate::documents::{Documents, Raw, TextBuilder};
use crate::error::Result;
use crate::spill::{Piece, Spill, SpooledTexts, TextSpool};
use arrow::array::{Array, ArrayRef};
use once_cell::sync::OnceCell;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a document takes in memory beside its text, at most about, with the default options: its band hashes are
/// most of it.
const BYTES_PER_ROW: u64 = 300;
/// A guess at how long rows are, for how many there will be.
pub(super) const EXPECTED_ROW: u64 = 200;
/// Texts that are collected before they go to a file.
const PIECE_BYTES: usize = 8 << 20;
const PIECE_ROWS: usize = 1 << 17;

/// Takes the texts of a scan.
pub(super) struct Sink {
    spill: Spill,
    /// What those in memory take, counted as it was guessed.
    held: AtomicU64,
    /// Where texts go when that is too much, or was expected to be.
    spool: OnceCell<TextSpool>,
}

/// Some texts that follow each other. Those in memory are not kept for another run, and come last, since what is not
/// kept is not counted when it is read.
#[derive(Serialize, Deserialize)]
pub(super) enum Texts {
    Spooled(Piece, Raw),
    #[serde(skip)]
    Array(ArrayRef),
    #[serde(skip)]
    Built(TextBuilder),
}

impl Sink {
    /// A sink for texts of about so many bytes, in so many rows.
    pub(super) fn new(spill: &Spill, bytes: u64, rows: u64) -> Result<Self> {
        let spool = OnceCell::new();
        if !Self::fits(spill, bytes, rows) {
            spool.get_or_try_init(|| TextSpool::new(spill))?;
        }
        Ok(Self { spill: spill.clone(), held: AtomicU64::new(0), spool })
    }

    /// Where texts of so many bytes, in so many rows, go if not to memory.
    fn spool_for(&self, bytes: usize, rows: usize) -> Result<Option<&TextSpool>> {
        if let Some(spool) = self.spool.get() {
            return Ok(Some(spool));
        }
        let more = bytes as u64 + rows as u64 * BYTES_PER_ROW;
        if self.held.fetch_add(more, Ordering::Relaxed) + more <= self.spill.memory() {
            return Ok(None);
        }
        self.spool.get_or_try_init(|| TextSpool::new(&self.spill)).map(Some)
    }

    /// Whether texts of about so many bytes, in so many rows, go to memory.
    pub(super) fn fits(spill: &Spill, bytes: u64, rows: u64) -> bool {
        let needed = bytes.saturating_add(rows.saturating_mul(BYTES_PER_ROW));
        !spill.is_always() && needed <= spill.memory()
    }

    /// Whether texts are as an earlier run has written them.
    pub(super) fn holds(&self, texts: &[Texts]) -> bool {
        let Some(spool) = self.spool.get() else { return false };
        texts.iter().all(|texts| matches!(texts, Texts::Spooled(piece, _) if spool.holds(piece)))
    }

    /// Takes an array of strings.
    pub(super) fn array(&self, array: ArrayRef) -> Result<Texts> {
        let length = array.len();
        let documents = Documents::try_from_chunks([Arc::clone(&array)])?;
        let bytes = (0..length).filter_map(|row| documents.length(row)).sum();
        let Some(spool) = self.spool_for(bytes, length)? else { return Ok(Texts::Array(array)) };
        let piece = spool.write((0..length).map(|row| documents.text(row)))?;
        Ok(Texts::Spooled(piece, Vec::new()))
    }

    /// Takes what was built; nothing if more should come first.
    pub(super) fn built(&self, texts: &mut TextBuilder, is_last: bool) -> Result<Option<Texts>> {
        if !is_last && texts.bytes() < PIECE_BYTES && texts.len() < PIECE_ROWS {
            return Ok(None);
        }
        Ok(Some(match self.spool_for(texts.bytes(), texts.len())? {
            None => Texts::Built(std::mem::take(texts)),
            Some(spool) => {
                let (piece, raw) = texts.spool(spool)?;
                Texts::Spooled(piece, raw)
            }
        }))
    }

    /// The documents of all texts, and the bytes of them that are in a temporary file, if they are.
    pub(super) fn finish(
        self,
        texts: impl IntoIterator<Item = Texts>,
    ) -> Result<(Documents, Option<u64>)> {
        let files = self.spool.into_inner().map(TextSpool::finish).transpose()?;
        let mut documents = Documents::new();
        for texts in texts {
            match texts {
                Texts::Array(array) => documents.push(&array)?,
                Texts::Built(texts) => documents.push_texts(texts)?,
                Texts::Spooled(piece, raw) => {
                    if let Some(texts) =
                        SpooledTexts::new(files.as_deref().unwrap_or_default(), piece)
                    {
                        documents.push_spooled(texts, raw)?;
                    }
                }
            }
        }
        Ok((documents, files.map(|files| files.iter().map(|file| file.len()).sum())))
    }
}
