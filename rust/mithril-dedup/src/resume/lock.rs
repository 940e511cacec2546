//! Folders that one run at a time works in.

use crate::error::{DedupError, Result};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "lock";

/// Keeps a folder from other runs as long as this is there.
#[derive(Debug)]
pub(crate) struct Lock {
    folder: PathBuf,
    /// Locked as long as it is open.
    _file: File,
}

impl Lock {
    /// Takes a folder, which is made if there is none; other users cannot look into it, since texts are in it.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        let wrong = |error: io::Error| DedupError::write(folder, error);
        loop {
            make_private(folder).map_err(wrong)?;
            if let Some(lock) = Self::take(folder)? {
                return Ok(lock);
            }
        }
    }

    /// Takes a folder, unless there is none.
    pub(crate) fn of(folder: &Path) -> Result<Option<Self>> {
        while folder.is_dir() {
            if let Some(lock) = Self::take(folder)? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    /// Nothing if the folder was removed meanwhile, by a run that had taken it.
    fn take(folder: &Path) -> Result<Option<Self>> {
        let wrong = |error: io::Error| DedupError::write(folder, error);
        let path = folder.join(NAME);
        let mut options = File::options();
        let file = match options.read(true).write(true).create(true).truncate(false).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(wrong)?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DedupError::CannotResume {
                    folder: folder.to_owned(),
                    difference: "another run is at work on it".to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(wrong(error)),
        }
        // What was opened may have been removed before it was locked, and keeps nobody away then.
        Ok(is_at(&file, &path).then(|| Self { folder: folder.to_owned(), _file: file }))
    }

    /// Removes everything but the lock.
    pub(crate) fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name() == NAME {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes the folder, as far as it can be done: no other run begins in it before it is empty.
    pub(crate) fn remove(&self) {
        if self.clear().is_ok() && fs::remove_file(self.folder.join(NAME)).is_ok() {
            // Another run may have begun in it by now.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let there = fs::symlink_metadata(path).ok().map(number);
    there.is_some() && file.metadata().ok().map(number) == there
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// Makes a folder that other users cannot look into, where there is none. A link, which anybody could have made in a
/// folder for all, is not followed.
fn make_private(folder: &Path) -> io::Result<()> {
    if folder.symlink_metadata().is_ok_and(|there| there.is_symlink()) {
        return Err(io::Error::other("a link is in the place of a folder of mithril; remove it"));
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_keeps_nobody_away() -> Result<()> {
        let root = tempfile::tempdir().map_err(|error| DedupError::write(Path::new("/"), error))?;
        let folder = root.path().join("a/b");
        assert!(Lock::of(&folder)?.is_none());
        let lock = Lock::make(&folder)?;
        assert!(matches!(Lock::of(&folder), Err(DedupError::CannotResume { .. })));
        assert!(matches!(Lock::make(&folder), Err(DedupError::CannotResume { .. })));
        let path = folder.join(NAME);
        let wrong = |error| DedupError::write(&path, error);
        let file = File::open(&path).map_err(wrong)?;
        assert!(is_at(&file, &path));
        fs::remove_file(&path).map_err(wrong)?;
        assert!(!is_at(&file, &path));
        let other = Lock::make(&folder)?;
        assert!(!is_at(&file, &path));
        drop(lock);
        fs::write(folder.join("a file"), "").map_err(wrong)?;
        other.remove();
        assert!(!folder.exists() && root.path().join("a").is_dir());
        Ok(())
    }
}
