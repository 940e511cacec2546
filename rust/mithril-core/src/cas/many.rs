//! Many contents at once, on several tasks: what is small is hashed and packed where it is polled.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::task::JoinHandle;

use super::store::Source;
use super::{CasError, ContentAddressable, ContentAddressedStore};
use crate::hashing::HashFunction;
use crate::runtime::{runtime, spawn};
use crate::storage::{StorageBackend, StorageError};

/// What is worth a task of its own, which costs as much as hashing a few kilobytes.
const LEAST_SHARE: usize = 32;

/// Contents of one address, each with its place in the batch.
type Equal = (String, Vec<(usize, Bytes)>);

impl<S: StorageBackend + 'static, H: HashFunction + 'static> ContentAddressedStore<S, H> {
    /// Adds a reference to each content, as [`store`](ContentAddressable::store) does, at most
    /// `concurrency` (at least one) at a time: the addresses in the order of `contents`. One that fails
    /// does not stop the others.
    ///
    /// Equal contents of a batch are stored one after the other, since they change one record.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use mithril_core::{Blake3Hash, ContentAddressedStore, MemoryStorage};
    /// use std::sync::Arc;
    ///
    /// # mithril_core::runtime().block_on(async {
    /// let cas = Arc::new(ContentAddressedStore::new(MemoryStorage::new(), Blake3Hash::new()));
    /// let contents = ["one", "two", "one"].map(Bytes::from);
    /// let addresses = cas.store_many(contents.to_vec(), 8).await;
    /// let addresses = addresses.into_iter().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(addresses[0], addresses[2]);
    /// assert_eq!(cas.references(&addresses[0]).await?, 2);
    ///
    /// let contents = cas.retrieve_many(addresses, 8).await;
    /// assert_eq!(contents.into_iter().collect::<Result<Vec<_>, _>>()?, ["one", "two", "one"]);
    /// # Ok::<(), mithril_core::CasError>(())
    /// # }).unwrap();
    /// ```
    pub async fn store_many(
        self: &Arc<Self>,
        contents: Vec<Bytes>,
        concurrency: usize,
    ) -> Vec<Result<String, CasError>> {
        let hash = |cas: Arc<Self>, data: Bytes| async move { cas.codec.address(&data).await };
        let mut outcomes: Vec<Result<String, CasError>> = self
            .in_tasks(contents.clone(), concurrency, hash)
            .await
            .into_iter()
            .map(flat)
            .collect();
        let groups = equal(&outcomes, contents);
        let places: Vec<Vec<usize>> =
            groups.iter().map(|(_, members)| members.iter().map(|(at, _)| *at).collect()).collect();
        let store = |cas: Arc<Self>, group: Equal| async move { cas.store_equal(group).await };
        let stored = self.in_tasks(groups, concurrency, store).await;
        for (places, results) in places.into_iter().zip(stored) {
            let failed = results
                .unwrap_or_else(|lost| places.into_iter().map(|at| (at, stopped(&lost))).collect());
            for (at, error) in failed {
                if let Some(outcome) = outcomes.get_mut(at) {
                    *outcome = Err(error);
                }
            }
        }
        outcomes
    }

    /// Returns those that failed.
    async fn store_equal(&self, (address, members): Equal) -> Vec<(usize, CasError)> {
        let mut failed = Vec::new();
        for (at, data) in members {
            if let Err(error) = self.add_reference(&address, Source::Memory(data)).await {
                failed.push((at, error));
            }
        }
        failed
    }

    /// The contents of many addresses, verified, in their order, at most `concurrency` (at least one)
    /// under way at a time. One that fails does not stop the others; see
    /// [`store_many`](Self::store_many).
    pub async fn retrieve_many(
        self: &Arc<Self>,
        addresses: Vec<String>,
        concurrency: usize,
    ) -> Vec<Result<Bytes, CasError>> {
        let retrieve =
            |cas: Arc<Self>, address: String| async move { cas.retrieve(&address).await };
        self.in_tasks(addresses, concurrency, retrieve).await.into_iter().map(flat).collect()
    }

    /// What `work` makes of each item, in their order; an error says why its task was lost. Dropping the
    /// future stops the tasks.
    async fn in_tasks<T, R, W>(
        self: &Arc<Self>,
        items: Vec<T>,
        concurrency: usize,
        work: impl Fn(Arc<Self>, T) -> W + Copy + Send + Sync + 'static,
    ) -> Vec<Result<R, String>>
    where
        T: Send + 'static,
        R: Send + 'static,
        W: Future<Output = R> + Send + 'static,
    {
        let (count, concurrency) = (items.len(), concurrency.max(1));
        let workers = runtime().metrics().num_workers();
        let shares = workers.min(concurrency).min(count / LEAST_SHARE).max(1);
        let share = |items: Vec<T>| {
            let cas = Arc::clone(self);
            async move {
                let items = stream::iter(items).map(|item| work(Arc::clone(&cas), item));
                items.buffered(concurrency / shares).collect::<Vec<R>>().await
            }
        };
        let mut results = Vec::with_capacity(count);
        if shares == 1 {
            results.extend(share(items).await.into_iter().map(Ok));
            return results;
        }
        let length = count.div_ceil(shares);
        let mut items = items.into_iter();
        let mut tasks = Vec::with_capacity(shares);
        loop {
            let items: Vec<T> = items.by_ref().take(length).collect();
            if items.is_empty() {
                break;
            }
            tasks.push((items.len(), StopOnDrop(spawn(share(items)))));
        }
        for (length, mut task) in tasks {
            match (&mut task.0).await {
                Ok(done) => results.extend(done.into_iter().map(Ok)),
                Err(lost) => results.extend((0..length).map(|_| Err(lost.to_string()))),
            }
        }
        results
    }
}

/// The contents that have an address, those of one address together.
fn equal(outcomes: &[Result<String, CasError>], contents: Vec<Bytes>) -> Vec<Equal> {
    let mut groups: Vec<Equal> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, (outcome, data)) in outcomes.iter().zip(contents).enumerate() {
        let Ok(address) = outcome else { continue };
        let place = *places.entry(address).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, members)) => members.push((at, data)),
            None => groups.push((address.clone(), vec![(at, data)])),
        }
    }
    groups
}

fn flat<T>(outcome: Result<Result<T, CasError>, String>) -> Result<T, CasError> {
    outcome.unwrap_or_else(|lost| Err(stopped(&lost)))
}

fn stopped(lost: &str) -> CasError {
    StorageError::Other(format!("the batch was stopped: {lost}")).into()
}

struct StopOnDrop<T>(JoinHandle<T>);

impl<T> Drop for StopOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
