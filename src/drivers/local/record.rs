//! `cluster.json`: what a local cluster was started with. Written before its processes, so that none is lost; the
//! processes themselves carry a mark (see `jvm`), and the file only tells what they were.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::{Error, Result, code};

const NAME: &str = "cluster.json";

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Where the cluster was when it was started: a workspace can be moved, or copied.
    pub(super) directory: PathBuf,
    /// Whether the cluster is meant to run.
    pub(super) running: bool,
    /// Whether it has ever been whole since it was started.
    pub(super) complete: bool,
    /// The whole Flink version.
    pub(super) version: String,
    /// The folder that has `lib/`.
    pub(super) flink_home: PathBuf,
    /// The `java` of all processes.
    pub(super) java: PathBuf,
    /// The port of the REST endpoint, on 127.0.0.1.
    pub(super) rest_port: u16,
    /// The port on which the TaskManagers reach the JobManager.
    pub(super) rpc_port: u16,
    /// Task slots of a TaskManager.
    pub(super) slots: u32,
    /// How many TaskManagers.
    pub(super) task_managers: u32,
    /// The user's options.
    pub(super) options: BTreeMap<String, String>,
    /// The processes.
    pub(super) processes: Vec<Started>,
}

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    /// `jobmanager`, `taskmanager-1`.
    pub(super) name: String,
    /// Its number.
    pub(super) pid: u32,
    /// Its start in clock ticks since boot: with the number, an identity.
    pub(super) start_time: u64,
}

impl Record {
    /// The record of a cluster, if it has a readable one: a damaged one tells nothing that the processes do not.
    pub(super) fn load(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(directory.join(NAME)).ok()?).ok()
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// `state.io`, `state.disk_full`.
    pub(super) fn save(&self, directory: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::new(&code::INTERNAL, error.to_string()))?;
        let path = directory.join(NAME);
        let new = directory.join(format!("{NAME}.new"));
        let write = || -> std::io::Result<()> {
            let mut file =
                std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)
        };
        write().map_err(|error| failed(&path, error))
    }
}

/// An error of the cluster's folder.
pub(super) fn failed(path: &Path, error: std::io::Error) -> Error {
    let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    let code = if full { &code::STATE_DISK_FULL } else { &code::STATE_IO };
    Error::new(code, format!("{} cannot be written", path.display())).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Record::load(directory.path()), None);
        let record = Record {
            directory: directory.path().to_owned(),
            running: true,
            complete: false,
            version: "1.20.5".to_owned(),
            flink_home: "/f".into(),
            java: "/j".into(),
            rest_port: 1,
            rpc_port: 2,
            slots: 4,
            task_managers: 1,
            options: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            processes: vec![Started { name: "jobmanager".to_owned(), pid: 7, start_time: 8 }],
        };
        record.save(directory.path()).unwrap();
        assert_eq!(Record::load(directory.path()), Some(record));
        let mode = std::fs::metadata(directory.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(directory.path().join(NAME), "{\"half").unwrap();
        assert_eq!(Record::load(directory.path()), None);
    }
}
