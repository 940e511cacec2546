//! Waiting for a future from Python, without standing in the way of anybody.

use std::pin::pin;
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
/// The GIL is released meanwhile, so that other threads of Python go on. Ctrl-C drops the future and
/// raises `KeyboardInterrupt`. It may be called inside a running event loop, as in notebooks, which
/// then waits.
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
    py.detach(|| {
        if Handle::try_current().is_err() {
            return runtime().block_on(interruptible(future));
        }
        // Within a task, where waiting is forbidden: another thread does it.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| runtime().block_on(interruptible(future)));
            waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

#[expect(clippy::redundant_closure_for_method_calls, reason = "the path has too short a lifetime")]
async fn interruptible<T>(future: impl Future<Output = crate::Result<T>>) -> PyResult<T> {
    let mut future = pin!(future);
    loop {
        match timeout(SIGNALS_EVERY, &mut future).await {
            Ok(outcome) => return outcome.map_err(to_py_err),
            Err(_) => Python::attach(|py| py.check_signals())?,
        }
    }
}
