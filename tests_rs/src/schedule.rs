//! Every order in which the requests of concurrent clients can reach a store.
//!
//! A client is a future. [`Stepped`] lets it go from one request to the next each time it is polled, so
//! an order of polls is an order of requests, and all of them can be tried, one after the other. A
//! client may also die between any two of its requests.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use mithril_core::{MemoryStorage, ObjectMeta, PutCondition, StorageBackend, StorageError};

/// A store in memory whose every request takes one poll of its client.
#[derive(Clone, Default)]
pub struct Stepped {
    /// What the requests work on, in no time.
    pub inner: MemoryStorage,
}

/// Pending once.
#[derive(Default)]
struct Step {
    taken: bool,
}

impl Future for Step {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.taken, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[async_trait]
impl StorageBackend for Stepped {
    async fn get(&self, key: &str) -> Result<Bytes, StorageError> {
        Step::default().await;
        self.inner.get(key).await
    }

    async fn get_opt(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        Step::default().await;
        self.inner.get_opt(key).await
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<(), StorageError> {
        Step::default().await;
        self.inner.put(key, data).await
    }

    async fn delete(&self, key: &str) -> Result<(), StorageError> {
        Step::default().await;
        self.inner.delete(key).await
    }

    async fn exists(&self, key: &str) -> Result<bool, StorageError> {
        Step::default().await;
        self.inner.exists(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        Step::default().await;
        self.inner.list(prefix).await
    }

    async fn head(&self, key: &str) -> Result<ObjectMeta, StorageError> {
        Step::default().await;
        self.inner.head(key).await
    }

    async fn get_with_meta(&self, key: &str) -> Result<(Bytes, ObjectMeta), StorageError> {
        Step::default().await;
        self.inner.get_with_meta(key).await
    }

    async fn get_stream(
        &self,
        key: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, StorageError>>, StorageError> {
        let data = self.get(key).await?;
        Ok(stream::iter([Ok(data)]).boxed())
    }

    async fn put_if(
        &self,
        key: &str,
        data: Bytes,
        condition: PutCondition,
    ) -> Result<Option<String>, StorageError> {
        Step::default().await;
        self.inner.put_if(key, data, condition).await
    }

    fn list_stream<'a>(
        &'a self,
        prefix: &'a str,
    ) -> BoxStream<'a, Result<ObjectMeta, StorageError>> {
        let page = async move {
            Step::default().await;
            self.inner.list_stream(prefix).collect::<Vec<_>>().await
        };
        stream::once(page).flat_map(stream::iter).boxed()
    }
}

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The client with this number goes on to its next request, or to its end.
    Step(usize),
    /// The client with this number dies.
    Crash(usize),
}

/// Clients and what they work on, from the beginning.
pub trait Scenario {
    /// The futures of the clients, which have not been polled.
    fn clients(&mut self) -> Vec<Pin<Box<dyn Future<Output = ()>>>>;

    /// Called after every event.
    fn check(&mut self, event: Event);

    /// Called when every client has come to its end or died.
    fn check_end(&mut self, crashed: &[usize]);
}

/// Which of the possible events is taken.
enum Choices {
    /// Depth first: the choices so far, and how many there were to choose from.
    All(Vec<(usize, usize)>),
    Random(u64),
}

impl Choices {
    fn choose(&mut self, depth: usize, options: usize) -> usize {
        match self {
            Self::All(path) => {
                if path.len() == depth {
                    path.push((0, options));
                }
                path[depth].0
            }
            Self::Random(state) => {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                (*state % options as u64) as usize
            }
        }
    }

    /// To the next schedule; false if there is none.
    fn advance(&mut self) -> bool {
        let Self::All(path) = self else { return true };
        while let Some((chosen, options)) = path.pop() {
            if chosen + 1 < options {
                path.push((chosen + 1, options));
                return true;
            }
        }
        false
    }
}

/// How many schedules there were, and whether these were all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explored {
    /// The schedules that were run.
    pub schedules: u64,
    /// Whether there are no others.
    pub exhausted: bool,
}

/// Runs every schedule of a scenario in which at most `crashes` clients die. If there are more than
/// `limit`, half of them are the first ones and half are drawn at random.
pub fn explore<S: Scenario>(make: impl Fn() -> S, crashes: usize, limit: u64) -> Explored {
    let mut choices = Choices::All(Vec::new());
    for schedules in 1..=limit {
        if schedules == limit / 2 {
            choices = Choices::Random(0x9E37_79B9_7F4A_7C15);
        }
        run(make(), crashes, &mut choices);
        if !choices.advance() {
            return Explored { schedules, exhausted: true };
        }
    }
    Explored { schedules: limit, exhausted: false }
}

fn run<S: Scenario>(mut scenario: S, deaths: usize, choices: &mut Choices) {
    let mut clients: Vec<_> = scenario.clients().into_iter().map(Some).collect();
    let mut crashed = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    for depth in 0.. {
        let alive = (0..clients.len()).filter(|&client| clients[client].is_some());
        let steps: Vec<_> = alive.clone().map(Event::Step).collect();
        if steps.is_empty() {
            break;
        }
        let mortal = alive.filter(|_| crashed.len() < deaths).map(Event::Crash);
        let events: Vec<_> = steps.iter().copied().chain(mortal).collect();
        let event = events[choices.choose(depth, events.len())];
        match event {
            Event::Crash(client) => {
                clients[client] = None;
                crashed.push(client);
            }
            Event::Step(client) => {
                let future = clients[client].as_mut();
                if future.is_some_and(|future| future.as_mut().poll(&mut context).is_ready()) {
                    clients[client] = None;
                }
            }
        }
        scenario.check(event);
    }
    scenario.check_end(&crashed);
}
