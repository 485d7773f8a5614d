//! Who a job is, and the Flink job ids of its attempts.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::hash::hex;

/// A job is (workspace name, environment, job name).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// `name:` of the workspace.
    pub workspace: String,
    /// The environment's name.
    pub environment: String,
    /// The job's name, Flink's `pipeline.name` too.
    pub job: String,
}

impl Identity {
    /// The first 8 bytes of every Flink job id of this job, as 16 hexadecimal digits.
    ///
    /// One look at a cluster's job list so shows every execution of a job, twins and orphans included.
    pub fn prefix(&self) -> String {
        let mut hasher = Sha256::new();
        for part in [&self.workspace, &self.environment, &self.job] {
            // The length keeps ("a", "bc") and ("ab", "c") apart.
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        hex(&hasher.finalize()[..8])
    }

    /// The Flink job id of an attempt: the prefix, the attempt's number and the state file's salt.
    ///
    /// The salt is drawn once for each `state.db`. Without it a lost state file would count from 1 again, and a
    /// JobManager that has forgotten an old attempt, but not that its id is burnt, would answer "duplicate" to a job
    /// that never ran.
    pub fn flink_job_id(&self, attempt: u32, salt: u32) -> String {
        format!("{}{attempt:08x}{salt:08x}", self.prefix())
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}/{}", self.workspace, self.environment, self.job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(workspace: &str, environment: &str, job: &str) -> Identity {
        Identity { workspace: workspace.into(), environment: environment.into(), job: job.into() }
    }

    #[test]
    fn ids_are_flink_job_ids_and_share_the_prefix() {
        let orders = identity("shop", "prod", "orders");
        let id = orders.flink_job_id(3, 0xdead_beef);
        assert_eq!(id.len(), 32);
        assert!(id.starts_with(&orders.prefix()));
        assert!(id.ends_with("00000003deadbeef"));
        assert_ne!(id, orders.flink_job_id(3, 1));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(identity("a", "bc", "d").prefix(), identity("ab", "c", "d").prefix());
        // Kept for ever: a changed hash would make every running job a stranger.
        assert_eq!(identity("shop", "prod", "orders").prefix(), identity("shop", "prod", "orders").prefix());
    }
}
