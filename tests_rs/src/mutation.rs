//! Valid inputs, damaged: what a parser meets that random bytes never reach.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// No mutated input is longer.
const MAX_BYTES: usize = 2 << 20;

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    Flip { at: Index, bits: u8 },
    Cut { from: Index, bytes: usize },
    Truncate { at: Index },
    Repeat { from: Index, bytes: usize, times: usize },
    Insert { at: Index, word: &'static str, times: usize },
    Number { at: Index, number: &'static str },
}

/// What some format gives a meaning to.
const WORDS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    "(",
    "\"",
    "'",
    "'''",
    ":",
    ": ",
    "://",
    ",",
    "=",
    "#",
    "%",
    "%00",
    "%fg",
    "&a ",
    "*a ",
    "<<: *a\n",
    "- ",
    "? ",
    "!!binary ",
    "!x ",
    "|\n",
    ">9-\n",
    "---\n",
    "[[a]]\n",
    "a.",
    "a = ",
    "{\"a\":",
    "{a: ",
    "\n",
    "\r",
    "\t",
    " ",
    "\0",
    "\u{7f}",
    "\u{feff}",
    "\u{2028}",
    "é",
    "\\",
    "\\u",
    "\\ud800",
    "/",
    "//",
    "./",
    "../",
    ".mithril",
    "@",
    "?",
    "~",
    "null",
    "true",
    "inf",
    "1979-05-27",
];

const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "-0.0",
    "1e999",
    "1e-999",
    "255",
    "65536",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "99999999999999999999999999999999999999999999999999",
    "0x7fffffff",
    "1_0",
    "nan",
    "{}",
    "[]",
    "\"1\"",
];

/// One of `seeds` with a few changes, or none.
pub fn mutated(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (select(seeds), prop::collection::vec(change(), 0..6)).prop_map(|(seed, changes)| {
        let mut input = seed;
        for change in &changes {
            change.apply(&mut input);
        }
        input.truncate(MAX_BYTES);
        input
    })
}

/// [`mutated`], as text.
pub fn mutated_text(seeds: &[&str]) -> impl Strategy<Value = String> + use<> {
    let seeds = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    mutated(seeds).prop_map(|input| String::from_utf8_lossy(&input).into_owned())
}

fn change() -> impl Strategy<Value = Change> {
    // Mostly a few, at times very many: nesting, and inputs past every limit.
    let times = || prop_oneof![8 => 1..4_usize, 2 => 4..300_usize, 1 => 300..200_000_usize];
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bits)| Change::Flip { at, bits }),
        (at(), 1..40_usize).prop_map(|(from, bytes)| Change::Cut { from, bytes }),
        at().prop_map(|at| Change::Truncate { at }),
        (at(), 1..40_usize, times()).prop_map(|(from, bytes, times)| Change::Repeat {
            from,
            bytes,
            times
        }),
        (at(), select(WORDS), times()).prop_map(|(at, word, times)| Change::Insert {
            at,
            word,
            times
        }),
        (at(), select(NUMBERS)).prop_map(|(at, number)| Change::Number { at, number }),
    ]
}

impl Change {
    fn apply(&self, input: &mut Vec<u8>) {
        let place = |at: &Index| at.index(input.len() + 1);
        match self {
            Self::Flip { at, bits } => {
                let place = place(at);
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= bits;
                }
            }
            Self::Cut { from, bytes } => {
                let from = place(from);
                input.drain(from..(from + bytes).min(input.len()));
            }
            Self::Truncate { at } => input.truncate(place(at)),
            Self::Repeat { from, bytes, times } => {
                let from = place(from);
                let end = (from + bytes).min(input.len());
                let piece = input[from..end].to_vec();
                insert(input, end, &piece, *times);
            }
            Self::Insert { at, word, times } => {
                let place = place(at);
                insert(input, place, word.as_bytes(), *times);
            }
            Self::Number { at, number } => {
                // In place of the next number, if one follows.
                let digits = |byte: &u8| byte.is_ascii_digit();
                let place = place(at);
                let from =
                    input[place..].iter().position(digits).map_or(place, |from| place + from);
                let length = input[from..].iter().take_while(|byte| digits(byte)).count();
                input.splice(from..from + length, number.bytes());
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8], times: usize) {
    let room = MAX_BYTES.saturating_sub(input.len());
    let pieces = piece.repeat(times.min(room / piece.len().max(1)));
    input.splice(at..at, pieces);
}
