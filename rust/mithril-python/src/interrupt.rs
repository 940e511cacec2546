//! Long calls that Ctrl-C can stop.

use crate::error;
use mithril_dedup::{DedupError, Result};
use pyo3::prelude::*;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often signals are looked for.
const SIGNALS: Duration = Duration::from_millis(50);

/// Runs `work` on a thread of its own with the GIL released, and looks for signals meanwhile.
///
/// A signal whose handler raises sets `stop`, which `work` is given; its exception is raised once
/// `work` has ended and cleaned up.
pub(crate) fn run<T: Send>(
    py: Python,
    stop: &AtomicBool,
    work: impl FnOnce(&AtomicBool) -> Result<T> + Send,
) -> PyResult<T> {
    let (signal, outcome) = py.detach(|| {
        thread::scope(|scope| {
            let (done, finished) = mpsc::channel::<()>();
            let worker = scope.spawn(move || {
                // Dropped when the work ends, in whatever way.
                let _done = done;
                work(stop)
            });
            let mut signal = None;
            while finished.recv_timeout(SIGNALS) == Err(RecvTimeoutError::Timeout) {
                if signal.is_none() {
                    signal = raised_by_a_signal();
                    stop.fetch_or(signal.is_some(), Ordering::Relaxed);
                }
            }
            // One that came after the last look, while the work was ending, counts as well.
            let signal = signal.or_else(raised_by_a_signal);
            (signal, worker.join())
        })
    });
    if let Some(signal) = signal {
        return Err(signal);
    }
    match outcome {
        Ok(outcome) => outcome.map_err(|error: DedupError| error::to_python(py, &error)),
        Err(panicked) => panic::resume_unwind(panicked),
    }
}

/// What the handler of a pending signal raises.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "lifetimes: the path does not compile"
)]
fn raised_by_a_signal() -> Option<PyErr> {
    Python::attach(|py| py.check_signals()).err()
}

/// Looks for signals now and then, on the thread that Python called on, while it computes without the GIL.
pub(crate) struct Signals {
    last: Instant,
}

impl Signals {
    pub(crate) fn new() -> Self {
        Self { last: Instant::now() }
    }

    /// What the handler of a signal raises, if it is time to look and there is one.
    pub(crate) fn look(&mut self) -> PyResult<()> {
        if self.last.elapsed() < SIGNALS {
            return Ok(());
        }
        let raised = raised_by_a_signal();
        self.last = Instant::now();
        raised.map_or(Ok(()), Err)
    }
}
