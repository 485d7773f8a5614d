//! Whether the jars of a job are in the artifact store: an earlier revision is started from what was kept of it, whatever lies
//! in the workspace now.

use super::inputs::artifact_path;
use super::services::Services;
use crate::base::{Error, Result, code};
use crate::model::job_spec::{Artifact, JobSpec};

/// Looks whether all jars of a job are kept.
///
/// # Errors
/// `file.not_found` with the revision that brought the one that is not, and how to get it back; `state.*`.
pub(super) fn all_there(services: &Services, spec: &JobSpec) -> Result<()> {
    let gone = spec.class_path().into_iter().find(|jar| !artifact_path(&services.store, &jar.sha256).is_file());
    match gone {
        Some(jar) => Err(lost(services, spec, &jar)?),
        None => Ok(()),
    }
}

fn lost(services: &Services, spec: &JobSpec, jar: &Artifact) -> Result<Error> {
    let identity = &spec.identity;
    let revisions = match services.store.job(&identity.environment, &identity.job)? {
        Some(job) => services.store.revisions(job.id)?,
        None => Vec::new(),
    };
    let first = revisions.iter().find(|revision| revision.spec.contains(&jar.sha256));
    let whose = first.map_or_else(String::new, |first| format!("revision {} of ", first.number));
    let place = artifact_path(&services.store, &jar.sha256);
    let message =
        format!("the jar that was kept of `{}` for {whose}`{}` is gone: {}", jar.path, identity.job, place.display());
    let is_fetched = spec.dependencies.files.iter().any(|file| file.sha256 == jar.sha256);
    let error = Error::new(&code::FILE_NOT_FOUND, message).with("sha256", jar.sha256.clone());
    Ok(match &jar.origin {
        Some(origin) => error.caused_by(format!("it was built from {origin}")).hint(
            "put it back there, from a copy: its name is its SHA-256; building that commit again gives the same only where \
             its build is reproducible; else deploy what is meant with its script",
        ),
        None if is_fetched => error.hint("run the script that deploys it: its dependencies are fetched again"),
        None => error.hint(
            "put it back there, from a copy: its name is its SHA-256, and what lies in the workspace now may be another; \
             or deploy what is meant with its script",
        ),
    })
}
