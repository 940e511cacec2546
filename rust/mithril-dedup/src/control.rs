//! How a running deduplication is watched and stopped.

use crate::error::{DedupError, Result};
use mithril_core::{NoopProgress, ProgressReporter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// How often flags are looked at.
const LOOK: Duration = Duration::from_millis(50);

static NEVER: AtomicBool = AtomicBool::new(false);

/// The progress reporter and the stop flag of a run.
///
/// The phases reported are `reading` (bytes), `hashing`, `sketching`, `matching` (documents) and
/// `writing` (files).
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// Where progress goes.
    pub progress: &'a dyn ProgressReporter,
    /// Set it to true, from any thread, and the run ends with [`DedupError::Interrupted`].
    pub stop: &'a AtomicBool,
}

impl Default for Control<'_> {
    /// Reports nothing and never stops.
    fn default() -> Self {
        Self { progress: &NoopProgress, stop: &NEVER }
    }
}

impl Control<'_> {
    pub(crate) fn begin(&self, phase: &str, total: u64) {
        self.progress.set_message(phase);
        self.progress.set_total(total);
    }

    /// Does the work with a flag of its own that says when it is to stop, for what outlives a borrow.
    pub(crate) fn with_flag<R>(self, work: impl FnOnce(&Arc<AtomicBool>) -> R) -> R {
        let flag = Arc::new(AtomicBool::new(false));
        let (done, ended) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let copied = &flag;
            scope.spawn(move || {
                while ended.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
                    copied.fetch_or(self.stop.load(Ordering::Relaxed), Ordering::Relaxed);
                }
            });
            let _done = done;
            work(&flag)
        })
    }

    /// Counts `amount` as done; an error when the run is to stop.
    pub(crate) fn advance(&self, amount: u64) -> Result<()> {
        self.progress.increment(amount);
        self.check()
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(DedupError::Interrupted);
        }
        Ok(())
    }
}

/// Counts what is done in a phase that has begun before.
pub(crate) struct Done<'a>(pub(crate) &'a dyn ProgressReporter);

impl ProgressReporter for Done<'_> {
    fn increment(&self, amount: u64) {
        self.0.increment(amount);
    }

    fn set_total(&self, _total: u64) {}

    fn set_message(&self, _message: &str) {}

    fn finish(&self) {}
}
