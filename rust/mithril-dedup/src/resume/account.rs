//! What a run is: only the same one can go on from it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_128;

/// The version, the options and the inputs of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    version: String,
    options: Map<String, Value>,
    inputs: Vec<Input>,
    against: Vec<Input>,
}

/// A file, and what tells whether it has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// When it was written, or the entity tag of an object.
    pub(crate) state: String,
}

/// Options that never change what comes out.
const WITHOUT_EFFECT: [&str; 5] = ["memory", "overwrite", "resume", "temp_dir", "threads"];

impl Account {
    /// The account of a run with such options.
    ///
    /// An error if they cannot be written down: then nothing would tell whether they have changed.
    pub(crate) fn of(
        options: &impl Serialize,
        inputs: Vec<Input>,
        against: Vec<Input>,
    ) -> Result<Self, serde_json::Error> {
        let text = serde_json::to_vec(options)?;
        let mut options: Map<String, Value> = serde_json::from_slice(&text)?;
        options.retain(|name, _| !WITHOUT_EFFECT.contains(&name.as_str()));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(Self { version, options, inputs, against })
    }

    /// An account as it was written, or the version that wrote one that cannot be read any more; nothing if it is none.
    pub(crate) fn parse(text: &[u8]) -> Option<Result<Self, String>> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let version = value.get("version")?.as_str()?.to_owned();
        Some(serde_json::from_value(value).map_err(|_| version))
    }

    /// What it comes to.
    pub(crate) fn fingerprint(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("{:032x}", xxh3_128(&text))
    }

    /// What is other than it was before, if anything is.
    pub(crate) fn difference(&self, before: &Self) -> Option<String> {
        if self.version != before.version {
            return Some(format!("it was begun by version {}", before.version));
        }
        let names = self.options.keys().chain(before.options.keys());
        for name in names {
            let value = |account: &Self| account.options.get(name).cloned().unwrap_or_default();
            let (now, then) = (value(self), value(before));
            if now != then {
                return Some(format!("{name} is {now} and was {then}"));
            }
        }
        difference("", &self.inputs, &before.inputs)
            .or_else(|| difference("of against, ", &self.against, &before.against))
    }
}

fn difference(which: &str, now: &[Input], before: &[Input]) -> Option<String> {
    // Names that are not Unicode may look the same here.
    if now == before {
        return None;
    }
    let by_name = |inputs: &'_ [Input]| -> HashMap<String, Input> {
        inputs.iter().map(|input| (input.name.clone(), input.clone())).collect()
    };
    let then = by_name(before);
    for input in now {
        match then.get(&input.name) {
            None => return Some(format!("{which}{} is new", input.name)),
            Some(then) if then != input => {
                return Some(format!("{which}{} has changed", input.name));
            }
            Some(_) => {}
        }
    }
    let now_there = by_name(now);
    if let Some(input) = before.iter().find(|input| !now_there.contains_key(&input.name)) {
        return Some(format!("{which}{} is gone", input.name));
    }
    Some(format!("{which}the inputs come in another order"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(threshold: f64, inputs: &[(&str, u64)]) -> Result<Account, serde_json::Error> {
        let options = serde_json::json!({"threshold": threshold, "memory": threshold as u64});
        let input = |&(name, size): &(&str, u64)| Input {
            name: name.to_owned(),
            size,
            state: String::new(),
        };
        Account::of(&options, inputs.iter().map(input).collect(), Vec::new())
    }

    #[test]
    fn differences_are_named() -> Result<(), serde_json::Error> {
        let before = account(0.8, &[("a", 1), ("b", 2)])?;
        assert_eq!(before.difference(&before), None);
        let threshold = account(0.9, &[("a", 1), ("b", 2)])?;
        assert_eq!(threshold.difference(&before).as_deref(), Some("threshold is 0.9 and was 0.8"));
        for (inputs, wanted) in [
            (&[("a", 1), ("b", 3)][..], "b has changed"),
            (&[("a", 1)][..], "b is gone"),
            (&[("a", 1), ("b", 2), ("c", 3)][..], "c is new"),
            (&[("b", 2), ("a", 1)][..], "the inputs come in another order"),
        ] {
            assert_eq!(account(0.8, inputs)?.difference(&before).as_deref(), Some(wanted));
        }
        assert!(Account::of(&"no options", Vec::new(), Vec::new()).is_err());
        Ok(())
    }
}
