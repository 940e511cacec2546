//! A moment for a fork: one at which no thread is in the middle of a change.
//!
//! A fork copies memory as it is at that moment, locks that other threads hold included, and the
//! child has no thread that would ever unlock them. Most of what is here has no such locks, or fills
//! anew what a child finds ([`PerProcess`](super::PerProcess)). What has to keep its content in the
//! child, as a store in memory has, is only touched by those who have [entered](enter), and whoever is
//! about to fork waits until all have left.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

static INSIDE: AtomicUsize = AtomicUsize::new(0);
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Somebody is in the middle of something short as long as this lives.
pub(crate) struct Inside(());

/// Waits while a fork is about to happen, and holds off the next one.
///
/// Whoever is inside must not wait for anything that could wait for a fork.
pub(crate) fn enter() -> Inside {
    loop {
        // In this order, and sequentially consistent, as is the other side: one of the two sees the
        // other.
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let inside = Inside(());
        if !CLOSED.load(Ordering::SeqCst) {
            return inside;
        }
        drop(inside);
        pause();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until no thread is in the middle of something that a child would find half-done, and holds
/// new ones off.
///
/// To be called right before a fork, with [`after_fork`] right after it in both processes; Python's
/// `os.register_at_fork` and `pthread_atfork` are made for that. A process that forks without it is as
/// safe as long as no other thread uses a [`MemoryStorage`](crate::MemoryStorage) at that moment; all
/// else here needs no preparation.
///
/// ```
/// mithril_core::runtime::before_fork();
/// // Here the process forks.
/// mithril_core::runtime::after_fork();
/// ```
pub fn before_fork() {
    CLOSED.store(true, Ordering::SeqCst);
    while INSIDE.load(Ordering::SeqCst) > 0 {
        pause();
    }
}

/// Lets threads go on after a fork; see [`before_fork`].
pub fn after_fork() {
    CLOSED.store(false, Ordering::SeqCst);
}

fn pause() {
    thread::sleep(Duration::from_micros(50));
}
