//! Where executions of jobs were sent: what of an attempt tells it on a cluster's list of jobs.

use super::Store;
use crate::base::Result;

/// One execution that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The job's row.
    pub job: i64,
    /// The number of the attempt.
    pub attempt: u32,
    /// The Flink job id.
    pub flink_id: String,
    /// The cluster's name in `tidegate.yaml`.
    pub cluster: String,
    /// Whether its end is recorded, or that it never began.
    pub is_over: bool,
}

impl Store {
    /// Every execution of every job that this state knows.
    ///
    /// # Errors
    /// `state.*`.
    pub fn executions(&self) -> Result<Vec<Execution>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT job, number, flink_id, cluster, end_state IS NOT NULL OR submission = 'refused' FROM attempt_rows
                 ORDER BY job, number",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(Execution {
                    job: row.get(0)?,
                    attempt: row.get(1)?,
                    flink_id: row.get(2)?,
                    cluster: row.get(3)?,
                    is_over: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }
}
