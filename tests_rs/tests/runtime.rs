//! The runtime and the thread pool, used from every place they may be used from.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says by panicking what went wrong"
)]

use mithril_core::runtime::PerProcess;
use mithril_core::{par_compute, runtime, spawn, spawn_blocking};
use proptest::prelude::*;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use tokio::runtime::{Builder, Handle};

/// Every function once, waiting for the handles with the runtime that the caller is in.
async fn all_four() -> u64 {
    let doubled = spawn_blocking(|| par_compute(vec![1, 2, 3], |item: u64| item * 2));
    let task = spawn(async { spawn_blocking(|| 30).await.unwrap() });
    let doubled = doubled.await.unwrap();
    assert_eq!(doubled, [2, 4, 6]);
    doubled.iter().sum::<u64>() + task.await.unwrap()
}

#[test]
fn all_work_on_a_thread_without_a_runtime() {
    assert!(Handle::try_current().is_err());
    assert_eq!(runtime().block_on(all_four()), 42);
    assert_eq!(par_compute(vec![1, 2], |item| item + 1), [2, 3]);
}

#[test]
fn all_work_inside_the_runtime() {
    assert_eq!(runtime().block_on(spawn(all_four())).unwrap(), 42);
}

#[test]
fn all_work_inside_another_runtime() {
    let other = Builder::new_current_thread().build().unwrap();
    assert_eq!(other.block_on(all_four()), 42);
    let other = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    assert_eq!(other.block_on(other.spawn(all_four())).unwrap(), 42);
}

#[test]
fn computing_nests_without_a_deadlock() {
    // More at once than the pool has threads, each of which waits for computations of its own.
    let nested = || {
        par_compute((0..64_u64).collect(), |item| {
            par_compute((0..item).collect(), |inner| inner).into_iter().sum::<u64>()
        })
    };
    let expected: Vec<u64> = (0..64).map(|item| (0..item).sum()).collect();
    assert_eq!(nested(), expected);
    let handles: Vec<_> = (0..64).map(|_| spawn_blocking(nested)).collect();
    for handle in handles {
        assert_eq!(runtime().block_on(handle).unwrap(), expected);
    }
}

#[test]
fn a_closure_runs_on_the_pool_and_reaches_the_runtime() {
    let (name, answer) = runtime()
        .block_on(spawn_blocking(|| {
            let name = thread::current().name().unwrap().to_owned();
            (name, Handle::current().block_on(tokio::spawn(async { 7 })).unwrap())
        }))
        .unwrap();
    assert!(name.starts_with("mithril-pool-"), "{name}");
    assert_eq!(answer, 7);
}

#[test]
fn panics_come_back_as_errors_of_the_handle() {
    // `resume_unwind` is a panic that does not call the hook, which would write to the terminal.
    let task = spawn(async { resume_unwind(Box::new("of the task")) });
    let closure = spawn_blocking::<_, ()>(|| resume_unwind(Box::new("of the closure")));
    for (handle, text) in [(task, "of the task"), (closure, "of the closure")] {
        let error = runtime().block_on(handle).unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.into_panic().downcast_ref::<&str>(), Some(&text));
    }
    // Both sets of threads have survived it.
    assert_eq!(runtime().block_on(all_four()), 42);
}

#[test]
fn a_panic_while_computing_reaches_the_caller() {
    let compute =
        || {
            par_compute(vec![1, 2, 3], |item| {
                if item == 2 { resume_unwind(Box::new("two")) } else { item }
            })
        };
    let panic = catch_unwind(compute).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"two"));
    assert_eq!(par_compute(vec![1], |item| item), [1]);
}

#[test]
fn a_result_that_panics_when_nobody_wants_it_harms_nothing() {
    struct Sore(mpsc::Sender<()>);
    impl Drop for Sore {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
            resume_unwind(Box::new("dropped"));
        }
    }
    let (begun, has_begun) = mpsc::channel();
    let (proceed, may_proceed) = mpsc::channel::<()>();
    let (dropped, was_dropped) = mpsc::channel();
    let handle = spawn_blocking(move || {
        begun.send(()).unwrap();
        may_proceed.recv().unwrap();
        Sore(dropped)
    });
    has_begun.recv().unwrap();
    handle.abort();
    assert!(runtime().block_on(handle).map(|_| ()).unwrap_err().is_cancelled());
    proceed.send(()).unwrap();
    was_dropped.recv().unwrap();
    assert_eq!(runtime().block_on(all_four()), 42);
}

#[test]
fn an_aborted_closure_that_has_not_begun_never_runs() {
    // Occupies all threads of the pool, however many there are.
    let threads = runtime().block_on(spawn_blocking(rayon::current_num_threads)).unwrap();
    let (occupied, release) =
        (Arc::new(Barrier::new(threads + 1)), Arc::new(Barrier::new(threads + 1)));
    let occupying: Vec<_> = (0..threads)
        .map(|_| {
            let (occupied, release) = (Arc::clone(&occupied), Arc::clone(&release));
            spawn_blocking(move || {
                occupied.wait();
                release.wait();
            })
        })
        .collect();
    occupied.wait();
    let ran = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&ran);
    let handle = spawn_blocking(move || seen.fetch_add(1, Ordering::SeqCst));
    handle.abort();
    assert!(runtime().block_on(handle).unwrap_err().is_cancelled());
    release.wait();
    for handle in occupying {
        runtime().block_on(handle).unwrap();
    }
    // The closure is dropped, and its count with it, once a thread has come to it.
    while Arc::strong_count(&ran) > 1 {
        thread::yield_now();
    }
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn a_dropped_handle_lets_the_work_run_on() {
    let (sender, results) = mpsc::channel();
    let other = sender.clone();
    drop(spawn(async move { sender.send(1).unwrap() }));
    drop(spawn_blocking(move || other.send(2).unwrap()));
    let mut received: Vec<_> = results.iter().collect();
    received.sort_unstable();
    assert_eq!(received, [1, 2]);
}

proptest! {
    #![proptest_config(mithril_tests::proptest_config())]

    #[test]
    fn computing_keeps_the_order(items in prop::collection::vec(any::<u32>(), 0..300)) {
        let expected: Vec<_> = items.iter().map(|&item| u64::from(item) * 3).collect();
        prop_assert_eq!(par_compute(items, |item| u64::from(item) * 3), expected);
    }
}

#[test]
fn a_cell_is_filled_once_whatever_the_threads() {
    static CELL: PerProcess<usize> = PerProcess::new();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let start = Barrier::new(16);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                start.wait();
                let value = CELL.get_or_init(|| {
                    thread::yield_now();
                    CALLS.fetch_add(1, Ordering::SeqCst)
                });
                assert_eq!(*value, 0);
                assert_eq!(CELL.get(), Some(&0));
            });
        }
    });
    assert_eq!(CALLS.load(Ordering::SeqCst), 1);
}

#[test]
fn a_cell_that_could_not_be_filled_is_tried_again() {
    let cell = PerProcess::new();
    assert_eq!(cell.get_or_try_init(|| Err("no")), Err("no"));
    let panic = catch_unwind(AssertUnwindSafe(|| {
        cell.get_or_init(|| resume_unwind(Box::new("neither")));
    }));
    assert!(panic.is_err());
    assert_eq!(cell.get(), None);
    assert_eq!(format!("{cell:?}"), "PerProcess(None)");
    assert_eq!(cell.get_or_try_init(|| Ok::<_, ()>(3)), Ok(&3));
    assert_eq!(format!("{cell:?}"), "PerProcess(Some(3))");
}

#[test]
fn a_cell_drops_its_value_in_the_process_that_made_it() {
    struct Counted<'a>(&'a Cell<u32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Cell::new(0);
    let cell = PerProcess::default();
    cell.get_or_init(|| Counted(&drops));
    drop(cell);
    assert_eq!(drops.get(), 1);
}
