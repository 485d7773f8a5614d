//! Stops a job with a savepoint: what is desired of it from then on is `stopped`.

use serde_json::{Value, json};

use super::cancel::{ended, settled};
use super::cluster::Start;
use super::effect::Acting;
use super::gone::{self, Seen};
use super::services::Services;
use super::standing::{lock, superseded};
use super::wait::job_not_found;
use super::way_on;
use super::{ledger, savepoint};
use crate::base::{Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_status::is_terminal;
use crate::model::run::Run;
use crate::model::snapshot::SnapshotStatus;
use crate::store::JobRow;

/// Stops the newest attempt of a job with a savepoint and waits until it has ended. One that has ended stays as it is; so
/// does one that its JobManager does not know any more, when nothing of it can write: it is not to be brought back.
///
/// Where the savepoint cannot be taken, what was desired before is desired again: the job runs on.
///
/// # Errors
/// `job.not_found`, `job.superseded`, and those of [`savepoint::stop`].
pub async fn stop(services: &Services, run: &Run, acting: &Acting, environment: &str, name: &str) -> Result<Value> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let _lock = lock(services, &services.identity(environment, name)).await?;
    locked(services, run, acting, &job).await
}

/// As [`stop`], for whoever holds the job's lock.
pub(super) async fn locked(services: &Services, run: &Run, acting: &Acting, job: &JobRow) -> Result<Value> {
    let (environment, name) = (job.environment.as_str(), job.name.as_str());
    superseded(services, job, acting, "stopped")?;
    let before = job.desired.as_str();
    services.store.set_desired(run, job.id, ended(job))?;
    let stopped = newest_stopped(services, run, environment, name, job.id).await;
    if let Err(error) = &stopped
        && (error.is(&code::SAVEPOINT_FAILED) || error.is(&code::SAVEPOINT_NO_FOLDER) || error.is(&code::FLINK_VERSION))
    {
        services.store.withdraw_desired(run, job.id, before)?;
    }
    stopped.map_err(|error| way_on::of_stop(error, name))
}

async fn newest_stopped(services: &Services, run: &Run, environment: &str, name: &str, job: i64) -> Result<Value> {
    let newest = settled(services, environment, name, job).await?;
    let answer = |attempt: &Attempt, state: &str, action: &str| {
        let facts = json!({
            "name": name, "environment": environment, "cluster": attempt.cluster, "attempt": attempt.number,
            "id": attempt.flink_id, "state": state, "action": action, "checkpoint": attempt.checkpoint,
        });
        Ok(facts)
    };
    if newest.submission != Submission::Accepted {
        return answer(&newest, newest.submission.name(), "nothing");
    }
    let ended = |attempt: &Attempt| attempt.end_state.clone();
    let asked = services.store.snapshots_of(job, newest.number)?;
    let is_open = asked.iter().any(|snapshot| snapshot.status == SnapshotStatus::Open);
    if let Some(end) = ended(&newest).filter(|_| !is_open) {
        // A stop that a process began and did not live to tell of is this one.
        let was_stopped = services.store.final_savepoint(job, newest.number)?.is_some();
        return answer(&newest, &end, if was_stopped { "stopped" } else { "nothing" });
    }
    let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
    savepoint::settle(services, &connection, &newest, name).await?;
    let again = || -> Result<Attempt> {
        services.store.attempt(job, newest.number)?.ok_or_else(|| job_not_found(services, environment, name))
    };
    let settled = again()?;
    if let Some(end) = ended(&settled) {
        return answer(&settled, &end, "stopped");
    }
    let seen = match gone::look(services, &connection, &settled).await? {
        Seen::Listed(seen) => seen,
        Seen::Gone(gone) => {
            services.clusters.progress(&format!("{name}: {}; no savepoint was taken", gone.why));
            return answer(&settled, gone.state, "nothing");
        }
    };
    if is_terminal(&seen.state) {
        ledger::end(services, &connection, &newest, &seen).await?;
        return answer(&again()?, &seen.state, "nothing");
    }
    savepoint::stop(services, run, &connection, &newest, name).await?;
    let stopped = again()?;
    let state = ended(&stopped).unwrap_or_else(|| "unknown".to_owned());
    answer(&stopped, &state, "stopped")
}
