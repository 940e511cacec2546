//! An object that is being written: a hidden file until it is renamed to its place.

use std::fs::{File, FileTimes};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::OpenOptions;

use super::locks::uninterrupted;
use super::root::{Root, describe, etag};
use crate::fault::{passed, point};
use crate::storage::{PutCondition, StorageError};

pub(super) const TEMPORARY: &str = ".mithril/tmp";

/// Removes the hidden file when dropped, unless it has been committed.
pub(super) struct Pending {
    root: Arc<Root>,
    key: String,
    name: PathBuf,
    /// Locked as long as it is written, so that nobody sweeps it.
    file: File,
    committed: bool,
    /// Who made it: a forked child drops its copy of this, and must leave the file alone.
    owner: u32,
}

impl Pending {
    pub(super) fn create(root: &Arc<Root>, key: &str) -> Result<Self, StorageError> {
        root.sweep();
        let created = create_hidden(root).map_err(|error| root.unwritable(key, &error))?;
        let (name, file) = created;
        let pending = Self {
            root: Arc::clone(root),
            key: key.to_owned(),
            name,
            file,
            committed: false,
            owner: process::id(),
        };
        uninterrupted(|| pending.file.lock()).map_err(|error| root.unwritable(key, &error))?;
        Ok(pending)
    }

    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), StorageError> {
        let written = point().and_then(|()| self.file.write_all(data));
        passed();
        written.map_err(|error| self.root.unwritable(&self.key, &error))
    }

    /// Puts the object in its place and returns its etag.
    pub(super) fn commit(
        mut self,
        condition: Option<&PutCondition>,
        durable: bool,
    ) -> Result<String, StorageError> {
        let (root, key) = (Arc::clone(&self.root), self.key.clone());
        let finished = self.finish(durable).map_err(|error| root.unwritable(&key, &error))?;
        let _lock = root.lock(&key, condition.is_some())?;
        if let Some(condition) = condition {
            check(&root, &key, condition)?;
        }
        root.place_file(&self.name, &key, durable)?;
        self.committed = true;
        Ok(finished)
    }

    fn finish(&mut self, durable: bool) -> io::Result<String> {
        let now = SystemTime::now();
        self.file.set_times(FileTimes::new().set_modified(now))?;
        if durable {
            point()?;
            self.file.sync_all()?;
            passed();
        }
        let meta = cap_std::fs::Metadata::from_file(&self.file)?;
        // As the file system has kept it, which may be more coarse.
        let modified = meta.modified()?.into_std();
        Ok(etag(&meta, modified))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.committed && self.owner == process::id() {
            // Nothing can be done about a failure here; the file is swept later.
            let _ = self.root.dir().remove_file(&self.name);
        }
    }
}

fn create_hidden(root: &Root) -> io::Result<(PathBuf, File)> {
    static CREATED: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    loop {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let name = Path::new(TEMPORARY).join(format!("{}-{time:x}-{number:x}", process::id()));
        point()?;
        match root.dir().open_with(&name, &options) {
            Ok(file) => {
                passed();
                return Ok((name, file.into_std()));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                root.dir().create_dir_all(TEMPORARY)?;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn check(root: &Root, key: &str, condition: &PutCondition) -> Result<(), StorageError> {
    let there = match root.dir().metadata(key) {
        Ok(meta) if meta.is_file() => describe(key.to_owned(), &meta).etag,
        Ok(_) => None,
        Err(error) => match root.error(key, &error) {
            StorageError::NotFound(_) => None,
            error => return Err(error),
        },
    };
    match condition {
        PutCondition::Absent if there.is_some() => {
            Err(StorageError::AlreadyExists(root.place(key)))
        }
        PutCondition::Matches(etag) if there.as_ref() != Some(etag) => {
            Err(StorageError::Changed(root.place(key)))
        }
        PutCondition::Absent | PutCondition::Matches(_) => Ok(()),
    }
}
