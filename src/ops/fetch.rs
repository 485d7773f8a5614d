//! HTTP requests of scripts, to hosts that the workspace allows.

use std::time::Duration;

use serde_json::{Value, json};

use super::capability;
use super::services::Services;
use crate::base::secret::SecretText;
use crate::base::{Error, Result, code};
use crate::drivers::http::{self, Answer, Body, Failure, Keep, Method, Url};

/// The longest answer, in bytes.
const LONGEST: usize = 16 << 20;

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

/// Headers that the client sets itself.
const OURS: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"];

/// A request that a script wants to make.
#[derive(Debug)]
pub struct Wanted {
    /// The address.
    pub url: String,
    /// The headers.
    pub headers: Vec<(String, SecretText)>,
    /// What is sent, and its media type.
    pub body: Option<(SecretText, &'static str)>,
    /// From the first byte sent to the last one received.
    pub timeout: Duration,
}

/// Fetches; a redirect is followed where it leads to an allowed host.
///
/// # Errors
/// `capability.denied`, `argument.invalid`, `secret.missing`, `http.failed`.
pub async fn get(services: &Services, wanted: Wanted) -> Result<Value> {
    let first = address(&wanted.url)?;
    let mut url = first.clone();
    for _ in 0..=MOST_REDIRECTS {
        // What was meant for one server is told to no other.
        let headers = if url.origin() == first.origin() { &wanted.headers[..] } else { &[] };
        let answer = send(services, Method::GET, &url, headers, None, wanted.timeout).await?;
        let answer = answer.map_err(|failure| failed(&url, failure))?;
        match &answer.location {
            Some(location) if (300..400).contains(&answer.status) => {
                url = url.join(location).map_err(|error| {
                    Error::new(&code::HTTP_FAILED, format!("{} redirects to nowhere", place(&url))).caused_by(error)
                })?;
                check(&url)?;
            }
            _ => return Ok(facts(services, &answer)),
        }
    }
    Err(Error::new(&code::HTTP_FAILED, format!("{} redirects more than {MOST_REDIRECTS} times", place(&first))))
}

/// Posts, once; no redirect is followed.
///
/// # Errors
/// As [`get`]; `run.unknown_outcome` where the request may have arrived and no answer came.
pub async fn post(services: &Services, wanted: Wanted) -> Result<Value> {
    let url = address(&wanted.url)?;
    let answer = send(services, Method::POST, &url, &wanted.headers, wanted.body, wanted.timeout).await?;
    match answer {
        Ok(answer) => Ok(facts(services, &answer)),
        Err(failure) if failure.maybe_sent => Err(unknown(&url, &failure)),
        Err(failure) => Err(failed(&url, failure)),
    }
}

async fn send(
    services: &Services,
    method: Method,
    url: &Url,
    headers: &[(String, SecretText)],
    body: Option<(SecretText, &'static str)>,
    timeout: Duration,
) -> Result<Result<Answer, Failure>> {
    capability::http(&services.allow, url)?;
    let mut revealed = Vec::new();
    for (name, value) in headers {
        if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
            return Err(Error::new(&code::ARGUMENT_INVALID, format!("the header `{name}` is tidegate's own")));
        }
        revealed.push((name.clone(), services.secrets.reveal(value)?));
    }
    let body = match body {
        None => Body::Empty,
        Some((text, media_type)) => Body::Text { media_type, text: services.secrets.reveal(&text)? },
    };
    let request = http::Request {
        method,
        url: url.clone(),
        body,
        authorization: None,
        headers: revealed,
        timeout,
        keep: Keep::Most(LONGEST),
    };
    Ok(http::send(request).await)
}

fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| {
        Error::new(&code::ARGUMENT_INVALID, format!("`{text}` is no address"))
            .caused_by(error)
            .hint("https://api.example.com/path")
    })?;
    check(&url)?;
    Ok(url)
}

fn check(url: &Url) -> Result<()> {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("`{}` is no http address", url.scheme()))
            .hint("https://api.example.com/path"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::new(&code::ARGUMENT_INVALID, "an address cannot hold a user or a password")
            .hint("#{ headers: #{ Authorization: \"Bearer \" + env::secret(\"TOKEN\") } }"));
    }
    Ok(())
}

/// The address without path and query, which may hold what is nobody's business.
fn place(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn failed(url: &Url, failure: Failure) -> Error {
    let error = Error::new(&code::HTTP_FAILED, format!("{} gave no answer", place(url)));
    failure.causes.into_iter().fold(error, Error::caused_by)
}

fn unknown(url: &Url, failure: &Failure) -> Error {
    let error = Error::new(
        &code::RUN_UNKNOWN_OUTCOME,
        format!("{} gave no answer to a POST that may have arrived", place(url)),
    );
    failure
        .causes
        .iter()
        .fold(error, |error, cause| error.caused_by(cause))
        .hint("find out whether it arrived; `tidegate runs show` names the step: then `tidegate resume RUN --step N=retry`, or `--step N=done:JSON`")
}

fn facts(services: &Services, answer: &Answer) -> Value {
    // As the journal will hold it: a resumed run must not see another text.
    let body = services.secrets.mask(&answer.text());
    let headers: serde_json::Map<String, Value> =
        answer.headers.iter().map(|(name, value)| (name.clone(), services.secrets.mask(value).into())).collect();
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    json!({ "status": answer.status, "headers": headers, "body": body, "json": json })
}
