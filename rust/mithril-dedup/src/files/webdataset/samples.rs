//! The samples of a tar file.

use super::super::input_file::InputFile;
use super::super::jsonl::decompressed;
use super::super::record::{self, Record};
use super::super::scan::Columns;
use super::head::{self, BLOCK, Head, Heads, MAX_HEAD, Recorder};
use crate::control::Control;
use crate::error::{DedupError, Result};
use serde_json::{Number, Value};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use tar::{Archive, Builder, Entries, Entry, EntryType};

/// Or what is wrong.
pub(super) type Told<T> = std::result::Result<T, String>;

/// The name of a sample as a column.
pub(super) const KEY: &str = "__key__";
/// The largest sample that is read, with its heads; a larger one is an error and not the end of the memory.
const MAX_SAMPLE: u64 = 1 << 30;
/// The most members of a sample.
const MOST_MEMBERS: usize = 1 << 16;

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
        let mut archive = Archive::new(recorder);
        // Tar files that were put one behind the other are one; and what is compressed is read, and checked, to its end.
        archive.set_ignore_zeros(true);
        Ok(Self { file, archive, heads, control })
    }

    /// The samples, with the data of those members that are `wanted` by the number of the sample and the suffix.
    pub(super) fn samples<W: FnMut(usize, &str) -> bool>(
        &mut self,
        wanted: W,
    ) -> Result<Samples<'_, 'a, W>> {
        let entries =
            self.archive.entries().map_err(|error| DedupError::read(&self.file.path, error))?;
        let (file, heads, control) = (self.file, &*self.heads, self.control);
        let (rows, others, current) = (0, 0, None);
        Ok(Samples { file, entries, heads, control, wanted, globals: None, rows, others, current })
    }
}

/// Members that follow each other and share a name up to its first dot.
pub(super) struct Sample {
    /// Its place in the file.
    number: usize,
    key: String,
    members: Vec<Member>,
    /// What is in memory of it, about.
    bytes: u64,
}

/// A regular file of a tar file.
pub(super) struct Member {
    /// Its name, with folders.
    name: String,
    /// What is behind the first dot of its name, in lower case.
    suffix: String,
    /// Empty if it is not to be written.
    head: Head,
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
    /// Whether it is there, be it null.
    pub(super) fn is_present(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Field(record, _) => record.has_text(),
        }
    }

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

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The bytes that its members have in a tar file.
    pub(super) fn size(&self) -> u64 {
        let size = |member: &Member| member.head.len() + member.data.len().next_multiple_of(BLOCK);
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
        let is_whole = |member: &Member| member.suffix == column;
        let whole = self.members.iter().position(is_whole);
        let is_in = |member: &Member| member.field(column).is_some();
        let place = whole.or_else(|| self.members.iter().position(is_in))?;
        let member = self.members.get_mut(place)?;
        let data = match member.field(column).filter(|_| whole.is_none()) {
            Some((_, field)) => record::with_text(member.text().ok()?, field, text)?,
            None => text.to_owned(),
        };
        member.data = data.into_bytes();
        member.is_edited = true;
        Some(())
    }

    /// Writes the members as they came, but for those that were given another text.
    pub(super) fn write(&self, out: &mut Builder<impl Write>) -> io::Result<()> {
        let out = out.get_mut();
        for member in &self.members {
            if member.is_edited {
                let head = member.head.resized(member.data.len() as u64);
                out.write_all(&head.map_err(|problem| io::Error::other(member.said(&problem)))?)?;
            } else {
                out.write_all(member.head.as_bytes())?;
            }
            out.write_all(&member.data)?;
            let padding = member.data.len().next_multiple_of(BLOCK) - member.data.len();
            out.write_all([0; BLOCK].get(..padding).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Looks for two members of one name.
    fn check(&self) -> Told<()> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by(|left, right| left.suffix.cmp(&right.suffix));
        for pair in members.windows(2) {
            if let [first, second] = pair
                && first.suffix == second.suffix
            {
                return Err(second.said("its sample has two of this name"));
            }
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
    /// The headers about all that follow, which have not been written yet; nothing if none is to be written.
    globals: Option<Vec<u8>>,
    /// How many samples have begun.
    rows: usize,
    /// How many regular files are in none.
    others: usize,
    current: Option<Sample>,
}

impl<W: FnMut(usize, &str) -> bool> Samples<'_, '_, W> {
    /// The same, to be written: with the heads of members.
    pub(super) fn with_heads(mut self) -> Self {
        self.globals = Some(Vec::new());
        self
    }

    /// How many regular files there were that are in no sample.
    pub(super) fn others(&self) -> usize {
        self.others
    }

    pub(super) fn next(&mut self) -> Result<Option<Sample>> {
        self.control.check()?;
        let mut finished = None;
        while finished.is_none() {
            let Some(entry) = self.entries.next() else {
                finished = self.current.take();
                break;
            };
            // It may quote what it has found in the place of a header.
            let entry = entry.map_err(|error| self.damaged(&error.to_string()))?;
            let size = entry.size();
            let end = size.checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX);
            let end = entry.raw_file_position().saturating_add(end);
            let head = self.heads.borrow_mut().turn(end);
            let kind = entry.header().entry_type();
            if kind == EntryType::XGlobalHeader {
                self.global(&head, entry)?;
                continue;
            }
            let said = head.said().map_err(|problem| self.damaged(&problem))?;
            if said.size != size || head::is_about_next(kind) {
                return Err(self.damaged("its headers contradict each other"));
            }
            let name = String::from_utf8_lossy(&said.name).into_owned();
            if said.has_holes {
                return Err(self.error(format!("{name}: a file with holes is not supported")));
            }
            if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
                continue;
            }
            let Some((key, suffix)) = split(&name) else {
                self.others += 1;
                continue;
            };
            if std::str::from_utf8(&said.name).is_err() {
                return Err(self.error(format!("{name}: its name is not valid UTF-8")));
            }
            let suffix = suffix.to_lowercase();
            let has_ended = self.heads.borrow_mut().take_end();
            let is_of = |current: &Sample| current.key == key && !has_ended;
            if !self.current.as_ref().is_some_and(is_of) {
                let (number, key) = (self.rows, key.to_owned());
                self.rows += 1;
                let new = Sample { number, key, members: Vec::new(), bytes: 0 };
                finished = self.current.replace(new);
            }
            let mut member = Member { name, suffix, head, data: Vec::new(), is_edited: false };
            let is_wanted = (self.wanted)(self.rows - 1, &member.suffix);
            match &mut self.globals {
                Some(globals) if is_wanted => member.head.prepend(globals),
                _ => member.head = Head::default(),
            }
            self.begin(&member, if is_wanted { size } else { 0 })?;
            if is_wanted {
                member.data = self.data(entry, &member)?;
            }
            if let Some(current) = &mut self.current {
                current.members.push(member);
            }
        }
        if let Some(sample) = &finished {
            let number = sample.number as u64;
            sample.check().map_err(|problem| self.bad_row(number, problem))?;
        }
        Ok(finished)
    }

    /// Counts a member with so many bytes of data, before they are read.
    fn begin(&mut self, member: &Member, size: u64) -> Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        let about = size_of::<Member>() + member.name.len() + member.suffix.len();
        let about = size.saturating_add((about + member.head.len()) as u64);
        current.bytes = current.bytes.saturating_add(about);
        let problem = if current.bytes > MAX_SAMPLE {
            format!("a sample of more than {MAX_SAMPLE} bytes is not read")
        } else if current.members.len() >= MOST_MEMBERS {
            format!("a sample of more than {MOST_MEMBERS} members is not read")
        } else {
            return Ok(());
        };
        Err(self.error(member.said(&problem)))
    }

    fn data(&self, mut entry: Entry<impl Read>, member: &Member) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        let read = entry.read_to_end(&mut data);
        read.map_err(|error| self.error(member.said(&error.to_string())))?;
        let size = entry.size();
        if (data.len() as u64) < size {
            let ends = format!("the file ends within it; it should have {size} bytes");
            return Err(self.error(member.said(&ends)));
        }
        Ok(data)
    }

    /// Keeps a header about all that follow, if it is to be written.
    fn global(&mut self, head: &Head, mut entry: Entry<impl Read>) -> Result<()> {
        let mut data = Vec::new();
        let kept = self.globals.as_ref().map_or(0, Vec::len) as u64;
        if kept.saturating_add(entry.size()) > MAX_HEAD as u64 {
            return Err(self.error(format!("global headers of more than {MAX_HEAD} bytes")));
        }
        entry.read_to_end(&mut data).map_err(|error| self.damaged(&error.to_string()))?;
        if (data.len() as u64) < entry.size() {
            return Err(self.damaged("the file ends within a global header"));
        }
        let global = head::global(head, &data).map_err(|problem| self.damaged(&problem))?;
        if let Some(globals) = &mut self.globals {
            globals.extend(global);
        }
        Ok(())
    }

    fn damaged(&self, problem: &str) -> DedupError {
        self.error(format!("damaged, or no tar file: {}", problem.escape_debug()))
    }

    /// An error at the sample that was read last.
    fn error(&self, problem: String) -> DedupError {
        self.bad_row(self.rows.saturating_sub(1) as u64, problem)
    }

    fn bad_row(&self, number: u64, problem: String) -> DedupError {
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
