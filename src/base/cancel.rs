//! Cancellation: one flag that a script's progress callback reads and every host wait selects on.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::{Error, Result, code};

/// Asks a run to stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<Flag>,
}

#[derive(Debug, Default)]
struct Flag {
    raised: AtomicBool,
    changed: Notify,
}

impl Cancel {
    /// Raises the flag.
    pub fn cancel(&self) {
        self.flag.raised.store(true, Ordering::Release);
        self.flag.changed.notify_waiters();
    }

    /// Lowers the flag: in a shell, a Ctrl-C ends one input and not the next ones.
    pub fn lower(&self) {
        self.flag.raised.store(false, Ordering::Release);
    }

    /// Whether the flag is up. Cheap enough to ask on every script operation.
    pub fn is_cancelled(&self) -> bool {
        self.flag.raised.load(Ordering::Acquire)
    }

    /// Ends when the flag goes up.
    pub async fn cancelled(&self) {
        let mut changed = pin!(self.flag.changed.notified());
        // Listens before it looks: a flag that goes up between the two is not missed.
        changed.as_mut().enable();
        if !self.is_cancelled() {
            changed.await;
        }
    }

    /// The future's result, or `cancelled` as soon as the flag is up; the future is dropped then.
    ///
    /// # Errors
    /// `cancelled`, or the future's own error.
    pub async fn select<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(Error::new(&code::CANCELLED, "cancelled")),
            result = future => result,
        }
    }
}
