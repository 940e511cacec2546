//! The folders between the root and the objects: made when a key needs them, removed when nothing
//! is left in them, since folders are not objects and must not stand in the way of a key.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::root::Root;
use crate::fault::{passed, point};
use crate::storage::StorageError;

/// Makes the folder of a store, and puts its name on the disk: what is written into it durably
/// must not go with it.
pub(super) fn make_root(path: &Path) -> io::Result<()> {
    let named = |path: &&Path| !path.as_os_str().is_empty();
    let missing: Vec<_> =
        path.ancestors().filter(named).take_while(|path| !path.exists()).collect();
    fs::create_dir_all(path)?;
    #[cfg(unix)]
    for made in missing {
        let above = made.parent().filter(named).unwrap_or(Path::new("."));
        // Who may not read the folder above cannot flush it either.
        let _ = File::open(above).and_then(|above| above.sync_all());
    }
    #[cfg(not(unix))]
    drop(missing);
    Ok(())
}

impl Root {
    /// Makes the folders above `key` that are missing.
    pub(super) fn make_parents(&self, key: &str) -> Result<(), StorageError> {
        let mut folders: Vec<_> = Path::new(key).ancestors().skip(1).collect();
        folders.reverse();
        for folder in folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()) {
            match point().and_then(|()| self.dir().create_dir(folder)) {
                Ok(()) => passed(),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == ErrorKind::NotADirectory => {
                    return Err(self.in_the_way(key));
                }
                // A deletion has removed the folder above: the caller begins anew.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(self.unwritable(key, &error)),
            }
        }
        Ok(())
    }

    /// Removes the folders above `key` that hold nothing any more. Returns the last one removed.
    pub(super) fn remove_empty_parents<'a>(&self, key: &'a str) -> Option<&'a Path> {
        let parents =
            Path::new(key).ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
        parents.take_while(|path| self.dir().remove_dir(path).is_ok()).last()
    }

    /// Removes a folder in which there are only folders: a writer that died, or one whose disk was
    /// full, may have made them. Returns whether it is gone.
    pub(super) fn remove_empty_folders(&self, folder: &Path) -> bool {
        let Ok(entries) = self.dir().read_dir(folder) else { return false };
        for entry in entries {
            let Ok(entry) = entry else { return false };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_folder || !self.remove_empty_folders(&folder.join(entry.file_name())) {
                return false;
            }
        }
        self.dir().remove_dir(folder).is_ok()
    }

    /// Puts the name of `key` on the disk, and those of all folders on the way to it: another writer
    /// may have made them a moment ago and not flushed them yet.
    pub(super) fn sync_names(&self, key: &str) -> io::Result<()> {
        Path::new(key).ancestors().skip(1).try_for_each(|folder| self.sync_folder(folder))
    }

    /// Puts the names in a folder on the disk.
    pub(super) fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        point()?;
        #[cfg(unix)]
        {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            // As a file: the handle of a folder is one that cannot be flushed.
            match self.dir().open(folder) {
                Ok(folder) => folder.into_std().sync_all()?,
                // Removed since: whoever did that has put it on the disk.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        #[cfg(not(unix))]
        let _ = folder;
        passed();
        Ok(())
    }
}
