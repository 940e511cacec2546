//! Compares the public API in a JSON file of rustdoc with a snapshot: one line for each item, sorted.
//!
//! `api JSON SNAPSHOT` exits with 1 and shows the difference if there is one; `api JSON SNAPSHOT
//! --bless` writes the snapshot. A compiler whose JSON this release of public-api cannot read is an
//! error where `CI` is set, and else told.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (json, snapshot, bless) = match &arguments[..] {
        [json, snapshot] => (json, snapshot, false),
        [json, snapshot, flag] if flag == "--bless" => (json, snapshot, true),
        _ => return Err("usage: api JSON SNAPSHOT [--bless]".into()),
    };
    let now = match items(Path::new(json)) {
        Err(error) if !bless && env::var_os("CI").is_none() => {
            eprintln!("the public API was not compared, which needs Rust 1.95: {error}");
            return Ok(ExitCode::SUCCESS);
        }
        items => items?,
    };
    if bless {
        let lines: Vec<&str> = now.iter().map(String::as_str).collect();
        fs::write(snapshot, lines.join("\n") + "\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = fs::read_to_string(snapshot)?;
    let then: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let removed = then.difference(&now).map(|line| format!("- {line}"));
    let added = now.difference(&then).map(|line| format!("+ {line}"));
    let difference: Vec<String> = removed.chain(added).collect();
    if difference.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "{}\n{snapshot} is not the public API; make api writes it anew",
        difference.join("\n")
    );
    Ok(ExitCode::FAILURE)
}

/// Of what the compiler finds out by itself, only this is promised.
const PROMISED: [&str; 2] = ["core::marker::Send ", "core::marker::Sync "];

/// What a user of the crate can name, and which traits that has.
fn items(json: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let api = public_api::Builder::from_rustdoc_json(json).omit_blanket_impls(true).build()?;
    let lines = api.items().map(ToString::to_string);
    Ok(lines.filter(|line| is_said(line)).collect())
}

fn is_said(line: &str) -> bool {
    if !line.starts_with("impl") {
        return true;
    }
    // An `impl` without a trait says nothing: its methods have lines of their own.
    let found_out = line.contains("core::marker::") || line.contains("core::panic::");
    line.contains(" for ") && (!found_out || PROMISED.iter().any(|name| line.contains(name)))
}
