//! Objects and contents in pieces: what is read piece by piece, and what is written so.

use crate::buffer::{Input, PyRustBytes};
use crate::error::Place;
use crate::operation::PyOperation;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use mithril_core::{MithrilError, StorageError};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How many pieces wait between the store and Python.
const AHEAD: usize = 2;

type Pieces = mpsc::Receiver<Result<Bytes, MithrilError>>;

/// What a store gives for a key or an address, which borrows both.
pub(crate) type Opening<'a, E> = BoxFuture<'a, Result<BoxStream<'a, Result<Bytes, E>>, E>>;

/// The pieces of an object.
#[pyclass(name = "ByteStream", module = "mithril._native", frozen)]
pub(crate) struct PyByteStream {
    /// Held by the operation that waits for the next piece.
    pieces: Arc<tokio::sync::Mutex<Pieces>>,
    task: JoinHandle<()>,
    place: Place,
}

/// Opens what is under a key; the error is that of opening.
pub(crate) async fn open<S, E>(
    store: S,
    key: String,
    place: Place,
    get: impl for<'a> FnOnce(&'a S, &'a str) -> Opening<'a, E> + Send + 'static,
) -> Result<PyByteStream, MithrilError>
where
    S: Send + Sync + 'static,
    E: Into<MithrilError> + Send + 'static,
{
    let (opened, is_open) = oneshot::channel();
    let (sender, pieces) = mpsc::channel(AHEAD);
    // The stream borrows the store: a task owns both.
    let task = mithril_core::spawn(async move {
        let mut stream = match get(&store, &key).await {
            Ok(stream) => stream,
            Err(error) => {
                let _ = opened.send(Err(error.into()));
                return;
            }
        };
        let _ = opened.send(Ok(()));
        while let Some(piece) = stream.next().await {
            if sender.send(piece.map_err(Into::into)).await.is_err() {
                return;
            }
        }
    });
    let stream = PyByteStream { pieces: Arc::new(tokio::sync::Mutex::new(pieces)), task, place };
    is_open.await.unwrap_or_else(|_| Err(stopped().into()))?;
    Ok(stream)
}

#[pymethods]
impl PyByteStream {
    /// The next piece, or None at the end.
    fn next(&self) -> PyOperation {
        let pieces = Arc::clone(&self.pieces);
        let next = async move { pieces.lock().await.recv().await.transpose() };
        PyOperation::new(self.place.clone(), next, |py, piece| {
            piece.map(PyRustBytes).into_py_any(py)
        })
    }

    /// Ends the reading.
    fn close(&self) {
        self.task.abort();
    }
}

impl Drop for PyByteStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The pieces that an [`PyUpload`] passes on.
pub(crate) type Source = BoxStream<'static, Result<Bytes, StorageError>>;

/// What comes of an upload: the address of a content, and nothing for an object.
type Outcome = Result<Option<String>, MithrilError>;

/// An object that is being written; it appears when it is finished, and else not at all.
#[pyclass(name = "Upload", module = "mithril._native", frozen)]
pub(crate) struct PyUpload {
    state: Arc<Mutex<Writing>>,
    place: Place,
}

struct Writing {
    /// Pieces, and `None` for the end of the object: a sender that is gone without it has given up.
    pieces: Option<mpsc::Sender<Option<Bytes>>>,
    task: Option<JoinHandle<Outcome>>,
}

impl PyUpload {
    /// `put` writes what the pieces are; its outcome is that of [`finish`](Self::finish).
    pub(crate) fn begin<W>(place: Place, put: impl FnOnce(Source) -> W) -> Self
    where
        W: Future<Output = Outcome> + Send + 'static,
    {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let next = |mut pieces: mpsc::Receiver<Option<Bytes>>| async {
            match pieces.recv().await {
                Some(Some(piece)) => Some((Ok(piece), pieces)),
                Some(None) => None,
                None => Some((Err(stopped()), pieces)),
            }
        };
        let pieces = stream::unfold(pieces, next).boxed();
        let task = mithril_core::spawn(put(pieces));
        let state = Writing { pieces: Some(sender), task: Some(task) };
        Self { state: Arc::new(Mutex::new(state)), place }
    }
}

#[pymethods]
impl PyUpload {
    /// Passes one more piece on, when there is room for it.
    fn write(&self, py: Python, data: &Bound<PyAny>) -> PyResult<PyOperation> {
        let data = Input::of(data)?.into_bytes(py);
        let state = Arc::clone(&self.state);
        let write = async move {
            let sender = lock(&state).pieces.clone().ok_or_else(over)?;
            if sender.send(Some(data)).await.is_ok() {
                return Ok(());
            }
            // Nobody takes pieces any more: the writing has failed, and its error says why.
            finish(&state).await?;
            Err(MithrilError::from(stopped()))
        };
        Ok(PyOperation::new(self.place.clone(), write, |py, ()| Ok(py.None())))
    }

    /// Ends the object, which is there when the operation is over; the address of a content.
    fn finish(&self) -> PyOperation {
        let state = Arc::clone(&self.state);
        let work = async move { finish(&state).await };
        PyOperation::new(self.place.clone(), work, |py, address| address.into_py_any(py))
    }

    /// Gives the object up.
    fn abort(&self) {
        abort(&self.state);
    }
}

impl Drop for PyUpload {
    fn drop(&mut self) {
        abort(&self.state);
    }
}

async fn finish(state: &Mutex<Writing>) -> Outcome {
    let (pieces, task) = {
        let mut state = lock(state);
        (state.pieces.take(), state.task.take())
    };
    let task = AbortOnDrop(task.ok_or_else(over)?);
    if let Some(pieces) = pieces {
        // If the task takes no more pieces it has failed, and says why.
        let _ = pieces.send(None).await;
    }
    task.outcome().await
}

fn abort(state: &Mutex<Writing>) {
    let mut state = lock(state);
    state.pieces = None;
    if let Some(task) = state.task.take() {
        task.abort();
    }
}

/// So that a finish that is cancelled does not write the object all the same.
struct AbortOnDrop(JoinHandle<Outcome>);

impl AbortOnDrop {
    async fn outcome(mut self) -> Outcome {
        (&mut self.0).await.unwrap_or_else(|_| Err(stopped().into()))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn lock(state: &Mutex<Writing>) -> MutexGuard<'_, Writing> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn over() -> StorageError {
    StorageError::Other("this object was finished or given up already".to_owned())
}

fn stopped() -> StorageError {
    StorageError::Other("the transfer was stopped before its end".to_owned())
}
