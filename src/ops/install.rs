//! Installs Flink into the user's cache.

use crate::base::Result;
use crate::base::cancel::Cancel;
use crate::drivers::local::install::{self, FlinkHome, Installed};
use crate::drivers::local::{Report, Surroundings, cache_dir};

pub use crate::drivers::local::install::Origin;

/// Finds or installs a Flink version.
///
/// # Errors
/// `flink.install_failed`, `flink.version`, `cancelled`.
pub async fn flink(version: &str, cancel: &Cancel, progress: Report<'_>) -> Result<FlinkHome> {
    install::find_or_install(version, &Surroundings::of_process()?, cancel, progress).await
}

/// The versions that tidegate installed.
///
/// # Errors
/// `flink.install_failed`.
pub fn list() -> Result<Vec<Installed>> {
    install::list(&cache_dir()?)
}
