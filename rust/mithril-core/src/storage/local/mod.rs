//! Objects as the files of a folder.

mod folders;
mod listing;
mod locks;
mod pending;
mod root;

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use self::listing::Listing;
use self::pending::Pending;
use self::root::{Opened, Root, describe};
use super::backend::cut_range;
use super::key::{check_key, check_prefix};
use super::task::blocking;
use super::{FolderListing, ObjectMeta, PutCondition, StorageBackend, StorageError};

/// The pieces in which a stream reads: 1 MiB keeps a spinning or a network disk busy, and is
/// small beside the memory that anybody has.
const PIECE: usize = 1 << 20;
const LISTED_AT_A_TIME: usize = 1000;

/// A folder whose files are the objects: the key `a/b` is the file `a/b` below the root.
///
/// - Writes go to a hidden file below `.mithril` in the root, which is then renamed to its place: no
///   reader sees half an object. What a crash leaves there is swept when the folder is next
///   written to.
/// - No key leads out of the folder, whatever symbolic links lie in it; one that points outside is
///   `InvalidKey`. Links to files inside are objects; links to folders are followed but not listed.
/// - [`put_if`](StorageBackend::put_if) holds among processes of this machine that use this type.
/// - A file cannot lie below a file: while `a` is an object, `a/b` is an `InvalidKey`, and the other
///   way round. This is the one thing in which it is not like the other stores.
/// - Files whose names are no keys (not UTF-8, or with a backslash) are not listed.
///
/// ```
/// use bytes::Bytes;
/// use mithril_core::{LocalStorage, StorageBackend};
///
/// # mithril_core::runtime().block_on(async {
/// let storage = LocalStorage::temp()?;
/// storage.put("corpus/part-0", Bytes::from("some text")).await?;
/// assert_eq!(std::fs::read(storage.root().join("corpus/part-0"))?, b"some text");
/// # Ok::<(), mithril_core::StorageError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct LocalStorage {
    root: Arc<Root>,
    durable: bool,
}

impl LocalStorage {
    /// The store in the folder `root`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// `Io` if the folder can be neither opened nor made; the text names it.
    pub fn new(root: impl AsRef<Path>) -> Result<Self, StorageError> {
        Ok(Self { root: Arc::new(Root::open(root.as_ref())?), durable: false })
    }

    /// A store in a new folder, which is removed with its content when the last clone is dropped.
    ///
    /// # Errors
    ///
    /// `Io` if the folder cannot be made.
    pub fn temp() -> Result<Self, StorageError> {
        Ok(Self { root: Arc::new(Root::temp()?), durable: false })
    }

    /// Whether a write is on the disk when it returns (`fsync` of the file and of the folders that
    /// name it), and a deletion too. Without it, which is the default, a power failure may undo the
    /// last seconds of writes, each as a whole.
    ///
    /// If the disk fails between the change and its being flushed, the error is `Io`, and the change
    /// may have been made.
    #[must_use]
    pub fn with_durability(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// The folder, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Runs `work` on a thread that may wait for the disk.
    async fn on_disk<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Arc<Root>, &str) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        check_key(key)?;
        let (root, key) = (Arc::clone(&self.root), key.to_owned());
        blocking(move || work(&root, &key)).await
    }

    async fn write(
        &self,
        key: &str,
        data: Bytes,
        condition: Option<PutCondition>,
    ) -> Result<String, StorageError> {
        let durable = self.durable;
        self.on_disk(key, move |root, key| {
            let mut pending = Pending::create(root, key)?;
            pending.write(&data)?;
            pending.commit(condition.as_ref(), durable)
        })
        .await
    }
}

fn read_whole(root: &Root, key: &str) -> Result<Bytes, StorageError> {
    read_to_end(root, key, &mut root.open_object(key)?)
}

fn read_to_end(root: &Root, key: &str, opened: &mut Opened) -> Result<Bytes, StorageError> {
    // One byte more than the size, so that the end is seen without a second allocation.
    let mut data =
        Vec::with_capacity(usize::try_from(opened.meta.len()).unwrap_or(0).saturating_add(1));
    opened.file.read_to_end(&mut data).map_err(|error| root.error(key, &error))?;
    Ok(Bytes::from(data))
}

fn read_range(
    root: &Root,
    key: &str,
    opened: &mut Opened,
    range: Range<u64>,
) -> Result<Bytes, StorageError> {
    let range = cut_range(&root.place(key), range, opened.meta.len())?;
    let length = range.end - range.start;
    let mut data = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    let read = opened
        .file
        .seek(SeekFrom::Start(range.start))
        .and_then(|_| (&mut opened.file).take(length).read_to_end(&mut data));
    read.map_err(|error| root.error(key, &error))?;
    Ok(Bytes::from(data))
}

fn read_piece(root: &Root, key: &str, opened: &mut Opened) -> Result<Bytes, StorageError> {
    let mut piece = BytesMut::zeroed(PIECE);
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match opened.file.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(root.error(key, &error)),
        }
    }
    piece.truncate(filled);
    Ok(piece.freeze())
}

#[async_trait]
impl StorageBackend for LocalStorage {
    async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        self.on_disk(key, |root, key| read_whole(root, key)).await
    }

    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        match self.get(key).await {
            Err(StorageError::NotFound(_)) => Ok(None),
            data => data.map(Some),
        }
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError> {
        self.write(key, data, None).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let durable = self.durable;
        self.on_disk(key, move |root, key| root.delete(key, durable)).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        match self.head(key).await {
            Err(StorageError::NotFound(_)) => Ok(false),
            meta => meta.map(|_| true),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        check_prefix(prefix)?;
        let (root, prefix) = (Arc::clone(&self.root), prefix.to_owned());
        blocking(move || Listing::new(root, &prefix)?.keys()).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError> {
        self.on_disk(key, Root::object_meta).await
    }

    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError> {
        let opened = self.on_disk(key, |root, key| root.open_object(key)).await?;
        let pieces = stream::try_unfold((opened, key.to_owned()), |(mut opened, key)| async {
            let root = Arc::clone(&self.root);
            blocking(move || {
                let piece = read_piece(&root, &key, &mut opened)?;
                Ok((!piece.is_empty()).then_some((piece, (opened, key))))
            })
            .await
        });
        Ok(pieces.boxed())
    }

    async fn try_put_stream(
        &self,
        key: &str,
        mut stream: BoxStream<'_, Result<Bytes, StorageError>>,
    ) -> Result<(), StorageError> {
        let durable = self.durable;
        let mut pending = self.on_disk(key, Pending::create).await?;
        while let Some(piece) = stream.try_next().await? {
            pending = blocking(move || pending.write(&piece).map(|()| pending)).await?;
        }
        blocking(move || pending.commit(None, durable)).await.map(drop)
    }

    async fn get_with_meta(&self, key: &str) -> Result<(Bytes, ObjectMeta), StorageError> {
        self.on_disk(key, |root, key| {
            let mut opened = root.open_object(key)?;
            let meta = describe(key.to_owned(), &opened.meta);
            Ok((read_to_end(root, key, &mut opened)?, meta))
        })
        .await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.on_disk(key, move |root, key| {
            read_range(root, key, &mut root.open_object(key)?, range)
        })
        .await
    }

    async fn get_ranges(
        &self,
        key: &str,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, StorageError> {
        let ranges = ranges.to_vec();
        self.on_disk(key, move |root, key| {
            let mut opened = root.open_object(key)?;
            ranges.into_iter().map(|range| read_range(root, key, &mut opened, range)).collect()
        })
        .await
    }

    async fn open_file(&self, key: &str) -> Result<Option<File>, StorageError> {
        self.on_disk(key, |root, key| Ok(Some(root.open_object(key)?.file))).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        check_key(to)?;
        let (target, durable) = (to.to_owned(), self.durable);
        if self.on_disk(from, move |root, from| root.rename(from, &target, durable)).await? {
            return Ok(());
        }
        self.copy(from, to).await?;
        self.delete(from).await
    }

    async fn put_if(
        &self,
        key: &str,
        data: Bytes,
        condition: PutCondition,
    ) -> Result<Option<String>, StorageError> {
        self.write(key, data, Some(condition)).await.map(Some)
    }

    fn list_stream<'a>(
        &'a self,
        prefix: &'a str,
    ) -> BoxStream<'a, Result<ObjectMeta, StorageError>> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.to_owned());
        let open = async move {
            check_prefix(&prefix)?;
            blocking(move || Listing::new(root, &prefix)).await
        };
        let pages = stream::once(open).map_ok(|listing| {
            stream::try_unfold(listing, |mut listing| {
                blocking(move || {
                    let page = listing.page(LISTED_AT_A_TIME)?;
                    Ok((!page.is_empty()).then_some((page, listing)))
                })
            })
        });
        pages.try_flatten().map_ok(|page| stream::iter(page).map(Ok)).try_flatten().boxed()
    }

    async fn list_folder(&self, prefix: &str) -> Result<FolderListing, StorageError> {
        check_prefix(prefix)?;
        let (root, prefix) = (Arc::clone(&self.root), prefix.to_owned());
        blocking(move || Listing::new(root, &prefix)?.folder()).await
    }

    async fn is_folder(&self, folder: &str) -> Result<bool, StorageError> {
        self.on_disk(folder, |root, folder| Ok(listing::is_listed(root, folder))).await
    }
}

impl fmt::Debug for LocalStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root: PathBuf = self.root.path().into();
        f.debug_struct("LocalStorage")
            .field("root", &root)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}
