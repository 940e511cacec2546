//! A store of the product's own: the methods that a store must have, and no others.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use mithril_core::{ObjectMeta, StorageBackend, StorageError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone, Default)]
pub(crate) struct Shelf {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Shelf {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StorageBackend for Shelf {
    async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        self.get_opt(key).await?.ok_or_else(|| StorageError::NotFound(key.to_owned()))
    }

    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        Ok(self.objects().get(key).cloned())
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError> {
        self.objects().insert(key.to_owned(), data);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        self.objects().remove(key);
        Ok(())
    }

    async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        Ok(self.objects().contains_key(key))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        Ok(self.objects().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError> {
        let size = self.get(key).await?.len() as u64;
        Ok(ObjectMeta {
            key: key.to_owned(),
            size,
            last_modified: DateTime::<Utc>::UNIX_EPOCH,
            etag: None,
            content_type: None,
        })
    }

    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError> {
        let data = self.get(key).await?;
        Ok(stream::iter([Ok(data)]).boxed())
    }

    async fn put_stream(
        &self,
        key: &str,
        pieces: BoxStream<'_, Bytes>,
    ) -> Result<(), StorageError> {
        let pieces: Vec<Bytes> = pieces.collect().await;
        self.put(key, Bytes::from(pieces.concat())).await
    }
}
