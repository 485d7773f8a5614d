//! The stability gate: watches a new attempt, records the verdict, and goes back where it did not become stable.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::Start;
use super::connection::Connection;
use super::deploy::{self, Intent, Options};
use super::effect::{Acting, leaves_open};
use super::ledger;
use super::left_behind;
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
use crate::model::stability::{Otherwise, Progress, STABLE, UNJUDGED, UNSTABLE, Verdict, judge};
use crate::model::upgrade::Mode;

pub use crate::model::stability::Gate;

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
    let _lock = lock(services, &spec.identity).await?;
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
        Some(own) if own.submission != Submission::Accepted || own.verdict.as_deref() == Some(STABLE) => {
            return Ok(facts);
        }
        Some(own) => {
            let begun = own.answered_at.unwrap_or(own.created_at);
            (own, Some(Since { begun, checkpoints: 0, restarts: 0 }))
        }
        None => match owed(services, spec, &facts)? {
            Owed::Nothing => return Ok(facts),
            Owed::Verdict(left) => (left, None),
            Owed::GoingBack(left) => return go_back(services, run, acting, spec, gate, &left, DIED).await,
        },
    };
    let verdict = async {
        let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
        let since = match since {
            Some(since) => since,
            None => Since::now(services, &connection, &attempt).await?,
        };
        watch(services, &connection, &attempt, &spec.identity.job, (gate, &since)).await
    };
    let verdict = verdict.await.map_err(|error| match leaves_open(&error) {
        true => error,
        false => error.caused_by(format!(
            "attempt {} of `{}` was watched, and whether it is stable is not known: where the script is run again, it is judged by what is seen from then on",
            attempt.number, spec.identity.job
        )),
    })?;
    match verdict {
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

/// What an earlier run owes of the newest attempt, which this one has left unchanged.
enum Owed {
    Nothing,
    /// It died, failed or was given up before it had one; or it found it unstable, and that it runs on is no sign of anything.
    Verdict(Attempt),
    /// It died over what follows of its verdict.
    GoingBack(Attempt),
}

impl Owed {
    fn of(services: &Services, newest: Attempt) -> Result<Self> {
        Ok(match newest.verdict.as_deref() {
            Some(STABLE) => Self::Nothing,
            Some(UNSTABLE) if is_left(services, &newest)? => Self::GoingBack(newest),
            Some(_) => Self::Verdict(newest),
            // Of before attempts were marked as to be judged; or nobody asked.
            None if is_left(services, &newest)? => Self::Verdict(newest),
            None => Self::Nothing,
        })
    }
}

/// What a deploy with a gate does about an attempt that it leaves unchanged, in words; none where nothing is left to find.
///
/// # Errors
/// `state.*`.
pub(super) fn outlook(services: &Services, gate: &Gate, unchanged: &Attempt) -> Result<Option<String>> {
    let does = gate.otherwise.does();
    Ok(match Owed::of(services, unchanged.clone())? {
        Owed::Nothing => None,
        Owed::Verdict(_) => Some(format!("nobody has found it stable: watch whether it becomes so, else {does}")),
        Owed::GoingBack(_) => Some(format!("it was found unstable by a run that died then: {does}")),
    })
}

fn owed(services: &Services, spec: &JobSpec, facts: &Value) -> Result<Owed> {
    if facts.get("action").and_then(Value::as_str) != Some("unchanged") {
        return Ok(Owed::Nothing);
    }
    let job = services.store.job(&spec.identity.environment, &spec.identity.job)?;
    let Some(newest) = deploy::newest(services, job.as_ref())? else { return Ok(Owed::Nothing) };
    Owed::of(services, newest)
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
    // While the JobManager is silent nothing can be seen: that time is not the attempt's.
    let (mut silent, mut silent_since) = (Duration::ZERO, None);
    loop {
        let asked = Instant::now();
        let seen = match progress(services, connection, attempt, since).await {
            Ok(None) => match connection.incarnation().await {
                Ok(incarnation) if incarnation == attempt.incarnation => Ok(None),
                Ok(_) => Err(outage(connection, attempt, name)),
                Err(error) => Err(error),
            },
            seen => seen,
        };
        if seen.is_ok() {
            silent += silent_since.take().map_or(Duration::ZERO, |since: Instant| since.elapsed());
        }
        let seen = seen.map(|seen| seen.map(|seen| Progress { elapsed: seen.elapsed.saturating_sub(silent), ..seen }));
        let said = match seen {
            Ok(Some(seen)) => match judge(gate, &seen) {
                Verdict::Stable(why) => return Ok(Ok(why)),
                Verdict::Unstable(why) => return Ok(Err(why)),
                Verdict::NotYet(_) => {
                    format!("{}, {} of {} checkpoints", seen.state, seen.checkpoints, gate.checkpoints)
                }
            },
            Ok(None) => return Ok(Err("its JobManager does not know it any more".to_owned())),
            // Not heard of is not unstable; but nobody may call it stable either.
            Err(error) if error.is(&code::FLINK_UNREACHABLE) && since.elapsed() < gate.within * 2 => {
                silent_since.get_or_insert(asked);
                error.to_string()
            }
            Err(error) => return Err(error),
        };
        if said != last {
            services.clusters.progress(&format!("{name}: {said}"));
            last = said;
        }
        tokio::time::sleep(PERIOD.min(gate.within / 4)).await;
    }
}

/// What a JobManager that died under an attempt says of it: nothing.
fn outage(connection: &Connection, attempt: &Attempt, name: &str) -> Error {
    let message = format!(
        "the JobManager of `{}` has restarted while attempt {} of `{name}` was watched, and does not know it any more",
        connection.name, attempt.number
    );
    Error::new(&code::FLINK_JOB_NOT_FOUND, message)
        .caused_by("an outage is no verdict: nothing was gone back to")
        .hint("run the script again: it goes on from the newest state, and watches the new attempt")
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
    let (mut before, mut unfit) = (None, None);
    let ran = attempts.iter().rev().filter(|attempt| attempt.submission == Submission::Accepted);
    for attempt in ran.filter(|attempt| attempt.number < unstable.number) {
        let is_unfit = match attempt.verdict.as_deref() {
            // It was to be gone back from, by a run that died before it did.
            Some(UNSTABLE) => is_left(services, attempt)?,
            // It was to become stable, and nobody has seen that it did.
            Some(UNJUDGED) => true,
            _ => false,
        };
        if !is_unfit {
            before = Some(attempt);
            break;
        }
        unfit = Some(attempt.number);
    }
    let Some(before) = before else {
        return stays(match unfit {
            Some(number) => format!(": nobody has found attempt {number} before it stable"),
            None => ": no attempt ran before it".to_owned(),
        });
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
    if gate.otherwise == Otherwise::Rollback
        && let Some(job) = services.store.job(&spec.identity.environment, name)?
        && let Err(lost) = left_behind::is_whole(services, &job, &old, None)
    {
        if !lost.is(&code::JOB_UPGRADE_BLOCKED) {
            return Err(lost);
        }
        let hint = lost.hint_text().unwrap_or_default().to_owned();
        return stays(", since state would be lost".to_owned()).map_err(|error| error.caused_by(&lost).hint(hint));
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
        // It goes on with `resume`.
        if leaves_open(&error) {
            return error;
        }
        let failed = verdict(format!("going back to revision {} failed", target.number)).caused_by(&error);
        match error.hint_text() {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    })?;
    let number = facts.get("attempt").and_then(Value::as_u64).unwrap_or_default();
    let state = if intent.rewind.is_some() { "the state that it was ended with" } else { "the newest state" };
    Err(verdict(format!("revision {} was started again as attempt {number}, from {state}", target.number)))
}
