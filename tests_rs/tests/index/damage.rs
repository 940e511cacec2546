//! Objects that are damaged, forged, or exactly what they should be.

use bytes::Bytes;
use mithril_core::{
    HashFunction, LocalStorage, MemoryStorage, StorageBackend, StorageError, XxHash3,
};
use mithril_dedup::{Control, DedupError, IndexOptions, MinHashIndex, Threads};

use crate::{add, block, documents, keys, open, options, random, save, texts};

/// An object as it should not be.
fn faults(data: &Bytes) -> Vec<(String, Vec<u8>)> {
    let number = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap()) as usize;
    let count = u32::from_le_bytes(data[16..20].try_into().unwrap()) as usize;
    let entries = (0..count).map(|section| 64 + 32 * section);
    let sections: Vec<(usize, usize)> =
        entries.map(|at| (number(at + 8), number(at + 8) + number(at + 16))).collect();
    let mut faults = Vec::new();
    let mut ends = vec![0, 1, 7, 8, 63, 64, 64 + 32 * count];
    ends.extend(sections.iter().flat_map(|&(start, end)| [start, end, end.saturating_sub(1)]));
    for end in ends.into_iter().filter(|&end| end < data.len()) {
        faults.push((format!("cut at {end}"), data[..end].to_vec()));
    }
    let mut places: Vec<usize> = (0..64 + 32 * count).collect();
    for (start, end) in sections {
        places.extend([start, usize::midpoint(start, end), end.max(1) - 1]);
    }
    for place in places {
        for bit in [0, 7] {
            let mut flipped = data.to_vec();
            flipped[place] ^= 1 << bit;
            faults.push((format!("bit {bit} of byte {place}"), flipped));
        }
    }
    let mut longer = data.to_vec();
    longer.push(0);
    faults.push(("a byte more".to_owned(), longer));
    faults.push(("something else".to_owned(), b"PAR1".repeat(100)));
    let mut newer = data.to_vec();
    newer[8] = 2;
    faults.push(("a newer version".to_owned(), newer));
    faults
}

#[test]
fn damaged_objects_are_errors_that_name_them() {
    let (local, memory) = (LocalStorage::temp().unwrap(), MemoryStorage::new());
    for store in [&local as &dyn StorageBackend, &memory] {
        let mut index = MinHashIndex::try_new(options()).unwrap();
        add(&mut index, &texts(40, 11), None);
        save(&mut index, store).unwrap();
        index.remove(&[4]).unwrap();
        save(&mut index, store).unwrap();
        for key in keys(store) {
            let whole = block(store.get(&key)).unwrap();
            for (fault, data) in faults(&whole) {
                block(store.put(&key, Bytes::from(data))).unwrap();
                match open(store) {
                    Err(DedupError::IndexDamaged { object, problem }) => {
                        assert_eq!(object, key, "{fault}: {problem}");
                        let says = |what: &str| problem.contains(what);
                        assert!(!fault.starts_with("cut") || says("cut"), "{fault}: {problem}");
                        assert!(fault != "a newer version" || says("version 2"), "{problem}");
                    }
                    other => panic!("{key}, {fault}: {other:?}"),
                }
            }
            block(store.delete(&key)).unwrap();
            match open(store) {
                Err(DedupError::Storage(StorageError::NotFound(_)))
                    if key.ends_with("manifest") => {}
                Err(DedupError::IndexDamaged { problem, .. }) => {
                    assert!(problem.contains("not there"), "{problem}");
                }
                other => panic!("{key}, deleted: {other:?}"),
            }
            block(store.put(&key, whole)).unwrap();
        }
        assert_eq!(open(store).unwrap().ids(), index.ids());
    }
}

/// A segment of one index in the place of another's, with the right checksums.
#[test]
fn the_segment_of_another_index_is_noticed() {
    let store = MemoryStorage::new();
    for (name, seed) in [("some/index", 12), ("other", 13)] {
        let mut index = MinHashIndex::try_new(options()).unwrap();
        add(&mut index, &texts(40, seed), None);
        block(index.save(&store, name)).unwrap();
    }
    let segment = |prefix: &str| block(store.list(&format!("{prefix}/segment"))).unwrap().remove(0);
    let other = block(store.get(&segment("other"))).unwrap();
    block(store.put(&segment("some/index"), other)).unwrap();
    let error = open(&store).unwrap_err().to_string();
    assert!(
        error.contains("another segment") || error.contains("cut") || error.contains("follow"),
        "{error}"
    );
}

/// Gives an object the checksums that it should have.
fn seal(data: &mut [u8]) {
    let hash = |data: &[u8]| XxHash3::new().hash_u64(data).to_le_bytes();
    let number =
        |data: &[u8], at: usize| u64::from_le_bytes(data[at..at + 8].try_into().unwrap()) as usize;
    for at in [64, 96, 128, 160] {
        let (start, length) = (number(data, at + 8), number(data, at + 16));
        let checksum = hash(&data[start..start + length]);
        data[at + 24..at + 32].copy_from_slice(&checksum);
    }
    data[32..40].fill(0);
    let checksum = hash(&data[..192]);
    data[32..40].copy_from_slice(&checksum);
}

/// Whoever makes objects with the right checksums gets wrong answers, and nothing worse.
#[test]
fn forged_objects_give_wrong_answers_at_worst() {
    let all = texts(60, 16);
    let mut index = MinHashIndex::try_new(options()).unwrap();
    for part in all.chunks(20) {
        add(&mut index, part, None);
        index.compact(Control::default()).unwrap();
        let (manifest, segments) = index.to_objects().unwrap();
        index = MinHashIndex::from_objects(&manifest, segments).unwrap();
    }
    let mut other = MinHashIndex::try_new(options()).unwrap();
    add(&mut other, &all[..5], Some(&[1000, 1001, 1002, 1003, 1004]));
    index.remove(&[3]).unwrap();
    let (manifest, segments) = index.to_objects().unwrap();
    let asked = documents(&all);
    let (mut state, mut opened) = (1, 0);
    let mut forge = |round: usize| {
        let (mut manifest, mut segment) = (manifest.to_vec(), segments[0].to_vec());
        let target = if round.is_multiple_of(4) { &mut manifest } else { &mut segment };
        for _ in 0..=random(&mut state) % 4 {
            // Not the header, whose every field is looked at.
            let at = 192 + random(&mut state) as usize % (target.len() - 192);
            target[at] = [0, 255, random(&mut state) as u8][random(&mut state) as usize % 3];
        }
        seal(&mut segment);
        let table = u64::from_le_bytes(manifest[136..144].try_into().unwrap()) as usize;
        let checksum: [u8; 8] = segment[32..40].try_into().unwrap();
        manifest[table + 40..table + 48].copy_from_slice(&checksum);
        seal(&mut manifest);
        let forged = MinHashIndex::from_objects(&manifest, vec![segment.into()]);
        let Ok(mut forged) = forged else { return };
        opened += 1;
        forged.query_batch(&asked, Some(0.0), Control::default()).unwrap();
        forged.stats().unwrap();
        let ids = forged.ids();
        let _ = forged.remove(&ids[..5]);
        let _ = forged.merge(&other);
        forged.compact(Control::default()).unwrap();
        forged.query_batch(&asked, Some(0.0), Control::default()).unwrap();
        let _ = forged.add(&asked, None, Control::default());
    };
    Threads::try_new(Some(2)).unwrap().install(|| (0..3000).for_each(&mut forge));
    assert!(opened > 1000, "{opened}");
}

/// The bytes of a small segment, so that a change of the format is noticed: see `docs/minhash-index.md`.
#[test]
fn the_format_is_the_one_written_down() {
    let options = IndexOptions { permutations: 6, threshold: 0.9, recall: 0.5, ..options() };
    let mut index = MinHashIndex::try_new(options).unwrap();
    let rows = vec![Some("one text of some words".to_owned()), None, Some("another".to_owned())];
    add(&mut index, &rows, Some(&[300, 7, 5]));
    let (_, segments) = index.to_objects().unwrap();
    let digest = XxHash3::new().hash_u64(&segments[0]);
    assert_eq!((segments[0].len(), digest), KNOWN, "{:?}", &segments[0][..]);
}

const KNOWN: (usize, u64) = (408, 13_451_029_858_831_830_249);
