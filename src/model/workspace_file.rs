//! `tidegate.yaml` as data.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::base::secret::Source;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceFile {
    /// Part of every job's identity.
    pub name: String,
    /// The clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// The environments by name.
    pub environments: BTreeMap<String, Environment>,
    /// The environment where none is given.
    #[serde(default)]
    pub default_environment: Option<String>,
    /// Where secrets come from; without an entry, from the environment variable of their name.
    #[serde(default)]
    pub secrets: BTreeMap<String, Source>,
    /// Where state is kept; `.tidegate` beside the file if absent.
    #[serde(default)]
    pub state_dir: Option<String>,
    /// What scripts may use, where the defaults do not fit.
    #[serde(default)]
    pub limits: Limits,
    /// What scripts may reach beside the workspace and its clusters: nothing, unless it is granted here.
    #[serde(default)]
    pub allow: Allow,
    /// The git projects by name.
    #[serde(default)]
    pub projects: BTreeMap<String, Project>,
    /// The projects, by name or URL, whose code may be run to build them; [`WORKSPACE`] for its own `mvnw`.
    #[serde(default)]
    pub allow_builds: Vec<String>,
}

/// How `allow_builds` names the workspace itself.
pub const WORKSPACE: &str = ".";

/// A git project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Its repository.
    pub url: String,
    /// The branch whose newest commit is taken; this, a tag, a commit, or the repository's own branch.
    #[serde(default)]
    pub branch: Option<String>,
    /// The tag.
    #[serde(default)]
    pub tag: Option<String>,
    /// The commit.
    #[serde(default)]
    pub commit: Option<String>,
    /// Who asks for it.
    #[serde(default)]
    pub credentials: Option<ProjectCredentials>,
    /// The only key that its SSH server may show.
    #[serde(default)]
    pub host_key: Option<String>,
    /// How long nothing may come.
    #[serde(default)]
    pub timeout: Option<String>,
}

/// Who asks for a project; secrets as `{ secret: NAME }`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectCredentials {
    /// The user.
    pub user: Option<Value>,
    /// The password.
    pub password: Option<Value>,
    /// A token in place of a password.
    pub token: Option<Value>,
    /// The path of an SSH key, or the key itself as a secret.
    pub key: Option<Value>,
    /// Its passphrase.
    pub passphrase: Option<Value>,
    /// Whether the SSH agent is asked.
    pub agent: bool,
}

/// What scripts may reach beside the workspace and its clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// Whether `shell::run` may run programs.
    pub shell: bool,
    /// The hosts that `http::` may talk to: `host` for the scheme's own port, or `host:port`.
    pub http: Vec<String>,
    /// Absolute folders that `files::` may read.
    pub files: Vec<String>,
}

/// What scripts may use; what is not given keeps its default.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Script operations in one run.
    #[serde(default)]
    pub operations: Option<u64>,
    /// Megabytes of memory of the process.
    #[serde(default)]
    pub memory_mb: Option<u64>,
    /// Seconds of computing between two calls that look or act.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// A cluster.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Cluster {
    /// A Flink on this machine that tidegate starts and stops.
    Local {
        /// The Flink version: `"1.20"`, or an exact one.
        #[serde(default = "default_flink")]
        flink: String,
        /// Task slots.
        #[serde(default = "default_slots")]
        slots: u32,
        /// Flink options of the cluster.
        #[serde(default)]
        options: BTreeMap<String, Value>,
    },
    /// A session cluster that somebody else runs.
    Session {
        /// The JobManager's REST address.
        url: String,
    },
}

/// An environment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The cluster its jobs run on.
    pub cluster: String,
    /// Variables for templates and scripts; `{ secret: NAME }` is a reference.
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
    /// Flink options for every job.
    #[serde(default)]
    pub options: BTreeMap<String, Value>,
}

/// A host and its port, where one is given: `[::1]:80` is one with a port, `[::1]` is none.
pub fn split_host(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

fn default_flink() -> String {
    "1.20".to_owned()
}

fn default_slots() -> u32 {
    4
}
