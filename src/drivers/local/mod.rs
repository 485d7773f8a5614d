//! A Flink on this machine: finds or installs Java and Flink, and runs a session cluster as plain `java` processes.

mod configuration;
mod health;
mod jvm;
mod lock;
mod package;
mod record;
mod repair;
mod starter;
mod status;

pub mod cluster;
pub mod install;
pub mod java;
mod libraries;

use std::path::{Path, PathBuf};

use crate::base::{Error, Result, code};

/// What a long wait is doing, for whoever watches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something happened, or is waited for: one lower-case line.
    Word(String),
    /// A download: bytes so far, and of how many where that is known.
    Bytes {
        /// What is downloaded, such as `Flink 1.20.5`.
        what: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: Option<u64>,
    },
}

/// Where progress goes.
pub type Report<'a> = &'a (dyn Fn(&Progress) + Send + Sync);

fn word(progress: Report<'_>, text: impl Into<String>) {
    progress(&Progress::Word(text.into()));
}

/// What of the outside decides which Java and which Flink are found.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Where tidegate keeps what it downloaded.
    pub cache: PathBuf,
    /// `JAVA_HOME`.
    pub java_home: Option<PathBuf>,
    /// `FLINK_HOME`.
    pub flink_home: Option<PathBuf>,
    /// The folders of `PATH`, where `java` and `python3` are looked for.
    pub path: Vec<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    ///
    /// # Errors
    /// That of [`cache_dir`].
    pub fn of_process() -> Result<Self> {
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Ok(Self {
            cache: cache_dir()?,
            java_home: folder("JAVA_HOME"),
            flink_home: folder("FLINK_HOME"),
            path: std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default(),
        })
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(name)).find(|candidate| is_executable(candidate))
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The user's cache: `TIDEGATE_CACHE`, else `XDG_CACHE_HOME/tidegate`, else `~/.cache/tidegate`.
///
/// # Errors
/// `flink.install_failed` where none of the variables, nor `HOME`, is set.
pub fn cache_dir() -> Result<PathBuf> {
    // The XDG rules say that a relative path is to be ignored.
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(own) = std::env::var_os("TIDEGATE_CACHE").filter(|value| !value.is_empty()) {
        return std::path::absolute(&own).map_err(|error| {
            Error::new(&code::FLINK_INSTALL, "the folder of `TIDEGATE_CACHE` cannot be used").caused_by(error)
        });
    }
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .map(|base| base.join("tidegate"))
        .ok_or_else(|| {
            Error::new(&code::FLINK_INSTALL, "there is no place for downloads: `HOME` is not set")
                .hint("set `TIDEGATE_CACHE` to a folder that can be written")
        })
}
