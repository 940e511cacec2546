//! Where asynchronous work and heavy computing run.
//!
//! Two sets of threads, each begun by its first use: a tokio runtime for what waits ([`runtime`],
//! [`spawn`]), and a thread pool for what computes ([`spawn_blocking`], [`par_compute`]). All four may
//! be called from any thread: one without a runtime, one inside another's runtime, a worker of this
//! one, or a thread of the pool.
//!
//! Both sets belong to the process. A forked child starts its own at the first use, whatever its
//! parent's threads were doing at the fork; the parent's are unharmed. [`PerProcess`] does this, for
//! whatever else must not cross a fork. The one place to avoid is inside: what forks from within a
//! task or from a thread of the pool leaves a child that takes itself for a worker of threads that are
//! gone.
//!
//! The threads are daemons: a process that ends does not wait for them. What must not outlive
//! something, such as an interpreter that tasks call into, calls [`shutdown`] before.
//!
//! `MITHRIL_NUM_THREADS` sets the number of threads of the pool, or else `RAYON_NUM_THREADS`; the
//! default is one for each core that this process may use. A value that is not a number above zero
//! counts as not set. The runtime has as many workers, but at most eight, for they only move bytes.
//!
//! # Panics
//!
//! All functions here panic if the system refuses to start the first thread.

mod fork;
mod per_process;
mod pool;
mod tasks;

pub(crate) use fork::{Inside, enter};
pub use fork::{after_fork, before_fork};
pub use per_process::PerProcess;
pub(crate) use pool::install;
pub use pool::{par_compute, spawn_blocking};

use std::num::NonZeroUsize;
use std::time::Duration;
use std::{env, thread};
use tasks::Tasks;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// What one worker decrypts fills a link of 10 Gbit/s; more than eight would only wait.
const MAX_WORKERS: usize = 8;

static RUNTIME: PerProcess<Runtime> = PerProcess::new();
static TASKS: PerProcess<Tasks> = PerProcess::new();

/// The tokio runtime of this process, which the first call starts.
///
/// ```
/// let answer = mithril_core::runtime().block_on(async { 6 * 7 });
/// assert_eq!(answer, 42);
/// ```
pub fn runtime() -> &'static Runtime {
    RUNTIME.get_or_init(|| {
        let workers = threads().min(MAX_WORKERS);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers).thread_name("mithril-runtime").enable_all();
        or_panic(builder.build(), "the runtime")
    })
}

/// Runs a future on the runtime of this process.
///
/// The task runs whether or not its handle is awaited, and a dropped handle lets it run on.
///
/// # Errors
///
/// The handle gives an error if the future panicked, or if it was aborted through the handle or by
/// [`shutdown`].
///
/// ```
/// let task = mithril_core::spawn(async { 6 * 7 });
/// let answer = mithril_core::runtime().block_on(task)?;
/// assert_eq!(answer, 42);
/// # Ok::<(), tokio::task::JoinError>(())
/// ```
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tasks().spawn(future)
}

/// Aborts what [`spawn`] and [`spawn_blocking`] have begun, and waits until all of it has stopped.
///
/// A future stops where it next waits, and is dropped; a closure that has begun runs to its end, and
/// one that has not never will. Handles give an error that is cancelled. What is spawned from now on
/// is aborted before it begins. Not affected: what others run on [`runtime`] itself, [`par_compute`],
/// and a forked child.
///
/// Gives `false` if something still runs after `timeout`. To be called from a thread that is not
/// itself one of the runtime or the pool, which would wait for itself.
///
/// ```
/// use std::time::Duration;
///
/// let task = mithril_core::spawn(std::future::pending::<()>());
/// assert!(mithril_core::runtime::shutdown(Duration::from_secs(10)));
/// let error = mithril_core::runtime().block_on(task).unwrap_err();
/// assert!(error.is_cancelled());
/// ```
#[must_use = "false says that something still runs"]
pub fn shutdown(timeout: Duration) -> bool {
    tasks().shutdown(timeout)
}

fn tasks() -> &'static Tasks {
    TASKS.get_or_init(Tasks::default)
}

/// How many threads compute.
fn threads() -> usize {
    let named = |name| env::var(name).ok()?.trim().parse::<NonZeroUsize>().ok();
    named("MITHRIL_NUM_THREADS")
        .or_else(|| named("RAYON_NUM_THREADS"))
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
}

#[expect(clippy::panic, reason = "as std::thread::spawn: without a thread nothing here can go on")]
fn or_panic<T, E: std::fmt::Display>(started: Result<T, E>, what: &str) -> T {
    started.unwrap_or_else(|error| panic!("cannot start the threads of {what}: {error}"))
}
