//! Configuration files.

use super::CoreConfig;
use crate::{MithrilError, Result};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Track;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Far beyond any configuration, and little enough to be parsed in no time.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy)]
enum Format {
    Toml,
    Json,
    Yaml,
}

/// What a parser says, and where: line and column, from one.
struct Fault {
    message: String,
    position: Option<(u64, u64)>,
}

pub(super) fn read(path: &Path) -> Result<CoreConfig> {
    let refused = |message: &str| MithrilError::Config {
        place: path.display().to_string(),
        message: message.to_owned(),
    };
    let format = Format::of(path)
        .ok_or_else(|| refused("the name must end in .toml, .json, .yaml or .yml"))?;
    let bytes = read_bytes(path).map_err(|error| {
        io::Error::new(error.kind(), format!("configuration {}: {error}", path.display()))
    })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refused("longer than 1 MiB, which no configuration is"));
    }
    let text = str::from_utf8(&bytes).map_err(|error| refused(&format!("not UTF-8: {error}")))?;
    // Editors on Windows begin files with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Ok(CoreConfig::default());
    }
    let mut track = Track::new();
    let parsed = format.parse(text, &mut track);
    parsed.map_err(|fault| fault.at(path, &track.path().to_string()))
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        let suffix = path.extension()?.to_str()?.to_ascii_lowercase();
        match suffix.as_str() {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    fn parse(self, text: &str, track: &mut Track) -> std::result::Result<CoreConfig, Fault> {
        match self {
            Self::Toml => toml::Deserializer::parse(text)
                .and_then(|deserializer| tracked(deserializer, track))
                .map_err(|error| Fault {
                    message: error.message().to_owned(),
                    position: error.span().map(|span| position(text, span.start)),
                }),
            Self::Json => {
                let mut deserializer = serde_json::Deserializer::from_str(text);
                let config = tracked(&mut deserializer, track);
                config
                    .and_then(|config| deserializer.end().map(|()| config))
                    .map_err(|error| json_fault(&error))
            }
            // The parser's defaults bound depth, aliases and what they expand to.
            Self::Yaml => serde_saphyr::with_deserializer_from_str_with_options(
                text,
                serde_saphyr::options! { with_snippet: false, reject_unsupported_tags: true },
                |deserializer| tracked(deserializer, track),
            )
            .map_err(|error| yaml_fault(&error)),
        }
    }
}

/// Keeps in `track` which key is being read, for an error to name.
fn tracked<'de, D: Deserializer<'de>>(
    deserializer: D,
    track: &mut Track,
) -> std::result::Result<CoreConfig, D::Error> {
    serde_path_to_error::Deserializer::new(deserializer, track).deserialize_any(Settings)
}

/// A table; the derived visitor takes a list of the fields' values too.
struct Settings;

impl<'de> Visitor<'de> for Settings {
    type Value = CoreConfig;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a table of settings")
    }

    /// A YAML file of comments alone is a null.
    fn visit_unit<E: de::Error>(self) -> std::result::Result<CoreConfig, E> {
        Ok(CoreConfig::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<CoreConfig, A::Error> {
        CoreConfig::deserialize(MapAccessDeserializer::new(map))
    }
}

fn json_fault(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line() as u64, error.column() as u64);
    let text = error.to_string();
    let message = without(&text, &format!(" at line {line} column {column}"));
    Fault { message, position: (line > 0).then_some((line, column)) }
}

fn yaml_fault(error: &serde_saphyr::Error) -> Fault {
    let text = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
    let Some(location) = error.location() else {
        return Fault { message: text, position: None };
    };
    let (line, column) = (location.line(), location.column());
    let message = without(&text, &format!(" at line {line}, column {column}"));
    Fault { message, position: Some((line, column)) }
}

/// Without the place, which every message gives in front and in one form.
fn without(text: &str, place: &str) -> String {
    text.strip_suffix(place).unwrap_or(text).to_owned()
}

/// The line and column, in characters, of a byte of the text.
fn position(text: &str, byte: usize) -> (u64, u64) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() as u64 + 1, line.chars().count() as u64 + 1)
}

impl Fault {
    fn at(self, path: &Path, key: &str) -> MithrilError {
        let mut place = path.display().to_string();
        if let Some((line, column)) = self.position {
            place = format!("{place}:{line}:{column}");
        }
        // The root is a dot, and a key that could not be read a question mark.
        let key = key.trim_end_matches(['.', '?']);
        let message =
            if key.is_empty() { self.message } else { format!("{key}: {}", self.message) };
        MithrilError::Config { place, message }
    }
}
