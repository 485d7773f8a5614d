//! `build::`: what was built of git projects.

use rhai::Dynamic;
use serde_json::{Value, json};

use super::convert::from_json;
use super::declare::{Body, Call, Function, Namespace, Planning, Type, optional, required};
use super::marked::{MARK, mark, unmark};
use super::planner::ends;
use crate::base::wording::cut;
use crate::base::{Error, Result, clock, code, duration, suggest};
use crate::model::build::{self as model, Built, choose};
use crate::model::class::Class;
use crate::ops::build;
use crate::ops::effect::Acting;
use crate::ops::services::Services;

/// Marks it in the journal.
const KIND: &str = "build/1";

/// How many builds a listing gives.
const LISTED: usize = 100;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "build",
    summary: "What was built of git projects: `project.build` makes it.",
    functions: &[
        Function::new("get", Class::Read, &[required("number", Type::Integer)], Type::Build, Body::Journaled(get))
            .docs(
                "A build that ended well, by its number: its artifacts can be deployed again.",
                "let made = git::project(\"jobs\").build(#{ command: \"sh build.sh\" });\n\
                 assert::equal(build::get(made.id).commit, made.commit);",
            )
            .errors(&[&code::BUILD_NOT_FOUND, &code::BUILD_FAILED, &code::BUILD_ARTIFACTS_GONE]),
        Function::new(
            "list",
            Class::Read,
            &[optional("project", Type::Repository)],
            Type::Array,
            Body::Journaled(list),
        )
        .planning(Planning::Stale)
        .docs(
            "The last 100 builds, newest first: of all projects, or of one by its name or URL. Maps with `id`, `project`, `commit`, \
             `command`, `status` (`running`, `done`, `failed`, `interrupted`), `started`, `took` and `artifacts`.",
            "for one in build::list(\"jobs\") { print(`${one.id} ${one.status}`); }",
        ),
        Function::new("artifact", Class::Pure, &[optional("name", Type::String)], Type::Artifact, Body::Pure(artifact))
            .on(Type::Build)
            .docs(
                "The one artifact of a name: a module's folder, a file name, a path, or a pattern with `*`; without a name, the only one.",
                "let made = git::project(\"jobs\").build(#{ command: \"sh build.sh\" });\nprint(made.artifact().path);",
            )
            .errors(&[&code::BUILD_NO_ARTIFACT]),
        fact("id", Type::Integer, "Its number: `tidegate builds log N` shows its log."),
        fact("project", Type::String, "The project's name, or its URL."),
        fact("url", Type::String, "The project's URL."),
        fact("commit", Type::String, "The commit that was built."),
        fact("command", Type::String, "The command."),
        fact("artifacts", Type::Array, "What it left, an artifact each."),
        fact("log", Type::String, "The file of its log."),
        fact("took", Type::String, "How long it took."),
        fact("cached", Type::Bool, "Whether it was there already."),
        fact("at", Type::String, "When it was begun."),
    ],
};

/// A build as it was when the handle was made. Immutable.
#[derive(Debug, Clone)]
pub struct Build {
    facts: Value,
}

impl Build {
    /// The build as the journal holds it.
    pub fn to_json(&self) -> Value {
        mark(self.facts.clone(), KIND)
    }

    /// The build in a marked object; none in any other value.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(Self { facts: unmark(value, KIND)? })
    }

    /// All facts.
    pub fn facts(&self) -> &Value {
        &self.facts
    }

    /// One that a plan made up.
    pub(super) fn planned(project: &str, url: &str, commit: &str, command: &str) -> Value {
        json!({ MARK: KIND, "project": project, "url": url, "commit": commit, "command": command, "planned": true })
    }

    fn shown(&self) -> String {
        match self.facts.get("id").and_then(Value::as_i64) {
            Some(id) => format!("build {id}"),
            None => "the build".to_owned(),
        }
    }

    fn fact(&self, name: &str) -> Result<&Value> {
        self.facts
            .get(name)
            .ok_or_else(|| ends(format!("`{name}` of a build that is not there yet is known only when it has ended")))
    }
}

impl std::fmt::Display for Build {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |name: &str| self.facts.get(name).and_then(Value::as_str).unwrap_or_default();
        match self.facts.get("id") {
            Some(id) => write!(formatter, "build {id}")?,
            None => formatter.write_str("a build")?,
        }
        write!(formatter, " of `{}` at {}", text("project"), cut(text("commit"), 10))
    }
}

/// The handle of a recorded build.
pub(super) fn handle(services: &Services, build: &model::Build, cached: bool) -> Value {
    json!({
        MARK: KIND,
        "id": build.id,
        "project": build.project,
        "url": build.url,
        "commit": build.commit,
        "command": build.command,
        "artifacts": build.artifacts_json(),
        "log": build::log_path(services, build.id).1,
        "took": took(build),
        "cached": cached,
        "at": clock::rfc3339(build.started_at),
    })
}

fn took(build: &model::Build) -> String {
    build.took().map_or_else(String::new, |millis| duration::show(std::time::Duration::from_millis(millis)))
}

const fn fact(name: &'static str, kind: Type, summary: &'static str) -> Function {
    Function::new(name, Class::Pure, &[], kind, Body::Pure(read_fact)).property(Type::Build).docs(summary, "")
}

fn read_fact(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(from_json(this(call)?.fact(call.function.name)?))
}

fn this(call: &Call<'_>) -> Result<Build> {
    call.arguments[0]
        .clone()
        .try_cast::<Build>()
        .ok_or_else(|| Error::new(&code::ARGUMENT_INVALID, format!("{}: not a build", call.name)))
}

fn get(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let number = call.get(0).and_then(|value| value.as_int().ok()).unwrap_or(0);
    let services = &call.host.services;
    Ok(handle(services, &build::deployable(services, number)?, true))
}

fn list(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let project = call.get(0).filter(|value| value.is_string()).map(|_| call.string(0));
    let services = &call.host.services;
    let builds = build::list(services, project.as_deref(), LISTED)?;
    let rows = builds.iter().map(|build| {
        json!({
            "id": build.id,
            "project": build.project,
            "commit": build.commit,
            "command": build.command,
            "status": build::status(services, build),
            "started": clock::short(build.started_at),
            "took": took(build),
            "artifacts": build.artifacts_json(),
        })
    });
    Ok(rows.collect())
}

fn artifact(call: &mut Call<'_>) -> Result<Dynamic> {
    let build = this(call)?;
    let artifacts = build.fact("artifacts")?.as_array().cloned().unwrap_or_default();
    let built: Vec<Built> =
        artifacts.iter().filter_map(|artifact| serde_json::from_value(artifact.clone()).ok()).collect();
    let word = call.get(1).filter(|value| value.is_string()).map(|_| call.string(1));
    let shown = build.shown();
    let chosen = choose(&built, word.as_deref()).map_err(|fits| {
        let all: Vec<&str> = built.iter().map(|built| built.path.as_str()).collect();
        let named = word.as_ref().map(|word| format!(" `{word}`")).unwrap_or_default();
        let error = |message: String| Error::new(&code::BUILD_NO_ARTIFACT, message);
        if all.is_empty() {
            error(format!("{shown} left no artifacts")).hint("`artifacts` of `build(...)` says what is kept")
        } else if fits.is_empty() {
            error(format!("{shown} has no artifact{named}")).hint(format!("there is {}", suggest::list(&all)))
        } else {
            error(format!("{shown} has several artifacts{named}: {}", suggest::list(&fits)))
                .hint("name one of them by its path or its file name")
        }
    })?;
    let found = artifacts.iter().find(|artifact| artifact["path"] == chosen.path.as_str());
    Ok(found.map_or(Dynamic::UNIT, from_json))
}
