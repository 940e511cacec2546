//! The keys below a folder, in the order of their bytes, one folder in memory at a time.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::vec;

use super::root::{Root, is_reserved};
use crate::storage::key::is_key;
use crate::storage::{FolderListing, ObjectMeta, StorageError};

pub(super) struct Listing {
    root: Arc<Root>,
    /// The folders from the first one down to the one being read, with what is left of each.
    open: Vec<vec::IntoIter<Found>>,
}

/// `key` of a folder ends with a slash, so that sorting puts `a-b` before what lies in `a`.
struct Found {
    key: String,
    is_folder: bool,
}

impl Listing {
    pub(super) fn new(root: Arc<Root>, prefix: &str) -> Result<Self, StorageError> {
        let folder = prefix.rfind('/').map_or("", |slash| prefix.get(..=slash).unwrap_or(""));
        // What lies beyond a linked folder is not listed from above, and so not from within either.
        let mut entries =
            if is_linked(&root, folder) { Vec::new() } else { read_folder(&root, folder)? };
        entries.retain(|entry| entry.key.starts_with(prefix));
        Ok(Self { root, open: vec![entries.into_iter()] })
    }

    /// The next key with its metadata.
    fn next_object(&mut self) -> Result<Option<ObjectMeta>, StorageError> {
        while let Some(key) = self.next_key()? {
            if let Some(meta) = self.meta(&key)? {
                return Ok(Some(meta));
            }
        }
        Ok(None)
    }

    /// Nothing for what has gone since its folder was read.
    fn meta(&self, key: &str) -> Result<Option<ObjectMeta>, StorageError> {
        match self.root.object_meta(key) {
            // A link that points outside is no object either.
            Err(StorageError::NotFound(_) | StorageError::InvalidKey(_)) => Ok(None),
            meta => meta.map(Some),
        }
    }

    fn next_key(&mut self) -> Result<Option<String>, StorageError> {
        while let Some(folder) = self.open.last_mut() {
            match folder.next() {
                None => drop(self.open.pop()),
                Some(found) if found.is_folder => {
                    let entries = read_folder(&self.root, &found.key)?;
                    self.open.push(entries.into_iter());
                }
                Some(found) => return Ok(Some(found.key)),
            }
        }
        Ok(None)
    }

    pub(super) fn page(&mut self, size: usize) -> Result<Vec<ObjectMeta>, StorageError> {
        let mut page = Vec::new();
        while page.len() < size {
            let Some(meta) = self.next_object()? else { break };
            page.push(meta);
        }
        Ok(page)
    }

    pub(super) fn keys(mut self) -> Result<Vec<String>, StorageError> {
        let mut keys = Vec::new();
        while let Some(key) = self.next_key()? {
            keys.push(key);
        }
        Ok(keys)
    }

    /// What lies directly below the prefix; no other folder is read.
    pub(super) fn folder(mut self) -> Result<FolderListing, StorageError> {
        let mut listing = FolderListing::default();
        for found in self.open.pop().into_iter().flatten() {
            if found.is_folder {
                listing.folders.push(found.key);
            } else {
                listing.objects.extend(self.meta(&found.key)?);
            }
        }
        Ok(listing)
    }
}

/// Whether there is a folder whose objects are listed.
pub(super) fn is_listed(root: &Root, folder: &str) -> bool {
    !is_linked(root, folder) && root.dir().is_dir(folder)
}

fn is_linked(root: &Root, folder: &str) -> bool {
    Path::new(folder)
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .any(|path| root.dir().symlink_metadata(path).is_ok_and(|meta| meta.is_symlink()))
}

/// What lies in `folder` (empty, or with a slash at its end), sorted; nothing if it is not there.
fn read_folder(root: &Root, folder: &str) -> Result<Vec<Found>, StorageError> {
    let path = if folder.is_empty() { "." } else { folder.trim_end_matches('/') };
    let entries = match root.dir().read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(root.error(folder, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| root.error(folder, &error))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if folder.is_empty() && is_reserved(&name) {
            continue;
        }
        let key = format!("{folder}{name}");
        if !is_key(&key) {
            continue;
        }
        let kind = entry.file_type().map_err(|error| root.error(&key, &error))?;
        if kind.is_dir() {
            found.push(Found { key: key + "/", is_folder: true });
        } else if kind.is_file() || (kind.is_symlink() && is_object(root, &key)) {
            found.push(Found { key, is_folder: false });
        }
    }
    found.sort_unstable_by(|one, two| one.key.cmp(&two.key));
    Ok(found)
}

/// Whether a link leads to a file inside the folder of the store.
fn is_object(root: &Root, key: &str) -> bool {
    root.dir().metadata(key).is_ok_and(|meta| meta.is_file())
}
