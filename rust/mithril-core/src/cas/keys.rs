//! The keys below which a content-addressed store keeps what it has.
//!
//! ```text
//! references/ab/abcdef…          the record of an address
//! objects/ab/abcdef….ID          its bytes, where the record says
//! objects/ab/abcdef….ID.zstd     compressed
//! incoming/…                     content that is being received
//! ```

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::CasError;
use super::record::Place;
use crate::hashing::HashFunction;

pub(super) const REFERENCES: &str = "references/";
pub(super) const OBJECTS: &str = "objects/";
pub(super) const INCOMING: &str = "incoming/";

/// Errors: `InvalidAddress`. No text that is not the hash of something reaches a key.
pub(super) fn check_address(hash: &dyn HashFunction, address: &str) -> Result<(), CasError> {
    let digits = 2 * hash.output_size();
    let fault = if address.len() != digits {
        format!("addresses by {} have {digits} digits", hash.name())
    } else if !address.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        "addresses are lower-case hexadecimal".to_owned()
    } else {
        return Ok(());
    };
    let shown = address.chars().take(200).collect();
    Err(CasError::InvalidAddress { address: shown, fault })
}

fn folder(address: &str) -> &str {
    address.get(..2).unwrap_or(address)
}

pub(super) fn record_key(address: &str) -> String {
    format!("{REFERENCES}{}/{address}", folder(address))
}

pub(super) fn object_key(address: &str, place: &Place) -> String {
    let id = &place.id;
    match &place.compression {
        None => format!("{OBJECTS}{}/{address}.{id}", folder(address)),
        Some(name) => format!("{OBJECTS}{}/{address}.{id}.{name}", folder(address)),
    }
}

/// The address of a record's key, if it is one.
pub(super) fn address_of_record(hash: &dyn HashFunction, key: &str) -> Option<String> {
    let address = key.rsplit('/').next()?;
    check_address(hash, address).ok()?;
    (record_key(address) == key).then(|| address.to_owned())
}

/// What an object's key says, if it is one.
pub(super) fn place_of_object(hash: &dyn HashFunction, key: &str) -> Option<(String, Place)> {
    let mut parts = key.rsplit('/').next()?.splitn(3, '.');
    let (address, id) = (parts.next()?, parts.next()?.to_owned());
    let compression = parts.next().map(str::to_owned);
    check_address(hash, address).ok()?;
    let place = Place { id, compression };
    (object_key(address, &place) == key).then(|| (address.to_owned(), place))
}

pub(super) fn incoming_key() -> String {
    format!("{INCOMING}{}", unique())
}

/// A name that nobody else gives: not in this process, not in a forked one, not on another machine.
pub(super) fn unique() -> String {
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let given = GIVEN.fetch_add(1, Ordering::Relaxed);
    // Seeded by the system's random numbers in each process; a fork inherits the seed, not the id.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(process::id());
    hasher.write_u128(time);
    hasher.write_u64(given);
    format!("{time:x}-{:x}-{:016x}", process::id(), hasher.finish())
}
