//! Checkpoints and savepoints as files, where they lie on a filesystem that this machine sees too.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::base::clock::Millis;

/// A whole checkpoint on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path, as Flink takes it.
    pub path: String,
    /// N of `chk-N`.
    pub number: u64,
    /// When its metadata was written: it was whole then.
    pub completed_at: Millis,
}

/// The newest `chk-N` with a `_metadata` below `FOLDER/JOB_ID`; none where there is none, or the folder is not seen from
/// here.
pub fn newest(folder: &str, job_id: &str) -> Option<Found> {
    let folder = local(folder)?.join(job_id);
    let entries = std::fs::read_dir(&folder).ok()?;
    let whole = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let number = entry.file_name().to_str()?.strip_prefix("chk-")?.parse().ok()?;
        let completed_at = written_at(&entry.path().to_string_lossy())?;
        Some(Found { path: format!("file:{}", entry.path().display()), number, completed_at })
    });
    whole.max_by_key(|found| (found.completed_at, found.number))
}

/// Whether a checkpoint or savepoint is gone: the folder that it lay below is seen from here, and it is not. What lies on
/// another machine or in an object store is never said to be gone.
pub fn is_gone(path: &str) -> bool {
    let Some(path) = local(path) else { return false };
    if path.join("_metadata").exists() || path.is_file() {
        return false;
    }
    // ROOT/JOB_ID/chk-N, or ROOT/JOB_ID/ORDINAL/savepoint-x.
    path.ancestors().skip(2).take(2).any(|above| above.parent().is_some() && above.is_dir())
}

/// When a checkpoint or savepoint was whole: when its metadata was written; none where it is not seen from here.
pub fn written_at(path: &str) -> Option<Millis> {
    let written = std::fs::metadata(local(path)?.join("_metadata")).ok()?.modified().ok()?;
    Millis::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// A whole savepoint right below a folder, where it is seen from here; Flink draws the last part of its name.
pub fn savepoint_below(folder: &str) -> Option<String> {
    let entries = std::fs::read_dir(local(folder)?).ok()?;
    let mut whole = entries.flatten().map(|entry| entry.path()).filter(|path| path.join("_metadata").is_file());
    whole.next().map(|path| format!("file:{}", path.display()))
}

/// The folder as this machine would reach it; none for another scheme than `file`.
fn local(path: &str) -> Option<PathBuf> {
    let path = bare(path);
    Path::new(&path).is_absolute().then(|| PathBuf::from(path))
}

/// A path without `file:` and its slashes: Flink writes `file:/x` for `file:///x`.
pub fn bare(path: &str) -> String {
    let rest = path.strip_prefix("file:").map(|rest| rest.trim_start_matches('/'));
    rest.map_or_else(|| path.to_owned(), |rest| format!("/{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_the_one_that_was_written_last_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = format!("file://{}", root.path().display());
        assert_eq!(newest(&folder, "job"), None);
        let age = |name: &str, seconds: u64| {
            let path = root.path().join("job").join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("_metadata"), "x").unwrap();
            let file = std::fs::File::options().write(true).open(path.join("_metadata")).unwrap();
            file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
        };
        // Of a lineage that was left: its number is higher.
        age("chk-90", 1_000);
        age("chk-12", 2_000);
        std::fs::create_dir_all(root.path().join("job/chk-99")).unwrap();
        std::fs::create_dir_all(root.path().join("job/shared")).unwrap();
        let found = newest(&folder, "job").unwrap();
        assert_eq!((found.number, found.completed_at), (12, 2_000_000));
        assert!(!is_gone(&found.path));
        assert!(is_gone(&format!("file:{}/job/chk-13", root.path().display())));
        assert!(!is_gone("hdfs:///x/y/chk-1"));
        assert!(!is_gone("file:/no/such/folder/job/chk-1"));
    }
}
