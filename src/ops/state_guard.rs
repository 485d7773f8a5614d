//! The guard: a job that had state never starts without it.

use super::cluster::Connection;
use super::services::Services;
use super::standing::submitted_spec;
use crate::base::{Error, Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::is_terminal;
use crate::model::snapshot::{SnapshotKind, SnapshotStatus};
use crate::store::JobRow;

/// The checkpoint that a new attempt has to start from; `None` where the job never had state.
///
/// The newest accepted attempt decides. `allow_state_loss` names the attempt whose state is abandoned, and so is valid
/// once. Without a connection what was recorded at the end of the last execution decides.
///
/// # Errors
/// `job.state_unknown` where the last execution took checkpoints and the newest of them cannot be determined.
pub async fn newest_state(
    services: &Services,
    connection: Option<&Connection>,
    job: &JobRow,
    allow_state_loss: Option<&str>,
) -> Result<Option<String>> {
    let attempts = services.store.attempts(job.id)?;
    let mut inherited = None;
    for attempt in attempts.iter().rev() {
        match attempt.submission {
            Submission::Accepted => {}
            // Never ran: what it would have been restored from is still the newest.
            Submission::Refused | Submission::GivenUp | Submission::Open => continue,
        }
        if is_abandoned(attempt, allow_state_loss) {
            return Ok(None);
        }
        let spec = submitted_spec(attempt, &job.name)?;
        // A job that we stopped with a savepoint took nothing after it; Flink may not tell of it where the job took no
        // checkpoints of its own.
        let stopped = services.store.final_savepoint(job.id, attempt.number)?;
        if stopped.is_some() {
            return Ok(stopped);
        }
        // A stop whose answer went down with its JobManager may have made a savepoint that nobody knows.
        let asked = services.store.snapshots_of(job.id, attempt.number)?;
        let is_lost = asked.iter().any(|one| one.kind == SnapshotKind::Stop && one.status == SnapshotStatus::Lost);
        if !had_state(&spec, attempt) && !is_lost {
            return Ok(None);
        }
        match newest_of(connection, attempt).await? {
            Known::Checkpoint(path) => inherited = Some(path),
            // It ended before its first checkpoint: all that it had is what it was started from.
            Known::None if !is_lost => inherited = attempt.restored_from.clone(),
            Known::None | Known::Not => return Err(unknown(job, attempt)),
        }
        break;
    }
    Ok(inherited)
}

/// Whether somebody allowed, by its name `attempt-N`, that the state of an attempt is abandoned.
pub(super) fn is_abandoned(attempt: &Attempt, allow_state_loss: Option<&str>) -> bool {
    allow_state_loss == Some(format!("attempt-{}", attempt.number).as_str())
}

/// Whether an attempt, submitted with this spec, has state as far as was recorded.
pub(super) fn had_state(spec: &JobSpec, attempt: &Attempt) -> bool {
    spec.is_stateful() || attempt.checkpoint.is_some() || attempt.restored_from.is_some()
}

enum Known {
    Checkpoint(String),
    None,
    Not,
}

async fn newest_of(connection: Option<&Connection>, attempt: &Attempt) -> Result<Known> {
    if let Some(connection) = connection.filter(|connection| connection.name == attempt.cluster)
        && connection.job(&attempt.flink_id).await?.is_some_and(|job| is_terminal(&job.state))
    {
        return Ok(match connection.newest_checkpoint(&attempt.flink_id).await? {
            Some(path) => Known::Checkpoint(path),
            None => Known::None,
        });
    }
    // Flink has forgotten the job. What was recorded at its end is final; anything recorded before may be old.
    Ok(match (&attempt.end_state, &attempt.checkpoint) {
        (Some(_), Some(path)) => Known::Checkpoint(path.clone()),
        (Some(_), None) => Known::None,
        (None, _) => Known::Not,
    })
}

fn unknown(job: &JobRow, attempt: &Attempt) -> Error {
    let error = Error::new(
        &code::JOB_STATE_UNKNOWN,
        format!(
            "attempt {} of `{}` took checkpoints, and the cluster has forgotten which was the newest",
            attempt.number, job.name
        ),
    );
    let error = match &attempt.checkpoint {
        Some(path) => error.caused_by(format!("the newest one seen, perhaps an old one: {path}")),
        None => error,
    };
    error.with("attempt", attempt.number).hint(format!(
        "to start from nothing and abandon that state, say `deploy(#{{ allow_state_loss: \"attempt-{}\" }})`",
        attempt.number
    ))
}
