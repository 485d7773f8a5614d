//! Uploads jars by content: the same bytes go to a cluster once, are found again by name, sent again when the cluster
//! forgot them, and pruned when nothing of ours needs them.

use std::path::PathBuf;

use super::damaged;
use super::inputs::artifact_path;
use super::services::Services;
use crate::base::{Error, Result, code};
use crate::drivers::flink::Client;
use crate::drivers::jar::entry_class;
use crate::drivers::payload::{self, Payload};
use crate::model::job_spec::{JobSpec, Program};

/// How many of our uploads stay on a cluster. A running job does not need its upload any more: Flink keeps what it
/// runs in its blob store, for restarts on new TaskManagers too.
const KEPT: usize = 16;

/// What every name of ours starts with.
const PREFIX: &str = "tidegate-";

/// The jar of a job: our runner or the user's, with the job's own jars and its dependencies inside as `lib/*.jar`. It is put
/// together only where a cluster does not have it yet.
pub struct Upload<'a> {
    services: &'a Services,
    spec: &'a JobSpec,
    /// The name that it has on a cluster.
    pub name: String,
}

/// The jar of a job.
///
/// # Errors
/// `job.adopted`.
pub fn payload<'a>(services: &'a Services, spec: &'a JobSpec) -> Result<Upload<'a>> {
    let own = match &spec.program {
        Program::Sql { .. } => None,
        Program::Jar { jar, .. } => Some(jar.sha256.as_str()),
        Program::Adopted { id, .. } => return Err(adopted(&spec.identity.job, id)),
    };
    Ok(Upload { services, spec, name: payload::name_of(own, spec.libraries()) })
}

impl Upload<'_> {
    /// Reads the parts from the store and puts them together.
    ///
    /// # Errors
    /// `file.invalid` for what is not a jar, or not the one that it was; `file.not_found`.
    fn build(&self) -> Result<Payload> {
        let path = |sha256: &str| artifact_path(&self.services.store, sha256);
        let libraries: Vec<_> = self.spec.libraries().map(path).collect();
        let built = match &self.spec.program {
            Program::Jar { jar, .. } => payload::jar_payload(&path(&jar.sha256), &libraries),
            Program::Sql { .. } | Program::Adopted { .. } => payload::sql_payload(&libraries),
        };
        let built = built.map_err(|error| damaged::explained(self.services, &self.spec.class_path(), error))?;
        match built.name == self.name {
            true => Ok(built),
            false => Err(self.damaged()),
        }
    }

    /// Somebody changed a file of the store: its bytes are not those that its name says.
    fn damaged(&self) -> Error {
        let artifacts = self.spec.class_path();
        let message = "a file of the artifact store changed while it was read";
        let error = Error::new(&code::FILE_INVALID, message).hint("deploy again");
        damaged::explained(self.services, &artifacts, error)
    }
}

/// The refusal to start what was adopted.
pub(super) fn adopted(name: &str, id: &str) -> Error {
    Error::new(&code::JOB_ADOPTED, format!("`{name}` was adopted as {id}: what it runs is not known, so it cannot be started"))
        .hint("deploy it with a script: while it runs it is upgraded from a savepoint, and later goes on from its newest state")
}

/// Makes sure that the cluster has the jar, and returns Flink's id of it. `again` uploads whatever the list says.
///
/// # Errors
/// `flink.*`.
pub async fn ensure(client: &Client, payload: &Upload<'_>, again: bool) -> Result<String> {
    let jars = client.jars().await?;
    if !again && let Some(jar) = jars.iter().find(|jar| jar.name == payload.name) {
        return Ok(jar.id.clone());
    }
    let id = client.upload(&payload.name, payload.build()?.content).await?;
    let mut ours: Vec<_> = jars.into_iter().filter(|jar| jar.name.starts_with(PREFIX)).collect();
    ours.sort_by_key(|jar| std::cmp::Reverse(jar.uploaded));
    for old in ours.iter().skip(KEPT - 1) {
        // Another tidegate may have deleted it first; a jar too many does no harm.
        if client.delete_jar(&old.id).await.is_err() {
            break;
        }
    }
    Ok(id)
}

/// The error for a cluster that has lost a jar each time that it was uploaded.
pub(super) fn forgotten() -> Error {
    Error::new(&code::FLINK_REFUSED, "the JobManager forgets uploaded jars at once")
        .hint("set `web.upload.dir` of the cluster to a folder that stays, and look at its disk")
}

/// The main class to start a jar with: the one that the spec wants, else the one of the manifest; checked to be in the jar,
/// or in one of those that travel with it. None where the job is no jar.
///
/// # Errors
/// `flink.entry_class`, `file.invalid`.
pub fn main_class(services: &Services, spec: &JobSpec) -> Result<Option<String>> {
    let Program::Jar { jar, main_class, .. } = &spec.program else { return Ok(None) };
    let path = |sha256: &str| artifact_path(&services.store, sha256);
    let places: Vec<_> = spec.libraries().map(path).collect();
    let places: Vec<_> = places.iter().map(PathBuf::as_path).collect();
    let found = entry_class(&path(&jar.sha256), &places, main_class.as_deref());
    found.map(Some).map_err(|error| damaged::explained(services, &spec.class_path(), error))
}
