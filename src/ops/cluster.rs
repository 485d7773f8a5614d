//! The clusters of a workspace: how to reach each, and starting the local ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code, suggest};
use crate::drivers::flink::Client;
use crate::drivers::local::{self, cluster as local_cluster};
use crate::model::job_status::Listed;

pub use crate::drivers::local::Progress as Told;
pub use crate::drivers::local::cluster::State;

/// A cluster as configured.
#[derive(Debug, Clone)]
pub enum Definition {
    /// A Flink on this machine that tidegate starts and stops.
    Local(local_cluster::Cluster),
    /// A session cluster that somebody else runs.
    Session {
        /// Its REST address.
        url: String,
    },
}

/// Whether a local cluster that is down is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Yes: something is to be deployed to it.
    IfDown,
    /// No: somebody only looks.
    No,
}

/// One look at a cluster: which JobManager answered, and all that it lists.
pub type Look = (String, Vec<Listed>);

/// The task slots of a cluster.
#[derive(Debug, Clone, Copy)]
pub struct Slots {
    /// All there are now; a cluster that starts TaskManagers on demand has none until then.
    pub total: u64,
    /// Those that nothing runs in.
    pub free: u64,
    /// The parallelism of a job that says nothing: the cluster's `parallelism.default`.
    pub default_parallelism: u64,
}

/// What each cluster said, by its name.
#[derive(Debug, Default)]
struct Remembered {
    looks: BTreeMap<String, Look>,
    slots: BTreeMap<String, Slots>,
}

/// Shows the user what a long operation does.
pub type Progress = Arc<dyn Fn(&Told) + Send + Sync>;

/// The clusters of a workspace.
#[derive(Clone)]
pub struct Clusters {
    definitions: BTreeMap<String, Definition>,
    /// What each cluster said, while a plan is made: all jobs of a plan are seen in one look.
    remembered: Arc<Mutex<Option<Remembered>>>,
    cancel: Cancel,
    progress: Progress,
}

impl std::fmt::Debug for Clusters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Clusters").field(&self.definitions).finish()
    }
}

impl Clusters {
    /// The clusters by name.
    pub fn new(definitions: BTreeMap<String, Definition>, cancel: Cancel, progress: Progress) -> Self {
        Self { definitions, remembered: Arc::default(), cancel, progress }
    }

    /// From now on, until [`Clusters::look_anew`], each cluster is looked at once.
    pub fn look_once(&self) {
        self.remembered().get_or_insert_default();
    }

    /// From now on each look is a new one.
    pub fn look_anew(&self) {
        *self.remembered() = None;
    }

    fn remembered(&self) -> MutexGuard<'_, Option<Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which JobManager answers, and every job that it lists: asked for in this order, so that the list is no older.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn look(&self, connection: &Connection) -> Result<Look> {
        let before = self.remembered().as_ref().and_then(|remembered| remembered.looks.get(&connection.name).cloned());
        if let Some(look) = before {
            return Ok(look);
        }
        let look = (connection.incarnation().await?, connection.jobs().await?);
        if let Some(remembered) = self.remembered().as_mut() {
            remembered.looks.insert(connection.name.clone(), look.clone());
        }
        Ok(look)
    }

    /// The task slots of a cluster.
    ///
    /// # Errors
    /// `flink.*`.
    pub async fn slots(&self, connection: &Connection) -> Result<Slots> {
        let before = self.remembered().as_ref().and_then(|remembered| remembered.slots.get(&connection.name).copied());
        if let Some(slots) = before {
            return Ok(slots);
        }
        let overview = connection.client.overview().await?;
        let configured = connection.client.setting("parallelism.default").await?;
        let slots = Slots {
            total: overview.slots_total.into(),
            free: overview.slots_available.into(),
            default_parallelism: configured.and_then(|text| text.parse().ok()).unwrap_or(1),
        };
        if let Some(remembered) = self.remembered().as_mut() {
            remembered.slots.insert(connection.name.clone(), slots);
        }
        Ok(slots)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }

    /// One cluster as configured.
    ///
    /// # Errors
    /// `cluster.unknown`.
    pub fn definition(&self, name: &str) -> Result<&Definition> {
        self.definitions.get(name).ok_or_else(|| {
            Error::new(&code::CLUSTER_UNKNOWN, format!("there is no cluster `{name}` in tidegate.yaml"))
                .hint(suggest::hint(name, self.names()))
        })
    }

    /// Shows what is going on, on standard error.
    pub fn progress(&self, text: &str) {
        (self.progress)(&local::Progress::Word(text.to_owned()));
    }

    /// A way to talk to a cluster; starts a local one that is down where `start` says so.
    ///
    /// # Errors
    /// `cluster.unknown`, `cluster.down`, `cluster.start_failed`, `flink.install_failed`, `java.not_found`.
    pub async fn connect(&self, name: &str, start: Start) -> Result<Connection> {
        let url = match self.definition(name)? {
            Definition::Session { url } => url.clone(),
            Definition::Local(cluster) => match (cluster.url(), start) {
                (Some(url), _) => url,
                (None, Start::IfDown) => self.up(name).await?.url,
                (None, Start::No) => {
                    return Err(Error::new(&code::CLUSTER_DOWN, format!("the local cluster `{name}` is not running"))
                        .hint(format!("`tidegate cluster up {name}` starts it")));
                }
            },
        };
        let client = Client::new(&url)?;
        Ok(match self.definition(name)? {
            Definition::Session { .. } => Connection::new(name, client, false),
            Definition::Local(_) => {
                let remedy = format!(
                    "`tidegate cluster status {name}` shows what runs of it, and `tidegate cluster up {name}` starts what is missing"
                );
                Connection::new(name, client.with_remedy(remedy), true)
            }
        })
    }

    /// A local cluster that is down, as it would be right after its start.
    ///
    /// # Errors
    /// `cluster.unknown`, `cluster.unsupported`, and those of its settings.
    pub fn as_started(&self, name: &str) -> Result<Connection> {
        let settings = self.local(name)?.settings()?;
        Ok(Connection::as_started(name, Client::new("http://127.0.0.1:0")?, settings))
    }

    /// Starts a local cluster, or repairs what is missing of it; installs Flink and Java where they are missing.
    ///
    /// # Errors
    /// As [`Clusters::connect`], and `cluster.unsupported` for one that is not local.
    pub async fn up(&self, name: &str) -> Result<local_cluster::Up> {
        let cluster = self.local(name)?;
        cluster.up(&local::Surroundings::of_process()?, &self.cancel, &*self.progress).await
    }

    /// Stops a local cluster.
    ///
    /// # Errors
    /// `cluster.unknown`, `cluster.unsupported`, `cluster.stop_failed`.
    pub async fn down(&self, name: &str) -> Result<local_cluster::Down> {
        self.local(name)?.down(&self.cancel, &*self.progress).await
    }

    /// A local cluster.
    ///
    /// # Errors
    /// `cluster.unknown`, `cluster.unsupported`.
    pub fn local(&self, name: &str) -> Result<&local_cluster::Cluster> {
        match self.definition(name)? {
            Definition::Local(cluster) => Ok(cluster),
            Definition::Session { .. } => Err(Error::new(
                &code::CLUSTER_UNSUPPORTED,
                format!("`{name}` is a session cluster that somebody else runs; tidegate neither starts nor stops it"),
            )),
        }
    }
}
