//! Opens a workspace: builds its store, clusters and secrets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::inspect::knowledge;
use super::{file, locate, projects};
use crate::api::host::Environment;
use crate::base::cancel::Cancel;
use crate::base::secret::Secrets;
use crate::base::{Error, Result, code, suggest};
use crate::drivers::folder::Folder;
use crate::drivers::local;
use crate::model::workspace_file::{Cluster, WorkspaceFile};
use crate::ops::cluster::{Clusters, Definition, Progress};
use crate::ops::dependencies::LockUse;
use crate::ops::files::Files;
use crate::ops::projects::Projects;
use crate::ops::services::Services;
use crate::ops::texts::Texts;
use crate::script::check::Knowledge;
use crate::store::Store;

/// Where it is set, and not to 0, `tidegate.lock` must satisfy every job as it is, as with `--locked`.
const LOCKED: &str = "TIDEGATE_LOCKED";

/// An open workspace.
pub struct Workspace {
    /// Its `tidegate.yaml`.
    pub file: WorkspaceFile,
    /// What the operations work with.
    pub services: Arc<Services>,
}

impl Workspace {
    /// Finds and opens the workspace at `given`, or at or above the current folder.
    ///
    /// # Errors
    /// `workspace.*`, `state.*`.
    pub fn open(given: Option<&Path>, cancel: &Cancel, progress: Progress) -> Result<Self> {
        let root = locate::from_here(given)?;
        let file = file::read(&root)?;
        let folder = Folder::new(&root)?;
        let state = state_directory(&root, file.state_dir.as_deref());
        let store = Store::open(&state)?;
        let state = store.directory().canonicalize().unwrap_or(state);
        let definitions =
            file.clusters.iter().map(|(name, cluster)| (name.clone(), definition(name, cluster, &state))).collect();
        let services = Services {
            workspace: file.name.clone(),
            default_environment: environment_name(&file, None).ok(),
            files: Files::new(folder.clone(), &file.allow),
            allow: file.allow.clone(),
            projects: Projects { configured: projects::all(&file)?, allowed: file.allow_builds.clone() },
            folder,
            store,
            secrets: Secrets::new(file.secrets.clone()),
            environments: file.environments.iter().map(|(name, one)| (name.clone(), one.cluster.clone())).collect(),
            clusters: Clusters::new(definitions, cancel.clone(), progress),
            lock_use: LockUse::default(),
        };
        if std::env::var(LOCKED).is_ok_and(|value| !value.is_empty() && value != "0") {
            services.lock_use.refuse_changes();
        }
        Ok(Self { file, services: Arc::new(services) })
    }

    /// What a check of this workspace needs; see [`super::inspect::inspect`].
    ///
    /// # Errors
    /// As [`Workspace::environment`].
    pub fn inspect(&self, environment: Option<&str>) -> Result<(Texts, Knowledge)> {
        Ok((Texts::new(self.services.folder.clone()), knowledge(&self.file, environment)?))
    }

    /// An environment as a run sees it: the one of this name, the default one, or the only one.
    ///
    /// # Errors
    /// `environment.unknown`, `workspace.invalid` for an option that is not a plain value.
    pub fn environment(&self, given: Option<&str>) -> Result<Environment> {
        environment(&self.file, given)
    }

    /// The name of the environment: `given`, the default one, or the only one.
    ///
    /// # Errors
    /// `environment.unknown`.
    pub fn environment_name(&self, given: Option<&str>) -> Result<String> {
        environment_name(&self.file, given)
    }
}

/// The name of the environment: `given`, the default one, or the only one.
///
/// # Errors
/// `environment.unknown`.
fn environment_name(file: &WorkspaceFile, given: Option<&str>) -> Result<String> {
    let names = || file.environments.keys().map(String::as_str);
    match given.or(file.default_environment.as_deref()) {
        Some(name) if file.environments.contains_key(name) => Ok(name.to_owned()),
        Some(name) => {
            Err(Error::new(&code::ENVIRONMENT_UNKNOWN, format!("there is no environment `{name}` in tidegate.yaml"))
                .hint(suggest::hint(name, names())))
        }
        None => match names().collect::<Vec<_>>().as_slice() {
            [only] => Ok((*only).to_owned()),
            several => {
                Err(Error::new(&code::ENVIRONMENT_UNKNOWN, "no environment was named, and there is no default").hint(
                    format!("--env, or `default_environment:` in tidegate.yaml; there is {}", suggest::list(several)),
                ))
            }
        },
    }
}

/// An environment as a run sees it.
///
/// # Errors
/// `environment.unknown`, `workspace.invalid` for an option that is not a plain value.
pub(super) fn environment(file: &WorkspaceFile, given: Option<&str>) -> Result<Environment> {
    let name = environment_name(file, given)?;
    let environment = &file.environments[&name];
    let mut options = BTreeMap::new();
    for (key, value) in &environment.options {
        options.insert(
            key.clone(),
            plain(value).ok_or_else(|| {
                Error::new(
                    &code::WORKSPACE_INVALID,
                    format!("the environment `{name}`: option `{key}` must be a text, a number or a boolean"),
                )
            })?,
        );
    }
    Ok(Environment { name, cluster: environment.cluster.clone(), vars: environment.vars.clone(), options })
}

pub(super) fn state_directory(root: &Path, configured: Option<&str>) -> PathBuf {
    match configured {
        Some(directory) => root.join(directory),
        None => root.join(".tidegate"),
    }
}

fn definition(name: &str, cluster: &Cluster, state: &Path) -> Definition {
    match cluster {
        Cluster::Session { url } => Definition::Session { url: url.clone() },
        Cluster::Local { flink, slots, options } => Definition::Local(local::cluster::Cluster {
            name: name.to_owned(),
            directory: state.join("clusters").join(name),
            version: flink.clone(),
            slots: *slots,
            task_managers: 1,
            options: options.iter().filter_map(|(key, value)| Some((key.clone(), plain(value)?))).collect(),
        }),
    }
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
