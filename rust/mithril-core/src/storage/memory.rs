//! Objects in the memory of the process.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Bound, Deref, DerefMut};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::backend::{cut_range, folder_of};
use super::key::{check_key, check_prefix, shown};
use super::{FolderListing, ObjectMeta, PutCondition, StorageBackend, StorageError};
use crate::runtime::{Inside, enter};

/// A store in memory, for tests and for data that nobody needs tomorrow.
///
/// Clones see the same objects; they go with the last clone. Reading copies nothing.
///
/// ```
/// use bytes::Bytes;
/// use mithril_core::{MemoryStorage, StorageBackend};
///
/// # mithril_core::runtime().block_on(async {
/// let storage = MemoryStorage::new();
/// let same = storage.clone();
/// storage.put("key", Bytes::from("value")).await?;
/// assert!(same.exists("key").await?);
/// # Ok::<(), mithril_core::StorageError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MemoryStorage {
    objects: Arc<RwLock<Objects>>,
}

#[derive(Default)]
struct Objects {
    by_key: BTreeMap<String, Object>,
    /// How many writes there were; the etag of the last one.
    writes: u64,
}

#[derive(Clone)]
struct Object {
    data: Bytes,
    last_modified: DateTime<Utc>,
    write: u64,
}

impl MemoryStorage {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    // A panic of another thread cannot leave the map half-changed: every change is one call.
    fn read(&self) -> Entered<RwLockReadGuard<'_, Objects>> {
        let inside = enter();
        let lock = self.objects.read().unwrap_or_else(PoisonError::into_inner);
        Entered { lock, _inside: inside }
    }

    fn write(&self) -> Entered<RwLockWriteGuard<'_, Objects>> {
        let inside = enter();
        let lock = self.objects.write().unwrap_or_else(PoisonError::into_inner);
        Entered { lock, _inside: inside }
    }

    fn object(&self, key: &str) -> Result<Object, StorageError> {
        check_key(key)?;
        self.read().by_key.get(key).cloned().ok_or_else(|| StorageError::NotFound(place(key)))
    }
}

/// A lock that no fork finds held; it is released before its holder has left.
struct Entered<L> {
    lock: L,
    _inside: Inside,
}

impl<L: Deref> Deref for Entered<L> {
    type Target = L::Target;

    fn deref(&self) -> &L::Target {
        &self.lock
    }
}

impl<L: DerefMut> DerefMut for Entered<L> {
    fn deref_mut(&mut self) -> &mut L::Target {
        &mut self.lock
    }
}

impl Objects {
    fn put(&mut self, key: &str, data: Bytes) -> String {
        self.writes += 1;
        let object = Object { data, last_modified: Utc::now(), write: self.writes };
        let etag = object.etag();
        self.by_key.insert(key.to_owned(), object);
        etag
    }
}

impl Object {
    fn etag(&self) -> String {
        self.write.to_string()
    }

    fn meta(&self, key: &str) -> ObjectMeta {
        ObjectMeta {
            key: key.to_owned(),
            size: self.data.len() as u64,
            last_modified: self.last_modified,
            etag: Some(self.etag()),
            content_type: None,
        }
    }
}

#[async_trait]
impl StorageBackend for MemoryStorage {
    async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        Ok(self.object(key)?.data)
    }

    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        check_key(key)?;
        Ok(self.read().by_key.get(key).map(|object| object.data.clone()))
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError> {
        check_key(key)?;
        self.write().put(key, data);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        check_key(key)?;
        self.write().by_key.remove(key);
        Ok(())
    }

    async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        check_key(key)?;
        Ok(self.read().by_key.contains_key(key))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        check_prefix(prefix)?;
        let objects = self.read();
        Ok(below(&objects.by_key, prefix).map(|(key, _)| key.clone()).collect())
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError> {
        Ok(self.object(key)?.meta(key))
    }

    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError> {
        let data = self.object(key)?.data;
        Ok(stream::iter((!data.is_empty()).then_some(Ok(data))).boxed())
    }

    async fn get_with_meta(&self, key: &str) -> Result<(Bytes, ObjectMeta), StorageError> {
        let object = self.object(key)?;
        let meta = object.meta(key);
        Ok((object.data, meta))
    }

    async fn get_range(
        &self,
        key: &str,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StorageError> {
        let data = self.object(key)?.data;
        let range = cut_range(&place(key), range, data.len() as u64)?;
        Ok(data.slice(range.start as usize..range.end as usize))
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        check_key(to)?;
        let data = self.object(from)?.data;
        self.write().put(to, data);
        Ok(())
    }

    async fn put_if(
        &self,
        key: &str,
        data: Bytes,
        condition: PutCondition,
    ) -> Result<Option<String>, StorageError> {
        check_key(key)?;
        let mut objects = self.write();
        let there = objects.by_key.get(key).map(Object::etag);
        match condition {
            PutCondition::Absent if there.is_some() => Err(StorageError::AlreadyExists(place(key))),
            PutCondition::Matches(etag) if there != Some(etag.clone()) => {
                Err(StorageError::Changed(place(key)))
            }
            PutCondition::Absent | PutCondition::Matches(_) => Ok(Some(objects.put(key, data))),
        }
    }

    fn list_stream<'a>(
        &'a self,
        prefix: &'a str,
    ) -> BoxStream<'a, Result<ObjectMeta, StorageError>> {
        if let Err(error) = check_prefix(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let objects = self.read();
        let found: Vec<_> =
            below(&objects.by_key, prefix).map(|(key, object)| Ok(object.meta(key))).collect();
        stream::iter(found).boxed()
    }

    async fn list_folder(&self, prefix: &str) -> Result<FolderListing, StorageError> {
        check_prefix(prefix)?;
        let objects = self.read();
        let mut found = FolderListing::default();
        let mut from = Bound::Included(prefix.to_owned());
        while let Some((key, object)) = next_below(&objects.by_key, from, prefix) {
            from = match folder_of(key, prefix) {
                None => {
                    found.objects.push(object.meta(key));
                    Bound::Excluded(key.clone())
                }
                Some(folder) => {
                    found.folders.push(folder.to_owned());
                    // Past all that it holds: `0` is the character after the slash.
                    Bound::Included(format!("{}0", folder.trim_end_matches('/')))
                }
            };
        }
        Ok(found)
    }

    async fn is_folder(&self, folder: &str) -> Result<bool, StorageError> {
        check_key(folder)?;
        Ok(below(&self.read().by_key, &format!("{folder}/")).next().is_some())
    }
}

fn next_below<'a>(
    objects: &'a BTreeMap<String, Object>,
    from: Bound<String>,
    prefix: &str,
) -> Option<(&'a String, &'a Object)> {
    objects.range((from, Bound::Unbounded)).next().filter(|(key, _)| key.starts_with(prefix))
}

fn below<'a>(
    objects: &'a BTreeMap<String, Object>,
    prefix: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Object)> {
    objects
        .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |(key, _)| key.starts_with(prefix))
}

fn place(key: &str) -> String {
    format!("{} in memory://", shown(key))
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage")
            .field("objects", &self.read().by_key.len())
            .finish_non_exhaustive()
    }
}
