//! A list of what is done, on disk.

use crate::spill::{read_at, write_at};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The number of an entry, the bytes of its body, and the XXH3 of the number and the body.
const HEAD: usize = 24;

/// Entries by number, each of which is whole or not there at all, however the process ends.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    /// Where each body is.
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    places: HashMap<u64, (u64, usize)>,
    end: u64,
}

impl Journal {
    /// Opens a journal, or begins one. What follows the last entry that is whole is overwritten.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let length = file.metadata()?.len();
        let mut entries = Entries::default();
        let mut reader = BufReader::new(&file);
        let mut body = Vec::new();
        while let Some((number, hash, size)) = head(&mut reader)? {
            let start = entries.end + HEAD as u64;
            if start.saturating_add(size) > length {
                break;
            }
            body.clear();
            (&mut reader).take(size).read_to_end(&mut body)?;
            if hash_of(number, &body) != hash {
                break;
            }
            entries.places.insert(number, (start, body.len()));
            entries.end = start + size;
        }
        file.set_len(entries.end)?;
        Ok(Self { file, entries: Mutex::new(entries) })
    }

    /// An entry, unless there is none of this number, or not of this type.
    pub(crate) fn get<T: DeserializeOwned>(&self, number: u64) -> Option<T> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, length) = entries.places.get(&number).copied()?;
        drop(entries);
        let mut body = vec![0; length];
        read_at(&self.file, &mut body, start).ok()?;
        postcard::from_bytes(&body).ok()
    }

    /// Whether there is an entry of this number.
    pub(crate) fn has(&self, number: u64) -> bool {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.places.contains_key(&number)
    }

    /// Makes sure that all entries survive the machine.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Adds an entry, in place of an older one of this number.
    pub(crate) fn put<T: Serialize>(&self, number: u64, entry: &T) -> io::Result<()> {
        let mut bytes = vec![0; HEAD];
        bytes = postcard::to_extend(entry, bytes).map_err(io::Error::other)?;
        let (head, body) = bytes.split_at_mut(HEAD);
        let length = body.len();
        let fields = [number, length as u64, hash_of(number, body)];
        for (place, field) in head.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        write_at(&self.file, &bytes, entries.end)?;
        let start = entries.end + HEAD as u64;
        entries.places.insert(number, (start, length));
        entries.end = start + length as u64;
        Ok(())
    }
}

fn head(reader: &mut impl Read) -> io::Result<Option<(u64, u64, u64)>> {
    let mut bytes = [0; HEAD];
    match reader.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut fields = bytes.as_chunks().0.iter().map(|&field| u64::from_le_bytes(field));
    let mut field = || fields.next().unwrap_or_default();
    let (number, size, hash) = (field(), field(), field());
    Ok(Some((number, hash, size)))
}

fn hash_of(number: u64, body: &[u8]) -> u64 {
    xxh3_64_with_seed(body, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_not_there() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("journal");
        let journal = Journal::open(&path)?;
        journal.put(7, &vec![1_u32, 2, 3])?;
        journal.put(9, &"a text")?;
        drop(journal);
        let whole = std::fs::read(&path)?;
        for length in 0..=whole.len() {
            std::fs::write(&path, whole.get(..length).unwrap_or_default())?;
            let journal = Journal::open(&path)?;
            let first: Option<Vec<u32>> = journal.get(7);
            let second: Option<String> = journal.get(9);
            assert_eq!(first.is_some(), length >= whole.len() - HEAD - 7);
            assert_eq!(second.is_some(), length == whole.len());
            journal.put(9, &"another")?;
            assert_eq!(Journal::open(&path)?.get::<String>(9).as_deref(), Some("another"));
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            if let Some(byte) = damaged.get_mut(at) {
                *byte ^= 16;
            }
            std::fs::write(&path, damaged)?;
            let journal = Journal::open(&path)?;
            let first: Option<Vec<u32>> = journal.get(7);
            let second: Option<String> = journal.get(9);
            assert!(first.is_none_or(|first| first == [1, 2, 3]));
            assert!(second.is_none_or(|second| second == "a text"));
            assert!(journal.get::<Vec<u32>>(7).is_none() || journal.get::<String>(9).is_none());
        }
        Ok(())
    }
}
