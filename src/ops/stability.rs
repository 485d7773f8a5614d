//! The stability gate: watches a new attempt, records the verdict, and goes back where it did not become stable.

use std::time::Duration;

use serde_json::Value;

use super::cluster::Start;
use super::connection::Connection;
use super::deploy::{self, Intent, Options};
use super::effect::Acting;
use super::ledger;
use super::services::Services;
use super::standing::{lock, revision_spec, submitted_spec};
use super::state_guard;
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::JobSpec;
use crate::model::job_status::is_terminal;
use crate::model::revision::{self, RevisionKind};
use crate::model::run::Run;
use crate::model::stability::{Otherwise, Progress, Verdict, judge};
use crate::model::upgrade::Mode;

pub use crate::model::stability::Gate;

/// The word of an attempt that did not become stable.
pub(super) const UNSTABLE: &str = "unstable";

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
    let judged = |step: &Acting| -> Result<Option<Attempt>> {
        let mine = services.store.attempts_of_step(&step.key)?;
        Ok(mine.into_iter().find(|attempt| attempt.verdict.as_deref() == Some(UNSTABLE)))
    };
    // A process that died after the verdict: only what follows of it is left to do.
    if let Some(unstable) = judged(acting)? {
        return go_back(services, run, acting, spec, gate, &unstable, "found by a process that died then").await;
    }
    let facts = deploy::bring(services, run, acting, spec, options, &Intent::DEPLOY).await?;
    let Some(attempt) = services.store.attempt_of_step(&acting.key)? else { return Ok(facts) };
    if attempt.submission != Submission::Accepted || attempt.verdict.is_some() {
        return Ok(facts);
    }
    let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
    match watch(services, &connection, &attempt, &spec.identity.job, gate).await? {
        Ok(why) => {
            services.store.judge_attempt(&attempt, "stable", &why)?;
            services.clusters.progress(&format!("{}: stable: {why}", spec.identity.job));
            Ok(facts)
        }
        Err(why) => {
            services.store.judge_attempt(&attempt, UNSTABLE, &why)?;
            services.clusters.progress(&format!("{}: not stable: {why}", spec.identity.job));
            go_back(services, run, acting, spec, gate, &attempt, &why).await
        }
    }
}

/// Watches an attempt to its verdict: how it shows that it is stable, or why it is not.
async fn watch(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    name: &str,
    gate: &Gate,
) -> Result<std::result::Result<String, String>> {
    let mut last = String::new();
    let begun = attempt.answered_at.unwrap_or(attempt.created_at);
    loop {
        let elapsed = Duration::from_millis(clock::now().saturating_sub(begun).unsigned_abs());
        let said = match progress(services, connection, attempt, elapsed).await {
            Ok(Some(seen)) => match judge(gate, &seen) {
                Verdict::Stable(why) => return Ok(Ok(why)),
                Verdict::Unstable(why) => return Ok(Err(why)),
                Verdict::NotYet(_) => {
                    format!("{}, {} of {} checkpoints", seen.state, seen.checkpoints, gate.checkpoints)
                }
            },
            Ok(None) => return Ok(Err("its JobManager does not know it any more".to_owned())),
            // Not heard of is not unstable; but nobody may call it stable either.
            Err(error) if error.is(&code::FLINK_UNREACHABLE) && elapsed < gate.within * 2 => error.to_string(),
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
    elapsed: Duration,
) -> Result<Option<Progress>> {
    let id = &attempt.flink_id;
    let Some(job) = connection.listed(id).await? else { return Ok(None) };
    services.store.observe(attempt.job, attempt.number, &job.state, job.tasks_running, job.tasks_total)?;
    // The metric is up to ten seconds old, the history of exceptions is not, and keeps the last sixteen.
    let metrics = connection.client.metrics(id, &["numRestarts"]).await?;
    let counted: u64 = metrics.get("numRestarts").and_then(|value| value.parse().ok()).unwrap_or(0);
    let failures = connection.client.exceptions(id).await?.map_or(0, |exceptions| exceptions.entries.len() as u64);
    Ok(Some(Progress {
        has_ended: is_terminal(&job.state),
        all_run: job.really_running(),
        state: job.state,
        checkpoints: ledger::look(services, connection, attempt).await?.map_or(0, |seen| seen.counts.completed),
        restarts: counted.max(failures),
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
    let revisions = services.store.revisions(unstable.job)?;
    let until: Vec<_> = revisions.into_iter().filter(|revision| revision.number <= unstable.revision).collect();
    let target = match (gate.otherwise, revision::before(&until)) {
        (Otherwise::Stay, _) => return Err(verdict("it was left as it is, as `otherwise` says".to_owned())),
        (_, None) => return Err(verdict("it was left as it is: there is no revision before it".to_owned())),
        (_, Some(target)) => target,
    };
    let old = revision_spec(target, name)?;
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
