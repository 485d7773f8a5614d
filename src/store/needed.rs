//! What is recorded of the artifacts that somebody may still start a job from.

use super::open::Store;
use crate::base::Result;

/// A spec that is recorded, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedSpec {
    /// The environment of its job.
    pub environment: String,
    /// Its job.
    pub job: String,
    /// The revision or the attempt that has it.
    pub of: String,
    /// The spec as JSON.
    pub spec: String,
}

/// An input that a run pinned, which is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInput {
    /// The run.
    pub run: i64,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Store {
    /// The specs of all revisions and attempts, and those that jobs have now.
    ///
    /// # Errors
    /// `state.*`.
    pub fn recorded_specs(&self) -> Result<Vec<RecordedSpec>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT j.environment, j.name, 'revision ' || r.number, r.spec FROM revision_rows r JOIN job_rows j ON j.id = r.job
                 UNION ALL
                 SELECT j.environment, j.name, 'attempt ' || a.number, a.spec FROM attempt_rows a JOIN job_rows j ON j.id = a.job
                 UNION ALL
                 SELECT environment, name, 'now', spec FROM job_rows",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(RecordedSpec { environment: row.get(0)?, job: row.get(1)?, of: row.get(2)?, spec: row.get(3)? })
            })?;
            rows.collect()
        })
    }

    /// The inputs of a kind that open runs have pinned: a run that is resumed takes them again.
    ///
    /// # Errors
    /// `state.*`.
    pub fn open_inputs(&self, kind: &str) -> Result<Vec<OpenInput>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT i.run, i.name, c.bytes FROM input_rows i JOIN content_rows c ON c.hash = i.hash JOIN run_rows r ON r.id = i.run
                 WHERE i.kind = ?1 AND r.ended_at IS NULL",
            )?;
            let rows = statement.query_map([kind], |row| {
                Ok(OpenInput { run: row.get(0)?, name: row.get(1)?, bytes: row.get(2)? })
            })?;
            rows.collect()
        })
    }
}
