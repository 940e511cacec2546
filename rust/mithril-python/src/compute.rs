//! Work that computes, as a future that an operation waits for.

use mithril_core::{MithrilError, spawn_blocking};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::AbortHandle;

/// Runs `work` on the engine's pool. Whoever drops the future stops it: before it has begun, or where it
/// looks at the flag that it is given.
pub(crate) async fn compute<T, E>(
    work: impl FnOnce(&AtomicBool) -> Result<T, E> + Send + 'static,
) -> Result<T, MithrilError>
where
    T: Send + 'static,
    E: Into<MithrilError> + Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let task = spawn_blocking(move || work(&seen));
    let _dropped = Stop { stop, task: task.abort_handle() };
    match task.await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(MithrilError::Other("the work was stopped before its end".to_owned())),
        },
    }
}

struct Stop {
    stop: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}
