//! The failures of a job, read alike from 1.x and 2.x.

use serde::{Deserialize, Serialize};

use crate::base::clock::Millis;
use crate::model::diagnosis::{Diagnosis, diagnose};
use crate::model::trace;

/// `GET /jobs/:id/exceptions`, alike for 1.x and 2.x: the newest first.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Exceptions {
    /// The failures.
    pub entries: Vec<JobException>,
    /// Whether Flink left older ones out.
    pub truncated: bool,
}

impl Exceptions {
    /// The newest failure, understood.
    pub fn diagnosis(&self) -> Option<Diagnosis> {
        let newest = self.entries.first()?;
        let concurrent = newest.concurrent.first().map(|exception| exception.stacktrace.as_str());
        Some(diagnose(trace::failure(&newest.stacktrace, concurrent)))
    }
}

/// One failure of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobException {
    /// The class.
    #[serde(rename = "exceptionName")]
    pub exception: String,
    /// The whole trace.
    pub stacktrace: String,
    /// When.
    pub timestamp: Millis,
    /// Which task; none where the whole job failed.
    pub task_name: Option<String>,
    /// On which host and port.
    pub endpoint: Option<String>,
    /// On which TaskManager.
    pub task_manager_id: Option<String>,
    /// What failed along with it.
    #[serde(default, rename = "concurrentExceptions")]
    pub concurrent: Vec<JobException>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExceptionsAnswer {
    exception_history: Option<History>,
    #[serde(rename = "root-exception")]
    root_exception: Option<String>,
    timestamp: Option<Millis>,
}

#[derive(Debug, Deserialize)]
struct History {
    #[serde(default)]
    entries: Vec<JobException>,
    #[serde(default)]
    truncated: bool,
}

impl From<ExceptionsAnswer> for Exceptions {
    fn from(answer: ExceptionsAnswer) -> Self {
        let history = answer.exception_history.unwrap_or(History { entries: Vec::new(), truncated: false });
        let mut entries = history.entries;
        if entries.is_empty()
            && let Some(stacktrace) = answer.root_exception.filter(|trace| !trace.is_empty())
        {
            let exception = trace::causes(&stacktrace).into_iter().next().map(|cause| cause.class).unwrap_or_default();
            entries.push(JobException {
                exception,
                stacktrace,
                timestamp: answer.timestamp.unwrap_or_default(),
                task_name: None,
                endpoint: None,
                task_manager_id: None,
                concurrent: Vec::new(),
            });
        }
        Self { entries, truncated: history.truncated }
    }
}
