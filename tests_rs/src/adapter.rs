//! A store of ours as one of `object_store`'s, for the tests that come with it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use mithril_core::{PutCondition, StorageBackend, StorageError};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, Error, Extensions, GetOptions, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, UploadPart,
};
use tokio::sync::mpsc;

/// The adapter. What a store of ours cannot do, such as attributes, it leaves out in silence.
#[derive(Clone)]
pub struct Adapter(pub Arc<dyn StorageBackend>);

fn told(error: StorageError) -> Error {
    let (path, source) = (error.to_string(), error.to_string().into());
    match error {
        StorageError::NotFound(_) => Error::NotFound { path, source },
        StorageError::AlreadyExists(_) => Error::AlreadyExists { path, source },
        StorageError::Changed(_) => Error::Precondition { path, source },
        StorageError::PermissionDenied(_) => Error::PermissionDenied { path, source },
        StorageError::Unsupported(_) => Error::NotSupported { source },
        error => Error::Generic { store: "mithril", source: Box::new(error) },
    }
}

fn described(meta: mithril_core::ObjectMeta) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: Path::parse(&meta.key)?,
        last_modified: meta.last_modified,
        size: meta.size,
        e_tag: meta.etag,
        version: None,
    })
}

/// In `object_store` a prefix is a folder, here it is a text.
fn folder(prefix: Option<&Path>) -> String {
    let prefix = prefix.map_or("", AsRef::as_ref);
    if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
}

#[async_trait]
impl ObjectStore for Adapter {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let (key, data) = (location.as_ref(), Bytes::from(payload));
        let condition = match options.mode {
            PutMode::Overwrite => None,
            PutMode::Create => Some(PutCondition::Absent),
            PutMode::Update(version) => {
                Some(PutCondition::Matches(version.e_tag.unwrap_or_default()))
            }
        };
        let e_tag = if let Some(condition) = condition {
            self.0.put_if(key, data, condition).await.map_err(told)?
        } else {
            self.0.put(key, data).await.map_err(told)?;
            self.0.head(key).await.map_err(told)?.etag
        };
        Ok(PutResult { e_tag, version: None, extensions: Extensions::default() })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (parts, receiver) = mpsc::unbounded_channel();
        let (store, key) = (Arc::clone(&self.0), location.to_string());
        let writing = tokio::spawn(async move {
            let pieces = stream::unfold(
                receiver,
                |mut receiver: mpsc::UnboundedReceiver<Bytes>| async move {
                    Some((receiver.recv().await?, receiver))
                },
            );
            store.put_stream(&key, pieces.boxed()).await
        });
        Ok(Box::new(Upload { parts: Some(parts), writing: Some(writing) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let key = location.as_ref();
        let meta = described(self.0.head(key).await.map_err(told)?)?;
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range
                .as_range(meta.size)
                .map_err(|source| Error::Generic { store: "mithril", source: Box::new(source) })?,
            None => 0..meta.size,
        };
        let data = if options.head {
            Bytes::new()
        } else {
            self.0.get_range(key, range.clone()).await.map_err(told)?
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::iter([Ok(data)]).boxed()),
            meta,
            range,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = Arc::clone(&self.0);
        let deleted = locations.and_then(move |location| {
            let store = Arc::clone(&store);
            async move {
                store.delete(location.as_ref()).await.map_err(told)?;
                Ok(location)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (Arc::clone(&self.0), folder(prefix));
        let listed = async move {
            let found: Vec<_> = store.list_stream(&prefix).try_collect().await.map_err(told)?;
            Ok::<_, Error>(stream::iter(found.into_iter().map(described)))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let found = self.0.list_folder(&folder(prefix)).await.map_err(told)?;
        let folders = found.folders.iter().map(|folder| Ok(Path::parse(folder)?));
        let objects = found.objects.into_iter().map(described).collect::<Result<_>>()?;
        let folders = folders.collect::<Result<_>>()?;
        Ok(ListResult { common_prefixes: folders, objects, extensions: Extensions::default() })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        match options.mode {
            CopyMode::Overwrite => self.0.copy(from, to).await.map_err(told),
            CopyMode::Create => {
                let data = self.0.get(from).await.map_err(told)?;
                self.0.put_if(to, data, PutCondition::Absent).await.map(drop).map_err(told)
            }
        }
    }
}

/// Parts are pieces of a stream; a dropped sender ends it, and an aborted task drops it.
#[derive(Debug)]
struct Upload {
    parts: Option<mpsc::UnboundedSender<Bytes>>,
    writing: Option<tokio::task::JoinHandle<std::result::Result<(), StorageError>>>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let sent = self.parts.as_ref().expect("an upload under way").send(Bytes::from(data));
        Box::pin(std::future::ready(
            sent.map_err(|error| Error::Generic { store: "mithril", source: error.into() }),
        ))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        drop(self.parts.take());
        let writing = self.writing.take().expect("an upload under way");
        writing.await.expect("the task ends").map_err(told)?;
        Ok(PutResult { e_tag: None, version: None, extensions: Extensions::default() })
    }

    async fn abort(&mut self) -> Result<()> {
        let writing = self.writing.take().expect("an upload under way");
        writing.abort();
        let _ = writing.await;
        Ok(())
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adapter")
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adapter")
    }
}
