//! Where the output of a run is built, and what a run that is to be resumed keeps.

use super::output::OLD;
use super::remote::Named;
use crate::error::{DedupError, Result};
use crate::resume::Lock;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// The folders of a run with this output, by names that are the same for the next run.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Where the output is built: beside its place, so that a rename never crosses file systems.
    pub(super) building: PathBuf,
    /// What has become of units of work.
    pub(super) kept: PathBuf,
}

impl Places {
    pub(super) fn of(output: &Path, temporary: Option<&Path>) -> Result<Self> {
        let number = |name: &Path| xxh3_64(name.as_os_str().as_encoded_bytes());
        let named = |name: &Path| format!(".mithril-resume-{:016x}", number(name));
        if Named::is_url(output) {
            let temporary = temporary.map_or_else(std::env::temp_dir, Path::to_owned);
            let kept = temporary.join(named(output));
            return Ok(Self { building: kept.join("new"), kept });
        }
        let target = resolve(output).map_err(|error| DedupError::write(output, error))?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = target.with_file_name(format!(".{name}.mithril-resume"));
        let kept = temporary.map_or_else(|| beside.clone(), |folder| folder.join(named(&target)));
        Ok(Self { building: beside.join("new"), kept })
    }

    /// The folder that the output is built in lies in this one.
    fn beside(&self) -> &Path {
        self.building.parent().unwrap_or(&self.building)
    }

    /// Keeps the folder that the output is built in from other runs, where that is not the one of what is kept.
    pub(super) fn lock(&self) -> Result<Option<Lock>> {
        let beside = self.beside();
        (beside != self.kept).then(|| Lock::make(beside)).transpose()
    }

    /// Puts an output back that an earlier run had moved away to replace it, if it ended before it did.
    pub(super) fn restore(&self, output: &Path) -> Result<()> {
        let old = self.beside().join(OLD);
        if Named::is_url(output) || output.exists() || !old.is_dir() {
            return Ok(());
        }
        let lock = Lock::of(self.beside())?;
        if lock.is_none() || output.exists() || !old.is_dir() {
            return Ok(());
        }
        fs::rename(&old, output).map_err(|error| DedupError::write(output, error))
    }

    /// Removes what an earlier run has kept, unless another is at work on it.
    pub(super) fn forget(&self) {
        let kept = Lock::of(&self.kept);
        let beside = if self.beside() == self.kept { Ok(None) } else { Lock::of(self.beside()) };
        if let (Ok(kept), Ok(beside)) = (kept, beside) {
            [kept, beside].iter().flatten().for_each(Lock::remove);
        }
    }
}

/// The absolute path of an output, which is the same before there are folders for it and after. Where the name is a link
/// to a folder, that folder is replaced, not the link.
pub(super) fn resolve(output: &Path) -> io::Result<PathBuf> {
    if output.is_dir() {
        return output.canonicalize();
    }
    let path = std::path::absolute(output)?;
    let there = |folder: &Path| {
        let rest = path.strip_prefix(folder).ok()?;
        Some(folder.canonicalize().ok()?.join(rest))
    };
    let resolved = path.ancestors().skip(1).find_map(there);
    Ok(resolved.unwrap_or(path))
}
