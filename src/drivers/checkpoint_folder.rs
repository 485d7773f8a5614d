//! Checkpoints and savepoints as files, where they lie on a filesystem that this machine sees too.

use std::os::unix::fs::MetadataExt;
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

/// What the folder of a job's checkpoints shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// It is not seen from here: it lies elsewhere, is not mounted, or is another machine's of the same name.
    Unseen,
    /// It is the one that the JobManager made, and holds no whole checkpoint.
    Nothing,
    /// The checkpoint that was completed last.
    Newest(Found),
}

/// Looks for the newest `chk-N` with a `_metadata` below `FOLDER/JOB_ID`. That there is none is said only of a folder that a JobManager
/// has made: `taskowned` is its own, and of checkpoints that are not whole at most one can be under way.
pub fn look(folder: &str, job_id: &str) -> Folder {
    let Some(folder) = local(folder).map(|folder| folder.join(job_id)) else { return Folder::Unseen };
    let Ok(entries) = std::fs::read_dir(&folder) else { return Folder::Unseen };
    let (mut newest, mut begun): (Option<Found>, usize) = (None, 0);
    for entry in entries {
        let Ok(entry) = entry else { return Folder::Unseen };
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.strip_prefix("chk-")?.parse().ok()) else { continue };
        let Some(completed_at) = written_at(&entry.path().to_string_lossy()) else {
            begun += 1;
            continue;
        };
        let found = Found { path: format!("file:{}", entry.path().display()), number, completed_at };
        if newest.as_ref().is_none_or(|newest| (newest.completed_at, newest.number) < (completed_at, number)) {
            newest = Some(found);
        }
    }
    match newest {
        Some(newest) => Folder::Newest(newest),
        None if begun <= 1 && folder.join("taskowned").is_dir() => Folder::Nothing,
        None => Folder::Unseen,
    }
}

/// Whether a folder that is not there can be told from one that is not seen: what is there of its path lies on the filesystem of
/// something that is seen.
pub fn would_be_seen(folder: &str, beside: &str) -> bool {
    let (Some(folder), Some(beside)) = (local(folder), local(beside)) else { return false };
    let device = |path: &Path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
    folder.is_dir() || folder.ancestors().find_map(device).is_some_and(|found| device(&beside) == Some(found))
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
        assert_eq!(look(&folder, "job"), Folder::Unseen);
        let age = |name: &str, seconds: u64| {
            let path = root.path().join("job").join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("_metadata"), "x").unwrap();
            let file = std::fs::File::options().write(true).open(path.join("_metadata")).unwrap();
            file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
        };
        std::fs::create_dir_all(root.path().join("job/chk-1")).unwrap();
        assert_eq!(look(&folder, "job"), Folder::Unseen, "a TaskManager's alone");
        std::fs::create_dir_all(root.path().join("job/taskowned")).unwrap();
        assert_eq!(look(&folder, "job"), Folder::Nothing);
        std::fs::create_dir_all(root.path().join("job/chk-2")).unwrap();
        assert_eq!(look(&folder, "job"), Folder::Unseen, "two cannot be under way");
        // Of a lineage that was left: its number is higher.
        age("chk-90", 1_000);
        age("chk-12", 2_000);
        std::fs::create_dir_all(root.path().join("job/chk-99")).unwrap();
        std::fs::create_dir_all(root.path().join("job/shared")).unwrap();
        let Folder::Newest(found) = look(&folder, "job") else { panic!("{:?}", look(&folder, "job")) };
        assert_eq!((found.number, found.completed_at), (12, 2_000_000));
        assert!(!is_gone(&found.path));
        assert!(is_gone(&format!("file:{}/job/chk-13", root.path().display())));
        assert!(!is_gone("hdfs:///x/y/chk-1"));
        let absent = format!("file:{}/savepoints/job/1", root.path().display());
        assert!(would_be_seen(&absent, &found.path) && !would_be_seen("hdfs:///x/y/1", &found.path));
        assert!(!would_be_seen("file:/proc/none/1", &found.path));
        assert!(!is_gone("file:/no/such/folder/job/chk-1"));
    }
}
