//! Looking for damage, and mending what can be mended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::Utc;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::keys::{self, object_key, record_key};
use super::record::{Place, Record};
use super::references::{Change, Known};
use super::store::RECORDS_AT_A_TIME;
use super::{CasError, ContentAddressedStore};
use crate::hashing::HashFunction;
use crate::storage::{StorageBackend, StorageError};

/// Contents that are read at the same time.
const CONTENTS_AT_A_TIME: usize = 4;

/// Content that is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The address.
    pub address: String,
    /// What was found.
    pub fault: String,
}

/// What [`verify`](ContentAddressedStore::verify) found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The contents that were read and hashed.
    pub checked: u64,
    /// The bytes of these contents.
    pub bytes: u64,
    /// What is damaged, by address.
    pub damaged: Vec<Damage>,
}

/// What [`repair`](ContentAddressedStore::repair) may do besides the harmless.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RepairOptions {
    /// Bytes without a record become contents with an unknown number of references, if they are whole.
    /// For stores whose records were lost; without it such bytes are what a crash left, and are swept.
    pub keep_unreferenced: bool,
    /// Contents whose bytes are missing or damaged are given up, so that they can be stored anew.
    pub discard_damaged: bool,
    /// Nobody else uses the store: what is kept for slow writers only goes too.
    pub exclusive: bool,
}

/// What [`repair`](ContentAddressedStore::repair) did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Addresses whose record was rebuilt from their bytes. How many references there were is not
    /// known: their bytes stay until [`set_references`](ContentAddressedStore::set_references) says.
    pub rebuilt: Vec<String>,
    /// Objects without a reference that were removed.
    pub swept_objects: u64,
    /// The bytes that these took.
    pub swept_bytes: u64,
    /// Contents that are damaged beyond repair, by address, and those that were stored by another hash
    /// or compressor than this store has: they cannot be judged, and nothing of them is touched.
    pub damaged: Vec<Damage>,
}

impl RepairReport {
    /// Notes content that cannot be judged and goes on; any other error ends the repair.
    fn leave(&mut self, address: &str, error: CasError) -> Result<(), CasError> {
        if !cannot_judge(&error) {
            return Err(error);
        }
        self.damaged.push(Damage { address: address.to_owned(), fault: error.to_string() });
        Ok(())
    }
}

/// It was stored by another hash, or by a compressor that is not at hand.
fn cannot_judge(error: &CasError) -> bool {
    matches!(error, CasError::InvalidAddress { .. } | CasError::UnknownCompressor { .. })
}

/// An object below an address, as the listing has it.
struct Found {
    place: Place,
    size: u64,
}

impl<S: StorageBackend, H: HashFunction + 'static> ContentAddressedStore<S, H> {
    /// Reads and hashes contents: every one, or each with the probability `share` (0 to 1), which
    /// another `seed` draws anew.
    ///
    /// # Errors
    ///
    /// `Storage`. Damage is no error but part of the report.
    pub async fn verify(&self, share: f64, seed: u64) -> Result<VerifyReport, CasError> {
        let addresses = self.addresses().await?;
        let drawn = addresses.into_iter().filter(|address| {
            let draw = xxhash_rust::xxh3::xxh3_64_with_seed(address.as_bytes(), seed);
            (draw as f64) < share * 2_f64.powi(64)
        });
        let checks: Vec<_> = drawn.map(|address| self.check_content(address)).collect();
        let mut checks = stream::iter(checks).buffered(CONTENTS_AT_A_TIME);
        let mut report = VerifyReport::default();
        while let Some(check) = checks.next().await {
            match check? {
                Checked::Nothing => {}
                Checked::Intact(bytes) => {
                    report.checked += 1;
                    report.bytes += bytes;
                }
                Checked::Damaged(damage) => {
                    report.checked += 1;
                    report.damaged.push(damage);
                }
            }
        }
        Ok(report)
    }

    /// Rebuilds the records that cannot be read, and removes what crashes have left. Others may store
    /// and delete meanwhile.
    ///
    /// It reads every record, and the bytes of those whose record is rebuilt;
    /// [`verify`](Self::verify) finds the damage of others.
    ///
    /// # Errors
    ///
    /// `Storage`. Damage is no error but part of the report.
    pub async fn repair(&self, options: RepairOptions) -> Result<RepairReport, CasError> {
        // Objects first: one that is written after this is not looked at, and a record that names
        // one of these is read after it.
        let mut objects: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        let mut listing = self.storage().list_stream(keys::OBJECTS);
        while let Some(meta) = listing.try_next().await? {
            if let Some((address, place)) = keys::place_of_object(&*self.codec.hash, &meta.key) {
                objects.entry(address).or_default().push(Found { place, size: meta.size });
            }
        }
        drop(listing);
        let mut addresses: BTreeSet<String> = self.addresses().await?.into_iter().collect();
        addresses.extend(objects.keys().cloned());
        let mut report = RepairReport::default();
        for address in addresses {
            let found = objects.remove(&address).unwrap_or_default();
            self.repair_address(&address, &found, options, &mut report).await?;
        }
        self.sweep_incoming(options, &mut report).await?;
        Ok(report)
    }

    async fn addresses(&self) -> Result<Vec<String>, CasError> {
        let keys = self.storage().list(keys::REFERENCES).await?;
        let hash = &*self.codec.hash;
        Ok(keys.iter().filter_map(|key| keys::address_of_record(hash, key)).collect())
    }

    async fn check_content(&self, address: String) -> Result<Checked, CasError> {
        let content = crate::ContentAddressable::retrieve(self, &address).await;
        match content {
            Ok(data) => Ok(Checked::Intact(data.len() as u64)),
            // A tombstone, or deleted since the listing.
            Err(CasError::NotFound(_)) => Ok(Checked::Nothing),
            Err(CasError::Damaged { address, fault }) => {
                Ok(Checked::Damaged(Damage { address, fault }))
            }
            Err(error) if cannot_judge(&error) => {
                Ok(Checked::Damaged(Damage { address, fault: error.to_string() }))
            }
            Err(error) => Err(error),
        }
    }

    async fn repair_address(
        &self,
        address: &str,
        found: &[Found],
        options: RepairOptions,
        report: &mut RepairReport,
    ) -> Result<(), CasError> {
        loop {
            let known = self.references.read(address).await?;
            let hash = self.codec.hash.name();
            let record = match &known {
                Known::Present { record: Ok(record), .. } => Some(record),
                _ => None,
            };
            if let Some(record) = record.filter(|record| record.is_live()) {
                if options.discard_damaged && self.is_damaged(address, record, report).await? {
                    let dead = record.with_references(0);
                    if let Change::Lost = self.references.change(address, &known, dead).await? {
                        continue;
                    }
                    return self.sweep(address, found, None, report).await;
                }
                // Writers of the other objects have lost their race, or will.
                let live = record.place.clone();
                return self.sweep(address, found, Some(&live), report).await;
            }
            let is_unreadable = matches!(known, Known::Present { record: Err(_), .. });
            if is_unreadable || (options.keep_unreferenced && record.is_none()) {
                let whole = match self.whole_object(address, found).await {
                    Err(error) => return report.leave(address, error),
                    Ok(whole) => whole,
                };
                match whole {
                    Some(rebuilt) => {
                        let place = rebuilt.place.clone();
                        if let Change::Lost =
                            self.references.change(address, &known, rebuilt).await?
                        {
                            continue;
                        }
                        report.rebuilt.push(address.to_owned());
                        return self.sweep(address, found, Some(&place), report).await;
                    }
                    None if is_unreadable => report.damaged.push(Damage {
                        address: address.to_owned(),
                        fault: "its record cannot be read, and no whole bytes are there".to_owned(),
                    }),
                    None => {}
                }
            }
            // Nothing is alive here. The tombstone is written anew even if there is one: a writer that
            // has read the old one loses its race, and then the objects found have no writer.
            if !found.is_empty() || is_unreadable {
                let place = Place { id: keys::unique(), compression: None };
                let dead = Record::tombstone(hash, place);
                let dead = record.map_or(dead.clone(), |record| record.followed_by(dead));
                if let Change::Lost = self.references.change(address, &known, dead).await? {
                    continue;
                }
                self.sweep(address, found, None, report).await?;
            }
            if options.exclusive {
                self.storage().delete(&record_key(address)).await?;
            }
            return Ok(());
        }
    }

    async fn is_damaged(
        &self,
        address: &str,
        record: &Record,
        report: &mut RepairReport,
    ) -> Result<bool, CasError> {
        let fault = match self.bytes_of(address, record).await {
            Ok(Some(_)) => return Ok(false),
            Ok(None) => format!("{:?} is missing", object_key(address, &record.place)),
            Err(CasError::Damaged { fault, .. }) => fault,
            Err(error) => return report.leave(address, error).map(|()| false),
        };
        report.damaged.push(Damage { address: address.to_owned(), fault });
        Ok(true)
    }

    /// A record for the first object whose content has the address.
    async fn whole_object(
        &self,
        address: &str,
        found: &[Found],
    ) -> Result<Option<Record>, CasError> {
        for Found { place, .. } in found {
            let Some(packed) = self.storage().get_opt(&object_key(address, place)).await? else {
                continue;
            };
            let stored = packed.len() as u64;
            match self.codec.unpack(address, place, packed, u64::MAX).await {
                Ok(data) => {
                    let hash = self.codec.hash.name();
                    let size = data.len() as u64;
                    return Ok(Some(Record::first(hash, place.clone(), size, stored).pinned(true)));
                }
                Err(CasError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Removes the objects of an address but the one that is alive.
    async fn sweep(
        &self,
        address: &str,
        found: &[Found],
        live: Option<&Place>,
        report: &mut RepairReport,
    ) -> Result<(), CasError> {
        for Found { place, size } in found.iter().filter(|found| Some(&found.place) != live) {
            self.storage().delete(&object_key(address, place)).await?;
            report.swept_objects += 1;
            report.swept_bytes += size;
        }
        Ok(())
    }

    /// Content that is being received is renamed when its address is known. What is a day old has no
    /// receiver any more; if it has one after all, its renaming fails, and so does its storing.
    async fn sweep_incoming(
        &self,
        options: RepairOptions,
        report: &mut RepairReport,
    ) -> Result<(), CasError> {
        const LEFT_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
        let stale: Vec<_> = self
            .storage()
            .list_stream(keys::INCOMING)
            .try_filter(|meta| {
                let age = (Utc::now() - meta.last_modified).to_std().unwrap_or_default();
                std::future::ready(options.exclusive || age > LEFT_AFTER)
            })
            .try_collect()
            .await?;
        let deletions: Vec<_> = stale.iter().map(|meta| self.storage().delete(&meta.key)).collect();
        let deleted: Vec<Result<(), StorageError>> =
            stream::iter(deletions).buffered(RECORDS_AT_A_TIME).collect().await;
        deleted.into_iter().collect::<Result<Vec<()>, _>>()?;
        report.swept_objects += stale.len() as u64;
        report.swept_bytes += stale.iter().map(|meta| meta.size).sum::<u64>();
        Ok(())
    }
}

enum Checked {
    Nothing,
    Intact(u64),
    Damaged(Damage),
}
