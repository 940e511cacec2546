//! Records in a temporary file, by the part that each belongs to.

use super::{Spill, read_at, write_at};
use crate::error::{DedupError, Result};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

const WIDTH: usize = 8;
/// What is read at a time, and the least and the most that is written.
const READ: usize = 1 << 20;
const LEAST_WRITTEN: u64 = 4 << 10;
const MOST_WRITTEN: u64 = 256 << 10;

/// A record: so many numbers.
pub(crate) type Record = [u64; RECORD];
/// The numbers of a record.
pub(crate) const RECORD: usize = 5;

/// Where records lie that were written at once, and how many bytes they have.
type Extent = (u64, u64);

/// Records of so many numbers in runs that are written at once.
#[derive(Debug)]
pub(crate) struct Runs<const N: usize> {
    spill: Spill,
    file: File,
    end: AtomicU64,
}

impl<const N: usize> Runs<N> {
    pub(crate) fn new(spill: &Spill, name: &str) -> Result<Self> {
        Ok(Self { file: spill.file(name)?, spill: spill.clone(), end: AtomicU64::new(0) })
    }

    /// Writes a run; returns where it is.
    pub(crate) fn write(&self, records: &[[u64; N]]) -> Result<u64> {
        let bytes: Vec<u8> =
            records.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        self.append(&bytes)
    }

    /// Appends bytes that are whole records; returns where.
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let start = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let written = write_at(&self.file, bytes, start);
        written.map_err(|error| self.spill.error(bytes.len() as u64, error))?;
        Ok(start)
    }

    /// Reads so many records from one of a run on, which is `first` records behind where the run is.
    pub(crate) fn read(&self, run: u64, first: u64, count: u64) -> Result<Vec<[u64; N]>> {
        let width = (N * WIDTH) as u64;
        let mut bytes = Vec::new();
        self.fill(&mut bytes, run + first * width, count * width)?;
        Ok(records(&bytes).collect())
    }

    fn fill(&self, bytes: &mut Vec<u8>, start: u64, length: u64) -> Result<()> {
        bytes.resize(length as usize, 0);
        read_at(&self.file, bytes, start)
            .map_err(|error| DedupError::read(&self.spill.folder, error))
    }
}

/// Records in so many partitions, in no order.
#[derive(Debug)]
pub(crate) struct Partitions {
    runs: Runs<RECORD>,
    extents: Vec<Mutex<Vec<Extent>>>,
}

impl Partitions {
    pub(crate) fn new(spill: &Spill, name: &str, partitions: usize) -> Result<Self> {
        let mut extents = Vec::new();
        extents.resize_with(partitions.max(1), Mutex::default);
        Ok(Self { runs: Runs::new(spill, name)?, extents })
    }

    pub(crate) fn count(&self) -> usize {
        self.extents.len()
    }

    /// The bytes of all records.
    pub(crate) fn bytes(&self) -> u64 {
        self.runs.end.load(Ordering::Relaxed)
    }

    /// Writes records; each thread may have one.
    pub(crate) fn writer(&self) -> PartitionWriter<'_> {
        let writers = rayon::current_num_threads() * self.count();
        let most = self.runs.spill.memory / 16 / writers.max(1) as u64;
        let most = most.clamp(LEAST_WRITTEN, MOST_WRITTEN) as usize;
        PartitionWriter { partitions: self, buffers: vec![Vec::new(); self.count()], most }
    }

    fn extents(&self, partition: usize) -> Vec<Extent> {
        let extents = self.extents.get(partition);
        extents.map_or_else(Vec::new, |extents| {
            extents.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }

    /// Reads the records of a partition.
    pub(crate) fn read(
        &self,
        partition: usize,
        mut each: impl FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        for (start, length) in self.extents(partition) {
            let end = start + length;
            let step = READ / (RECORD * WIDTH) * (RECORD * WIDTH);
            for start in (start..end).step_by(step) {
                self.runs.fill(&mut bytes, start, (end - start).min(step as u64))?;
                records(&bytes).try_for_each(&mut each)?;
            }
        }
        Ok(())
    }
}

fn records<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u64; N]> + '_ {
    bytes.as_chunks().0.chunks_exact(N).map(|record| {
        let mut numbers = record.iter().map(|&number| u64::from_le_bytes(number));
        std::array::from_fn(|_| numbers.next().unwrap_or_default())
    })
}

/// Collects records until they are worth writing.
pub(crate) struct PartitionWriter<'a> {
    partitions: &'a Partitions,
    buffers: Vec<Vec<u8>>,
    most: usize,
}

impl PartitionWriter<'_> {
    pub(crate) fn push(&mut self, partition: usize, record: Record) -> Result<()> {
        let Some(buffer) = self.buffers.get_mut(partition) else { return Ok(()) };
        buffer.extend(record.iter().flat_map(|number| number.to_le_bytes()));
        if buffer.len() >= self.most {
            Self::write(self.partitions, partition, buffer)?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self) -> Result<()> {
        for (partition, buffer) in self.buffers.iter_mut().enumerate() {
            Self::write(self.partitions, partition, buffer)?;
        }
        Ok(())
    }

    fn write(partitions: &Partitions, partition: usize, buffer: &mut Vec<u8>) -> Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let start = partitions.runs.append(buffer)?;
        if let Some(extents) = partitions.extents.get(partition) {
            let mut extents = extents.lock().unwrap_or_else(PoisonError::into_inner);
            extents.push((start, buffer.len() as u64));
        }
        buffer.clear();
        Ok(())
    }
}
