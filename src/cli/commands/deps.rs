//! `tidegate deps` and `tidegate artifacts`.

use std::time::Duration;

use serde_json::{Value, json};

use super::Session;
use crate::api::table::layout;
use crate::base::{Error, Result, code, counted, duration};
use crate::cli::Outcome;
use crate::cli::args::{ArtifactsCommand, Deps};
use crate::model::dependency::{Closure, Dependency, LeftOut};
use crate::model::{dependency_tree, provided};
use crate::ops::dependencies::size;
use crate::ops::deps;
use crate::ops::needed::{self, Kept};

pub(super) fn deps(session: &Session<'_>, arguments: &Deps) -> Result<Outcome> {
    let workspace = session.open()?;
    let services = &workspace.services;
    let Some(job) = &arguments.job else {
        if arguments.prune {
            return prune_lock(session, &session.wait(deps::prune_lock(services))?);
        }
        return list_lock(session, arguments.json, &deps::locked_sets(services)?);
    };
    let environment = workspace.environment_name(arguments.env.as_deref())?;
    let (revision, closure) = deps::of_job(services, &environment, job)?;
    if arguments.json {
        session.terminal.json(&as_json(job, revision, &closure));
    } else if closure.is_empty() {
        session.terminal.say(&format!("`{job}` has no dependencies; `jars:` travel with it as they are"));
    } else {
        session.terminal.data(&tree(job, revision, &closure));
    }
    if arguments.locked {
        deps::check_locked(services, job, &closure)?;
    }
    Ok(Outcome::Done)
}

fn tree(job: &str, revision: u32, closure: &Closure) -> String {
    let total = format!("{}, {}", counted(closure.files.len(), "file"), size(closure.bytes()));
    let mut text = format!("{job}, revision {revision}: {total}\n");
    for line in dependency_tree::lines(closure) {
        let bytes = line.file.map_or_else(String::new, |file| format!("  {}", size(file.bytes)));
        text.push_str(&format!("  {}{}{bytes}\n", line.branches, line.coordinates));
    }
    for one in &closure.left_out {
        text.push_str(&format!("left out, since {}: {}{}\n", reason(one), one.coordinates, by(one)));
    }
    text
}

fn reason(one: &LeftOut) -> &'static str {
    // A lock of before the list of what Flink has became shorter.
    provided::reason(&one.coordinates).unwrap_or("Flink had it when this was resolved")
}

fn by(one: &LeftOut) -> String {
    one.by.as_ref().map_or_else(String::new, |by| format!(", of {by}"))
}

fn shown(declared: &[Dependency]) -> String {
    declared.iter().map(Dependency::shown).collect::<Vec<_>>().join(", ")
}

fn as_json(job: &str, revision: u32, closure: &Closure) -> Value {
    let left_out = closure
        .left_out
        .iter()
        .map(|one| json!({ "coordinates": one.coordinates, "by": one.by, "reason": reason(one) }));
    json!({
        "job": job, "revision": revision, "bytes": closure.bytes(),
        "dependencies": closure.declared.iter().map(Dependency::shown).collect::<Vec<_>>(),
        "files": closure.files.iter().map(|file| json!({
            "coordinates": file.coordinates, "by": file.by, "sha256": file.sha256, "bytes": file.bytes,
        })).collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

fn list_lock(session: &Session<'_>, json: bool, sets: &[deps::LockedSet]) -> Result<Outcome> {
    let rows: Vec<Value> = sets
        .iter()
        .map(|set| {
            json!({
                "dependencies": set.closure.declared.iter().map(Dependency::shown).collect::<Vec<_>>(),
                "files": set.closure.files.len(), "bytes": set.closure.bytes(), "jobs": set.jobs,
            })
        })
        .collect();
    if json {
        session.terminal.json(&Value::Array(rows));
        return Ok(Outcome::Done);
    }
    if sets.is_empty() {
        session.terminal.say("`tidegate.lock` has no dependencies: the first job with `dependencies:` writes it");
        return Ok(Outcome::Done);
    }
    for set in sets {
        let files = counted(set.closure.files.len(), "file");
        let jobs = if set.jobs.is_empty() { "no recorded job".to_owned() } else { set.jobs.join(", ") };
        session.terminal.data(&format!("{}\n", shown(&set.closure.declared)));
        session.terminal.data(&format!("  {files}, {}; of {jobs}\n", size(set.closure.bytes())));
    }
    Ok(Outcome::Done)
}

fn prune_lock(session: &Session<'_>, gone: &[Vec<Dependency>]) -> Result<Outcome> {
    if gone.is_empty() {
        session.terminal.say("every set of `tidegate.lock` is of a job that is recorded here");
    }
    for declared in gone {
        session.terminal.data(&format!("dropped from tidegate.lock: {}\n", shown(declared)));
    }
    Ok(Outcome::Done)
}

pub(super) fn artifacts(session: &Session<'_>, command: Option<&ArtifactsCommand>, json: bool) -> Result<Outcome> {
    let workspace = session.open()?;
    let services = &workspace.services;
    let Some(ArtifactsCommand::Prune { dry_run, older_than, json: as_json }) = command else {
        return list(session, json, &needed::artifacts(services)?);
    };
    let margin = duration::parse(older_than).map_err(|error| {
        Error::new(&code::USAGE, format!("--older-than: {error}")).hint(error.hint_text().unwrap_or_default())
    })?;
    let mut gone = Vec::new();
    for kept in needed::unneeded(services, margin)? {
        if *dry_run || needed::delete(&kept, margin)? {
            gone.push(kept);
        }
    }
    let json = json || *as_json;
    if json {
        session.terminal.json(&Value::Array(gone.iter().map(facts).collect()));
        return Ok(Outcome::Done);
    }
    let bytes = gone.iter().map(|kept| kept.bytes).sum();
    for kept in &gone {
        session.terminal.data(&format!("{}  {}\n", kept.sha256, size(kept.bytes)));
    }
    let artifacts = counted(gone.len(), "artifact");
    session.terminal.say(&match (gone.is_empty(), dry_run) {
        (true, _) => "there is nothing to delete: every artifact is needed, or was used lately".to_owned(),
        (false, true) => format!("{artifacts}, {}, would be deleted", size(bytes)),
        (false, false) => format!("{artifacts}, {}, deleted", size(bytes)),
    });
    Ok(Outcome::Done)
}

fn list(session: &Session<'_>, json: bool, kept: &[Kept]) -> Result<Outcome> {
    let rows: Vec<Value> = kept.iter().map(facts).collect();
    if json {
        session.terminal.json(&Value::Array(rows));
        return Ok(Outcome::Done);
    }
    if kept.is_empty() {
        session.terminal.say("no artifact was taken yet");
        return Ok(Outcome::Done);
    }
    let words = |list: &[String], none: &str| if list.is_empty() { none.to_owned() } else { list.join(", ") };
    let cells: Vec<[Value; 5]> = kept
        .iter()
        .map(|kept| {
            let sha256 = kept.sha256.get(..12).unwrap_or(&kept.sha256);
            [
                sha256.into(),
                words(&kept.names, "").into(),
                size(kept.bytes).into(),
                duration::age(u64::try_from(kept.age.as_millis()).unwrap_or(u64::MAX)).into(),
                words(&kept.needed_by, "nobody").into(),
            ]
        })
        .collect();
    let columns = ["sha256", "name", "size", "used", "needed by"].map(str::to_owned);
    session
        .terminal
        .data(&layout(&columns, &cells.iter().map(|row| row.iter().collect()).collect::<Vec<Vec<&Value>>>()));
    Ok(Outcome::Done)
}

fn facts(kept: &Kept) -> Value {
    json!({
        "sha256": kept.sha256, "names": kept.names, "bytes": kept.bytes, "needed_by": kept.needed_by,
        "used_seconds_ago": Duration::as_secs(&kept.age),
    })
}
