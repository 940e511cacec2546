//! Why two texts are similar, for people.

use crate::error::Result;
use crate::options::Shingling;
use crate::shingle::Shingler;
use serde::Serialize;
use std::collections::HashSet;

/// What two texts have in common, and what not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The Jaccard similarity of their shingle sets; 0 where neither has a shingle.
    pub jaccard: f64,
    /// The shingles of both, as text, in the order of the first.
    pub common: Vec<String>,
    /// Those of the first alone, in its order.
    pub only_first: Vec<String>,
    /// Those of the second alone, in its order.
    pub only_second: Vec<String>,
}

impl Explanation {
    /// Compares two texts, shingle by shingle.
    ///
    /// # Errors
    ///
    /// As [`Shingling::check`].
    ///
    /// ```
    /// use mithril_dedup::{Explanation, Shingling};
    /// let shingling = Shingling { ngram: 2, ..Shingling::default() };
    /// let explanation = Explanation::new("To be, or not", "to be or what", shingling)?;
    /// assert_eq!(explanation.common, ["to be", "be or"]);
    /// assert_eq!(explanation.only_first, ["or not"]);
    /// assert_eq!(explanation.only_second, ["or what"]);
    /// assert_eq!(explanation.jaccard, 0.5);
    /// # Ok::<(), mithril_dedup::DedupError>(())
    /// ```
    pub fn new(first: &str, second: &str, shingling: Shingling) -> Result<Self> {
        shingling.check()?;
        let (first, second) = (shingles(first, shingling), shingles(second, shingling));
        let of_first: HashSet<&str> = first.iter().map(String::as_str).collect();
        let of_second: HashSet<&str> = second.iter().map(String::as_str).collect();
        let of = |shingles: &[String], wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
            shingles.iter().filter(|shingle| wanted(shingle)).cloned().collect()
        };
        let common = of(&first, &|shingle| of_second.contains(shingle));
        let only_first = of(&first, &|shingle| !of_second.contains(shingle));
        let only_second = of(&second, &|shingle| !of_first.contains(shingle));
        let union = common.len() + only_first.len() + only_second.len();
        let jaccard = if union == 0 { 0.0 } else { common.len() as f64 / union as f64 };
        Ok(Self { jaccard, common, only_first, only_second })
    }
}

/// The distinct shingles of a text in its order.
fn shingles(text: &str, shingling: Shingling) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut shingles = Vec::new();
    Shingler::new(shingling).hashes_with(text, |bytes| {
        let shingle = String::from_utf8_lossy(bytes).into_owned();
        if seen.insert(shingle.clone()) {
            shingles.push(shingle);
        }
        0
    });
    shingles
}
