//! The state ledger: every savepoint that was asked for. Rows are never removed.

use rusqlite::{OptionalExtension, Row, params};

use super::jobs::add_event;
use super::open::{Durability, Store};
use super::runs::{check_epoch, sql};
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::Attempt;
use crate::model::run::Run;
use crate::model::snapshot::{Snapshot, SnapshotKind, SnapshotStatus};

impl Store {
    /// Records the intent to ask for a savepoint; for a stop also who asks for the job's end. Gives it with its row.
    ///
    /// # Errors
    /// `run.superseded` where another process took over the run; `state.*`.
    pub fn begin_snapshot(&self, run: &Run, mut snapshot: Snapshot, by: &str) -> Result<Snapshot> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            let is_asked: bool = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM snapshot_rows WHERE trigger_id = ?1)")
                .and_then(|mut statement| statement.query_row([&snapshot.trigger_id], |row| row.get(0)))
                .map_err(sql)?;
            if is_asked {
                let message = "another process has asked for this savepoint while this one was stopped or slow";
                return Err(Error::new(&code::RUN_SUPERSEDED, message));
            }
            transaction
                .execute(
                    "INSERT INTO snapshot_rows (job, attempt, kind, trigger_id, target, incarnation, status, run, created_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8)",
                    params![
                        snapshot.job,
                        snapshot.attempt,
                        snapshot.kind.name(),
                        snapshot.trigger_id,
                        snapshot.target,
                        snapshot.incarnation,
                        run.id,
                        snapshot.created_at
                    ],
                )
                .map_err(sql)?;
            snapshot.id = transaction.last_insert_rowid();
            let event = if snapshot.kind == SnapshotKind::Stop {
                transaction
                    .execute(
                        "UPDATE attempt_rows SET end_asked_by = ifnull(end_asked_by, ?3) WHERE job = ?1 AND number = ?2",
                        params![snapshot.job, snapshot.attempt, by],
                    )
                    .map_err(sql)?;
                "stopping"
            } else {
                "savepoint"
            };
            let data = serde_json::json!({ "by": by, "trigger": snapshot.trigger_id }).to_string();
            add_event(transaction, snapshot.job, snapshot.attempt, Some(run.id), event, &data)?;
            Ok(snapshot)
        })
    }

    /// Records what came of a savepoint that was asked for, once. A whole one is the attempt's newest state.
    ///
    /// # Errors
    /// `state.*`.
    pub fn settle_snapshot(
        &self,
        snapshot: &Snapshot,
        status: SnapshotStatus,
        path: Option<&str>,
        error: Option<&str>,
    ) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            let completed = (status == SnapshotStatus::Completed).then(clock::now);
            // Somebody may have seen it as the newest state of the job before it was known to be ours: one row of both.
            transaction
                .execute(
                    "DELETE FROM snapshot_rows WHERE job = ?1 AND path = ?2 AND trigger_id IS NULL",
                    params![snapshot.job, path],
                )
                .map_err(sql)?;
            let changed = transaction
                .execute(
                    "UPDATE snapshot_rows SET status = ?2, path = ?3, completed_at = ?4, error = ?5
                     WHERE id = ?1 AND status = 'open'",
                    params![snapshot.id, status.name(), path, completed, error],
                )
                .map_err(sql)?;
            if changed == 0 {
                return Ok(());
            }
            if path.is_some() {
                transaction
                    .execute(
                        "UPDATE attempt_rows SET checkpoint = ?3 WHERE job = ?1 AND number = ?2 AND end_state IS NULL",
                        params![snapshot.job, snapshot.attempt, path],
                    )
                    .map_err(sql)?;
            }
            if status != SnapshotStatus::Completed && snapshot.kind == SnapshotKind::Stop {
                // The stop came to nothing: nobody of us ends this attempt any more.
                transaction
                    .execute(
                        "UPDATE attempt_rows SET end_asked_by = NULL WHERE job = ?1 AND number = ?2 AND end_state IS NULL",
                        params![snapshot.job, snapshot.attempt],
                    )
                    .map_err(sql)?;
            }
            let data = serde_json::json!({ "path": path, "error": error }).to_string();
            let event = format!("savepoint {}", status.name());
            add_event(transaction, snapshot.job, snapshot.attempt, snapshot.run, &event, &data)
        })
    }

    /// Records that a savepoint whose answer was lost is there, and whole. A stop that nobody heard of is no end: it is a savepoint
    /// after which the job may have gone on.
    ///
    /// # Errors
    /// `state.*`.
    pub fn find_snapshot(&self, lost: &Snapshot, path: &str, written: i64) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "DELETE FROM snapshot_rows WHERE job = ?1 AND path = ?2 AND trigger_id IS NULL",
                    params![lost.job, path],
                )
                .map_err(sql)?;
            transaction
                .execute(
                    "UPDATE snapshot_rows SET status = 'completed', kind = 'savepoint', path = ?2, completed_at = ?3, error = NULL
                     WHERE id = ?1 AND status = 'lost'",
                    params![lost.id, path, written],
                )
                .map_err(sql)?;
            let data = serde_json::json!({ "path": path }).to_string();
            add_event(transaction, lost.job, lost.attempt, lost.run, "savepoint found", &data)
        })
    }

    /// Records that a savepoint was deleted.
    ///
    /// # Errors
    /// `state.*`.
    pub fn dispose_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute("UPDATE snapshot_rows SET status = 'disposed' WHERE id = ?1", [snapshot.id])
                .map_err(sql)?;
            let data = serde_json::json!({ "path": snapshot.path }).to_string();
            add_event(transaction, snapshot.job, snapshot.attempt, None, "savepoint disposed", &data)
        })
    }

    /// The savepoint that was asked for under a trigger id.
    ///
    /// # Errors
    /// `state.*`.
    pub fn snapshot_of_trigger(&self, trigger: &str) -> Result<Option<Snapshot>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{SELECT} WHERE trigger_id = ?1"))?
                .query_row([trigger], from_row)
                .optional()
        })
    }

    /// Records a completed checkpoint that was seen. One that is recorded already stays as it is; older checkpoints of the
    /// attempt are subsumed by it.
    ///
    /// # Errors
    /// `state.*`.
    pub fn see_checkpoint(
        &self,
        attempt: &Attempt,
        checkpoint: u64,
        path: &str,
        triggered_at: Option<i64>,
        bytes: Option<u64>,
    ) -> Result<()> {
        let integer = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "INSERT INTO snapshot_rows (job, attempt, kind, incarnation, status, path, created_at, completed_at,
                       checkpoint, triggered_at, bytes)
                     VALUES (?1, ?2, 'checkpoint', ?3, 'completed', ?4, ?5, ?5, ?6, ?7, ?8)
                     ON CONFLICT (job, path) DO UPDATE SET checkpoint = ifnull(checkpoint, excluded.checkpoint),
                       triggered_at = ifnull(triggered_at, excluded.triggered_at), bytes = ifnull(bytes, excluded.bytes)",
                    params![
                        attempt.job,
                        attempt.number,
                        attempt.incarnation,
                        path,
                        clock::now(),
                        integer(checkpoint),
                        triggered_at,
                        bytes.map(integer)
                    ],
                )
                .map_err(sql)?;
            // A savepoint of somebody else has a number, too, and stays whatever Flink does with its own checkpoints.
            transaction
                .execute(
                    "UPDATE snapshot_rows SET status = 'subsumed' WHERE job = ?1 AND attempt = ?2 AND checkpoint < ?3
                       AND kind = 'checkpoint' AND status = 'completed' AND path LIKE '%/chk-%' AND ?4 LIKE '%/chk-%'",
                    params![attempt.job, attempt.number, integer(checkpoint), path],
                )
                .map_err(sql)?;
            Ok(())
        })
    }

    /// Records that the newest checkpoint of an attempt is one that Flink has deleted: nothing older is its state.
    ///
    /// # Errors
    /// `state.*`.
    pub fn lose_checkpoint(&self, attempt: &Attempt, checkpoint: u64, path: &str) -> Result<()> {
        self.see_checkpoint(attempt, checkpoint, path, None, None)?;
        self.change_seen(attempt, path, "status = 'lost'")
    }

    /// Records that a savepoint which was seen is the one that somebody stopped the job with. Where we asked for one and have no
    /// answer yet, that one may be it: its own row will say so.
    ///
    /// # Errors
    /// `state.*`.
    pub fn see_stop(&self, attempt: &Attempt, path: &str) -> Result<()> {
        let asked = self.snapshots_of(attempt.job, attempt.number)?;
        if asked.iter().any(|one| one.kind == SnapshotKind::Stop && one.status == SnapshotStatus::Open) {
            return Ok(());
        }
        self.change_seen(attempt, path, "kind = 'stop'")
    }

    fn change_seen(&self, attempt: &Attempt, path: &str, change: &str) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    &format!(
                        "UPDATE snapshot_rows SET {change} WHERE job = ?1 AND path = ?2 AND kind = 'checkpoint' AND status = 'completed'"
                    ),
                    params![attempt.job, path],
                )
                .map_err(sql)?;
            Ok(())
        })
    }

    /// The savepoints of an attempt that were asked for, and its checkpoints that were seen, oldest first.
    ///
    /// # Errors
    /// `state.*`.
    pub fn snapshots_of(&self, job: i64, attempt: u32) -> Result<Vec<Snapshot>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached(&format!("{SELECT} WHERE job = ?1 AND attempt = ?2 ORDER BY id"))?;
            let rows = statement.query_map(params![job, attempt], from_row)?;
            rows.collect()
        })
    }

    /// The savepoints of a job that were asked for, and its checkpoints that were seen, oldest first.
    ///
    /// # Errors
    /// `state.*`.
    pub fn snapshots(&self, job: i64) -> Result<Vec<Snapshot>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE job = ?1 ORDER BY id"))?;
            let rows = statement.query_map([job], from_row)?;
            rows.collect()
        })
    }

    /// The newest whole savepoint or checkpoint of a job that is recorded: by attempt, then by the time at which it was taken.
    ///
    /// # Errors
    /// `state.*`.
    pub fn newest_snapshot(&self, job: i64) -> Result<Option<Snapshot>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "{SELECT} WHERE job = ?1 AND status = 'completed' AND path IS NOT NULL
                     ORDER BY attempt DESC, ifnull(triggered_at, created_at) DESC, id DESC LIMIT 1"
                ))?
                .query_row([job], from_row)
                .optional()
        })
    }

    /// The savepoint that an attempt ended with, where we stopped it.
    ///
    /// # Errors
    /// `state.*`.
    pub fn final_savepoint(&self, job: i64, attempt: u32) -> Result<Option<String>> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT path FROM snapshot_rows WHERE job = ?1 AND attempt = ?2 AND kind = 'stop' AND status = 'completed'
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![job, attempt], |row| row.get(0))
                .optional()
        })
    }
}

const SELECT: &str = "SELECT id, job, attempt, kind, trigger_id, target, incarnation, status, path, run, created_at, \
                      completed_at, checkpoint, triggered_at, bytes FROM snapshot_rows";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        id: row.get(0)?,
        job: row.get(1)?,
        attempt: row.get(2)?,
        kind: SnapshotKind::from_name(&row.get::<_, String>(3)?).unwrap_or(SnapshotKind::Savepoint),
        trigger_id: row.get(4)?,
        target: row.get(5)?,
        incarnation: row.get(6)?,
        // An unknown word would be a newer schema, which open.rs refuses; the careful reading is "not settled".
        status: SnapshotStatus::from_name(&row.get::<_, String>(7)?).unwrap_or(SnapshotStatus::Open),
        path: row.get(8)?,
        run: row.get(9)?,
        created_at: row.get(10)?,
        completed_at: row.get(11)?,
        checkpoint: row.get::<_, Option<i64>>(12)?.map(i64::unsigned_abs),
        triggered_at: row.get(13)?,
        bytes: row.get::<_, Option<i64>>(14)?.map(i64::unsigned_abs),
    })
}
