//! What a byte of text costs on its way to a signature, by stage and by corpus.
//!
//! The corpora are what the machine has: source files of the crates that cargo has downloaded, the
//! documentation of Debian's packages, and the translations that come with them.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use mithril_core::MinHasher;
use mithril_dedup::{Shingle, Shingler, Shingling};
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

const REPETITIONS: usize = 9;
const ENOUGH: usize = 16 << 20;

fn main() {
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    let sources = read(Path::new(&home).join("registry/src").as_path(), &["rs", "md"]);
    let documentation = read(Path::new("/usr/share/doc"), &["txt", "md", "html", "copyright"]);
    println!(
        "MB/s, one thread, median of {REPETITIONS}: tokens and their n-grams | and signatures"
    );
    for (name, text, size) in [
        ("documentation, 400 B", &documentation, 400),
        ("documentation, 8 kB", &documentation, 8_000),
        ("sources, 400 B", &sources, 400),
        ("sources, 12 kB", &sources, 12_000),
        ("sources, 1 MB", &sources, 1_000_000),
    ] {
        measure(name, &pieces(text, size));
    }
}

/// Files with one of the names or extensions, one after the other.
fn read(folder: &Path, kinds: &[&str]) -> String {
    let mut text = String::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten() {
        let path = entry.path();
        let name = path.extension().or(path.file_name()).and_then(|name| name.to_str());
        if entry.file_type().is_file() && name.is_some_and(|name| kinds.contains(&name)) {
            text += &std::fs::read_to_string(path).unwrap_or_default();
        }
        if text.len() > ENOUGH {
            break;
        }
    }
    text
}

fn pieces(text: &str, size: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > size {
        let (piece, after) =
            rest.split_at((0..=size).rfind(|&at| rest.is_char_boundary(at)).unwrap_or(0));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn measure(name: &str, texts: &[&str]) {
    let bytes: usize = texts.iter().map(|text| text.len()).sum();
    let ascii: usize = texts.iter().flat_map(|text| text.bytes()).filter(u8::is_ascii).count();
    let mut line = format!(
        "{name:<22} {:>4} MB {:>5.1} % ASCII",
        bytes >> 20,
        100.0 * ascii as f64 / bytes as f64
    );
    let hasher = MinHasher::new(128);
    let mut values = [0; 128];
    for shingle in [Shingle::Auto, Shingle::Whitespace, Shingle::Chars] {
        let mut shingler = Shingler::new(Shingling { shingle, ..Shingling::default() });
        let mut count = 0;
        let cut = speed(bytes, || {
            count = texts.iter().map(|text| black_box(shingler.hashes(text)).len()).sum();
        });
        let signatures = speed(bytes, || {
            for text in texts {
                hasher.sketch(shingler.hashes(text), &mut values).expect("there is room");
                black_box(&values);
            }
        });
        let each = bytes as f64 / count.max(1) as f64;
        write!(line, " | {shingle:?} {each:.1} B: {cut:.0} | {signatures:.0}").expect("it fits");
    }
    println!("{line}");
}

fn speed(bytes: usize, mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    bytes as f64 / 1e6 / times.get(REPETITIONS / 2).copied().unwrap_or(f64::NAN)
}
