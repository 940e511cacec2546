//! Points at which tests let a process die or a system call fail (feature `testing`).
//!
//! Every change that a local store makes to the disk has one before it, where it may fail, and one
//! after it, where the process may die. Without the feature they are nothing.

#[cfg(feature = "testing")]
mod armed {
    use std::io;
    use std::sync::atomic::{AtomicI64, Ordering};

    static UNTIL_CRASH: AtomicI64 = AtomicI64::new(i64::MAX);
    static UNTIL_ERROR: AtomicI64 = AtomicI64::new(i64::MAX);

    /// Lets the process abort at the `n`th point from now, counted from one.
    pub fn crash_at(n: u32) {
        UNTIL_CRASH.store(i64::from(n), Ordering::SeqCst);
    }

    /// Lets the `n`th change to the disk from now, counted from one, and it alone, report a full disk.
    pub fn fail_at(n: u32) {
        UNTIL_ERROR.store(i64::from(n), Ordering::SeqCst);
    }

    pub(crate) fn passed() {
        if UNTIL_CRASH.fetch_sub(1, Ordering::SeqCst) == 1 {
            std::process::abort();
        }
    }

    pub(crate) fn point() -> io::Result<()> {
        passed();
        if UNTIL_ERROR.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "a full disk, by a test"));
        }
        Ok(())
    }
}

#[cfg(feature = "testing")]
pub use armed::{crash_at, fail_at};
#[cfg(feature = "testing")]
pub(crate) use armed::{passed, point};

#[cfg(not(feature = "testing"))]
#[expect(clippy::unnecessary_wraps, reason = "the armed form fails")]
#[inline]
pub(crate) fn point() -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(feature = "testing"))]
#[inline]
pub(crate) fn passed() {}
