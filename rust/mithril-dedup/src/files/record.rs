//! The columns that decide, taken from a JSON object without building the rest.

use super::scan::Columns;
use super::scanned::Row;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The JSON of the text, id and keep column of a line.
#[derive(Default)]
pub(super) struct Record<'a> {
    values: [Option<&'a RawValue>; 3],
}

impl<'a> Record<'a> {
    /// Checks that the line is one JSON object; a column that stands twice in it has its last value.
    pub(super) fn parse(line: &'a str, columns: Columns) -> Result<Self, String> {
        let mut deserializer = serde_json::Deserializer::from_str(line);
        let wanted = Wanted([Some(columns.text), columns.id, columns.by]);
        let record = deserializer.deserialize_map(wanted).and_then(|record| {
            deserializer.end()?;
            Ok(record)
        });
        record.map_err(|error| {
            if line.trim_start().starts_with('{') {
                no_json(&error)
            } else {
                "not a JSON object; each line must be one, such as {\"text\": \"...\"}".to_owned()
            }
        })
    }

    /// The text in UTF-8, but for lone surrogates, which are encoded like other characters.
    pub(super) fn text(&self) -> Result<Option<Vec<u8>>, String> {
        let [Some(raw), ..] = self.values else { return Ok(None) };
        let kind = match raw.get().bytes().next() {
            Some(b'n') => return Ok(None),
            Some(b'"') => {
                let text = serde_json::Deserializer::from_str(raw.get()).deserialize_bytes(Bytes);
                return text.map(Some).map_err(|error| no_json(&error));
            }
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b't' | b'f') => "a boolean",
            _ => "a number",
        };
        Err(format!("the text is {kind}, not a string"))
    }

    /// Whether there is something in the place of the text, be it null.
    pub(super) fn has_text(&self) -> bool {
        let [value, ..] = self.values;
        value.is_some()
    }

    /// What is in the place of the text, whatever it is.
    pub(super) fn value(&self) -> Result<Value, String> {
        let [value, ..] = self.values;
        parse(value)
    }

    /// The columns that decide.
    pub(super) fn row(self) -> Result<Row, String> {
        let [_, id, by] = self.values;
        let present = self.values.map(|value| value.is_some());
        Ok(Row { text: self.text()?, id: parse(id)?, by: parse(by)?, present })
    }
}

fn parse(value: Option<&RawValue>) -> Result<Value, String> {
    let Some(raw) = value else { return Ok(Value::Null) };
    serde_json::from_str(raw.get()).map_err(|error| no_json(&error))
}

/// What is wrong with a line: it is the first of its own, wherever it is in its file.
pub(super) fn no_json(error: &serde_json::Error) -> String {
    format!("not valid JSON: {error}").replace(" at line 1 column", " at column")
}

/// The line with another text in its column, and every other byte as it was; `None` if it has no such column.
pub(super) fn with_text(line: &str, column: &str, text: &str) -> Option<String> {
    let columns = Columns { text: column, id: None, by: None };
    let [value, ..] = Record::parse(line, columns).ok()?.values;
    let value = value?.get();
    // It is borrowed from the line.
    let start = (value.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
    let after = line.get(start + value.len()..)?;
    let text = serde_json::to_string(text).ok()?;
    Some([line.get(..start)?, &text, after].concat())
}

/// The column names of a line.
pub(super) fn names(line: &str) -> Vec<String> {
    let object = serde_json::from_str::<serde_json::Map<String, Value>>(line).unwrap_or_default();
    object.keys().cloned().collect()
}

/// Whether there is an integer that would be inferred to be a fraction, which may not hold it.
pub(super) fn has_large_integer(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_u64() && !number.is_i64(),
        Value::Array(items) => items.iter().any(has_large_integer),
        Value::Object(fields) => fields.values().any(has_large_integer),
        _ => false,
    }
}

struct Wanted<'c>([Option<&'c str>; 3]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Record<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
        let mut record = Record::default();
        while let Some(Key(name)) = map.next_key::<Key>()? {
            let mut value = None;
            for (place, wanted) in record.values.iter_mut().zip(self.0) {
                if wanted.is_some_and(|wanted| wanted.as_bytes() == &*name) {
                    if value.is_none() {
                        value = Some(map.next_value::<&RawValue>()?);
                    }
                    *place = value;
                }
            }
            if value.is_none() {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(record)
    }
}

/// A key as bytes, since it too may hold a lone surrogate.
struct Key<'a>(Cow<'a, [u8]>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(KeyBytes)
    }
}

struct KeyBytes;

impl<'de> Visitor<'de> for KeyBytes {
    type Value = Key<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key.as_bytes())))
    }

    fn visit_borrowed_bytes<E>(self, key: &'de [u8]) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.as_bytes().to_vec())))
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_vec())))
    }
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }
}
