//! What belongs to a process and must not cross a fork.

mod per_process;

pub use per_process::PerProcess;
