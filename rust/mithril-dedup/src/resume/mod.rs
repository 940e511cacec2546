//! What a run has done, kept so that another goes on from there.
//!
//! A run is a number of stages of units that do not depend on how many threads there are. What has become of a unit is
//! an entry of its stage's [`Journal`], written when the unit is done. Large things (texts, band hashes) are in files
//! beside them, and entries hold their hashes, so that what a failing machine has lost is noticed and done again.

mod account;
pub(crate) mod arrays;
mod journal;
mod lock;

pub(crate) use account::{Account, Input};
pub(crate) use journal::Journal;
pub(crate) use lock::Lock;

use crate::error::{DedupError, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the run is, as JSON; written last, so that a folder without it holds nothing.
const ACCOUNT: &str = "run.json";

/// A folder that no other run uses at the same time.
#[derive(Debug)]
pub(crate) struct Resume {
    folder: PathBuf,
    lock: Lock,
    journals: Mutex<HashMap<String, Arc<Journal>>>,
    /// The units that had been done.
    taken: AtomicU64,
}

impl Resume {
    /// Goes on in a folder, or begins there; tells whether anything is there to go on from.
    ///
    /// An error if what is there is of a run of other inputs or options, with what differs.
    pub(crate) fn open(folder: &Path, account: &Account) -> Result<(Self, bool)> {
        let wrong = |error: io::Error| DedupError::write(folder, error);
        let lock = Lock::make(folder)?;
        let path = folder.join(ACCOUNT);
        let before = match fs::read(&path) {
            Ok(text) => Account::parse(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(DedupError::read(&path, error)),
        };
        if let Some(before) = &before {
            let difference = match before {
                Ok(before) => account.difference(before),
                Err(version) => Some(format!("it was begun by version {version}")),
            };
            if let Some(difference) = difference {
                return Err(DedupError::CannotResume { folder: folder.to_owned(), difference });
            }
        } else {
            lock.clear().map_err(wrong)?;
            let new = folder.join("run.json.new");
            let text = serde_json::to_vec_pretty(account).map_err(io::Error::other);
            let write = |text: Vec<u8>| {
                let mut file = File::create(&new)?;
                file.write_all(&text)?;
                file.sync_all()
            };
            text.and_then(write).map_err(wrong)?;
            fs::rename(&new, &path).and_then(|()| sync_folder(folder)).map_err(wrong)?;
        }
        let (journals, taken) = (Mutex::default(), AtomicU64::new(0));
        let resume = Self { folder: folder.to_owned(), lock, journals, taken };
        Ok((resume, before.is_some()))
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The units of an earlier run that were not done again.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// The journal of a stage.
    pub(crate) fn journal(&self, stage: &str) -> Result<Arc<Journal>> {
        let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(journal) = journals.get(stage) {
            return Ok(Arc::clone(journal));
        }
        let path = self.folder.join(format!("{stage}.journal"));
        let journal = Journal::open(&path).map_err(|error| DedupError::write(&path, error))?;
        let journal = Arc::new(journal);
        journals.insert(stage.to_owned(), Arc::clone(&journal));
        Ok(journal)
    }

    /// What an earlier run has kept of a unit of a stage, if that holds.
    pub(crate) fn kept<T: DeserializeOwned>(
        &self,
        (stage, number): (&str, u64),
        holds: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        let kept = self.journal(stage).ok()?.get(number).filter(holds)?;
        self.take();
        Some(kept)
    }

    /// Keeps what has become of a unit of a stage.
    pub(crate) fn keep<T: Serialize>(&self, (stage, number): (&str, u64), made: &T) -> Result<()> {
        let kept = self.journal(stage)?.put(number, made);
        kept.map_err(|error| DedupError::Temporary {
            folder: self.folder.clone(),
            wanted: 0,
            source: error.into(),
        })
    }

    /// Makes sure that what was kept of a stage survives the machine.
    pub(crate) fn sync(&self, stage: &str) -> Result<()> {
        let synced = self.journal(stage)?.sync().and_then(|()| sync_folder(&self.folder));
        synced.map_err(|error| DedupError::write(&self.folder, error))
    }

    /// Removes the folder.
    pub(crate) fn remove(&self) {
        self.lock.remove();
    }

    /// Counts a unit that is not done again.
    pub(crate) fn take(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// Opens a file in the folder for reading and writing, a new one if there is none.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        let path = self.folder.join(name);
        File::options().read(true).write(true).create(true).truncate(false).open(path)
    }

    /// Whether there is a file.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }
}

/// Makes sure that the names in a folder survive the machine.
#[cfg(unix)]
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
