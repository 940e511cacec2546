//! The folder of a local store: from keys to files, and never out of it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use chrono::{DateTime, Utc};
#[cfg(unix)]
use rustix::io::Errno;
use tempfile::TempDir;

use super::folders::make_root;
use crate::fault::{passed, point};
use crate::storage::key::{RESERVED_SEGMENT, shown};
use crate::storage::{ObjectMeta, StorageError};

pub(super) struct Root {
    path: PathBuf,
    dir: Dir,
    /// Whether this store has looked for what writers that died have left.
    pub(super) swept: AtomicBool,
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
        let dir = make_root(path)
            .and_then(|()| fs::canonicalize(path))
            .and_then(|path| Ok((Dir::open_ambient_dir(&path, ambient_authority())?, path)));
        let (dir, path) = dir.map_err(|error| {
            StorageError::Io(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        })?;
        Ok(Self { path, dir, swept: AtomicBool::new(false), temporary: None })
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
            // A link that leads round in a circle, or a socket: neither is an object.
            #[cfg(unix)]
            (_, Some(code))
                if [Errno::LOOP, Errno::NXIO].contains(&Errno::from_raw_os_error(code)) =>
            {
                StorageError::NotFound(place)
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

    pub(super) fn delete(&self, key: &str, durable: bool) -> Result<(), StorageError> {
        let _lock = self.lock(key, false)?;
        match point().and_then(|()| self.dir.remove_file(key)) {
            Ok(()) => passed(),
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
            self.sync_folder(left).map_err(|error| self.not_flushed(key, &error))?;
        }
        Ok(())
    }

    /// Returns whether it has moved the object; a link, which may mean something else elsewhere, has
    /// to be copied.
    pub(super) fn rename(&self, from: &str, to: &str, durable: bool) -> Result<bool, StorageError> {
        let _locks = self.lock_both(from, to)?;
        let meta = self.dir.metadata(from).map_err(|error| self.error(from, &error))?;
        if !meta.is_file() {
            return Err(StorageError::NotFound(self.place(from)));
        }
        if from == to {
            return Ok(true);
        }
        if self.dir.symlink_metadata(from).is_ok_and(|meta| meta.is_symlink()) {
            return Ok(false);
        }
        if durable {
            // Whoever wrote it may not have asked for that.
            let flushed = point().and_then(|()| self.dir.open(from)?.into_std().sync_all());
            flushed.map_err(|error| self.error(from, &error))?;
        }
        self.place_file(Path::new(from), to, durable)?;
        self.remove_empty_parents(from);
        if durable {
            let parent = Path::new(from).ancestors().skip(1).find(|path| self.dir.is_dir(path));
            self.sync_folder(parent.unwrap_or(Path::new("")))
                .map_err(|error| self.not_flushed(from, &error))?;
        }
        Ok(true)
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
                Err(ErrorKind::NotFound) => self.make_parents(key)?,
                // A folder in the place of the object: gone now, unless there are objects in it.
                Err(ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty) => {
                    if !self.remove_empty_folders(Path::new(key)) {
                        return Err(self.in_the_way(key));
                    }
                }
                Err(ErrorKind::NotADirectory) => return Err(self.in_the_way(key)),
                Ok(()) | Err(_) => break,
            }
        }
        outcome.map_err(|error| self.unwritable(key, &error))?;
        passed();
        if durable {
            self.sync_names(key).map_err(|error| self.not_flushed(key, &error))?;
        }
        Ok(())
    }

    /// The change has been made and cannot be taken back, but a power failure may still undo it.
    fn not_flushed(&self, key: &str, error: &io::Error) -> StorageError {
        StorageError::Io(io::Error::new(
            error.kind(),
            format!("{}: changed, but maybe not on the disk yet: {error}", self.place(key)),
        ))
    }

    pub(super) fn in_the_way(&self, key: &str) -> StorageError {
        StorageError::InvalidKey(format!(
            "{}: a file cannot lie below a file, and another object is in the way",
            self.place(key)
        ))
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
