//! Storing, retrieving and deleting.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::content::{Codec, Packed};
use super::keys::{self, check_address, object_key};
use super::record::{Place, Record};
use super::references::{Change, References};
use super::{CasError, CasStats, ContentAddressable};
use crate::compression::Compressor;
use crate::hashing::HashFunction;
use crate::storage::StorageBackend;

/// Records are small: what a listing of them waits for is the network.
pub(super) const RECORDS_AT_A_TIME: usize = 64;

/// A content-addressed store on any [`StorageBackend`], by any [`HashFunction`].
///
/// How it keeps its promises is told in the [module](crate::cas). One backend holds one store; give it
/// a prefix or a folder of its own. Backends whose
/// [`put_if`](crate::StorageBackend::put_if) is `Unsupported` work too, for one store object at a time:
/// their references are not safe among processes.
///
/// With a hash that is not cryptographic, storing content whose hash is known compares the bytes, and
/// a difference is a [`Collision`](CasError::Collision).
///
/// ```
/// use bytes::Bytes;
/// use mithril_core::{
///     Blake3Hash, CompressionLevel, ContentAddressable, ContentAddressedStore, LocalStorage,
///     ZstdCompressor,
/// };
///
/// # mithril_core::runtime().block_on(async {
/// let storage = LocalStorage::temp()?.with_durability(true);
/// let cas = ContentAddressedStore::new(storage, Blake3Hash::new())
///     .with_compression(ZstdCompressor::new(CompressionLevel::Default));
/// let address = cas.store(Bytes::from("checkpoint ".repeat(1000))).await?;
/// let stats = cas.stats().await?;
/// assert_eq!(stats.total_objects, 1);
/// assert!(stats.total_bytes < 100);
/// # Ok::<(), mithril_core::CasError>(())
/// # }).unwrap();
/// ```
pub struct ContentAddressedStore<S: StorageBackend, H: HashFunction> {
    pub(super) references: References<S>,
    pub(super) codec: Codec<H>,
}

impl<S: StorageBackend, H: HashFunction> ContentAddressedStore<S, H> {
    /// The store that `storage` holds, empty if that is empty.
    pub fn new(storage: S, hasher: H) -> Self {
        let codec = Codec { hash: Arc::new(hasher), compressor: None };
        Self { references: References::new(storage), codec }
    }

    /// Compresses what is stored from now on, where that makes it smaller. What is there stays
    /// readable, whatever it was compressed with.
    #[must_use]
    pub fn with_compression(mut self, compressor: impl Compressor + 'static) -> Self {
        self.codec.compressor = Some(Arc::new(compressor));
        self
    }

    /// The hash function.
    pub fn hash_function(&self) -> &H {
        &self.codec.hash
    }

    /// The store below.
    pub fn storage(&self) -> &S {
        self.references.storage()
    }
}

/// What [`ContentAddressedStore::add_reference`] is to refer to.
pub(super) enum Source {
    /// Content at hand, packed when that turns out to be needed.
    Memory(Bytes),
    /// Content that lies packed at a key of its own, which is moved or deleted.
    Incoming { key: String, compression: Option<String>, size: u64, stored: u64 },
}

impl<S: StorageBackend, H: HashFunction + 'static> ContentAddressedStore<S, H> {
    /// How many references there are to the content of an address: none if it is not stored.
    ///
    /// # Errors
    ///
    /// `InvalidAddress`, `Damaged` if the record of the address cannot be read, `Storage`.
    pub async fn references(&self, address: &str) -> Result<u64, CasError> {
        self.check(address)?;
        let (record, _) = self.references.read_intact(address).await?;
        Ok(record.map_or(0, |record| record.references))
    }

    /// Sets the number of references, for those who keep account of them elsewhere. None deletes the
    /// bytes.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such content; as [`references`](Self::references).
    pub async fn set_references(&self, address: &str, references: u64) -> Result<(), CasError> {
        self.check(address)?;
        self.change_live(address, |record| record.with_references(references).pinned(false)).await
    }

    /// The addresses of all contents that have a reference, sorted.
    ///
    /// # Errors
    ///
    /// `Storage`; `Damaged` if a record cannot be read.
    pub async fn list(&self) -> Result<Vec<String>, CasError> {
        let records = self.live_records().await?;
        Ok(records.into_iter().map(|(address, _)| address).collect())
    }

    pub(super) fn check(&self, address: &str) -> Result<(), CasError> {
        check_address(&*self.codec.hash, address)
    }

    /// Adds a reference to the content, whose bytes are put in place if they are not there.
    pub(super) async fn add_reference(
        &self,
        address: &str,
        mut source: Source,
    ) -> Result<(), CasError> {
        // The places that this call has put bytes to; all but the one that is live are taken back.
        let mut written = Vec::new();
        let live = loop {
            let (record, known) = self.references.read_intact(address).await?;
            let next = match &record {
                Some(record) if record.is_live() => {
                    self.check_hash(address, record)?;
                    if !self.codec.is_cryptographic() {
                        self.compare(address, record, &source).await?;
                    }
                    record.with_references(record.references.saturating_add(1))
                }
                dead => {
                    let first = self.put_bytes(address, &mut source).await?;
                    written.push(first.place.clone());
                    match dead {
                        Some(dead) => dead.followed_by(first),
                        None => first,
                    }
                }
            };
            let place = next.place.clone();
            if let Change::Made = self.references.change(address, &known, next).await? {
                break place;
            }
        };
        if let Source::Incoming { key, .. } = &source
            && !written.iter().any(|place| object_key(address, place) == *key)
        {
            self.storage().delete(key).await?;
        }
        // Nobody else knows of them.
        for place in written.into_iter().filter(|place| *place != live) {
            self.storage().delete(&object_key(address, &place)).await?;
        }
        Ok(())
    }

    /// Puts the bytes to a new place, and returns the record that would name it.
    async fn put_bytes(&self, address: &str, source: &mut Source) -> Result<Record, CasError> {
        let hash = self.codec.hash.name();
        let id = keys::unique();
        match source {
            Source::Memory(data) => {
                let Packed { bytes, compression } = self.codec.pack(address, data).await?;
                let (size, stored) = (data.len() as u64, bytes.len() as u64);
                let place = Place { id, compression };
                self.storage().put(&object_key(address, &place), bytes).await?;
                Ok(Record::first(hash, place, size, stored))
            }
            Source::Incoming { key, compression, size, stored } => {
                let place = Place { id, compression: compression.clone() };
                let target = object_key(address, &place);
                self.storage().rename(key, &target).await?;
                // If the race is lost, the bytes go on from there.
                *key = target;
                Ok(Record::first(hash, place, *size, *stored))
            }
        }
    }

    /// Errors: `Collision` if the content that is stored is another one.
    async fn compare(
        &self,
        address: &str,
        record: &Record,
        source: &Source,
    ) -> Result<(), CasError> {
        let Some(there) = self.bytes_of(address, record).await? else {
            // Deleted since the record was read; the change of the record will find that.
            return Ok(());
        };
        let same = match source {
            Source::Memory(data) => *data == there,
            Source::Incoming { key, compression, size, .. } => {
                let place = Place { id: String::new(), compression: compression.clone() };
                let packed = self.storage().get(key).await?;
                *size == there.len() as u64
                    && self.codec.unpack(address, &place, packed, *size).await? == there
            }
        };
        if same { Ok(()) } else { Err(CasError::Collision(address.to_owned())) }
    }

    /// Errors: `InvalidAddress` if the record was written with another hash of the same length.
    pub(super) fn check_hash(&self, address: &str, record: &Record) -> Result<(), CasError> {
        let hash = self.codec.hash.name();
        if record.hash == hash {
            return Ok(());
        }
        Err(CasError::InvalidAddress {
            address: address.to_owned(),
            fault: format!(
                "it was stored by {}, and this store is opened with {hash}",
                record.hash
            ),
        })
    }

    /// The content that a live record names, verified; none if its bytes are not there.
    pub(super) async fn bytes_of(
        &self,
        address: &str,
        record: &Record,
    ) -> Result<Option<Bytes>, CasError> {
        self.check_hash(address, record)?;
        let packed = self.storage().get_opt(&object_key(address, &record.place)).await?;
        let Some(packed) = packed else { return Ok(None) };
        self.codec.unpack(address, &record.place, packed, record.size).await.map(Some)
    }

    /// Changes the record of a content that has a reference; the bytes go if none is left.
    async fn change_live(
        &self,
        address: &str,
        change: impl Fn(&Record) -> Record,
    ) -> Result<(), CasError> {
        loop {
            let (record, known) = self.references.read_intact(address).await?;
            let Some(record) = record.filter(Record::is_live) else {
                return Err(CasError::NotFound(address.to_owned()));
            };
            let next = change(&record);
            let dead = !next.is_live();
            if let Change::Made = self.references.change(address, &known, next).await? {
                if dead {
                    self.storage().delete(&object_key(address, &record.place)).await?;
                }
                return Ok(());
            }
        }
    }

    /// All records with a reference, by address.
    pub(super) async fn live_records(&self) -> Result<Vec<(String, Record)>, CasError> {
        let keys = self.storage().list(keys::REFERENCES).await?;
        let addresses =
            keys.iter().filter_map(|key| keys::address_of_record(&*self.codec.hash, key));
        let addresses: Vec<String> = addresses.collect();
        let reads: Vec<_> = addresses
            .iter()
            .map(|address| async move {
                let (record, _) = self.references.read_intact(address).await?;
                let live = record.filter(Record::is_live);
                Ok::<_, CasError>(live.map(|record| (address.clone(), record)))
            })
            .collect();
        let live = stream::iter(reads).buffered(RECORDS_AT_A_TIME);
        live.try_filter_map(|record| async move { Ok(record) }).try_collect().await
    }
}

#[async_trait]
impl<S: StorageBackend, H: HashFunction + 'static> ContentAddressable
    for ContentAddressedStore<S, H>
{
    async fn store(&self, data: Bytes) -> Result<String, CasError> {
        let address = self.codec.address(&data).await?;
        self.add_reference(&address, Source::Memory(data)).await?;
        Ok(address)
    }

    async fn retrieve(&self, address: &str) -> Result<Bytes, CasError> {
        self.check(address)?;
        let mut missing_in: Option<Place> = None;
        loop {
            let (record, _) = self.references.read_intact(address).await?;
            let Some(record) = record.filter(Record::is_live) else {
                return Err(CasError::NotFound(address.to_owned()));
            };
            if missing_in.as_ref() == Some(&record.place) {
                return Err(CasError::Damaged {
                    address: address.to_owned(),
                    fault: format!("{:?} is missing", object_key(address, &record.place)),
                });
            }
            match self.bytes_of(address, &record).await? {
                Some(data) => return Ok(data),
                // Deleted since the record was read, and perhaps stored again: the next look tells.
                None => missing_in = Some(record.place),
            }
        }
    }

    async fn contains(&self, address: &str) -> Result<bool, CasError> {
        Ok(self.references(address).await? > 0)
    }

    async fn delete(&self, address: &str) -> Result<(), CasError> {
        self.check(address)?;
        self.change_live(address, |record| {
            let left = record.references.saturating_sub(1);
            record.with_references(if record.pinned { left.max(1) } else { left })
        })
        .await
    }

    async fn stats(&self) -> Result<CasStats, CasError> {
        let mut stats = CasStats::default();
        for (_, record) in self.live_records().await? {
            let further = record.references.saturating_sub(1);
            stats.total_objects += 1;
            stats.total_bytes = stats.total_bytes.saturating_add(record.stored);
            stats.deduplicated_bytes =
                stats.deduplicated_bytes.saturating_add(record.stored.saturating_mul(further));
        }
        Ok(stats)
    }
}

impl<S: StorageBackend + fmt::Debug, H: HashFunction> fmt::Debug for ContentAddressedStore<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentAddressedStore")
            .field("storage", self.references.storage())
            .field("hash", &self.codec.hash.name())
            .field("compression", &self.codec.compressor.as_deref().map(Compressor::name))
            .finish()
    }
}
