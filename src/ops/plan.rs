//! What a deploy, an execution or a cancel would do: the same looks, and no hand raised.

mod look;
mod outlook;

use look::{Look, basis, basis_of, look};
use serde_json::{Value, json};

use super::cluster::Start;
use super::connection::Connection;
use super::deploy::{Intent, Options, spec_text};
use super::services::Services;
use super::standing::{is_finished, submitted_spec};
use super::wish::{self, Wish};
use super::{facts, gone_state, savepoint, secret_marks, slots, stability, standing, state_guard, upgrade, wait};
use crate::base::{Error, Result, clock, code, counted, duration};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::{Artifact, JobSpec, Program};
use crate::model::plan::{Action, Change};
use crate::model::running_configuration::keeps_checkpoints;
use crate::model::spec_difference;
use crate::model::upgrade::{Ending, Mode};

/// A change, and the facts of the job handle that it would give. What only the run makes known is not among them.
#[derive(Debug)]
pub struct Planned {
    /// The change.
    pub change: Change,
    /// The facts.
    pub facts: Value,
}

/// What [`super::deploy::deploy`] would do. A refusal is in the change; nothing is started, not even a local cluster.
///
/// # Errors
/// `state.*`, `cluster.unknown`.
pub async fn deploy(services: &Services, spec: &JobSpec, options: &Options, intent: &Intent) -> Result<Planned> {
    let mut look = look(services, spec).await?;
    let basis = basis(services, &look)?;
    let mut planned = decided(services, spec, options, intent, &mut look).await?;
    planned.change.basis = basis;
    outlook::outlook(services, spec, (options, intent), &look, &mut planned.change).await?;
    class_path(services, spec, &look, &mut planned.change).await;
    Ok(planned)
}

/// Adds what is wrong with the class path of what would be sent.
async fn class_path(services: &Services, spec: &JobSpec, look: &Look, change: &mut Change) {
    let sends = change.action.is_change() && !matches!(change.action, Action::Record | Action::Unknown);
    if !sends || change.blocked.is_some() {
        return;
    }
    match super::class_path::check(services, spec, look.connection.as_ref()).await {
        Ok(findings) => {
            change.notes.extend(findings.warnings.into_iter().map(|warning| format!("warning: {warning}")));
            change.blocked = findings.refusal;
        }
        Err(error) => change.blocked = Some(error),
    }
}

async fn decided(
    services: &Services,
    spec: &JobSpec,
    options: &Options,
    intent: &Intent,
    look: &mut Look,
) -> Result<Planned> {
    let (refused, notes) = (look.refused.take(), std::mem::take(&mut look.notes));
    let (job, newest) = (look.job.as_ref(), look.newest.as_ref());
    if let Some(error) = refused {
        return Ok(blocked(services, spec, Action::Unknown, newest, error));
    }
    if let (Some((connection, listing, attempt)), Some(job)) = (&look.live, job) {
        let old = submitted_spec(attempt, &spec.identity.job)?;
        let facts = facts::of(connection, spec, attempt, Some(listing), "unchanged");
        let change = |action, notes, differences, blocked| Change {
            differences,
            blocked,
            ..Change::new(action, &spec.identity.job, notes)
        };
        let age = duration::age(outlook::since(listing.start_time));
        let runs =
            format!("attempt {} on `{}` is {}, started {age} ago", attempt.number, connection.name, listing.state);
        let rotated = standing::rotated(services, attempt, &secret_marks::of(services, spec)?)?;
        let mut unchanged = vec![runs.clone()];
        if let Some(gate) = &options.stable {
            unchanged.extend(stability::outlook(services, gate, attempt)?);
        }
        let change = if !standing::is_same_job(attempt, spec) || !rotated.is_empty() || intent.again {
            let mut notes = vec![runs];
            let ending = async {
                gone_state::is_there(&spec.identity.job, intent.rewind.as_deref())?;
                let ending = upgrade::check(services, connection, spec, attempt, options).await?;
                if ending == Ending::StopWithSavepoint {
                    savepoint::folder(connection, attempt, &spec.identity.job).await?;
                }
                if let Some(target) = &look.connection
                    && let Some(few) = slots::missing(services, connection, target, spec, attempt).await?
                {
                    notes.push(format!("warning: {few}"));
                }
                Ok(ending)
            };
            let ending = ending.await;
            if let Ok(ending) = &ending {
                let next = attempt.number + 1;
                let from = match &intent.rewind {
                    Some(path) => format!("starts from {path}"),
                    None => format!("goes on {}", carried(options.upgrade)),
                };
                notes.push(format!("{}; attempt {next} {from}", ended(*ending)));
            }
            let mut differences = spec_difference::running(&old, spec);
            differences.extend(rotated.iter().map(|name| format!("secret `{name}`: its value has changed")));
            let action = if differences.is_empty() { Action::Restart } else { Action::Upgrade };
            change(action, notes, differences, ending.err())
        } else if job.spec != spec_text(spec)? || job.desired != "running" {
            let recorded: Option<JobSpec> = serde_json::from_str(&job.spec).ok();
            let mut differences = recorded.map(|old| spec_difference::labels(&old, spec)).unwrap_or_default();
            if job.desired != "running" {
                differences.push(format!("desired: {} -> running", job.desired));
            }
            change(Action::Record, unchanged, differences, None)
        } else {
            change(Action::Noop, unchanged, Vec::new(), None)
        };
        return Ok(Planned { change, facts });
    }
    let listing = newest.and_then(|newest| look.listed.iter().find(|listing| listing.id == newest.flink_id));
    // A local cluster that is down is one that has just been started, and lists nothing.
    let target = look.connection.as_ref().or(look.down.as_ref());
    if let (Some(newest), Some(connection)) = (newest, target)
        && !intent.again
        && is_finished(newest, listing, spec)
        && !state_guard::may_have_been_stopped(services, newest)?
    {
        let mut facts = facts::of(connection, spec, newest, listing, "finished");
        if connection.is_down() {
            facts["url"] = Value::Null;
        }
        let notes = vec![format!("attempt {} has FINISHED with this spec", newest.number)];
        return Ok(Planned { change: Change::new(Action::Noop, &spec.identity.job, notes), facts });
    }
    let mut notes = notes;
    let restored = match (&intent.rewind, job) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(job)) => {
            let allowed = options.allow_state_loss.as_deref();
            let asked: Vec<&Connection> = target.into_iter().chain(&look.elsewhere).collect();
            match state_guard::newest_state(services, &asked, job, allowed).await {
                Ok(restored) => restored,
                Err(error) => return Ok(blocked(services, spec, Action::Restart, newest, error)),
            }
        }
        _ => None,
    };
    if let Err(error) = gone_state::is_there(&spec.identity.job, restored.as_deref()) {
        return Ok(blocked(services, spec, Action::Restart, newest, error));
    }
    let before = newest.filter(|newest| newest.submission == Submission::Accepted);
    let mut differences = Vec::new();
    if let Some(before) = before {
        let end = listing.map(|listing| listing.state.clone()).or_else(|| before.end_state.clone());
        let end = end.unwrap_or_else(|| "not there any more".to_owned());
        notes.push(format!("attempt {} is {end}", before.number));
        differences = spec_difference::running(&submitted_spec(before, &spec.identity.job)?, spec);
    }
    let number = newest.map_or(0, |newest| newest.number) + 1;
    let from = restored.as_ref().map_or_else(|| "from nothing".to_owned(), |path| format!("from {path}"));
    notes.push(format!("attempt {number} on `{}`, {from}: {}", spec.cluster, brief(spec)));
    let action = if before.is_some() { Action::Restart } else { Action::Create };
    let facts = would_be(services, spec, number, look.connection.as_ref(), restored.as_deref(), "CREATED", "created");
    let change = Change { differences, ..Change::new(action, &spec.identity.job, notes) };
    Ok(Planned { change, facts })
}

/// What `spec.execute()` would do.
///
/// # Errors
/// `state.*`, `cluster.unknown`.
pub async fn execute(services: &Services, spec: &JobSpec) -> Result<Planned> {
    let mut look = look(services, spec).await?;
    let basis = basis(services, &look)?;
    let newest = look.newest.as_ref();
    let refused = look.refused.take().or_else(|| {
        let (_, _, attempt) = look.live.as_ref()?;
        Some(
            Error::new(&code::JOB_TWIN, format!("`{}` already runs as attempt {}", spec.identity.job, attempt.number))
                .hint(format!("wait for it, or `tidegate cancel {}`", spec.identity.job)),
        )
    });
    if let Some(error) = refused {
        return Ok(blocked(services, spec, Action::Execute, newest, error));
    }
    let number = newest.map_or(0, |newest| newest.number) + 1;
    let mut notes = std::mem::take(&mut look.notes);
    notes.push(format!("attempt {number} on `{}`: {}", spec.cluster, brief(spec)));
    let facts = would_be(services, spec, number, look.connection.as_ref(), None, "FINISHED", "observed");
    let mut change = Change { basis, ..Change::new(Action::Execute, &spec.identity.job, notes) };
    let none = (&Options::default(), &Intent::DEPLOY);
    outlook::outlook(services, spec, none, &look, &mut change).await?;
    class_path(services, spec, &look, &mut change).await;
    Ok(Planned { change, facts })
}

/// What [`wish::perform`] would do, and the spec that would run.
///
/// # Errors
/// `job.not_found`, `job.no_revision`, `state.*`, `cluster.unknown`.
pub async fn wish(
    services: &Services,
    (environment, name): (&str, &str),
    wish: Wish,
    options: &Options,
) -> Result<(Planned, JobSpec)> {
    let job = services.store.job(environment, name)?.ok_or_else(|| wait::job_not_found(services, environment, name))?;
    if matches!(wish, Wish::Rollback { matching: true, .. }) {
        super::rewind::look(services, &job).await?;
    }
    let resolved = wish::resolve(services, &job, wish, None)?;
    let mut planned = deploy(services, &resolved.spec, options, &resolved.intent).await?;
    let is_change = planned.change.action.is_change();
    match wish {
        Wish::Rollback { .. } if is_change => planned.change.action = Action::Rollback,
        Wish::Rescale(_) if is_change => {
            planned.change.action = Action::Rescale;
            planned.change.notes.push("without a restart where the cluster has the adaptive scheduler".to_owned());
        }
        _ => {}
    }
    if let Some(origin) = resolved.intent.origin {
        planned.change.notes.insert(0, format!("back to revision {origin}"));
    }
    planned.change.notes.extend(resolved.note);
    Ok((planned, resolved.spec))
}

/// What cancelling a recorded job ([`Action::Cancel`]), or stopping it with a savepoint ([`Action::Stop`]), would do.
/// `planned` where an earlier step of the plan would have started it.
///
/// # Errors
/// `job.not_found`, `state.*`.
pub async fn end(services: &Services, environment: &str, name: &str, planned: bool, action: Action) -> Result<Planned> {
    let (state, stays) = match action {
        Action::Stop => ("FINISHED", Some("with a savepoint")),
        Action::Remove => ("FINISHED", Some("with a savepoint, and is not desired any more")),
        _ => ("CANCELED", None),
    };
    let basis = match planned {
        true => String::new(),
        false => basis_of(services, environment, name).await?,
    };
    let change = |action, note: String| Change { basis: basis.clone(), ..Change::new(action, name, vec![note]) };
    let facts = |state: &str| json!({ "name": name, "environment": environment, "state": state, "planned": true });
    if planned {
        let note = "what this plan would have started".to_owned();
        return Ok(Planned { change: change(action, note), facts: facts(state) });
    }
    let job = services.store.job(environment, name)?;
    let job = job.ok_or_else(|| wait::job_not_found(services, environment, name))?;
    let Some(newest) = services.store.newest_attempt(job.id)? else {
        return Ok(Planned { change: change(Action::Noop, "it was never submitted".to_owned()), facts: facts("") });
    };
    if newest.submission == Submission::Accepted
        && action != Action::Remove
        && let Some(end) = &newest.end_state
    {
        let note = format!("attempt {} is {end} already", newest.number);
        return Ok(Planned { change: change(Action::Noop, note), facts: facts(end) });
    }
    let stays = match stays {
        Some(stays) => stays,
        None => left_by_cancel(services, &newest).await,
    };
    let note = format!("attempt {} on `{}`; {stays}", newest.number, newest.cluster);
    let mut change = change(action, note);
    change.outlook.identity = Some(services.identity(environment, name).prefix());
    change.outlook.newest_state = outlook::newest_state(services, Some(&job))?;
    change.outlook.steps = vec![outlook::ending(newest.number, action != Action::Cancel)];
    Ok(Planned { change, facts: facts(state) })
}

/// What asks something of a job that goes on, [`Action::Adopt`] and [`Action::Savepoint`], with what that was decided upon.
///
/// # Errors
/// `state.*`.
pub async fn aside(services: &Services, environment: &str, name: &str, action: Action, note: String) -> Result<Change> {
    let basis = basis_of(services, environment, name).await?;
    Ok(Change { basis, ..Change::new(action, name, vec![note]) })
}

/// What a cancel leaves of an attempt, in words: a job that somebody else started may not keep its checkpoints.
async fn left_by_cancel(services: &Services, attempt: &Attempt) -> &'static str {
    let asked = async {
        let connection = services.clusters.connect(&attempt.cluster, Start::No).await?;
        connection.checkpoint_configuration(&attempt.flink_id).await
    };
    match asked.await {
        Ok(Some(configuration)) if keeps_checkpoints(&configuration) => "its newest checkpoint stays",
        Ok(Some(_)) => {
            "Flink deletes its newest checkpoint with it, as its configuration says: `stop` takes a savepoint"
        }
        Ok(None) => "it takes no checkpoints",
        Err(_) => "whether its newest checkpoint stays is not known: its cluster does not tell",
    }
}

fn blocked(services: &Services, spec: &JobSpec, action: Action, newest: Option<&Attempt>, error: Error) -> Planned {
    let number = newest.map_or(0, |newest| newest.number) + 1;
    let notes = vec![format!("on `{}`: {}", spec.cluster, brief(spec))];
    let change = Change { blocked: Some(error), ..Change::new(action, &spec.identity.job, notes) };
    Planned { change, facts: would_be(services, spec, number, None, None, "CREATED", "created") }
}

/// The facts as the run would find them, as far as they are known before.
fn would_be(
    services: &Services,
    spec: &JobSpec,
    number: u32,
    connection: Option<&Connection>,
    restored_from: Option<&str>,
    state: &str,
    action: &str,
) -> Value {
    let mut facts = json!({
        "planned": true,
        "environment": spec.identity.environment,
        "name": spec.identity.job,
        "cluster": spec.cluster,
        "attempt": number,
        "id": spec.identity.flink_job_id(number, services.store.salt()),
        "state": state,
        "restored_from": restored_from,
        "action": action,
        "at": clock::rfc3339(clock::now()),
    });
    if let Some(connection) = connection {
        facts["url"] = connection.client.base_url().to_string().into();
    }
    if state == "CREATED" {
        // What a deploy gives before anybody looked.
        facts["tasks_running"] = 0.into();
        facts["tasks_total"] = 0.into();
    }
    facts
}

/// How the execution that runs would be ended, in words.
fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::StopWithSavepoint => "it is stopped with a savepoint",
        Ending::Cancel => "it is cancelled",
    }
}

/// What the new attempt starts from, in words.
fn carried(mode: Mode) -> &'static str {
    match mode {
        Mode::Savepoint => "from that savepoint",
        Mode::LastState => "from its newest checkpoint",
        Mode::Stateless => "from nothing",
    }
}

/// A spec in a few words.
fn brief(spec: &JobSpec) -> String {
    let mut words = match &spec.program {
        Program::Sql { source, statements } => {
            let source = if source == super::render::INLINE {
                "sql of the script".to_owned()
            } else {
                format!("templates/{source}")
            };
            vec![format!("{} of {source}", counted(statements.len(), "statement"))]
        }
        Program::Adopted { id, .. } => vec![format!("what was adopted as {id}")],
        Program::Jar { jar, main_class, arguments } => {
            let class = main_class.clone().unwrap_or_default();
            let of = spec_difference::jar(&Artifact { sha256: String::new(), ..jar.clone() });
            vec![format!("{class} of {of} with {}", counted(arguments.len(), "argument"))]
        }
    };
    if let Some(parallelism) = spec.parallelism {
        words.push(format!("parallelism {parallelism}"));
    }
    if let Some(interval) = spec.setting("execution.checkpointing.interval") {
        words.push(format!("a checkpoint every {interval}"));
    }
    if spec.is_batch() {
        words.push("batch".to_owned());
    }
    words.join(", ")
}
