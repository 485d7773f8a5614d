//! Kernel locks on files (`flock`), waited for without blocking a thread. Such a lock ends with its process.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Report, word};
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code};

const POLL: Duration = Duration::from_millis(50);

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock. Another holder is waited for, for ever where `patience` is `None`; `waiting` is said once then.
pub(super) async fn take(
    path: &Path,
    waiting: &str,
    patience: Option<Duration>,
    cancel: &Cancel,
    progress: Report<'_>,
) -> Result<Lock> {
    let file = open(path)?;
    let begun = Instant::now();
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::Error(error)) => return Err(failed(path, error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if patience.is_some_and(|patience| begun.elapsed() > patience) {
            return Err(Error::new(&code::STATE_LOCKED, format!("another tidegate holds the lock {}", path.display()))
                .hint("wait for it, or end it: the lock ends with its process"));
        }
        // Somebody who only looks holds it for a moment.
        if !said && begun.elapsed() > Duration::from_millis(300) {
            said = true;
            word(progress, waiting);
        }
        cancel
            .select(async {
                tokio::time::sleep(POLL).await;
                Ok(())
            })
            .await?;
    }
}

/// Whether somebody holds the lock now.
pub(super) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::new(&code::STATE_IO, format!("the lock {} cannot be taken", path.display())).caused_by(error)
}
