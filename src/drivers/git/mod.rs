//! Git repositories through libgit2: a bare mirror for each URL, and folders checked out of it. Everything here blocks; it
//! looks at [`Access::cancel`] whenever something comes.

mod answers;
mod checkout;
mod failures;
mod host_key;
mod lfs;
mod mirror;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

pub use checkout::{Part, Submodule, check_out, submodules};
pub use lfs::{is_pointer, pointers};
pub use mirror::Mirror;

use crate::base::cancel::Cancel;
use crate::model::git_address::Address;

/// Who asks, with every secret resolved: made right before it is sent, and not kept.
#[derive(Clone, Default)]
pub struct Login {
    /// The user, where one was given.
    pub user: Option<String>,
    /// What proves it.
    pub proof: Proof,
}

/// What proves who asks.
#[derive(Clone, Default)]
pub enum Proof {
    /// Nothing was given.
    #[default]
    Nothing,
    /// A password.
    Password(String),
    /// A token.
    Token(String),
    /// An SSH key, in the text of its file.
    Key {
        /// The text.
        text: String,
        /// Its passphrase.
        passphrase: Option<String>,
    },
    /// The SSH agent.
    Agent,
}

/// The way to one repository.
#[derive(Clone)]
pub struct Access {
    /// Where it is.
    pub address: Address,
    /// Who asks.
    pub login: Login,
    /// The only key that its SSH server may show.
    pub host_key: Option<String>,
    /// Raised where nobody waits for it any more.
    pub cancel: Cancel,
    /// What came so far.
    pub progress: Arc<Progress>,
}

/// How a transfer goes, for whoever waits for it.
pub struct Progress {
    began: OnceLock<Instant>,
    /// Milliseconds since it began, when something came last.
    heard: AtomicU64,
    received: AtomicU64,
    total: AtomicU64,
    bytes: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        let began = OnceLock::from(Instant::now());
        Self {
            began,
            heard: AtomicU64::new(0),
            received: AtomicU64::new(0),
            total: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }
}

impl Progress {
    fn age(&self) -> u64 {
        let began = self.began.get_or_init(Instant::now);
        u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Something came.
    pub fn hear(&self) {
        self.heard.store(self.age(), Ordering::Relaxed);
    }

    fn count(&self, received: usize, total: usize, bytes: usize) {
        self.hear();
        self.received.store(received as u64, Ordering::Relaxed);
        self.total.store(total as u64, Ordering::Relaxed);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// For how long nothing came, in milliseconds.
    pub fn silent_for(&self) -> u64 {
        self.age().saturating_sub(self.heard.load(Ordering::Relaxed))
    }

    /// Objects that came, objects in all, and bytes; none before anything came.
    pub fn counts(&self) -> Option<(u64, u64, u64)> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.received.load(Ordering::Relaxed), total, self.bytes.load(Ordering::Relaxed)))
    }
}
