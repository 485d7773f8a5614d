//! What was recorded of a job: its attempts, and its savepoints. Nobody is asked.

use serde_json::{Value, json};

use super::services::Services;
use super::wait::job_not_found;
use crate::base::{Result, clock};
use crate::model::job_spec::JobSpec;

/// The attempts of a job, oldest first: when, by which run, what changed, from which state, and how it ended.
///
/// # Errors
/// `job.not_found`, `state.*`.
pub fn attempts(services: &Services, environment: &str, name: &str) -> Result<Vec<Value>> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let mut before: Option<JobSpec> = None;
    let mut rows = Vec::new();
    for attempt in services.store.attempts(job.id)? {
        let spec = super::standing::submitted_spec(&attempt, name)?;
        let changed = before.as_ref().map(|before| spec.differences(before)).unwrap_or_default();
        rows.push(json!({
            "attempt": attempt.number,
            "at": clock::short(attempt.created_at),
            "run": format!("r{}", attempt.step.run),
            "script": services.store.run(attempt.step.run)?.script,
            "submission": attempt.submission.name(),
            "changed": changed,
            "restored_from": attempt.restored_from,
            "end": attempt.end_state,
            "ended_at": attempt.ended_at.map(clock::short),
            "ended_by": attempt.end_asked_by,
            "id": attempt.flink_id,
            "checkpoint": attempt.checkpoint,
        }));
        before = Some(spec);
    }
    Ok(rows)
}

/// The savepoints of a job that were asked for, oldest first.
///
/// # Errors
/// `job.not_found`, `state.*`.
pub fn savepoints(services: &Services, environment: &str, name: &str) -> Result<Vec<Value>> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let rows = services.store.snapshots(job.id)?.into_iter().map(|snapshot| {
        json!({
            "attempt": snapshot.attempt,
            "kind": snapshot.kind.name(),
            "status": snapshot.status.name(),
            "at": clock::short(snapshot.created_at),
            "run": snapshot.run.map(|run| format!("r{run}")),
            "path": snapshot.path,
        })
    });
    Ok(rows.collect())
}
