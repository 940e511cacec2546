//! Objects of a bucket as files that are read.

use crate::error::{DedupError, Result};
use bytes::{Buf, Bytes};
use futures_util::TryStreamExt;
use mithril_core::{
    ObjectMeta, StorageBackend, StorageConfig, StorageError, create_storage, runtime, spawn,
};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How often those who wait look whether they still should.
const LOOK: Duration = Duration::from_millis(50);
/// What is asked for at a time of an object that is read from its beginning to its end.
const BLOCK: u64 = 4 << 20;
/// How many such blocks are on their way while one is read.
const AHEAD: usize = 3;

/// A bucket, and the URL that it was named by.
#[derive(Clone)]
pub(super) struct Bucket {
    url: String,
    pub(super) store: Arc<dyn StorageBackend>,
    /// Whether nobody waits for it any more.
    stop: Arc<AtomicBool>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// What a user has named.
pub(super) enum Named {
    Path(PathBuf),
    /// A bucket, and a key in it, the beginning of some, or a pattern.
    Bucket(Bucket, String),
}

impl Named {
    /// Whether a name is a URL of a bucket.
    pub(super) fn is_url(name: &Path) -> bool {
        let scheme = name.to_str().and_then(|name| name.split_once("://"));
        scheme.is_some_and(|(scheme, _)| scheme != "file")
    }

    /// Tells URLs from paths.
    pub(super) fn parse(name: &Path, stop: &Arc<AtomicBool>) -> Result<Self> {
        let url = name.to_str().and_then(|name| Some((name, name.split_once("://")?)));
        let Some((name, (scheme, rest))) = url else { return Ok(Self::Path(name.to_owned())) };
        let wrong = |error: StorageError| DedupError::InvalidArgument(error.to_string());
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let root = if scheme == "file" { name.to_owned() } else { format!("{scheme}://{bucket}") };
        match root.parse::<StorageConfig>().map_err(wrong)? {
            StorageConfig::Local { path } => Ok(Self::Path(path)),
            StorageConfig::Memory | StorageConfig::Unset => Err(DedupError::InvalidArgument(
                format!("{name}: a store in memory holds nothing that could be read"),
            )),
            config => {
                let store = create_storage(config)?.into();
                let stop = Arc::clone(stop);
                Ok(Self::Bucket(Bucket { url: root, store, stop }, key.to_owned()))
            }
        }
    }
}

impl Bucket {
    /// The URL of a key.
    pub(super) fn url_of(&self, key: &str) -> PathBuf {
        format!("{}/{key}", self.url).into()
    }

    /// The object of this key, if there is one.
    pub(super) fn find(&self, key: &str) -> Result<Option<Object>> {
        match self.wait(self.store.head(key)) {
            Ok(meta) => Ok(Some(self.object(meta))),
            Err(StorageError::NotFound(_)) => Ok(None),
            Err(error) => Err(DedupError::read(&self.url_of(key), error)),
        }
    }

    /// The objects whose keys begin with this, sorted.
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let found = self.store.list_stream(prefix).map_ok(|meta| self.object(meta));
        self.wait(found.try_collect())
            .map_err(|error| DedupError::read(&self.url_of(prefix), error))
    }

    /// As this one, for what must not stop halfway.
    pub(super) fn unstoppable(self) -> Self {
        Self { stop: Arc::default(), ..self }
    }

    /// The bytes of an object.
    pub(super) fn read(&self, key: &str) -> Result<Bytes> {
        let read = self.wait(self.store.get(key));
        read.map_err(|error| DedupError::read(&self.url_of(key), error))
    }

    /// Waits for an answer, unless the run is to stop.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = Answer<T>>) -> Answer<T> {
        runtime().block_on(async {
            let mut answer = pin!(answer);
            loop {
                match timeout(LOOK, &mut answer).await {
                    Ok(answer) => return answer,
                    Err(_) if self.stop.load(Ordering::Relaxed) => {
                        return Err(StorageError::Other("interrupted".to_owned()));
                    }
                    Err(_) => {}
                }
            }
        })
    }

    fn object(&self, meta: ObjectMeta) -> Object {
        Object { bucket: self.clone(), key: meta.key, size: meta.size, etag: meta.etag }
    }
}

/// An object as it was when the run began.
#[derive(Debug, Clone)]
pub(super) struct Object {
    bucket: Bucket,
    pub(super) key: String,
    pub(super) size: u64,
    etag: Option<String>,
}

impl Object {
    /// Its URL.
    pub(super) fn url(&self) -> PathBuf {
        self.bucket.url_of(&self.key)
    }

    /// What the store calls this state of it.
    pub(super) fn etag(&self) -> &str {
        self.etag.as_deref().unwrap_or_default()
    }

    /// Begins to look what has become of it.
    pub(super) fn look(self: &Arc<Self>) -> Look {
        let object = Arc::clone(self);
        let task = spawn(async move { object.bucket.store.head(&object.key).await });
        Look { object: Arc::clone(self), task: Task(task) }
    }

    /// Begins to read some ranges.
    pub(super) fn fetch(self: &Arc<Self>, ranges: Vec<Range<u64>>) -> Fetch {
        let object = Arc::clone(self);
        let wanted = ranges.clone();
        let task = spawn(async move { object.bucket.store.get_ranges(&object.key, &wanted).await });
        Fetch { object: Arc::clone(self), ranges, task: Task(task) }
    }

    fn range(&self, range: Range<u64>) -> std::result::Result<Bytes, StorageError> {
        let range = range.start..range.end.min(self.size);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.bucket.wait(self.bucket.store.get_range(&self.key, range))
    }
}

/// A task that ends with whoever waits for it.
pub(super) struct Task<T>(JoinHandle<Answer<T>>);

impl<T> Task<T> {
    pub(super) fn of(handle: JoinHandle<Answer<T>>) -> Self {
        Self(handle)
    }

    /// Waits for its end, but no longer than this.
    pub(super) fn settle(mut self, longest: Duration) {
        let _ = runtime().block_on(timeout(longest, &mut self.0));
    }

    /// Its outcome.
    pub(super) fn wait(mut self, bucket: &Bucket) -> Answer<T> {
        bucket.wait(async {
            let ended = |_| Err(StorageError::Other("the runtime was shut down".to_owned()));
            (&mut self.0).await.unwrap_or_else(ended)
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) type Answer<T> = std::result::Result<T, StorageError>;

/// What an object is now, on its way.
pub(super) struct Look {
    object: Arc<Object>,
    task: Task<ObjectMeta>,
}

impl Look {
    /// Whether it is still what it was.
    pub(super) fn finish(self) -> Result<bool> {
        let Self { object, task } = self;
        match task.wait(&object.bucket) {
            Ok(now) => Ok((now.size, now.etag) == (object.size, object.etag.clone())),
            Err(StorageError::NotFound(_)) => Ok(false),
            Err(error) => Err(DedupError::read(&object.url(), error)),
        }
    }
}

/// Ranges of an object that are on their way.
pub(super) struct Fetch {
    object: Arc<Object>,
    ranges: Vec<Range<u64>>,
    task: Task<Vec<Bytes>>,
}

impl Fetch {
    /// The object, once they are there.
    pub(super) fn open(self) -> Result<ObjectReader> {
        let url = self.object.url();
        let parts = self.task.wait(&self.object.bucket);
        let parts = parts.map_err(|error| DedupError::read(&url, error))?;
        let held = self.ranges.iter().map(|range| range.start).zip(parts).collect();
        Ok(ObjectReader { held, ..ObjectReader::new(self.object, 0) })
    }
}

/// An object that is read from somewhere on, in blocks that are asked for before they are needed.
pub(super) struct ObjectReader {
    object: Arc<Object>,
    /// Parts that are at hand, with where they begin.
    held: Vec<(u64, Bytes)>,
    /// What comes next of the block that is read.
    block: Bytes,
    /// Where that is.
    position: u64,
    ahead: VecDeque<Task<Bytes>>,
    /// Where the next block to be asked for begins.
    next: u64,
}

impl ObjectReader {
    pub(super) fn new(object: Arc<Object>, position: u64) -> Self {
        let (held, block, ahead) = (Vec::new(), Bytes::new(), VecDeque::new());
        Self { object, held, block, position, ahead, next: position }
    }

    /// What is held from `start` on.
    fn held_from(&self, start: u64) -> Option<Bytes> {
        self.held.iter().find_map(|(first, part)| {
            let at = start.checked_sub(*first)?;
            (at < part.len() as u64).then(|| part.slice(at as usize..))
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.ahead.len() <= AHEAD && self.next < self.object.size {
            let range = self.next..(self.next + BLOCK).min(self.object.size);
            self.next = range.end;
            let object = Arc::clone(&self.object);
            let task = async move { object.bucket.store.get_range(&object.key, range).await };
            self.ahead.push_back(Task(spawn(task)));
        }
        if let Some(task) = self.ahead.pop_front() {
            self.block = task.wait(&self.object.bucket).map_err(io::Error::other)?;
        }
        Ok(())
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            self.fill()?;
        }
        let count = buffer.len().min(self.block.len());
        let (part, _) = buffer.split_at_mut(count);
        self.block.copy_to_slice(part);
        self.position += count as u64;
        Ok(count)
    }
}

/// A file, or an object as one.
pub(super) enum Handle {
    File(File),
    Object(ObjectReader),
}

impl Read for Handle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Object(object) => object.read(buffer),
        }
    }
}

impl Seek for Handle {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let reader = match self {
            Self::File(file) => return file.seek(to),
            Self::Object(reader) => reader,
        };
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => reader.object.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => reader.position.checked_add_signed(offset),
        };
        let position = position.ok_or(io::ErrorKind::InvalidInput)?;
        if position != reader.position {
            *reader = ObjectReader::new(Arc::clone(&reader.object), position);
        }
        Ok(position)
    }
}

impl Length for Handle {
    fn len(&self) -> u64 {
        match self {
            Self::File(file) => Length::len(file),
            Self::Object(reader) => reader.object.size,
        }
    }
}

/// What a library reads from somewhere on.
pub(super) enum Part {
    File(BufReader<File>),
    Held(bytes::buf::Reader<Bytes>),
    Object(Box<ObjectReader>),
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Held(bytes) => bytes.read(buffer),
            Self::Object(reader) => reader.read(buffer),
        }
    }
}

impl ChunkReader for Handle {
    type T = Part;

    fn get_read(&self, start: u64) -> std::result::Result<Part, ParquetError> {
        match self {
            Self::File(file) => file.get_read(start).map(Part::File),
            Self::Object(reader) => {
                let anew = || Box::new(ObjectReader::new(Arc::clone(&reader.object), start));
                let held = reader.held_from(start).map(|bytes| Part::Held(bytes.reader()));
                Ok(held.unwrap_or_else(|| Part::Object(anew())))
            }
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> std::result::Result<Bytes, ParquetError> {
        let reader = match self {
            Self::File(file) => return file.get_bytes(start, length),
            Self::Object(reader) => reader,
        };
        let held = reader.held_from(start).filter(|bytes| bytes.len() >= length);
        let bytes = match held {
            Some(bytes) => bytes.slice(..length),
            None => reader
                .object
                .range(start..start + length as u64)
                .map_err(|error| ParquetError::External(error.into()))?,
        };
        if bytes.len() != length {
            return Err(ParquetError::EOF(format!("{length} bytes from {start} on are not there")));
        }
        Ok(bytes)
    }
}
