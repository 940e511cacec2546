//! The environment variables `MITHRIL_*`.

use super::storage::from_url;
use super::{CoreConfig, checked_level};
use crate::{MithrilError, Result};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

const PREFIX: &str = "MITHRIL_";

pub(super) fn read(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<CoreConfig> {
    let mut config = CoreConfig::default();
    for (name, value) in variables {
        // A name that is not Unicode is not a known one, and shown as well as can be.
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) || value.is_empty() {
            continue;
        }
        read_one(&mut config, &name, value)
            .map_err(|message| MithrilError::Config { place: name.into_owned(), message })?;
    }
    Ok(config)
}

fn read_one(
    config: &mut CoreConfig,
    name: &str,
    value: OsString,
) -> std::result::Result<(), String> {
    match name {
        "MITHRIL_STORAGE" => config.storage = from_url(&text(value)?)?,
        // A folder may have a name that is not Unicode.
        "MITHRIL_TEMP_DIR" => config.temp_dir = Some(PathBuf::from(value)),
        "MITHRIL_LOG_LEVEL" => config.log_level = Some(checked_level(&text(value)?)?),
        // Read where the threads are started, which has nobody to tell of a mistake.
        "MITHRIL_NUM_THREADS" => {
            let value = text(value)?;
            value.trim().parse::<NonZeroUsize>().map_err(|_| {
                format!("{value:?} is not a number of threads: a whole number above zero")
            })?;
        }
        _ => {
            return Err("unknown variable; known are MITHRIL_STORAGE, MITHRIL_TEMP_DIR, \
                        MITHRIL_LOG_LEVEL and MITHRIL_NUM_THREADS"
                .to_owned());
        }
    }
    Ok(())
}

fn text(value: OsString) -> std::result::Result<String, String> {
    value.into_string().map_err(|value| format!("{} is not Unicode text", value.display()))
}
