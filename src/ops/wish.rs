//! What is wished of a job that is recorded: to start it, start it anew, go back to an earlier revision, or rescale it.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::Start;
use super::connection::Connection;
use super::deploy::{self, Intent, Options};
use super::effect::Acting;
use super::facts;
use super::left_behind;
use super::rewind;
use super::services::Services;
use super::standing::{is_same_job, lock, revision_spec, submitted_spec, superseded};
use super::wait::job_not_found;
use crate::base::{Error, Result, code, counted};
use crate::drivers::flink::{Bounds, JobDetail, Requirement, Version};
use crate::model::attempt::{Attempt, StepKey, Submission};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::job_status::is_terminal;
use crate::model::rescale::{self, Operator};
use crate::model::revision::{self, Revision, RevisionKind};
use crate::model::run::Run;
use crate::store::JobRow;

/// How long a live rescale may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That it runs.
    Start,
    /// That it is ended, and started anew with the same spec.
    Restart,
    /// That an earlier revision runs.
    Rollback {
        /// Which; the one before if not given.
        to: Option<u32>,
        /// Whether the state goes back, too: to the newest that the earlier revision had.
        matching: bool,
    },
    /// That it runs with this parallelism.
    Rescale(u32),
}

/// What a wish comes to.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The spec that is to run.
    pub spec: JobSpec,
    /// How it gets there.
    pub intent: Intent,
    /// How far back a rewind goes, in words.
    pub note: Option<String>,
}

/// Does it. Idempotent within its step.
///
/// # Errors
/// `job.not_found`, `job.no_revision`, and those of [`deploy::bring`].
pub async fn perform(
    services: &Services,
    run: &Run,
    acting: &Acting,
    (environment, name): (&str, &str),
    wish: Wish,
    options: &Options,
) -> Result<Value> {
    let _lock = lock(services, &services.identity(environment, name)).await?;
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    if matches!(wish, Wish::Rollback { matching: true, .. }) {
        rewind::look(services, &job).await?;
    }
    let resolved = resolve(services, &job, wish, Some(&acting.key))?;
    if matches!(wish, Wish::Rescale(_)) {
        superseded(services, &job, acting, "running")?;
    }
    if matches!(wish, Wish::Rollback { matching: false, .. }) && services.store.attempt_of_step(&acting.key)?.is_none()
    {
        left_behind::is_whole(services, &job, &resolved.spec, options.allow_state_loss.as_deref())?;
    }
    if let Some(note) = &resolved.note {
        services.clusters.progress(&format!("{name}: {note}"));
    }
    if let Wish::Rescale(parallelism) = wish
        && let Some(facts) = rescaled_live(services, run, acting, &job, &resolved, parallelism).await?
    {
        return Ok(facts);
    }
    let mut facts = deploy::bring(services, run, acting, &resolved.spec, options, &resolved.intent).await?;
    if let Some(origin) = resolved.intent.origin {
        facts["back_to"] = origin.into();
    }
    Ok(facts)
}

/// What a wish comes to, as far as the records tell. `step` is the one that performs it: what it has begun holds.
///
/// # Errors
/// `job.not_found`, `job.no_revision`, `job.state_unknown`.
pub fn resolve(services: &Services, job: &JobRow, wish: Wish, step: Option<&StepKey>) -> Result<Resolved> {
    let begun = match step {
        Some(step) => services.store.attempt_of_step(step)?,
        None => None,
    };
    let revisions = services.store.revisions(job.id)?;
    let newest = revisions.last().ok_or_else(|| {
        Error::new(&code::JOB_NO_REVISION, format!("`{}` was never deployed", job.name)).hint("deploy it with a script")
    })?;
    let intent = |kind, again| Intent { kind, origin: None, again, rewind: None };
    let (spec, intent, note) = match (wish, begun) {
        (Wish::Start, _) => (revision_spec(newest, &job.name)?, intent(RevisionKind::Deploy, false), None),
        (Wish::Restart, _) => (revision_spec(newest, &job.name)?, intent(RevisionKind::Deploy, true), None),
        (Wish::Rescale(parallelism), _) => {
            let mut spec = revision_spec(newest, &job.name)?;
            spec.parallelism = Some(parallelism);
            (spec, intent(RevisionKind::Rescale, false), None)
        }
        (Wish::Rollback { matching, .. }, Some(begun)) => {
            let spec = submitted_spec(&begun, &job.name)?;
            let origin = revisions.iter().find(|one| one.number == begun.revision).and_then(|one| one.origin);
            let rewind = begun.restored_from.clone().filter(|_| matching);
            (spec, Intent { kind: RevisionKind::Rollback, origin, again: false, rewind }, None)
        }
        // Asked for again instead of resuming the run that died in it: it is that rollback, and goes back no further.
        (Wish::Rollback { to, matching }, None) if died_in(services, newest, to)? => {
            let begun = services.store.newest_attempt(job.id)?.filter(|begun| begun.revision == newest.number);
            let rewind = begun.and_then(|begun| begun.restored_from).filter(|_| matching);
            let intent = Intent { kind: RevisionKind::Rollback, origin: newest.origin, again: false, rewind };
            (revision_spec(newest, &job.name)?, intent, None)
        }
        (Wish::Rollback { to, matching }, None) => {
            let target = target(job, &revisions, &services.store.attempts(job.id)?, to)?;
            let spec = revision_spec(target, &job.name)?;
            let state = if matching { Some(rewind::matching_state(services, job, target)?) } else { None };
            let note = state.as_ref().map(|state| state.1.clone());
            let rewind = state.map(|state| state.0);
            let again = rewind.is_some();
            (spec, Intent { kind: RevisionKind::Rollback, origin: Some(target.number), again, rewind }, note)
        }
    };
    if let (Program::Adopted { id, .. }, Wish::Restart | Wish::Rollback { .. } | Wish::Rescale(_)) =
        (&spec.program, wish)
    {
        return Err(super::upload::adopted(&job.name, id));
    }
    Ok(Resolved { spec, intent, note })
}

/// Whether a run can be resumed and nobody is at it.
pub(super) fn has_died(services: &Services, run: i64) -> Result<bool> {
    Ok(services.store.run(run)?.status.is_open() && !services.store.is_locked(&format!("run-{run}")))
}

/// Whether the newest revision is a rollback, to the revision that is asked for, whose run died and may be resumed.
fn died_in(services: &Services, newest: &Revision, to: Option<u32>) -> Result<bool> {
    let is_it = newest.kind == RevisionKind::Rollback && to.is_none_or(|to| newest.origin == Some(to));
    Ok(is_it && has_died(services, newest.step.run)?)
}

fn target<'a>(job: &JobRow, revisions: &'a [Revision], attempts: &[Attempt], to: Option<u32>) -> Result<&'a Revision> {
    let found = match to {
        Some(number) => revisions.iter().find(|revision| revision.number == number),
        None => revision::before(revisions, attempts),
    };
    let lists = format!("`tidegate history {}` lists {}", job.name, counted(revisions.len(), "revision"));
    let refused = |message: String, hint: String| Error::new(&code::JOB_NO_REVISION, message).hint(hint);
    match (found, to) {
        (Some(one), _) if revision::ran(one, revisions, attempts) => Ok(one),
        (Some(one), _) => {
            let mut of_it = attempts.iter().rev().filter(|attempt| attempt.revision == one.number);
            let why = match of_it.next() {
                Some(attempt) => format!("attempt {} {}", attempt.number, attempt.submission.answered()),
                None => "nothing was submitted".to_owned(),
            };
            let message = format!("revision {} of `{}` never ran: {why}", one.number, job.name);
            Err(refused(message, format!("where it is meant to run, deploy it with its script; {lists}")))
        }
        (None, Some(number)) => Err(refused(format!("`{}` has no revision {number}", job.name), lists)),
        (None, None) => {
            let hash = revisions.last().map(|newest| newest.spec_hash.as_str());
            let others = || revisions.iter().rev().filter(|one| Some(one.spec_hash.as_str()) != hash);
            let named = |one: &Revision, what: &str| {
                format!("revision {0} {what}; `--to {0}` goes to it all the same", one.number)
            };
            let unstable = others().find(|one| revision::is_unstable(one, revisions, attempts));
            let later = others().find(|one| revision::ran(one, revisions, attempts));
            let why = match (unstable, later) {
                (Some(one), _) => named(one, "was found unstable"),
                // The newest is a rollback itself.
                (None, Some(one)) => named(one, "ran after the one that was gone back to"),
                (None, None) => "no other ran before the one that is deployed".to_owned(),
            };
            Err(refused(format!("`{}` has no revision to go back to: {why}", job.name), lists))
        }
    }
}

/// Rescales a job that runs where its cluster can do that: Flink's adaptive scheduler, since 1.18. None where it cannot,
/// or the job does not run with the rest of the spec.
async fn rescaled_live(
    services: &Services,
    run: &Run,
    acting: &Acting,
    job: &JobRow,
    resolved: &Resolved,
    parallelism: u32,
) -> Result<Option<Value>> {
    let spec = &resolved.spec;
    let Some(attempt) = services.store.newest_attempt(job.id)? else { return Ok(None) };
    let old: JobSpec = submitted_spec(&attempt, &job.name)?;
    let same = JobSpec { parallelism: old.parallelism, ..spec.clone() };
    if attempt.submission != Submission::Accepted || !is_same_job(&attempt, &same) {
        return Ok(None);
    }
    let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
    let version = Version::parse(&connection.client.overview().await?.flink_version)?;
    let scheduler = connection.client.setting("jobmanager.scheduler").await?.unwrap_or_default();
    if version < Version::new(1, 18) || !scheduler.eq_ignore_ascii_case("adaptive") {
        return Ok(None);
    }
    let runs = connection.client.job(&attempt.flink_id).await?.filter(|job| !is_terminal(job.state.as_str()));
    let Some(runs) = runs else { return Ok(None) };
    let mut wanted = connection.client.requirements(&attempt.flink_id).await?;
    let operators = operators(&runs, &wanted);
    if operators.is_empty() {
        return Ok(None);
    }
    let own = match old.parallelism {
        Some(parallelism) => parallelism,
        None => {
            let set = connection.setting_of(&old, &["parallelism.default"]).await?;
            set.and_then(|text| text.trim().parse().ok()).unwrap_or(1)
        }
    };
    let following = rescale::following(&operators, own, parallelism)
        .map_err(|limit| too_much(services, &job.name, parallelism, limit))?;
    let following: HashSet<&str> = following.into_iter().map(|operator| operator.id.as_str()).collect();
    for (_, requirement) in wanted.iter_mut().filter(|(id, _)| following.contains(id.as_str())) {
        let bounds = &mut requirement.parallelism;
        *bounds = Bounds { lower_bound: bounds.lower_bound.min(parallelism), upper_bound: parallelism };
    }
    // What Flink refuses is not wished any more: the next start would make up for it. A process that dies in between
    // leaves a step that asks for the same again.
    connection.client.require(&attempt.flink_id, &wanted).await?;
    let mut revision = deploy::revision(services, acting, spec, &resolved.intent)?;
    revision.number = services.store.desire(run, &spec.identity, &spec.cluster, "running", &revision)?;
    services.store.rescale_attempt(&attempt, &revision)?;
    reached(services, &connection, &attempt, &job.name, (&following, parallelism)).await?;
    let listing = connection.job(&attempt.flink_id).await?;
    Ok(Some(facts::of(&connection, spec, &attempt, listing.as_ref(), "rescaled")))
}

/// The operators of a job that runs, with what they are asked to run with.
fn operators(runs: &JobDetail, wanted: &BTreeMap<String, Requirement>) -> Vec<Operator> {
    let vertex = |id: &str| runs.vertices.iter().find(|vertex| vertex.id == id);
    let operator = |(id, requirement): (&String, &Requirement)| Operator {
        id: id.clone(),
        name: vertex(id).map_or_else(|| id.clone(), |vertex| vertex.name.clone()),
        parallelism: requirement.parallelism.upper_bound,
        most: vertex(id).and_then(|vertex| u32::try_from(vertex.max_parallelism?).ok()).filter(|most| *most > 0),
    };
    wanted.iter().map(operator).collect()
}

fn too_much(services: &Services, name: &str, parallelism: u32, limit: &Operator) -> Error {
    let most = limit.most.unwrap_or(1);
    // Its name can hold literals of the SQL.
    let operator = services.secrets.mask(&limit.name);
    Error::new(&code::ARGUMENT_INVALID, format!("`{name}` cannot run with parallelism {parallelism}"))
        .caused_by(format!("its operator `{operator}` can have {most} at most, its `maxParallelism`"))
        .hint("nothing was changed; `pipeline.max-parallelism` sets it, for a job that starts without state")
}

/// Waits until the vertices that follow run with a parallelism.
async fn reached(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    (following, parallelism): (&HashSet<&str>, u32),
) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    loop {
        let Some(job) = connection.client.job(&attempt.flink_id).await? else { return Ok(()) };
        let tasks = job.tasks();
        let mut vertices = job.vertices.iter().filter(|vertex| following.contains(vertex.id.as_str()));
        let other = vertices.find(|vertex| vertex.parallelism != parallelism.cast_signed());
        let has = other.map_or(parallelism.cast_signed(), |vertex| vertex.parallelism);
        if other.is_none() && tasks.running == tasks.total {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let free = connection.client.overview().await?.slots_available;
            return Err(Error::new(
                &code::JOB_TIMEOUT,
                format!(
                    "`{name}` has parallelism {has}, and {} of its {} tasks run, 60 s after {parallelism} was asked for",
                    tasks.running, tasks.total
                ),
            )
            .hint(format!(
                "Flink goes on trying, with {}; it takes what it can get",
                counted(free as usize, "free slot")
            )));
        }
        if last != Some(has) {
            services.clusters.progress(&format!("{name}: parallelism {has}, {parallelism} wanted"));
            last = Some(has);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
