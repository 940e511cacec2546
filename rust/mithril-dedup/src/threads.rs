//! The threads that the work of one caller runs on.

use crate::error::{DedupError, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Far more than any machine has; starting many more would take minutes.
const MAX_THREADS: usize = 1024;

/// Threads that live as long as this does, for what is parallel in this crate.
///
/// They are the caller's own: threads of rayon's global pool would not survive a fork of the process.
///
/// ```
/// use mithril_dedup::Threads;
/// let threads = Threads::try_new(Some(2))?;
/// assert_eq!(threads.install(|| 40 + 2), 42);
/// assert!(Threads::try_new(Some(0)).is_err());
/// # Ok::<(), mithril_dedup::DedupError>(())
/// ```
#[derive(Debug)]
pub struct Threads {
    pool: rayon::ThreadPool,
}

impl Threads {
    /// Starts this many threads; as many as the machine has when `None`.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for a number out of range, [`DedupError::Threads`] when the system
    /// gives no threads.
    pub fn try_new(threads: Option<usize>) -> Result<Self> {
        Self::check(threads)?;
        let threads = threads.unwrap_or(0);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("mithril-{index}"))
            .build()
            .map_err(|source| DedupError::Threads { threads, source: source.into() })?;
        Ok(Self { pool })
    }

    /// Whether so many threads can be asked for.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] for a number out of range.
    pub fn check(threads: Option<usize>) -> Result<()> {
        match threads {
            Some(threads) if !(1..=MAX_THREADS).contains(&threads) => {
                Err(DedupError::InvalidArgument(format!(
                    "threads must be between 1 and {MAX_THREADS}, not {threads}"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Does the work on one of the threads; what is parallel in it runs on all.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}

/// Does the work on the threads that this is called on, or, from a thread of no pool, on new ones.
pub(crate) fn on_a_pool<R: Send>(work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    if rayon::current_thread_index().is_some() {
        return work();
    }
    Threads::try_new(None)?.install(work)
}

/// Works on items by their numbers, so many at a time, each thread on one after the other with what is its own.
pub(crate) fn in_turn<T>(
    together: usize,
    items: usize,
    own: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, usize) -> Result<()> + Sync,
    end: impl Fn(T) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    (0..together).into_par_iter().try_for_each(|_| {
        let mut own = own();
        loop {
            let item = next.fetch_add(1, Relaxed);
            if item >= items {
                return end(own);
            }
            work(&mut own, item).inspect_err(|_| next.store(items, Relaxed))?;
        }
    })
}
