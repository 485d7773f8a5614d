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

/// Whether a checkpoint or savepoint is gone: it is not there, and the place where it lay is surely this machine's. What lies on
/// another machine, in a container or in an object store is never said to be gone, also where a folder here has the same name.
pub fn is_gone(path: &str) -> bool {
    let Some(path) = local(path) else { return false };
    // What may not be looked at may be there.
    let is_missing = |path: &Path| matches!(path.try_exists(), Ok(false));
    is_missing(&path.join("_metadata")) && !path.is_file() && is_here(&path)
}

/// Whether what Flink writes below a path is seen from here: the path is that of a local cluster of tidegate, or Flink's folder of
/// the job is there, or that of an earlier execution of the same job beside it.
fn is_here(path: &Path) -> bool {
    let is_clusters = |above: &&Path| above.ends_with(".tidegate/clusters") && above.is_dir();
    if path.ancestors().any(|above| is_clusters(&above)) {
        return true;
    }
    // ROOT/JOB_ID/chk-N, or ROOT/JOB_ID/ORDINAL/savepoint-x.
    let Some(job) = path.ancestors().find(|above| job_id(above).is_some()) else { return false };
    let is_of_job = |other: &Path| {
        // The executions of a job of ours share the first half of their ids.
        matches!((job_id(job), job_id(other)), (Some(id), Some(other)) if id.get(..16) == other.get(..16))
    };
    let beside = job.parent().and_then(|root| std::fs::read_dir(root).ok()).into_iter().flatten().flatten();
    job.is_dir() || beside.map(|entry| entry.path()).any(|other| is_of_job(&other) && other.is_dir())
}

/// The Flink job id that a folder is named after.
fn job_id(folder: &Path) -> Option<&str> {
    let name = folder.file_name()?.to_str()?;
    (name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
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
        let absent = format!("file:{}/savepoints/job/1", root.path().display());
        assert!(would_be_seen(&absent, &found.path) && !would_be_seen("hdfs:///x/y/1", &found.path));
        assert!(!would_be_seen("file:/proc/none/1", &found.path));
    }

    #[test]
    fn only_what_was_surely_here_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = ("0123456789abcdef0000000136c39192", "0123456789abcdef0000000236c39192");
        let below = |rest: &str| format!("file:{}/{rest}", root.path().display());
        let make = |rest: &str| std::fs::create_dir_all(root.path().join(rest)).unwrap();
        // A folder of the same name as that of another machine says nothing.
        for elsewhere in ["hdfs:///x/y/chk-1", "file:/no/such/folder/job/chk-1", "file:/tmp/savepoint-1"] {
            assert!(!is_gone(elsewhere), "{elsewhere}");
        }
        make("flink/0000000000000000000000000000000a");
        for kind in ["chk-3", "1/savepoint-a"] {
            let path = below(&format!("flink/{second}/{kind}"));
            assert!(!is_gone(&path), "somebody else's job");
        }
        make(&format!("flink/{first}"));
        assert!(is_gone(&below(&format!("flink/{second}/chk-3"))), "an earlier execution of the job wrote here");
        assert!(is_gone(&below(&format!("flink/{first}/1/savepoint-a"))));
        make(&format!("flink/{second}/chk-3"));
        assert!(is_gone(&below(&format!("flink/{second}/chk-3"))), "it is not whole any more");
        std::fs::write(root.path().join(format!("flink/{second}/chk-3/_metadata")), "x").unwrap();
        assert!(!is_gone(&below(&format!("flink/{second}/chk-3"))));
        make(".tidegate/clusters/laptop");
        assert!(is_gone(&below(&format!(".tidegate/clusters/laptop/checkpoints/{first}/chk-1"))), "a local cluster's");
    }
}
