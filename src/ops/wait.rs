//! Waits until a job reaches a state.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::Start;
use super::connection::Connection;
use super::ledger;
use super::refusal;
use super::services::Services;
use super::standing::submitted_spec;
use crate::base::duration::show;
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::Attempt;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::{Listed, is_terminal};

/// Waits for `state`; RUNNING means that all tasks run. A cluster that cannot be reached is waited for.
///
/// Returns the facts of the job handle as they are then.
///
/// # Errors
/// `job.timeout`; `flink.job_failed` and `job.ended` for another terminal state; `flink.job_not_found` where the
/// JobManager does not know the job any more.
pub async fn wait_for(
    services: &Services,
    environment: &str,
    name: &str,
    number: u32,
    state: &str,
    timeout: Duration,
) -> Result<Value> {
    let (spec, attempt) = recorded(services, environment, name, number)?;
    let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
    let deadline = Instant::now() + timeout;
    let mut pause = Duration::from_millis(50);
    let mut last = "nothing was heard of it".to_owned();
    loop {
        match connection.listed(&attempt.flink_id).await {
            Ok(Some(job)) => {
                services.store.observe(attempt.job, attempt.number, &job.state, job.tasks_running, job.tasks_total)?;
                let reached = if state == "RUNNING" { job.really_running() } else { job.state == state };
                if is_terminal(&job.state) {
                    ledger::end(services, &connection, &attempt, &job).await?;
                    if !reached {
                        return Err(ended(services, &connection, &spec, &attempt, &job, state).await);
                    }
                }
                if reached {
                    ledger::note_checkpointing(services, &connection, &spec, &attempt).await?;
                    return Ok(super::facts::of(&connection, &spec, &attempt, Some(&job), "observed"));
                }
                let now = describe(&job);
                if now != last {
                    services.clusters.progress(&format!("{name}: {now}"));
                    last = now;
                }
            }
            Ok(None) => return Err(gone(services, &connection, &spec, &attempt).await?),
            // A proxy that answers for a JobManager is told at once: waiting would not change it.
            Err(error) if !error.is(&code::FLINK_UNREACHABLE) => return Err(error),
            Err(error) => {
                services.store.observe_unreachable(attempt.job, attempt.number)?;
                if last != error.message() {
                    services.clusters.progress(&format!("{name}: {error}; still waiting"));
                    last = error.message().to_owned();
                }
            }
        }
        if Instant::now() >= deadline {
            return Err(timed_out(&connection, &spec, state, timeout, &last).await);
        }
        tokio::time::sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}

/// An attempt and the spec that it was submitted with.
///
/// # Errors
/// `job.not_found`.
pub fn recorded(services: &Services, environment: &str, name: &str, number: u32) -> Result<(JobSpec, Attempt)> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let attempt = services.store.attempt(job.id, number)?.ok_or_else(|| {
        Error::new(&code::JOB_NOT_FOUND, format!("`{name}` has no attempt {number} in the environment `{environment}`"))
    })?;
    Ok((submitted_spec(&attempt, name)?, attempt))
}

/// The error for a job that is not recorded, with the name that was perhaps meant.
pub fn job_not_found(services: &Services, environment: &str, name: &str) -> Error {
    let error =
        Error::new(&code::JOB_NOT_FOUND, format!("no job `{name}` is recorded in the environment `{environment}`"));
    match services.store.jobs(Some(environment)) {
        Ok(jobs) => error.hint(crate::base::suggest::hint(name, jobs.iter().map(|job| job.name.as_str()))),
        Err(_) => error,
    }
}

fn describe(job: &Listed) -> String {
    if job.tasks_total > 0 && !is_terminal(&job.state) {
        format!("{}, {} of {} tasks run", job.state, job.tasks_running, job.tasks_total)
    } else {
        job.state.clone()
    }
}

async fn ended(
    services: &Services,
    connection: &Connection,
    spec: &JobSpec,
    attempt: &Attempt,
    job: &Listed,
    wanted: &str,
) -> Error {
    let name = &spec.identity.job;
    if job.state == "FAILED" {
        return match connection.traces(&attempt.flink_id).await {
            Ok(traces) => {
                let newest = traces.first().map(|trace| services.secrets.mask(trace));
                refusal::failed(services, spec, attempt.number, newest.as_deref())
            }
            Err(error) => refusal::failed(services, spec, attempt.number, None).caused_by(error),
        };
    }
    Error::new(&code::JOB_ENDED, format!("`{name}` is {} and will not become {wanted}", job.state))
        .with("state", job.state.clone())
        .hint(format!("`tidegate logs {name}` shows what happened"))
}

async fn gone(services: &Services, connection: &Connection, spec: &JobSpec, attempt: &Attempt) -> Result<Error> {
    let name = &spec.identity.job;
    if let Some(end) = services.store.attempt(attempt.job, attempt.number)?.and_then(|attempt| attempt.end_state) {
        return Ok(Error::new(&code::JOB_ENDED, format!("`{name}` ended as {end}, and Flink has forgotten it since"))
            .with("state", end));
    }
    let restarted = connection.incarnation().await? != attempt.incarnation;
    let error = Error::new(
        &code::FLINK_JOB_NOT_FOUND,
        format!(
            "the JobManager of `{}` does not know attempt {} of `{name}` ({})",
            connection.name, attempt.number, attempt.flink_id
        ),
    );
    Ok(if restarted {
        error.caused_by("it has restarted since the job was submitted, without high availability").hint(
            "the job's tasks end within their heartbeat timeout; run the script again: it goes on from its newest state, or says why that is not known and how to go on all the same",
        )
    } else {
        error.caused_by("it has not restarted, so the job has ended and Flink has forgotten it")
    })
}

async fn timed_out(connection: &Connection, spec: &JobSpec, state: &str, timeout: Duration, last: &str) -> Error {
    let name = &spec.identity.job;
    let error = Error::new(&code::JOB_TIMEOUT, format!("`{name}` is not {state} after {}", show(timeout)))
        .caused_by(format!("last seen at {}: {last}", clock::short(clock::now())))
        .with("job", json!(name));
    // The commonest reason is worth a look of its own.
    match connection.client.overview().await {
        Ok(overview) if overview.slots_available == 0 && !is_terminal(last) => error.hint(format!(
            "the cluster `{}` has no free slot ({} in all): cancel something, or give it more slots",
            connection.name, overview.slots_total
        )),
        _ => error.hint(format!("it was left as it is; `tidegate logs {name}` shows what it does")),
    }
}
