//! The artifact store: jars by the hash of their bytes, taken once and never changed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::inputs::artifact_path;
use crate::base::hash::sha256_file;
use crate::base::{Error, Result, code};
use crate::store::Store;

/// A use within this time is not noted again: far less than what is kept at least.
const LATELY: Duration = Duration::from_secs(300);

/// A file that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The hash of its bytes.
    pub sha256: String,
    /// How many there are.
    pub bytes: u64,
}

/// Takes a file into the store, where it is the one that is `expected`, and gives its hash and size either way.
///
/// # Errors
/// `file.invalid` where it cannot be read, `state.io` where the store cannot be written.
pub fn take(store: &Store, source: &Path, expected: Option<&str>) -> Result<Taken> {
    let directory = store.directory().join("artifacts");
    // Copied and then hashed: what is kept is what was hashed, whatever happens to the source. A name of its own, since two
    // may take one file; renamed last, so that no half file lies under a hash.
    let partial = directory.join(format!("{}.partial", unique()));
    let result = copied(source, &directory, &partial).and_then(|()| {
        let unreadable = |error| store_error(&partial, &error);
        let sha256 = sha256_file(&partial).map_err(unreadable)?;
        let bytes = std::fs::metadata(&partial).map_err(unreadable)?.len();
        if expected.is_none_or(|expected| expected == sha256) {
            let target = artifact_path(store, &sha256);
            std::fs::rename(&partial, &target).map_err(|error| store_error(&target, &error))?;
        }
        Ok(Taken { sha256, bytes })
    });
    // Gone already where it was renamed.
    let _ = std::fs::remove_file(&partial);
    result
}

fn copied(source: &Path, directory: &Path, partial: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(|error| store_error(directory, &error))?;
    let mut from = std::fs::File::open(source).map_err(|error| {
        Error::new(&code::FILE_INVALID, format!("{} cannot be read", source.display())).caused_by(error)
    })?;
    let write = || {
        let mut to = std::fs::OpenOptions::new().write(true).create_new(true).open(partial)?;
        std::io::copy(&mut from, &mut to)?;
        to.sync_all()
    };
    let mut write = write;
    write().map_err(|error| store_error(partial, &error))
}

fn store_error(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull => &code::STATE_DISK_FULL,
        _ => &code::STATE_IO,
    };
    Error::new(code, format!("{} cannot be written", path.display())).caused_by(error)
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether the store has a file of this size: its bytes were looked at when it was taken, and are looked at again when they
/// are sent.
pub fn holds(store: &Store, sha256: &str, bytes: u64) -> bool {
    std::fs::metadata(artifact_path(store, sha256)).is_ok_and(|found| found.is_file() && found.len() == bytes)
}

/// Notes that a file of the store is in use now: what was used lately is not pruned, recorded or not.
pub fn used(store: &Store, sha256: &str) {
    let path = artifact_path(store, sha256);
    let at = std::fs::metadata(&path).and_then(|found| found.modified());
    if at.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < LATELY)) {
        return;
    }
    let file = std::fs::File::options().append(true).open(path);
    // Only the age is lost where this fails; what is recorded protects it as well.
    let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::sha256;

    #[test]
    fn what_is_taken_is_what_was_expected_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::store::Store::open(&folder.path().join("state")).unwrap();
        let source = folder.path().join("x.jar");
        std::fs::write(&source, "jar").unwrap();
        let hash = sha256(b"jar");
        let other = take(&store, &source, Some(&sha256(b"other"))).unwrap();
        assert_eq!(other, Taken { sha256: hash.clone(), bytes: 3 });
        let names = || std::fs::read_dir(folder.path().join("state/artifacts")).unwrap().count();
        assert_eq!(names(), 0, "nothing is left of it");
        take(&store, &source, None).unwrap();
        assert!(holds(&store, &hash, 3) && !holds(&store, &hash, 4) && names() == 1);
        let error = take(&store, &folder.path().join("none"), None).unwrap_err();
        assert!(error.is(&code::FILE_INVALID), "{error:?}");
    }
}
