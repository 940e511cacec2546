//! Where the work of stores is done: on the runtime of this process, whoever polls.

use std::future::Future;
use std::io;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::StorageError;
use crate::runtime::runtime;

/// Runs what waits for a disk on a thread made for that. What has begun is done to its end, even if
/// nobody waits for it any more.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    runtime().spawn_blocking(work).await.unwrap_or_else(|error| Err(lost(&error)))
}

/// Runs a future on the runtime, and stops it when the one that waits for it is dropped.
pub(super) async fn on_runtime<T: Send + 'static>(
    work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
) -> Result<T, StorageError> {
    let mut task = StopOnDrop(runtime().spawn(work));
    (&mut task.0).await.unwrap_or_else(|error| Err(lost(&error)))
}

/// Runs a future on the runtime to its end, and drops its outcome if nobody waits for it any more.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StorageError>> + Send + 'static,
) -> Result<T, StorageError> {
    runtime().spawn(work).await.unwrap_or_else(|error| Err(lost(&error)))
}

/// Reads a stream on the runtime, at most `ahead` items before they are asked for, and stops when
/// the outcome is dropped.
pub(super) fn stream_on_runtime<T: Send + 'static>(
    mut source: BoxStream<'static, Result<T, StorageError>>,
    ahead: usize,
) -> BoxStream<'static, Result<T, StorageError>> {
    let (sender, receiver) = mpsc::channel(ahead);
    let task = StopOnDrop(runtime().spawn(async move {
        while let Some(item) = source.next().await {
            if sender.send(item).await.is_err() {
                break;
            }
        }
    }));
    let receive = |(mut receiver, mut task): (mpsc::Receiver<_>, Option<StopOnDrop<()>>)| async {
        if let Some(item) = receiver.recv().await {
            return Some((item, (receiver, task)));
        }
        // The sender is gone: the source has ended, or it has panicked, which must not look like an end.
        let outcome = (&mut task.take()?.0).await;
        outcome.err().map(|error| (Err(lost(&error)), (receiver, None)))
    };
    stream::unfold((receiver, Some(task)), receive).boxed()
}

struct StopOnDrop<T>(JoinHandle<T>);

impl<T> Drop for StopOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn lost(error: &JoinError) -> StorageError {
    StorageError::Io(io::Error::other(format!("the task of this request was lost: {error}")))
}
