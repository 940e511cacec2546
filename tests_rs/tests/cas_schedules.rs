//! The protocol of references, under every order of requests: the code itself, not a model of it.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use mithril_core::{
    Blake3Hash, CasError, ContentAddressable, ContentAddressedStore, HashFunction, MemoryStorage,
    RepairOptions, RepairReport, StorageBackend, XxHash3,
};
use mithril_tests::schedule::{Event, Explored, Scenario, Stepped, explore};

const CONTENT: &[u8] = b"content";

/// What a client does, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Store,
    StoreStream,
    Delete,
    Retrieve,
    Repair,
}
use Verb::{Delete, Repair, Retrieve, Store, StoreStream};

/// What is known of a verb that has been begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Its client died, or has not come so far.
    Unknown,
    Done,
    NotFound,
}

type Account = Rc<RefCell<Vec<(usize, Verb, Outcome)>>>;

struct Clients<H> {
    storage: Stepped,
    hash: fn() -> H,
    scripts: &'static [&'static [Verb]],
    /// The fewest and the most references that there may be before the clients begin.
    before: (i64, i64),
    account: Account,
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory does not wait")
}

impl<H: HashFunction + 'static> Clients<H> {
    /// `before` happens alone, and may end in the middle: with a client that dies after some steps.
    fn new(
        hash: fn() -> H,
        before: &[Verb],
        dead: Option<(Verb, usize)>,
        scripts: &'static [&'static [Verb]],
    ) -> Self {
        let storage = Stepped::default();
        let plain = ContentAddressedStore::new(storage.inner.clone(), hash());
        let mut references = 0;
        for verb in before {
            references += match now(act(&plain, *verb)) {
                (Store | StoreStream, Outcome::Done) => 1,
                (Delete, Outcome::Done) => -1,
                _ => 0,
            };
        }
        if let Some((verb, steps)) = dead {
            let stepped = ContentAddressedStore::new(storage.clone(), hash());
            let mut client = Box::pin(act(&stepped, verb));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            for _ in 0..steps {
                assert!(client.as_mut().poll(&mut context).is_pending(), "it has ended, not died");
            }
        }
        let before = match dead {
            None => (references, references),
            Some((Delete, _)) => (references - 1, references),
            Some(_) => (references, references + 1),
        };
        Self { storage, hash, scripts, before, account: Account::default() }
    }

    fn plain(&self) -> ContentAddressedStore<MemoryStorage, H> {
        ContentAddressedStore::new(self.storage.inner.clone(), (self.hash)())
    }

    fn address(&self) -> String {
        (self.hash)().hash_hex(CONTENT)
    }
}

async fn act<S, H>(cas: &ContentAddressedStore<S, H>, verb: Verb) -> (Verb, Outcome)
where
    S: StorageBackend,
    H: HashFunction + 'static,
{
    let data = Bytes::from_static(CONTENT);
    let address = cas_address(cas);
    let outcome = match verb {
        Store => cas.store(data).await.map(drop),
        StoreStream => cas.store_stream(stream::iter([Ok(data)]).boxed()).await.map(drop),
        Delete => cas.delete(&address).await,
        Retrieve => cas.retrieve(&address).await.map(|found| assert_eq!(found, CONTENT)),
        Repair => cas.repair(RepairOptions::default()).await.map(|report| {
            assert_eq!((report.rebuilt.len(), report.damaged.len()), (0, 0), "{report:?}");
        }),
    };
    match outcome {
        Ok(()) => (verb, Outcome::Done),
        Err(CasError::NotFound(_)) if matches!(verb, Delete | Retrieve) => {
            (verb, Outcome::NotFound)
        }
        Err(error) => panic!("{verb:?}: {error}"),
    }
}

/// The address of the one content by the hash of this store.
fn cas_address<S: StorageBackend, H: HashFunction + 'static>(
    cas: &ContentAddressedStore<S, H>,
) -> String {
    cas.hash_function().hash_hex(CONTENT)
}

impl<H: HashFunction + 'static> Scenario for Clients<H> {
    fn clients(&mut self) -> Vec<Pin<Box<dyn Future<Output = ()>>>> {
        let client = |(number, script): (usize, &&'static [Verb])| {
            let cas = Arc::new(ContentAddressedStore::new(self.storage.clone(), (self.hash)()));
            let account = Rc::clone(&self.account);
            let script = *script;
            let work = async move {
                for &verb in script {
                    let entry = account.borrow().len();
                    account.borrow_mut().push((number, verb, Outcome::Unknown));
                    let (_, outcome) = act(&*cas, verb).await;
                    account.borrow_mut()[entry].2 = outcome;
                }
            };
            Box::pin(work) as Pin<Box<dyn Future<Output = ()>>>
        };
        self.scripts.iter().enumerate().map(client).collect()
    }

    /// Whoever asks at any moment gets the content or that there is none.
    fn check(&mut self, event: Event) {
        match now(self.plain().retrieve(&self.address())) {
            Ok(found) => assert_eq!(found, CONTENT),
            Err(CasError::NotFound(_)) => {}
            Err(error) => panic!("after {event:?}: {error}; so far {:?}", self.account.borrow()),
        }
    }

    fn check_end(&mut self, crashed: &[usize]) {
        let (mut fewest, mut most) = self.before;
        for (_, verb, outcome) in self.account.borrow().iter() {
            match (verb, outcome) {
                (Store | StoreStream, Outcome::Done) => (fewest, most) = (fewest + 1, most + 1),
                (Store | StoreStream, Outcome::Unknown) => most += 1,
                (Delete, Outcome::Done) => (fewest, most) = (fewest - 1, most - 1),
                (Delete, Outcome::Unknown) => fewest -= 1,
                _ => {}
            }
        }
        let (cas, address) = (self.plain(), self.address());
        let references = now(cas.references(&address)).unwrap();
        let account = self.account.borrow();
        assert!(
            (fewest.max(0)..=most).contains(&(references as i64)),
            "{references} references, not {fewest} to {most}, after {account:?}"
        );
        let objects = || now(self.storage.inner.list("objects/")).unwrap().len();
        let repaired = account.iter().any(|(_, verb, _)| *verb == Repair);
        if crashed.is_empty() && !repaired {
            assert_eq!(objects(), usize::from(references > 0), "bytes are left after {account:?}");
        }
        let report: RepairReport = now(cas.repair(RepairOptions::default())).unwrap();
        assert_eq!((report.rebuilt.len(), report.damaged.len()), (0, 0), "{report:?}");
        assert_eq!(objects(), usize::from(references > 0), "a repair leaves bytes of {account:?}");
        assert_eq!(now(cas.references(&address)).unwrap(), references, "a repair takes references");
    }
}

struct Case {
    before: &'static [Verb],
    dead: Option<(Verb, usize)>,
    clients: &'static [&'static [Verb]],
}

const CASES: &[Case] = &[
    Case { before: &[], dead: None, clients: &[&[Store], &[Store], &[Delete]] },
    Case { before: &[Store], dead: None, clients: &[&[Store], &[Delete], &[Delete]] },
    Case { before: &[Store], dead: None, clients: &[&[Delete], &[Store], &[Retrieve]] },
    Case { before: &[Store], dead: None, clients: &[&[Store, Delete], &[Delete, Store]] },
    Case { before: &[Store, Store], dead: None, clients: &[&[Delete], &[Delete], &[Store]] },
    Case { before: &[Store, Delete], dead: None, clients: &[&[Store], &[Store], &[Repair]] },
    Case { before: &[Store], dead: None, clients: &[&[Delete], &[Store], &[Repair]] },
    Case { before: &[], dead: Some((Store, 3)), clients: &[&[Store], &[Repair]] },
    Case { before: &[], dead: Some((Store, 2)), clients: &[&[Store, Delete], &[Repair]] },
    Case { before: &[], dead: Some((Store, 3)), clients: &[&[Repair], &[Repair], &[Store]] },
    Case { before: &[Store], dead: Some((Delete, 3)), clients: &[&[Store], &[Repair]] },
    Case { before: &[Store], dead: None, clients: &[&[Delete], &[StoreStream]] },
    Case { before: &[], dead: None, clients: &[&[StoreStream], &[Store, Delete]] },
    Case { before: &[], dead: None, clients: &[&[StoreStream], &[StoreStream]] },
];

fn run_all<H: HashFunction + 'static>(hash: fn() -> H, limit: u64) -> u64 {
    let mut schedules = 0;
    for case in CASES {
        for crashes in 0..=1 {
            let make = || Clients::new(hash, case.before, case.dead, case.clients);
            let explored: Explored = explore(make, crashes, limit);
            println!(
                "{} schedules{} of {:?} after {:?}, dead {:?}, crashes up to {crashes}",
                explored.schedules,
                if explored.exhausted { " (all)" } else { "" },
                case.clients,
                case.before,
                case.dead,
            );
            schedules += explored.schedules;
        }
    }
    schedules
}

#[test]
fn no_order_of_requests_and_no_death_between_them_loses_a_reference() {
    let cryptographic = run_all(Blake3Hash::new, 4500);
    let other = run_all(XxHash3::new, 500);
    println!("{cryptographic} + {other} schedules");
    assert!(cryptographic >= 100_000);
}

#[test]
#[ignore = "minutes: make soak"]
fn no_order_of_requests_loses_a_reference_in_all_of_them() {
    let cryptographic = run_all(Blake3Hash::new, 200_000);
    let other = run_all(XxHash3::new, 50_000);
    println!("{cryptographic} + {other} schedules");
    assert!(cryptographic >= 100_000);
}
