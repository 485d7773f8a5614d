//! What a check knows of a workspace: its files and names, without opening its state.

use std::path::Path;

use super::{file, locate, open};
use crate::api::host::Environment;
use crate::base::Result;
use crate::drivers::folder::Folder;
use crate::model::workspace_file::WorkspaceFile;
use crate::ops::texts::Texts;
use crate::script::check::Knowledge;
use crate::store::Store;

/// The files and the names of the workspace at `given`, or at or above the current folder, for one environment or for all.
///
/// # Errors
/// `workspace.*`, `environment.unknown`.
pub fn inspect(given: Option<&Path>, environment: Option<&str>) -> Result<(Texts, Knowledge)> {
    let root = locate::from_here(given)?;
    let known = knowledge(&file::read(&root)?, environment)?;
    Ok((Texts::new(Folder::new(&root)?), known))
}

/// The state of the workspace, to look at; none where there is none yet.
///
/// # Errors
/// `workspace.*`, `state.*`.
pub fn state(given: Option<&Path>) -> Result<Option<Store>> {
    let root = locate::from_here(given)?;
    let file = file::read(&root)?;
    Store::look(&open::state_directory(&root, file.state_dir.as_deref()))
}

/// The names that `tidegate.yaml` defines, for one environment or for all.
pub(super) fn knowledge(file: &WorkspaceFile, environment: Option<&str>) -> Result<Knowledge> {
    let chosen = environment.map(|name| open::environment(file, Some(name))).transpose()?;
    let all: Vec<Environment> =
        file.environments.keys().map(|name| open::environment(file, Some(name))).collect::<Result<_>>()?;
    let (environments, others) = match chosen {
        Some(chosen) => all.into_iter().partition(|one| one.name == chosen.name),
        None => (all, Vec::new()),
    };
    Ok(Knowledge {
        environments,
        others,
        clusters: file.clusters.keys().cloned().collect(),
        projects: file.projects.keys().cloned().collect(),
        secrets: file.secrets.keys().cloned().collect(),
    })
}
