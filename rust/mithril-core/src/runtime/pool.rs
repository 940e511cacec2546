//! Computing on a thread pool of this process's own.

use super::{PerProcess, or_panic, runtime, spawn, tasks, threads};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Not rayon's global pool: a forked child would keep it, without its threads.
static POOL: PerProcess<ThreadPool> = PerProcess::new();

fn pool() -> &'static ThreadPool {
    POOL.get_or_init(|| {
        let builder = ThreadPoolBuilder::new()
            .num_threads(threads())
            .thread_name(|index| format!("mithril-pool-{index}"))
            // Closures are caught before they get here. What is left are panics in the drop of a
            // result nobody waits for: the hook has told of it, and the default would abort.
            .panic_handler(|_| {});
        or_panic(builder.build(), "the pool")
    })
}

/// Runs a closure that computes on the thread pool of this process.
///
/// The pool has a thread for each core, so the closure should compute rather than wait: one that waits
/// for files or for other closures takes a core away, and closures that wait for each other may take
/// them all. tokio's own `spawn_blocking` is for waiting. Inside the closure `tokio::spawn` and
/// `tokio::runtime::Handle::current` reach [`runtime`].
///
/// Aborting the handle prevents a closure that has not begun; one that has runs to its end.
///
/// # Errors
///
/// The handle gives an error if the closure panicked, or if it was aborted through the handle or by
/// [`shutdown`](super::shutdown).
///
/// ```
/// use mithril_core::{runtime, spawn_blocking};
///
/// let sum = spawn_blocking(|| (1..=1000_u64).sum::<u64>());
/// assert_eq!(runtime().block_on(sum)?, 500_500);
/// # Ok::<(), tokio::task::JoinError>(())
/// ```
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    // Without an entry there has been a shutdown, and the task below is aborted at once.
    if let Some(entry) = tasks().enter() {
        pool().spawn(move || {
            let _entry = entry;
            if sender.is_closed() {
                drop(f);
                return;
            }
            let _context = runtime().enter();
            // What the closure leaves half done is seen by nobody who does not see the panic too.
            let result = catch_unwind(AssertUnwindSafe(f));
            // Nobody waits any more: the result is dropped here.
            let _ = sender.send(result);
        });
    }
    spawn(async move {
        match receiver.await {
            Ok(Ok(value)) => value,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => std::future::pending().await,
        }
    })
}

/// Runs `work` on the pool, so that what is parallel in it uses these threads and no others.
pub(crate) fn install<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    pool().install(work)
}

/// Computes `f` of every item on the thread pool of this process; the results are in the items' order.
///
/// Blocks until all are computed: a task of a runtime wraps it in [`spawn_blocking`]. While a thread
/// of the pool waits in here it may take up another closure of the pool, so it should hold no lock that
/// such a closure takes.
///
/// # Panics
///
/// With the panic of `f`, when all calls under way have ended; further items may then not be computed.
///
/// ```
/// let lengths = mithril_core::par_compute(vec!["one", "three"], str::len);
/// assert_eq!(lengths, [3, 5]);
/// ```
pub fn par_compute<T, R, F>(items: Vec<T>, f: F) -> Vec<R>
where
    T: Send,
    R: Send,
    F: Fn(T) -> R + Sync,
{
    pool().install(|| items.into_par_iter().map(&f).collect())
}
