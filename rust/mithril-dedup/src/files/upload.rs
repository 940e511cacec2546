//! The output in a bucket: files go there as they are written, and the report last.

use super::output::{REPORT, is_known};
use super::remote::{Bucket, Task};
use crate::error::{DedupError, Result};
use crate::resume::Resume;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use mithril_core::{StorageError, runtime, spawn, spawn_blocking};
use std::collections::HashSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use xxhash_rust::xxh3::xxh3_64;

/// What is read of a file at a time.
const PIECE: u64 = 8 << 20;
/// How long what is on its way is waited for when a run has failed.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);
/// Files that are on their way together.
const TOGETHER: usize = 4;

/// The size and the entity tag of what was sent; nothing if it has not arrived as far as is known.
type Sent = Option<(u64, String)>;
/// The stage that says what was sent.
const SENT: &str = "sent";

/// Keys, and what writes them.
type Begun = Vec<(String, Task<()>)>;

/// How far a file is that is being written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) is_whole: bool,
}

/// What is told so.
pub(super) type Growth = watch::Sender<Written>;

/// A folder of a bucket under construction. An output is whole when it has a report.
pub(super) struct Upload {
    bucket: Bucket,
    prefix: String,
    /// The keys of an output that is replaced; only when all is ready is it touched.
    replaced: Vec<String>,
    begun: Mutex<Begun>,
    together: Arc<Semaphore>,
    is_done: bool,
    /// The keys that an earlier run of this one has written.
    sent: HashSet<String>,
    /// Where it is kept which files are there, for another run.
    resume: Option<Arc<Resume>>,
}

impl Upload {
    /// Checks that the folder may be written.
    pub(super) fn begin(
        bucket: Bucket,
        key: &str,
        overwrite: bool,
        resume: Option<Arc<Resume>>,
    ) -> Result<Self> {
        let url = bucket.url_of(key);
        let in_the_way = |problem| Err(DedupError::OutputInTheWay { path: url.clone(), problem });
        let folder = key.trim_end_matches('/');
        if folder.is_empty() {
            return in_the_way("is a whole bucket; name a folder in it");
        }
        let prefix = format!("{folder}/");
        let there = bucket.list(&prefix)?;
        // What an earlier run of this one has sent is neither in the way nor to be sent again.
        let (mut sent, mut replaced) = (HashSet::new(), Vec::new());
        for object in there {
            let kept = |resume: &Arc<Resume>| resume.kept(sending(&object.key), |_: &Sent| true);
            match resume.as_ref().and_then(kept) {
                None => replaced.push(object.key),
                Some(Some(as_sent)) if as_sent == (object.size, object.etag().to_owned()) => {
                    sent.insert(object.key);
                }
                // It may have arrived, or not whole, or be another's.
                Some(_) => {}
            }
        }
        let name = |key: &String| key.strip_prefix(&prefix).unwrap_or_default().to_owned();
        let names: Vec<String> = replaced.iter().map(name).collect();
        if !names.is_empty() && !overwrite {
            return in_the_way(
                "exists; choose another name, or replace it with --overwrite (overwrite=True)",
            );
        }
        if names.iter().any(|name| !is_known(name)) {
            return in_the_way(
                "holds what was not written by mithril, so it is not replaced; choose another name",
            );
        }
        let together = Arc::new(Semaphore::new(TOGETHER));
        let begun = Mutex::default();
        Ok(Self { bucket, prefix, replaced, begun, together, is_done: false, sent, resume })
    }

    /// Whether a key would be replaced.
    pub(super) fn holds(&self, url: &Path) -> bool {
        url.starts_with(self.bucket.url_of(self.prefix.trim_end_matches('/')))
    }

    /// Takes a file that is ready, unless it would take the place of another's.
    pub(super) fn add(&self, name: &str, file: PathBuf) {
        if self.replaced.is_empty() && name != REPORT {
            self.send(name, file);
        }
    }

    /// Begins to send a file that is being written, unless it has to wait for others or until all is ready, or is kept for
    /// another run; gives what has to be told how far it is. Dropped before the file is whole, it leaves nothing of it.
    pub(super) fn follow(&self, name: &str, file: &Path) -> io::Result<Option<Growth>> {
        if !self.replaced.is_empty() || self.resume.is_some() || name == REPORT {
            return Ok(None);
        }
        // What has to wait for others would hold its file open meanwhile.
        let Ok(permit) = Arc::clone(&self.together).try_acquire_owned() else { return Ok(None) };
        let key = format!("{}{name}", self.prefix);
        let (growth, written) = watch::channel(Written::default());
        let (file, to) = (File::open(file)?, key.clone());
        let store = Arc::clone(&self.bucket.store);
        let task = spawn(async move {
            let _permit = permit;
            store.try_put_stream(&to, pieces(file, written)).await
        });
        self.begun().push((key, Task::of(task)));
        Ok(Some(growth))
    }

    fn send(&self, name: &str, file: PathBuf) {
        let key = format!("{}{name}", self.prefix);
        if name != REPORT && self.sent.contains(&key) {
            return;
        }
        let (store, together) = (Arc::clone(&self.bucket.store), Arc::clone(&self.together));
        let (to, resume) = (key.clone(), self.resume.clone());
        let task = spawn(async move {
            let _permit = together.acquire().await;
            let wrong = |error: &dyn Display| StorageError::Other(error.to_string());
            let file = File::open(file).map_err(|error| wrong(&error))?;
            let bytes = file.metadata().map_err(|error| wrong(&error))?.len();
            let (_, whole) = watch::channel(Written { bytes, is_whole: true });
            let pieces = pieces(file, whole);
            let Some(resume) = resume else { return store.try_put_stream(&to, pieces).await };
            let name = sending(&to);
            let journal = Arc::clone(&resume);
            // What is there and is not in the journal is taken for another's, even after a failure of the machine.
            let keep = move || journal.keep(name, &Sent::None).and_then(|()| journal.sync(SENT));
            let kept = spawn_blocking(keep).await.map_err(|error| wrong(&error))?;
            kept.map_err(|error| wrong(&error))?;
            store.try_put_stream(&to, pieces).await?;
            // If this fails it is sent again by another run, which does no harm.
            let there = store.head(&to).await.ok();
            let sent: Sent = there.map(|there| (there.size, there.etag.unwrap_or_default()));
            resume.keep(name, &sent).map_err(|error| wrong(&error))
        });
        self.begun().push((key, Task::of(task)));
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for all that is on its way.
    fn wait(&self) -> Result<Vec<String>> {
        let begun = std::mem::take(&mut *self.begun());
        let mut outcome = Ok(());
        let mut keys = Vec::with_capacity(begun.len());
        for (key, task) in begun {
            let done = task.wait(&self.bucket);
            let done = done.map_err(|error| DedupError::write(&self.bucket.url_of(&key), error));
            outcome = outcome.and(done);
            keys.push(key);
        }
        outcome.inspect_err(|_| self.give_up(&keys)).map(|()| keys)
    }

    /// Makes the files of a folder the output.
    pub(super) fn finish(&mut self, names: &[String], folder: &Path) -> Result<()> {
        if !self.replaced.is_empty() {
            // From here on nothing stops it: what was there is about to go.
            self.bucket = self.bucket.clone().unstoppable();
            // What has no report is no output: it is gone before a part of it is.
            let report = format!("{}{REPORT}", self.prefix);
            let gone = self.bucket.wait(self.bucket.store.delete(&report));
            gone.map_err(|error| DedupError::write(&self.bucket.url_of(&report), error))?;
            for name in names.iter().filter(|name| *name != REPORT) {
                self.send(name, folder.join(name));
            }
        }
        let keys = self.wait()?;
        let sent = self.delete_stale(&keys).and_then(|()| {
            self.send(REPORT, folder.join(REPORT));
            self.wait()
        });
        sent.inspect_err(|_| self.give_up(&keys))?;
        self.is_done = true;
        Ok(())
    }

    /// Deletes what was there and none of these replaces, before a report says that all is as it should be.
    fn delete_stale(&self, keys: &[String]) -> Result<()> {
        let report = format!("{}{REPORT}", self.prefix);
        let is_stale = |key: &&String| !keys.contains(key) && **key != report;
        self.replaced.iter().filter(is_stale).try_for_each(|key| {
            let gone = self.bucket.wait(self.bucket.store.delete(key));
            gone.map_err(|error| DedupError::write(&self.bucket.url_of(key), error))
        })
    }

    /// Deletes keys, but for those that another run goes on from.
    fn give_up(&self, keys: &[String]) {
        if self.resume.is_none() {
            self.delete(keys);
        }
    }

    /// Deletes keys as far as it can be done: what is left is no output without a report.
    fn delete(&self, keys: &[String]) {
        for key in keys {
            let _ = runtime().block_on(self.bucket.store.delete(key));
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // What is on its way may arrive after it was given up: so it is waited for, as long as a person would.
        let end = Instant::now() + GIVEN_UP_AFTER;
        let begun: Begun = self.begun().drain(..).collect();
        let mut keys = Vec::with_capacity(begun.len());
        for (key, task) in begun {
            task.settle(end.saturating_duration_since(Instant::now()));
            keys.push(key);
        }
        self.give_up(&keys);
    }
}

/// What the sending of a file is called in what is kept of a run.
fn sending(key: &str) -> (&'static str, u64) {
    (SENT, xxh3_64(key.as_bytes()))
}

/// A file in pieces, each as soon as it is written.
fn pieces(
    file: File,
    written: watch::Receiver<Written>,
) -> BoxStream<'static, std::result::Result<Bytes, StorageError>> {
    let wrong = |error: &dyn Display| StorageError::Other(error.to_string());
    let next = move |(file, mut written, at): (File, watch::Receiver<Written>, u64)| async move {
        let now = loop {
            let now = *written.borrow_and_update();
            if now.is_whole || now.bytes >= at + PIECE {
                break now;
            }
            let given_up = |_| StorageError::Other("it was not written to its end".to_owned());
            written.changed().await.map_err(given_up)?;
        };
        let read = spawn_blocking(move || {
            let mut piece = Vec::new();
            let read = (&file).take(PIECE).read_to_end(&mut piece);
            read.map(|_| (Bytes::from(piece), file))
        });
        let read = read.await.map_err(|error| wrong(&error))?;
        let (piece, file) = read.map_err(|error| wrong(&error))?;
        if piece.is_empty() && at != now.bytes {
            return Err(StorageError::Other("it is not what was written".to_owned()));
        }
        let at = at + piece.len() as u64;
        Ok((!piece.is_empty()).then_some((piece, (file, written, at))))
    };
    try_unfold((file, written, 0), next).boxed()
}
