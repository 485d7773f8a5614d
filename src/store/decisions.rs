//! Decisions of a job's fate, with the runs that made them: whoever is resumed must not undo a newer one.

use rusqlite::{OptionalExtension, Transaction, params};

use super::open::{Durability, Store};
use super::runs::{check_epoch, sql};
use crate::base::{Result, clock};
use crate::model::run::Run;

/// The event of a decision that is taken back.
const WITHDRAWN: &str = "desire withdrawn";

/// What a run decided of a job.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The run.
    pub run: i64,
    /// The event that tells of it: `desired`, `submitting`, `adopted` or `stopping`.
    pub kind: String,
    /// The attempt that it made, or was about.
    pub attempt: Option<u32>,
    /// What it desires of the job; none where it has begun to end it, and not said what is to follow.
    pub desired: Option<String>,
}

impl Store {
    /// Records that a job should be `running`, `stopped` or `absent`, and which run asked for it.
    ///
    /// # Errors
    /// `state.*`.
    pub fn set_desired(&self, run: &Run, job: i64, desired: &str) -> Result<()> {
        self.change_desired(run, job, desired, "desired")
    }

    /// Takes back what a run asked for, since it could not be done: it counts as never decided.
    ///
    /// # Errors
    /// `state.*`.
    pub fn withdraw_desired(&self, run: &Run, job: i64, before: &str) -> Result<()> {
        self.change_desired(run, job, before, WITHDRAWN)
    }

    /// Only the process that holds the run decides, and takes back only what is still the newest decision.
    fn change_desired(&self, run: &Run, job: i64, desired: &str, event: &str) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            if event == WITHDRAWN && newest_by(transaction, job)? != Some(run.id) {
                return Ok(());
            }
            transaction
                .execute(
                    "UPDATE job_rows SET desired = ?2, updated_at = ?3 WHERE id = ?1",
                    params![job, desired, clock::now()],
                )
                .map_err(sql)?;
            record(transaction, job, run.id, event, desired)
        })
    }

    /// Records that a run wants a job as it is, where an older run that is not over could want it otherwise.
    ///
    /// # Errors
    /// `state.*`.
    pub fn reaffirm(&self, run: &Run, job: i64, desired: &str) -> Result<()> {
        let older: Option<i64> = self.read(|connection| {
            connection
                .prepare_cached("SELECT id FROM run_rows WHERE id < ?1 AND status IN ('running', 'waiting') LIMIT 1")?
                .query_row([run.id], |row| row.get(0))
                .optional()
        })?;
        if older.is_none() {
            return Ok(());
        }
        self.write(Durability::Full, |transaction| record(transaction, job, run.id, "desired", desired))
    }

    /// The newest decision that another run made of a job after a moment. The end of an upgrade that is not over is one, too.
    ///
    /// # Errors
    /// `state.*`.
    pub fn decided_since(&self, job: i64, moment: i64, own: i64) -> Result<Option<Decision>> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT run, kind, attempt, CASE kind WHEN 'desired' THEN json_extract(data, '$.desired')
                                                WHEN 'stopping' THEN NULL ELSE 'running' END
                     FROM event_rows AS e
                     WHERE job = ?1 AND at > ?2 AND run <> ?3
                       AND (kind IN ('desired', 'submitting', 'adopted')
                            OR kind = 'stopping' AND EXISTS
                              (SELECT 1 FROM run_rows AS r WHERE r.id = e.run AND r.status IN ('running', 'waiting')))
                       AND NOT EXISTS
                         (SELECT 1 FROM event_rows AS w
                          WHERE w.job = e.job AND w.run = e.run AND w.id > e.id AND w.kind = 'desire withdrawn')
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![job, moment, own], |row| {
                    Ok(Decision { run: row.get(0)?, kind: row.get(1)?, attempt: row.get(2)?, desired: row.get(3)? })
                })
                .optional()
        })
    }
}

/// The run that made the newest decision of a job.
fn newest_by(transaction: &Transaction<'_>, job: i64) -> Result<Option<i64>> {
    transaction
        .prepare_cached(
            "SELECT run FROM event_rows WHERE job = ?1 AND kind IN ('desired', 'submitting', 'adopted', 'stopping')
             ORDER BY id DESC LIMIT 1",
        )
        .and_then(|mut statement| statement.query_row([job], |row| row.get(0)).optional())
        .map(Option::flatten)
        .map_err(sql)
}

/// Adds the event of a decision in a transaction that carries it out.
pub(super) fn record(transaction: &Transaction<'_>, job: i64, run: i64, event: &str, desired: &str) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO event_rows (at, job, attempt, run, kind, data)
             VALUES (?1, ?2, (SELECT max(number) FROM attempt_rows WHERE job = ?2), ?3, ?4, ?5)",
            params![clock::now(), job, run, event, serde_json::json!({ "desired": desired }).to_string()],
        )
        .map_err(sql)?;
    Ok(())
}
