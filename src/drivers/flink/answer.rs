//! What an answer means, and the errors for those that mean nothing.

use serde::de::DeserializeOwned;

use crate::base::{Error, code};
use crate::drivers::http::{Answer, Failure};
use crate::model::{diagnosis, trace};

/// Who was asked what, for messages: `GET /overview` at `127.0.0.1:8081`.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Host and port.
    pub(super) place: String,
    /// Verb and path.
    pub(super) request: String,
    /// What to do where no answer comes.
    pub(super) remedy: String,
}

impl Asked {
    /// No answer came.
    pub(super) fn unreachable(&self, failure: &Failure) -> Error {
        let error = Error::new(&code::FLINK_UNREACHABLE, format!("the JobManager at `{}` did not answer", self.place));
        let error = failure.causes.iter().fold(error, |error, cause| error.caused_by(cause));
        self.complete(error).hint(self.remedy.clone()).with("maybe_sent", failure.maybe_sent)
    }

    /// A status that is not success.
    pub(super) fn failed(&self, answer: &Answer) -> Error {
        let body = answer.text();
        if matches!(answer.status, 502..=504) {
            let error = Error::new(
                &code::FLINK_UNREACHABLE,
                format!("the JobManager at `{}` did not answer by itself", self.place),
            );
            return self
                .complete(error.caused_by(format!("HTTP {}: {}", answer.status, said(answer))))
                .hint("the JobManager is starting or electing a leader, or a proxy before it cannot reach it")
                .with("maybe_sent", true)
                .with("status", answer.status);
        }
        if !trace::is_flink_error(&body) {
            return self.unexpected(answer, "that is no answer of Flink");
        }
        let found = diagnosis::diagnose(&body);
        let error =
            Error::new(&code::FLINK_REFUSED, format!("the JobManager at `{}` refused `{}`", self.place, self.request));
        let error = found.chain.iter().fold(error, |error, cause| error.caused_by(cause));
        let error = match found.hint {
            Some(hint) => error.hint(hint),
            None => error,
        };
        self.complete(error).with("status", answer.status).detail(body)
    }

    /// An answer that Flink does not give.
    pub(super) fn unexpected(&self, answer: &Answer, why: &str) -> Error {
        let error = Error::new(
            &code::FLINK_UNEXPECTED_ANSWER,
            format!("what answers at `{}` does not speak like a Flink JobManager", self.place),
        )
        .caused_by(format!("`{}` was answered with HTTP {}: {}", self.request, answer.status, said(answer)))
        .caused_by(why);
        self.complete(error)
            .hint("a proxy, a login page or another program may listen there: check the `url:` of the cluster")
            .with("status", answer.status)
    }

    fn complete(&self, error: Error) -> Error {
        error.with("at", self.place.as_str()).with("request", self.request.as_str())
    }

    /// The JSON of an answer of success.
    pub(super) fn json<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, Error> {
        if !(200..300).contains(&answer.status) {
            return Err(self.failed(answer));
        }
        let mut reader = serde_json::Deserializer::from_slice(&answer.body);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let why = match error.path().to_string().as_str() {
                "." => format!("it is not the expected JSON: {}", error.inner()),
                path => format!("it is not the expected JSON: at `{path}`: {}", error.inner()),
            };
            self.unexpected(answer, &why)
        })
    }
}

/// Content type and the first 80 characters of an answer.
pub(super) fn said(answer: &Answer) -> String {
    let text = answer.text();
    let mut start: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = start.char_indices().nth(80) {
        start.truncate(end);
        start.push_str("...");
    }
    let kind = match (&answer.location, answer.content_type.as_str()) {
        (Some(location), _) => format!("a redirect to `{location}`"),
        (None, "") => "no content type".to_owned(),
        (None, kind) => kind.to_owned(),
    };
    if start.is_empty() { format!("{kind}, empty") } else { format!("{kind}, `{start}`") }
}

/// Whether a 404 says that the thing is not there, rather than that nobody knows the address: Flink answers
/// `Unable to load requested file` for a path that it does not serve, and proxies have 404 of their own.
pub(super) fn is_not_found(answer: &Answer) -> bool {
    let body = answer.text();
    answer.status == 404
        && trace::is_flink_error(&body)
        && (body.contains("NotFoundException") || body.contains("could not be found"))
}
