//! What the stores behind a network have in common: `object_store`'s clients as backends.

mod answer;
mod connection;
mod secrets;
mod settings;
mod upload;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    Attribute, GetOptions, OBJECT_STORE_COALESCE_DEFAULT, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, UpdateVersion, coalesce_ranges,
};

pub(super) use self::answer::Place;
pub(super) use self::settings::{Settings, with_settings};
use self::upload::Upload;
use super::backend::cut_range;
use super::key::{check_key, check_prefix, is_key};
use super::task::{on_runtime, stream_on_runtime};
use super::{FolderListing, ObjectMeta, PutCondition, StorageBackend, StorageError};
use crate::runtime::PerProcess;

/// `CopyObject` of S3 takes no larger object.
const COPIED_BY_THE_SERVER: u64 = 5 << 30;
/// A stream that is read slowly holds this many pieces (as the network brings them, some ten KiB).
const PIECES_AHEAD: usize = 16;
/// How many empty objects of a listing are looked at side by side.
const ASKED_AT_A_TIME: usize = 16;
/// Above this a single object is sent in parts, side by side.
const PUT_IN_ONE_REQUEST: usize = 64 << 20;

pub(super) trait Client: ObjectStore + PaginatedListStore {}

impl<C: ObjectStore + PaginatedListStore> Client for C {}

/// By which text a store tells one version of an object from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VersionBy {
    Etag,
    /// Google's generation, for which alone it has conditional writes.
    Generation,
}

type Make = Box<dyn Fn() -> Result<Arc<dyn Client>, object_store::Error> + Send + Sync>;

/// A bucket, below a prefix.
pub(super) struct Remote {
    /// Connections belong to a process: a forked child must not write to its parent's.
    client: PerProcess<Arc<dyn Client>>,
    make: Make,
    place: Place,
    prefix: Option<String>,
    version_by: VersionBy,
    settings: Settings,
    /// Whether the bucket is known to exist. The answer to HEAD has no body that could say whether
    /// the object is missing or the bucket.
    bucket_seen: AtomicBool,
}

impl Remote {
    /// Errors: what the client finds wrong with its settings.
    pub(super) fn new(
        make: Make,
        place: Place,
        prefix: Option<String>,
        version_by: VersionBy,
        settings: Settings,
    ) -> Result<Arc<Self>, StorageError> {
        let remote = Self {
            client: PerProcess::new(),
            make,
            place,
            prefix,
            version_by,
            settings,
            bucket_seen: AtomicBool::new(false),
        };
        remote.client()?;
        Ok(Arc::new(remote))
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    fn client(&self) -> Result<Arc<dyn Client>, StorageError> {
        let client = self.client.get_or_try_init(&self.make);
        client.cloned().map_err(|error| self.place.settings_error(&error))
    }

    fn full_key(&self, key: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{key}"),
            None => key.to_owned(),
        }
    }

    fn path(&self, key: &str) -> Result<Path, StorageError> {
        check_key(key)?;
        Path::parse(self.full_key(key))
            .map_err(|error| StorageError::InvalidKey(format!("{}: {error}", self.place.of(key))))
    }

    fn key_of(&self, path: &Path) -> Option<String> {
        let key = match &self.prefix {
            Some(prefix) => path.as_ref().strip_prefix(prefix.as_str())?.strip_prefix('/')?,
            None => path.as_ref(),
        };
        is_key(key).then(|| key.to_owned())
    }

    fn describe(&self, key: String, meta: &object_store::ObjectMeta) -> ObjectMeta {
        let etag = match self.version_by {
            VersionBy::Etag => meta.e_tag.clone(),
            VersionBy::Generation => meta.version.clone(),
        };
        ObjectMeta {
            key,
            size: meta.size,
            last_modified: meta.last_modified,
            etag,
            content_type: None,
        }
    }

    /// Runs one request, and tells its failure in the store's terms.
    async fn request<T, W, F>(&self, key: &str, work: W) -> Result<T, StorageError>
    where
        T: Send + 'static,
        W: FnOnce(Arc<dyn Client>) -> F,
        F: Future<Output = Result<T, object_store::Error>> + Send + 'static,
    {
        let request = work(self.client()?);
        // The client's error names things by its own terms; it is told from here, where the key is.
        let outcome = on_runtime(async move { Ok(request.await) }).await?;
        if outcome.is_ok() {
            self.bucket_seen.store(true, Ordering::Relaxed);
        }
        outcome.map_err(|error| self.place.error(key, &error))
    }

    /// Parts of an object, if none of them is empty and the last begins before its end, which every answer tells: so
    /// there is no request but for what is wanted.
    async fn ranges_before_the_end(
        &self,
        key: &str,
        ranges: &[Range<u64>],
    ) -> Result<Option<Vec<Bytes>>, StorageError> {
        let last = ranges.iter().map(|range| range.start).max();
        let Some(last) = last.filter(|_| ranges.iter().all(|range| range.start < range.end)) else {
            return Ok(None);
        };
        let (path, ranges) = (self.path(key)?, ranges.to_vec());
        self.request(key, |client| async move {
            let fetch = |range: Range<u64>| async {
                let options = GetOptions { range: Some(range.into()), ..Default::default() };
                let found = client.get_opts(&path, options).await.map_err(Some)?;
                if last >= found.meta.size {
                    return Err(None);
                }
                found.bytes().await.map_err(Some)
            };
            match coalesce_ranges(&ranges, fetch, OBJECT_STORE_COALESCE_DEFAULT).await {
                Ok(parts) => Ok(Some(parts)),
                Err(None) => Ok(None),
                Err(Some(error)) => Err(error),
            }
        })
        .await
    }

    /// After an answer to HEAD that something is missing: errors if it is the bucket.
    async fn check_bucket(&self) -> Result<(), StorageError> {
        if self.bucket_seen.load(Ordering::Relaxed) {
            return Ok(());
        }
        let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
        match self.list_page("", options).await {
            // Who may read and not list cannot be told.
            Err(StorageError::PermissionDenied(_)) => Ok(()),
            listed => listed.map(drop),
        }
    }

    /// One request of a listing.
    async fn list_page(
        &self,
        prefix: &str,
        options: PaginatedListOptions,
    ) -> Result<PaginatedListResult, StorageError> {
        let full_prefix = self.full_key(prefix);
        let list = |client: Arc<dyn Client>| async move {
            let full_prefix = Some(full_prefix.as_str()).filter(|prefix| !prefix.is_empty());
            client.list_paginated(full_prefix, options).await
        };
        self.request(prefix, list).await
    }

    /// The objects of an answer to a listing, as far as they have keys. The client takes the slash off
    /// `folder/`, an empty object by which some tools mark a folder: below `folder/` that has no key.
    fn listed(&self, prefix: &str, objects: Vec<object_store::ObjectMeta>) -> Vec<ObjectMeta> {
        let described = objects.into_iter().filter_map(|meta| {
            let key = self.key_of(&meta.location).filter(|key| key.starts_with(prefix))?;
            Some(self.describe(key, &meta))
        });
        described.collect()
    }

    async fn page(
        &self,
        prefix: &str,
        page_token: Option<String>,
    ) -> Result<(Vec<ObjectMeta>, Option<String>), StorageError> {
        let options = PaginatedListOptions { page_token, ..Default::default() };
        let page = self.list_page(prefix, options).await?;
        let found = stream::iter(self.listed(prefix, page.result.objects))
            .map(|meta| async move {
                // Asking tells a mark `folder/` from an empty object `folder`.
                let is_object = meta.size > 0 || self.exists(&meta.key).await?;
                Ok::<_, StorageError>(is_object.then_some(meta))
            })
            .buffered(ASKED_AT_A_TIME)
            .try_filter_map(|meta| async move { Ok(meta) });
        Ok((found.try_collect().await?, page.page_token))
    }

    async fn put_payload(
        &self,
        key: &str,
        data: Bytes,
        mode: PutMode,
    ) -> Result<Option<String>, StorageError> {
        let path = self.path(key)?;
        let options = PutOptions { mode, ..Default::default() };
        let put = self
            .request(key, |client| async move {
                client.put_opts(&path, PutPayload::from(data), options).await
            })
            .await?;
        Ok(match self.version_by {
            VersionBy::Etag => put.e_tag,
            VersionBy::Generation => put.version,
        })
    }
}

#[async_trait]
impl StorageBackend for Remote {
    async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        let path = self.path(key)?;
        self.request(key, |client| async move { client.get(&path).await?.bytes().await }).await
    }

    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        match self.get(key).await {
            Err(StorageError::NotFound(_)) => self.check_bucket().await.map(|()| None),
            data => data.map(Some),
        }
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError> {
        if data.len() > PUT_IN_ONE_REQUEST {
            return self.try_put_stream(key, stream::iter([Ok(data)]).boxed()).await;
        }
        self.put_payload(key, data, PutMode::Overwrite).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let path = self.path(key)?;
        let deleted = self.request(key, |client| async move { client.delete(&path).await }).await;
        match deleted {
            Err(StorageError::NotFound(_)) => self.check_bucket().await,
            deleted => deleted,
        }
    }

    async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        match self.head(key).await {
            Err(StorageError::NotFound(_)) => self.check_bucket().await.map(|()| false),
            meta => meta.map(|_| true),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let mut keys: Vec<String> =
            self.list_stream(prefix).map_ok(|meta| meta.key).try_collect().await?;
        // Not all servers keep to the order of the bytes.
        keys.sort_unstable();
        Ok(keys)
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError> {
        let path = self.path(key)?;
        let found = self
            .request(key, |client| async move {
                let options = GetOptions { head: true, ..Default::default() };
                let found = client.get_opts(&path, options).await?;
                let content_type = found.attributes.get(&Attribute::ContentType);
                Ok((found.meta, content_type.map(|value| value.as_ref().to_owned())))
            })
            .await;
        match found {
            Ok((meta, content_type)) => {
                Ok(ObjectMeta { content_type, ..self.describe(key.to_owned(), &meta) })
            }
            Err(StorageError::NotFound(place)) => {
                self.check_bucket().await?;
                Err(StorageError::NotFound(place))
            }
            Err(error) => Err(error),
        }
    }

    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError> {
        let path = self.path(key)?;
        let found = self.request(key, |client| async move { client.get(&path).await }).await?;
        let (place, key) = (self.place.clone(), key.to_owned());
        let pieces = found.into_stream().map_err(move |error| place.error(&key, &error));
        Ok(stream_on_runtime(pieces.boxed(), PIECES_AHEAD))
    }

    async fn try_put_stream(
        &self,
        key: &str,
        stream: BoxStream<'_, Result<Bytes, StorageError>>,
    ) -> Result<(), StorageError> {
        let path = self.path(key)?;
        match upload::first_part(stream, self.settings.part_size).await? {
            upload::First::All(data) => {
                self.put_payload(key, data, PutMode::Overwrite).await.map(drop)
            }
            upload::First::More(data, stream) => {
                let upload = Upload::begin(self.client()?, path).await;
                let sent = match upload {
                    Ok(upload) => upload.send(data, stream).await,
                    Err(error) => Err(error),
                };
                sent.map_err(|error| match error {
                    upload::UploadError::Source(error) => error,
                    upload::UploadError::Store(error) => self.place.error(key, &error),
                })
            }
        }
    }

    async fn get_with_meta(&self, key: &str) -> Result<(Bytes, ObjectMeta), StorageError> {
        let path = self.path(key)?;
        let (meta, data) = self
            .request(key, |client| async move {
                let found = client.get(&path).await?;
                Ok((found.meta.clone(), found.bytes().await?))
            })
            .await?;
        Ok((data, self.describe(key.to_owned(), &meta)))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        if range.is_empty() {
            // A request cannot ask for nothing.
            let size = self.head(key).await?.size;
            return cut_range(&self.place.of(key), range, size).map(|_| Bytes::new());
        }
        let path = self.path(key)?;
        self.request(key, |client| async move { client.get_range(&path, range).await }).await
    }

    async fn get_ranges(
        &self,
        key: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, StorageError> {
        match self.ranges_before_the_end(key, ranges).await {
            // Which one is not, and how large the object is, is told below.
            Ok(None) | Err(StorageError::InvalidRange(_)) => {}
            Ok(Some(parts)) => return Ok(parts),
            Err(error) => return Err(error),
        }
        let size = self.head(key).await?.size;
        let place = self.place.of(key);
        let cut = ranges.iter().map(|range| cut_range(&place, range.clone(), size));
        let ranges = cut.collect::<Result<Vec<_>, _>>()?;
        let asked: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        let path = self.path(key)?;
        let mut parts = self
            .request(key, |client| async move { client.get_ranges(&path, &asked).await })
            .await?
            .into_iter();
        let part = |range: Range<u64>| {
            if range.is_empty() { Bytes::new() } else { parts.next().unwrap_or_default() }
        };
        Ok(ranges.into_iter().map(part).collect())
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let (source, target) = (self.path(from)?, self.path(to)?);
        let size = self.head(from).await?.size;
        if from == to {
            return Ok(());
        }
        if size > COPIED_BY_THE_SERVER {
            let stream = self.get_stream(from).await?;
            return self.try_put_stream(to, stream).await;
        }
        self.request(from, |client| async move { client.copy(&source, &target).await }).await
    }

    async fn put_if(
        &self,
        key: &str,
        data: Bytes,
        condition: PutCondition,
    ) -> Result<Option<String>, StorageError> {
        match condition {
            PutCondition::Absent => self.put_payload(key, data, PutMode::Create).await,
            PutCondition::Matches(etag) => {
                let version = match self.version_by {
                    VersionBy::Etag => UpdateVersion { e_tag: Some(etag), version: None },
                    VersionBy::Generation => UpdateVersion { e_tag: None, version: Some(etag) },
                };
                let put = self.put_payload(key, data, PutMode::Update(version)).await;
                match put {
                    // A server may answer any of these to one of two writers at the same time, or if
                    // the object is gone, or the bucket.
                    Err(
                        StorageError::AlreadyExists(place)
                        | StorageError::Changed(place)
                        | StorageError::NotFound(place),
                    ) => {
                        self.check_bucket().await?;
                        Err(StorageError::Changed(place))
                    }
                    put => put,
                }
            }
        }
    }

    fn list_stream<'a>(
        &'a self,
        prefix: &'a str,
    ) -> BoxStream<'a, Result<ObjectMeta, StorageError>> {
        /// Where a listing goes on.
        enum Next {
            Page(Option<String>),
            End,
        }
        let checked = async move { check_prefix(prefix) };
        let pages = stream::once(checked).map_ok(move |()| {
            stream::try_unfold(Next::Page(None), move |next| async move {
                let Next::Page(token) = next else { return Ok::<_, StorageError>(None) };
                let (found, token) = self.page(prefix, token).await?;
                let next = token.map_or(Next::End, |token| Next::Page(Some(token)));
                Ok(Some((stream::iter(found).map(Ok), next)))
            })
        });
        pages.try_flatten().try_flatten().boxed()
    }

    async fn list_folder(&self, prefix: &str) -> Result<FolderListing, StorageError> {
        check_prefix(prefix)?;
        let mut found = FolderListing::default();
        let mut page_token = None;
        loop {
            let options = PaginatedListOptions {
                delimiter: Some("/".into()),
                page_token,
                ..Default::default()
            };
            let page = self.list_page(prefix, options).await?;
            found.objects.extend(self.listed(prefix, page.result.objects));
            let folders = page.result.common_prefixes.iter().filter_map(|path| self.key_of(path));
            found.folders.extend(folders.map(|folder| folder + "/"));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        // Not all servers keep to the order of the bytes, nor name a folder once.
        found.objects.sort_unstable_by(|one, two| one.key.cmp(&two.key));
        found.folders.sort_unstable();
        found.folders.dedup();
        Ok(found)
    }

    async fn is_folder(&self, folder: &str) -> Result<bool, StorageError> {
        check_key(folder)?;
        let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
        let page = self.list_page(&format!("{folder}/"), options).await?;
        Ok(!page.result.objects.is_empty())
    }
}
