//! Content that does not fit into memory.

use std::io::{self, Read};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use futures_util::future::{Either, select};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;

use super::content::compression_error;
use super::keys::{incoming_key, object_key};
use super::record::Record;
use super::store;
use super::{CasError, ContentAddressedStore};
use crate::compression::{CompressionError, StreamDecoder, StreamEncoder};
use crate::hashing::{HashFunction, Hasher};
use crate::runtime::runtime;
use crate::storage::{StorageBackend, StorageError};

const PIECES_AHEAD: usize = 4;
const UNPACKED_AT_A_TIME: usize = 256 << 10;

/// What a stream is while it passes: counted, hashed and compressed.
struct Passing {
    hasher: Option<Box<dyn Hasher>>,
    encoder: Option<Box<dyn StreamEncoder>>,
    size: u64,
    stored: u64,
    fault: Option<CompressionError>,
}

impl Passing {
    /// The bytes to be stored for the next piece, or for the end of the stream.
    fn piece(&mut self, piece: Option<&Bytes>) -> Result<Bytes, StorageError> {
        if let (Some(piece), Some(hasher)) = (piece, &mut self.hasher) {
            hasher.update(piece);
            self.size += piece.len() as u64;
        }
        let packed = match (&mut self.encoder, piece) {
            (None, piece) => piece.cloned().unwrap_or_default(),
            (Some(encoder), piece) => {
                let mut packed = Vec::new();
                let outcome = match piece {
                    Some(piece) => encoder.write(piece, &mut packed),
                    None => encoder.finish(&mut packed),
                };
                if let Err(error) = outcome {
                    let text = error.to_string();
                    self.fault = Some(error);
                    return Err(StorageError::Other(text));
                }
                Bytes::from(packed)
            }
        };
        self.stored += packed.len() as u64;
        Ok(packed)
    }
}

impl<S: StorageBackend, H: HashFunction + 'static> ContentAddressedStore<S, H> {
    /// Adds a reference to content that comes in pieces, and returns its address, as
    /// [`store`](crate::ContentAddressable::store) of the whole. Memory does not grow with the content.
    ///
    /// An error of the source is the outcome, and nothing is stored. Where this store compresses,
    /// the content is stored compressed even if that makes it larger: it is not known beforehand.
    ///
    /// # Errors
    ///
    /// Those of the source as `Storage`; as `store`.
    pub async fn store_stream(
        &self,
        source: BoxStream<'_, Result<Bytes, StorageError>>,
    ) -> Result<String, CasError> {
        let encoder = self.codec.compressor.as_ref().and_then(|own| own.encoder(None));
        let compression = encoder
            .is_some()
            .then(|| self.codec.compressor.as_ref().map(|own| own.name().to_owned()))
            .flatten();
        let passing = Arc::new(Mutex::new(Passing {
            hasher: Some(self.codec.hash.hasher()),
            encoder,
            size: 0,
            stored: 0,
            fault: None,
        }));
        let lock = |passing: &Arc<Mutex<Passing>>, piece: Option<&Bytes>| {
            passing.lock().unwrap_or_else(PoisonError::into_inner).piece(piece)
        };
        let (each, last) = (Arc::clone(&passing), Arc::clone(&passing));
        let packed = source
            .map(move |piece| piece.and_then(|piece| lock(&each, Some(&piece))))
            .chain(stream::once(async move { lock(&last, None) }))
            .try_filter(|piece| std::future::ready(!piece.is_empty()));
        let key = incoming_key();
        let received = self.storage().try_put_stream(&key, packed.boxed()).await;
        let (hash, size, stored) = {
            let mut passing = passing.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(fault) = passing.fault.take() {
                return Err(compression_error("a stream", fault));
            }
            let hash = passing.hasher.take().map(Hasher::finalize).unwrap_or_default();
            (hash, passing.size, passing.stored)
        };
        received?;
        let address = crate::hashing::hex(&hash);
        let source = store::Source::Incoming { key, compression, size, stored };
        self.add_reference(&address, source).await?;
        Ok(address)
    }

    /// The content of an address in pieces. What it is can only be verified at its end: the content is
    /// right if the stream has ended without an error, and is to be thrown away otherwise.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](crate::ContentAddressable::retrieve); `Damaged` is the last item of the stream.
    pub async fn retrieve_stream(
        &self,
        address: &str,
    ) -> Result<BoxStream<'_, Result<Bytes, CasError>>, CasError> {
        self.check(address)?;
        let (record, pieces) = loop {
            let (record, _) = self.references.read_intact(address).await?;
            let Some(record) = record.filter(Record::is_live) else {
                return Err(CasError::NotFound(address.to_owned()));
            };
            self.check_hash(address, &record)?;
            match self.storage().get_stream(&object_key(address, &record.place)).await {
                Ok(pieces) => break (record, pieces),
                Err(StorageError::NotFound(place)) => {
                    let (now, _) = self.references.read_intact(address).await?;
                    if now.is_some_and(|now| now.is_live() && now.place == record.place) {
                        return Err(CasError::Damaged {
                            address: address.to_owned(),
                            fault: format!("{place} is missing"),
                        });
                    }
                }
                Err(error) => return Err(error.into()),
            }
        };
        let unpacker = self.codec.unpacker(address, &record.place)?;
        let decoder = unpacker.as_ref().and_then(|unpacker| unpacker.decoder());
        if unpacker.is_some() && decoder.is_none() {
            // This compressor knows no pieces.
            let data = crate::ContentAddressable::retrieve(self, address).await?;
            return Ok(stream::iter([Ok(data)]).boxed());
        }
        let unpacking = Unpacking {
            address: address.to_owned(),
            hasher: self.codec.hash.hasher(),
            left: record.size,
        };
        Ok(unpacking.stream(pieces, decoder))
    }
}

/// A stream on its way back. It is unpacked and hashed on a thread of its own.
struct Unpacking {
    address: String,
    hasher: Box<dyn Hasher>,
    /// The bytes of content that are still to come.
    left: u64,
}

type Pieces<'a> = BoxStream<'a, Result<Bytes, StorageError>>;
/// What arrives from the store, and what goes on to the reader.
type Arriving = mpsc::Receiver<Result<Bytes, StorageError>>;
type Leaving = mpsc::Sender<Result<Bytes, CasError>>;

impl Unpacking {
    fn damaged(&self, fault: impl Into<String>) -> CasError {
        CasError::Damaged { address: self.address.clone(), fault: fault.into() }
    }

    /// Counts and hashes what goes on to the reader.
    fn passed(&mut self, data: &[u8]) -> Result<(), CasError> {
        self.left = self
            .left
            .checked_sub(data.len() as u64)
            .ok_or_else(|| self.damaged("it is longer than what was stored"))?;
        self.hasher.update(data);
        Ok(())
    }

    fn ended(self) -> Result<(), CasError> {
        let Self { address, hasher, left } = self;
        let found = crate::hashing::hex(&hasher.finalize());
        let fault = if left > 0 {
            format!("{left} bytes at its end are missing")
        } else if found != address {
            format!("its bytes have the hash {found}")
        } else {
            return Ok(());
        };
        Err(CasError::Damaged { address, fault })
    }

    /// Returns early if nobody reads any more.
    fn run(
        mut self,
        mut arriving: Arriving,
        decoder: Option<Box<dyn StreamDecoder>>,
        leaving: &Leaving,
    ) -> Result<(), CasError> {
        let Some(mut decoder) = decoder else {
            while let Some(piece) = arriving.blocking_recv() {
                let piece = piece?;
                self.passed(&piece)?;
                if leaving.blocking_send(Ok(piece)).is_err() {
                    return Ok(());
                }
            }
            return self.ended();
        };
        let mut source = Source { arriving, piece: Bytes::new(), fault: None };
        loop {
            let mut data = vec![0; UNPACKED_AT_A_TIME];
            let read = decoder.read(&mut source, &mut data);
            if let Some(fault) = source.fault.take() {
                return Err(fault.into());
            }
            let read =
                read.map_err(|error| self.damaged(format!("it cannot be decompressed: {error}")))?;
            if read == 0 {
                return self.ended();
            }
            data.truncate(read);
            self.passed(&data)?;
            if leaving.blocking_send(Ok(Bytes::from(data))).is_err() {
                return Ok(());
            }
        }
    }

    fn stream(
        self,
        pieces: Pieces<'_>,
        decoder: Option<Box<dyn StreamDecoder>>,
    ) -> BoxStream<'_, Result<Bytes, CasError>> {
        let (arriving, to_unpack) = mpsc::channel(PIECES_AHEAD);
        let (unpacked, leaving) = mpsc::channel(PIECES_AHEAD);
        runtime().spawn_blocking(move || {
            if let Err(error) = self.run(to_unpack, decoder, &unpacked) {
                // Nobody reads any more: nobody is to be told.
                let _ = unpacked.blocking_send(Err(error));
            }
        });
        stream::unfold(Flow { pieces, arriving: Some(arriving), leaving }, |mut flow| async {
            flow.next().await.map(|item| (item, flow))
        })
        .boxed()
    }
}

/// Feeds the thread that unpacks, and takes from it what is ready.
struct Flow<'a> {
    pieces: Pieces<'a>,
    /// None once the store has given all.
    arriving: Option<mpsc::Sender<Result<Bytes, StorageError>>>,
    leaving: mpsc::Receiver<Result<Bytes, CasError>>,
}

impl Flow<'_> {
    async fn next(&mut self) -> Option<Result<Bytes, CasError>> {
        while let Some(arriving) = &self.arriving {
            let room = {
                let leaving = pin!(self.leaving.recv());
                let room = pin!(arriving.clone().reserve_owned());
                match select(leaving, room).await {
                    Either::Left((item, _)) => return item,
                    Either::Right((room, _)) => room,
                }
            };
            // Without room the thread takes nothing more, and what it said last is still to be read.
            match (room, self.arriving.take()) {
                (Ok(room), arriving) => {
                    if let Some(piece) = self.pieces.next().await {
                        drop(room.send(piece));
                        self.arriving = arriving;
                    }
                }
                (Err(_), _) => {}
            }
        }
        self.leaving.recv().await
    }
}

/// What arrives, as a reader for the decoder.
struct Source {
    arriving: Arriving,
    piece: Bytes,
    /// The store's error, which a reader could only repeat as text.
    fault: Option<StorageError>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.arriving.blocking_recv() {
                None => return Ok(0),
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(fault)) => {
                    self.fault = Some(fault);
                    return Err(io::Error::other("the store failed"));
                }
            }
        }
        let read = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(buffer.get_mut(..read).unwrap_or_default());
        Ok(read)
    }
}
