//! How a long computation tells where it is.

mod console;

pub use console::ConsoleProgress;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Receives the progress of a computation that has one or more phases.
///
/// A phase begins with [`set_message`](Self::set_message) and [`set_total`](Self::set_total), which
/// puts the count back to zero; any thread may then [`increment`](Self::increment).
pub trait ProgressReporter: Send + Sync {
    /// Begins a phase of `total` units; zero when their number is not known.
    fn set_total(&self, total: u64);
    /// Counts `amount` further units as done.
    fn increment(&self, amount: u64);
    /// Names the phase.
    fn set_message(&self, message: &str);
    /// Ends the last phase.
    fn finish(&self);
}

/// Reports nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopProgress;

impl ProgressReporter for NoopProgress {
    fn set_total(&self, _total: u64) {}
    fn increment(&self, _amount: u64) {}
    fn set_message(&self, _message: &str) {}
    fn finish(&self) {}
}

/// Calls a function with `(done, total, message)` after every change.
///
/// ```
/// use mithril_core::{CallbackProgress, ProgressReporter};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let seen = AtomicU64::new(0);
/// let progress = CallbackProgress::new(|done, _total, _message| seen.store(done, Ordering::Relaxed));
/// progress.set_total(10);
/// progress.increment(4);
/// assert_eq!(seen.load(Ordering::Relaxed), 4);
/// ```
pub struct CallbackProgress<F: Fn(u64, u64, &str)> {
    callback: F,
    done: AtomicU64,
    total: AtomicU64,
    message: Mutex<String>,
}

impl<F: Fn(u64, u64, &str)> CallbackProgress<F> {
    /// A reporter that calls `callback(done, total, message)`, from whatever thread makes progress.
    pub fn new(callback: F) -> Self {
        Self {
            callback,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            message: Mutex::new(String::new()),
        }
    }

    fn call(&self, done: u64) {
        let message = self.message.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.callback)(done, self.total.load(Ordering::Relaxed), &message);
    }
}

impl<F: Fn(u64, u64, &str) + Send + Sync> ProgressReporter for CallbackProgress<F> {
    fn set_total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        self.call(0);
    }

    fn increment(&self, amount: u64) {
        let before = self.done.fetch_add(amount, Ordering::Relaxed);
        self.call(before + amount);
    }

    fn set_message(&self, message: &str) {
        message.clone_into(&mut self.message.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn finish(&self) {
        self.call(self.done.load(Ordering::Relaxed));
    }
}
