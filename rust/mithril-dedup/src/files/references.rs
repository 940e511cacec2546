//! What inputs are compared with, and that is none of them: files, and indexes.

use super::input::{InputFormat, Inputs};
use super::input_file::InputFile;
use super::scan::{Columns, Scan};
use super::{FileOptions, scan_inputs};
use crate::control::Control;
use crate::deduplicator::Duplicate;
use crate::documents::Documents;
use crate::error::{DedupError, Result};
use crate::index::{MinHashIndex, MostSimilar};
use crate::options::Method;
use crate::resume::Input;
use crate::spill::Spill;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Files and indexes of references, and what they hold.
#[derive(Default)]
pub(super) struct References {
    inputs: Option<Inputs>,
    /// What was read of `inputs`.
    scan: Option<Scan>,
    indexes: Vec<(PathBuf, MinHashIndex)>,
    /// Documents of indexes that rows go for; their numbers come after those of files.
    matches: Vec<(usize, u64)>,
}

/// Where a reference is.
pub(super) struct Place {
    pub(super) file: String,
    /// Its row in the file, or its id in the index.
    pub(super) row: i64,
}

impl References {
    /// Finds them, without reading them.
    pub(super) fn find(options: &FileOptions, stop: &Arc<AtomicBool>) -> Result<Self> {
        let (mut files, mut indexes) = (Vec::new(), Vec::new());
        for path in &options.against {
            match MinHashIndex::open_folder(path) {
                Some(index) => indexes.push((path.clone(), index?)),
                None => files.push(path),
            }
        }
        if !indexes.is_empty() && options.dedup.method != Method::MinHash {
            return Err(DedupError::InvalidArgument(
                "an index knows MinHash signatures alone: against it, method must be minhash"
                    .to_owned(),
            ));
        }
        let find = || Inputs::find(&files, InputFormat::Auto, stop);
        let inputs = (!files.is_empty()).then(find).transpose()?;
        Ok(Self { inputs, scan: None, indexes, matches: Vec::new() })
    }

    /// Reads them.
    pub(super) fn read(&mut self, text: &str, spill: &Spill, control: Control) -> Result<()> {
        let columns = Columns { text, id: None, by: None };
        let scan = |inputs| scan_inputs(inputs, columns, &spill.of("against-"), control);
        self.scan = self.inputs.as_ref().map(scan).transpose()?;
        Ok(())
    }

    /// What tells whether they have changed between two runs.
    pub(super) fn account(&self) -> Vec<Input> {
        let files = self.inputs.iter().flat_map(|inputs| &inputs.files).map(InputFile::account);
        let indexes = self.indexes.iter().map(|(path, index)| Input {
            name: path.to_string_lossy().into_owned(),
            size: index.len() as u64,
            state: format!("{:x?}", index.revision()),
        });
        files.chain(indexes).collect()
    }

    /// The files, and the folders of indexes.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let files = self.inputs.iter().flat_map(|inputs| &inputs.files);
        let indexes = self.indexes.iter().map(|(path, _)| path.as_path());
        files.map(|file| file.path.as_path()).chain(indexes)
    }

    pub(super) fn are_none(&self) -> bool {
        self.inputs.is_none() && self.indexes.is_empty()
    }

    /// The references of files, as the first of documents.
    pub(super) fn documents(&self) -> Documents {
        let mut documents =
            self.scan.as_ref().map_or_else(Documents::new, |scan| scan.documents.clone());
        documents.become_references();
        documents
    }

    /// The rows that are like a document of an index, each for the most similar of them. The similarity is the
    /// estimate of the index, which has no texts.
    pub(super) fn found_in_indexes(
        &mut self,
        rows: &Documents,
        threshold: f64,
        control: Control,
    ) -> Result<Vec<Duplicate>> {
        let mut numbers: HashMap<(usize, u64), usize> = HashMap::new();
        let mut best: BTreeMap<usize, (usize, MostSimilar)> = BTreeMap::new();
        for (at, (path, index)) in self.indexes.iter().enumerate() {
            let name = format!("the index {}", path.display());
            for found in index.most_similar(&name, rows, threshold, control)? {
                if best.get(&found.row).is_none_or(|other| found.similarity > other.1.similarity) {
                    best.insert(found.row, (at, found));
                }
            }
        }
        let first = self.files_hold();
        let mut duplicates = Vec::with_capacity(best.len());
        for (row, (at, MostSimilar { id, similarity, .. })) in best {
            let number = *numbers.entry((at, id)).or_insert_with(|| {
                self.matches.push((at, id));
                first + self.matches.len() - 1
            });
            duplicates.push(Duplicate {
                row: row as u64,
                kept_row: number as u64,
                jaccard: Some(similarity),
                exact_copy: false,
                against: true,
            });
        }
        Ok(duplicates)
    }

    /// The bytes of texts in a temporary file, if they are in one.
    pub(super) fn spooled(&self) -> Option<u64> {
        self.scan.as_ref().and_then(|scan| scan.spooled)
    }

    /// The number of documents in indexes.
    pub(super) fn indexes_hold(&self) -> u64 {
        self.indexes.iter().map(|(_, index)| index.len() as u64).sum()
    }

    fn files_hold(&self) -> usize {
        self.scan.as_ref().map_or(0, |scan| scan.documents.len())
    }

    /// Where a reference is, by its number.
    pub(super) fn locate(&self, number: usize) -> Option<Place> {
        if let Some(at) = number.checked_sub(self.files_hold()) {
            let (index, id) = *self.matches.get(at)?;
            let file = self.indexes.get(index)?.0.to_string_lossy().into_owned();
            return Some(Place { file, row: id as i64 });
        }
        let (inputs, scan) = (self.inputs.as_ref()?, self.scan.as_ref()?);
        let (file, row) = scan.locate(number);
        let file = inputs.files.get(file)?.path.to_string_lossy().into_owned();
        Some(Place { file, row: row as i64 })
    }

    pub(super) fn names(&self) -> Vec<String> {
        let files = self.inputs.as_ref().map(Inputs::names).unwrap_or_default();
        let indexes = self.indexes.iter().map(|(path, _)| path.to_string_lossy().into_owned());
        files.into_iter().chain(indexes).collect()
    }
}
