//! Whether a run goes on from an earlier one.

use super::FileOptions;
use super::input::Inputs;
use super::input_file::InputFile;
use super::output::REPORT;
use super::places::Places;
use super::references::References;
use super::remote::Named;
use crate::error::Result;
use crate::report::Report;
use crate::resume::{Account, Resume};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How far an earlier run has come.
pub(super) enum Resumed {
    /// Not to the end; `is_new` if there was none.
    Begun { resume: Arc<Resume>, is_new: bool },
    /// The output is in its place.
    Done(Box<Report>),
}

/// What a run is, by its inputs and options.
pub(super) fn account(inputs: &Inputs, references: &References, options: &FileOptions) -> Account {
    let files = inputs.files.iter().map(InputFile::account).collect();
    Account::of(options, files, references.account())
}

/// Finds out how far an earlier run has come.
pub(super) fn open(
    output: &Path,
    account: &Account,
    places: &Places,
    stop: &Arc<AtomicBool>,
) -> Result<Resumed> {
    if let Some(report) = done(output, &account.fingerprint(), stop)? {
        places.forget();
        return Ok(Resumed::Done(Box::new(report)));
    }
    let (resume, is_there) = Resume::open(&places.kept, account)?;
    Ok(Resumed::Begun { resume: Arc::new(resume), is_new: !is_there })
}

/// The report of an output that is whole and of such a run.
fn done(output: &Path, fingerprint: &str, stop: &Arc<AtomicBool>) -> Result<Option<Report>> {
    let (text, bytes) = match Named::parse(output, stop)? {
        Named::Path(folder) => {
            let Ok(text) = fs::read(folder.join(REPORT)) else { return Ok(None) };
            (text, super::output::size_of(&folder).unwrap_or(0))
        }
        Named::Bucket(bucket, key) => {
            let there = bucket.list(&format!("{}/", key.trim_end_matches('/')))?;
            let report = there.iter().find(|object| object.key.ends_with(REPORT));
            let Some(report) = report else { return Ok(None) };
            let bytes = there.iter().map(|object| object.size).sum();
            (bucket.read(&report.key)?.to_vec(), bytes)
        }
    };
    let report: Option<Report> = serde_json::from_slice(&text).ok();
    Ok(report.filter(|report| {
        let same = report.files.as_ref().is_some_and(|files| {
            files.fingerprint == fingerprint && files.output_bytes + text.len() as u64 == bytes
        });
        same
    }))
}

/// Whether a report is that of a run.
pub(super) fn is_of(report: &Path, fingerprint: &str) -> bool {
    let report = fs::read(report).ok().and_then(|text| serde_json::from_slice(&text).ok());
    report.is_some_and(|report: Report| {
        report.files.is_some_and(|files| files.fingerprint == fingerprint)
    })
}

/// Leaves nothing of a run that could not even begin.
pub(super) fn give_up(resumed: Option<&Resumed>, places: &Places) {
    if let Some(Resumed::Begun { is_new: true, .. }) = resumed {
        places.remove();
    }
}
