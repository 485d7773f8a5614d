//! What was recorded of a job: its revisions and attempts, and its states.

use serde_json::{Value, json};

use super::cluster::Start;
use super::ledger;
use super::services::Services;
use super::standing::revision_spec;
use super::wait::job_not_found;
use crate::base::{Error, Result, clock, code, counted};
use crate::model::attempt::{Attempt, Submission};
use crate::model::revision::{Revision, changed_secrets};
use crate::model::spec_difference;

/// The revisions of a job and the attempts that ran each, oldest first: when, by which run and script line, what changed,
/// from which state, and how it ended. A revision that no attempt ran, of labels alone, has a row of its own.
///
/// # Errors
/// `job.not_found`, `state.*`.
pub fn attempts(services: &Services, environment: &str, name: &str) -> Result<Vec<Value>> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let attempts = services.store.attempts(job.id)?;
    let mut rows = Vec::new();
    let mut before: Option<Revision> = None;
    for revision in services.store.revisions(job.id)? {
        let changed = match &before {
            Some(before) => changed(name, before, &revision)?,
            None => Vec::new(),
        };
        let kind = match revision.origin {
            Some(origin) => format!("{} to {origin}", revision.kind.name()),
            None => revision.kind.name().to_owned(),
        };
        let built_from = spec_difference::origins(&revision_spec(&revision, name)?);
        let mut row = |what: Value| {
            let mut row =
                json!({ "revision": revision.number, "kind": kind, "changed": changed, "built_from": built_from });
            if let (Some(row), Some(what)) = (row.as_object_mut(), what.as_object()) {
                row.extend(what.clone());
            }
            rows.push(row);
        };
        let mut of_revision = attempts.iter().filter(|attempt| attempt.revision == revision.number).peekable();
        if of_revision.peek().is_none() {
            let (at, run) = (clock::short(revision.created_at), format!("r{}", revision.step.run));
            row(json!({ "at": at, "run": run, "script": place(services, &revision.step)? }));
        }
        for attempt in of_revision {
            row(json!({
                "attempt": attempt.number,
                "at": clock::short(attempt.created_at),
                "run": format!("r{}", attempt.step.run),
                "script": place(services, &attempt.step)?,
                "submission": attempt.submission.name(),
                "restored_from": attempt.restored_from,
                "verdict": attempt.verdict,
                "end": end(attempt, &attempts),
                "ended_at": attempt.ended_at.map(clock::short),
                "ended_by": attempt.end_asked_by,
                "id": attempt.flink_id,
                "checkpoint": attempt.checkpoint,
            }));
        }
        before = Some(revision);
    }
    Ok(rows)
}

/// How an attempt ended. Of one whose end nobody saw a later one that was accepted tells that it cannot live: then it is called as a
/// listing of the jobs called it.
fn end(attempt: &Attempt, attempts: &[Attempt]) -> Option<String> {
    let accepted = |one: &&Attempt| one.submission == Submission::Accepted;
    let later = attempts.iter().filter(accepted).find(|later| later.number > attempt.number);
    match (&attempt.end_state, later) {
        (Some(end), _) => Some(end.clone()),
        (None, Some(later)) if accepted(&attempt) => {
            let is_same = later.cluster == attempt.cluster && later.incarnation == attempt.incarnation;
            Some(if is_same { "ENDED UNSEEN" } else { "VANISHED" }.to_owned())
        }
        (None, _) => None,
    }
}

/// The script line of a step, or what is known of its run.
fn place(services: &Services, step: &crate::model::attempt::StepKey) -> Result<String> {
    Ok(match services.store.place_of_step(step)? {
        // The lines of a command's own text say nothing to anybody.
        Some((file, _)) if file.starts_with('<') => file,
        // Who called the function of the standard library is not known; of which script it was, is.
        Some((file, line)) if !file.starts_with("std/") => format!("{file}:{line}"),
        Some(_) | None => services.store.run(step.run)?.script,
    })
}

/// The names of the parts in which a revision differs from the one before.
fn changed(name: &str, before: &Revision, revision: &Revision) -> Result<Vec<String>> {
    let (old, new) = (revision_spec(before, name)?, revision_spec(revision, name)?);
    let mut changed: Vec<String> = new.differences(&old).into_iter().map(str::to_owned).collect();
    let labels = spec_difference::labels(&old, &new);
    let is_commit = |line: &String| line.starts_with(spec_difference::BUILT_FROM);
    if labels.iter().any(is_commit) {
        changed.push("commit".to_owned());
    }
    if !labels.iter().all(is_commit) {
        changed.push("labels".to_owned());
    }
    changed.extend(changed_secrets(&before.secrets, &revision.secrets).iter().map(|name| format!("secret {name}")));
    Ok(changed)
}

/// In what two revisions of a job differ, in lines; nothing where the same job runs under the same labels.
///
/// # Errors
/// `job.not_found`, `job.no_revision`, `state.*`.
pub fn difference(services: &Services, environment: &str, name: &str, from: u32, to: u32) -> Result<Vec<String>> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let find = |number: u32| {
        services.store.revision(job.id, number)?.ok_or_else(|| {
            let count = services.store.revisions(job.id).map_or(0, |revisions| revisions.len());
            Error::new(&code::JOB_NO_REVISION, format!("`{name}` has no revision {number}"))
                .hint(format!("`tidegate history {name}` lists {}", counted(count, "revision")))
        })
    };
    let (before, after) = (find(from)?, find(to)?);
    let (old, new) = (revision_spec(&before, name)?, revision_spec(&after, name)?);
    let mut lines = spec_difference::running(&old, &new);
    lines.extend(spec_difference::labels(&old, &new));
    let secrets = changed_secrets(&before.secrets, &after.secrets);
    lines.extend(secrets.iter().map(|name| format!("secret `{name}`: its value has changed")));
    Ok(lines)
}

/// The savepoints of a job that were asked for, and its checkpoints that were seen, oldest first. Where it runs it is
/// looked at first; where that is not possible it is said, and what is recorded is given.
///
/// # Errors
/// `job.not_found`, `state.*`.
pub async fn savepoints(services: &Services, environment: &str, name: &str) -> Result<Vec<Value>> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let newest = services.store.newest_attempt(job.id)?;
    if let Some(newest) = newest.filter(|one| one.submission == Submission::Accepted && one.end_state.is_none()) {
        let looked = async {
            let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
            ledger::look(services, &connection, &newest).await
        };
        if let Err(error) = looked.await {
            let text = format!("`{}` cannot be asked: {error}; this is what is recorded", newest.cluster);
            services.clusters.progress(&text);
        }
    }
    let mut snapshots = services.store.snapshots(job.id)?;
    snapshots.sort_by_key(|one| (one.attempt, one.triggered_at.unwrap_or(one.created_at)));
    let rows = snapshots.into_iter().map(|snapshot| {
        json!({
            "attempt": snapshot.attempt,
            "kind": snapshot.kind.name(),
            "status": snapshot.status.name(),
            "at": clock::short(snapshot.triggered_at.unwrap_or(snapshot.created_at)),
            "bytes": snapshot.bytes,
            "run": snapshot.run.map(|run| format!("r{run}")),
            "path": snapshot.path,
        })
    });
    Ok(rows.collect())
}
