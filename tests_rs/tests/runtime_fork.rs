//! What a forked child finds of its parent's runtime, threads and cells: nothing that stops it.
//!
//! One test alone, so that only the threads that it starts itself run while it forks.

#![cfg(unix)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says by panicking what went wrong"
)]

use mithril_core::runtime::{PerProcess, shutdown};
use mithril_core::{par_compute, runtime, spawn, spawn_blocking};
use mithril_tests::child::in_child;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{panic, process, thread};

fn use_everything() {
    let task =
        spawn(async { spawn_blocking(|| par_compute(vec![1, 2, 3], |item| item * 2)).await });
    let doubled = runtime().block_on(task).unwrap().unwrap();
    assert_eq!(doubled, [2, 4, 6]);
    assert_eq!(par_compute((0..1000).collect(), |item: u64| item).len(), 1000);
    let failed = spawn_blocking::<_, ()>(|| panic::resume_unwind(Box::new("down")));
    assert!(runtime().block_on(failed).unwrap_err().is_panic());
}

#[test]
fn a_forked_child_starts_afresh() {
    in_child("a parent that has used nothing", use_everything);

    use_everything();
    in_child("a parent that has used everything", || {
        use_everything();
        in_child("a grandchild", use_everything);
        use_everything();
    });
    use_everything();

    a_cell_belongs_to_its_process();
    a_fork_while_a_cell_is_filled();
    forks_while_other_threads_are_at_work();

    // Last, for nothing can be spawned here any more; a child can.
    let task = spawn(std::future::pending::<()>());
    in_child("a parent whose task waits", || {
        use_everything();
        assert!(shutdown(Duration::from_secs(30)));
    });
    assert!(!task.is_finished());
    shutdown_stops_everything();
    assert!(runtime().block_on(task).unwrap_err().is_cancelled());
    in_child("a parent that has shut down", use_everything);
}

fn a_cell_belongs_to_its_process() {
    struct Owned(u32);
    impl Drop for Owned {
        fn drop(&mut self) {
            assert_eq!(self.0, process::id(), "dropped in another process than it was made in");
            DROPS.fetch_add(1, Ordering::SeqCst);
        }
    }
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let mut cell = Some(PerProcess::new());
    let make = || Owned(process::id());
    let parent = process::id();
    assert_eq!(cell.as_ref().unwrap().get_or_init(make).0, parent);
    in_child("a cell that the parent has filled", || {
        let taken = cell.take().unwrap();
        assert!(taken.get().is_none());
        assert_eq!(taken.get_or_init(make).0, process::id());
        assert_eq!(taken.get().unwrap().0, process::id());
        in_child("the same in a grandchild, which leaves it empty", || {
            assert!(taken.get().is_none());
        });
        drop(taken);
        assert_eq!(DROPS.load(Ordering::SeqCst), 1);
    });
    assert_eq!(cell.as_ref().unwrap().get().unwrap().0, parent);
    drop(cell);
    assert_eq!(DROPS.load(Ordering::SeqCst), 1);
}

fn a_fork_while_a_cell_is_filled() {
    static CELL: PerProcess<u32> = PerProcess::new();
    let (begun, has_begun) = mpsc::channel();
    let (proceed, may_proceed) = mpsc::channel::<()>();
    let filling = thread::spawn(move || {
        *CELL.get_or_init(|| {
            begun.send(()).unwrap();
            may_proceed.recv().unwrap();
            process::id()
        })
    });
    has_begun.recv().unwrap();
    assert_eq!(CELL.get(), None);
    in_child("a cell that a thread of the parent is filling", || {
        assert_eq!(*CELL.get_or_init(process::id), process::id());
    });
    proceed.send(()).unwrap();
    assert_eq!(filling.join().unwrap(), process::id());
}

fn forks_while_other_threads_are_at_work() {
    static CELL: PerProcess<String> = PerProcess::new();
    let name = || process::id().to_string();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(*CELL.get_or_init(name), name());
                    let fresh = PerProcess::new();
                    assert_eq!(*fresh.get_or_init(name), name());
                    runtime().block_on(spawn(async {})).unwrap();
                    runtime().block_on(spawn_blocking(|| ())).unwrap();
                    par_compute(vec![1, 2, 3], |item| item);
                }
            });
        }
        for round in 0..100 {
            in_child(&format!("fork {round} beside threads at work"), || {
                assert_eq!(*CELL.get_or_init(name), name());
                use_everything();
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn shutdown_stops_everything() {
    let (begun, has_begun) = mpsc::channel();
    let (proceed, may_proceed) = mpsc::channel::<()>();
    let closure = spawn_blocking(move || {
        begun.send(()).unwrap();
        may_proceed.recv()
    });
    has_begun.recv().unwrap();
    assert!(!shutdown(Duration::from_millis(10)), "a closure is still running");
    proceed.send(()).unwrap();
    assert!(shutdown(Duration::from_secs(30)));
    assert!(shutdown(Duration::ZERO));
    assert!(runtime().block_on(closure).unwrap_err().is_cancelled());

    let never: fn() = || unreachable!("spawned after the shutdown");
    assert!(runtime().block_on(spawn(async move { never() })).unwrap_err().is_cancelled());
    assert!(runtime().block_on(spawn_blocking(never)).unwrap_err().is_cancelled());
    // What is not spawned is not affected.
    assert_eq!(par_compute(vec![1], |item| item), [1]);
    assert_eq!(runtime().block_on(async { 7 }), 7);
}
