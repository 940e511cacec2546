//! The beginning and the end of a run: whether it goes on from an earlier one, and what is left of it.

use super::FileOptions;
use super::input::Inputs;
use super::input_file::InputFile;
use super::output::{Kept, OutputFolder, REPORT, missing_parents, remove_empty, size_of};
use super::places::Places;
use super::references::References;
use super::remote::Named;
use crate::error::{DedupError, Result};
use crate::report::Report;
use crate::resume::{Account, Lock, Resume};
use crate::spill::Spill;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How far a run has come when it begins.
pub(super) enum Beginning {
    /// Not to the end.
    Run(Box<Begun>),
    /// The output is in its place.
    Done(Box<Report>),
}

/// Where a run works.
pub(super) struct Begun {
    pub(super) folder: OutputFolder,
    pub(super) spill: Spill,
    /// What its inputs and options come to.
    pub(super) fingerprint: String,
    /// What was not there above it.
    parents: Vec<PathBuf>,
    /// Of the folder that the output is built in, where that is another.
    lock: Option<Lock>,
}

impl Beginning {
    /// Finds out how far an earlier run has come, if that is asked for, and makes the places to work in.
    pub(super) fn of(
        output: &Path,
        (inputs, references): (&Inputs, &References),
        options: &FileOptions,
        spill: Option<Spill>,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let temporary = options.temp_dir.as_deref();
        let places = Places::of(output, temporary)?;
        places.restore(output)?;
        let files = inputs.files.iter().map(InputFile::account).collect();
        // Paths need not be Unicode; those of references are told with their files.
        let told = FileOptions { temp_dir: None, against: Vec::new(), ..options.clone() };
        let account = Account::of(&told, files, references.account())
            .map_err(|error| DedupError::InvalidArgument(error.to_string()))?;
        let fingerprint = account.fingerprint();
        let (mut resume, mut lock) = (None, None);
        let parents = missing_parents(output);
        if options.resume {
            if let Some(report) = done(output, &fingerprint, stop)? {
                places.forget();
                return Ok(Self::Done(Box::new(report)));
            }
            lock = places.lock()?;
            let (opened, is_there) = Resume::open(&places.kept, &account)?;
            resume = Some((Arc::new(opened), !is_there));
        }
        let begin = || {
            let kept = resume.as_ref().map(|(resume, is_new)| Kept {
                places: &places,
                resume,
                fingerprint: &fingerprint,
                is_new: *is_new,
            });
            let overwrite = options.overwrite;
            let folder = OutputFolder::begin(output, inputs, overwrite, (temporary, kept), stop)?;
            let spill = spill.map_or_else(|| options.spill(&folder.beside()), Ok)?;
            Ok::<_, DedupError>((folder, spill))
        };
        let (folder, spill) = begin().inspect_err(|_| {
            if let Some((resume, true)) = &resume {
                remove(resume, lock.as_ref());
                remove_empty(&parents);
            }
        })?;
        let spill = if let Some((resume, _)) = &resume {
            spill.kept(resume)
        } else {
            places.forget();
            spill
        };
        Ok(Self::Run(Box::new(Begun { folder, spill, fingerprint, parents, lock })))
    }
}

/// Removes what is kept of a run, and only then lets another begin.
fn remove(resume: &Resume, lock: Option<&Lock>) {
    resume.remove();
    lock.into_iter().for_each(Lock::remove);
}

impl Begun {
    /// Puts the output in its place, and leaves nothing else.
    pub(super) fn commit(self, overwrite: bool) -> Result<()> {
        let Self { folder, spill, lock, .. } = self;
        folder.commit(overwrite)?;
        if let Some(resume) = spill.resume() {
            remove(resume, lock.as_ref());
        }
        Ok(())
    }

    /// Leaves nothing of a run that ended with an error for which no other can go on from it.
    pub(super) fn give_up(self, error: &DedupError) {
        let is_of_input = matches!(
            error,
            DedupError::InvalidArgument(_)
                | DedupError::MissingColumn { .. }
                | DedupError::ColumnType { .. }
                | DedupError::BadRow { .. }
                | DedupError::InputChanged { .. }
                | DedupError::OutputInTheWay { .. }
        );
        let Self { folder, spill, parents, lock, .. } = self;
        drop(folder);
        if let Some(resume) = spill.resume().filter(|_| is_of_input) {
            remove(resume, lock.as_ref());
            remove_empty(&parents);
        }
    }
}

/// The report of an output that is whole and of such a run.
fn done(output: &Path, fingerprint: &str, stop: &Arc<AtomicBool>) -> Result<Option<Report>> {
    let (text, bytes) = match Named::parse(output, stop)? {
        Named::Path(folder) => {
            let Ok(text) = fs::read(folder.join(REPORT)) else { return Ok(None) };
            (text, size_of(&folder).unwrap_or(0))
        }
        Named::Bucket(bucket, key) => {
            let folder = format!("{}/", key.trim_end_matches('/'));
            let there = bucket.list(&folder)?;
            let name = format!("{folder}{REPORT}");
            let Some(report) = there.iter().find(|object| object.key == name) else {
                return Ok(None);
            };
            let bytes = there.iter().map(|object| object.size).sum();
            (bucket.read(&report.key)?.to_vec(), bytes)
        }
    };
    Ok(report_of(&text, fingerprint).filter(|report| {
        let files = report.files.as_ref();
        files.is_some_and(|files| files.output_bytes + text.len() as u64 == bytes)
    }))
}

/// The report in a text, if it is of such a run.
pub(super) fn report_of(text: &[u8], fingerprint: &str) -> Option<Report> {
    let report: Report = serde_json::from_slice(text).ok()?;
    let is_of = report.files.as_ref().is_some_and(|files| files.fingerprint == fingerprint);
    is_of.then_some(report)
}
