//! The stability gate: watches a new attempt, records the verdict, and goes back where it did not become stable.

use std::time::Duration;

use serde_json::Value;

use super::cluster::Start;
use super::connection::Connection;
use super::dependencies;
use super::deploy::{self, Intent, Options};
use super::effect::Acting;
use super::ledger;
use super::services::Services;
use super::standing::{is_same_job, lock, revision_spec, submitted_spec};
use super::state_guard;
use super::wish::has_died;
use crate::base::clock::Millis;
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::{Attempt, StepKey, Submission};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::job_status::is_terminal;
use crate::model::revision::{Revision, RevisionKind};
use crate::model::run::{Run, StepStatus};
use crate::model::stability::{Otherwise, Progress, Verdict, judge};
use crate::model::upgrade::Mode;

pub use crate::model::stability::Gate;

/// The word of an attempt that became stable.
const STABLE: &str = "stable";

/// The word of an attempt that did not become stable.
pub(super) const UNSTABLE: &str = "unstable";

/// Why an attempt is not stable, where the process that found it so has died over what follows.
const DIED: &str = "found by a process that died then";

/// How often a new attempt is looked at.
const PERIOD: Duration = Duration::from_millis(500);

/// Brings a job to its spec, and, where `stable` asks for it, watches whether the new attempt becomes stable. Idempotent.
///
/// # Errors
/// Those of [`deploy::bring`]; `job.unstable` where it does not, when what `otherwise` says has been done.
pub async fn deploy(
    services: &Services,
    run: &Run,
    acting: &Acting,
    spec: &JobSpec,
    options: &Options,
) -> Result<Value> {
    let _lock = lock(services, &spec.identity)?;
    dependencies::lock_in(services, &spec.dependencies).await?;
    let Some(gate) = &options.stable else {
        return deploy::bring(services, run, acting, spec, options, &Intent::DEPLOY).await;
    };
    if gate.checkpoints > 0 && !spec.is_stateful() {
        return Err(Error::new(
            &code::ARGUMENT_INVALID,
            format!("`{}` takes no checkpoints, and `stable` asks for {}", spec.identity.job, gate.checkpoints),
        )
        .hint("set `checkpointing`, or say `checkpoints: 0`: then it has to run all the time that `within` gives"));
    }
    // A process that died after the verdict: only what follows of it is left to do.
    if let Some((unstable, why)) = found_unstable(services, spec, &acting.key)? {
        return go_back(services, run, acting, spec, gate, &unstable, &why).await;
    }
    let facts = deploy::bring(services, run, acting, spec, options, &Intent::DEPLOY).await?;
    let (attempt, since) = match services.store.attempt_of_step(&acting.key)? {
        Some(own) => {
            let since = own.answered_at.unwrap_or(own.created_at);
            (own, Since { begun: since, checkpoints: 0, restarts: 0 })
        }
        None => match left_unjudged(services, spec, &facts)? {
            Some(left) if left.verdict.is_some() => {
                return go_back(services, run, acting, spec, gate, &left, DIED).await;
            }
            Some(left) => {
                let connection = services.clusters.connect(&left.cluster, Start::No).await?;
                let since = Since::now(services, &connection, &left).await?;
                (left, since)
            }
            None => return Ok(facts),
        },
    };
    if attempt.submission != Submission::Accepted || attempt.verdict.is_some() {
        return Ok(facts);
    }
    let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
    match watch(services, &connection, &attempt, &spec.identity.job, (gate, &since)).await? {
        Ok(why) => {
            services.store.judge_attempt(&attempt, &acting.key, STABLE, &why)?;
            services.clusters.progress(&format!("{}: stable: {why}", spec.identity.job));
            Ok(facts)
        }
        Err(why) => {
            services.store.judge_attempt(&attempt, &acting.key, UNSTABLE, &why)?;
            services.clusters.progress(&format!("{}: not stable: {why}", spec.identity.job));
            go_back(services, run, acting, spec, gate, &attempt, &why).await
        }
    }
}

/// The attempt that a step has found unstable, if it came so far, and why: one that it made, or one that a run had left.
fn found_unstable(services: &Services, spec: &JobSpec, step: &StepKey) -> Result<Option<(Attempt, String)>> {
    let Some(job) = services.store.job(&spec.identity.environment, &spec.identity.job)? else { return Ok(None) };
    services.store.judged_by(job.id, step, UNSTABLE)
}

/// The newest attempt, where it was left unchanged and its run died in the very step that made it: what that step was to
/// find, or to do about it, is still to be done. None where it is stable.
fn left_unjudged(services: &Services, spec: &JobSpec, facts: &Value) -> Result<Option<Attempt>> {
    if facts.get("action").and_then(Value::as_str) != Some("unchanged") {
        return Ok(None);
    }
    let job = services.store.job(&spec.identity.environment, &spec.identity.job)?;
    let Some(newest) = deploy::newest(services, job.as_ref())? else { return Ok(None) };
    let is_left = newest.verdict.as_deref() != Some(STABLE) && is_left(services, &newest)?;
    Ok(Some(newest).filter(|_| is_left))
}

/// Whether the run that made an attempt died in the very step that made it, and was not resumed.
fn is_left(services: &Services, attempt: &Attempt) -> Result<bool> {
    let is_open = services.store.step(&attempt.step)?.is_some_and(|step| step.status == StepStatus::Open);
    Ok(is_open && has_died(services, attempt.step.run)?)
}

/// From when on what is seen of an attempt counts.
struct Since {
    begun: Millis,
    /// What it had before.
    checkpoints: u64,
    restarts: u64,
}

impl Since {
    fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(clock::now().saturating_sub(self.begun)).unwrap_or(0))
    }

    /// From now on: an attempt that ran unwatched may have had its failures long ago.
    async fn now(services: &Services, connection: &Connection, attempt: &Attempt) -> Result<Self> {
        let mut since = Self { begun: clock::now(), checkpoints: 0, restarts: 0 };
        if let Some(seen) = progress(services, connection, attempt, &since).await? {
            since.checkpoints = seen.checkpoints;
            since.restarts = seen.restarts;
        }
        Ok(since)
    }
}

/// Watches an attempt to its verdict: how it shows that it is stable, or why it is not.
async fn watch(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    (gate, since): (&Gate, &Since),
) -> Result<std::result::Result<String, String>> {
    let mut last = String::new();
    loop {
        let said = match progress(services, connection, attempt, since).await {
            Ok(Some(seen)) => match judge(gate, &seen) {
                Verdict::Stable(why) => return Ok(Ok(why)),
                Verdict::Unstable(why) => return Ok(Err(why)),
                Verdict::NotYet(_) => {
                    format!("{}, {} of {} checkpoints", seen.state, seen.checkpoints, gate.checkpoints)
                }
            },
            Ok(None) => return Ok(Err("its JobManager does not know it any more".to_owned())),
            // Not heard of is not unstable; but nobody may call it stable either.
            Err(error) if error.is(&code::FLINK_UNREACHABLE) && since.elapsed() < gate.within * 2 => error.to_string(),
            Err(error) => return Err(error),
        };
        if said != last {
            services.clusters.progress(&format!("{name}: {said}"));
            last = said;
        }
        tokio::time::sleep(PERIOD.min(gate.within / 4)).await;
    }
}

async fn progress(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    since: &Since,
) -> Result<Option<Progress>> {
    let elapsed = since.elapsed();
    let id = &attempt.flink_id;
    let Some(job) = connection.listed(id).await? else { return Ok(None) };
    services.store.observe(attempt.job, attempt.number, &job.state, job.tasks_running, job.tasks_total)?;
    // The metric is up to ten seconds old, the history of exceptions is not, and keeps the last sixteen.
    let metrics = connection.client.metrics(id, &["numRestarts"]).await?;
    let counted: u64 = metrics.get("numRestarts").and_then(|value| value.parse().ok()).unwrap_or(0);
    let failures = connection.client.exceptions(id).await?.map_or(0, |exceptions| exceptions.entries.len() as u64);
    let completed = ledger::look(services, connection, attempt).await?.map_or(0, |seen| seen.counts.completed);
    Ok(Some(Progress {
        has_ended: is_terminal(&job.state),
        all_run: job.really_running(),
        state: job.state,
        checkpoints: completed.saturating_sub(since.checkpoints),
        restarts: counted.max(failures).saturating_sub(since.restarts),
        elapsed,
    }))
}

async fn go_back(
    services: &Services,
    run: &Run,
    acting: &Acting,
    spec: &JobSpec,
    gate: &Gate,
    unstable: &Attempt,
    why: &str,
) -> Result<Value> {
    let name = &spec.identity.job;
    let verdict = |did: String| {
        Error::new(&code::JOB_UNSTABLE, format!("attempt {} of `{name}` is not stable; {did}", unstable.number))
            .caused_by(why)
            .with("attempt", unstable.number)
            .hint(format!("`tidegate logs {name}` and `tidegate history {name}` show what happened"))
    };
    let stays = |why: String| Err(verdict(format!("it was left as it is{why}")));
    if gate.otherwise == Otherwise::Stay {
        return stays(", as `otherwise` says".to_owned());
    }
    // What ran before, and not the revision before: that one may be long gone.
    let attempts = services.store.attempts(unstable.job)?;
    let mut before = None;
    for attempt in attempts.iter().rev().filter(|attempt| attempt.number < unstable.number) {
        // One that was to be gone back from, by a run that died before it did, is nothing to go back to.
        let is_unstable = attempt.verdict.as_deref() == Some(UNSTABLE) && is_left(services, attempt)?;
        if attempt.submission == Submission::Accepted && !is_unstable {
            before = Some(attempt);
            break;
        }
    }
    let Some(before) = before else {
        return stays(": no attempt ran before it".to_owned());
    };
    if is_same_job(before, &submitted_spec(unstable, name)?) {
        return stays(format!(
            ": attempt {} before it ran the same job, revision {}, so there is nothing to go back to",
            before.number, before.revision
        ));
    }
    // Labels that came later are no other job.
    let revisions = services.store.revisions(unstable.job)?;
    let is_target = |one: &&Revision| one.number <= unstable.revision && one.spec_hash == before.spec_hash;
    let Some(target) = revisions.iter().rev().find(is_target) else {
        return stays(format!(": the revision of attempt {} before it is not recorded", before.number));
    };
    let old = revision_spec(target, name)?;
    if matches!(old.program, Program::Adopted { .. }) {
        return stays(format!(": attempt {} before it was adopted, and cannot be started from here", before.number));
    }
    let rewind = match gate.otherwise {
        Otherwise::Rewind => unstable.restored_from.clone(),
        Otherwise::Rollback | Otherwise::Stay => None,
    };
    // It may restart all the time, and then no savepoint can be taken: its newest checkpoint is its state.
    let had_state = state_guard::had_state(services, &submitted_spec(unstable, name)?, unstable)?;
    let options = Options { upgrade: if had_state { Mode::LastState } else { Mode::Stateless }, ..Options::default() };
    let intent = Intent { kind: RevisionKind::Rollback, origin: Some(target.number), again: false, rewind };
    let facts = deploy::bring(services, run, acting, &old, &options, &intent).await.map_err(|error| {
        let did = format!("going back to revision {} failed", target.number);
        verdict(did).caused_by(&error).hint(error.hint_text().unwrap_or_default())
    })?;
    let number = facts.get("attempt").and_then(Value::as_u64).unwrap_or_default();
    let state = if intent.rewind.is_some() { "the state that it was ended with" } else { "the newest state" };
    Err(verdict(format!("revision {} was started again as attempt {number}, from {state}", target.number)))
}
