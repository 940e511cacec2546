//! Content-addressed stores whose processes are killed.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use bytes::Bytes;
use mithril_core::testing::crash_at;
use mithril_core::{
    Blake3Hash, CasError, CompressionLevel, ContentAddressable, ContentAddressedStore,
    HashFunction, LocalStorage, RepairOptions, StorageBackend, ZstdCompressor, runtime,
};
use mithril_tests::child::{again, shown, task};

const CONTENTS: u64 = 6;
const WORKERS: usize = 3;

type Cas = ContentAddressedStore<LocalStorage, Blake3Hash>;

fn open(root: &Path) -> Cas {
    ContentAddressedStore::new(LocalStorage::new(root).unwrap(), Blake3Hash::new())
        .with_compression(ZstdCompressor::new(CompressionLevel::Fastest))
}

/// One short, one that is compressed, and so on.
fn content(number: u64) -> Bytes {
    Bytes::from(format!("content {number} ").repeat(1 + 100 * (number as usize % 3)))
}

fn address(number: u64) -> String {
    Blake3Hash::new().hash_hex(&content(number))
}

/// After any crash: nothing is damaged, what has references is there, and a repair leaves nothing else.
async fn check(cas: &Cas, references: impl Fn(u64, u64)) {
    let report = cas.verify(1.0, 0).await.unwrap();
    assert_eq!(report.damaged, [], "after a crash");
    let mut live = 0;
    for number in 0..CONTENTS {
        let before = cas.references(&address(number)).await.unwrap();
        references(number, before);
        live += usize::from(before > 0);
    }
    let report = cas.repair(RepairOptions::default()).await.unwrap();
    assert_eq!((report.rebuilt.len(), report.damaged.len()), (0, 0), "{report:?}");
    assert_eq!(cas.storage().list("objects/").await.unwrap().len(), live, "left after a repair");
    for number in 0..CONTENTS {
        references(number, cas.references(&address(number)).await.unwrap());
    }
}

/// What the child of the next test does before it dies.
async fn act(cas: &Cas, verb: &str) -> Result<(), CasError> {
    match verb {
        "store" => cas.store(content(1)).await.map(drop),
        "stream" => {
            let data = content(1);
            let pieces = futures_util::stream::iter([Ok(data)]);
            cas.store_stream(Box::pin(pieces)).await.map(drop)
        }
        "delete" => cas.delete(&address(1)).await,
        _ => cas.repair(RepairOptions::default()).await.map(drop),
    }
}

/// Before and after every write, flush and rename, and every deletion.
#[test]
fn a_death_at_any_point_loses_no_reference() {
    const NAME: &str = "a_death_at_any_point_loses_no_reference";
    if let Some(task) = task() {
        let mut parts = task.splitn(3, ' ');
        let (verb, point, root) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let storage = LocalStorage::new(root).unwrap().with_durability(true);
        let cas = ContentAddressedStore::new(storage, Blake3Hash::new());
        crash_at(point.parse().unwrap());
        runtime().block_on(act(&cas, verb)).unwrap();
        crash_at(u32::MAX);
        return;
    }
    for (verb, before) in [
        ("store", 0),
        ("store", 1),
        ("stream", 0),
        ("stream", 1),
        ("delete", 1),
        ("delete", 2),
        ("repair", 1),
    ] {
        let mut point = 0;
        loop {
            point += 1;
            let folder = tempfile::tempdir().unwrap();
            let cas = open(folder.path());
            runtime().block_on(async {
                for _ in 0..before {
                    cas.store(content(1)).await.unwrap();
                }
                if verb == "repair" {
                    // Bytes that nobody refers to, for the repair to sweep.
                    let key = format!("objects/{}/{}.left", &address(2)[..2], address(2));
                    cas.storage().put(&key, content(2)).await.unwrap();
                }
            });
            let argument = format!("{verb} {point} {}", folder.path().display());
            let output = again(NAME, &argument).output().unwrap();
            let ended = output.status.success();
            assert!(ended || output.status.code().is_none(), "{}", shown(&output));
            let (fewest, most) = match verb {
                "store" | "stream" if ended => (before + 1, before + 1),
                "store" | "stream" => (before, before + 1),
                "delete" if ended => (before - 1, before - 1),
                "delete" => (before - 1, before),
                _ => (before, before),
            };
            runtime().block_on(check(&cas, |number, references| {
                let wanted = if number == 1 { fewest..=most } else { 0..=0 };
                assert!(wanted.contains(&references), "{verb}, point {point}: {references}");
            }));
            if ended {
                break;
            }
        }
        assert!(point > 4, "{verb} has {point} points");
    }
}

/// Stores and deletes for ever, deleting only what it holds, and keeps a journal beside.
fn work(root: &Path, journal: &Path, seed: u64) -> ! {
    let cas = open(root);
    let mut journal = OpenOptions::new().append(true).create(true).open(journal).unwrap();
    let mut held: HashMap<u64, u64> = HashMap::new();
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut note = move |line: String| journal.write_all(line.as_bytes()).unwrap();
    loop {
        let number = random() % CONTENTS;
        let holds = held.entry(number).or_default();
        runtime().block_on(async {
            if *holds > 0 {
                let found = cas.retrieve(&address(number)).await;
                assert!(
                    found.is_ok_and(|found| found == content(number)),
                    "a reference to nothing"
                );
            }
            if *holds == 0 || random() % 2 == 0 {
                note(format!("begin store {number}\n"));
                assert_eq!(cas.store(content(number)).await.unwrap(), address(number));
                *holds += 1;
                note(format!("end store {number}\n"));
            } else {
                note(format!("begin delete {number}\n"));
                *holds -= 1;
                cas.delete(&address(number)).await.unwrap();
                note(format!("end delete {number}\n"));
            }
        });
    }
}

/// The fewest and the most references to each content that the journals allow.
fn allowed(journals: &Path) -> HashMap<u64, (i64, i64)> {
    let mut bounds: HashMap<u64, (i64, i64)> = HashMap::new();
    for entry in fs::read_dir(journals).unwrap() {
        for line in fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
            let mut words = line.split(' ');
            let (when, verb) = (words.next().unwrap(), words.next().unwrap());
            let bounds = bounds.entry(words.next().unwrap().parse().unwrap()).or_default();
            match (when, verb) {
                ("begin", "store") => bounds.1 += 1,
                ("end", "store") => bounds.0 += 1,
                ("begin", "delete") => bounds.0 -= 1,
                _ => bounds.1 -= 1,
            }
        }
    }
    bounds
}

fn kill_loop(name: &str, kills: u64) {
    if let Some(task) = task() {
        let mut parts = task.splitn(3, ' ');
        let (seed, root, journal) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        work(Path::new(root), Path::new(journal), seed.parse().unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, journals) = (folder.path().join("store"), folder.path().join("journals"));
    fs::create_dir_all(&journals).unwrap();
    let begin = |number: u64| -> Child {
        let journal = journals.join(number.to_string());
        let argument = format!(
            "{} {} {}",
            number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            root.display(),
            journal.display()
        );
        let errors = File::create(folder.path().join(format!("errors-{number}"))).unwrap();
        again(name, &argument).stdout(std::process::Stdio::null()).stderr(errors).spawn().unwrap()
    };
    let mut workers: Vec<(u64, Child)> =
        (0..WORKERS as u64).map(|number| (number, begin(number))).collect();
    for kill in 0..kills {
        let moment = kill.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        std::thread::sleep(Duration::from_micros(8000 + moment % 20_000));
        let slot = kill as usize % WORKERS;
        let (number, worker) = &mut workers[slot];
        // A worker ends by itself only if something is wrong.
        if let Some(status) = worker.try_wait().unwrap() {
            let errors = fs::read_to_string(folder.path().join(format!("errors-{number}")));
            panic!("worker {number}: {status}: {}", errors.unwrap_or_default());
        }
        worker.kill().unwrap();
        worker.wait().unwrap();
        let next = kill + WORKERS as u64;
        workers[slot] = (next, begin(next));
    }
    for (_, mut worker) in workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    let bounds = allowed(&journals);
    let verbs: i64 = bounds.values().map(|bounds| bounds.1.abs()).sum();
    runtime().block_on(check(&open(&root), |number, references| {
        let (fewest, most) = bounds.get(&number).copied().unwrap_or_default();
        let references = references as i64;
        assert!(
            (fewest..=most).contains(&references),
            "content {number} has {references} references, not {fewest} to {most}"
        );
    }));
    let lines: usize = fs::read_dir(&journals)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap().lines().count())
        .sum();
    println!("{kills} kills, {} verbs, about {verbs} references left", lines / 2);
    assert!(lines as u64 > kills, "the workers have done next to nothing: {lines} lines");
}

#[test]
fn killed_processes_lose_no_reference() {
    kill_loop("killed_processes_lose_no_reference", 60);
}

#[test]
#[ignore = "half a minute: make soak"]
fn five_hundred_killed_processes_lose_no_reference() {
    kill_loop("five_hundred_killed_processes_lose_no_reference", 500);
}
