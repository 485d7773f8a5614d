//! The jars that a local cluster has on its class path, whether it runs or not.

use std::path::PathBuf;

use super::cluster::{Cluster, settle};
use super::record::Record;
use super::{Surroundings, install};

impl Cluster {
    /// The jars in `lib/` of the Flink that the cluster runs with, or would be started with; none where it is not installed
    /// yet: then it will be Flink's own alone.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let recorded = Record::load(&settle(&self.directory))
            .filter(|record| install::matches(&self.version, &record.version))
            .map(|record| record.flink_home);
        let installed = || {
            let surroundings = Surroundings::of_process().ok()?;
            if let Some(home) = surroundings.flink_home {
                let fits = install::version_of(&home).is_ok_and(|version| install::matches(&self.version, &version));
                if fits {
                    return Some(home);
                }
            }
            let known = install::list(&surroundings.cache).ok()?;
            known.into_iter().rfind(|one| install::matches(&self.version, &one.version)).map(|one| one.path)
        };
        recorded.or_else(installed).and_then(|home| install::jars(&home).ok()).unwrap_or_default()
    }
}
