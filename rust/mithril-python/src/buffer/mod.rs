//! Bytes on their way in and out: the one place that touches the memory of a buffer.

mod bytes;
mod input;

pub(crate) use bytes::PyRustBytes;
pub(crate) use input::{Input, release};
