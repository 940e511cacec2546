//! Names that nobody else gives.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A number that nobody else gives: not in this process, not in a forked one, not on another machine.
pub(super) fn unique() -> u128 {
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let given = GIVEN.fetch_add(1, Ordering::Relaxed);
    // Seeded by the system's random numbers in each process; a fork inherits the seed, not the id.
    let state = RandomState::new();
    let half = |which: u8| {
        let mut hasher = state.build_hasher();
        hasher.write_u8(which);
        hasher.write_u32(process::id());
        hasher.write_u128(time);
        hasher.write_u64(given);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// The digits of a name.
pub(super) fn text(name: u128) -> String {
    format!("{name:032x}")
}

/// The name of these digits, if they are those of one.
pub(super) fn parse(digits: &str) -> Option<u128> {
    u128::from_str_radix(digits, 16).ok().filter(|&name| text(name) == digits)
}
