//! What has been spawned in this process and has not ended.

use super::runtime;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinHandle};

/// Knows every task and closure until it has been dropped, so that a shutdown can wait for that.
///
/// tokio stops the tasks of a runtime when the runtime is given up, and one that is handed out as
/// `&'static` never is.
#[derive(Default)]
pub(super) struct Tasks {
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    next: u64,
    /// A closure, and a task whose spawning is not over, has no handle.
    running: HashMap<u64, Option<AbortHandle>>,
}

/// Stands for one task or closure; dropped after it.
pub(super) struct Entry {
    tasks: &'static Tasks,
    id: u64,
}

impl Tasks {
    /// Registers a closure or task, unless there has been a shutdown.
    pub(super) fn enter(&'static self) -> Option<Entry> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let id = state.next;
        state.next += 1;
        state.running.insert(id, None);
        Some(Entry { tasks: self, id })
    }

    pub(super) fn spawn<F>(&'static self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let Some(entry) = self.enter() else {
            let handle = runtime().spawn(std::future::pending());
            handle.abort();
            return handle;
        };
        let id = entry.id;
        let handle = runtime().spawn(Task { future: Box::pin(future), _entry: entry });
        let mut state = self.state();
        // None if the task is over already.
        if let Some(running) = state.running.get_mut(&id) {
            *running = Some(handle.abort_handle());
        }
        if state.closed {
            handle.abort();
        }
        drop(state);
        handle
    }

    pub(super) fn shutdown(&self, timeout: Duration) -> bool {
        let mut state = self.state();
        state.closed = true;
        let handles: Vec<_> = state.running.values().flatten().cloned().collect();
        drop(state);
        for handle in handles {
            handle.abort();
        }
        let ended =
            self.idle.wait_timeout_while(self.state(), timeout, |state| !state.running.is_empty());
        !ended.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.tasks.state();
        // The handle may be the last of its task, whose drop is not for under the lock.
        let handle = state.running.remove(&self.id);
        let idle = state.running.is_empty();
        drop(state);
        drop(handle);
        if idle {
            self.tasks.idle.notify_all();
        }
    }
}

/// A future and then its entry: fields are dropped in this order.
struct Task<F> {
    future: Pin<Box<F>>,
    _entry: Entry,
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.get_mut().future.as_mut().poll(context)
    }
}
