//! What takes time, begun from Python: waited for by a thread, or by a coroutine.
//!
//! A call makes an [`PyOperation`] and has not begun. `wait` runs it to its end on the calling thread;
//! `start` hands it to the runtime, whose threads post the answer into a [`PyMailbox`]. They never
//! enter the interpreter: the answer becomes a Python object on the thread of the event loop, which a
//! byte through a socket wakes. So there is no thread of ours that an interpreter on its way out could
//! stop in the middle, and a thousand answers that arrive together wake the loop once.

use crate::buffer::release;
use crate::error::{self, Place};
use futures_util::future::BoxFuture;
use mithril_core::MithrilError;
use mithril_core::python::wait_for;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::future::Future;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Whether the interpreter is on its way out. What is under way in a daemon's loop is then left
/// without an answer, which would only be an exception that nobody waits for any more.
static ENDING: AtomicBool = AtomicBool::new(false);

/// Stops what is under way; whether all of it has ended in time.
pub(crate) fn shutdown(timeout: Duration) -> bool {
    ENDING.store(true, Ordering::Relaxed);
    mithril_core::runtime::shutdown(timeout)
}

/// An outcome that has yet to become a Python object.
pub(crate) type Answer = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Work that has not begun, is under way, or is over.
#[pyclass(name = "Operation", module = "mithril._native", frozen)]
pub(crate) struct PyOperation {
    state: Mutex<State>,
}

enum State {
    Fresh(BoxFuture<'static, Answer>),
    Ready(Answer),
    Running(AbortHandle),
    Over,
}

impl PyOperation {
    /// Work whose outcome `convert` makes a Python object of; an error names the key and the store.
    pub(crate) fn new<T, E>(
        place: Place,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        E: Into<MithrilError> + Send + 'static,
    {
        let answer = async move {
            let outcome = work.await;
            let answer: Answer = Box::new(move |py| match outcome {
                Ok(value) => convert(py, value),
                Err(error) => Err(error::at(py, error.into(), &place)),
            });
            answer
        };
        Self { state: Mutex::new(State::Fresh(Box::pin(answer))) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> State {
        mem::replace(&mut *self.state(), State::Over)
    }
}

#[pymethods]
impl PyOperation {
    /// Runs the work to its end, with the GIL released; Ctrl-C drops it.
    fn wait(&self, py: Python) -> PyResult<Py<PyAny>> {
        match self.take() {
            State::Fresh(work) => {
                let outcome = wait_for(py, work);
                release(py);
                outcome?(py)
            }
            State::Ready(answer) => {
                release(py);
                answer(py)
            }
            State::Running(_) | State::Over => Err(used()),
        }
    }

    /// Begins the work on this thread; whether it has come to its end already.
    fn poll(&self) -> bool {
        let mut state = self.state();
        let State::Fresh(work) = &mut *state else { return matches!(*state, State::Ready(_)) };
        let within = mithril_core::runtime().enter();
        let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(within);
        let Poll::Ready(answer) = polled else { return false };
        *state = State::Ready(answer);
        true
    }

    /// Hands the work to the runtime; its answer will be in the mailbox under `number`.
    fn start(&self, mailbox: &PyMailbox, number: u64) -> PyResult<()> {
        let State::Fresh(work) = self.take() else { return Err(used()) };
        if ENDING.load(Ordering::Relaxed) {
            return Err(PyRuntimeError::new_err(
                "the interpreter is ending: only the synchronous methods still work",
            ));
        }
        let envelope = Envelope { mail: Arc::clone(&mailbox.mail), id: number, answer: None };
        let task = mithril_core::spawn(async move {
            envelope.post(work.await);
        });
        *self.state() = State::Running(task.abort_handle());
        Ok(())
    }

    /// Drops the work, if it is under way.
    fn cancel(&self) {
        if let State::Running(task) = self.take() {
            task.abort();
        }
    }
}

fn used() -> PyErr {
    PyRuntimeError::new_err("this operation was waited for already")
}

/// Where the answers for one event loop arrive.
#[pyclass(name = "Mailbox", module = "mithril._native", frozen)]
pub(crate) struct PyMailbox {
    mail: Arc<Mail>,
    #[cfg(unix)]
    wakened: std::os::unix::net::UnixStream,
}

struct Mail {
    answers: Mutex<Vec<(u64, Answer)>>,
    wake: Wake,
}

/// What tells the loop that there is mail.
enum Wake {
    /// A byte, at whose other end the loop listens.
    #[cfg(unix)]
    Socket(std::os::unix::net::UnixStream),
    /// A Python function, for loops that listen to no sockets (Windows' proactor).
    Call(Py<PyAny>),
}

#[pymethods]
impl PyMailbox {
    /// `wake` is called from another thread when there is mail; without it, `fileno` becomes readable.
    #[new]
    #[cfg(unix)]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        let (socket, wakened) = std::os::unix::net::UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        wakened.set_nonblocking(true)?;
        let wake = wake.map_or(Wake::Socket(socket), Wake::Call);
        Ok(Self { mail: Arc::new(Mail { answers: Mutex::default(), wake }), wakened })
    }

    #[new]
    #[cfg(not(unix))]
    fn new(wake: Option<Py<PyAny>>) -> PyResult<Self> {
        let wake = wake.map(Wake::Call).ok_or_else(|| {
            pyo3::exceptions::PyNotImplementedError::new_err("no sockets here: pass a function")
        })?;
        Ok(Self { mail: Arc::new(Mail { answers: Mutex::default(), wake }) })
    }

    /// The socket to listen to.
    #[cfg(unix)]
    fn fileno(&self) -> i32 {
        use std::os::fd::AsRawFd;
        self.wakened.as_raw_fd()
    }

    /// What has arrived: `(id, whether it went well, value or exception)`.
    fn collect(&self, py: Python) -> Vec<(u64, bool, Py<PyAny>)> {
        // Before the answers are taken: what comes in between wakes once too often, not never.
        #[cfg(unix)]
        self.empty();
        let answers = mem::take(&mut *self.mail.answers());
        release(py);
        let converted = answers.into_iter().map(|(id, answer)| match answer(py) {
            Ok(value) => (id, true, value),
            Err(error) => (id, false, error.into_value(py).into_any()),
        });
        converted.collect()
    }
}

#[cfg(unix)]
impl PyMailbox {
    fn empty(&self) {
        use std::io::Read;
        let mut bytes = [0; 64];
        while matches!((&self.wakened).read(&mut bytes), Ok(read) if read == bytes.len()) {}
    }
}

impl Mail {
    fn answers(&self) -> MutexGuard<'_, Vec<(u64, Answer)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, id: u64, answer: Answer) {
        let mut answers = self.answers();
        let first = answers.is_empty();
        answers.push((id, answer));
        drop(answers);
        if first {
            self.wake();
        }
    }

    fn wake(&self) {
        match &self.wake {
            #[cfg(unix)]
            Wake::Socket(socket) => {
                use std::io::Write;
                // A full socket wakes the loop as well, and one without a reader has no loop any more.
                let _ = { socket }.write(&[1]);
            }
            Wake::Call(wake) => {
                // Nothing to tell when the interpreter is on its way out, or the loop is closed.
                let _ = Python::try_attach(|py| wake.call0(py).map(drop));
            }
        }
    }
}

/// Posts an answer when it is dropped, whatever became of the work.
struct Envelope {
    mail: Arc<Mail>,
    id: u64,
    answer: Option<Answer>,
}

impl Envelope {
    /// By value, so that the task holds all of the envelope until then.
    fn post(mut self, answer: Answer) {
        self.answer = Some(answer);
    }
}

impl Drop for Envelope {
    fn drop(&mut self) {
        if self.answer.is_none() && ENDING.load(Ordering::Relaxed) {
            return;
        }
        let lost: Answer =
            Box::new(|_| Err(PyRuntimeError::new_err("the work was stopped before its end")));
        self.mail.post(self.id, self.answer.take().unwrap_or(lost));
    }
}
