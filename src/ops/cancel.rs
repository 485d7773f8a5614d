//! Cancels a job, and keeps the pointer to its newest checkpoint.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::Start;
use super::connection::Connection;
use super::effect::Acting;
use super::gone::{self, Seen};
use super::last_state;
use super::ledger;
use super::services::Services;
use super::standing::{lock, superseded};
use super::wait::recorded;
use crate::base::{Error, Result, code, duration};
use crate::drivers::flink::Cancellation;
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_status::is_terminal;
use crate::model::run::Run;
use crate::store::JobRow;

/// How long to wait for the end: after three minutes (`task.cancellation.timeout`) Flink ends the TaskManager of a task that does
/// not.
const PATIENCE: Duration = Duration::from_secs(200);

/// How long a JobManager that was asked may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// After which time it is told what is waited for.
const SLOW: Duration = Duration::from_secs(10);

/// Cancels the newest attempt of a job and waits until it has ended. A job that has ended already stays as it is.
///
/// The run is kept with the end: it asked for it.
///
/// # Errors
/// `job.not_found`, `job.superseded`, `job.unknown_outcome`-like states of an open attempt, `job.timeout`, `flink.*`.
pub async fn cancel(services: &Services, run: &Run, acting: &Acting, environment: &str, name: &str) -> Result<Value> {
    let by = &format!("run r{}", run.id);
    let job = services
        .store
        .job(environment, name)?
        .ok_or_else(|| super::wait::job_not_found(services, environment, name))?;
    let _lock = lock(services, &services.identity(environment, name)).await?;
    superseded(services, &job, acting, "stopped")?;
    // What is desired is recorded first: whatever happens now, nobody brings the job back.
    services.store.set_desired(run, job.id, ended(&job))?;
    let newest = settled(services, environment, name, job.id).await?;
    let answer = |state: &str, did: &str, checkpoint: Option<&str>| json!({ "name": name, "environment": environment, "attempt": newest.number, "id": newest.flink_id, "state": state, "action": did, "checkpoint": checkpoint, "restored_from": newest.restored_from });
    if newest.submission != Submission::Accepted {
        return Ok(answer(newest.submission.name(), "nothing", None));
    }
    if let Some(end) = &newest.end_state {
        return Ok(answer(end, "nothing", newest.checkpoint.as_deref()));
    }
    let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
    let end = match end(services, &connection, &newest, name, by).await? {
        Some(end) => end,
        None => match gone::look(services, &connection, &newest).await? {
            Seen::Gone(gone) => {
                services.clusters.progress(&format!("{name}: {}", gone.why));
                return Ok(answer(gone.state, "nothing", newest.checkpoint.as_deref()));
            }
            // It came back with high availability.
            Seen::Listed(_) => end(services, &connection, &newest, name, by).await?.ok_or_else(|| {
                Error::new(&code::JOB_TIMEOUT, format!("`{name}` comes and goes on `{}`", connection.name))
                    .hint("its JobManager restarts again and again; cancel it again when that has ended")
            })?,
        },
    };
    if let Some(path) = end.checkpoint.clone().filter(|path| newest.restored_from.as_ref() == Some(path))
        && let Some(told) = last_state::restored(services, &newest, path)?.told()
    {
        services.clusters.progress(&format!("{name}: {told}"));
    }
    Ok(answer(&end.state, if end.asked { "cancelled" } else { "nothing" }, end.checkpoint.as_deref()))
}

/// What is desired of a job that is to end. One that was removed is not listed again for it.
pub(super) fn ended(job: &JobRow) -> &'static str {
    if job.desired == "absent" { "absent" } else { "stopped" }
}

/// The newest attempt of a job, once it is known whether its submission arrived.
///
/// # Errors
/// `job.not_found` where there is none, and those of [`super::submit::drive`].
pub(super) async fn settled(services: &Services, environment: &str, name: &str, job: i64) -> Result<Attempt> {
    let mut newest = services.store.newest_attempt(job)?.ok_or_else(|| {
        Error::new(&code::JOB_NOT_FOUND, format!("`{name}` was never submitted in the environment `{environment}`"))
    })?;
    if newest.submission == Submission::Open {
        let (spec, _) = recorded(services, environment, name, newest.number)?;
        let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
        let settled = super::submit::drive(services, &connection, &newest, &spec, super::submit::Sent::Perhaps).await;
        newest = services.store.newest_attempt(job)?.unwrap_or(newest);
        if let Err(error) = settled
            && newest.submission == Submission::Open
        {
            return Err(error);
        }
    }
    if newest.submission == Submission::GivenUp {
        // Nobody knows whether it ran. What is listed did.
        let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
        if connection.listed(&newest.flink_id).await?.is_some() {
            services.store.recognise_attempt(&newest)?;
            newest.submission = Submission::Accepted;
        }
    }
    Ok(newest)
}

/// How an execution ended.
#[derive(Debug)]
pub struct End {
    /// Flink's terminal state.
    pub state: String,
    /// Whether it still ran, and was asked to end.
    pub asked: bool,
    /// Its newest checkpoint.
    pub checkpoint: Option<String>,
}

/// Cancels an execution, waits until it has ended, and records its end with its newest checkpoint. None where the
/// JobManager does not know it any more. `by` is who asks for it; where it has ended already nobody did.
///
/// # Errors
/// `run.unknown_outcome` where it does not end, or nobody answers after it was asked; `flink.*`.
pub async fn end(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    by: &str,
) -> Result<Option<End>> {
    let mut asked = false;
    let mut heard = Instant::now();
    let begun = Instant::now();
    let mut told = false;
    loop {
        let step = step(services, connection, attempt, by, &mut asked).await;
        let state = match step {
            Ok(Step::Ended(end)) => return Ok(Some(end)),
            Ok(Step::Gone) => return Ok(None),
            Ok(Step::Wait(state)) => {
                heard = Instant::now();
                state
            }
            // Once it was asked for it may have happened: whoever comes next has to find that out.
            Err(error) if asked && error.is(&code::FLINK_UNREACHABLE) => {
                if heard.elapsed() >= SILENCE {
                    return Err(Error::new(
                        &code::RUN_UNKNOWN_OUTCOME,
                        format!("`{name}` was asked to end, and nobody has answered since"),
                    )
                    .caused_by(error)
                    .hint("when the JobManager answers again, `tidegate resume RUN` goes on"));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        if begun.elapsed() >= PATIENCE {
            let message = format!("`{name}` is {state}, and has not ended after {}", duration::show(PATIENCE));
            return Err(Error::new(&code::RUN_UNKNOWN_OUTCOME, message)
                .hint(format!("Flink was asked to cancel it, and goes on trying: `tidegate logs {name}` may tell what its tasks do; when it has ended, `tidegate resume RUN` goes on")));
        }
        if begun.elapsed() >= SLOW && !told {
            told = true;
            services.clusters.progress(&format!("{name}: {state}; Flink gives its tasks three minutes to end"));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

enum Step {
    Ended(End),
    /// It is not known any more.
    Gone,
    Wait(String),
}

async fn step(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    by: &str,
    asked: &mut bool,
) -> Result<Step> {
    let Some(seen) = connection.listed(&attempt.flink_id).await? else { return Ok(Step::Gone) };
    services.store.observe(attempt.job, attempt.number, &seen.state, seen.tasks_running, seen.tasks_total)?;
    if is_terminal(&seen.state) {
        let checkpoint = ledger::end(services, connection, attempt, &seen).await?;
        return Ok(Step::Ended(End { state: seen.state, asked: *asked, checkpoint }));
    }
    if !*asked {
        services.store.ask_end(attempt, by)?;
        // An answer that is lost does not tell that it did not arrive.
        *asked = true;
        *asked = matches!(connection.client.cancel(&attempt.flink_id).await?, Cancellation::Accepted);
    }
    Ok(Step::Wait(seen.state))
}
