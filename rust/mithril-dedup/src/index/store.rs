//! Indexes in stores: segments that are written once, and a manifest that is written last.

use super::MinHashIndex;
use super::manifest::{Manifest, Named};
use super::map::map;
use super::name;
use super::object::{MAGIC, damaged};
use super::options::Shape;
use super::part::Part;
use super::segment::Segment;
use crate::error::{DedupError, Result};
use bytes::Bytes;
use mithril_core::{
    LocalStorage, PutCondition, StorageBackend, StorageError, runtime, spawn_blocking,
};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// The name of the manifest.
const MANIFEST: &str = "manifest";
/// How often a reader looks again for what a writer has replaced meanwhile.
const ATTEMPTS: usize = 5;

impl MinHashIndex {
    /// Saves the index as objects whose keys begin with `prefix` and a slash, or at the root of the store if that
    /// is empty: a manifest, and segments that are never changed.
    ///
    /// If it was opened from there or saved there before, only what is new is written: segments of what was
    /// added, and then the manifest, in one step with looking that it is still the same. A
    /// crash before that step leaves the old index, and maybe segments that nothing names ([`sweep`](Self::sweep)). Segments that
    /// the new manifest does not name any more are deleted after it.
    ///
    /// # Errors
    ///
    /// [`DedupError::IndexChanged`] when another index is there, or another writer has saved since this one
    /// was opened: nothing is lost then, and opening it again is the way on. [`DedupError::IndexDamaged`] when the
    /// manifest there cannot be read, [`DedupError::Storage`] when the store fails or cannot look and write in one
    /// step.
    ///
    /// ```
    /// use mithril_core::{MemoryStorage, runtime};
    /// use mithril_dedup::{Control, Documents, IndexOptions, MinHashIndex, TextBuilder};
    /// let mut texts = TextBuilder::default();
    /// texts.append_str("one text");
    /// let mut documents = Documents::new();
    /// documents.push_texts(texts)?;
    /// let mut index = MinHashIndex::try_new(IndexOptions::default())?;
    /// index.add(&documents, Some(&[7]), Control::default())?;
    ///
    /// let store = MemoryStorage::new();
    /// runtime().block_on(async {
    ///     index.save(&store, "corpus/index").await?;
    ///     let again = MinHashIndex::open(&store, "corpus/index").await?;
    ///     assert_eq!(again.ids(), [7]);
    ///     Ok::<(), mithril_dedup::DedupError>(())
    /// })?;
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub async fn save<S>(&mut self, store: &S, prefix: &str) -> Result<()>
    where
        S: StorageBackend + ?Sized,
    {
        self.snapshot()?.save(store, prefix).await
    }

    /// The index as it is now, to be saved while it goes on: [`save`](Self::save) in two steps.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] when the memory is not there.
    ///
    /// ```
    /// use mithril_core::{MemoryStorage, runtime};
    /// use mithril_dedup::{IndexOptions, MinHashIndex};
    /// let mut index = MinHashIndex::try_new(IndexOptions::default())?;
    /// let snapshot = index.snapshot()?;
    /// runtime().block_on(snapshot.save(&MemoryStorage::new(), ""))?;
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.freeze()?;
        let revisions = self.revisions.clone();
        let manifest = self.manifest(name::unique());
        // Whatever comes of it: a connection may break after the manifest was written.
        self.revisions.push(manifest.revision);
        let segments = self.parts.iter().map(|part| Arc::clone(&part.segment)).collect();
        Ok(Snapshot { manifest, segments, revisions })
    }

    /// Opens the index that [`save`](Self::save) has put below `prefix`.
    ///
    /// Where objects are files ([`StorageBackend::open_file`]), segments are mapped into memory, and else read. The
    /// checksum of every section is verified, which reads all bytes once: 0.01 s for a million documents (200 MB) that
    /// the system has in its cache, and else as long as the disk takes.
    ///
    /// # Errors
    ///
    /// [`DedupError::Storage`] when there is no index or the store fails, [`DedupError::IndexDamaged`] when an object
    /// is damaged, cut, missing, of a newer version or something else; the text names it.
    pub async fn open<S>(store: &S, prefix: &str) -> Result<Self>
    where
        S: StorageBackend + ?Sized,
    {
        let key = manifest_key(prefix);
        let mut seen = None;
        for _ in 0..ATTEMPTS {
            let manifest = read(store, &key).await?;
            let missing = match load(store, prefix, &manifest).await {
                Err(DedupError::Storage(StorageError::NotFound(missing))) => missing,
                parts => return Self::assemble(&manifest, parts?),
            };
            if seen.replace(manifest.revision) == Some(manifest.revision) {
                let problem = format!("it names a segment that is not there: {missing}");
                return Err(damaged(&key, problem));
            }
        }
        Err(DedupError::IndexChanged {
            object: key,
            problem: "it changes all the time; open it again",
        })
    }

    /// Opens the index that lies in a folder; `None` if there is none, and nothing is made there.
    pub(crate) fn open_folder(folder: &Path) -> Option<Result<Self>> {
        let mut magic = [0; MAGIC.len()];
        let mut manifest = File::open(folder.join(MANIFEST)).ok()?;
        (manifest.read_exact(&mut magic).is_ok() && magic == MAGIC).then(|| {
            let store = LocalStorage::new(folder)?;
            runtime().block_on(Self::open(&store, ""))
        })
    }

    /// Deletes the segments below `prefix` that the manifest there does not name, as a writer leaves them that dies or
    /// is stopped, and returns how many there were.
    ///
    /// Nobody may be saving there meanwhile: the segments of a manifest that is still to be written would go.
    ///
    /// # Errors
    ///
    /// [`DedupError::Storage`] when there is no index or the store fails, [`DedupError::IndexDamaged`] when its
    /// manifest cannot be read.
    ///
    /// ```
    /// use mithril_core::{MemoryStorage, runtime};
    /// use mithril_dedup::{IndexOptions, MinHashIndex};
    /// let store = MemoryStorage::new();
    /// let swept = runtime().block_on(async {
    ///     MinHashIndex::try_new(IndexOptions::default())?.save(&store, "index").await?;
    ///     MinHashIndex::sweep(&store, "index").await
    /// })?;
    /// assert_eq!(swept, 0);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub async fn sweep<S>(store: &S, prefix: &str) -> Result<usize>
    where
        S: StorageBackend + ?Sized,
    {
        let segments = read(store, &manifest_key(prefix)).await?.segments;
        let named: HashSet<u128> = segments.into_iter().map(|segment| segment.name).collect();
        let mut swept = 0;
        for key in store.list(&self::key(prefix, "segment-")).await? {
            let name = key.rsplit_once("segment-").and_then(|(_, name)| name::parse(name));
            // What is called otherwise is not ours.
            if name.is_some_and(|name| !named.contains(&name) && segment_key(prefix, name) == key) {
                store.delete(&key).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// The index as bytes: a manifest, and its segments in their order.
    ///
    /// # Errors
    ///
    /// [`DedupError::InvalidArgument`] when the memory is not there.
    ///
    /// ```
    /// use mithril_dedup::{IndexOptions, MinHashIndex};
    /// let mut index = MinHashIndex::try_new(IndexOptions::default())?;
    /// let (manifest, segments) = index.to_objects()?;
    /// assert_eq!(MinHashIndex::from_objects(&manifest, segments)?.options(), index.options());
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn to_objects(&mut self) -> Result<(Bytes, Vec<Bytes>)> {
        self.freeze()?;
        let manifest = self.manifest(self.revisions.last().copied().unwrap_or_default());
        let segments = self.parts.iter().map(|part| part.segment.data.clone());
        Ok((manifest.to_bytes()?, segments.collect()))
    }

    /// The index of what [`to_objects`](Self::to_objects) has given. If that was opened from a store or saved in
    /// one, this one goes on from there too.
    ///
    /// # Errors
    ///
    /// [`DedupError::IndexDamaged`] when the bytes are something else.
    pub fn from_objects(manifest: &[u8], segments: Vec<Bytes>) -> Result<Self> {
        let object = "the manifest of an index in memory";
        let manifest = Manifest::parse(object, manifest)?;
        if manifest.segments.len() != segments.len() {
            return Err(damaged(object, "it has another number of segments"));
        }
        let named = manifest.segments.iter().zip(segments);
        let parts = named.map(|(named, data)| {
            let object = format!("segment {} of an index in memory", name::text(named.name));
            check_size(&object, named, data.len() as u64)?;
            part(&object, &manifest.shape, named, data, false)
        });
        let parts = parts.collect::<Result<_>>()?;
        Self::assemble(&manifest, parts)
    }

    fn assemble(manifest: &Manifest, parts: Vec<Part>) -> Result<Self> {
        let known = Some(manifest.revision).filter(|&revision| revision != 0);
        Ok(Self {
            parts,
            next_id: manifest.next_id,
            revisions: known.into_iter().collect(),
            ..Self::of(manifest.shape)?
        })
    }

    fn manifest(&self, revision: u128) -> Manifest {
        let segments = self.parts.iter().map(|Part { segment, removed }| Named {
            name: segment.name,
            documents: segment.documents,
            bytes: segment.data.len() as u64,
            checksum: segment.checksum,
            removed: removed.clone(),
        });
        Manifest {
            shape: self.shape,
            revision,
            next_id: self.next_id,
            segments: segments.collect(),
        }
    }
}

/// An index as it was at some moment, to be saved; [`MinHashIndex::snapshot`] makes it.
#[derive(Debug)]
pub struct Snapshot {
    manifest: Manifest,
    segments: Vec<Arc<Segment>>,
    /// The manifests that may be replaced.
    revisions: Vec<u128>,
}

impl Snapshot {
    /// Saves it; see [`MinHashIndex::save`].
    ///
    /// # Errors
    ///
    /// As [`MinHashIndex::save`].
    pub async fn save<S>(self, store: &S, prefix: &str) -> Result<()>
    where
        S: StorageBackend + ?Sized,
    {
        let key = manifest_key(prefix);
        let found = match store.get_with_meta(&key).await {
            Ok((data, meta)) => Some((Manifest::parse(&key, &data)?, meta.etag)),
            Err(StorageError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let mut there = HashSet::new();
        let mut condition = PutCondition::Absent;
        if let Some((manifest, etag)) = found {
            if !self.revisions.contains(&manifest.revision) {
                return Err(changed(&key));
            }
            let no_etag = || StorageError::Unsupported(format!("{key}: this store gives no etags"));
            condition = PutCondition::Matches(etag.ok_or_else(no_etag)?);
            there.extend(manifest.segments.iter().map(|segment| segment.name));
        }
        let mut written = Vec::new();
        for segment in self.segments.iter().filter(|segment| !there.contains(&segment.name)) {
            written.push(segment_key(prefix, segment.name));
            if let Some(key) = written.last()
                && let Err(error) = store.put(key, segment.data.clone()).await
            {
                sweep(store, written).await;
                return Err(error.into());
            }
        }
        let put = store.put_if(&key, self.manifest.to_bytes()?, condition).await;
        if let Err(StorageError::AlreadyExists(_) | StorageError::Changed(_)) = put {
            // It may be this very writer who was first: a request whose answer was lost is sent again.
            if read(store, &key).await?.revision != self.manifest.revision {
                sweep(store, written).await;
                return Err(changed(&key));
            }
        } else {
            put?;
        }
        for segment in &self.segments {
            segment.set_stored();
            there.remove(&segment.name);
        }
        sweep(store, there.into_iter().map(|name| segment_key(prefix, name))).await;
        Ok(())
    }
}

/// Deletes segments that no manifest names. What cannot be deleted stays, and is in nobody's way.
async fn sweep<S>(store: &S, keys: impl IntoIterator<Item = String, IntoIter: Send>)
where
    S: StorageBackend + ?Sized,
{
    for key in keys {
        let _ = store.delete(&key).await;
    }
}

fn manifest_key(prefix: &str) -> String {
    key(prefix, MANIFEST)
}

fn segment_key(prefix: &str, name: u128) -> String {
    key(prefix, &format!("segment-{}", name::text(name)))
}

fn key(prefix: &str, name: &str) -> String {
    match prefix.trim_end_matches('/') {
        "" => name.to_owned(),
        prefix => format!("{prefix}/{name}"),
    }
}

fn changed(key: &str) -> DedupError {
    DedupError::IndexChanged {
        object: key.to_owned(),
        problem: "another index is there, or another writer has saved it since this one was opened; \
                  open it and add to that, or save elsewhere",
    }
}

async fn read<S: StorageBackend + ?Sized>(store: &S, key: &str) -> Result<Manifest> {
    Manifest::parse(key, &store.get(key).await?)
}

/// The segments that a manifest names; they are verified on all threads.
async fn load<S: StorageBackend + ?Sized>(
    store: &S,
    prefix: &str,
    manifest: &Manifest,
) -> Result<Vec<Part>> {
    let mut tasks = Vec::new();
    for named in &manifest.segments {
        let object = segment_key(prefix, named.name);
        let (data, is_mapped) = match store.open_file(&object).await? {
            Some(file) => {
                // Before it is mapped: looking at what is past the end of a file ends the process.
                let size = file.metadata().map_err(StorageError::Io)?.len();
                check_size(&object, named, size)?;
                (map(&file).map_err(StorageError::Io)?, true)
            }
            None => (store.get(&object).await?, false),
        };
        check_size(&object, named, data.len() as u64)?;
        let (shape, named) = (manifest.shape, named.clone());
        tasks.push(spawn_blocking(move || part(&object, &shape, &named, data, is_mapped)));
    }
    let mut parts = Vec::new();
    for task in tasks {
        let lost = |error| StorageError::Other(format!("a segment was not verified: {error}"));
        parts.push(task.await.map_err(lost)??);
    }
    Ok(parts)
}

fn check_size(object: &str, named: &Named, size: u64) -> Result<()> {
    match size {
        size if size == named.bytes => Ok(()),
        size if size < named.bytes => {
            Err(damaged(object, format!("it is cut: {size} of {} bytes are there", named.bytes)))
        }
        size => Err(damaged(object, format!("{} bytes follow its end", size - named.bytes))),
    }
}

/// Verifies a segment, and that it is the one that the manifest means.
fn part(object: &str, shape: &Shape, named: &Named, data: Bytes, is_mapped: bool) -> Result<Part> {
    let segment = Segment::parse(object, named.name, shape, data, is_mapped)?;
    if segment.checksum != named.checksum || segment.documents != named.documents {
        return Err(damaged(object, "it is another segment than the manifest names"));
    }
    Ok(Part { segment: Arc::new(segment), removed: named.removed.clone() })
}
