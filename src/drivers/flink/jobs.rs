//! Jobs: what they are, how they do, and their cancellation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer;
use super::checkpoints::Checkpoints;
use super::client::{Client, shown};
use super::exceptions::{Exceptions, ExceptionsAnswer};
use super::types::{JobDetail, JobOverview, JobState, JobsOverview, KeyedValue, Requirement};
use crate::base::Result;
use crate::drivers::http::{Body, Keep, Method};

/// What became of the wish to cancel a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancellation {
    /// It is being cancelled, or was cancelled before.
    Accepted,
    /// The JobManager does not know the job.
    NotFound,
    /// It had ended otherwise.
    AlreadyTerminal {
        /// How; none where Flink did not say.
        state: Option<JobState>,
    },
}

impl Client {
    /// Every job that the JobManager knows: terminal ones for an hour, none of before its own start.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn jobs(&self) -> Result<Vec<JobOverview>> {
        Ok(self.read::<JobsOverview>(&["jobs", "overview"]).await?.jobs)
    }

    /// One job; none where the JobManager says that it does not know it.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn job(&self, id: &str) -> Result<Option<JobDetail>> {
        self.read_if_there(&["jobs", id]).await
    }

    /// Its failures.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn exceptions(&self, id: &str) -> Result<Option<Exceptions>> {
        let answer: Option<ExceptionsAnswer> = self.read_if_there(&["jobs", id, "exceptions"]).await?;
        Ok(answer.map(Exceptions::from))
    }

    /// Its checkpoints and savepoints.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn checkpoints(&self, id: &str) -> Result<Option<Checkpoints>> {
        self.read_if_there(&["jobs", id, "checkpoints"]).await
    }

    /// Its metrics of these names, as Flink writes them; those that it does not have are left out. A job that is not
    /// there has none.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn metrics(&self, id: &str, names: &[&str]) -> Result<BTreeMap<String, String>> {
        let segments = ["jobs", id, "metrics"];
        let asked = self.asked(&Method::GET, &shown(&segments));
        let mut url = self.url(&segments);
        url.query_pairs_mut().append_pair("get", &names.join(","));
        let answer = self.exchange(Method::GET, url, Body::Empty, self.answer_timeout(), Keep::Whole).await?;
        let values: Vec<KeyedValue> = asked.json(&answer.map_err(|failure| asked.unreachable(&failure))?)?;
        Ok(values.into_iter().filter_map(|entry| Some((entry.id, entry.value?))).collect())
    }

    /// Its plan, as Flink draws it.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn plan(&self, id: &str) -> Result<Option<Value>> {
        let answer: Option<Value> = self.read_if_there(&["jobs", id, "plan"]).await?;
        Ok(answer.map(|mut answer| answer.get_mut("plan").map(Value::take).unwrap_or(answer)))
    }

    /// What the adaptive scheduler is asked for each vertex of a job, by the vertex's id.
    ///
    /// `GET /jobs/:id/resource-requirements`, since 1.18 (`JobResourceRequirementsHandler`).
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn requirements(&self, id: &str) -> Result<BTreeMap<String, Requirement>> {
        self.read(&["jobs", id, "resource-requirements"]).await
    }

    /// Asks the adaptive scheduler for these; it takes what the slots allow. Every vertex has to be among them. Asking twice
    /// is asking once.
    ///
    /// `PUT /jobs/:id/resource-requirements`, since 1.18 (`JobResourcesRequirementsUpdateHandler`).
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn require(&self, id: &str, wanted: &BTreeMap<String, Requirement>) -> Result<()> {
        let segments = ["jobs", id, "resource-requirements"];
        let asked = self.asked(&Method::PUT, &shown(&segments));
        let body = Body::Json(serde_json::json!(wanted));
        let sent = self.exchange(Method::PUT, self.url(&segments), body, self.answer_timeout(), Keep::Whole).await?;
        let answer = sent.map_err(|failure| asked.unreachable(&failure))?;
        if answer.status == 200 && answer.text().trim().is_empty() {
            return Ok(());
        }
        asked.json::<Value>(&answer).map(drop)
    }

    /// Cancels a job. Asking twice ends in the same state.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn cancel(&self, id: &str) -> Result<Cancellation> {
        let segments = ["jobs", id];
        let asked = self.asked(&Method::PATCH, &shown(&segments));
        let mut url = self.url(&segments);
        url.query_pairs_mut().append_pair("mode", "cancel");
        let answer = self.exchange(Method::PATCH, url, Body::Empty, self.answer_timeout(), Keep::Whole).await?;
        let answer = answer.map_err(|failure| asked.unreachable(&failure))?;
        if answer::is_not_found(&answer) {
            return Ok(Cancellation::NotFound);
        }
        let body = answer.text();
        if answer.status == 409 && body.contains("terminal state") {
            let state = body.split_once("terminal state (").and_then(|(_, rest)| rest.split_once(')'));
            return Ok(Cancellation::AlreadyTerminal { state: state.map(|(name, _)| JobState::from(name.to_owned())) });
        }
        asked.json::<Value>(&answer).map(|_| Cancellation::Accepted)
    }
}
