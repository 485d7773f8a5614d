//! Brings a job to its spec: looks first, and submits once at most.

use serde_json::Value;

use super::cluster::{Connection, Start};
use super::effect::Acting;
use super::facts;
use super::services::Services;
use super::standing::{is_finished, is_missing, live, lock, recorded, submitted_spec};
use super::submit::{self, Sent};
use super::upload;
use super::{savepoint, state_guard, upgrade};
use crate::base::{Error, Result, clock, code, duration};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::{Listed, is_terminal};
use crate::model::run::Run;
use crate::model::upgrade::Mode;
use crate::store::JobRow;

/// What a deploy may do beyond the careful default.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names the attempt whose state is abandoned: `attempt-3`.
    pub allow_state_loss: Option<String>,
    /// What becomes of the state where the job runs with another spec.
    pub upgrade: Mode,
}

/// Brings a job to its spec. Idempotent: an unchanged job that lives costs one request.
///
/// # Errors
/// `job.exists_unmanaged`, `job.twin`, `job.state_unknown`, and those of [`upgrade::end`] and [`submit::drive`].
pub async fn deploy(
    services: &Services,
    run: &Run,
    acting: &Acting,
    spec: &JobSpec,
    options: &Options,
) -> Result<Value> {
    let _lock = lock(services, &spec.identity)?;
    let connection = services.clusters.connect(&spec.cluster, Start::IfDown).await?;
    settle(services, &connection, spec).await?;
    let job = services.store.job(&spec.identity.environment, &spec.identity.job)?;
    let mut newest = newest(services, job.as_ref())?;
    if let Some(newest) = &newest {
        savepoint::settle(services, &connection, newest, &spec.identity.job).await?;
    }
    let mut listed = look(services, &connection, newest.as_ref(), job.as_ref().map(|job| (job, options))).await?;
    let live = live(services, spec, &listed)?.cloned();

    // A step that crashed after its attempt was settled: the work is done, only its result is missing.
    let own = services.store.attempt_of_step(&acting.key)?.filter(|attempt| attempt.submission == Submission::Accepted);

    if let (Some(listing), Some(job)) = (live, &job) {
        let attempt = recognised(services, job, &listing)?;
        services.store.observe(job.id, attempt.number, &listing.state, listing.tasks_running, listing.tasks_total)?;
        let action = match &own {
            Some(own) if own.number == attempt.number => Some("created"),
            _ if attempt.spec_hash == spec.running_hash() => Some("unchanged"),
            _ => None,
        };
        if let Some(action) = action {
            record_spec(services, run, spec, job)?;
            return Ok(facts::of(&connection, spec, &attempt, Some(&listing), action));
        }
        let loss = options.allow_state_loss.as_deref();
        upgrade::end(services, run, &connection, spec, &attempt, options.upgrade, loss).await?;
        listed = connection.jobs().await?;
        newest = services.store.attempt(job.id, attempt.number)?;
    }
    if let (Some(own), Some(_)) = (&own, &job) {
        let listing = listed.iter().find(|listing| listing.id == own.flink_id);
        return Ok(facts::of(&connection, spec, own, listing, "created"));
    }
    if let (Some(newest), Some(job)) = (&newest, &job) {
        let listing = listed.iter().find(|listing| listing.id == newest.flink_id);
        note_end(services, &connection, newest, listing).await?;
        let stopped = services.store.final_savepoint(newest.job, newest.number)?.is_some();
        if !stopped && is_finished(newest, listing, spec) {
            // deploy() is idempotent: a bounded job that has done its work is at its spec.
            record_spec(services, run, spec, job)?;
            return Ok(facts::of(&connection, spec, newest, listing, "finished"));
        }
    }
    let restore = match (&newest, &job) {
        (Some(_), Some(job)) => {
            state_guard::newest_state(services, Some(&connection), job, options.allow_state_loss.as_deref()).await?
        }
        _ => None,
    };
    let (attempt, jar) = begin(services, run, acting, spec, &connection, newest.as_ref(), restore).await?;
    submit::drive(services, &connection, &attempt, spec, Sent::Never { jar }).await?;
    Ok(facts::of(&connection, spec, &attempt, None, "created"))
}

/// Starts one new execution of a bounded job, or goes on with the one that this step, or a run that died, has begun.
///
/// # Errors
/// `job.twin` where the job lives already, and those of [`deploy`].
pub async fn start(services: &Services, run: &Run, acting: &Acting, spec: &JobSpec) -> Result<Attempt> {
    let _lock = lock(services, &spec.identity)?;
    let connection = services.clusters.connect(&spec.cluster, Start::IfDown).await?;
    settle(services, &connection, spec).await?;
    if let Some(own) = services.store.attempt_of_step(&acting.key)?
        && own.submission == Submission::Accepted
    {
        return Ok(own);
    }
    let job = services.store.job(&spec.identity.environment, &spec.identity.job)?;
    let newest = newest(services, job.as_ref())?;
    let listed = look(services, &connection, newest.as_ref(), None).await?;
    if let (Some(listing), Some(job)) = (live(services, spec, &listed)?, &job) {
        let attempt = recognised(services, job, listing)?;
        let owner_died = attempt.step.run != run.id && !services.store.is_locked(&format!("run-{}", attempt.step.run));
        if owner_died && attempt.spec_hash == spec.running_hash() {
            // Running a script again instead of resuming it: the execution that the dead run began is the one.
            return Ok(attempt);
        }
        return Err(Error::new(
            &code::JOB_TWIN,
            format!("`{}` already runs as attempt {} (run r{})", spec.identity.job, attempt.number, attempt.step.run),
        )
        .hint(format!("wait for it, or `tidegate cancel {}`", spec.identity.job)));
    }
    let (attempt, jar) = begin(services, run, acting, spec, &connection, newest.as_ref(), None).await?;
    submit::drive(services, &connection, &attempt, spec, Sent::Never { jar }).await?;
    Ok(attempt)
}

/// Drives the job's open attempt, whoever began it, to a known outcome.
async fn settle(services: &Services, connection: &Connection, spec: &JobSpec) -> Result<()> {
    let Some(job) = services.store.job(&spec.identity.environment, &spec.identity.job)? else { return Ok(()) };
    let Some(open) = services.store.newest_attempt(job.id)?.filter(|attempt| attempt.submission == Submission::Open)
    else {
        return Ok(());
    };
    let sent = submitted_spec(&open, &job.name)?;
    let settled = if open.cluster == connection.name {
        submit::drive(services, connection, &open, &sent, Sent::Perhaps).await
    } else {
        let other = services.clusters.connect(&open.cluster, Start::No).await?;
        submit::drive(services, &other, &open, &sent, Sent::Perhaps).await
    };
    let Err(error) = settled else { return Ok(()) };
    // Refused: no job came of it, which is all that has to be known here. The new spec may fare better.
    let refused = services.store.attempt(job.id, open.number)?.is_some_and(|now| now.submission != Submission::Open);
    if refused { Ok(()) } else { Err(error) }
}

fn newest(services: &Services, job: Option<&JobRow>) -> Result<Option<Attempt>> {
    let Some(job) = job else { return Ok(None) };
    services.store.newest_attempt(job.id)
}

/// The cluster's whole list. Where the job's last execution went down with its JobManager, the list is taken when its
/// tasks have ended, too: they write until they miss the heartbeats of the dead one.
///
/// `guard` is asked before the wait: a start that will be refused is refused at once.
async fn look(
    services: &Services,
    connection: &Connection,
    newest: Option<&Attempt>,
    guard: Option<(&JobRow, &Options)>,
) -> Result<Vec<Listed>> {
    let listed = connection.jobs().await?;
    let lost = newest.filter(|attempt| is_missing(attempt, &connection.name, &listed));
    let Some(lost) = lost.filter(|_| !connection.is_local) else { return Ok(listed) };
    if connection.incarnation().await? == lost.incarnation {
        return Ok(listed);
    }
    if let Some((job, options)) = guard {
        state_guard::newest_state(services, Some(connection), job, options.allow_state_loss.as_deref())
            .await
            .map(drop)?;
    }
    let afterlife = connection.afterlife().await?;
    services.clusters.progress(&format!(
        "the JobManager of `{}` has restarted; waiting {} for the tasks that its predecessor left",
        connection.name,
        duration::show(afterlife)
    ));
    tokio::time::sleep(afterlife).await;
    connection.jobs().await
}

/// The record of an execution that the cluster lists; that it was accepted is recorded too.
fn recognised(services: &Services, job: &JobRow, listing: &Listed) -> Result<Attempt> {
    let attempt = recorded(services, job, listing)?;
    if attempt.submission != Submission::Accepted {
        services.store.recognise_attempt(&attempt)?;
    }
    Ok(attempt)
}

fn record_spec(services: &Services, run: &Run, spec: &JobSpec, job: &JobRow) -> Result<()> {
    let text = spec_text(spec)?;
    if job.spec == text && job.desired == "running" {
        return Ok(());
    }
    services.store.desire(run, &spec.identity, &spec.cluster, "running", &text)
}

pub(super) fn spec_text(spec: &JobSpec) -> Result<String> {
    serde_json::to_string(spec)
        .map_err(|error| Error::new(&code::INTERNAL, "a job spec cannot be written").caused_by(error))
}

/// Records how an attempt ended, where the cluster tells, together with its newest checkpoint.
async fn note_end(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    listing: Option<&Listed>,
) -> Result<()> {
    let Some(listing) = listing.filter(|listing| is_terminal(&listing.state)) else { return Ok(()) };
    if attempt.end_state.is_some() {
        return Ok(());
    }
    let checkpoint = connection.newest_checkpoint(&attempt.flink_id).await?;
    services.store.end_attempt(attempt, &listing.state, listing.end_time, checkpoint.as_deref())
}

/// Uploads the jar and records the intent of a new attempt.
async fn begin(
    services: &Services,
    run: &Run,
    acting: &Acting,
    spec: &JobSpec,
    connection: &Connection,
    newest: Option<&Attempt>,
    restored_from: Option<String>,
) -> Result<(Attempt, String)> {
    let payload = upload::payload(services, spec)?;
    let uploaded = upload::ensure(&connection.client, &payload, false).await?;
    let incarnation = connection.incarnation().await?;
    let text = spec_text(spec)?;
    let seen = newest.map_or(0, |attempt| attempt.number);
    let attempt = Attempt {
        job: newest.map_or(0, |attempt| attempt.job),
        number: seen + 1,
        flink_id: spec.identity.flink_job_id(seen + 1, services.store.salt()),
        cluster: spec.cluster.clone(),
        submission: Submission::Open,
        incarnation,
        spec: text,
        spec_hash: spec.running_hash(),
        jar: payload.name.clone(),
        restored_from,
        step: acting.key.clone(),
        created_at: clock::now(),
        answered_at: None,
        end_state: None,
        ended_at: None,
        end_asked_by: None,
        checkpoint: None,
        error: None,
    };
    let attempt = services.store.begin_attempt(run, &spec.identity, attempt, seen)?;
    Ok((attempt, uploaded))
}
