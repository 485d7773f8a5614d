//! Uploads jars by content: the same bytes go to a cluster once, are found again by name, sent again when the cluster
//! forgot them, and pruned when nothing of ours needs them.

use std::path::PathBuf;

use super::inputs::artifact_path;
use super::services::Services;
use crate::base::{Error, Result, code};
use crate::drivers::flink::Client;
use crate::drivers::jar::entry_class;
use crate::drivers::payload::{self, Payload};
use crate::model::job_spec::Artifact;
use crate::model::job_spec::{JobSpec, Program};

/// How many of our uploads stay on a cluster. A running job does not need its upload any more: Flink keeps what it
/// runs in its blob store, for restarts on new TaskManagers too.
const KEPT: usize = 16;

/// What every name of ours starts with.
const PREFIX: &str = "tidegate-";

/// The jar of a job: our runner or the user's, with the job's own jars inside as `lib/*.jar`.
///
/// # Errors
/// `file.invalid` for what is not a jar.
pub fn payload(services: &Services, spec: &JobSpec) -> Result<Payload> {
    let path = |sha256: &str| artifact_path(&services.store, sha256);
    let jars: Vec<_> = spec.jars.iter().map(|jar| path(&jar.sha256)).collect();
    match &spec.program {
        Program::Sql { .. } => payload::sql_payload(&jars),
        Program::Jar { jar, .. } => payload::jar_payload(&path(&jar.sha256), &jars),
        Program::Adopted { id, .. } => Err(adopted(&spec.identity.job, id)),
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
pub async fn ensure(client: &Client, payload: &Payload, again: bool) -> Result<String> {
    let jars = client.jars().await?;
    if !again && let Some(jar) = jars.iter().find(|jar| jar.name == payload.name) {
        return Ok(jar.id.clone());
    }
    let id = client.upload(&payload.name, payload.bytes.to_vec()).await?;
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

/// The main class to start a jar with: the one `wanted`, else the one of its manifest; checked to be in the jar, or in
/// one of the extra `jars`.
///
/// # Errors
/// `flink.entry_class`, `file.invalid`.
pub fn main_class(services: &Services, jar: &Artifact, jars: &[Artifact], wanted: Option<&str>) -> Result<String> {
    let path = |artifact: &Artifact| artifact_path(&services.store, &artifact.sha256);
    let places: Vec<_> = jars.iter().map(path).collect();
    let places: Vec<_> = places.iter().map(PathBuf::as_path).collect();
    entry_class(&path(jar), &places, wanted)
        .map_err(|error| as_users_know_it(services, std::iter::once(jar).chain(jars), error))
}

/// The error with the users' own paths in place of the file names of the store, which say nothing to them.
pub(super) fn as_users_know_it<'a>(
    services: &Services,
    jars: impl Iterator<Item = &'a Artifact>,
    error: Error,
) -> Error {
    let names: Vec<(String, &str)> = jars
        .map(|jar| (artifact_path(&services.store, &jar.sha256).display().to_string(), jar.path.as_str()))
        .collect();
    let shown = |text: &str| names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    error.map_texts(&shown)
}
