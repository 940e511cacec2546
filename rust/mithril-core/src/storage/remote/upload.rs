//! Objects sent in parts, of which nothing stays if the sender does not come to the end.

use std::sync::Arc;
use std::{mem, process};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{Error, MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::task::JoinSet;

use super::Client;
use crate::runtime::runtime;
use crate::storage::StorageError;
use crate::storage::task::to_its_end;

const PARTS_AT_A_TIME: usize = 4;

pub(super) enum UploadError {
    Source(StorageError),
    Store(Error),
}

impl From<StorageError> for UploadError {
    fn from(error: StorageError) -> Self {
        Self::Source(error)
    }
}

type Source<'a> = BoxStream<'a, Result<Bytes, StorageError>>;

/// The beginning of a stream: if that is all of it, one request is enough.
pub(super) enum First<'a> {
    All(Bytes),
    More(PutPayload, Pieces<'a>),
}

pub(super) async fn first_part(
    stream: Source<'_>,
    part_size: usize,
) -> Result<First<'_>, StorageError> {
    let mut pieces = Pieces { stream, part_size, left: Bytes::new() };
    match pieces.part().await? {
        Part::Full(part) => Ok(First::More(part, pieces)),
        Part::Last(part) => Ok(First::All(part.into())),
    }
}

/// A stream cut into parts of one size: some servers take no others, but for the last.
pub(super) struct Pieces<'a> {
    stream: Source<'a>,
    part_size: usize,
    left: Bytes,
}

enum Part {
    Full(PutPayload),
    /// Smaller than a part, or empty.
    Last(PutPayload),
}

impl Pieces<'_> {
    /// Pieces of some size are sent as they are, and small ones are joined.
    async fn part(&mut self) -> Result<Part, StorageError> {
        const JOINED_BELOW: usize = 64 << 10;
        let mut whole: Vec<Bytes> = Vec::new();
        let mut small = BytesMut::new();
        let mut missing = self.part_size;
        loop {
            if self.left.is_empty() {
                let Some(piece) = self.stream.try_next().await? else {
                    whole.push(small.freeze());
                    return Ok(Part::Last(whole.into_iter().collect()));
                };
                self.left = piece;
                continue;
            }
            let piece = self.left.split_to(missing.min(self.left.len()));
            missing -= piece.len();
            if piece.len() < JOINED_BELOW {
                small.extend_from_slice(&piece);
            } else {
                whole.push(small.split().freeze());
                whole.push(piece);
            }
            if missing == 0 {
                whole.push(small.freeze());
                return Ok(Part::Full(whole.into_iter().collect()));
            }
        }
    }
}

/// An upload that has begun. Dropped before its end, it takes its parts back.
pub(super) struct Upload {
    begun: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<Result<(), Error>>,
    /// Who began it: a forked child that drops its copy must leave its parent's upload alone.
    owner: u32,
}

impl Upload {
    fn new(upload: Box<dyn MultipartUpload>) -> Self {
        Self { begun: Some(upload), parts: JoinSet::new(), owner: process::id() }
    }

    pub(super) async fn begin(client: Arc<dyn Client>, path: Path) -> Result<Self, UploadError> {
        // If nobody waits for the answer any more, it is dropped, and takes the upload back.
        let begun = to_its_end(async move { Ok(client.put_multipart(&path).await.map(Self::new)) });
        begun.await?.map_err(UploadError::Store)
    }

    pub(super) async fn send(
        mut self,
        first: PutPayload,
        mut pieces: Pieces<'_>,
    ) -> Result<(), UploadError> {
        self.part(first).await?;
        loop {
            match pieces.part().await? {
                Part::Full(part) => self.part(part).await?,
                Part::Last(part) => {
                    if part.content_length() > 0 {
                        self.part(part).await?;
                    }
                    return self.complete().await;
                }
            }
        }
    }

    async fn part(&mut self, part: PutPayload) -> Result<(), UploadError> {
        while self.parts.len() >= PARTS_AT_A_TIME {
            self.one_part_sent().await?;
        }
        if let Some(upload) = &mut self.begun {
            self.parts.spawn_on(upload.put_part(part), runtime().handle());
        }
        Ok(())
    }

    async fn one_part_sent(&mut self) -> Result<(), UploadError> {
        match self.parts.join_next().await {
            Some(Ok(sent)) => sent.map_err(UploadError::Store),
            Some(Err(lost)) => Err(UploadError::Store(Error::JoinError { source: lost })),
            None => Ok(()),
        }
    }

    async fn complete(mut self) -> Result<(), UploadError> {
        while !self.parts.is_empty() {
            self.one_part_sent().await?;
        }
        // Once the server may have the order to complete, breaking off would leave it open what there
        // is. The task owns the upload: if it fails, dropping it there takes the parts back.
        to_its_end(async move {
            let Some(mut upload) = self.begun.take() else { return Ok(Ok(())) };
            let completed = upload.complete().await;
            if completed.is_err() {
                drop(Self::new(upload));
            }
            Ok(completed.map(drop))
        })
        .await?
        .map_err(UploadError::Store)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.begun.take() else { return };
        let mut parts = mem::take(&mut self.parts);
        if self.owner != process::id() {
            // Its tasks and its connection are those of the parent.
            mem::forget((upload, parts));
            return;
        }
        runtime().spawn(async move {
            // A part that arrives after the abort would stay.
            parts.shutdown().await;
            // Nobody is left to tell; the store's own rules for old uploads are the last resort.
            let _ = upload.abort().await;
        });
    }
}
