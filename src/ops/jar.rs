//! Looks into a jar of the artifact store.

use std::collections::BTreeMap;

use super::damaged;
use super::inputs::artifact_path;
use super::services::Services;
use crate::base::{Error, Result, hash};
use crate::drivers::jar;
use crate::model::java_class::Classes;
use crate::model::job_spec::Artifact;

/// What a jar says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// How long it is.
    pub bytes: u64,
    /// The class that its manifest names to be started.
    pub main_class: Option<String>,
    /// The attributes of its manifest.
    pub manifest: BTreeMap<String, String>,
}

/// What a jar says of itself: its manifest.
///
/// # Errors
/// `file.invalid`.
pub fn about(services: &Services, artifact: &Artifact) -> Result<About> {
    let path = artifact_path(&services.store, &artifact.sha256);
    let read = || {
        // Whoever opens a jar goes by what is in it: it has to be the one that its hash names.
        if damaged::is_damaged(services, artifact) {
            return Err(damaged::error(services, artifact));
        }
        let manifest = jar::manifest(&mut jar::open(&path)?)?;
        let bytes = std::fs::metadata(&path).map_err(|error| jar::not_there(&path, &error))?.len();
        let main_class = manifest.main_class().map(str::to_owned);
        Ok(About { bytes, main_class, manifest: manifest.attributes.into_iter().collect() })
    };
    read().map_err(|error| known(services, artifact, error))
}

/// The classes of a jar, those of the jars inside included.
///
/// # Errors
/// `file.not_found` where it was pruned; `file.invalid`.
pub fn classes(services: &Services, artifact: &Artifact) -> Result<Classes> {
    let path = artifact_path(&services.store, &artifact.sha256);
    jar::classes(&path).map_err(|error| known(services, artifact, error))
}

/// The providers of a service in a jar and in those inside.
///
/// # Errors
/// As [`classes`].
pub fn providers(services: &Services, artifact: &Artifact, service: &str) -> Result<Vec<String>> {
    let path = artifact_path(&services.store, &artifact.sha256);
    let read = || jar::services(&mut jar::open(&path)?, service);
    read().map_err(|error| known(services, artifact, error))
}

/// Where what is read of a jar is kept: beside it, by its hash.
pub(super) fn facts_path(services: &Services, sha256: &str) -> std::path::PathBuf {
    services.store.directory().join("artifacts").join(format!("{sha256}.facts"))
}

/// A name for what is read of a file that is no artifact: another one when the file has changed.
pub(super) fn facts_name(path: &std::path::Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let changed = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?.as_nanos();
    Some(hash::sha256(format!("{} {} {changed}", path.display(), metadata.len()).as_bytes()))
}

fn known(services: &Services, artifact: &Artifact, error: Error) -> Error {
    damaged::explained(services, std::slice::from_ref(artifact), error)
}
