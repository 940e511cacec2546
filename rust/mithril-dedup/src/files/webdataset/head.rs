//! What stands before the data of a member of a tar file: its header, and before that those that say more of it.
//!
//! Extended headers are as POSIX.1-2017 has them (pax, "pax Extended Header"), long names as GNU tar writes them.

use super::samples::Told;
use std::cell::RefCell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;
use tar::{EntryType, Header};

/// What headers and members begin at a multiple of.
pub(super) const BLOCK: usize = 512;
/// The largest head that is read.
pub(super) const MAX_HEAD: usize = 1 << 20;

/// All headers of a member, as they came.
#[derive(Default)]
pub(super) struct Head(Vec<u8>);

/// What a head says of its member.
pub(super) struct Said {
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    /// Whether it is stored without the zeros in it.
    pub(super) has_holes: bool,
}

/// A header with its data; that of a member has none here.
struct Part<'a> {
    header: &'a Header,
    data: &'a [u8],
}

impl Part<'_> {
    fn is_pax(&self) -> bool {
        self.header.entry_type() == EntryType::XHeader
    }
}

/// What an extended header says, from its length to the end of its line.
struct PaxRecord<'a> {
    key: &'a [u8],
    value: &'a [u8],
    whole: &'a [u8],
}

impl Head {
    /// What is in memory of it.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Puts the headers before it that are about all that follow.
    pub(super) fn prepend(&mut self, globals: &mut Vec<u8>) {
        globals.append(&mut self.0);
        std::mem::swap(globals, &mut self.0);
    }

    pub(super) fn said(&self) -> Told<Said> {
        let (member, before) = self.parts()?;
        let mut said = Said {
            name: member.path_bytes().into_owned(),
            size: member.entry_size().map_err(|error| error.to_string())?,
            has_holes: member.entry_type() == EntryType::GNUSparse,
        };
        let long_name = |part: &&Part| part.header.entry_type() == EntryType::GNULongName;
        if let Some(part) = before.iter().find(long_name) {
            said.name = part.data.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
        }
        for record in pax_records(&before)? {
            match record.key {
                b"path" => said.name = record.value.to_vec(),
                b"size" => said.size = record.number()?,
                key => said.has_holes |= is_of_holes(key),
            }
        }
        Ok(said)
    }

    /// The headers for data of another size.
    pub(super) fn resized(&self, size: u64) -> Told<Vec<u8>> {
        let (member, before) = self.parts()?;
        let mut head = Vec::with_capacity(self.0.len());
        for part in before {
            if !part.is_pax() {
                push(&mut head, part.header, part.data);
                continue;
            }
            let records = pax_records(std::slice::from_ref(&part))?;
            let others = records.into_iter().filter(|record| record.key != b"size");
            let data = others.map(|record| record.whole).collect::<Vec<_>>().concat();
            if !data.is_empty() {
                push(&mut head, &with_size(part.header, data.len() as u64), &data);
            }
        }
        push(&mut head, &with_size(member, size), &[]);
        Ok(head)
    }

    /// The header of the member, and those before it.
    fn parts(&self) -> Told<(&Header, Vec<Part<'_>>)> {
        let damaged = || "its headers do not belong together".to_owned();
        let mut before = Vec::new();
        let mut rest = &*self.0;
        loop {
            let (header, data) = rest.split_at_checked(BLOCK).ok_or_else(damaged)?;
            let header = Header::from_byte_slice(header);
            if data.is_empty() {
                return Ok((header, before));
            }
            let kind = header.entry_type();
            let size = header.entry_size().ok().and_then(|size| usize::try_from(size).ok());
            let size = size.filter(|_| is_about_next(kind) || kind == EntryType::XGlobalHeader);
            let end = size.and_then(|size| size.checked_next_multiple_of(BLOCK));
            let found =
                size.zip(end).and_then(|(size, end)| Some((data.get(..size)?, data.get(end..)?)));
            let (data, behind) = found.ok_or_else(damaged)?;
            before.push(Part { header, data });
            rest = behind;
        }
    }
}

/// Whether a header says something of the member that follows it.
pub(super) fn is_about_next(kind: EntryType) -> bool {
    matches!(kind, EntryType::XHeader | EntryType::GNULongName | EntryType::GNULongLink)
}

/// A header about all members that follow, with its data, if it does not say what each has for itself.
pub(super) fn global(head: &Head, data: &[u8]) -> Told<Vec<u8>> {
    let (header, before) = head.parts()?;
    if !before.is_empty() {
        return Err("its headers do not belong together".to_owned());
    }
    for record in PaxRecord::all(data)? {
        if matches!(record.key, b"path" | b"size") || is_of_holes(record.key) {
            let key = String::from_utf8_lossy(record.key);
            return Err(format!("a global header gives all members one {key}"));
        }
    }
    let mut whole = Vec::new();
    push(&mut whole, header, data);
    Ok(whole)
}

fn is_of_holes(key: &[u8]) -> bool {
    key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize"
}

/// What the extended headers of a member say; of a key that stands twice the last one counts.
fn pax_records<'a>(parts: &[Part<'a>]) -> Told<Vec<PaxRecord<'a>>> {
    let pax = parts.iter().filter(|part| part.is_pax());
    let records = pax.map(|part| PaxRecord::all(part.data)).collect::<Told<Vec<_>>>()?;
    Ok(records.into_iter().flatten().collect())
}

impl<'a> PaxRecord<'a> {
    /// Takes records by their lengths, since values may have any bytes: `LENGTH KEY=VALUE` and the end of the line.
    fn all(mut data: &'a [u8]) -> Told<Vec<Self>> {
        let mut records = Vec::new();
        while data.iter().any(|&byte| byte != 0) {
            let (record, rest) =
                Self::first(data).ok_or("an extended header has a record of another length")?;
            records.push(record);
            data = rest;
        }
        Ok(records)
    }

    fn first(data: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let space = data.iter().position(|&byte| byte == b' ')?;
        let length = number(data.get(..space)?)?;
        let (whole, rest) = data.split_at_checked(usize::try_from(length).ok()?)?;
        let record = whole.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|&byte| byte == b'=')?;
        let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
        Some((Self { key, value, whole }, rest))
    }

    fn number(&self) -> Told<u64> {
        number(self.value).ok_or_else(|| {
            let key = String::from_utf8_lossy(self.key);
            format!("an extended header has a {key} that is no number")
        })
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn with_size(header: &Header, size: u64) -> Header {
    let mut header = header.clone();
    header.set_size(size);
    header.set_cksum();
    header
}

/// Adds a header and its data, and zeros up to the next block.
fn push(to: &mut Vec<u8>, header: &Header, data: &[u8]) {
    to.extend_from_slice(header.as_bytes());
    to.extend_from_slice(data);
    to.resize(to.len().next_multiple_of(BLOCK), 0);
}

/// Reads a tar file, and keeps what was read of heads.
pub(super) struct Recorder<'a> {
    pub(super) reader: Box<dyn BufRead + 'a>,
    pub(super) position: u64,
    pub(super) heads: Rc<RefCell<Heads>>,
}

/// The head that is being read.
#[derive(Default)]
pub(super) struct Heads {
    /// Where it begins: what is before that is data.
    start: u64,
    bytes: Vec<u8>,
    /// Whether a tar file ended before it.
    has_ended: bool,
}

impl Heads {
    /// The head that was read last; the next one begins there.
    pub(super) fn turn(&mut self, next: u64) -> Head {
        self.start = next;
        Head(std::mem::take(&mut self.bytes))
    }

    /// Whether a tar file ended since this was asked.
    pub(super) fn take_end(&mut self) -> bool {
        std::mem::take(&mut self.has_ended)
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        // The end of a tar file, be it in the middle of one.
        if self.bytes.len() == BLOCK && self.bytes.iter().all(|&byte| byte == 0) {
            self.bytes.clear();
            self.has_ended = true;
        }
        if self.bytes.len() > MAX_HEAD {
            return Err(io::Error::other(format!("a head of more than {MAX_HEAD} bytes")));
        }
        Ok(())
    }
}

impl Read for Recorder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let mut heads = self.heads.borrow_mut();
        let data = heads.start.saturating_sub(self.position).min(read as u64) as usize;
        heads.take(buffer.get(data..read).unwrap_or_default())?;
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::PaxRecord;

    #[test]
    fn records_are_told_by_their_lengths() {
        let all = |data| {
            let records = PaxRecord::all(data).ok()?;
            Some(records.iter().map(|record| (record.key, record.value)).collect::<Vec<_>>())
        };
        let newlines = b"27 comment=a\n9 size=10\n b\n\n8 path=\n\0\0";
        let expected: [(&[u8], &[u8]); 2] = [(b"comment", b"a\n9 size=10\n b\n"), (b"path", b"")];
        assert_eq!(all(newlines).as_deref(), Some(&expected[..]));
        assert_eq!(all(b"").as_deref(), Some(&[][..]));
        for damaged in
            [&b"8 path=a\n"[..], b"11 path=a\n", b"10 path=a ", b"x path=a\n", b" a=\n", b"5 aa\n"]
        {
            assert!(all(damaged).is_none(), "{damaged:?}");
        }
    }
}
