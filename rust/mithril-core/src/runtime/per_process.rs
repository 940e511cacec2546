//! A value that belongs to the process which made it.

use once_cell::race::OnceBox;
use once_cell::sync::OnceCell;
use std::convert::Infallible;
use std::{fmt, mem, process};

/// A cell that is filled once in each process: a forked child finds it empty and fills its own.
///
/// Threads and connections do not survive a fork, but the memory that describes them does. What holds
/// either is kept here: the child of a process that has filled the cell makes a value of its own at
/// the first use. The parent's value stays behind in the child's memory and is never dropped there:
/// its threads do not exist to be stopped, and its sockets are still the parent's to close.
///
/// Nothing here waits for a thread that a fork has left behind. If the parent forks while one of its
/// threads is in the middle of filling the cell, the child fills its own all the same.
///
/// A look costs the system call for the process id, about 100 ns.
///
/// A process is told by its id alone: one that has the id of a dead ancestor, with processes between
/// them that never used the cell, would take the ancestor's value for its own.
///
/// ```
/// use mithril_core::runtime::PerProcess;
///
/// static NAME: PerProcess<String> = PerProcess::new();
/// let name: &'static String = NAME.get_or_init(|| format!("worker-{}", std::process::id()));
/// assert_eq!(NAME.get(), Some(name));
/// ```
pub struct PerProcess<T> {
    /// The values of this process's ancestors, oldest first, and then its own.
    ///
    /// Links are set by one compare-exchange, which a fork finds done or not begun, whereas a
    /// `OnceLock` would have a state in between in which its readers wait for the thread that fills it.
    first: OnceBox<Node<T>>,
}

struct Node<T> {
    process: u32,
    /// Only ever looked at by threads of `process`, hence it may make one of them wait for another.
    value: OnceCell<T>,
    next: OnceBox<Node<T>>,
}

impl<T> PerProcess<T> {
    /// An empty cell.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: OnceBox::new() }
    }

    /// The value of this process, if it has one yet.
    ///
    /// ```
    /// let cell = mithril_core::runtime::PerProcess::new();
    /// assert_eq!(cell.get(), None);
    /// cell.get_or_init(|| 7);
    /// assert_eq!(cell.get(), Some(&7));
    /// ```
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        let last = self.last()?;
        if last.process == process::id() { last.value.get() } else { None }
    }

    /// The value of this process; the first call makes it with `init`, and others wait meanwhile.
    ///
    /// A panic of `init` reaches the caller, and the next call tries again. `init` must not ask this
    /// cell itself.
    ///
    /// ```
    /// let cell = mithril_core::runtime::PerProcess::new();
    /// assert_eq!(cell.get_or_init(|| 7), &7);
    /// assert_eq!(cell.get_or_init(|| 8), &7);
    /// ```
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init(|| Ok::<T, Infallible>(init())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// The value of this process, made with `init` if there is none.
    ///
    /// # Errors
    ///
    /// What `init` fails with; the cell stays empty then, and the next call tries again.
    ///
    /// ```
    /// let cell = mithril_core::runtime::PerProcess::new();
    /// assert!(cell.get_or_try_init(|| "x".parse::<u8>()).is_err());
    /// assert_eq!(cell.get_or_try_init(|| "7".parse::<u8>()), Ok(&7));
    /// ```
    pub fn get_or_try_init<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        self.own(process::id()).value.get_or_try_init(init)
    }

    /// The node of this process, which is appended if there is none.
    fn own(&self, process: u32) -> &Node<T> {
        let mut link = &self.first;
        // A thread that loses the race for a link finds the node of the one that won it.
        loop {
            let node = link.get_or_init(|| Box::new(Node::new(process)));
            let next = node.next.get();
            // Only the last node may be this process's: an id before it is one that the system has
            // given a second time, after the ancestor that had it was gone.
            if next.is_none() && node.process == process {
                return node;
            }
            link = &node.next;
        }
    }

    fn last(&self) -> Option<&Node<T>> {
        let mut node = self.first.get()?;
        while let Some(next) = node.next.get() {
            node = next;
        }
        Some(node)
    }
}

impl<T> Node<T> {
    fn new(process: u32) -> Self {
        Self { process, value: OnceCell::new(), next: OnceBox::new() }
    }
}

impl<T> Drop for Node<T> {
    fn drop(&mut self) {
        if self.process != process::id() {
            mem::forget(self.value.take());
        }
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for PerProcess<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PerProcess").field(&self.get()).finish()
    }
}
