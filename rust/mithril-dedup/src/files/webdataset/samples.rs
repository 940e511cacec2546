//! The samples of a tar file.

use super::super::input_file::InputFile;
use super::super::jsonl::decompressed;
use super::super::record::{self, Record};
use super::super::scan::Columns;
use crate::control::Control;
use crate::error::{DedupError, Result};
use serde_json::{Number, Value};
use std::cell::RefCell;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;
use tar::{Archive, Builder, Entries, EntryType, Header};

/// Or what is wrong.
pub(super) type Told<T> = std::result::Result<T, String>;

/// The name of a sample as a column.
pub(super) const KEY: &str = "__key__";
/// What members begin at a multiple of.
const BLOCK: u64 = 512;
/// The largest sample that is read; a larger one is an error and not the end of the memory.
const MAX_SAMPLE: u64 = 1 << 30;
/// The longest name that is read, with all that stands before a member.
const MAX_HEAD: usize = 1 << 20;

/// A tar file, plain or compressed.
pub(super) struct Tar<'a> {
    file: &'a InputFile,
    archive: Archive<Recorder<'a>>,
    heads: Rc<RefCell<Heads>>,
    control: Control<'a>,
}

impl<'a> Tar<'a> {
    pub(super) fn open(file: &'a InputFile, control: Control<'a>) -> Result<Self> {
        let heads = Rc::default();
        let reader = decompressed(file, control)?;
        let recorder = Recorder { reader, position: 0, heads: Rc::clone(&heads) };
        Ok(Self { file, archive: Archive::new(recorder), heads, control })
    }

    /// The samples, with the data of those members that are `wanted` by the number of the sample and the suffix.
    pub(super) fn samples<W: FnMut(usize, &str) -> bool>(
        &mut self,
        wanted: W,
    ) -> Result<Samples<'_, 'a, W>> {
        let entries =
            self.archive.entries().map_err(|error| DedupError::read(&self.file.path, error))?;
        let (file, heads, control) = (self.file, &*self.heads, self.control);
        Ok(Samples { file, entries, heads, control, wanted, rows: 0, current: None })
    }
}

/// Members that follow each other and share a name up to its first dot.
pub(super) struct Sample {
    key: String,
    members: Vec<Member>,
    bytes: u64,
}

/// A regular file of a tar file.
pub(super) struct Member {
    /// Its name, with folders.
    name: String,
    /// What is behind the first dot of its name, in lower case.
    suffix: String,
    /// All that stands before the data: the header, and those of long names.
    head: Vec<u8>,
    data: Vec<u8>,
    is_edited: bool,
}

/// What a column has in a sample.
pub(super) enum Cell<'a> {
    /// A whole member, or the name.
    Text(&'a str),
    /// A field of a JSON member.
    Field(Record<'a>, &'a Member),
}

impl Cell<'_> {
    /// The text, in UTF-8 but for lone surrogates.
    pub(super) fn into_text(self) -> Told<Option<Vec<u8>>> {
        match self {
            Self::Text(text) => Ok(Some(text.as_bytes().to_vec())),
            Self::Field(record, member) => record.text().map_err(|problem| member.said(&problem)),
        }
    }

    /// What names a row.
    pub(super) fn into_id(self) -> Told<Value> {
        match self {
            Self::Text(text) => Ok(Value::from(text)),
            Self::Field(record, member) => record.value().map_err(|problem| member.said(&problem)),
        }
    }

    /// What rows are compared by: a number, if a whole member is one.
    pub(super) fn into_by(self) -> Told<Value> {
        match self {
            Self::Text(text) => Ok(serde_json::from_str::<Number>(text.trim())
                .map_or_else(|_| Value::from(text), Value::Number)),
            field @ Self::Field(..) => field.into_id(),
        }
    }
}

impl Sample {
    /// The columns that it has.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|member| member.suffix.as_str())
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The bytes that its members have in a tar file.
    pub(super) fn size(&self) -> u64 {
        let size = |member: &Member| {
            member.head.len() + member.data.len().next_multiple_of(BLOCK as usize)
        };
        self.members.iter().map(|member| size(member) as u64).sum()
    }

    /// The bytes of a member.
    pub(super) fn data(&self, suffix: &str) -> Option<&[u8]> {
        self.members.iter().find(|member| member.suffix == suffix).map(|member| &*member.data)
    }

    /// The text of a member.
    pub(super) fn text(&self, suffix: &str) -> Told<Option<&str>> {
        let member = self.members.iter().find(|member| member.suffix == suffix);
        member.map(Member::text).transpose()
    }

    /// What a column has: the name, a member, or as `json.FIELD` a field of one.
    pub(super) fn cell<'a>(&'a self, column: &'a str) -> Told<Option<Cell<'a>>> {
        if column == KEY {
            return Ok(Some(Cell::Text(&self.key)));
        }
        if let Some(text) = self.text(column)? {
            return Ok(Some(Cell::Text(text)));
        }
        let Some((member, field)) = self.members.iter().find_map(|member| member.field(column))
        else {
            return Ok(None);
        };
        let columns = Columns { text: field, id: None, by: None };
        let record = Record::parse(member.text()?, columns);
        let record = record.map_err(|problem| member.said(&problem))?;
        Ok(Some(Cell::Field(record, member)))
    }

    /// Gives a column that is a member, or a field of one, another text.
    pub(super) fn set_text(&mut self, column: &str, text: &str) -> Option<()> {
        for member in &mut self.members {
            let data = if member.suffix == column {
                text.to_owned()
            } else if let Some((_, field)) = member.field(column) {
                record::with_text(member.text().ok()?, field, text)?
            } else {
                continue;
            };
            member.data = data.into_bytes();
            member.is_edited = true;
            return Some(());
        }
        None
    }

    /// Writes the members as they came, but for those that were given another text.
    pub(super) fn write(&self, out: &mut Builder<impl Write>) -> io::Result<()> {
        for member in &self.members {
            if member.is_edited {
                let mut header = member.header();
                header.set_size(member.data.len() as u64);
                out.append_data(&mut header, &member.name, &*member.data)?;
                continue;
            }
            let padding = member.data.len().next_multiple_of(BLOCK as usize) - member.data.len();
            let out = out.get_mut();
            out.write_all(&member.head)?;
            out.write_all(&member.data)?;
            out.write_all([0; BLOCK as usize].get(..padding).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Member {
    fn text(&self) -> Told<&str> {
        std::str::from_utf8(&self.data)
            .map_err(|error| self.said(&format!("not valid UTF-8 at byte {}", error.valid_up_to())))
    }

    /// This member and the name of the field, if the column is one of it.
    fn field<'a>(&'a self, column: &'a str) -> Option<(&'a Self, &'a str)> {
        let field = column.strip_prefix(self.suffix.as_str())?.strip_prefix('.')?;
        (self.suffix.rsplit('.').next() == Some("json")).then_some((self, field))
    }

    fn header(&self) -> Header {
        let at = self.head.len().saturating_sub(BLOCK as usize);
        let mut header = Header::new_gnu();
        if let Some(bytes) = self.head.get(at..).filter(|bytes| bytes.len() == BLOCK as usize) {
            header.as_mut_bytes().copy_from_slice(bytes);
        }
        header
    }

    fn said(&self, problem: &str) -> String {
        format!("{}: {problem}", self.name)
    }
}

/// Reads the samples of a tar file, from its beginning to its end.
pub(super) struct Samples<'t, 'a, W> {
    file: &'a InputFile,
    entries: Entries<'t, Recorder<'a>>,
    heads: &'t RefCell<Heads>,
    control: Control<'a>,
    wanted: W,
    /// How many samples have begun.
    rows: usize,
    current: Option<Sample>,
}

impl<W: FnMut(usize, &str) -> bool> Samples<'_, '_, W> {
    pub(super) fn next(&mut self) -> Result<Option<Sample>> {
        self.control.check()?;
        while let Some(entry) = self.entries.next() {
            let mut entry = entry.map_err(|error| {
                // It may quote what it has found in the place of a header.
                self.error(format!("damaged, or no tar file: {}", error.to_string().escape_debug()))
            })?;
            let size = entry.size();
            let end = size.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX);
            let end = entry.raw_file_position().saturating_add(end);
            let head = self.heads.borrow_mut().turn(end);
            let kind = entry.header().entry_type();
            let name = entry.path_bytes().into_owned();
            let name = String::from_utf8(name).map_err(|error| {
                let name = String::from_utf8_lossy(error.as_bytes()).into_owned();
                self.error(format!("{name}: the name of the member is not valid UTF-8"))
            })?;
            if kind == EntryType::GNUSparse {
                return Err(self.error(format!("{name}: a file with holes is not supported")));
            }
            let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
            let Some((key, suffix)) = split(&name).filter(|_| is_file) else { continue };
            let suffix = suffix.to_lowercase();

            let mut finished = None;
            if self.current.as_ref().is_none_or(|current| current.key != key) {
                self.rows += 1;
                let new = Sample { key: key.to_owned(), members: Vec::new(), bytes: 0 };
                finished = self.current.replace(new);
            }
            let mut data = Vec::new();
            if (self.wanted)(self.rows - 1, &suffix) {
                let before = self.current.as_ref().map_or(0, |current| current.bytes);
                if before.saturating_add(size) > MAX_SAMPLE {
                    return Err(self.error(format!(
                        "{name}: a sample of more than {MAX_SAMPLE} bytes is not read"
                    )));
                }
                let read = entry.read_to_end(&mut data);
                read.map_err(|error| self.error(format!("{name}: {error}")))?;
                if (data.len() as u64) < size {
                    let ends =
                        format!("{name}: the file ends within it; it should have {size} bytes");
                    return Err(self.error(ends));
                }
            }
            let member = Member { name, suffix, head, data, is_edited: false };
            if let Some(current) = &mut self.current {
                if current.columns().any(|suffix| suffix == member.suffix) {
                    return Err(self.error(member.said("its sample has two of this name")));
                }
                current.bytes += member.data.len() as u64;
                current.members.push(member);
            }
            if finished.is_some() {
                return Ok(finished);
            }
        }
        Ok(self.current.take())
    }

    /// An error at the sample that was read last.
    fn error(&self, problem: String) -> DedupError {
        let number = self.rows.saturating_sub(1) as u64;
        DedupError::BadRow { file: self.file.path.clone(), place: "row", number, problem }
    }
}

/// What a name has before and behind the first dot of its last part; nothing for one without, a hidden one, and what is
/// said about a whole file in `__` members.
fn split(name: &str) -> Option<(&str, &str)> {
    let first = name.split('/').next().unwrap_or_default();
    if first.len() > 3 && first.starts_with("__") && first.ends_with("__") {
        return None;
    }
    let start = name.rfind('/').map_or(0, |at| at + 1);
    let dot = start + name.get(start..)?.find('.').filter(|&dot| dot > 0)?;
    Some((name.get(..dot)?, name.get(dot + 1..)?))
}

/// Reads, and keeps what was read of heads.
struct Recorder<'a> {
    reader: Box<dyn BufRead + 'a>,
    position: u64,
    heads: Rc<RefCell<Heads>>,
}

/// What stands before the data of a member.
#[derive(Default)]
struct Heads {
    /// Where it begins: what is before that is data.
    start: u64,
    bytes: Vec<u8>,
}

impl Heads {
    /// The head that was read last; the next one begins there.
    fn turn(&mut self, next: u64) -> Vec<u8> {
        self.start = next;
        std::mem::take(&mut self.bytes)
    }
}

impl Read for Recorder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let mut heads = self.heads.borrow_mut();
        let data = heads.start.saturating_sub(self.position).min(read as u64) as usize;
        heads.bytes.extend_from_slice(buffer.get(data..read).unwrap_or_default());
        if heads.bytes.len() > MAX_HEAD {
            return Err(io::Error::other(format!("a head of more than {MAX_HEAD} bytes")));
        }
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_split_at_the_first_dot_of_their_last_part() {
        assert_eq!(split("0001.txt"), Some(("0001", "txt")));
        assert_eq!(split("a.b/c/0001.left.jpg"), Some(("a.b/c/0001", "left.jpg")));
        assert_eq!(split("./0001.txt"), Some(("./0001", "txt")));
        for name in ["0001", "a.b/c", ".hidden", "a/._0001.txt", "__meta__.txt/a.txt", ""] {
            let wanted = (name == "__meta__.txt/a.txt").then_some(("__meta__.txt/a", "txt"));
            assert_eq!(split(name), wanted, "{name}");
        }
        assert_eq!(split("__meta__/a.txt"), None);
    }
}
