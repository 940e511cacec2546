//! The trait that every store implements.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::StorageError;
use super::key::{check_key, check_prefix, shown};

/// What a store knows about an object besides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The key, relative to the store.
    pub key: String,
    /// The number of bytes.
    pub size: u64,
    /// When the object was last written, by the clock of the store.
    pub last_modified: DateTime<Utc>,
    /// A text that changes whenever the object is written; it has no other meaning.
    pub etag: Option<String>,
    /// The media type, where the store keeps one.
    pub content_type: Option<String>,
}

/// What lies directly below a prefix; see [`StorageBackend::list_folder`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FolderListing {
    /// The objects, sorted by their keys.
    pub objects: Vec<ObjectMeta>,
    /// What the other keys begin with, up to their next slash and with it, sorted.
    pub folders: Vec<String>,
}

impl FolderListing {
    /// A listing with these objects and folders.
    #[must_use]
    pub fn new(objects: Vec<ObjectMeta>, folders: Vec<String>) -> Self {
        Self { objects, folders }
    }
}

/// When [`StorageBackend::put_if`] writes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutCondition {
    /// Only if there is no such object.
    Absent,
    /// Only if the object is still the one that had this [etag](ObjectMeta::etag).
    Matches(String),
}

/// A store of objects: bytes under keys.
///
/// All stores behave alike, which `testing::check_backend` (feature
/// `testing`) shows of each:
///
/// - **Keys** are texts of 1 to 1024 bytes of UTF-8, parts of 1 to 255 bytes with `/` between them.
///   Control characters, backslashes, the parts `.` and `..`, and `.mithril` as the first part are
///   `InvalidKey`. Everything else is kept as it is: case, Unicode form, spaces, `#`, `%2F`.
/// - **Writes are atomic**: a reader sees the old object or the new one, whole. A write that fails or
///   is dropped before its end leaves the old one.
/// - **A prefix is any text that keys begin with**, as in S3: `"a"` finds `"ab/c"`. Listings are in
///   the order of the bytes of the keys.
/// - **Deleting what is not there** is no error.
///
/// The methods are futures that any executor may poll; work is done on [`runtime`](crate::runtime()).
///
/// ```
/// use bytes::Bytes;
/// use mithril_core::{MemoryStorage, StorageBackend};
///
/// # mithril_core::runtime().block_on(async {
/// let storage = MemoryStorage::new();
/// storage.put("corpus/part-0", Bytes::from("some text")).await?;
/// assert_eq!(storage.get("corpus/part-0").await?, "some text");
/// assert_eq!(storage.get_range("corpus/part-0", 5..9).await?, "text");
/// assert_eq!(storage.list("corp").await?, ["corpus/part-0"]);
/// # Ok::<(), mithril_core::StorageError>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait StorageBackend: Send + Sync {
    /// The bytes of an object.
    ///
    /// Errors: `NotFound` if there is none.
    async fn get(&self, key: &str) -> Result<Bytes, StorageError>;

    /// The bytes of an object, or none if it does not exist.
    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError>;

    /// Writes an object, in place of the one that is there.
    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError>;

    /// Deletes an object, if it exists.
    async fn delete(&self, key: &str) -> Result<(), StorageError>;

    /// Whether there is such an object.
    async fn exists(&self, key: &str) -> Result<bool, StorageError>;

    /// The keys that begin with `prefix`, sorted.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError>;

    /// What the store knows about an object.
    ///
    /// Errors: `NotFound` if there is none.
    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError>;

    /// The bytes of an object in pieces, for objects that do not fit into memory.
    ///
    /// Errors: `NotFound` if there is none; what goes wrong later is an item of the stream, its last.
    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError>;

    /// Writes an object from pieces. It appears when the stream has ended, and not at all if the
    /// future is dropped before.
    async fn put_stream(
        &self,
        key: &str,
        stream: BoxStream<'_, Bytes>,
    ) -> Result<(), StorageError> {
        self.try_put_stream(key, stream.map(Ok).boxed()).await
    }

    /// [`put_stream`](Self::put_stream) of a source that may fail, with its error as the outcome and
    /// nothing written.
    ///
    /// A backend has to have this or `put_stream`. This one collects the pieces in memory.
    async fn try_put_stream(
        &self,
        key: &str,
        stream: BoxStream<'_, Result<Bytes, StorageError>>,
    ) -> Result<(), StorageError> {
        let pieces: Vec<Bytes> = stream.try_collect().await?;
        self.put(key, Bytes::from(pieces.concat())).await
    }

    /// A part of an object: the bytes `range.start..range.end`, cut at the end of the object.
    ///
    /// Errors: `InvalidRange` if the range begins past the end or ends before it begins; a range that
    /// is not empty has to begin before the end.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        let data = self.get(key).await?;
        let range = cut_range(key, range, data.len() as u64)?;
        Ok(data.slice(range.start as usize..range.end as usize))
    }

    /// The bytes of an object and what the store knows about it, of the same version of it.
    ///
    /// Stores that do not have this in one request ask twice: if the object is written in between, the
    /// metadata is that of the older version, and a [`put_if`](Self::put_if) with its etag fails.
    ///
    /// Errors: `NotFound` if there is none.
    async fn get_with_meta(&self, key: &str) -> Result<(Bytes, ObjectMeta), StorageError> {
        let meta = self.head(key).await?;
        Ok((self.get(key).await?, meta))
    }

    /// Parts of one object, in the order of `ranges`; stores with a network join near ones into one
    /// request.
    ///
    /// Errors: as [`get_range`](Self::get_range), of the first range that is wrong.
    async fn get_ranges(
        &self,
        key: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, StorageError> {
        let data = self.get(key).await?;
        let cut = |range: &Range<u64>| {
            let range = cut_range(key, range.clone(), data.len() as u64)?;
            Ok(data.slice(range.start as usize..range.end as usize))
        };
        ranges.iter().map(cut).collect()
    }

    /// The file that holds the bytes of an object, open for reading, if objects of this store are files: for
    /// what maps them into memory. It stays what it is when the object is written again or deleted.
    ///
    /// A backend without this has none.
    ///
    /// Errors: `NotFound` if there is no such object; a store without files need not look.
    async fn open_file(&self, key: &str) -> Result<Option<File>, StorageError> {
        check_key(key)?;
        Ok(None)
    }

    /// Objects in the order of `keys`, at most `concurrency` (at least one) under way at a time. One
    /// that fails does not stop the others.
    async fn get_many(
        &self,
        keys: &[String],
        concurrency: usize,
    ) -> Vec<Result<Bytes, StorageError>> {
        // Boxed with the lifetime of the arguments, which a closure over references does not name.
        let gets: Vec<_> = keys.iter().map(|key| self.get(key)).collect();
        stream::iter(gets).buffered(concurrency.max(1)).collect().await
    }

    /// Copies an object within the store, in place of what `to` holds.
    ///
    /// Errors: `NotFound` if `from` does not exist.
    async fn copy(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let stream = self.get_stream(from).await?;
        self.try_put_stream(to, stream).await
    }

    /// Moves an object within the store. Where a store cannot do that in one step it is a copy and a
    /// deletion, and both may be there for a while.
    ///
    /// Errors: `NotFound` if `from` does not exist.
    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        if from == to {
            return self.head(from).await.map(drop);
        }
        self.copy(from, to).await?;
        self.delete(from).await
    }

    /// Writes an object if `condition` holds, in one step with looking, and returns its etag.
    ///
    /// Errors: `AlreadyExists` or `Changed` if the condition does not hold; `Unsupported` of stores
    /// that cannot look and write in one step.
    async fn put_if(
        &self,
        key: &str,
        data: Bytes,
        condition: PutCondition,
    ) -> Result<Option<String>, StorageError> {
        let _ = (data, condition);
        Err(StorageError::Unsupported(format!(
            "{}: this store cannot look and write in one step",
            shown(key)
        )))
    }

    /// What [`list`](Self::list) finds with its metadata, page by page, sorted.
    fn list_stream<'a>(
        &'a self,
        prefix: &'a str,
    ) -> BoxStream<'a, Result<ObjectMeta, StorageError>> {
        const HEADS_AT_A_TIME: usize = 16;
        let keys = async move {
            check_prefix(prefix)?;
            self.list(prefix).await
        };
        let heads = stream::once(keys)
            .map_ok(|keys| stream::iter(keys).map(Ok))
            .try_flatten()
            .map_ok(move |key| async move {
                match self.head(&key).await {
                    // Deleted between the listing and the look.
                    Err(StorageError::NotFound(_)) => Ok(None),
                    meta => meta.map(Some),
                }
            })
            .try_buffered(HEADS_AT_A_TIME);
        heads.try_filter_map(|meta| async move { Ok(meta) }).boxed()
    }

    /// What lies directly below `prefix`: the objects whose keys have no slash after it, and folders,
    /// which stand for all others. `"a/"` lists the folder `a`; as in S3, a prefix that ends within a
    /// part finds everything of that level that begins so.
    ///
    /// A folder is there while an object is in it; one that a file system or a marker of S3 (an empty
    /// object `a/`) keeps without that may be listed too.
    ///
    /// A backend without this lists all that lies below.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use mithril_core::{MemoryStorage, StorageBackend};
    ///
    /// # mithril_core::runtime().block_on(async {
    /// let storage = MemoryStorage::new();
    /// for key in ["corpus/a/1", "corpus/a/2", "corpus/readme"] {
    ///     storage.put(key, Bytes::from("text")).await?;
    /// }
    /// let found = storage.list_folder("corpus/").await?;
    /// assert_eq!(found.objects[0].key, "corpus/readme");
    /// assert_eq!(found.folders, ["corpus/a/"]);
    /// # Ok::<(), mithril_core::StorageError>(())
    /// # }).unwrap();
    /// ```
    async fn list_folder(&self, prefix: &str) -> Result<FolderListing, StorageError> {
        let mut found = FolderListing::default();
        let mut all = self.list_stream(prefix);
        while let Some(meta) = all.try_next().await? {
            match folder_of(&meta.key, prefix) {
                Some(folder) => found.folders.push(folder.to_owned()),
                None => found.objects.push(meta),
            }
        }
        drop(all);
        // The stream of a store may be in another order than that of the bytes.
        found.objects.sort_unstable_by(|one, two| one.key.cmp(&two.key));
        found.folders.sort_unstable();
        found.folders.dedup();
        Ok(found)
    }

    /// Whether there is a folder of this name (without a slash at its end): whether anything lies
    /// below it. Nothing is listed for that.
    ///
    /// A backend without this begins a listing.
    async fn is_folder(&self, folder: &str) -> Result<bool, StorageError> {
        check_key(folder)?;
        let prefix = format!("{folder}/");
        let found = self.list_stream(&prefix).try_next().await?;
        Ok(found.is_some())
    }
}

/// The folder directly below `prefix` in which `key` lies, with its slash, if it is in one.
pub(super) fn folder_of<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    let slash = key.get(prefix.len()..)?.find('/')?;
    key.get(..=prefix.len() + slash)
}

/// The part of `range` that an object of `size` bytes has.
///
/// Errors: `InvalidRange`.
pub(crate) fn cut_range(
    key: &str,
    range: Range<u64>,
    size: u64,
) -> Result<Range<u64>, StorageError> {
    let Range { start, end } = range;
    if start > end || start > size || (start == size && start < end) {
        return Err(StorageError::InvalidRange(format!(
            "bytes {start}..{end} of {}, which has {size}",
            shown(key)
        )));
    }
    Ok(start..end.min(size))
}

/// Forwards every method, the provided ones too: a wrapped store keeps its own streaming.
macro_rules! forward_backend {
    ([$($generics:tt)*] $type:ty, $this:ident => $inner:expr) => {
        #[async_trait::async_trait]
        impl<$($generics)*> $crate::StorageBackend for $type {
            async fn get(&self, key: &str) -> Result<bytes::Bytes, $crate::StorageError> {
                let $this = self;
                $inner.get(key).await
            }

            async fn get_opt(&self, key: &str) -> Result<Option<bytes::Bytes>, $crate::StorageError> {
                let $this = self;
                $inner.get_opt(key).await
            }

            async fn put(&self, key: &str, data: bytes::Bytes) -> Result<(), $crate::StorageError> {
                let $this = self;
                $inner.put(key, data).await
            }

            async fn delete(&self, key: &str) -> Result<(), $crate::StorageError> {
                let $this = self;
                $inner.delete(key).await
            }

            async fn exists(&self, key: &str) -> Result<bool, $crate::StorageError> {
                let $this = self;
                $inner.exists(key).await
            }

            async fn list(&self, prefix: &str) -> Result<Vec<String>, $crate::StorageError> {
                let $this = self;
                $inner.list(prefix).await
            }

            async fn head(&self, key: &str) -> Result<$crate::ObjectMeta, $crate::StorageError> {
                let $this = self;
                $inner.head(key).await
            }

            async fn get_stream(
                &self,
                key: &str,
            ) -> Result<futures_util::stream::BoxStream<'_, Result<bytes::Bytes, $crate::StorageError>>, $crate::StorageError> {
                let $this = self;
                $inner.get_stream(key).await
            }

            async fn put_stream(
                &self,
                key: &str,
                stream: futures_util::stream::BoxStream<'_, bytes::Bytes>,
            ) -> Result<(), $crate::StorageError> {
                let $this = self;
                $inner.put_stream(key, stream).await
            }

            async fn try_put_stream(
                &self,
                key: &str,
                stream: futures_util::stream::BoxStream<'_, Result<bytes::Bytes, $crate::StorageError>>,
            ) -> Result<(), $crate::StorageError> {
                let $this = self;
                $inner.try_put_stream(key, stream).await
            }

            async fn get_range(&self, key: &str, range: std::ops::Range<u64>) -> Result<bytes::Bytes, $crate::StorageError> {
                let $this = self;
                $inner.get_range(key, range).await
            }

            async fn get_ranges(
                &self,
                key: &str,
                ranges: &[std::ops::Range<u64>],
            ) -> Result<Vec<bytes::Bytes>, $crate::StorageError> {
                let $this = self;
                $inner.get_ranges(key, ranges).await
            }

            async fn get_with_meta(
                &self,
                key: &str,
            ) -> Result<(bytes::Bytes, $crate::ObjectMeta), $crate::StorageError> {
                let $this = self;
                $inner.get_with_meta(key).await
            }

            async fn open_file(&self, key: &str) -> Result<Option<std::fs::File>, $crate::StorageError> {
                let $this = self;
                $inner.open_file(key).await
            }

            async fn get_many(
                &self,
                keys: &[String],
                concurrency: usize,
            ) -> Vec<Result<bytes::Bytes, $crate::StorageError>> {
                let $this = self;
                $inner.get_many(keys, concurrency).await
            }

            async fn copy(&self, from: &str, to: &str) -> Result<(), $crate::StorageError> {
                let $this = self;
                $inner.copy(from, to).await
            }

            async fn rename(&self, from: &str, to: &str) -> Result<(), $crate::StorageError> {
                let $this = self;
                $inner.rename(from, to).await
            }

            async fn put_if(
                &self,
                key: &str,
                data: bytes::Bytes,
                condition: $crate::PutCondition,
            ) -> Result<Option<String>, $crate::StorageError> {
                let $this = self;
                $inner.put_if(key, data, condition).await
            }

            fn list_stream<'a>(
                &'a self,
                prefix: &'a str,
            ) -> futures_util::stream::BoxStream<'a, Result<$crate::ObjectMeta, $crate::StorageError>> {
                let $this = self;
                $inner.list_stream(prefix)
            }

            async fn list_folder(&self, prefix: &str) -> Result<$crate::FolderListing, $crate::StorageError> {
                let $this = self;
                $inner.list_folder(prefix).await
            }

            async fn is_folder(&self, folder: &str) -> Result<bool, $crate::StorageError> {
                let $this = self;
                $inner.is_folder(folder).await
            }
        }
    };
}

pub(super) use forward_backend;

forward_backend!([S: StorageBackend + ?Sized] Box<S>, this => (**this));
forward_backend!([S: StorageBackend + ?Sized] Arc<S>, this => (**this));
forward_backend!([S: StorageBackend + ?Sized] &S, this => (**this));
