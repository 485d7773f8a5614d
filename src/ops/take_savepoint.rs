//! Takes a savepoint of a job that goes on.

use serde_json::{Value, json};

use super::cancel::settled;
use super::cluster::Start;
use super::effect::Acting;
use super::savepoint;
use super::services::Services;
use super::standing::lock;
use super::wait::job_not_found;
use crate::base::{Error, Result, code};
use crate::model::attempt::Submission;
use crate::model::run::Run;

/// Takes a savepoint of the newest attempt, which goes on. Gives the facts of the job with the path as `checkpoint`.
///
/// # Errors
/// `job.not_found`, `job.ended`, and those of [`savepoint::take`].
pub async fn take(services: &Services, run: &Run, acting: &Acting, environment: &str, name: &str) -> Result<Value> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let _lock = lock(services, &services.identity(environment, name)).await?;
    let newest = settled(services, environment, name, job.id).await?;
    if newest.submission != Submission::Accepted || newest.end_state.is_some() {
        let how = newest.end_state.as_deref().unwrap_or_else(|| newest.submission.name());
        return Err(Error::new(
            &code::JOB_ENDED,
            format!("attempt {} of `{name}` is {how}: it has no state to save", newest.number),
        )
        .hint(format!("`tidegate savepoints {name}` lists what is recorded")));
    }
    let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
    let path = savepoint::take(services, run, &acting.key, &connection, &newest, name).await?;
    let state = connection.job(&newest.flink_id).await?.map_or_else(|| "unknown".to_owned(), |job| job.state);
    Ok(json!({
        "name": name, "environment": environment, "cluster": newest.cluster, "attempt": newest.number,
        "id": newest.flink_id, "state": state, "action": "savepoint", "checkpoint": path,
    }))
}
