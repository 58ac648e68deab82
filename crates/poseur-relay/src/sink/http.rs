//! A receiver to which records are POSTed, as NDJSON. What it answers with 2xx is delivered.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    USER_AGENT,
};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Failure, Lane, Sink};
use crate::batch::{Batch, Form};
use crate::compression::Compression;
use crate::config::Say;
use crate::config::values::{Secret, Span};
use crate::net::connect::{Connector, within};
use crate::net::tls;
use crate::pieces::Reader;

/// A receiver to which NDJSON is POSTed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HttpSink")]
pub struct Config {
    /// `http://` or `https://`, host, port and path.
    pub url: String,
    /// Whom to trust behind `https://`, and who we are.
    pub tls: Option<tls::Client>,
    /// A token that is sent as `Authorization: Bearer …`.
    pub bearer: Option<Secret>,
    /// Further headers. They are no place for secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How bodies are compressed.
    #[serde(default)]
    pub compress: Compression,
    /// How long connecting may take.
    #[serde(default = "super::connect_timeout")]
    pub connect_timeout: Span,
    /// How long an answer may take.
    #[serde(default = "super::answer_timeout")]
    pub timeout: Span,
}

impl Config {
    fn uri(&self) -> Result<Uri, String> {
        let uri: Uri = self.url.parse().map_err(|error| format!("{error}"))?;
        let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
        match is_known && uri.host().is_some() {
            true => Ok(uri),
            false => Err("an address such as http://127.0.0.1:8080/logs is expected".to_owned()),
        }
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        );
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("poseur/", env!("CARGO_PKG_VERSION"))),
        );
        for (name, value) in &self.headers {
            let header = HeaderName::try_from(name).map_err(|error| format!("{name}: {error}"))?;
            let value = HeaderValue::try_from(value).map_err(|error| format!("{name}: {error}"))?;
            headers.insert(header, value);
        }
        Ok(headers)
    }

    pub(super) fn check(&self, say: &mut Say<'_>) {
        match self.uri() {
            Err(reason) => say("sink.url", &reason),
            Ok(uri) if self.tls.is_some() && uri.scheme_str() == Some("http") => {
                say("sink.tls", "it has no meaning behind `http://`");
            }
            Ok(_) => {}
        }
        if let Err(reason) = self.headers() {
            say("sink.headers", &reason);
        }
    }

    pub(super) fn secrets(&self) -> Vec<&Secret> {
        self.bearer.iter().collect()
    }

    pub(super) fn sink(&self) -> Result<Http, String> {
        let (uri, mut headers) = (self.uri()?, self.headers()?);
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::try_from(authority).map_err(|error| error.to_string())?;
        headers.insert(HOST, host);
        if let Some(bearer) = &self.bearer {
            let value = [b"Bearer ", &bearer.read()?[..]].concat();
            let value = HeaderValue::try_from(value);
            let mut value = value.map_err(|_| "the token is no header".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let secure = uri.scheme_str() == Some("https");
        let own = tls::Client::default();
        let tls = self.tls.as_ref().unwrap_or(&own);
        let tls = secure.then(|| tls::Connector::new(tls, &[b"http/1.1"]));
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Http(Arc::new(Settings {
            connector: Connector {
                receivers: vec![format!("{}:{port}", uri.host().unwrap_or_default())],
                tls: tls.transpose()?,
                limit: self.connect_timeout.0,
            },
            path: path.to_owned(),
            headers,
            compress: self.compress,
            timeout: self.timeout.0,
        })))
    }
}

#[derive(Debug)]
struct Settings {
    connector: Connector,
    path: String,
    headers: HeaderMap,
    compress: Compression,
    timeout: Duration,
}

/// The downstream.
#[derive(Debug)]
pub struct Http(Arc<Settings>);

impl Sink for Http {
    fn form(&self) -> Form {
        Form::Lines
    }

    fn lane(&self) -> Box<dyn Lane> {
        Box::new(HttpLane {
            settings: self.0.clone(),
            connection: None,
        })
    }
}

struct HttpLane {
    settings: Arc<Settings>,
    connection: Option<SendRequest<Full<Reader>>>,
}

impl HttpLane {
    async fn connect(settings: &Settings) -> io::Result<SendRequest<Full<Reader>>> {
        let stream = settings.connector.connect(0).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // It ends with its sender.
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn attempt(&mut self, batch: &Batch) -> io::Result<StatusCode> {
        let settings = self.settings.clone();
        // A receiver may have closed a connection that was silent for long.
        self.connection.take_if(|connection| connection.is_closed());
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let connect = HttpLane::connect(&settings);
                none.insert(within(settings.connector.limit, "connecting", connect).await?)
            }
        };
        let mut request = Request::post(&settings.path);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&settings.headers);
            if let Some(name) = settings.compress.name() {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
            }
        }
        let body = batch.packed_as(settings.compress);
        let request = request
            .body(Full::new(body.reader()))
            .map_err(io::Error::other)?;
        let answer = async {
            let response = connection.send_request(request).await;
            let response = response.map_err(io::Error::other)?;
            let status = response.status();
            // The connection is free again only when the answer has been read; what it says beside its status is
            // of no use.
            let body = http_body_util::Limited::new(response.into_body(), 64 << 10);
            let drained = http_body_util::BodyExt::collect(body).await;
            Ok((status, drained.is_ok()))
        };
        let (status, free) = within(settings.timeout, "the answer", answer).await?;
        if !free {
            self.connection = None;
        }
        Ok(status)
    }
}

#[async_trait]
impl Lane for HttpLane {
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure> {
        let outcome = self.attempt(batch).await;
        let receiver = self.settings.connector.receiver(0);
        match outcome {
            Err(error) => {
                // A late answer must not be taken for that of the next request.
                self.connection = None;
                Err(Failure::Unavailable(format!("{receiver}: {error}")))
            }
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) if may_pass(status) => Err(Failure::Unavailable(format!(
                "{receiver} answered {status}"
            ))),
            Ok(status) => Err(Failure::Refused(format!("{receiver} answered {status}"))),
        }
    }
}

/// Whether the same request may be accepted later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::TOO_EARLY
        )
}
