//! Rows of numbers in a temporary file, column by column.

use super::map::write_for_map;
use super::{Map, Spill, read_at, write_at};
use crate::error::{DedupError, Result};
use std::fs::File;
use std::sync::Arc;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

const WIDTH: u64 = 8;

/// A table of so many rows and columns.
#[derive(Debug)]
pub(crate) struct Columns {
    spill: Spill,
    file: File,
    rows: u64,
    width: usize,
}

impl Columns {
    pub(crate) fn new(spill: &Spill, rows: usize, columns: usize) -> Result<Self> {
        let file = spill.file("bands")?;
        Ok(Self { file, spill: spill.clone(), rows: rows as u64, width: columns })
    }

    pub(crate) fn columns(&self) -> usize {
        self.width
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Writes rows from `first` on, given row by row; returns the XXH3 of what was written, where it is kept for
    /// another run.
    pub(crate) fn write(&self, first: usize, rows: &[u64]) -> Result<u64> {
        let mut hash = Xxh3Default::new();
        let mut bytes = Vec::with_capacity(rows.len() / self.width.max(1) * WIDTH as usize);
        for column in 0..self.width {
            bytes.clear();
            for value in rows.chunks_exact(self.width).filter_map(|row| row.get(column)) {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
            let offset = (column as u64 * self.rows + first as u64) * WIDTH;
            write_at(&self.file, &bytes, offset)
                .map_err(|error| self.spill.error(self.rows * self.width as u64 * WIDTH, error))?;
            if self.spill.resume().is_some() {
                hash.update(&bytes);
            }
        }
        Ok(hash.digest())
    }

    /// Whether so many rows from `first` on are as an earlier run has written them.
    pub(crate) fn hold(&self, first: usize, rows: usize, hash: u64) -> bool {
        let mut found = Xxh3Default::new();
        let mut bytes = vec![0; rows * WIDTH as usize];
        let is_read = (0..self.width).all(|column| {
            let offset = (column as u64 * self.rows + first as u64) * WIDTH;
            let is_read = read_at(&self.file, &mut bytes, offset).is_ok();
            found.update(&bytes);
            is_read
        });
        is_read && found.digest() == hash
    }

    /// Reads a column in place of what there was; its values have eight bytes each, the lowest first.
    pub(crate) fn read(&self, column: usize, values: &mut Vec<u8>) -> Result<()> {
        let length = self.rows * WIDTH;
        values.resize(length as usize, 0);
        read_at(&self.file, values, column as u64 * length)
            .map_err(|error| DedupError::read(&self.spill.folder, error))
    }
}

/// Rows of numbers that are looked at one by one.
#[derive(Debug)]
pub(crate) struct Rows {
    map: Arc<Map>,
    width: usize,
}

impl Rows {
    /// A row.
    pub(crate) fn get(&self, row: usize) -> Vec<u64> {
        let length = self.width as u64 * WIDTH;
        let start = row as u64 * length;
        let bytes = self.map.get(start..start + length).unwrap_or_default();
        bytes.as_chunks().0.iter().map(|&value| u64::from_le_bytes(value)).collect()
    }
}

/// Writes [`Rows`].
pub(crate) struct RowSpool {
    spill: Spill,
    file: File,
    width: usize,
}

impl RowSpool {
    pub(crate) fn new(spill: &Spill, width: usize) -> Result<Self> {
        Ok(Self { file: spill.file("signatures")?, spill: spill.clone(), width })
    }

    /// Writes rows from `first` on; returns the XXH3 of what was written, where it is kept for another run.
    pub(crate) fn write(&self, first: usize, rows: &[u64]) -> Result<u64> {
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        write_for_map(&self.file, &bytes, (first * self.width) as u64 * WIDTH)
            .map_err(|error| self.spill.error(bytes.len() as u64, error))?;
        Ok(self.spill.resume().map_or(0, |_| xxh3_64(&bytes)))
    }

    /// Whether so many rows from `first` on are as an earlier run has written them.
    pub(crate) fn hold(&self, first: usize, rows: usize, hash: u64) -> bool {
        let mut bytes = vec![0; rows * self.width * WIDTH as usize];
        let offset = (first * self.width) as u64 * WIDTH;
        read_at(&self.file, &mut bytes, offset).is_ok() && xxh3_64(&bytes) == hash
    }

    pub(crate) fn finish(self) -> Result<Rows> {
        Ok(Rows { map: self.spill.map(&self.file, 1)?, width: self.width })
    }
}
