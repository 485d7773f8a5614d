//! What the operations work with; built by the workspace layer and handed in.

use std::collections::BTreeMap;

use crate::base::secret::Secrets;
use crate::drivers::folder::Folder;
use crate::model::identity::Identity;
use crate::model::workspace_file::Allow;
use crate::ops::cluster::Clusters;
use crate::ops::dependencies::LockUse;
use crate::ops::files::Files;
use crate::ops::projects::Projects;
use crate::store::Store;

/// What the operations work with.
#[derive(Debug)]
pub struct Services {
    /// `name:` of the workspace.
    pub workspace: String,
    /// The environment of a command that names none; none where such a command is refused.
    pub default_environment: Option<String>,
    /// Its files.
    pub folder: Folder,
    /// The files that scripts may read.
    pub files: Files,
    /// What scripts may reach beside all that.
    pub allow: Allow,
    /// Its git projects, and which of them may be built.
    pub projects: Projects,
    /// Its state.
    pub store: Store,
    /// Its secrets.
    pub secrets: Secrets,
    /// Its environments, with the cluster of each.
    pub environments: BTreeMap<String, String>,
    /// Its clusters.
    pub clusters: Clusters,
    /// How `tidegate.lock` may be treated.
    pub lock_use: LockUse,
}

impl Services {
    /// The identity of a job of this workspace.
    pub fn identity(&self, environment: &str, job: &str) -> Identity {
        Identity { workspace: self.workspace.clone(), environment: environment.to_owned(), job: job.to_owned() }
    }
}
