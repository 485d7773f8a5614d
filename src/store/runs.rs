//! Runs, and the inputs they pinned.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::open::{Durability, Store};
use crate::base::hash::sha256;
use crate::base::{Error, Result, clock, code};
use crate::model::run::{Run, RunStatus};

/// A failure inside a transaction, before its path is known.
pub(super) fn sql(error: rusqlite::Error) -> Error {
    super::open::failed(std::path::Path::new("state.db"), &error)
}

impl Store {
    /// Records a new run and returns it.
    ///
    /// # Errors
    /// `state.*`.
    pub fn begin_run(&self, script: &str, environment: &str, parameters: &str) -> Result<Run> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "INSERT INTO run_rows (script, environment, parameters, status, epoch, process, version, started_at)
                     VALUES (?1, ?2, ?3, 'running', 1, ?4, ?5, ?6)",
                    params![script, environment, parameters, std::process::id(), env!("CARGO_PKG_VERSION"), clock::now()],
                )
                .map_err(sql)?;
            let id = transaction.last_insert_rowid();
            find(transaction, id)?.ok_or_else(|| not_found(id))
        })
    }

    /// Takes over an open run: from now on commits under the older epoch are refused.
    ///
    /// # Errors
    /// `run.not_found`, `run.not_open`, `state.*`.
    pub fn take_over_run(&self, id: i64) -> Result<Run> {
        self.write(Durability::Full, |transaction| {
            let run = find(transaction, id)?.ok_or_else(|| not_found(id))?;
            if !run.status.is_open() {
                return Err(not_open(&run));
            }
            transaction
                .execute(
                    "UPDATE run_rows SET epoch = epoch + 1, process = ?2, status = 'running', error = NULL WHERE id = ?1",
                    params![id, std::process::id()],
                )
                .map_err(sql)?;
            find(transaction, id)?.ok_or_else(|| not_found(id))
        })
    }

    /// Records how a run ended, or that it waits.
    ///
    /// # Errors
    /// `run.superseded` where another process has taken it over, `state.*`.
    pub fn end_run(&self, run: &Run, status: RunStatus, error: Option<&str>) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            let ended_at = (!status.is_open()).then(clock::now);
            transaction
                .execute(
                    "UPDATE run_rows SET status = ?2, ended_at = ?3, error = ?4 WHERE id = ?1",
                    params![run.id, status.name(), ended_at, error],
                )
                .map_err(sql)?;
            Ok(())
        })
    }

    /// The run of this number.
    ///
    /// # Errors
    /// `run.not_found`, `state.*`.
    pub fn run(&self, id: i64) -> Result<Run> {
        self.read(|connection| connection.query_row(&format!("{SELECT} WHERE id = ?1"), [id], from_row).optional())?
            .ok_or_else(|| not_found(id))
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// `state.*`.
    pub fn runs(&self, limit: usize) -> Result<Vec<Run>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY id DESC LIMIT ?1"))?;
            let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], from_row)?;
            rows.collect()
        })
    }

    /// The input that a run pinned.
    ///
    /// # Errors
    /// `state.*`.
    pub fn pinned(&self, run: i64, kind: &str, name: &str) -> Result<Option<Vec<u8>>> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT c.bytes FROM input_rows i JOIN content_rows c ON c.hash = i.hash
                     WHERE i.run = ?1 AND i.kind = ?2 AND i.name = ?3",
                )?
                .query_row(params![run, kind, name], |row| row.get(0))
                .optional()
        })
    }

    /// Pins inputs of a run in one commit; the bytes are kept once for each content. A name that is pinned already
    /// keeps what it has.
    ///
    /// # Errors
    /// `state.*`.
    pub fn pin(&self, run: i64, kind: &str, inputs: &[(&str, &[u8])]) -> Result<()> {
        self.write(Durability::Normal, |transaction| {
            for (name, bytes) in inputs {
                let hash = sha256(bytes);
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO content_rows (hash, bytes) VALUES (?1, ?2)")
                    .and_then(|mut statement| statement.execute(params![hash, bytes]))
                    .map_err(sql)?;
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO input_rows (run, kind, name, hash) VALUES (?1, ?2, ?3, ?4)")
                    .and_then(|mut statement| statement.execute(params![run, kind, name, hash]))
                    .map_err(sql)?;
            }
            Ok(())
        })
    }
}

const SELECT: &str = "SELECT id, script, environment, parameters, status, epoch, process, version, started_at, ended_at, error FROM run_rows";

fn find(transaction: &Transaction<'_>, id: i64) -> Result<Option<Run>> {
    transaction.query_row(&format!("{SELECT} WHERE id = ?1"), [id], from_row).optional().map_err(sql)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get(0)?,
        script: row.get(1)?,
        environment: row.get(2)?,
        parameters: row.get(3)?,
        status: RunStatus::from_name(&row.get::<_, String>(4)?).unwrap_or(RunStatus::Failed),
        epoch: row.get(5)?,
        process: row.get(6)?,
        version: row.get(7)?,
        started_at: row.get(8)?,
        ended_at: row.get(9)?,
        error: row.get(10)?,
    })
}

/// Refuses to go on where another process has taken over the run.
pub(super) fn check_epoch(transaction: &Transaction<'_>, run: &Run) -> Result<()> {
    let epoch: Option<i64> = transaction
        .prepare_cached("SELECT epoch FROM run_rows WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([run.id], |row| row.get(0)).optional())
        .map_err(sql)?;
    if epoch == Some(run.epoch) {
        return Ok(());
    }
    Err(Error::new(&code::RUN_SUPERSEDED, format!("another process has taken over run r{}", run.id))
        .hint(format!("`tidegate runs show r{}` tells how it ended", run.id)))
}

fn not_found(id: i64) -> Error {
    Error::new(&code::RUN_NOT_FOUND, format!("there is no run r{id}")).hint("`tidegate runs` lists them")
}

/// The error for a run that has ended already.
pub(super) fn not_open(run: &Run) -> Error {
    Error::new(
        &code::RUN_NOT_OPEN,
        format!("run r{} is {}: there is nothing left to do in it", run.id, run.status.name()),
    )
    .hint(format!("run `{}` again: it first settles what an earlier run left open", run.script))
}
