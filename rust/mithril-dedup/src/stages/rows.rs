//! Ids of rows, and their places in the order of all.

use crate::error::{DedupError, Result};

/// Bits of an id that say the row in its block.
pub const ROW_BITS: u32 = 40;

/// The most blocks there can be: ids stay positive.
pub const MAX_BLOCKS: u32 = 1 << (63 - ROW_BITS);

/// The id of a row of a block; rows are decided in the order of ids.
///
/// ```
/// use mithril_dedup::stages::id_of;
/// assert_eq!(id_of(2, 5), (2 << 40) + 5);
/// ```
#[must_use]
pub fn id_of(block: u32, row: usize) -> i64 {
    i64::from(block) << ROW_BITS | row as i64
}

pub(super) fn block_of(id: i64) -> u32 {
    (id >> ROW_BITS) as u32
}

pub(super) fn row_of(id: i64) -> usize {
    (id & ((1 << ROW_BITS) - 1)) as usize
}

/// How many rows each block has: what makes ids places in bitmaps.
///
/// ```
/// use mithril_dedup::stages::{Rows, id_of};
/// let rows = Rows::new([3, 0, 2]);
/// assert_eq!(rows.len(), 5);
/// assert_eq!(rows.place(id_of(2, 1))?, 4);
/// assert!(rows.place(id_of(1, 0)).is_err());
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Rows {
    /// Where each block begins, and the end.
    starts: Vec<usize>,
}

impl Rows {
    /// Blocks of so many rows.
    #[must_use]
    pub fn new(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut starts = vec![0];
        let mut end = 0;
        starts.extend(lengths.into_iter().map(|length| {
            end += length;
            end
        }));
        Self { starts }
    }

    /// The number of all rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a row in the order of ids, from zero.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for the id of no row.
    pub fn place(&self, id: i64) -> Result<usize> {
        let block = block_of(id) as usize;
        let bounds = (self.starts.get(block), self.starts.get(block + 1));
        if let (Some(&start), Some(&end)) = bounds
            && id >= 0
            && start + row_of(id) < end
        {
            return Ok(start + row_of(id));
        }
        Err(DedupError::InvalidArgument(format!("no row has the id {id}")))
    }

    /// Where a block begins in the order of ids; the number of all rows past the last.
    pub(super) fn start(&self, block: u32) -> usize {
        self.starts.get(block as usize).copied().unwrap_or(self.len())
    }
}
