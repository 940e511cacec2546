//! Removes near-duplicates from files, with no Python on the machine.
//!
//! ```text
//! cargo run --release -p mithril-dedup --example dedup -- OUTPUT INPUT [INPUT ...]
//! ```

use mithril_core::ConsoleProgress;
use mithril_dedup::{Control, FileOptions, dedup_files};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [output, inputs @ ..] = arguments.as_slice() else {
        return Err("usage: dedup OUTPUT INPUT [INPUT ...]".into());
    };
    let progress = ConsoleProgress::new();
    let control = Control { progress: &progress, ..Control::default() };
    let report = dedup_files(inputs, Path::new(output), &FileOptions::default(), control)?;
    println!(
        "{} documents read, {} kept, {} exact and {} near-duplicates removed, in {:.1} s",
        report.documents,
        report.kept,
        report.exact_duplicates,
        report.near_duplicates,
        report.seconds.total
    );
    Ok(())
}
