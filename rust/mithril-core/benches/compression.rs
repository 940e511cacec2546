//! What each choice of the adaptive compressor costs and gives on each kind of data, and how near the
//! adaptive compressor comes to the best of them.
//!
//! Its promise: within 2 % of the size of the best single choice, in at most 1.3 times the time of the
//! quickest single choice within that size. `cargo bench -p mithril-core --bench compression`, or
//! `make bench-compression`; sizes in MiB may follow `--`.

#![allow(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use mithril_core::{
    AdaptiveCompressor, CompressionLevel, Compressor, DType, HashFunction, Lz4Compressor, XxHash3,
    ZstdCompressor, group_bytes,
};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const RUNS: usize = 9;

fn main() {
    let mut arguments = std::env::args();
    let mebibytes = arguments.find_map(|argument| argument.parse::<usize>().ok()).unwrap_or(32);
    println!("{mebibytes} MiB of each kind, median of {RUNS} runs, one thread");
    for kind in kinds(mebibytes << 20) {
        measure(&kind);
    }
}

struct Kind {
    name: &'static str,
    data: Vec<u8>,
    dtype: Option<DType>,
}

type Run<'a> = Box<dyn Fn() -> Vec<u8> + 'a>;

struct Figure {
    name: String,
    size: usize,
    seconds: f64,
}

fn measure(kind: &Kind) {
    let data = &kind.data;
    let mut choices: Vec<(String, Run)> = vec![("raw".to_owned(), Box::new(|| raw(data)))];
    let width = kind.dtype.map_or(1, |dtype| dtype.size_bytes());
    for (name, compressor) in compressors() {
        if width > 1 {
            let compressor = compressor.clone();
            let grouped = move || compress(&compressor, &group_bytes(data, width));
            choices.push((format!("{name}, grouped by {width}"), Box::new(grouped)));
        }
        choices.push((name.to_owned(), Box::new(move || compress(&compressor, data))));
    }
    let adaptive = AdaptiveCompressor::new();
    choices.push(("adaptive".to_owned(), Box::new(move || compress(&adaptive, data))));
    if let Some(dtype) = kind.dtype {
        let told = AdaptiveCompressor::new().with_dtype(dtype);
        choices
            .push(("adaptive, told the type".to_owned(), Box::new(move || compress(&told, data))));
    }
    let figures = time(&choices);
    let (singles, adaptives): (Vec<_>, Vec<_>) =
        figures.into_iter().partition(|figure| !figure.name.starts_with("adaptive"));
    let best = singles.iter().map(|figure| figure.size).min().expect("raw is a choice");
    let within = singles.iter().filter(|figure| figure.size as f64 <= best as f64 * 1.02);
    let quickest = within.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).expect("the best is");

    println!("\n{:<28}{:>12}{:>9}{:>10}", kind.name, "bytes", "ratio", "MB/s");
    let length = data.len() as f64;
    for figure in singles.iter().chain(&adaptives) {
        let mark = if figure.name == quickest.name { "  <- quickest within 2 %" } else { "" };
        let (ratio, speed) = (length / figure.size as f64, length / figure.seconds / 1e6);
        println!("  {:<26}{:>12}{ratio:>9.2}{speed:>10.0}{mark}", figure.name, figure.size);
    }
    for figure in &adaptives {
        let size = figure.size as f64 / best as f64;
        let seconds = figure.seconds / quickest.seconds;
        let kept = if size <= 1.02 && seconds <= 1.3 { "kept" } else { "NOT KEPT" };
        println!("  {}: {size:.3} of the best size, {seconds:.2} of the time: {kept}", figure.name);
    }
    let adaptive = AdaptiveCompressor::new();
    let frame = compress(&adaptive, data);
    assert!(
        adaptive.decompress(&frame).expect("our own frame") == *data,
        "the data is not its own"
    );
    let run: Run = Box::new(|| adaptive.decompress(&frame).expect("our own frame"));
    let back = time(&[("back".to_owned(), run)]);
    let speed = back.first().map_or(0.0, |figure| length / figure.seconds / 1e6);
    println!("  adaptive, back: {speed:.0} MB/s");
}

/// The compressors that the adaptive one chooses from, each with the checksum of its format.
fn compressors() -> [(&'static str, Arc<dyn Compressor>); 3] {
    let zstd = |level| Arc::new(ZstdCompressor::new(CompressionLevel::Custom(level)));
    let lz4 = Arc::new(Lz4Compressor::new(CompressionLevel::Default));
    [("lz4", lz4), ("zstd 1", zstd(1)), ("zstd 3", zstd(3))]
}

fn compress(compressor: &dyn Compressor, data: &[u8]) -> Vec<u8> {
    compressor.compress(data).expect("data is compressed")
}

/// A copy and a checksum: what every other choice does too.
fn raw(data: &[u8]) -> Vec<u8> {
    let mut copy = Vec::with_capacity(data.len() + 8);
    copy.extend_from_slice(data);
    copy.extend(XxHash3::new().hash_u64(data).to_le_bytes());
    copy
}

/// All runs in turn, several times over, so that no choice has a quieter machine than another.
fn time(choices: &[(String, Run)]) -> Vec<Figure> {
    let mut seconds = vec![Vec::new(); choices.len()];
    let mut sizes = vec![0; choices.len()];
    for _ in 0..RUNS {
        for (((_, run), seconds), size) in choices.iter().zip(&mut seconds).zip(&mut sizes) {
            let start = Instant::now();
            let output = black_box(run());
            seconds.push(start.elapsed().as_secs_f64());
            *size = output.len();
        }
    }
    let medians = seconds.into_iter().map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds.get(RUNS / 2).copied().unwrap_or(0.0)
    });
    let named = choices.iter().zip(sizes).zip(medians);
    named.map(|(((name, _), size), seconds)| Figure { name: name.clone(), size, seconds }).collect()
}

fn kinds(length: usize) -> Vec<Kind> {
    let text = text(length);
    let packed = packed(&text, length);
    let mut random = Random(1);
    let noise = (0..length / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut random = Random(2);
    let mut scaled = |count: usize| -> Vec<f32> {
        // Layers of a network: normal, with a scale of their own for each.
        (0..count).map(|i| random.normal() * (0.01 + 0.02 * (i >> 20) as f32)).collect()
    };
    let weights = scaled(length / 4);
    let short = scaled(length / 2);
    let smooth: Vec<f32> =
        (0..length / 4).map(|i| (i as f32 * 1e-3).sin() + (i as f32 * 7e-5).cos() * 4.0).collect();
    let wide = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
    // Truncation, as a cast to bfloat16 without rounding.
    let half = |values: &[f32]| {
        values.iter().flat_map(|value| ((value.to_bits() >> 16) as u16).to_le_bytes()).collect()
    };
    let smooth_half: Vec<f32> =
        (0..length / 2).map(|i| (i as f32 * 1e-3).sin() + (i as f32 * 7e-5).cos() * 4.0).collect();
    let kind = |name, data, dtype| Kind { name, data, dtype };
    vec![
        kind("JSON", json(&text), None),
        kind("fp32, weights", wide(&weights), Some(DType::Float32)),
        kind("fp32, smooth", wide(&smooth), Some(DType::Float32)),
        kind("bf16, weights", half(&short), Some(DType::BFloat16)),
        kind("bf16, smooth", half(&smooth_half), Some(DType::BFloat16)),
        kind("zeros", vec![0; length], None),
        kind("random", noise, None),
        kind("compressed (zstd)", packed, None),
        kind("text", text, None),
    ]
}

/// `SplitMix64`: the same data on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Normally distributed, by Box and Muller.
    fn normal(&mut self) -> f32 {
        let mut unit = || ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        let (one, two) = (unit(), unit());
        ((-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos()) as f32
    }
}

/// The sources of the crates that the build downloaded, file after file.
fn text(length: usize) -> Vec<u8> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let mut text = Vec::with_capacity(length);
    if let Some(home) = home {
        gather(&home.join("registry/src"), length, &mut text);
    }
    assert!(!text.is_empty(), "no sources of crates in CARGO_HOME; build something first");
    text.into_iter().cycle().take(length).collect()
}

fn gather(folder: &Path, length: usize, text: &mut Vec<u8>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if text.len() >= length {
            return;
        }
        if path.is_dir() {
            gather(&path, length, text);
        } else if path.extension().is_some_and(|end| end == "rs" || end == "md")
            && let Ok(bytes) = fs::read(&path)
        {
            text.extend(bytes);
        }
    }
}

/// What zstd makes of words of the text in ever new orders: a corpus that was compressed before.
fn packed(text: &[u8], length: usize) -> Vec<u8> {
    let words: Vec<&[u8]> = text.split(u8::is_ascii_whitespace).take(100_000).collect();
    let zstd = ZstdCompressor::new(CompressionLevel::Default);
    let mut random = Random(4);
    let mut packed = Vec::with_capacity(length);
    while packed.len() < length {
        let chosen = (0..1 << 18).map(|_| random.next() as usize % words.len());
        let chosen: Vec<&[u8]> = chosen.filter_map(|word| words.get(word).copied()).collect();
        packed.extend(compress(&zstd, &chosen.join(&b' ')));
    }
    packed.truncate(length);
    packed
}

/// Paragraphs of the text as JSON lines, as corpora have them.
fn json(text: &[u8]) -> Vec<u8> {
    let mut random = Random(3);
    let mut lines = Vec::with_capacity(text.len() * 2);
    for (id, paragraph) in String::from_utf8_lossy(text).split("\n\n").enumerate() {
        let (score, key) = (random.normal(), random.next());
        let line = format!(
            "{{\"id\":{id},\"key\":\"{key:016x}\",\"score\":{score:.6},\"text\":{paragraph:?}}}\n"
        );
        lines.extend(line.into_bytes());
        if lines.len() >= text.len() {
            break;
        }
    }
    lines.truncate(text.len());
    lines
}
