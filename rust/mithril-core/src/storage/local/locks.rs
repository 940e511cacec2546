//! What keeps the writers of a folder apart, in this process and in others.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cap_std::fs::OpenOptions;
use xxhash_rust::xxh3::xxh3_64;

use super::pending::TEMPORARY;
use super::root::Root;
use crate::storage::StorageError;

const LOCKS: &str = ".mithril/locks";
/// Writers of different keys seldom meet; a lock is an empty file.
const LOCK_FILES: u64 = 64;
/// A writer locks its hidden file right after making it, so that one this old without a lock has no
/// writer any more.
const SWEPT_AFTER: Duration = Duration::from_secs(60);

/// A lock that is held until this is dropped.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a child that was forked meanwhile holds the lock together with its
        // parent, and would keep it for as long as it lives. A failure leaves it at that.
        let _ = self.0.unlock();
    }
}

impl Root {
    /// Holds off the other writers of the key: all of them, or those that look before they write.
    pub(super) fn lock(&self, key: &str, exclusive: bool) -> Result<Lock, StorageError> {
        let name = format!("{LOCKS}/{:02}", lock_number(key));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let open = || self.dir().open_with(&name, &options).map(cap_std::fs::File::into_std);
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.dir().create_dir_all(LOCKS).and_then(|()| open())
            }
            opened => opened,
        };
        let lock = file.and_then(|file| {
            if exclusive {
                uninterrupted(|| file.lock())
            } else {
                uninterrupted(|| file.lock_shared())
            }?;
            Ok(Lock(file))
        });
        lock.map_err(|error| self.unwritable(key, &error))
    }

    /// Both locks in one order, lest two renames wait for each other; one if they are the same.
    pub(super) fn lock_both(
        &self,
        one: &str,
        two: &str,
    ) -> Result<(Lock, Option<Lock>), StorageError> {
        let (mut first, mut second) = (one, two);
        if lock_number(first) > lock_number(second) {
            (first, second) = (second, first);
        }
        let other = lock_number(first) != lock_number(second);
        let first = self.lock(first, false)?;
        Ok((first, other.then(|| self.lock(second, false)).transpose()?))
    }

    /// Removes what writers that died have left; once for each store, before its first write.
    pub(super) fn sweep(&self) {
        // Not a `Once`, in which a forked child would wait for a thread that only its parent has.
        if self.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        let Ok(entries) = self.dir().read_dir(TEMPORARY) else { return };
        for entry in entries.flatten() {
            let old = entry.metadata().is_ok_and(|meta| {
                let age = meta.modified().map(|modified| modified.into_std().elapsed());
                meta.is_file() && age.is_ok_and(|age| age.is_ok_and(|age| age >= SWEPT_AFTER))
            });
            let name = Path::new(TEMPORARY).join(entry.file_name());
            let left =
                old && self.dir().open(&name).is_ok_and(|file| file.into_std().try_lock().is_ok());
            if left {
                // Another process may have swept it first.
                let _ = self.dir().remove_file(&name);
            }
        }
    }
}

/// A signal that arrives while a thread waits for a lock is no reason to give up.
pub(super) fn uninterrupted(mut wait: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match wait() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

fn lock_number(key: &str) -> u64 {
    xxh3_64(key.as_bytes()) % LOCK_FILES
}
