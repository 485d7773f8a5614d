//! The guard: a job that had state never starts without it.

use super::connection::Connection;
use super::ledger;
use super::services::Services;
use super::standing::submitted_spec;
use crate::base::{Error, Result, code};
use crate::drivers::checkpoint_folder;
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::is_terminal;
use crate::model::snapshot::{Snapshot, SnapshotKind, SnapshotStatus, newer_than};
use crate::store::JobRow;

/// The checkpoint that a new attempt has to start from; `None` where the job never had state.
///
/// The newest accepted attempt decides. What would be restored is never older than what is recorded. `allow_state_loss`
/// names what is abandoned, an attempt's state or the newest of it, and so is valid once. Of the clusters that are connected the one decides that the attempt ran on; without it what was recorded at its
/// end.
///
/// # Errors
/// `job.state_unknown` where the last execution took checkpoints and the newest of them cannot be determined.
pub async fn newest_state(
    services: &Services,
    connections: &[&Connection],
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
        let known = newest_of(services, connections, &spec, attempt).await?;
        let (path, number) = match known {
            Known::Checkpoint(path, number) => (Some(path), number),
            // It ended before its first checkpoint: all that it had is what it was started from.
            Known::None if !is_lost => (attempt.restored_from.clone(), None),
            Known::None | Known::Not => {
                let newest = services.store.newest_snapshot(job.id)?.filter(|newest| newest.attempt == attempt.number);
                return Err(unknown(job, attempt, newest.and_then(|newest| newest.path)));
            }
            // It has done its work, and Flink has discarded its checkpoints.
            Known::Done(path) => return Ok(path),
        };
        let recorded = services.store.snapshots_of(job.id, attempt.number)?;
        if let Some(newer) = newer_than(number, &recorded) {
            let name = abandoned_name(attempt, newer);
            if allow_state_loss != Some(name.as_str()) {
                return Err(older(job, path.as_deref(), newer, &name));
            }
        }
        inherited = path;
        break;
    }
    Ok(inherited)
}

/// How the one state that is abandoned is named: `attempt-3/chk-9`.
fn abandoned_name(attempt: &Attempt, newer: &Snapshot) -> String {
    let path = newer.path.as_deref().unwrap_or_default();
    format!("attempt-{}/{}", attempt.number, path.rsplit('/').next().unwrap_or_default())
}

/// Whether somebody allowed, by its name `attempt-N`, that the state of an attempt is abandoned.
pub(super) fn is_abandoned(attempt: &Attempt, allow_state_loss: Option<&str>) -> bool {
    allow_state_loss == Some(format!("attempt-{}", attempt.number).as_str())
}

/// Whether an attempt, submitted with this spec, has state as far as was recorded.
pub(super) fn had_state(spec: &JobSpec, attempt: &Attempt) -> bool {
    spec.is_stateful() || attempt.checkpoint.is_some() || attempt.restored_from.is_some()
}

/// Looks whether the state to start from is there, as far as it can be seen from here.
///
/// # Errors
/// `savepoint.gone`.
pub(super) fn is_there(name: &str, path: Option<&str>) -> Result<()> {
    match path.filter(|path| checkpoint_folder::is_gone(path)) {
        None => Ok(()),
        Some(path) => {
            Err(Error::new(&code::SAVEPOINT_GONE, format!("the state that `{name}` would start from is gone: {path}"))
                .hint(format!("somebody deleted it; `tidegate savepoints {name}` lists what else is recorded")))
        }
    }
}

enum Known {
    /// The newest state, and Flink's number of it where it was made by the attempt itself and the number is known.
    Checkpoint(String, Option<u64>),
    /// It finished: this is what it was started from, or a savepoint of it.
    Done(Option<String>),
    None,
    Not,
}

async fn newest_of(
    services: &Services,
    connections: &[&Connection],
    spec: &JobSpec,
    attempt: &Attempt,
) -> Result<Known> {
    let connection = connections.iter().find(|connection| connection.name == attempt.cluster);
    if let Some(connection) = connection
        && let Some(ended) = connection.listed(&attempt.flink_id).await?.filter(|job| is_terminal(&job.state))
    {
        let newest = ledger::newest(services, connection, attempt, &ended).await?;
        if ended.state == "FINISHED" {
            // A savepoint that somebody stopped it with stays; its checkpoints Flink deletes when it has done its work.
            let kept = newest.filter(|newest| !newest.is_gone).map(|newest| newest.path);
            return Ok(Known::Done(kept.or_else(|| attempt.restored_from.clone())));
        }
        return Ok(match newest {
            // Flink made a checkpoint and has deleted it: what is older is not the state of the job.
            Some(newest) if newest.is_gone => Known::Not,
            Some(newest) => Known::Checkpoint(newest.path, newest.is_own.then_some(newest.id)),
            None => Known::None,
        });
    }
    if let Some(connection) = connection.filter(|_| attempt.end_state.is_none())
        && let Some(found) = ledger::left_behind(connection, spec, attempt).await?
    {
        // A savepoint that the job went on after can be newer than its last checkpoint.
        let seen = services.store.snapshots_of(attempt.job, attempt.number)?;
        let whole = seen.into_iter().filter(|snapshot| snapshot.status == SnapshotStatus::Completed);
        let newest = whole.filter(|one| one.kind != SnapshotKind::Checkpoint).max_by_key(|one| one.completed_at);
        services.store.see_checkpoint(attempt, found.number, &found.path, Some(found.completed_at), None)?;
        return Ok(match newest.filter(|one| one.completed_at > Some(found.completed_at)).and_then(|one| one.path) {
            // It is newer than every checkpoint that is there, and its number is not known.
            Some(savepoint) => Known::Checkpoint(savepoint, Some(u64::MAX)),
            None => Known::Checkpoint(found.path, Some(found.number)),
        });
    }
    // Flink has forgotten the job. What was recorded at its end is final; anything recorded before may be old.
    Ok(match (&attempt.end_state, &attempt.checkpoint) {
        (Some(_), Some(path)) => Known::Checkpoint(path.clone(), Some(u64::MAX)),
        (Some(end), None) if end == "FINISHED" => Known::Done(attempt.restored_from.clone()),
        (Some(_), None) => Known::None,
        (None, _) => Known::Not,
    })
}

fn unknown(job: &JobRow, attempt: &Attempt, newest: Option<String>) -> Error {
    let error = Error::new(
        &code::JOB_STATE_UNKNOWN,
        format!(
            "attempt {} of `{}` took checkpoints, and the cluster has forgotten which was the newest, or has deleted it",
            attempt.number, job.name
        ),
    );
    let error = match newest.or_else(|| attempt.checkpoint.clone()) {
        Some(path) => error.caused_by(format!("the newest one seen, perhaps an old one: {path}")),
        None => error,
    };
    error.with("attempt", attempt.number).hint(format!(
        "to start from nothing and abandon that state, say `deploy(#{{ allow_state_loss: \"attempt-{}\" }})`",
        attempt.number
    ))
}

fn older(job: &JobRow, path: Option<&str>, newer: &Snapshot, name: &str) -> Error {
    let would = path.map_or_else(|| "start from nothing".to_owned(), |path| format!("start from {path}"));
    let newer = newer.path.as_deref().unwrap_or_default();
    Error::new(&code::JOB_STATE_UNKNOWN, format!("`{}` would {would}, and a newer state of it is recorded", job.name))
        .caused_by(format!("the newest one recorded: {newer}"))
        .hint(format!(
            "if that one is gone for good, `deploy(#{{ allow_state_loss: \"{name}\" }})` goes on from the older one"
        ))
}
