//! Brings a job to a spec: looks first, and submits once at most.

use serde_json::Value;

use super::cluster::Start;
use super::connection::Connection;
use super::effect::Acting;
use super::facts;
use super::gone_state;
use super::readiness::{self, Ready};
use super::services::Services;
use super::standing::{self, is_finished, is_missing, live, recorded, submitted_spec};
use super::submit::{self, Sent};
use super::upload;
use super::{
    class_path, dependencies, forgotten, ledger, left_behind, left_down, savepoint, secret_marks, slots, state_guard,
    upgrade,
};
use crate::base::{Error, Result, clock, code, duration};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::{Listed, is_terminal};
use crate::model::revision::{Revision, RevisionKind};
use crate::model::run::Run;
use crate::model::stability::{Gate, UNJUDGED, UNSTABLE};
use crate::model::upgrade::Mode;
use crate::store::JobRow;

/// What a deploy may do beyond the careful default.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Names the attempt whose state is abandoned: `attempt-3`.
    pub allow_state_loss: Option<String>,
    /// What becomes of the state where the job runs with another spec.
    pub upgrade: Mode,
    /// State of operators that the program no longer has is left behind.
    pub allow_non_restored_state: bool,
    /// When the new attempt counts as stable, and what is done where it does not become so.
    pub stable: Option<Gate>,
}

/// What is brought about, beside the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// How the revision comes to be, if it is a new one.
    pub kind: RevisionKind,
    /// The revision that it is again.
    pub origin: Option<u32>,
    /// A job that runs with this very spec is started anew.
    pub again: bool,
    /// The state to start from instead of the newest: a rewind.
    pub rewind: Option<String>,
}

impl Intent {
    /// Bringing the job to the spec that a script made.
    pub const DEPLOY: Self = Self { kind: RevisionKind::Deploy, origin: None, again: false, rewind: None };
}

/// Brings a job to a spec; whoever calls holds the job's lock. An unchanged job that lives costs one request.
///
/// # Errors
/// `job.exists_unmanaged`, `job.twin`, `job.state_unknown`, and those of [`upgrade::end`] and [`submit::drive`]; with what they leave
/// behind, where what ran was ended before.
pub(super) async fn bring(
    services: &Services,
    run: &Run,
    acting: &Acting,
    spec: &JobSpec,
    options: &Options,
    intent: &Intent,
) -> Result<Value> {
    let brought = brought(services, run, acting, spec, options, intent).await;
    brought.map_err(|error| left_down::told(services, run, spec, error))
}

async fn brought(
    services: &Services,
    run: &Run,
    acting: &Acting,
    spec: &JobSpec,
    options: &Options,
    intent: &Intent,
) -> Result<Value> {
    let name = &spec.identity.job;
    let connection = services.clusters.connect(&spec.cluster, Start::IfDown).await?;
    settle(services, &connection, spec).await?;
    let job = services.store.job(&spec.identity.environment, name)?;
    let mut newest = newest(services, job.as_ref())?;
    let elsewhere = standing::elsewhere(services, spec, newest.as_ref()).await?;
    // Where the newest execution lives, if it does.
    let home = elsewhere.as_ref().unwrap_or(&connection);
    if let Some(newest) = &newest {
        savepoint::settle(services, home, newest, name).await?;
    }
    // A rewind names its state: what is the newest need not be known.
    let guard = job.as_ref().filter(|_| intent.rewind.is_none()).map(|job| (job, options));
    let mut listed = look(services, home, newest.as_ref(), guard).await?;
    let live = live(services, &spec.identity, &home.name, &listed)?.cloned();
    if elsewhere.is_some() {
        let other = connection.jobs().await?;
        if let Some(twin) = standing::live(services, &spec.identity, &connection.name, &other)? {
            return Err(standing::twin_elsewhere(spec, twin, home));
        }
    }
    if job.is_none() {
        forgotten::has_no_state(&connection, spec, &listed, options.allow_state_loss.as_deref()).await?;
    }
    let revision = revision(services, acting, spec, intent)?;

    // A step that crashed after its attempt was settled: the work is done, only its result is missing.
    let own = services.store.attempt_of_step(&acting.key)?.filter(|attempt| {
        // One that was found unstable is what this step goes back from.
        attempt.submission == Submission::Accepted && attempt.verdict.as_deref() != Some(UNSTABLE)
    });

    let mut ready = None;
    if let (Some(listing), Some(job)) = (live, &job) {
        let attempt = recognised(services, job, &listing)?;
        services.store.observe(job.id, attempt.number, &listing.state, listing.tasks_running, listing.tasks_total)?;
        let action = match &own {
            Some(own) if own.number == attempt.number => Some("created"),
            _ if !intent.again && standing::runs(services, &attempt, spec, &revision.secrets)? => Some("unchanged"),
            _ => None,
        };
        if let Some(action) = action {
            lock_in(services, spec, intent).await?;
            record_spec(services, run, spec, job, &revision)?;
            return Ok(facts::of(home, spec, &attempt, Some(&listing), action));
        }
        standing::superseded(services, job, acting, "running")?;
        // Before anything ends: what cannot start must not cost what runs.
        gone_state::is_there(name, intent.rewind.as_deref())?;
        let few = slots::missing(services, home, &connection, spec, &attempt).await?;
        let contended = slots::contended(services, home, &connection, &listed, &attempt).await?;
        for warning in few.into_iter().chain(contended) {
            services.clusters.progress(&format!("warning: {warning}"));
        }
        class_path::ensure(services, spec, &connection).await?;
        lock_in(services, spec, intent).await?;
        ready = Some(readiness::look(services, &connection, spec, &attempt).await?);
        upgrade::end(services, run, home, spec, &attempt, options).await?;
        newest = services.store.attempt(job.id, attempt.number)?;
        // Its JobManager may have gone down meanwhile, and then its tasks are waited for as for any other that vanished.
        listed = look(services, home, newest.as_ref(), guard).await?;
        // The end took its time: what somebody started meanwhile would get a twin.
        standing::none_lives(services, &spec.identity, &home.name, &listed)?;
    }
    if let (Some(own), Some(_)) = (&own, &job) {
        let listing = listed.iter().find(|listing| listing.id == own.flink_id);
        return Ok(facts::of(home, spec, own, listing, "created"));
    }
    if let (Some(newest), Some(job)) = (&newest, &job) {
        standing::superseded(services, job, acting, "running")?;
        let listing = listed.iter().find(|listing| listing.id == newest.flink_id);
        note_end(services, home, newest, listing).await?;
        let stopped = state_guard::may_have_been_stopped(services, newest)?;
        if !stopped && !intent.again && is_finished(newest, listing, spec) {
            // deploy() is idempotent: a bounded job that has done its work is at its spec.
            lock_in(services, spec, intent).await?;
            record_spec(services, run, spec, job, &revision)?;
            return Ok(facts::of(home, spec, newest, listing, "finished"));
        }
    }
    let restore = match (&intent.rewind, &newest, &job) {
        (Some(path), ..) => Some(path.clone()),
        (None, Some(_), Some(job)) => {
            let allowed = options.allow_state_loss.as_deref();
            let found = state_guard::newest_state(services, &[home, &connection], job, allowed).await;
            // Where this process was stopped meanwhile its successor has gone on: what was looked at is of the attempt of that one.
            overtaken(services, job, newest.as_ref())?;
            found?
        }
        _ => None,
    };
    // Flink would start from it all the same: so it is looked at, and recorded.
    let restore = restore.or_else(|| forgotten::named_start(spec));
    gone_state::is_there(name, restore.as_deref())?;
    if ready.is_none() {
        class_path::ensure(services, spec, &connection).await?;
        lock_in(services, spec, intent).await?;
    }
    let is_watched = options.stable.is_some();
    let newest = newest.as_ref();
    let begin = Begin { run, spec, connection: &connection, revision: &revision, newest, is_watched };
    let (attempt, jar) = begin.attempt(services, restore, options.allow_non_restored_state, ready).await?;
    submit::drive(services, &connection, &attempt, spec, Sent::Never { jar }).await?;
    ledger::note_checkpointing(services, &connection, spec, &attempt).await?;
    let mut facts = facts::of(&connection, spec, &attempt, None, "created");
    if let Some(operators) = left_behind::operators(services, &connection, &attempt).await {
        facts["dropped_operators"] = operators.into();
    }
    Ok(facts)
}

/// Has a script's dependencies in `tidegate.lock`: when nothing on the class path stands against the job any more, and before
/// anything is sent. What goes back to an older spec asks for nothing new.
async fn lock_in(services: &Services, spec: &JobSpec, intent: &Intent) -> Result<()> {
    match intent {
        intent if *intent == Intent::DEPLOY => dependencies::lock_in(services, &spec.dependencies).await,
        _ => Ok(()),
    }
}

/// Drives the job's open attempt, whoever began it, to a known outcome.
pub(super) async fn settle(services: &Services, connection: &Connection, spec: &JobSpec) -> Result<()> {
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

/// Refuses to go on where another process has made an attempt since `newest` was the newest.
fn overtaken(services: &Services, job: &JobRow, newest: Option<&Attempt>) -> Result<()> {
    let (seen, now) = (newest.map(|newest| newest.number), services.store.newest_attempt(job.id)?);
    match now {
        Some(now) if Some(now.number) != seen => Err(Error::new(
            &code::RUN_SUPERSEDED,
            format!(
                "another process has made attempt {} of `{}` while this one was stopped or slow",
                now.number, job.name
            ),
        )),
        _ => Ok(()),
    }
}

pub(super) fn newest(services: &Services, job: Option<&JobRow>) -> Result<Option<Attempt>> {
    let Some(job) = job else { return Ok(None) };
    services.store.newest_attempt(job.id)
}

/// The cluster's whole list. Where the job's last execution went down with its JobManager, the list is taken when its
/// tasks have ended, too: they write until they miss the heartbeats of the dead one.
///
/// `guard` is asked before the wait: a start that will be refused is refused at once.
pub(super) async fn look(
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
        // Somebody may have started it by hand since: that is told, and not how to start it from nothing.
        live(services, &services.identity(&job.environment, &job.name), &connection.name, &listed)?;
        state_guard::newest_state(services, &[connection], job, options.allow_state_loss.as_deref()).await.map(drop)?;
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
pub(super) fn recognised(services: &Services, job: &JobRow, listing: &Listed) -> Result<Attempt> {
    let attempt = recorded(services, job, listing)?;
    if attempt.submission != Submission::Accepted {
        services.store.recognise_attempt(&attempt)?;
    }
    Ok(attempt)
}

pub(super) fn record_spec(
    services: &Services,
    run: &Run,
    spec: &JobSpec,
    job: &JobRow,
    revision: &Revision,
) -> Result<()> {
    if job.spec == revision.spec && job.desired == "running" {
        return services.store.reaffirm(run, job.id, "running");
    }
    services.store.desire(run, &spec.identity, &spec.cluster, "running", revision).map(drop)
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
    if attempt.submission != Submission::Accepted {
        // It is held to be refused, or given up, and ran after all.
        services.store.recognise_attempt(attempt)?;
    }
    if attempt.end_state.is_some() {
        return Ok(());
    }
    ledger::end(services, connection, attempt, listing).await.map(drop)
}

/// The revision that a spec would be.
pub(super) fn revision(services: &Services, acting: &Acting, spec: &JobSpec, intent: &Intent) -> Result<Revision> {
    Ok(Revision {
        job: 0,
        number: 0,
        kind: intent.kind,
        origin: intent.origin,
        spec: spec_text(spec)?,
        spec_hash: spec.running_hash(),
        secrets: secret_marks::of(services, spec)?,
        step: acting.key.clone(),
        created_at: clock::now(),
    })
}

/// A new attempt on its way into the state.
pub(super) struct Begin<'a> {
    pub(super) run: &'a Run,
    pub(super) spec: &'a JobSpec,
    pub(super) connection: &'a Connection,
    pub(super) revision: &'a Revision,
    /// The newest attempt before, that the decision was made upon.
    pub(super) newest: Option<&'a Attempt>,
    /// It has to become stable.
    pub(super) is_watched: bool,
}

impl Begin<'_> {
    /// Uploads the jar, where it is not known to be there, and records the intent.
    pub(super) async fn attempt(
        &self,
        services: &Services,
        restored_from: Option<String>,
        allow_non_restored: bool,
        ready: Option<Ready>,
    ) -> Result<(Attempt, String)> {
        let payload = upload::payload(services, self.spec)?;
        let ready = match ready {
            Some(ready) if self.connection.incarnation().await? == ready.incarnation => ready,
            _ => {
                // The upload can take its time: the JobManager is the one that answers after it.
                let jar = upload::ensure(&self.connection.client, &payload, false).await?;
                Ready { jar, incarnation: self.connection.incarnation().await? }
            }
        };
        let seen = self.newest.map_or(0, |attempt| attempt.number);
        let flink_id = self.spec.identity.flink_job_id(seen + 1, services.store.salt());
        let cluster = self.spec.cluster.clone();
        let attempt = Attempt {
            allow_non_restored,
            jar: payload.name.clone(),
            restored_from,
            verdict: self.is_watched.then(|| UNJUDGED.to_owned()),
            created_at: clock::now(),
            ..Attempt::new(self.revision, seen + 1, flink_id, cluster, ready.incarnation)
        };
        let attempt = services.store.begin_attempt(self.run, &self.spec.identity, attempt, self.revision, seen)?;
        Ok((attempt, ready.jar))
    }
}
