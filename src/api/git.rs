//! `git::`: projects in git repositories, and building them.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Dynamic;
use serde_json::{Value, json};

use super::build::{Build, handle};
use super::convert::{has_secret, secret_text};
use super::declare::{Body, Call, Function, Namespace, Planning, Type, optional, required};
use super::host::Output;
use super::job_options::read;
use super::marked::{MARK, mark, unmark};
use super::planner::Planner;
use super::types::{Receives, options};
use crate::base::secret::SecretText;
use crate::base::wording::cut;
use crate::base::{Error, Result, clock, code, duration};
use crate::model::class::Class;
use crate::model::git_project::{Credentials, GitProject, Key, TIMEOUT, Wanted};
use crate::ops::build::{self, Follow, Prepared};
use crate::ops::effect::Acting;
use crate::ops::projects;

/// Marks it in the journal.
const KIND: &str = "project/1";

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "git",
    summary: "Projects in git repositories, and building them.",
    functions: &[
        Function::new(
            "project",
            Class::Read,
            &[required("project", Type::Repository), optional("options", ProjectOptions::KIND)],
            Type::Project,
            Body::Journaled(project),
        )
        .docs(
            "A project of `tidegate.yaml` by its name, or one by its URL, fetched now: `commit` is the newest commit of what is wanted, \
             and what the project is built at, whatever is pushed meanwhile. Options go over those of `tidegate.yaml`.",
            "let jobs = git::project(\"jobs\", #{ branch: \"main\" });\nlog::info(`${jobs.name} is at ${jobs.commit}`);",
        )
        .errors(&[
            &code::GIT_PROJECT_UNKNOWN,
            &code::GIT_URL_INVALID,
            &code::GIT_PASSWORD_IN_URL,
            &code::GIT_CREDENTIALS_MISSING,
            &code::GIT_AUTH_FAILED,
            &code::GIT_NOT_FOUND,
            &code::GIT_UNREACHABLE,
            &code::GIT_TIMEOUT,
            &code::GIT_TLS_FAILED,
            &code::GIT_HOST_KEY,
            &code::GIT_REF_NOT_FOUND,
        ]),
        Function::new("fetch", Class::Read, &[], Type::Project, Body::Journaled(fetch)).on(Type::Project).docs(
            "The project at the newest commit of now. A handle itself never changes.",
            "let jobs = git::project(\"jobs\").fetch();",
        ),
        Function::new("branches", Class::Read, &[], Type::Array, Body::Journaled(branches)).on(Type::Project).docs(
            "The names of its branches, as they were when it was fetched.",
            "assert::that(git::project(\"jobs\").branches().contains(\"main\"));",
        ),
        Function::new("tags", Class::Read, &[], Type::Array, Body::Journaled(tags))
            .on(Type::Project)
            .docs("The names of its tags, as they were when it was fetched.", "for tag in git::project(\"jobs\").tags() { print(tag); }"),
        Function::new("read", Class::Read, &[required("path", Type::String)], Type::String, Body::Journaled(read_file))
            .on(Type::Project)
            .docs(
                "The text of a file of the project, at its commit.",
                "let text = git::project(\"jobs\").read(\"README.md\");\nassert::that(text.len() > 0);",
            )
            .errors(&[&code::GIT_FILE_NOT_FOUND]),
        Function::new("build", Class::Tagged, &[required("options", BuildOptions::KIND)], Type::Build, Body::Journaled(do_build))
            .on(Type::Project)
            .planning(Planning::With(plan_build))
            .docs(
                "Builds the project at its commit, submodules included, in a clean folder, and keeps its jars by hash. The same commit, command and \
                 toolchain are built once. Runs code of the project: `allow_builds` in tidegate.yaml has to name it.",
                "let built = git::project(\"jobs\").build(#{ command: \"sh build.sh\", artifacts: [\"target/*.jar\"], timeout: \"10m\" });\n\
                 let spec = job::jar(\"count\", #{ jar: built.artifact(), main_class: \"com.example.CountJob\" });",
            )
            .errors(&[
                &code::CAPABILITY_DENIED,
                &code::BUILD_FAILED,
                &code::BUILD_TIMEOUT,
                &code::BUILD_NOT_STARTED,
                &code::BUILD_NO_ARTIFACT,
                &code::GIT_SUBMODULE,
                &code::GIT_FAILED,
            ]),
        fact("name", "Its name in `tidegate.yaml`, or its URL."),
        fact("url", "Its URL."),
        fact("commit", "The commit, as its whole hash."),
        fact("wanted", "What was wanted of it: `branch main`."),
        fact("at", "When it was fetched."),
    ],
};

options! {
    /// The options of `git::project`.
    pub(super) struct ProjectOptions {
        /// the branch whose newest commit is taken; one of this, `tag` and `commit`, else the repository's own branch
        branch: Option<String>,
        /// the tag
        tag: Option<String>,
        /// the commit, whole or its first digits
        commit: Option<String>,
        /// who asks
        credentials: Option<CredentialOptions>,
        /// the only key that its SSH server may show, `SHA256:...`; else `~/.ssh/known_hosts` has to know it
        host_key: Option<String>,
        /// how long nothing may come; `60s` if not given
        timeout: Option<String> => Type::Duration,
    }
}

options! {
    /// `credentials: #{ ... }`.
    pub(super) struct CredentialOptions {
        /// the user; over SSH that of the URL, or `git`
        user: Option<Value> => Type::Text,
        /// the password
        password: Option<Value> => Type::Secret,
        /// a token in place of a password
        token: Option<Value> => Type::Secret,
        /// an SSH key: the path of its file, or a secret
        key: Option<Value> => Type::Text,
        /// the passphrase of the key
        passphrase: Option<Value> => Type::Secret,
        /// whether the SSH agent is asked
        agent: Option<bool>,
    }
}

options! {
    /// The options of `project.build`.
    pub(super) struct BuildOptions {
        /// the program and its arguments; no shell reads it. With a `/` the program is one of the project: `./mvnw`
        command: String,
        /// the folders of the modules to build and to take artifacts of; Maven builds what they need, too
        #[serde(default)]
        modules: Vec<String>,
        /// what is kept: paths in the project, `*` inside a name, `**` for folders; the jars of `target` and `build/libs` if not given
        artifacts: Option<Vec<String>>,
        /// when it is ended; `30m` if not given
        timeout: Option<String> => Type::Duration,
        /// variables of its own, the only place for secrets
        #[serde(default)]
        environment: BTreeMap<String, Value> => Type::MapOf(&Type::Scalar),
        /// whether its folder is removed when it has ended; true if not given
        clean: Option<bool>,
    }
}

/// A project as it was when it was fetched. Immutable.
#[derive(Debug, Clone)]
pub struct Project {
    facts: Value,
}

impl Project {
    /// The project as the journal holds it.
    pub fn to_json(&self) -> Value {
        mark(self.facts.clone(), KIND)
    }

    /// The project in a marked object; none in any other value.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(Self { facts: unmark(value, KIND)? })
    }

    /// All facts.
    pub fn facts(&self) -> &Value {
        &self.facts
    }

    /// One fact as text.
    pub fn text(&self, name: &str) -> &str {
        self.facts.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn source(&self) -> Result<GitProject> {
        serde_json::from_value(self.facts.get("source").cloned().unwrap_or_default()).map_err(|error| {
            Error::new(&code::ARGUMENT_INVALID, "the project cannot be read from the journal").caused_by(error)
        })
    }
}

impl std::fmt::Display for Project {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "project `{}` at {}", self.text("name"), cut(self.text("commit"), 10))
    }
}

/// Whether a text is meant as a URL, and not as a name.
pub fn is_url(text: &str) -> bool {
    text.contains("://") || text.starts_with('/') || (text.contains('@') && text.contains(':'))
}

const fn fact(name: &'static str, summary: &'static str) -> Function {
    Function::new(name, Class::Pure, &[], Type::String, Body::Pure(read_fact)).property(Type::Project).docs(summary, "")
}

fn read_fact(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(this(call)?.text(call.function.name).to_owned().into())
}

fn this(call: &Call<'_>) -> Result<Project> {
    call.arguments[0]
        .clone()
        .try_cast::<Project>()
        .ok_or_else(|| Error::new(&code::ARGUMENT_INVALID, format!("{}: not a project", call.name)))
}

fn project(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let given = call.string(0);
    let invalid = |why: &str| Error::new(&code::ARGUMENT_INVALID, format!("{}: {why}", call.name));
    let options: ProjectOptions = read(call.name, call.json(1)?)?;
    let mut source = if is_url(&given) {
        let (wanted, credentials) = (Wanted::Default, Credentials::default());
        GitProject { name: None, url: given, wanted, credentials, host_key: None, timeout: TIMEOUT }
    } else {
        call.host.services.projects.named(&given)?.clone()
    };
    let wanted = Wanted::one_of(options.branch, options.tag, options.commit)
        .ok_or_else(|| invalid("give one of `branch`, `tag` and `commit`"))?;
    if wanted != Wanted::Default {
        source.wanted = wanted;
    }
    if let Some(mistake) = source.wanted.mistake() {
        return Err(invalid(&mistake));
    }
    if let Some(given) = options.credentials {
        source.credentials = credentials(call, given)?;
    }
    if let Some(mistake) = source.credentials.mistake() {
        return Err(invalid(mistake));
    }
    source.host_key = options.host_key.or(source.host_key);
    if let Some(timeout) = &options.timeout {
        source.timeout = u64::try_from(duration::parse(timeout)?.as_millis()).unwrap_or(u64::MAX);
    }
    fetched(call, &source)
}

fn credentials(call: &Call<'_>, given: CredentialOptions) -> Result<Credentials> {
    let invalid = |what: &str| {
        Error::new(&code::ARGUMENT_INVALID, format!("{}: option `credentials.{what}` must be a secret", call.name))
            .hint(format!("{what}: env::secret(\"NAME\"); its value comes from the environment variable NAME, or from `secrets:` in tidegate.yaml"))
    };
    let text = |what: &str, value: Option<Value>| -> Result<Option<SecretText>> {
        value.map(|value| secret_text(&value).ok_or_else(|| invalid(what))).transpose()
    };
    let secret = |what: &str, value: Option<Value>| match text(what, value)? {
        Some(text) if !has_secret(&text) => Err(invalid(what)),
        other => Ok(other),
    };
    let key = match text("key", given.key)? {
        Some(text) if has_secret(&text) => Some(Key::Secret(text)),
        Some(text) if text.to_string().contains("PRIVATE KEY") => return Err(invalid("key")),
        Some(text) => Some(Key::Path(text.to_string())),
        None => None,
    };
    Ok(Credentials {
        user: text("user", given.user)?,
        password: secret("password", given.password)?,
        token: secret("token", given.token)?,
        key,
        passphrase: secret("passphrase", given.passphrase)?,
        agent: given.agent.unwrap_or(false),
    })
}

fn fetched(call: &Call<'_>, source: &GitProject) -> Result<Value> {
    let commit = call.host.wait(projects::fetch(&call.host.services, source))?;
    if let Some(planner) = &call.host.planner {
        planner.tell_project(format!("`{}` ({})", source.shown(), source.wanted.text()), &commit);
    }
    Ok(json!({
        MARK: KIND,
        "name": source.shown(),
        "url": source.url,
        "wanted": source.wanted.text(),
        "commit": commit,
        "at": clock::rfc3339(clock::now()),
        "source": source,
    }))
}

fn fetch(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    fetched(call, &this(call)?.source()?)
}

fn branches(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    Ok(projects::names(&call.host.services, &this(call)?.source()?)?.0.into())
}

fn tags(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    Ok(projects::names(&call.host.services, &this(call)?.source()?)?.1.into())
}

fn read_file(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let project = this(call)?;
    Ok(projects::read(&call.host.services, &project.source()?, project.text("commit"), &call.string(1))?.into())
}

/// Shows a build to whoever watches: every line on a terminal, else one now and then.
struct Watched {
    output: Arc<dyn Output>,
    project: String,
}

impl Follow for Watched {
    fn is_live(&self) -> bool {
        self.output.is_watched()
    }

    fn line(&self, line: &str) {
        if self.is_live() {
            self.output.log("info", line);
        } else {
            self.output.log("info", &format!("building `{}`: {line}", self.project));
        }
    }
}

fn prepared(call: &Call<'_>) -> Result<Prepared> {
    let project = this(call)?;
    let options: BuildOptions = read(call.name, call.json(1)?)?;
    let mut environment = Vec::new();
    for (name, value) in options.environment {
        let invalid = |why: &str| Error::new(&code::ARGUMENT_INVALID, format!("{}: {why}", call.name));
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(invalid(&format!("`{name}` cannot be the name of a variable")));
        }
        let value =
            secret_text(&value).ok_or_else(|| invalid(&format!("the variable `{name}` must be a text or a secret")))?;
        environment.push((name, value));
    }
    let wanted = build::Wanted {
        command: options.command,
        modules: options.modules,
        artifacts: options.artifacts,
        environment,
        timeout: options.timeout.map_or(Ok(build::TIMEOUT), |text| duration::parse(&text))?,
        clean: options.clean.unwrap_or(true),
    };
    let (source, commit) = (project.source()?, project.text("commit"));
    call.host.wait(build::prepare(&call.host.services, &source, commit, wanted))
}

fn do_build(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let prepared = prepared(call)?;
    let services = &call.host.services;
    let run = call.host.journal()?.run();
    let project = prepared.project.shown().to_owned();
    let follow = Arc::new(Watched { output: call.host.output.clone(), project });
    let (build, cached) = call.host.wait(build::build(services, run, &acting.key, &prepared, follow))?;
    Ok(handle(services, &build, cached))
}

/// What is built already is known; what is not is known only to the run.
fn plan_build(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let prepared = prepared(call)?;
    let services = &call.host.services;
    if let Some(build) = build::cached(services, &prepared)? {
        return Ok(handle(services, &build, true));
    }
    let project = prepared.project.shown();
    let short = prepared.commit.get(..10).unwrap_or(&prepared.commit);
    let mut notes = vec![format!("builds `{project}` at {short}: `{}`", prepared.command)];
    if let Some(failed) = build::failed_before(services, &prepared)? {
        let why = failed.error.as_deref().and_then(|error| serde_json::from_str(error).ok());
        let why = why.map(|error| Error::from_json(&error));
        let why = why.as_ref().map(|error| error.causes().first().map_or(error.message(), String::as_str));
        let why = why.map(|why| format!(": {}", cut(why, 160))).unwrap_or_default();
        notes.push(format!("build {} of the same commit failed{why}", failed.id));
    }
    notes.push("it is not built yet: a run of a script that ends here builds and deploys nothing, and a plan then shows the rest".to_owned());
    planner.tell_call(call, notes);
    Ok(Build::planned(project, &prepared.project.url, &prepared.commit, &prepared.command))
}
