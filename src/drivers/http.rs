//! HTTP requests whose failures tell the one thing that matters to an effect: whether the request can have arrived.
//!
//! Nothing here repeats a request: no redirect is followed, no retry is made, and no idle connection is used again,
//! since one that the server has just closed makes a request that was never read look like one that may have been.

use std::borrow::Cow;
use std::fs::File;
use std::io::Seek;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::multipart::Part;
pub use reqwest::{Method, Url};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use crate::base::boundary;

/// The longest answer that is read whole, in bytes.
pub const LONGEST_BODY: usize = 64 << 20;

/// How much of a file is read at a time to be sent.
const PIECE: usize = 256 << 10;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What is sent with a request.
pub enum Body {
    /// Nothing.
    Empty,
    /// `application/json`.
    Json(Value),
    /// A text of some media type.
    Text {
        /// Its media type.
        media_type: &'static str,
        /// The text.
        text: String,
    },
    /// `multipart/form-data` with one file.
    File {
        /// The name of the form field.
        field: &'static str,
        /// The name of the file.
        name: String,
        /// Its media type.
        media_type: &'static str,
        /// What is in it.
        content: Content,
    },
}

/// What is in a file that is sent.
#[derive(Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Cow<'static, [u8]>),
    /// A file, from its first byte to its last, read while it is sent.
    File(File),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

/// How much of an answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it; an answer longer than [`LONGEST_BODY`] is a failure.
    Whole,
    /// All of it; an answer that is longer than this is a failure.
    Most(usize),
    /// The last bytes, however long it is.
    Tail(usize),
}

/// One request.
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// What with.
    pub body: Body,
    /// The value of the `Authorization` header, revealed.
    pub authorization: Option<String>,
    /// Other headers, revealed.
    pub headers: Vec<(String, String)>,
    /// From the first byte sent to the last one received, the connection included.
    pub timeout: Duration,
    /// How much of the answer is kept.
    pub keep: Keep,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`; empty where there is none.
    pub content_type: String,
    /// Where a redirect leads, which is not followed.
    pub location: Option<String>,
    /// All headers, their names in lower case; one that is there twice has its values joined with a comma.
    pub headers: std::collections::BTreeMap<String, String>,
    /// What was kept of the body.
    pub body: Vec<u8>,
    /// How long the whole body was, in bytes.
    pub length: u64,
}

impl Answer {
    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// False only where it is certain that nothing was sent: no connection came about, or the request is malformed.
    /// True is *ambiguous*: the request may have arrived and may still be worked on.
    pub maybe_sent: bool,
    /// What happened, the outermost cause first.
    pub causes: Vec<String>,
}

impl Failure {
    /// What is to be sent could not be read.
    fn unsent(error: std::io::Error) -> Self {
        Self { maybe_sent: false, causes: vec![error.to_string()] }
    }

    fn of(error: reqwest::Error, timeout: Duration) -> Self {
        let never_sent = error.is_connect() || error.is_builder();
        let timed_out = error.is_timeout();
        let error = error.without_url();
        let mut causes = Vec::new();
        if timed_out {
            causes.push(if never_sent {
                format!("no connection within {} s", CONNECT_TIMEOUT.min(timeout).as_secs_f32())
            } else {
                format!("no whole answer within {} s", timeout.as_secs_f32())
            });
        } else {
            let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
            while let Some(cause) = next {
                let text = cause.to_string();
                // The outermost texts say only `error sending request`; what they wrap says why.
                if cause.source().is_none()
                    || !text.starts_with("error sending request") && text != "client error (Connect)"
                {
                    causes.push(text);
                }
                next = cause.source();
            }
            causes.dedup();
        }
        Self { maybe_sent: !never_sent, causes }
    }
}

/// Sends a request once and reads the answer.
///
/// # Errors
/// [`Failure`]: no connection, no answer in time, or an answer that broke off. Every HTTP status is an [`Answer`].
pub async fn send(request: Request) -> Result<Answer, Failure> {
    let client = client(&request.url)?;
    let timeout = request.timeout;
    let keep = request.keep;
    let prepared = prepare(client, request)?;
    boundary::reach("request.before");
    let result = exchange(client, prepared, timeout, keep).await;
    boundary::reach("request.after");
    result
}

fn prepare(client: &reqwest::Client, request: Request) -> Result<reqwest::Request, Failure> {
    let timeout = request.timeout;
    let mut builder = client.request(request.method, request.url).timeout(request.timeout);
    if let Some(value) = request.authorization {
        builder = builder.header(reqwest::header::AUTHORIZATION, value);
    }
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    builder = match request.body {
        Body::Empty => builder,
        Body::Text { media_type, text } => builder.header(reqwest::header::CONTENT_TYPE, media_type).body(text),
        Body::Json(value) => builder.json(&value),
        Body::File { field, name, media_type, content } => {
            let part = part(content).map_err(Failure::unsent)?.file_name(name);
            let part = part.mime_str(media_type).map_err(|error| Failure::of(error, timeout))?;
            builder.multipart(reqwest::multipart::Form::new().part(field, part))
        }
    };
    builder.build().map_err(|error| Failure::of(error, timeout))
}

/// A file of a form. Its length is told before, so that a server knows a whole one from one that broke off.
fn part(content: Content) -> std::io::Result<Part> {
    Ok(match content {
        Content::Bytes(bytes) => Part::bytes(bytes),
        Content::File(mut file) => {
            file.rewind()?;
            let length = file.metadata()?.len();
            let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file), PIECE);
            Part::stream_with_length(reqwest::Body::wrap_stream(pieces), length)
        }
    })
}

async fn exchange(
    client: &reqwest::Client,
    request: reqwest::Request,
    timeout: Duration,
    keep: Keep,
) -> Result<Answer, Failure> {
    let mut response = client.execute(request).await.map_err(|error| Failure::of(error, timeout))?;
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut answer = Answer {
        status: response.status().as_u16(),
        content_type: header(reqwest::header::CONTENT_TYPE).unwrap_or_default(),
        location: header(reqwest::header::LOCATION),
        headers: headers(response.headers()),
        body: Vec::new(),
        length: 0,
    };
    loop {
        let chunk = response.chunk().await.map_err(|error| {
            let mut failure = Failure::of(error, timeout);
            failure.causes.insert(0, format!("the answer broke off after {} bytes", answer.length));
            failure
        })?;
        let Some(chunk) = chunk else { break };
        answer.length += chunk.len() as u64;
        let most = match keep {
            Keep::Most(most) => most,
            _ => LONGEST_BODY,
        };
        match keep {
            Keep::Whole | Keep::Most(_) if answer.body.len() + chunk.len() > most => {
                let causes = vec![format!("the answer is longer than {} MiB", most >> 20)];
                return Err(Failure { maybe_sent: true, causes });
            }
            Keep::Whole | Keep::Most(_) => answer.body.extend_from_slice(&chunk),
            Keep::Tail(longest) => {
                answer.body.extend_from_slice(&chunk);
                // Moving the tail once per doubling keeps this linear.
                if answer.body.len() > longest.saturating_mul(2).max(64 << 10) {
                    answer.body.drain(..answer.body.len() - longest);
                }
            }
        }
    }
    if let Keep::Tail(longest) = keep {
        let cut = answer.body.len().saturating_sub(longest);
        answer.body.drain(..cut);
    }
    Ok(answer)
}

fn headers(map: &reqwest::header::HeaderMap) -> std::collections::BTreeMap<String, String> {
    let mut headers = std::collections::BTreeMap::new();
    for (name, value) in map {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|before: &mut String| *before = format!("{before}, {value}"))
            .or_insert(value);
    }
    headers
}

/// The client for a URL, built at its first use. What listens on this machine is asked without the proxies of the
/// environment.
fn client(url: &Url) -> Result<&'static reqwest::Client, Failure> {
    static DIRECT: OnceLock<Result<reqwest::Client, String>> = OnceLock::new();
    static PROXIED: OnceLock<Result<reqwest::Client, String>> = OnceLock::new();
    let built =
        if is_loopback(url) { DIRECT.get_or_init(|| build(true)) } else { PROXIED.get_or_init(|| build(false)) };
    built.as_ref().map_err(|why| Failure { maybe_sent: false, causes: vec![why.clone()] })
}

fn build(direct: bool) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")));
    if direct {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| format!("the HTTP client cannot be built: {error}"))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        assert!(loopback("http://localhost:8081/x"));
        assert!(loopback("http://127.0.0.9"));
        assert!(loopback("http://[::1]:80"));
        assert!(!loopback("http://localhost.example"));
        assert!(!loopback("http://10.0.0.1"));
        assert!(!loopback("http://127.0.0.1.example/"));
    }
}
