//! Ends the execution that runs, so that one with another spec can go on from its state.

use super::cancel;
use super::connection::Connection;
use super::deploy::Options;
use super::last_state;
use super::ledger;
use super::savepoint;
use super::services::Services;
use super::standing::{changed, submitted_spec};
use super::state_guard;
use super::way_on;
use crate::base::{Error, Result, code};
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;
use crate::model::run::Run;
use crate::model::running_configuration;
use crate::model::upgrade::{Ending, Mode, Running, ending};

/// How the running execution would be ended.
#[derive(Debug)]
pub struct Prospect {
    /// The way.
    pub ending: Ending,
    /// What has to be known of the state that it leaves, as a sentence without its subject's name.
    pub note: Option<String>,
}

/// How the running execution would be ended, or why not. Changes nothing.
///
/// # Errors
/// `job.upgrade_blocked`, `flink.*`.
pub async fn check(
    services: &Services,
    connection: &Connection,
    spec: &JobSpec,
    attempt: &Attempt,
    options: &Options,
) -> Result<Prospect> {
    let mode = options.upgrade;
    let name = &spec.identity.job;
    let old = submitted_spec(attempt, name)?;
    let seen = ledger::look(services, connection, attempt).await?;
    let last = last_state::of(services, attempt, seen.as_ref())?;
    let configuration = match mode {
        Mode::Savepoint => None,
        Mode::LastState | Mode::Stateless => connection.checkpoint_configuration(&attempt.flink_id).await?,
    };
    let takes = configuration.as_ref().and_then(running_configuration::interval).is_some();
    let running = Running {
        attempt: attempt.number,
        is_batch: old.is_batch(),
        // What its spec does not say its program, or its cluster, may have said.
        had_state: takes || last.is_some() || state_guard::had_state(services, &old, attempt)?,
        has_checkpoint: last.is_some(),
        keeps_checkpoints: configuration.as_ref().is_none_or(running_configuration::keeps_checkpoints),
        loss_is_allowed: state_guard::is_abandoned(attempt, options.allow_state_loss.as_deref()),
    };
    let refused = |why: &str| {
        let message = format!("`{name}` cannot be upgraded with `{}`: {why}", mode.name());
        let error = Error::new(&code::JOB_UPGRADE_BLOCKED, message).with("attempt", attempt.number);
        changed(spec, attempt).into_iter().fold(error, |error, why| error.caused_by(why))
    };
    let ending = match ending(mode, running) {
        Ok(ending) => ending,
        Err(blocked) => {
            // A savepoint needs all tasks, too.
            let is_stuck = !running.is_batch && last.is_none() && !all_tasks_run(connection, attempt).await?;
            let hint = if is_stuck { way_on::of_stuck(name, attempt, mode) } else { blocked.hint };
            return Err(refused(&blocked.why).hint(hint));
        }
    };
    let last = last.filter(|_| mode == Mode::LastState);
    // Cancelled, it would be gone with what it knows: only the job itself still has its state.
    if let Some(gone) = last.as_ref().filter(|last| last.is_gone()) {
        return Err(refused(&format!("the state that it would go on from is gone: {}", gone.path)).hint(
            "with `--upgrade savepoint`, in a script `upgrade: \"savepoint\"`, it is stopped with a savepoint of the state that it has now",
        ));
    }
    Ok(Prospect { ending, note: last.and_then(|last| last.told()) })
}

async fn all_tasks_run(connection: &Connection, attempt: &Attempt) -> Result<bool> {
    Ok(connection.listed(&attempt.flink_id).await?.is_some_and(|seen| seen.really_running()))
}

/// Ends it, and returns when it has ended and its newest state is recorded.
///
/// # Errors
/// As [`check`], [`savepoint::stop`] and [`cancel::end`].
pub async fn end(
    services: &Services,
    run: &Run,
    connection: &Connection,
    spec: &JobSpec,
    attempt: &Attempt,
    options: &Options,
) -> Result<()> {
    let name = &spec.identity.job;
    let prospect = check(services, connection, spec, attempt, options).await?;
    if let Some(note) = prospect.note {
        services.clusters.progress(&format!("{name}: {note}"));
    }
    match prospect.ending {
        Ending::StopWithSavepoint => savepoint::stop(services, run, connection, attempt, name).await.map(drop),
        Ending::Cancel => cancel::end(services, connection, attempt, name, &format!("run r{}", run.id)).await.map(drop),
    }
}
