//! Requests under limits that tell a slow line from a server that stalls, and a message from a flood.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService, ReqwestConnector,
};
use object_store::{ClientConfigKey, ClientOptions};
use once_cell::sync::OnceCell;

/// What counts as slow in sending, bytes a second: four parts side by side are then 2 Mbit/s.
const SLOW: u64 = 64 << 10;
/// Of what a server says about a failure, no more is read.
const SAID: usize = 64 << 10;

/// Makes the connections of a store.
#[derive(Debug)]
pub(crate) struct Connector {
    /// For how long nothing may arrive.
    pub(crate) timeout: Duration,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let service = Service {
            receiving: Lazy::new(options, self.timeout),
            // Its limit runs while a body is being sent, too, of which nothing is known here but the
            // length: each request has its own instead.
            sending: Lazy::new(options, Duration::from_secs(24 * 3600)),
            timeout: self.timeout,
        };
        let given = |key: ClientConfigKey| options.get_config_value(&key).is_some();
        if given(ClientConfigKey::ProxyUrl) || given(ClientConfigKey::ProxyCaCertificate) {
            // All else that a client could find wrong with its settings has been checked.
            service.receiving.client()?;
        }
        Ok(HttpClient::new(service))
    }
}

#[derive(Debug)]
struct Service {
    receiving: Lazy,
    sending: Lazy,
    timeout: Duration,
}

/// A client that its first request makes: reading the certificates of the system takes 10 to 20 ms,
/// which a store that is only passed on, or that never sends, need not wait for.
#[derive(Debug)]
struct Lazy {
    options: ClientOptions,
    client: OnceCell<HttpClient>,
}

impl Lazy {
    fn new(options: &ClientOptions, timeout: Duration) -> Self {
        Self { options: options.clone().with_read_timeout(timeout), client: OnceCell::new() }
    }

    fn client(&self) -> object_store::Result<&HttpClient> {
        self.client.get_or_try_init(|| ReqwestConnector::default().connect(&self.options))
    }

    async fn execute(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let client =
            self.client().map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        client.execute(request).await
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let length = request.body().content_length() as u64;
        let response = if length < SLOW {
            self.receiving.execute(request).await?
        } else {
            let limit = self.timeout + Duration::from_secs(length / SLOW);
            let answered = tokio::time::timeout(limit, self.sending.execute(request)).await;
            answered.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))??
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        Ok(HttpResponse::from_parts(head, HttpResponseBody::from(beginning(body).await?)))
    }
}

async fn beginning(body: HttpResponseBody) -> Result<Bytes, HttpError> {
    let mut said = BytesMut::new();
    let mut pieces = body.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        said.extend_from_slice(piece.get(..SAID - said.len()).unwrap_or(&piece));
        if said.len() >= SAID {
            break;
        }
    }
    Ok(said.freeze())
}
