//! Savepoints, and stops with one. A trigger id of the caller's makes the request idempotent while the JobManager lives.
//!
//! Source: `StopWithSavepointRequestBody`, `SavepointTriggerRequestBody` and `SavepointInfo` in `flink-runtime`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer;
use super::client::{Client, shown};
use super::version::Version;
use crate::base::wording::cut;
use crate::base::{Error, Result, code};
use crate::drivers::http::{Answer, Body, Keep, Method};
use crate::model::trace;

/// How many causes of a failed savepoint are kept, and how many characters of each: the answer can carry 30 KB of
/// serialized Java.
const CAUSES: usize = 5;
const CHARACTERS: usize = 300;

/// What Flink says where there is nothing at the path of a savepoint.
const NOT_FOUND: &str = "Cannot find checkpoint or savepoint file/directory";

/// A savepoint that is asked for.
#[derive(Debug, Clone)]
pub struct SavepointRequest {
    /// The Flink job id.
    pub job_id: String,
    /// 32 hex digits, ours: the same id asked for twice is one savepoint.
    pub trigger_id: String,
    /// The folder below which Flink makes the savepoint's own.
    pub target: String,
    /// Whether the job ends with it.
    pub stops: bool,
    /// The cluster's version.
    pub version: Version,
}

/// What became of the wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Triggered {
    /// It is under way, or was asked for before under this id.
    Accepted,
    /// Flink says no, or does not know the job.
    Refused {
        /// Class and message of each cause, the outermost first.
        causes: Vec<String>,
    },
    /// It cannot be told whether the request arrived.
    Ambiguous {
        /// What was seen.
        why: String,
    },
}

/// How a savepoint stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavepointStatus {
    /// Not done yet.
    InProgress,
    /// Whole, there.
    Completed {
        /// Where it lies.
        location: String,
    },
    /// It failed. The job may run on.
    Failed {
        /// Class and message of each cause, the outermost first.
        causes: Vec<String>,
    },
    /// The JobManager does not know the trigger id: it never came, or was forgotten (after 5 minutes by default).
    Unknown,
}

#[derive(Deserialize)]
struct Told {
    status: Status,
    #[serde(default)]
    operation: Option<Operation>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
}

#[derive(Deserialize)]
struct Operation {
    location: Option<String>,
    #[serde(rename = "failure-cause")]
    failure: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    class: String,
    #[serde(rename = "stack-trace", default)]
    trace: String,
}

impl Client {
    /// Asks for a savepoint, or for a stop with one.
    ///
    /// # Errors
    /// An error means that nothing was sent: `flink.version` before 1.15, which knows no trigger ids of the caller's,
    /// `secret.missing`, and `flink.unreachable` where no connection came about.
    pub async fn trigger_savepoint(&self, request: &SavepointRequest) -> Result<Triggered> {
        if request.version < Version::new(1, 15) {
            return Err(Error::new(
                &code::FLINK_VERSION,
                format!("Flink {} takes no id of ours with a savepoint, so one could be made twice", request.version),
            )
            .hint("since Flink 1.15 it does; with `upgrade: \"last_state\"` the newest checkpoint is used instead"));
        }
        let (last, body) = if request.stops {
            ("stop", json!({ "targetDirectory": request.target, "drain": false, "triggerId": request.trigger_id }))
        } else {
            (
                "savepoints",
                json!({ "target-directory": request.target, "cancel-job": false, "triggerId": request.trigger_id }),
            )
        };
        let segments = ["jobs", &request.job_id, last];
        let asked = self.asked(&Method::POST, &shown(&segments));
        let sent = self
            .exchange(Method::POST, self.url(&segments), Body::Json(body), self.answer_timeout(), Keep::Whole)
            .await?;
        match sent {
            Ok(answer) => Ok(classify(&answer)),
            Err(failure) if failure.maybe_sent => {
                Ok(Triggered::Ambiguous { why: format!("`{}`: {}", asked.place, failure.causes.join(": ")) })
            }
            Err(failure) => Err(asked.unreachable(&failure)),
        }
    }

    /// How a savepoint that was asked for stands.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn savepoint_status(&self, job_id: &str, trigger_id: &str) -> Result<SavepointStatus> {
        // Flink's words for a trigger that it does not know come without a class, unlike those for a job.
        let unknown = |error: &Error| {
            error.is(&code::FLINK_REFUSED)
                && error.causes().iter().any(|cause| cause.contains("There is no savepoint operation"))
        };
        let told = match self.read_if_there::<Told>(&["jobs", job_id, "savepoints", trigger_id]).await {
            Ok(Some(told)) => told,
            Ok(None) => return Ok(SavepointStatus::Unknown),
            Err(error) if unknown(&error) => return Ok(SavepointStatus::Unknown),
            Err(error) => return Err(error),
        };
        if told.status.id != "COMPLETED" {
            return Ok(SavepointStatus::InProgress);
        }
        Ok(match told.operation {
            Some(Operation { location: Some(location), failure: None }) => SavepointStatus::Completed { location },
            Some(Operation { failure: Some(failure), .. }) => SavepointStatus::Failed { causes: failure.causes() },
            _ => SavepointStatus::Failed { causes: vec!["Flink names neither a place nor a cause".to_owned()] },
        })
    }
}

/// How the deletion of a savepoint stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposal {
    /// Not done yet.
    InProgress,
    /// It is gone.
    Done,
    /// There was nothing at its path, as the cluster sees it.
    NotThere,
    /// It could not be deleted.
    Failed {
        /// Class and message of each cause, the outermost first.
        causes: Vec<String>,
    },
}

impl Client {
    /// Asks Flink to delete a savepoint, and gives the id under which it is asked how that stands.
    ///
    /// `POST /savepoint-disposal` (`SavepointDisposalHandlers` in `flink-runtime`).
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn dispose_savepoint(&self, path: &str) -> Result<String> {
        let segments = ["savepoint-disposal"];
        let asked = self.asked(&Method::POST, &shown(&segments));
        let body = Body::Json(json!({ "savepoint-path": path }));
        let sent = self.exchange(Method::POST, self.url(&segments), body, self.answer_timeout(), Keep::Whole).await?;
        let answer = sent.map_err(|failure| asked.unreachable(&failure))?;
        let told: Value = asked.json(&answer)?;
        let id = told.get("request-id").and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| asked.unexpected(&answer, "it names no request-id"))
    }

    /// How the deletion of a savepoint stands.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn disposal_status(&self, request: &str) -> Result<Disposal> {
        let told: Told = self.read(&["savepoint-disposal", request]).await?;
        if told.status.id != "COMPLETED" {
            return Ok(Disposal::InProgress);
        }
        Ok(match told.operation.and_then(|operation| operation.failure) {
            Some(failure) => match failure.causes() {
                // Source: `AbstractFsCheckpointStorageAccess.resolveCheckpointPointer`, Flink 1.17 to 2.3.
                causes if causes.iter().any(|cause| cause.contains(NOT_FOUND)) => Disposal::NotThere,
                causes => Disposal::Failed { causes },
            },
            None => Disposal::Done,
        })
    }
}

impl Failure {
    fn causes(&self) -> Vec<String> {
        let causes = shortened(&self.trace);
        if causes.is_empty() { vec![cut(&self.class, CHARACTERS)] } else { causes }
    }
}

/// Class and message of the causes of a trace.
fn shortened(text: &str) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in trace::causes(text) {
        let cause = format!("{}: {}", cause.simple_class(), cut(cause.message.trim(), CHARACTERS));
        if causes.len() < CAUSES && !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

/// Whatever is not known to be Flink's own final word is ambiguous.
fn classify(answer: &Answer) -> Triggered {
    let body = answer.text();
    if answer.status == 202 || answer.status == 200 {
        let named = serde_json::from_str::<Value>(&body).ok();
        if named.is_some_and(|value| value.get("request-id").is_some_and(Value::is_string)) {
            return Triggered::Accepted;
        }
    }
    let final_word = matches!(answer.status, 400 | 404 | 409) && trace::is_flink_error(&body);
    if final_word {
        return Triggered::Refused { causes: shortened(&body) };
    }
    Triggered::Ambiguous { why: format!("HTTP {}, {}", answer.status, answer::said(answer)) }
}
