//! The output folder, which appears whole or not at all.

use super::begin::report_of;
use super::input::{self, Inputs};
use super::part::{self, PartFile, Print, written};
use super::places::{Places, resolve};
use super::remote::Named;
use super::upload::Upload;
use crate::error::{DedupError, Result};
use crate::report::Report;
use crate::resume::{Resume, sync_folder};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// A folder under construction; dropped without [`commit`](Self::commit), it leaves nothing.
pub(super) struct OutputFolder {
    target: PathBuf,
    /// Where the files are until then, inside `workspace`.
    building: PathBuf,
    /// A hidden folder beside the target, so that a rename never crosses file systems; none for a run that is to be
    /// resumed, which keeps it.
    workspace: Option<TempDir>,
    /// Folders above the target that were made for it, outermost first.
    parents: Vec<PathBuf>,
    committed: bool,
    /// If the target is in a bucket.
    upload: Option<Upload>,
    /// Where it is kept what was written, for another run.
    resume: Option<Arc<Resume>>,
}

/// The file that is written last.
pub(super) const REPORT: &str = "report.json";
/// What a file is called until it is whole.
const PARTIAL: &str = ".partial";
/// What the folder of a run that is to be resumed is called when all is in it.
const READY: &str = "ready";
/// What an output is called that is being replaced, where that takes two steps.
pub(super) const OLD: &str = "old";
/// Beside the folder that such a run builds in: whose it is. What else it keeps may be in another place.
const OWNER: &str = "fingerprint";

/// What a run that is to be resumed builds its output in.
pub(super) struct Kept<'a> {
    pub(super) places: &'a Places,
    pub(super) resume: &'a Arc<Resume>,
    pub(super) fingerprint: &'a str,
    /// Whether this is the first run.
    pub(super) is_new: bool,
}

impl Kept<'_> {
    /// The folder to build in, with the files that an earlier run has made whole, but for those that are always made
    /// anew.
    fn begin(&self) -> io::Result<PathBuf> {
        let building = &self.places.building;
        let ready = building.with_file_name(READY);
        if ready.is_dir() {
            // It had not taken its place, or what it has replaced is here: only its own account tells.
            let report = fs::read(ready.join(REPORT)).unwrap_or_default();
            if !self.is_new && report_of(&report, self.fingerprint).is_some() {
                fs::rename(&ready, building)?;
            } else {
                fs::remove_dir_all(&ready)?;
            }
        }
        let owner = building.with_file_name(OWNER);
        let is_own = fs::read(&owner).is_ok_and(|owner| owner == self.fingerprint.as_bytes());
        if (self.is_new || !is_own) && building.is_dir() {
            fs::remove_dir_all(building)?;
        }
        fs::create_dir_all(building)?;
        fs::write(owner, self.fingerprint)?;
        for entry in fs::read_dir(building)? {
            let name = entry?.file_name();
            let place = building.join(&name);
            let is_whole = |name: &str| {
                let is_written = |print: &Print| part::holds(&place, print);
                let is_part = name.starts_with("part-") && is_known(name);
                is_part && self.resume.kept(written(name), is_written).is_some()
            };
            if !name.to_str().is_some_and(is_whole) {
                fs::remove_file(&place)?;
            }
        }
        Ok(building.clone())
    }
}

impl OutputFolder {
    /// Checks that `target` may be written and makes the place to build it in.
    ///
    /// For a target in a bucket that is a folder of `temporary`.
    pub(super) fn begin(
        target: &Path,
        inputs: &Inputs,
        overwrite: bool,
        (temporary, kept): (Option<&Path>, Option<Kept>),
        stop: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let target = &match Named::parse(target, stop)? {
            Named::Path(path) => path,
            Named::Bucket(bucket, key) => {
                let resume = kept.as_ref().map(|kept| Arc::clone(kept.resume));
                let upload = Upload::begin(bucket, &key, overwrite, resume)?;
                return Self::in_bucket(target, upload, inputs, temporary, kept);
            }
        };
        check_target(target, inputs, overwrite)?;
        let target = resolve(target).map_err(|error| DedupError::write(target, error))?;
        let wrong = |error: io::Error| DedupError::write(&target, error);
        let name = target.file_name().ok_or_else(|| DedupError::OutputInTheWay {
            path: target.clone(),
            problem: "is not the name of a new folder",
        })?;
        let parent = target.parent().unwrap_or(Path::new("/"));
        let parents = missing_parents(&target);
        fs::create_dir_all(parent).map_err(wrong)?;
        let of = |target, building, workspace, resume| Self {
            target,
            building,
            workspace,
            parents: parents.clone(),
            committed: false,
            upload: None,
            resume,
        };
        if let Some(kept) = kept {
            let building = kept.begin().map_err(wrong)?;
            return Ok(of(target, building, None, Some(Arc::clone(kept.resume))));
        }
        let prefix = format!(".{}.mithril-", name.to_string_lossy());
        let made =
            tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).and_then(|workspace| {
                // The temporary folder is private to the user; this one has the permissions of any new folder.
                let building = workspace.path().join("new");
                fs::create_dir(&building)?;
                Ok((workspace, building))
            });
        match made {
            Ok((workspace, building)) => Ok(of(target, building, Some(workspace), None)),
            Err(error) => {
                remove_empty(&parents);
                Err(wrong(error))
            }
        }
    }

    fn in_bucket(
        target: &Path,
        upload: Upload,
        inputs: &Inputs,
        temporary: Option<&Path>,
        kept: Option<Kept>,
    ) -> Result<Self> {
        if inputs.files.iter().any(|file| upload.holds(&file.path)) {
            return Err(DedupError::OutputInTheWay {
                path: target.to_owned(),
                problem: "holds a part of the input; choose another name",
            });
        }
        let folder = temporary.map_or_else(std::env::temp_dir, Path::to_owned);
        let wrong = |error: io::Error| DedupError::write(&folder, error);
        let (building, workspace) = if let Some(kept) = &kept {
            (kept.begin().map_err(wrong)?, None)
        } else {
            let made = tempfile::Builder::new().prefix(".mithril-").tempdir_in(&folder);
            let workspace = made.map_err(wrong)?;
            let building = workspace.path().join("new");
            fs::create_dir(&building).map_err(wrong)?;
            (building, Some(workspace))
        };
        Ok(Self {
            target: target.to_owned(),
            building,
            workspace,
            parents: Vec::new(),
            committed: false,
            upload: Some(upload),
            resume: kept.map(|kept| Arc::clone(kept.resume)),
        })
    }

    /// An error if the output would take the place of what rows are compared with.
    pub(super) fn check_apart<'a>(&self, paths: impl Iterator<Item = &'a Path>) -> Result<()> {
        for path in paths {
            let holds = match &self.upload {
                Some(upload) => upload.holds(path),
                None => is_inside(path, &self.target),
            };
            if holds {
                return Err(DedupError::OutputInTheWay {
                    path: self.target.clone(),
                    problem: "holds what rows are compared with; choose another name",
                });
            }
        }
        Ok(())
    }

    /// Where temporary files are if nothing else is said.
    pub(super) fn beside(&self) -> PathBuf {
        match &self.upload {
            Some(_) => std::env::temp_dir(),
            None => self.target.parent().unwrap_or(Path::new("/")).to_owned(),
        }
    }

    /// Makes a file; what `write` writes to it is on the disk when this returns.
    pub(super) fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut io::BufWriter<PartFile>) -> Result<()>,
    ) -> Result<()> {
        let wrong = |error: io::Error| DedupError::write(&self.target.join(name), error);
        let place = self.building.join(name);
        // What an earlier run has left here was whole when it took this name.
        if self.workspace.is_some() || !place.exists() {
            let partial = self.building.join(format!("{name}{PARTIAL}"));
            let mut file = PartFile::create(&partial).map_err(wrong)?;
            if let Some(upload) = &self.upload {
                file.tell(upload.follow(name, &partial).map_err(wrong)?);
            }
            let mut writer = io::BufWriter::with_capacity(1 << 20, file);
            write(&mut writer)?;
            writer.flush().map_err(wrong)?;
            // Of what goes to a bucket, only what another run may take over has to survive the machine.
            if self.upload.is_none() || self.workspace.is_none() {
                writer.get_ref().sync().map_err(wrong)?;
            }
            if let Some(resume) = &self.resume {
                resume.keep(written(name), &writer.get_ref().print())?;
            }
            fs::rename(&partial, &place).map_err(wrong)?;
            if writer.get_ref().end() {
                return Ok(());
            }
        }
        if let Some(upload) = &self.upload {
            upload.add(name, place);
        }
        Ok(())
    }

    /// An error at writing the file of this name.
    pub(super) fn error(&self, name: &str, source: impl Into<crate::error::Source>) -> DedupError {
        DedupError::write(&self.target.join(name), source)
    }

    /// The bytes of all files so far.
    pub(super) fn size(&self) -> Result<u64> {
        size_of(&self.building).map_err(|error| DedupError::write(&self.target, error))
    }

    pub(super) fn write_report(&self, report: &Report) -> Result<()> {
        let name = REPORT;
        self.file(name, |writer| {
            serde_json::to_writer_pretty(&mut *writer, report)
                .map_err(|error| self.error(name, error))?;
            writer.write_all(b"\n").map_err(|error| self.error(name, error))
        })
    }

    /// Puts the folder in its place.
    pub(super) fn commit(mut self, overwrite: bool) -> Result<()> {
        let wrong = |error: io::Error| DedupError::write(&self.target, error);
        if let Some(upload) = &mut self.upload {
            let names = fs::read_dir(&self.building).and_then(|entries| {
                entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
            });
            let names: Vec<String> = names.map_err(wrong)?;
            upload.finish(&names, &self.building)?;
            self.committed = true;
            return Ok(());
        }
        if self.workspace.is_none() {
            // From here on what is there is ready, or what it has replaced, and never again a part of a run.
            let ready = self.building.with_file_name(READY);
            fs::rename(&self.building, &ready).map_err(wrong)?;
            self.building = ready;
        }
        if overwrite && self.target.exists() {
            // What was there ends up in the workspace and goes with it.
            replace(&self.building, &self.target).map_err(wrong)?;
        } else {
            place(&self.building, &self.target).map_err(wrong)?;
        }
        self.committed = true;
        if let Some(parent) = self.target.parent() {
            sync_folder(parent).map_err(wrong)?;
        }
        Ok(())
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        if !self.committed && !self.parents.is_empty() && self.workspace.is_some() {
            // The workspace is in the innermost of them and must go first.
            let _ = fs::remove_dir_all(&self.building);
            if let Some(workspace) = self.building.parent() {
                let _ = fs::remove_dir(workspace);
            }
            remove_empty(&self.parents);
        }
    }
}

/// The folders above an output that are not there, outermost first.
pub(super) fn missing_parents(target: &Path) -> Vec<PathBuf> {
    let above = target.ancestors().skip(1).take_while(|folder| !folder.exists());
    let mut missing: Vec<PathBuf> = above.map(Path::to_owned).collect();
    missing.reverse();
    missing
}

/// Removes folders that were made for an output.
pub(super) fn remove_empty(parents: &[PathBuf]) {
    for folder in parents.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// The bytes of all files of a folder.
pub(super) fn size_of(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// Whether the output may go to `target`: not over anything that was not asked to be replaced.
fn check_target(target: &Path, inputs: &Inputs, overwrite: bool) -> Result<()> {
    let in_the_way = |problem| Err(DedupError::OutputInTheWay { path: target.to_owned(), problem });
    if target.symlink_metadata().is_err() {
        return Ok(());
    }
    if !target.is_dir() {
        return in_the_way("is not a folder; choose another name");
    }
    if !overwrite {
        return in_the_way(
            "exists; choose another name, or replace it with --overwrite (overwrite=True)",
        );
    }
    let inside = |path: &Path| is_inside(path, target);
    if inputs.files.iter().any(|file| inside(&file.path)) {
        return in_the_way("holds a part of the input; choose another name");
    }
    if std::env::current_dir().is_ok_and(|current| inside(&current)) {
        return in_the_way("is the folder that this runs in, or above it; choose another name");
    }
    let empty = fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
    if !empty && !input::is_output(target) {
        return in_the_way(
            "was not written by mithril, so it is not replaced; choose another name",
        );
    }
    if let Some(other) = foreign_entry(target).map_err(|error| DedupError::write(target, error))? {
        return Err(DedupError::OutputInTheWay {
            path: target.join(other),
            problem: "was not written by mithril, so its folder is not replaced; move it away",
        });
    }
    Ok(())
}

/// Whether a path is in a folder, or is it.
fn is_inside(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

/// Something in an output folder that no run puts there.
fn foreign_entry(folder: &Path) -> io::Result<Option<std::ffi::OsString>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let known = name.to_str().is_some_and(is_known);
        if !known || !entry.file_type()?.is_file() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Whether runs write files of this name.
pub(super) fn is_known(name: &str) -> bool {
    let suffixes = [".parquet", ".jsonl.zst", ".tar"];
    let number = name
        .strip_prefix("part-")
        .and_then(|rest| suffixes.iter().find_map(|suffix| rest.strip_suffix(suffix)));
    // Other tools call theirs part-00000-1f2e.parquet, say.
    let part = number
        .is_some_and(|number| number.len() >= 5 && number.bytes().all(|b| b.is_ascii_digit()));
    part || name == "duplicates.parquet" || name == REPORT
}

/// Moves `new` to `target`, which must not exist.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn place(new: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, target, RenameFlags::NOREPLACE) {
        // A file system that does not know the flag.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            fs::rename(new, target)
        }
        other => Ok(other?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn place(new: &Path, target: &Path) -> io::Result<()> {
    fs::rename(new, target)
}

/// Swaps `new` and `target`, which both exist.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn replace(new: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            replace_in_two_steps(new, target)
        }
        other => Ok(other?),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn replace(new: &Path, target: &Path) -> io::Result<()> {
    replace_in_two_steps(new, target)
}

/// For file systems without an exchange: between the two steps there is no folder, never half a one.
fn replace_in_two_steps(new: &Path, target: &Path) -> io::Result<()> {
    let old = new.with_file_name(OLD);
    fs::rename(target, &old)?;
    fs::rename(new, target).inspect_err(|_| {
        let _ = fs::rename(&old, target);
    })
}
