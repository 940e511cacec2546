//! The building blocks that Mithril's products stand on.
//!
//! - [`minhash`]: signatures whose agreement estimates the Jaccard similarity of two sets, and the
//!   n-gram hashes they are made from.
//! - [`progress`]: how a long computation tells where it is.
//! - [`error`]: the error that every fallible function here returns.
//!
//! ```
//! use mithril_core::MinHasher;
//!
//! let hasher = MinHasher::new(128);
//! let one = hasher.hash_text("the quick brown fox jumps over the lazy dog", 3);
//! let two = hasher.hash_text("the quick brown fox jumped over the lazy dog", 3);
//! assert!(MinHasher::similarity(&one, &two) > 0.6);
//! ```

pub mod error;
pub mod minhash;
pub mod progress;

pub use error::{MithrilError, Result};
pub use minhash::{MinHashSignature, MinHasher};
pub use progress::{CallbackProgress, ConsoleProgress, NoopProgress, ProgressReporter};
