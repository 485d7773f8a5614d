//! Stops a job with a savepoint under a key of our own, driven until its outcome is known.
//!
//! Within one JobManager incarnation the trigger id makes the request idempotent: whoever finds an open one asks for it
//! again under the same id, and gets the same savepoint. It lies in a private folder of its own.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::ledger;
use super::services::Services;
use super::standing::submitted_spec;
use super::way_on;
use crate::base::hash::sha256;
use crate::base::{Error, Result, clock, code};
use crate::drivers::checkpoint_folder;
use crate::drivers::flink::{SavepointRequest, SavepointStatus, Triggered};
use crate::model::attempt::{Attempt, StepKey};
use crate::model::job_status::is_terminal;
use crate::model::run::Run;
use crate::model::snapshot::{Snapshot, SnapshotKind, SnapshotStatus};

/// How long a silent JobManager, a job whose tasks do not all run, and an end that does not come are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Flink's options for the folder of savepoints: since 1.20, and before.
const FOLDERS: [&str; 2] = ["execution.checkpointing.savepoint-dir", "state.savepoints.dir"];

/// Stops an attempt with a savepoint and waits until it has ended. Gives the savepoint's path.
///
/// # Errors
/// * `savepoint.no_folder` where nothing names a folder for savepoints; nothing was asked for
/// * `savepoint.failed` where Flink says so, or its tasks do not all run; the job is left as it is
/// * `run.unknown_outcome` where nobody answers any more, and `job.unknown_outcome` where the JobManager has restarted
pub async fn stop(
    services: &Services,
    run: &Run,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
) -> Result<String> {
    let before = services.store.snapshots_of(attempt.job, attempt.number)?;
    let open = before.iter().find(|one| one.status == SnapshotStatus::Open && one.kind == SnapshotKind::Stop);
    let snapshot = match open {
        Some(snapshot) => snapshot.clone(),
        None => {
            let ordinal = ordinal(&before);
            let trigger = trigger(&format!("{}/savepoint/{ordinal}", attempt.flink_id));
            begin(services, run, connection, attempt, name, (SnapshotKind::Stop, trigger, ordinal)).await?
        }
    };
    let path = drive(services, connection, attempt, name, &snapshot).await?;
    wait_for_end(services, connection, attempt, name, &path).await?;
    Ok(path)
}

/// Takes a savepoint of an attempt that goes on. Gives its path. Within its step it is one savepoint, whoever dies.
///
/// # Errors
/// As [`stop`].
pub async fn take(
    services: &Services,
    run: &Run,
    step: &StepKey,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
) -> Result<String> {
    let trigger = trigger(&format!("{}/{}/{}/{}", attempt.flink_id, step.run, step.path, step.sequence));
    let snapshot = match services.store.snapshot_of_trigger(&trigger)? {
        Some(Snapshot { status: SnapshotStatus::Completed, path: Some(path), .. }) => return Ok(path),
        Some(snapshot) => snapshot,
        None => {
            let before = services.store.snapshots_of(attempt.job, attempt.number)?;
            let how = (SnapshotKind::Savepoint, trigger, ordinal(&before));
            begin(services, run, connection, attempt, name, how).await?
        }
    };
    drive(services, connection, attempt, name, &snapshot).await
}

/// 32 hex digits that nobody else draws.
fn trigger(text: &str) -> String {
    sha256(text.as_bytes()).chars().take(32).collect()
}

/// Counts the savepoints of an attempt that were asked for.
fn ordinal(before: &[Snapshot]) -> usize {
    before.iter().filter(|snapshot| snapshot.trigger_id.is_some()).count() + 1
}

/// Brings a stop that an earlier process began to a known outcome, also where the job was seen to end meanwhile: its
/// savepoint is the newest state. One that failed is recorded as failed, and no error.
///
/// # Errors
/// As [`stop`], without `savepoint.failed`.
pub async fn settle(services: &Services, connection: &Connection, attempt: &Attempt, name: &str) -> Result<()> {
    if attempt.cluster != connection.name {
        return Ok(());
    }
    for snapshot in services.store.snapshots_of(attempt.job, attempt.number)? {
        if snapshot.status != SnapshotStatus::Open {
            continue;
        }
        match drive(services, connection, attempt, name, &snapshot).await {
            Ok(path) if snapshot.kind == SnapshotKind::Stop => {
                wait_for_end(services, connection, attempt, name, &path).await?;
            }
            Ok(_) => {}
            Err(error) if error.is(&code::SAVEPOINT_FAILED) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The folder below which the savepoints of a job go: what its spec says, else the cluster.
///
/// # Errors
/// `savepoint.no_folder`, `flink.*`.
pub async fn folder(connection: &Connection, attempt: &Attempt, name: &str) -> Result<String> {
    let spec = submitted_spec(attempt, name)?;
    if let Some(folder) = connection.setting_of(&spec, &FOLDERS).await? {
        return Ok(folder.trim_end_matches('/').to_owned());
    }
    Err(Error::new(
        &code::SAVEPOINT_NO_FOLDER,
        format!(
            "nothing says where savepoints of `{name}` go: neither its options nor the cluster `{}`",
            connection.name
        ),
    )
    .hint(format!(
        "set `{}` in the options of the job or of its environment, to a folder that all of Flink reaches",
        FOLDERS[1]
    )))
}

async fn begin(
    services: &Services,
    run: &Run,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    (kind, trigger, ordinal): (SnapshotKind, String, usize),
) -> Result<Snapshot> {
    let folder = folder(connection, attempt, name).await?;
    all_tasks_run(services, connection, attempt, name).await?;
    let snapshot = Snapshot {
        id: 0,
        job: attempt.job,
        attempt: attempt.number,
        kind,
        trigger_id: Some(trigger),
        target: Some(format!("{folder}/{}/{ordinal}", attempt.flink_id)),
        incarnation: connection.incarnation().await?,
        status: SnapshotStatus::Open,
        path: None,
        run: Some(run.id),
        created_at: clock::now(),
        completed_at: None,
        checkpoint: None,
        triggered_at: None,
        bytes: None,
    };
    services.store.begin_snapshot(run, snapshot, &format!("run r{}", run.id))
}

/// A savepoint that is asked for before all tasks run fails, so they are waited for.
async fn all_tasks_run(services: &Services, connection: &Connection, attempt: &Attempt, name: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        let seen = connection.listed(&attempt.flink_id).await?;
        let (state, running, total) = match &seen {
            Some(seen) if seen.really_running() => return Ok(()),
            Some(seen) => (seen.state.as_str(), seen.tasks_running, seen.tasks_total),
            None => ("not there any more", 0, 0),
        };
        if Instant::now() >= deadline || is_terminal(state) || seen.is_none() {
            return Err(Error::new(
                &code::SAVEPOINT_FAILED,
                format!("no savepoint of `{name}` can be taken: it is {state}, and {running} of its {total} tasks run"),
            )
            .hint(way_on::not_asked_for(services, connection, attempt, name).await));
        }
        if !told {
            services.clusters.progress(&format!(
                "{name}: {state}, {running} of {total} tasks run; waiting for all, to take a savepoint"
            ));
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn drive(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    snapshot: &Snapshot,
) -> Result<String> {
    let (Some(trigger), Some(target)) = (&snapshot.trigger_id, &snapshot.target) else {
        return Err(Error::new(&code::STATE_CORRUPT, format!("an open savepoint of `{name}` has no key")));
    };
    let mut heard = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let step = async {
            if connection.incarnation().await? != snapshot.incarnation {
                return Ok(Step::Restarted);
            }
            Ok(match connection.client.savepoint_status(&attempt.flink_id, trigger).await? {
                SavepointStatus::InProgress => Step::Wait,
                SavepointStatus::Completed { location } => Step::Done(location),
                SavepointStatus::Failed { causes } => Step::Failed(causes),
                SavepointStatus::Unknown => {
                    let version = connection.version(&snapshot.incarnation).await?;
                    let request = SavepointRequest {
                        job_id: attempt.flink_id.clone(),
                        trigger_id: trigger.clone(),
                        target: target.clone(),
                        stops: snapshot.kind == SnapshotKind::Stop,
                        version,
                    };
                    match connection.client.trigger_savepoint(&request).await? {
                        Triggered::Accepted => Step::Wait,
                        // The job has ended: perhaps with this very savepoint, whose answer Flink has forgotten.
                        Triggered::Refused { causes } => match ended_with(connection, attempt, target).await? {
                            Ended::With(path) => Step::Done(path),
                            Ended::Without => Step::Failed(causes),
                            Ended::Unknown => Step::Forgotten,
                        },
                        Triggered::Ambiguous { why } => return Err(Error::new(&code::FLINK_UNREACHABLE, why)),
                    }
                }
            })
        };
        match step.await {
            Ok(Step::Done(path)) => {
                services.store.settle_snapshot(snapshot, SnapshotStatus::Completed, Some(&path), None)?;
                return Ok(path);
            }
            Ok(Step::Failed(causes)) => {
                let hint = match snapshot.kind {
                    SnapshotKind::Stop => way_on::after_failed_stop(services, connection, attempt, name).await,
                    _ => format!("the job was left as it is; `tidegate logs {name}` shows what its tasks say"),
                };
                let error = failed(name, snapshot.kind, &causes).hint(hint);
                let error = error.map_texts(&|text| services.secrets.mask(text));
                let text = error.to_json().to_string();
                services.store.settle_snapshot(snapshot, SnapshotStatus::Failed, None, Some(&text))?;
                return Err(error);
            }
            Ok(Step::Forgotten) => {
                let error = forgotten(connection, attempt, name, target);
                let text = error.to_json().to_string();
                services.store.settle_snapshot(snapshot, SnapshotStatus::Lost, None, Some(&text))?;
                return Err(error);
            }
            Ok(Step::Restarted) => return restarted(services, connection, attempt, name, snapshot),
            Ok(Step::Wait) => heard = Instant::now(),
            Err(error) if error.is(&code::FLINK_UNREACHABLE) && heard.elapsed() < PATIENCE => {}
            Err(error) if error.is(&code::FLINK_UNREACHABLE) => {
                return Err(Error::new(
                    &code::RUN_UNKNOWN_OUTCOME,
                    format!("a savepoint of `{name}` was asked for, and nobody has answered since"),
                )
                .caused_by(error)
                .with("trigger", trigger.clone())
                .hint("when the JobManager answers again, `tidegate resume RUN` settles it under the same id"));
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(250));
    }
}

enum Step {
    Wait,
    Done(String),
    Failed(Vec<String>),
    Restarted,
    /// Flink remembers neither the savepoint nor what the job ended with.
    Forgotten,
}

enum Ended {
    /// With this savepoint.
    With(String),
    /// Or it has not ended; the savepoint is none.
    Without,
    /// Nobody knows.
    Unknown,
}

/// Whether a job that no savepoint can be asked of has ended with the one that was asked for before. It lies in the private folder,
/// which may be named in another way there: `hdfs:///x` is `hdfs://host/x`.
async fn ended_with(connection: &Connection, attempt: &Attempt, target: &str) -> Result<Ended> {
    if let Some(path) = checkpoint_folder::savepoint_below(target) {
        return Ok(Ended::With(path));
    }
    let private = target.rsplitn(3, '/').take(2).collect::<Vec<_>>();
    let inside = |path: &str| path.contains(&format!("/{}/{}/", private[1], private[0]));
    let Some(listed) = connection.listed(&attempt.flink_id).await? else { return Ok(Ended::Unknown) };
    if !is_terminal(&listed.state) {
        return Ok(Ended::Without);
    }
    Ok(match connection.newest_checkpoint(&listed).await? {
        Some(newest) if !newest.is_gone && inside(&newest.path) => Ended::With(newest.path),
        // Flink tells nothing of a savepoint where the job took no checkpoints of its own.
        None if listed.state == "FINISHED" => Ended::Unknown,
        _ => Ended::Without,
    })
}

fn forgotten(connection: &Connection, attempt: &Attempt, name: &str, target: &str) -> Error {
    Error::new(
        &code::SAVEPOINT_FAILED,
        format!(
            "a savepoint of attempt {} of `{name}` was asked for, and `{}` has forgotten what came of it",
            attempt.number, connection.name
        ),
    )
    .caused_by(format!("it may lie below {target}"))
    .hint("run the script again: it looks at what is there now")
}

/// The JobManager that was asked is gone. Where it is highly available the job lives on under its id and no stop is under
/// way any more; else the job is gone with it, and what it left decides.
fn restarted(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    snapshot: &Snapshot,
) -> Result<String> {
    let error = Error::new(
        &code::SAVEPOINT_FAILED,
        format!(
            "the JobManager of `{}` restarted while a savepoint of attempt {} of `{name}` was taken",
            connection.name, attempt.number
        ),
    )
    .hint("run the script again: it looks at what is there now");
    services.store.settle_snapshot(snapshot, SnapshotStatus::Lost, None, Some(&error.to_json().to_string()))?;
    ledger::find_lost(services, attempt)?;
    let found = services.store.snapshots_of(attempt.job, attempt.number)?.into_iter().find(|one| one.id == snapshot.id);
    Err(match found.and_then(|found| found.path) {
        Some(path) => error.caused_by(format!("it is whole all the same: {path}")),
        None => error,
    })
}

fn failed(name: &str, kind: SnapshotKind, causes: &[String]) -> Error {
    let message = match kind {
        SnapshotKind::Stop => format!("`{name}` could not be stopped with a savepoint"),
        _ => format!("no savepoint of `{name}` could be taken"),
    };
    let error = Error::new(&code::SAVEPOINT_FAILED, message);
    causes.iter().fold(error, |error, cause| error.caused_by(cause))
}

async fn wait_for_end(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    path: &str,
) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let state = match connection.listed(&attempt.flink_id).await {
            Ok(None) => return Ok(()),
            // The savepoint is in the ledger, and is the newest: none is taken after it.
            Ok(Some(seen)) if is_terminal(&seen.state) => {
                return services.store.end_attempt(attempt, &seen.state, seen.end_time, Some(path));
            }
            Ok(Some(seen)) => seen.state,
            Err(error) if error.is(&code::FLINK_UNREACHABLE) => format!("out of sight ({error})"),
            Err(error) => return Err(error),
        };
        if Instant::now() >= deadline {
            return Err(Error::new(
                &code::RUN_UNKNOWN_OUTCOME,
                format!("the savepoint of `{name}` is whole, and the job is {state} and has not ended after 60 s"),
            )
            .hint(format!(
                "look at what it does with `tidegate logs {name}`; `tidegate resume RUN` goes on when it has ended"
            )));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
