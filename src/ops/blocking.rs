//! Work that blocks, awaited: on a thread of its own, which is told when nobody waits any more.

use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code};

/// Raises the flag when nobody waits any more.
struct Waited(Cancel);

impl Drop for Waited {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `work` on a thread; where this future is dropped, the flag that it was given goes up. A thread that does not look at it
/// ends with the process: no pool waits for it.
///
/// # Errors
/// What the work gives; `internal` where it panicked.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce(&Cancel) -> Result<T> + Send + 'static) -> Result<T> {
    let (done, answer) = tokio::sync::oneshot::channel();
    let cancel = Cancel::default();
    let _waited = Waited(cancel.clone());
    std::thread::spawn(move || {
        // Nobody listens where it was given up.
        let _ = done.send(work(&cancel));
    });
    answer.await.map_err(|_| Error::new(&code::INTERNAL, "a thread ended without an answer"))?
}
