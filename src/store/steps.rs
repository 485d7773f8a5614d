//! The journal: intents before, results after.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::open::{Durability, Store};
use super::runs::{check_epoch, sql};
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::StepKey;
use crate::model::run::{Intent, Run, Step, StepStatus, number};

impl Store {
    /// Records an intent.
    ///
    /// # Errors
    /// `run.superseded` where another process has taken the run, or already made this step; `state.*`.
    pub fn begin_step(&self, run: &Run, key: &StepKey, intent: &Intent<'_>) -> Result<()> {
        let durability = if intent.class.is_effect() { Durability::Full } else { Durability::Normal };
        self.write(durability, |transaction| {
            check_epoch(transaction, run)?;
            if insert(transaction, key, intent, StepStatus::Open, None, clock::now())? {
                return Ok(());
            }
            Err(made_by_another(key))
        })
    }

    /// Records a result, or an error where `status` says so.
    ///
    /// # Errors
    /// `run.superseded`, `state.*`.
    pub fn end_step(
        &self,
        run: &Run,
        key: &StepKey,
        durability: Durability,
        status: StepStatus,
        outcome: &str,
    ) -> Result<()> {
        self.write(durability, |transaction| {
            check_epoch(transaction, run)?;
            transaction
                .prepare_cached(
                    "UPDATE step_rows SET status = ?4, outcome = ?5, ended_at = ?6
                     WHERE run = ?1 AND path = ?2 AND sequence = ?3 AND status = 'open'",
                )
                .and_then(|mut statement| {
                    statement.execute(params![key.run, key.path, key.sequence, status.name(), outcome, clock::now()])
                })
                .map_err(sql)?;
            Ok(())
        })
    }

    /// Records a read together with its result: one commit, since an open one would run again anyway.
    ///
    /// # Errors
    /// `run.superseded`, `state.*`.
    pub fn record_step(
        &self,
        run: &Run,
        key: &StepKey,
        intent: &Intent<'_>,
        status: StepStatus,
        outcome: &str,
        started_at: i64,
    ) -> Result<()> {
        self.write(Durability::Normal, |transaction| {
            check_epoch(transaction, run)?;
            if insert(transaction, key, intent, status, Some(outcome), started_at)? {
                return Ok(());
            }
            Err(made_by_another(key))
        })
    }

    /// Forgets a step that is open, since somebody said that it never happened, or may happen again.
    ///
    /// # Errors
    /// `run.superseded`, `state.*`.
    pub fn forget_step(&self, run: &Run, key: &StepKey) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            transaction
                .execute(
                    "DELETE FROM step_rows WHERE run = ?1 AND path = ?2 AND sequence = ?3 AND status = 'open'",
                    params![key.run, key.path, key.sequence],
                )
                .map_err(sql)?;
            Ok(())
        })
    }

    /// All steps of a run, in journal order.
    ///
    /// # Errors
    /// `state.*`.
    pub fn steps(&self, run: i64) -> Result<Vec<Step>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached(&format!("{SELECT} WHERE run = ?1 ORDER BY path, sequence"))?;
            let rows = statement.query_map([run], from_row)?;
            rows.collect()
        })
    }

    /// The newest step of the run of `own`, beside `own`, that deployed a job or is about to.
    ///
    /// # Errors
    /// `state.*`.
    pub fn last_deploy(&self, own: &StepKey, environment: &str, name: &str) -> Result<Option<Step>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!(
                    "{SELECT} WHERE run = ?1 AND NOT (path = ?2 AND sequence = ?3)
                       AND function = 'spec.deploy' AND status IN ('done', 'open')
                       AND json_extract(arguments, '$[0].name') = ?5 AND json_extract(arguments, '$[0].environment') = ?4
                     ORDER BY started_at DESC, path DESC, sequence DESC LIMIT 1"
                ))?
                .query_row(params![own.run, own.path, own.sequence, environment, name], from_row)
                .optional()
        })
    }

    /// One step of a run.
    ///
    /// # Errors
    /// `state.*`.
    pub fn step(&self, key: &StepKey) -> Result<Option<Step>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{SELECT} WHERE run = ?1 AND path = ?2 AND sequence = ?3"))?
                .query_row(params![key.run, key.path, key.sequence], from_row)
                .optional()
        })
    }
}

/// Adds a row; `false` where the step is there already.
fn insert(
    transaction: &Transaction<'_>,
    key: &StepKey,
    intent: &Intent<'_>,
    status: StepStatus,
    outcome: Option<&str>,
    started_at: i64,
) -> Result<bool> {
    let ended_at = outcome.map(|_| clock::now());
    let inserted = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO step_rows
             (run, path, sequence, function, class, arguments_hash, arguments, file, line, col, status, outcome, started_at, ended_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                key.run,
                key.path,
                key.sequence,
                intent.function,
                intent.class.name(),
                intent.arguments_hash,
                intent.arguments,
                intent.file,
                intent.line,
                intent.column,
                status.name(),
                outcome,
                started_at,
                ended_at
            ])
        })
        .map_err(sql)?;
    Ok(inserted == 1)
}

fn made_by_another(key: &StepKey) -> Error {
    let step = number(&key.path, key.sequence);
    Error::new(&code::RUN_SUPERSEDED, format!("another process made step {step} of run r{}", key.run))
}

const SELECT: &str = "SELECT run, path, sequence, function, class, arguments_hash, arguments, file, line, col, status, outcome, started_at, ended_at FROM step_rows";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Step> {
    Ok(Step {
        key: StepKey { run: row.get(0)?, path: row.get(1)?, sequence: row.get(2)? },
        function: row.get(3)?,
        class: row.get(4)?,
        arguments_hash: row.get(5)?,
        arguments: row.get(6)?,
        file: row.get(7)?,
        line: row.get(8)?,
        column: row.get(9)?,
        status: StepStatus::from_name(&row.get::<_, String>(10)?).unwrap_or(StepStatus::Open),
        outcome: row.get(11)?,
        started_at: row.get(12)?,
        ended_at: row.get(13)?,
    })
}
