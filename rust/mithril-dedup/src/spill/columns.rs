//! Rows of numbers in a temporary file, column by column.

use super::map::write_for_map;
use super::{Map, Spill, read_at, write_at};
use crate::error::{DedupError, Result};
use std::fs::File;
use std::sync::Arc;

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
        Ok(Self { file: spill.file()?, spill: spill.clone(), rows: rows as u64, width: columns })
    }

    pub(crate) fn columns(&self) -> usize {
        self.width
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Writes rows from `first` on, given row by row.
    pub(crate) fn write(&self, first: usize, rows: &[u64]) -> Result<()> {
        let mut bytes = Vec::with_capacity(rows.len() / self.width.max(1) * WIDTH as usize);
        for column in 0..self.width {
            bytes.clear();
            let values = rows.iter().skip(column).step_by(self.width);
            bytes.extend(values.flat_map(|value| value.to_le_bytes()));
            let offset = (column as u64 * self.rows + first as u64) * WIDTH;
            write_at(&self.file, &bytes, offset)
                .map_err(|error| self.spill.error(self.rows * self.width as u64 * WIDTH, error))?;
        }
        Ok(())
    }

    /// Reads a column.
    pub(crate) fn column(&self, column: usize) -> Result<Vec<u64>> {
        let mut values = Vec::with_capacity(self.rows as usize);
        let mut bytes = vec![0; 1 << 20];
        let start = column as u64 * self.rows * WIDTH;
        let (mut at, end) = (start, start + self.rows * WIDTH);
        while at < end {
            let length = bytes.len().min((end - at) as usize);
            let part = bytes.get_mut(..length).unwrap_or_default();
            read_at(&self.file, part, at)
                .map_err(|error| DedupError::read(&self.spill.folder, error))?;
            values.extend(part.as_chunks().0.iter().map(|&value| u64::from_le_bytes(value)));
            at += length as u64;
        }
        Ok(values)
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
        Ok(Self { file: spill.file()?, spill: spill.clone(), width })
    }

    /// Writes rows from `first` on.
    pub(crate) fn write(&self, first: usize, rows: &[u64]) -> Result<()> {
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        write_for_map(&self.file, &bytes, (first * self.width) as u64 * WIDTH)
            .map_err(|error| self.spill.error(bytes.len() as u64, error))
    }

    pub(crate) fn finish(self) -> Result<Rows> {
        Ok(Rows { map: self.spill.map(&self.file, 1)?, width: self.width })
    }
}
