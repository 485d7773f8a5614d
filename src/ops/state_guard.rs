//! The guard: a job that had state never starts without it.

use super::connection::Connection;
use super::gone_state;
use super::ledger;
use super::remains;
use super::services::Services;
use super::standing::submitted_spec;
use super::way_on;
use crate::base::{Error, Result, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::job_status::is_terminal;
use crate::model::snapshot::{Snapshot, SnapshotKind, SnapshotStatus, newer_than, number_at};
use crate::store::JobRow;

/// The checkpoint that a new attempt has to start from; `None` where the job never had state.
///
/// The newest attempt that ran decides. What would be restored is never older than what is recorded. `allow_state_loss`
/// names what is abandoned, an attempt's state or the newest of it, and so is valid once. Of the clusters that are connected
/// the one decides that the attempt ran on; without it what was recorded at its end.
///
/// # Errors
/// `job.state_unknown` where the last execution took checkpoints and the newest of them cannot be determined; `savepoint.gone` where
/// it is known and not there.
pub async fn newest_state(
    services: &Services,
    connections: &[&Connection],
    job: &JobRow,
    allow_state_loss: Option<&str>,
) -> Result<Option<String>> {
    let newest = recorded_or_left(services, connections, job, allow_state_loss).await?;
    gone_state::pass_over(services, job, newest, allow_state_loss)
}

async fn recorded_or_left(
    services: &Services,
    connections: &[&Connection],
    job: &JobRow,
    allow_state_loss: Option<&str>,
) -> Result<Option<String>> {
    for attempt in services.store.attempts(job.id)?.iter().rev() {
        let connection = connections.iter().find(|connection| connection.name == attempt.cluster).copied();
        let ran = attempt.submission == Submission::Accepted || ran_after_all(services, connection, attempt).await?;
        if !ran && attempt.submission == Submission::Refused {
            // Never ran: what it would have been restored from is still the newest.
            continue;
        }
        if is_abandoned(attempt, allow_state_loss) {
            return Ok(None);
        }
        let spec = submitted_spec(attempt, &job.name)?;
        ledger::find_lost(services, attempt)?;
        if !ran {
            // Nobody knows whether it ran. Where it did, what it left is the newest.
            match remains::of(services, connection, &spec, attempt).await? {
                Some(Known::Checkpoint(path, _)) => return Ok(Some(path)),
                Some(Known::Nothing) => return Ok(attempt.restored_from.clone()),
                Some(_) => return Err(remains::unknown(services, job, attempt)?),
                None => {
                    services.clusters.progress(&format!(
                        "{}: attempt {} was given up, and nothing is found of it: the state of the one before is taken",
                        job.name, attempt.number
                    ));
                    continue;
                }
            }
        }
        // A job that we stopped with a savepoint took nothing after it; Flink may not tell of it where the job took no
        // checkpoints of its own.
        let stopped = services.store.final_savepoint(job.id, attempt.number)?;
        if stopped.is_some() {
            return Ok(stopped);
        }
        let had = had_state(services, &spec, attempt)?;
        if spec.is_batch() && !had {
            // An execution of a bounded job left nothing, and took nothing of what was before.
            continue;
        }
        let (path, number) = match newest_of(services, connection, &spec, attempt).await? {
            Known::Checkpoint(path, number) => (Some(path), number),
            // It ended with a savepoint of its own.
            Known::Done(path) if path != attempt.restored_from => return Ok(path),
            // Its folder is seen, and it had come to no checkpoint when it went down.
            Known::Nothing => (attempt.restored_from.clone(), None),
            // A stop whose answer went down with its JobManager, or was forgotten, may have made a savepoint that nobody knows.
            _ if stop_was_lost(services, attempt)? => return Err(remains::unknown(services, job, attempt)?),
            // It has done its work, and Flink has discarded its checkpoints.
            Known::Done(path) => return Ok(path),
            // It ended before its first checkpoint: all that it had is what it was started from.
            Known::None => (attempt.restored_from.clone(), None),
            Known::Not if had || takes_checkpoints(connection, &spec, attempt).await? => {
                return Err(remains::unknown(services, job, attempt)?);
            }
            Known::Not => return Ok(None),
        };
        let recorded = services.store.snapshots_of(job.id, attempt.number)?;
        if let Some(newer) = newer_than(number, &recorded).filter(|newer| newer.path != path) {
            let name = abandoned_name(attempt.number, newer.path.as_deref().unwrap_or_default());
            if allow_state_loss != Some(name.as_str()) {
                return Err(older(job, path.as_deref(), newer, &name));
            }
        }
        return Ok(path);
    }
    Ok(None)
}

/// Whether an attempt that is held to be refused, or given up, is listed by its cluster: that is recorded.
async fn ran_after_all(services: &Services, connection: Option<&Connection>, attempt: &Attempt) -> Result<bool> {
    let Some(connection) = connection else { return Ok(false) };
    if connection.listed(&attempt.flink_id).await?.is_none() {
        return Ok(false);
    }
    services.store.recognise_attempt(attempt)?;
    Ok(true)
}

/// Whether an attempt that is FINISHED may have been stopped, by us or by somebody else: then it has not done its work.
///
/// # Errors
/// `state.*`.
pub(super) fn may_have_been_stopped(services: &Services, attempt: &Attempt) -> Result<bool> {
    let was_stopped = services.store.final_savepoint(attempt.job, attempt.number)?.is_some();
    Ok(was_stopped || stop_was_lost(services, attempt)?)
}

fn stop_was_lost(services: &Services, attempt: &Attempt) -> Result<bool> {
    let asked = services.store.snapshots_of(attempt.job, attempt.number)?;
    Ok(asked.iter().any(|one| one.kind == SnapshotKind::Stop && one.status == SnapshotStatus::Lost))
}

/// Whether an attempt of which nothing is left took checkpoints that its spec does not tell of: its program, or its cluster, can
/// have said so.
async fn takes_checkpoints(connection: Option<&Connection>, spec: &JobSpec, attempt: &Attempt) -> Result<bool> {
    match (attempt.takes_checkpoints, &spec.program, connection) {
        (Some(takes), ..) => Ok(takes),
        (None, Program::Sql { .. }, Some(connection)) => {
            Ok(connection.setting("execution.checkpointing.interval").await?.is_some())
        }
        (None, Program::Sql { .. }, None) => Ok(false),
        (None, Program::Jar { .. } | Program::Adopted { .. }, _) => Ok(true),
    }
}

/// How the one state that is abandoned is named: `attempt-3/chk-9`.
pub(super) fn abandoned_name(attempt: u32, path: &str) -> String {
    format!("attempt-{attempt}/{}", path.rsplit('/').next().unwrap_or_default())
}

/// Whether somebody allowed, by its name `attempt-N`, that the state of an attempt is abandoned.
pub(super) fn is_abandoned(attempt: &Attempt, allow_state_loss: Option<&str>) -> bool {
    allow_state_loss == Some(format!("attempt-{}", attempt.number).as_str())
}

/// Whether an attempt, submitted with this spec, has state as far as was recorded.
pub(super) fn had_state(services: &Services, spec: &JobSpec, attempt: &Attempt) -> Result<bool> {
    if spec.is_stateful() || attempt.checkpoint.is_some() || attempt.restored_from.is_some() {
        return Ok(true);
    }
    if attempt.takes_checkpoints == Some(true) {
        return Ok(true);
    }
    let recorded = services.store.snapshots_of(attempt.job, attempt.number)?;
    Ok(recorded.iter().any(|one| one.path.is_some()))
}

/// What is known of the newest state of an attempt.
pub(super) enum Known {
    /// The newest state, and Flink's number of it where it was made by the attempt itself and the number is known.
    Checkpoint(String, Option<u64>),
    /// It finished: this is what it was started from, or a savepoint of it.
    Done(Option<String>),
    /// It ended, and took none.
    None,
    /// It went down with its JobManager, and its folder shows that it had taken none.
    Nothing,
    /// It is not known.
    Not,
}

async fn newest_of(
    services: &Services,
    connection: Option<&Connection>,
    spec: &JobSpec,
    attempt: &Attempt,
) -> Result<Known> {
    if let Some(connection) = connection
        && let Some(ended) = connection.listed(&attempt.flink_id).await?.filter(|job| is_terminal(&job.state))
    {
        let newest = ledger::newest(services, connection, attempt, &ended).await?;
        if ended.state == "FINISHED" {
            // A savepoint that somebody stopped it with stays; its checkpoints Flink deletes when it has done its work.
            return match newest.filter(|newest| !newest.is_gone) {
                Some(kept) => Ok(Known::Done(Some(kept.path))),
                None => done(services, attempt),
            };
        }
        return Ok(match newest {
            // Flink made it and has deleted it: what is older is the state only where somebody says so.
            Some(newest) if newest.is_gone => newest_savepoint(services, attempt)?,
            Some(newest) => Known::Checkpoint(newest.path, newest.is_own.then_some(newest.id)),
            None => Known::None,
        });
    }
    if attempt.end_state.is_none()
        && let Some(left) = remains::of(services, connection, spec, attempt).await?
    {
        return Ok(left);
    }
    // Flink has forgotten the job. What was recorded at its end is final; anything recorded before may be old.
    Ok(match (&attempt.end_state, &attempt.checkpoint) {
        (Some(_), Some(path)) => {
            let recorded = services.store.snapshots_of(attempt.job, attempt.number)?;
            let row = recorded.iter().find(|one| one.path.as_ref() == Some(path));
            Known::Checkpoint(
                path.clone(),
                row.map_or(Some(u64::MAX), |row| row.checkpoint.or(number_at(row.taken_at(), &recorded))),
            )
        }
        (Some(end), None) if end == "FINISHED" => done(services, attempt)?,
        (Some(_), None) => newest_savepoint(services, attempt)?,
        (None, _) => Known::Not,
    })
}

/// What is left of an attempt that has done its work: its newest savepoint, or what it was started from.
fn done(services: &Services, attempt: &Attempt) -> Result<Known> {
    Ok(match newest_savepoint(services, attempt)? {
        Known::Checkpoint(path, _) => Known::Done(Some(path)),
        _ => Known::Done(attempt.restored_from.clone()),
    })
}

/// The newest savepoint of an attempt whose checkpoints are gone.
fn newest_savepoint(services: &Services, attempt: &Attempt) -> Result<Known> {
    let recorded = services.store.snapshots_of(attempt.job, attempt.number)?;
    let newest = savepoints(&recorded).max_by_key(|one| one.created_at);
    Ok(
        match newest.and_then(|one| Some((one.path.clone()?, one.checkpoint.or(number_at(one.created_at, &recorded)))))
        {
            Some((path, number)) => Known::Checkpoint(path, number),
            None => Known::None,
        },
    )
}

/// The savepoints that are whole.
pub(super) fn savepoints(recorded: &[Snapshot]) -> impl Iterator<Item = &Snapshot> {
    recorded.iter().filter(|one| one.status == SnapshotStatus::Completed && one.kind != SnapshotKind::Checkpoint)
}

fn older(job: &JobRow, path: Option<&str>, newer: &Snapshot, name: &str) -> Error {
    let would = path.map_or_else(|| "start from nothing".to_owned(), |path| format!("start from {path}"));
    let newer = newer.path.as_deref().unwrap_or_default();
    Error::new(&code::JOB_STATE_UNKNOWN, format!("`{}` would {would}, and a newer state of it is recorded", job.name))
        .caused_by(format!("the newest one recorded: {newer}"))
        .hint(format!("if that one is gone for good, {} goes on from the older one", way_on::abandon(&job.name, name)))
}
