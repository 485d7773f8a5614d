//! `tidegate deps` and `tidegate artifacts`.

use std::time::Duration;

use serde_json::{Value, json};

use super::Session;
use crate::api::table::layout;
use crate::base::error::Place;
use crate::base::{Error, Result, code, counted, duration};
use crate::cli::Outcome;
use crate::cli::args::{ArtifactsCommand, Deps};
use crate::model::dependency::{Closure, Dependency, LeftOut};
use crate::model::job_spec::JobSpec;
use crate::model::{dependency_tree, provided};
use crate::ops::dependencies::size;
use crate::ops::needed::{self, Kept};
use crate::ops::{commands, deps};
use crate::script::planning::{self, Plan};
use crate::script::runner::Script;
use crate::workspace::Workspace;

pub(super) fn deps(session: &Session<'_>, arguments: &Deps) -> Result<Outcome> {
    let workspace = session.open()?;
    let services = &workspace.services;
    let Some(job) = &arguments.of else {
        if arguments.prune {
            return prune_lock(session, &session.wait(deps::prune_lock(services))?);
        }
        return list_lock(session, arguments.json, &deps::locked_sets(services)?);
    };
    if is_script(job) {
        return of_script(session, &workspace, job, arguments);
    }
    if !arguments.parameters.is_empty() {
        return Err(Error::new(&code::USAGE, format!("`-p` is for scripts, and `{job}` is a job"))
            .hint(format!("a script is named with its ending: `tidegate deps {job}.rhai`")));
    }
    let environment = workspace.environment_name(arguments.env.as_deref())?;
    let found = deps::of_job(services, &environment, job).map_err(|error| {
        let script = Script::named(job);
        let is_one = error.is(&code::JOB_NOT_FOUND)
            && services.folder.resolve(&format!("scripts/{}", script.name())).is_ok_and(|path| path.is_file());
        match is_one {
            true => error.hint(format!("there is a script of that name: `tidegate deps scripts/{}`", script.name())),
            false => error,
        }
    });
    let (revision, closure) = commands::in_result(services, &environment, found)?;
    if arguments.json {
        session.terminal.json(&as_json(job, &[("revision", revision.into())], &closure));
    } else if closure.is_empty() {
        session.terminal.say(&format!("`{job}` has no dependencies; `jars:` travel with it as they are"));
    } else {
        session.terminal.data(&tree(&format!("{job}, revision {revision}"), &closure));
    }
    if arguments.locked {
        commands::in_result(services, &environment, deps::check_locked(services, job, &closure))?;
    }
    Ok(Outcome::Done)
}

/// Whether a word names a script: no job that has an ending like this is worth a flag.
fn is_script(word: &str) -> bool {
    std::path::Path::new(word).extension().is_some_and(|ending| ending == "rhai")
}

/// The dependencies of the jobs that a script would deploy: it is evaluated as in a plan, and nothing is done.
fn of_script(session: &Session<'_>, workspace: &Workspace, name: &str, arguments: &Deps) -> Result<Outcome> {
    if arguments.locked {
        workspace.services.lock_use.refuse_changes();
    }
    let environment = workspace.environment(arguments.env.as_deref())?;
    let script = Script::named(name);
    if !super::check::passes(session, workspace, &script, &environment.name)? {
        return Ok(Outcome::Failed);
    }
    let parameters = super::run::parameters(&arguments.parameters)?;
    let plan = planning::plan(&session.setting(workspace), &script, &environment, &parameters)?;
    let jobs: Vec<(&JobSpec, &Place)> =
        plan.entries.iter().filter_map(|entry| Some((entry.spec.as_deref()?, &entry.place))).collect();
    if arguments.json {
        let jobs = jobs.iter().map(|(spec, place)| {
            let at = [("file", place.file.as_str().into()), ("line", place.line.into())];
            as_json(&spec.identity.job, &at, &spec.dependencies)
        });
        session.terminal.json(&json!({
            "environment": environment.name, "jobs": jobs.collect::<Vec<_>>(), "lock": plan.lock,
            "ends": plan.end.as_ref().map(Error::to_json), "error": plan.error.as_ref().map(Error::to_json),
        }));
    } else {
        show(session, &jobs, &plan);
    }
    Ok(if plan.error.is_some() { Outcome::Failed } else { Outcome::Done })
}

fn show(session: &Session<'_>, jobs: &[(&JobSpec, &Place)], plan: &Plan) {
    for (spec, place) in jobs {
        let job = format!("{}, {}:{}", spec.identity.job, place.file, place.line);
        session.terminal.data(&match spec.dependencies.is_empty() {
            true => format!("{job}: no dependencies\n"),
            false => tree(&job, &spec.dependencies),
        });
    }
    if !plan.lock.is_empty() {
        session.terminal.data("`tidegate.lock` would change:\n");
    }
    for line in &plan.lock {
        session.terminal.data(&format!("  {line}\n"));
    }
    match (&plan.end, &plan.error) {
        (Some(end), _) => session.terminal.say(&format!("what it would deploy after that is not known: {end}")),
        (None, None) if jobs.is_empty() => session.terminal.say("the script would deploy no job"),
        (None, None) => {}
        (None, Some(error)) => session.terminal.error(error),
    }
}

fn tree(job: &str, closure: &Closure) -> String {
    let total = format!("{}, {}", counted(closure.files.len(), "file"), size(closure.bytes()));
    let mut text = format!("{job}: {total}\n");
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

fn as_json(job: &str, facts: &[(&str, Value)], closure: &Closure) -> Value {
    let left_out = closure
        .left_out
        .iter()
        .map(|one| json!({ "coordinates": one.coordinates, "by": one.by, "reason": reason(one) }));
    let mut value = json!({
        "job": job, "bytes": closure.bytes(),
        "dependencies": closure.declared.iter().map(Dependency::shown).collect::<Vec<_>>(),
        "files": closure.files.iter().map(|file| json!({
            "coordinates": file.coordinates, "by": file.by, "sha256": file.sha256, "bytes": file.bytes,
        })).collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
    });
    for (name, fact) in facts {
        value[*name] = fact.clone();
    }
    value
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
        session
            .terminal
            .say("`tidegate.lock` has no dependencies: the first deploy of a job with `dependencies:` writes it");
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
        let names = kept.names.join("; ");
        let line = format!("{}  {}  {names}", kept.sha256, size(kept.bytes));
        session.terminal.data(&format!("{}\n", line.trim_end()));
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
