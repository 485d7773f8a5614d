//! Cancellation: one flag that a script's progress callback reads and every host wait selects on.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use super::{Error, Result, code};

/// Asks a run to stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
}

impl Cancel {
    /// Raises the flag; it is never lowered.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Whether the flag is up. Cheap enough to ask on every script operation.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Ends when the flag goes up.
    pub async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// The future's result, or `cancelled` as soon as the flag is up; the future is dropped then.
    ///
    /// # Errors
    /// `cancelled`, or the future's own error.
    pub async fn select<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(Error::new(&code::CANCELLED, "cancelled")),
            result = future => result,
        }
    }
}
