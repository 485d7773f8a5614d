//! Kernel locks on files: held by a process, gone with it, never stale.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Store;
use super::open::cannot_write;
use crate::base::{Error, Result, code, process};

/// The locks that this process holds: the kernel does not tell whose a lock is, and the file tells it a moment too late.
static OWN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A lock that is held until it is dropped, or the process ends.
#[derive(Debug)]
pub struct Lock {
    // Closing the file gives the lock back.
    _file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        OWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

/// Whether what holds a lock is this very process: another branch of its run.
pub fn is_own(error: &Error) -> bool {
    error.is(&code::STATE_LOCKED)
        && error.data().get("process").and_then(serde_json::Value::as_u64) == Some(std::process::id().into())
}

impl Store {
    /// Takes the lock `name`, or says who holds it. Does not wait.
    ///
    /// # Errors
    /// `state.locked` with the holder's process id in `e.data.process`.
    pub fn try_lock(&self, name: &str) -> Result<Lock> {
        let directory = self.directory().join("locks");
        std::fs::create_dir_all(&directory).map_err(|error| cannot_write(&directory, &error))?;
        let path = directory.join(name);
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if own.contains(&path) {
            return Err(held(name, Some(std::process::id())));
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| cannot_write(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {
                // Only for the message to others; the kernel holds the lock itself.
                let written = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| write!(file, "{}", std::process::id()))
                    .and_then(|()| file.flush());
                written.map_err(|error| cannot_write(&path, &error))?;
                own.insert(path.clone());
                Ok(Lock { _file: file, path })
            }
            Err(TryLockError::WouldBlock) => Err(held(name, holder(&mut file))),
            Err(TryLockError::Error(error)) => Err(cannot_write(&path, &error)),
        }
    }

    /// Whether some process holds the lock `name`.
    pub fn is_locked(&self, name: &str) -> bool {
        let path = self.directory().join("locks").join(name);
        File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// A stopped process that holds some lock of this state folder: most likely the one that stands in the way.
pub(super) fn stopped_holder(directory: &Path) -> Option<u32> {
    let locks = std::fs::read_dir(directory.join("locks")).ok()?;
    locks.flatten().find_map(|entry| {
        let mut file = File::open(entry.path()).ok()?;
        let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        holder(&mut file).filter(|holder| is_held && process::is_stopped(*holder))
    })
}

/// What to do about a stopped process.
pub(super) fn hint_for_stopped(holder: u32) -> String {
    format!("let it go on with `kill -CONT {holder}`, or end it with `kill -9 {holder}`; then try again")
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok())
}

fn held(name: &str, holder: Option<u32>) -> Error {
    let error = match holder {
        Some(holder) if process::is_stopped(holder) => {
            Error::new(&code::STATE_LOCKED, format!("`{name}` is held by process {holder}, which is stopped"))
                .hint(hint_for_stopped(holder))
        }
        Some(holder) => Error::new(&code::STATE_LOCKED, format!("`{name}` is held by process {holder}"))
            .hint("wait until it has ended; the lock ends with it"),
        None => Error::new(&code::STATE_LOCKED, format!("`{name}` is held by another process")),
    };
    error.with("process", holder.unwrap_or(0)).with("lock", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_excludes_and_ends_with_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let lock = store.try_lock("run-1").unwrap();
        assert!(store.is_locked("run-1"));
        let error = store.try_lock("run-1").unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        assert!(is_own(&error), "{error}");
        drop(lock);
        assert!(!store.is_locked("run-1"));
        store.try_lock("run-1").unwrap();
    }
}
