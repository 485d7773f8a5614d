//! Logs of a job: what its JobManager and TaskManagers wrote, and its exceptions.

use serde_json::{Value, json};

use super::cluster::Start;
use super::services::Services;
use crate::base::{Error, Result, code, suggest};
pub use crate::drivers::flink::Tail;

/// The sources of a log.
pub const SOURCES: [&str; 4] = ["jobmanager", "taskmanager", "stdout", "exceptions"];

/// A part of a log.
#[derive(Debug, Clone)]
pub struct Part {
    /// Where it comes from: `jobmanager`, `taskmanager 127.0.0.1:1234-ab`.
    pub source: String,
    /// The text.
    pub text: String,
}

/// The logs of the newest attempt of a job: of one source, or of the JobManager, all TaskManagers and their output.
///
/// A session cluster's logs are shared: the lines of other jobs are in them too.
///
/// # Errors
/// `job.not_found`, `argument.invalid` for an unknown source, `flink.*`.
pub async fn logs(
    services: &Services,
    environment: &str,
    name: &str,
    source: Option<&str>,
    tail: Tail,
) -> Result<Vec<Part>> {
    if let Some(source) = source
        && !SOURCES.contains(&source)
    {
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("there is no log source `{source}`"))
            .hint(suggest::hint(source, SOURCES)));
    }
    let wanted = |name: &str| source.is_none_or(|source| source == name);
    let job = services
        .store
        .job(environment, name)?
        .ok_or_else(|| super::wait::job_not_found(services, environment, name))?;
    let attempt = services.store.newest_attempt(job.id)?.ok_or_else(|| {
        Error::new(&code::JOB_NOT_FOUND, format!("`{name}` was never submitted in the environment `{environment}`"))
    })?;
    let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
    let client = &connection.client;
    let mut parts = Vec::new();
    if wanted("exceptions") {
        let text = connection.traces(&attempt.flink_id).await?.join("\n");
        if !text.is_empty() {
            parts.push(Part { source: "exceptions".to_owned(), text });
        }
    }
    if wanted("jobmanager") {
        parts.push(Part { source: "jobmanager".to_owned(), text: client.jobmanager_log(tail).await?.text });
    }
    if wanted("taskmanager") || wanted("stdout") {
        for manager in client.taskmanagers().await? {
            let manager = manager.id;
            if wanted("taskmanager") {
                let text = client.taskmanager_log(&manager, tail).await?.text;
                parts.push(Part { source: format!("taskmanager {manager}"), text });
            }
            if wanted("stdout") {
                // A TaskManager whose output goes elsewhere has no such file; the others still count.
                match client.taskmanager_stdout(&manager, tail).await {
                    Ok(log) => parts.push(Part { source: format!("stdout {manager}"), text: log.text }),
                    Err(error) if source.is_none() => {
                        services.clusters.progress(&format!("no stdout of {manager}: {error}"))
                    }
                    Err(error) => return Err(error),
                }
            }
        }
    }
    for part in &mut parts {
        part.text = services.secrets.mask(&part.text);
    }
    Ok(parts)
}

/// The last lines of each part, as scripts get them.
pub fn last(parts: &[Part], lines: usize) -> Value {
    let parts = parts.iter().map(|part| {
        let all: Vec<&str> = part.text.lines().collect();
        json!({ "source": part.source, "lines": &all[all.len().saturating_sub(lines)..] })
    });
    Value::Array(parts.collect())
}

/// What went wrong with the newest attempt, newest first: the root cause and the chain of each exception.
///
/// # Errors
/// `job.not_found`, `flink.*`.
pub async fn exceptions(services: &Services, environment: &str, name: &str, number: u32) -> Result<Value> {
    let (_, attempt) = super::wait::recorded(services, environment, name, number)?;
    let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
    let traces = connection.traces(&attempt.flink_id).await?.into_iter().map(|trace| {
        let trace = services.secrets.mask(&trace);
        let diagnosis = crate::model::diagnosis::diagnose(&trace);
        json!({ "root_cause": diagnosis.root_cause, "exception": diagnosis.exception, "chain": diagnosis.chain, "trace": trace })
    });
    Ok(Value::Array(traces.collect()))
}
