//! Reading and changing the record of an address.

use bytes::Bytes;
use tokio::sync::Mutex;

use super::keys::record_key;
use super::record::Record;
use super::{CasError, keys};
use crate::storage::{PutCondition, StorageBackend, StorageError};

/// A record as it was read: what a change of it has to find unchanged.
pub(super) enum Known {
    Absent,
    /// `record` is what is wrong with it, if it cannot be read.
    Present {
        record: Result<Record, String>,
        bytes: Bytes,
        etag: Option<String>,
    },
}

/// How a change went.
pub(super) enum Change {
    Made,
    /// Somebody else was first: look again.
    Lost,
}

/// The records of a store.
pub(super) struct References<S> {
    storage: S,
    /// For stores that cannot look and write in one step: changes are then made one at a time, which
    /// makes them safe within this store, and not among processes.
    turns: Mutex<()>,
}

impl<S: StorageBackend> References<S> {
    pub(super) fn new(storage: S) -> Self {
        Self { storage, turns: Mutex::new(()) }
    }

    pub(super) fn storage(&self) -> &S {
        &self.storage
    }

    pub(super) async fn read(&self, address: &str) -> Result<Known, StorageError> {
        match self.storage.get_with_meta(&record_key(address)).await {
            Ok((bytes, meta)) => {
                Ok(Known::Present { record: Record::from_bytes(&bytes), bytes, etag: meta.etag })
            }
            Err(StorageError::NotFound(_)) => Ok(Known::Absent),
            Err(error) => Err(error),
        }
    }

    /// The record, if it can be read.
    ///
    /// Errors: `Damaged` if it cannot.
    pub(super) async fn read_intact(
        &self,
        address: &str,
    ) -> Result<(Option<Record>, Known), CasError> {
        let known = self.read(address).await?;
        let record = match &known {
            Known::Absent => None,
            Known::Present { record: Ok(record), .. } => Some(record.clone()),
            Known::Present { record: Err(fault), .. } => {
                return Err(CasError::Damaged {
                    address: address.to_owned(),
                    fault: format!("{fault}; repairing the store rebuilds it"),
                });
            }
        };
        Ok((record, known))
    }

    /// Writes `next` in place of what is `known`, if that is still so.
    pub(super) async fn change(
        &self,
        address: &str,
        known: &Known,
        mut next: Record,
    ) -> Result<Change, CasError> {
        let change = keys::unique();
        next.remember(&change);
        let bytes = next.to_bytes().map_err(|error| CasError::Damaged {
            address: address.to_owned(),
            fault: format!("its record cannot be written: {error}"),
        })?;
        let key = record_key(address);
        let condition = match known {
            Known::Absent => Some(PutCondition::Absent),
            Known::Present { etag, .. } => etag.clone().map(PutCondition::Matches),
        };
        let outcome = match condition {
            Some(condition) => self.storage.put_if(&key, bytes.clone(), condition).await,
            None => Err(StorageError::Unsupported(key.clone())),
        };
        match outcome {
            Ok(_) => Ok(Change::Made),
            Err(StorageError::AlreadyExists(_) | StorageError::Changed(_)) => {
                // A client that tried again after a lost answer meets its own change.
                match self.read(address).await? {
                    Known::Present { record: Ok(record), .. } if record.remembers(&change) => {
                        Ok(Change::Made)
                    }
                    _ => Ok(Change::Lost),
                }
            }
            Err(StorageError::Unsupported(_)) => self.change_in_turn(&key, known, bytes).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn change_in_turn(
        &self,
        key: &str,
        known: &Known,
        next: Bytes,
    ) -> Result<Change, CasError> {
        let _turn = self.turns.lock().await;
        let unchanged = match (known, self.storage.get_opt(key).await?) {
            (Known::Absent, None) => true,
            (Known::Present { bytes, .. }, Some(now)) => *bytes == now,
            _ => false,
        };
        if !unchanged {
            return Ok(Change::Lost);
        }
        self.storage.put(key, next).await?;
        Ok(Change::Made)
    }
}
