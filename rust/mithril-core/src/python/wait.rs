//! Waiting for a future from Python, without standing in the way of anybody.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::to_py_err;
use crate::runtime::runtime;

/// How often a waiting call looks for Ctrl-C.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// Runs a future to its end and returns what it gives, or raises its error.
///
/// As [`wait_for`], for what goes to Python as it is.
///
/// # Errors
///
/// [`to_py_err`] of the future's error; what a signal handler raised.
///
/// ```
/// use mithril_core::python::run_async;
/// use pyo3::prelude::*;
///
/// Python::initialize();
/// let answer: PyResult<u64> = Python::attach(|py| run_async(py, async { Ok(6 * 7) }));
/// assert_eq!(answer.unwrap(), 42);
/// ```
pub fn run_async<'py, F, T>(py: Python<'py>, future: F) -> PyResult<T>
where
    F: Future<Output = crate::Result<T>> + Send,
    T: IntoPyObject<'py> + Send,
{
    wait_for(py, future)?.map_err(to_py_err)
}

/// Runs a future to its end and returns what it gives.
///
/// The GIL is released meanwhile, so that other threads of Python go on. Ctrl-C drops the future and
/// raises `KeyboardInterrupt`. It may be called inside a running event loop, as in notebooks, which
/// then waits.
///
/// # Errors
///
/// What a signal handler raised.
///
/// ```
/// use mithril_core::python::wait_for;
/// use pyo3::prelude::*;
///
/// Python::initialize();
/// let answer = Python::attach(|py| wait_for(py, async { 6 * 7 }));
/// assert_eq!(answer.unwrap(), 42);
/// ```
pub fn wait_for<F>(py: Python<'_>, future: F) -> PyResult<F::Output>
where
    F: Future + Send,
    F::Output: Send,
{
    py.detach(|| {
        if Handle::try_current().is_err() {
            return block_on(future);
        }
        // Within a task, where waiting is forbidden: another thread does it.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| block_on(future));
            waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

fn block_on<F: Future>(future: F) -> PyResult<F::Output> {
    let mut future = pin!(future);
    // What is done at once, as in memory, needs neither a timer nor a look for signals: 0.2 us, not 2.
    let within = runtime().enter();
    let first = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(within);
    if let Poll::Ready(outcome) = first {
        return Ok(outcome);
    }
    runtime().block_on(interruptible(future))
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the path has too short a lifetime")]
async fn interruptible<F: Future + Unpin>(mut future: F) -> PyResult<F::Output> {
    loop {
        match timeout(SIGNALS_EVERY, &mut future).await {
            Ok(outcome) => return Ok(outcome),
            Err(_) => Python::attach(|py| py.check_signals())?,
        }
    }
}
