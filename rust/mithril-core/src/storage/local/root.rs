//! The folder of a local store: from keys to files, and never out of it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Once};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use chrono::{DateTime, Utc};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use crate::fault::point;
use crate::storage::key::{RESERVED_SEGMENT, shown};
use crate::storage::{ObjectMeta, StorageError};

pub(super) const TEMPORARY: &str = ".mithril/tmp";
const LOCKS: &str = ".mithril/locks";
/// Writers of different keys seldom meet; a lock is an empty file.
const LOCK_FILES: u64 = 64;
/// A writer locks its hidden file right after making it, so that one this old without a lock has no
/// writer any more.
const SWEPT_AFTER: Duration = Duration::from_secs(60);

pub(super) struct Root {
    path: PathBuf,
    dir: Dir,
    swept: Once,
    /// The folder of [`LocalStorage::temp`](super::LocalStorage::temp), removed when dropped by the
    /// process that made it: a forked child must not take it from its parent.
    temporary: Option<(TempDir, u32)>,
}

pub(super) struct Opened {
    pub(super) file: File,
    pub(super) meta: Metadata,
}

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let dir = fs::create_dir_all(path)
            .and_then(|()| fs::canonicalize(path))
            .and_then(|path| Ok((Dir::open_ambient_dir(&path, ambient_authority())?, path)));
        let (dir, path) = dir.map_err(|error| {
            StorageError::Io(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        })?;
        Ok(Self { path, dir, swept: Once::new(), temporary: None })
    }

    pub(super) fn temp() -> Result<Self, StorageError> {
        let folder = tempfile::Builder::new().prefix("mithril-").tempdir()?;
        let mut root = Self::open(folder.path())?;
        root.temporary = Some((folder, process::id()));
        Ok(root)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    pub(super) fn place(&self, key: &str) -> String {
        format!("{} in {}", shown(key), self.path.display())
    }

    /// What the system said about the file of `key`, in the store's terms.
    pub(super) fn error(&self, key: &str, error: &io::Error) -> StorageError {
        let place = self.place(key);
        match (error.kind(), error.raw_os_error()) {
            (ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory, _) => {
                StorageError::NotFound(place)
            }
            // cap-std reports a path that leads out of the folder so, without a system error code.
            (ErrorKind::PermissionDenied, None) => StorageError::InvalidKey(format!(
                "{place}: a symbolic link leads out of the folder of the store"
            )),
            (ErrorKind::PermissionDenied, Some(_)) => {
                StorageError::PermissionDenied(format!("{place}: {error}"))
            }
            (ErrorKind::InvalidFilename, _) => {
                StorageError::InvalidKey(format!("{place}: {error}"))
            }
            (kind, _) => StorageError::Io(io::Error::new(kind, format!("{place}: {error}"))),
        }
    }

    /// An error while writing is about the disk, not about the object: a folder of the store that
    /// has gone is no missing object.
    pub(super) fn unwritable(&self, key: &str, error: &io::Error) -> StorageError {
        match self.error(key, error) {
            StorageError::NotFound(place) => StorageError::Io(io::Error::new(
                ErrorKind::NotFound,
                format!("{place}: the folder of the store is gone"),
            )),
            error => error,
        }
    }

    pub(super) fn open_object(&self, key: &str) -> Result<Opened, StorageError> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use cap_std::fs::OpenOptionsExt;
            // A pipe would otherwise wait for somebody to write to it.
            options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        }
        let opened = self.dir.open_with(key, &options).and_then(|file| {
            let meta = file.metadata()?;
            Ok((file.into_std(), meta))
        });
        let (file, meta) = opened.map_err(|error| self.error(key, &error))?;
        if !meta.is_file() {
            return Err(StorageError::NotFound(self.place(key)));
        }
        Ok(Opened { file, meta })
    }

    pub(super) fn object_meta(self: &Arc<Self>, key: &str) -> Result<ObjectMeta, StorageError> {
        let meta = self.dir.metadata(key).map_err(|error| self.error(key, &error))?;
        if !meta.is_file() {
            return Err(StorageError::NotFound(self.place(key)));
        }
        Ok(describe(key.to_owned(), &meta))
    }

    /// Holds off the other writers of the key: all of them, or those that look before they write.
    pub(super) fn lock(&self, key: &str, exclusive: bool) -> Result<File, StorageError> {
        let name = format!("{LOCKS}/{:02}", lock_number(key));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let open = || self.dir.open_with(&name, &options).map(cap_std::fs::File::into_std);
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.dir.create_dir_all(LOCKS).and_then(|()| open())
            }
            opened => opened,
        };
        let locked = file.and_then(|file| {
            if exclusive { file.lock() } else { file.lock_shared() }.map(|()| file)
        });
        locked.map_err(|error| self.error(key, &error))
    }

    pub(super) fn delete(&self, key: &str, durable: bool) -> Result<(), StorageError> {
        let _lock = self.lock(key, false)?;
        match point().and_then(|()| self.dir.remove_file(key)).and_then(|()| point()) {
            Ok(()) => {}
            Err(error) => {
                return match self.error(key, &error) {
                    StorageError::NotFound(_) => Ok(()),
                    error => Err(error),
                };
            }
        }
        let gone = self.remove_empty_parents(key);
        if durable {
            let left = gone.unwrap_or(Path::new(key)).parent().unwrap_or(Path::new(""));
            self.sync_folder(left).map_err(|error| self.error(key, &error))?;
        }
        Ok(())
    }

    /// Folders are not objects: one that holds nothing any more must not stand in the way of a key.
    /// Returns the last folder that was removed.
    pub(super) fn remove_empty_parents<'a>(&self, key: &'a str) -> Option<&'a Path> {
        let parents =
            Path::new(key).ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
        parents.take_while(|path| self.dir.remove_dir(path).is_ok()).last()
    }

    pub(super) fn rename(&self, from: &str, to: &str, durable: bool) -> Result<(), StorageError> {
        let _locks = self.lock_both(from, to)?;
        let meta = self.dir.metadata(from).map_err(|error| self.error(from, &error))?;
        if !meta.is_file() {
            return Err(StorageError::NotFound(self.place(from)));
        }
        if from == to {
            return Ok(());
        }
        self.place_file(Path::new(from), to, durable)?;
        self.remove_empty_parents(from);
        if durable {
            let parent = Path::new(from).ancestors().skip(1).find(|path| self.dir.is_dir(path));
            self.sync_folder(parent.unwrap_or(Path::new("")))
                .map_err(|error| self.error(from, &error))?;
        }
        Ok(())
    }

    /// Both locks in one order, lest two renames wait for each other; one if they are the same.
    fn lock_both(&self, one: &str, two: &str) -> Result<[Option<File>; 2], StorageError> {
        let (mut first, mut second) = (one, two);
        if lock_number(first) > lock_number(second) {
            (first, second) = (second, first);
        }
        let other = lock_number(first) != lock_number(second);
        let first = self.lock(first, false)?;
        Ok([Some(first), other.then(|| self.lock(second, false)).transpose()?])
    }

    /// Moves a file of this folder to the place of `key`, and makes the folders that it lacks.
    pub(super) fn place_file(
        &self,
        from: &Path,
        key: &str,
        durable: bool,
    ) -> Result<(), StorageError> {
        // A deletion beside this one may remove a folder that has just been made or found.
        const ATTEMPTS: usize = 100;
        let mut outcome = Ok(());
        for _ in 0..ATTEMPTS {
            outcome = point().and_then(|()| self.dir.rename(from, &self.dir, key));
            match outcome.as_ref().map_err(io::Error::kind) {
                Err(ErrorKind::NotFound) => self.make_parents(key, durable)?,
                // A folder in the place of the object: gone now, if it was empty.
                Err(ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty) => {
                    if self.dir.remove_dir(key).is_err() {
                        return Err(self.in_the_way(key));
                    }
                }
                Err(ErrorKind::NotADirectory) => return Err(self.in_the_way(key)),
                Ok(()) | Err(_) => break,
            }
        }
        outcome.and_then(|()| point()).map_err(|error| self.unwritable(key, &error))?;
        if durable {
            let parent = Path::new(key).parent().unwrap_or(Path::new(""));
            self.sync_folder(parent).map_err(|error| self.error(key, &error))?;
        }
        Ok(())
    }

    fn make_parents(&self, key: &str, durable: bool) -> Result<(), StorageError> {
        let mut folders: Vec<_> = Path::new(key).ancestors().skip(1).collect();
        folders.reverse();
        let mut above = Path::new("");
        for folder in folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()) {
            match point().and_then(|()| self.dir.create_dir(folder)) {
                Ok(()) => {
                    if durable {
                        self.sync_folder(above).map_err(|error| self.error(key, &error))?;
                    }
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotADirectory => {
                    return Err(self.in_the_way(key));
                }
                // A deletion has removed the folder above: the caller begins anew.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(self.error(key, &error)),
            }
            above = folder;
        }
        Ok(())
    }

    fn in_the_way(&self, key: &str) -> StorageError {
        StorageError::InvalidKey(format!(
            "{}: a file cannot lie below a file, and another object is in the way",
            self.place(key)
        ))
    }

    /// Puts the names in a folder on the disk.
    pub(super) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        point()?;
        #[cfg(unix)]
        {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            // As a file: the handle of a folder is one that cannot be flushed.
            match self.dir.open(folder) {
                Ok(folder) => folder.into_std().sync_all()?,
                // Removed since: whoever did that has put it on the disk.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        #[cfg(not(unix))]
        let _ = folder;
        point()
    }

    /// Removes what writers that died have left; once for each store, before its first write.
    pub(super) fn sweep(&self) {
        self.swept.call_once(|| {
            let Ok(entries) = self.dir.read_dir(TEMPORARY) else { return };
            for entry in entries.flatten() {
                let old = entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|modified| {
                    modified.into_std().elapsed().is_ok_and(|age| age >= SWEPT_AFTER)
                });
                let name = Path::new(TEMPORARY).join(entry.file_name());
                let left = old
                    && self.dir.open(&name).is_ok_and(|file| file.into_std().try_lock().is_ok());
                if left {
                    // Another process may have swept it first.
                    let _ = self.dir.remove_file(&name);
                }
            }
        });
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Some((folder, owner)) = self.temporary.take()
            && owner != process::id()
        {
            let _ = folder.keep();
        }
    }
}

/// Whether the entry of the root belongs to the store itself.
pub(super) fn is_reserved(name: &str) -> bool {
    name == RESERVED_SEGMENT
}

fn lock_number(key: &str) -> u64 {
    xxh3_64(key.as_bytes()) % LOCK_FILES
}

pub(super) fn describe(key: String, meta: &Metadata) -> ObjectMeta {
    let modified = meta.modified().map_or(UNIX_EPOCH, cap_std::time::SystemTime::into_std);
    ObjectMeta {
        key,
        size: meta.len(),
        last_modified: DateTime::<Utc>::from(modified),
        etag: Some(etag(meta, modified)),
        content_type: None,
    }
}

/// Every write makes a new file and gives it the time in nanoseconds, so that two writes differ in
/// the file's number or in the time.
pub(super) fn etag(meta: &Metadata, modified: SystemTime) -> String {
    #[cfg(unix)]
    let file = cap_std::fs::MetadataExt::ino(meta);
    #[cfg(not(unix))]
    let file = 0_u64;
    let time = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{file:x}-{time:x}-{:x}", meta.len())
}
