//! Files of the artifact store that are not what they were: cut off, or with other bytes under their hash.

use super::inputs::artifact_path;
use super::services::Services;
use crate::base::hash::sha256_file;
use crate::base::{Error, code};
use crate::model::job_spec::Artifact;

/// Whether the kept copy of an artifact is there and has other bytes than were taken.
pub(super) fn is_damaged(services: &Services, artifact: &Artifact) -> bool {
    sha256_file(&artifact_path(&services.store, &artifact.sha256)).is_ok_and(|found| found != artifact.sha256)
}

/// The error about files of these artifacts: where the kept copy of one is damaged, that is what is wrong. The names that
/// users know stand in place of the paths of the store, which say nothing to anybody.
pub(super) fn explained(services: &Services, artifacts: &[Artifact], error: Error) -> Error {
    if error.is(&code::FILE_INVALID)
        && let Some(damaged) = artifacts.iter().find(|artifact| is_damaged(services, artifact))
    {
        return self::error(services, damaged);
    }
    error.map_texts(&|text| {
        artifacts.iter().fold(text.to_owned(), |text, artifact| {
            text.replace(&artifact_path(&services.store, &artifact.sha256).display().to_string(), &artifact.path)
        })
    })
}

/// The error for a kept copy that is damaged: who made it, and how it comes back.
pub(super) fn error(services: &Services, artifact: &Artifact) -> Error {
    let path = artifact_path(&services.store, &artifact.sha256);
    let message =
        format!("the kept copy of `{}` is damaged: its bytes are not those that its hash is of", artifact.path);
    let error = Error::new(&code::FILE_INVALID, message).caused_by(format!("it is kept as {}", path.display()));
    // What cannot be looked up makes no second error out of the first.
    let builds = services.store.builds(None, usize::MAX).unwrap_or_default();
    let build = builds.into_iter().find(|build| build.artifacts.iter().any(|built| built.sha256 == artifact.sha256));
    match build {
        Some(build) => {
            let commit = build.commit.get(..10).unwrap_or(&build.commit);
            error
                .caused_by(format!("build {} of `{}` made it, at commit {commit}", build.id, build.project))
                .hint(format!("delete that file, and build {} at that commit again", build.project))
        }
        None => error.hint("delete that file and run the script again: it is taken anew from where it came from"),
    }
}
