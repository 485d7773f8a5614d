//! Revisions: what was desired of a job, one after the other. Rows are never changed nor removed.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::open::Store;
use super::runs::sql;
use crate::base::Result;
use crate::model::attempt::StepKey;
use crate::model::revision::{Revision, RevisionKind, changed_secrets};

impl Store {
    /// The revisions of a job, oldest first.
    ///
    /// # Errors
    /// `state.*`.
    pub fn revisions(&self, job: i64) -> Result<Vec<Revision>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE job = ?1 ORDER BY number"))?;
            let rows = statement.query_map([job], from_row)?;
            rows.collect()
        })
    }

    /// The number of the newest revision of a job; 0 where there is none.
    ///
    /// # Errors
    /// `state.*`.
    pub fn newest_revision(&self, job: i64) -> Result<u32> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT ifnull(max(number), 0) FROM revision_rows WHERE job = ?1")?
                .query_row([job], |row| row.get(0))
        })
    }

    /// One revision of a job.
    ///
    /// # Errors
    /// `state.*`.
    pub fn revision(&self, job: i64, number: u32) -> Result<Option<Revision>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{SELECT} WHERE job = ?1 AND number = ?2"))?
                .query_row(params![job, number], from_row)
                .optional()
        })
    }

    /// The script line whose step made a revision: `deploy.rhai:12`; none where it was no step of a script.
    ///
    /// # Errors
    /// `state.*`.
    pub fn place_of_step(&self, step: &StepKey) -> Result<Option<(String, u32)>> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT file, line FROM step_rows WHERE run = ?1 AND path = ?2 AND sequence = ?3")?
                .query_row(params![step.run, step.path, step.sequence], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
    }
}

/// Records a revision where it differs from the newest one, and gives the number of the one that holds now.
pub(super) fn record(transaction: &Transaction<'_>, job: i64, revision: &Revision) -> Result<u32> {
    let newest = transaction
        .prepare_cached(&format!("{SELECT} WHERE job = ?1 ORDER BY number DESC LIMIT 1"))
        .and_then(|mut statement| statement.query_row([job], from_row).optional())
        .map_err(sql)?;
    if let Some(newest) = &newest
        && newest.spec == revision.spec
        && changed_secrets(&newest.secrets, &revision.secrets).is_empty()
    {
        return Ok(newest.number);
    }
    let number = newest.map_or(0, |newest| newest.number) + 1;
    let secrets = serde_json::json!(revision.secrets).to_string();
    transaction
        .execute(
            "INSERT INTO revision_rows (job, number, kind, origin, spec, spec_hash, secrets, run, path, sequence, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                job,
                number,
                revision.kind.name(),
                revision.origin,
                revision.spec,
                revision.spec_hash,
                secrets,
                revision.step.run,
                revision.step.path,
                revision.step.sequence,
                revision.created_at
            ],
        )
        .map_err(sql)?;
    Ok(number)
}

const SELECT: &str =
    "SELECT job, number, kind, origin, spec, spec_hash, secrets, run, path, sequence, created_at FROM revision_rows";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Revision> {
    Ok(Revision {
        job: row.get(0)?,
        number: row.get(1)?,
        kind: RevisionKind::from_name(&row.get::<_, String>(2)?).unwrap_or(RevisionKind::Deploy),
        origin: row.get(3)?,
        spec: row.get(4)?,
        spec_hash: row.get(5)?,
        // Without them no secret is known to have changed, which is what a damaged row can say at most.
        secrets: serde_json::from_str(&row.get::<_, String>(6)?).unwrap_or_default(),
        step: StepKey { run: row.get(7)?, path: row.get(8)?, sequence: row.get(9)? },
        created_at: row.get(10)?,
    })
}
