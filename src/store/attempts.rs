//! Attempts: what was submitted, under which Flink job id, and what came of it.

use rusqlite::{OptionalExtension, Row, params};

use super::jobs::{add_event, set_desired};
use super::open::{Durability, Store};
use super::revisions;
use super::runs::{check_epoch, sql};
use crate::base::{Error, Result, clock, code};
use crate::model::attempt::{Attempt, StepKey, Submission};
use crate::model::identity::Identity;
use crate::model::revision::Revision;
use crate::model::run::Run;

/// The event of an attempt that was started without the state of some operators.
const LEFT_BEHIND: &str = "state left behind";

impl Store {
    /// Records the intent to submit, together with what is desired and its revision: the id is ours from here on, whatever
    /// happens to the request. One that is accepted already was started by somebody else, and is adopted. Gives the attempt
    /// with its job's row.
    ///
    /// `seen` is the number of the newest attempt that the decision was made upon.
    ///
    /// # Errors
    /// `run.superseded` where another process has made an attempt, or taken over the run, since; `state.*`.
    pub fn begin_attempt(
        &self,
        run: &Run,
        identity: &Identity,
        mut attempt: Attempt,
        revision: &Revision,
        seen: u32,
    ) -> Result<Attempt> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            attempt.job = set_desired(
                transaction,
                &identity.environment,
                &identity.job,
                &attempt.cluster,
                "running",
                &attempt.spec,
            )?;
            attempt.revision = revisions::record(transaction, attempt.job, revision)?;
            let newest: u32 = transaction
                .query_row("SELECT ifnull(max(number), 0) FROM attempt_rows WHERE job = ?1", [attempt.job], |row| {
                    row.get(0)
                })
                .map_err(sql)?;
            if newest != seen {
                return Err(Error::new(
                    &code::RUN_SUPERSEDED,
                    format!(
                        "another process made attempt {newest} of the job while this one prepared attempt {}",
                        attempt.number
                    ),
                ));
            }
            transaction
                .execute(
                    "INSERT INTO attempt_rows (job, number, flink_id, cluster, submission, incarnation, spec, spec_hash, jar,
                       restored_from, run, path, sequence, created_at, revision, allow_non_restored, verdict)
                     VALUES (?1, ?2, ?3, ?4, ?16, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?17)",
                    params![
                        attempt.job,
                        attempt.number,
                        attempt.flink_id,
                        attempt.cluster,
                        attempt.incarnation,
                        attempt.spec,
                        attempt.spec_hash,
                        attempt.jar,
                        attempt.restored_from,
                        attempt.step.run,
                        attempt.step.path,
                        attempt.step.sequence,
                        attempt.created_at,
                        attempt.revision,
                        attempt.allow_non_restored,
                        attempt.submission.name(),
                        attempt.verdict
                    ],
                )
                .map_err(sql)?;
            let event = if attempt.submission == Submission::Open { "submitting" } else { "adopted" };
            add_event(transaction, attempt.job, attempt.number, Some(run.id), event, "{}")?;
            Ok(attempt)
        })
    }

    /// Records what came of a submission. An attempt that is settled already keeps what it has.
    ///
    /// # Errors
    /// `state.*`.
    pub fn settle_attempt(&self, attempt: &Attempt, submission: Submission, error: Option<&str>) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            let changed = transaction
                .execute(
                    "UPDATE attempt_rows SET submission = ?3, answered_at = ?4, error = ?5,
                       verdict = CASE ?3 WHEN 'refused' THEN NULL ELSE verdict END
                     WHERE job = ?1 AND number = ?2 AND submission = 'open'",
                    params![attempt.job, attempt.number, submission.name(), clock::now(), error],
                )
                .map_err(sql)?;
            if changed == 1 {
                add_event(
                    transaction,
                    attempt.job,
                    attempt.number,
                    Some(attempt.step.run),
                    submission.name(),
                    error.unwrap_or("{}"),
                )?;
            }
            Ok(())
        })
    }

    /// Records that an attempt held to be refused or given up is there after all.
    ///
    /// # Errors
    /// `state.*`.
    pub fn recognise_attempt(&self, attempt: &Attempt) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "UPDATE attempt_rows SET submission = 'accepted', error = NULL WHERE job = ?1 AND number = ?2",
                    params![attempt.job, attempt.number],
                )
                .map_err(sql)?;
            add_event(transaction, attempt.job, attempt.number, None, "recognised", "{}")
        })
    }

    /// Records that an attempt ended, once, with the newest state that it left; none where it left none.
    ///
    /// # Errors
    /// `state.*`.
    pub fn end_attempt(&self, attempt: &Attempt, state: &str, ended_at: i64, checkpoint: Option<&str>) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            let changed = transaction
                .execute(
                    "UPDATE attempt_rows SET end_state = ?3, ended_at = ?4, checkpoint = ?5
                     WHERE job = ?1 AND number = ?2 AND end_state IS NULL",
                    params![attempt.job, attempt.number, state, ended_at, checkpoint],
                )
                .map_err(sql)?;
            if changed == 1 {
                let data = serde_json::json!({ "state": state }).to_string();
                add_event(transaction, attempt.job, attempt.number, None, "ended", &data)?;
            }
            Ok(())
        })
    }

    /// Records whether Flink takes checkpoints of an attempt.
    ///
    /// # Errors
    /// `state.*`.
    pub fn note_checkpointing(&self, attempt: &Attempt, takes: bool) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "UPDATE attempt_rows SET takes_checkpoints = ?3 WHERE job = ?1 AND number = ?2",
                    params![attempt.job, attempt.number, takes],
                )
                .map_err(sql)?;
            Ok(())
        })
    }

    /// Records who asked for the end of an attempt, before it is asked for.
    ///
    /// # Errors
    /// `state.*`.
    pub fn ask_end(&self, attempt: &Attempt, by: &str) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "UPDATE attempt_rows SET end_asked_by = ifnull(end_asked_by, ?3) WHERE job = ?1 AND number = ?2",
                    params![attempt.job, attempt.number, by],
                )
                .map_err(sql)?;
            add_event(
                transaction,
                attempt.job,
                attempt.number,
                None,
                "cancelling",
                &serde_json::json!({ "by": by }).to_string(),
            )
        })
    }

    /// The attempts of a job, oldest first.
    ///
    /// # Errors
    /// `state.*`.
    pub fn attempts(&self, job: i64) -> Result<Vec<Attempt>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE job = ?1 ORDER BY number"))?;
            let rows = statement.query_map([job], from_row)?;
            rows.collect()
        })
    }

    /// The newest attempt of a job.
    ///
    /// # Errors
    /// `state.*`.
    pub fn newest_attempt(&self, job: i64) -> Result<Option<Attempt>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{SELECT} WHERE job = ?1 ORDER BY number DESC LIMIT 1"))?
                .query_row([job], from_row)
                .optional()
        })
    }

    /// One attempt of a job.
    ///
    /// # Errors
    /// `state.*`.
    pub fn attempt(&self, job: i64, number: u32) -> Result<Option<Attempt>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{SELECT} WHERE job = ?1 AND number = ?2"))?
                .query_row(params![job, number], from_row)
                .optional()
        })
    }

    /// The attempts that a journal step made, oldest first: as a rule one, and a second one where it rolled back.
    ///
    /// # Errors
    /// `state.*`.
    pub fn attempts_of_step(&self, step: &StepKey) -> Result<Vec<Attempt>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached(&format!("{SELECT} WHERE run = ?1 AND path = ?2 AND sequence = ?3 ORDER BY number"))?;
            let rows = statement.query_map(params![step.run, step.path, step.sequence], from_row)?;
            rows.collect()
        })
    }

    /// The newest attempt that a journal step made, if it came so far.
    ///
    /// # Errors
    /// `state.*`.
    pub fn attempt_of_step(&self, step: &StepKey) -> Result<Option<Attempt>> {
        Ok(self.attempts_of_step(step)?.pop())
    }

    /// Records what the stability gate found of an attempt, and the step that found it. One that is stable stays so.
    ///
    /// # Errors
    /// `state.*`.
    pub fn judge_attempt(&self, attempt: &Attempt, step: &StepKey, verdict: &str, why: &str) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            let changed = transaction
                .execute(
                    "UPDATE attempt_rows SET verdict = ?3 WHERE job = ?1 AND number = ?2 AND verdict IS NOT 'stable'",
                    params![attempt.job, attempt.number, verdict],
                )
                .map_err(sql)?;
            if changed == 1 {
                let data = serde_json::json!({ "why": why, "step": step }).to_string();
                add_event(transaction, attempt.job, attempt.number, Some(step.run), verdict, &data)?;
            }
            Ok(())
        })
    }

    /// Records that an attempt was started without the state of these operators, which the state that it was started from had.
    ///
    /// # Errors
    /// `state.*`.
    pub fn leave_behind(&self, attempt: &Attempt, operators: &[String]) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            let data = serde_json::json!({ "operators": operators }).to_string();
            add_event(transaction, attempt.job, attempt.number, Some(attempt.step.run), LEFT_BEHIND, &data)
        })
    }

    /// The attempts after one that were started without the state of operators, and how many those were.
    ///
    /// # Errors
    /// `state.*`.
    pub fn left_behind_after(&self, job: i64, attempt: u32) -> Result<Vec<(u32, usize)>> {
        let of = |event: super::jobs::Event| {
            let number = event.attempt.filter(|number| event.kind == LEFT_BEHIND && *number > attempt)?;
            let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
            Some((number, data.get("operators")?.as_array()?.len()))
        };
        Ok(self.events(job)?.into_iter().filter_map(of).collect())
    }

    /// The attempt of a job of which a step found this verdict, if it came so far, with the reason that it gave.
    ///
    /// # Errors
    /// `state.*`.
    pub fn judged_by(&self, job: i64, step: &StepKey, verdict: &str) -> Result<Option<(Attempt, String)>> {
        let found = self.events(job)?.into_iter().rev().find_map(|event| {
            if event.kind != verdict || event.run != Some(step.run) {
                return None;
            }
            let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
            let by: StepKey = serde_json::from_value(data.get("step")?.clone()).ok()?;
            let why = data.get("why").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            (by == *step).then_some((event.attempt?, why))
        });
        let Some((number, why)) = found else { return Ok(None) };
        Ok(self.attempt(job, number)?.map(|attempt| (attempt, why)))
    }

    /// Records that a running attempt has another parallelism now, and so runs another revision.
    ///
    /// # Errors
    /// `state.*`.
    pub fn rescale_attempt(&self, attempt: &Attempt, revision: &Revision) -> Result<()> {
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "UPDATE attempt_rows SET spec = ?3, spec_hash = ?4, revision = ?5 WHERE job = ?1 AND number = ?2",
                    params![attempt.job, attempt.number, revision.spec, revision.spec_hash, revision.number],
                )
                .map_err(sql)?;
            let data = serde_json::json!({ "revision": revision.number }).to_string();
            add_event(transaction, attempt.job, attempt.number, Some(revision.step.run), "rescaled", &data)
        })
    }

    /// The Flink job ids of the attempts of a job.
    ///
    /// # Errors
    /// `state.*`.
    pub fn flink_ids_of(&self, environment: &str, name: &str) -> Result<std::collections::HashSet<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT a.flink_id FROM attempt_rows a JOIN job_rows j ON j.id = a.job
                 WHERE j.environment = ?1 AND j.name = ?2",
            )?;
            let rows = statement.query_map([environment, name], |row| row.get(0))?;
            rows.collect()
        })
    }

    /// All Flink job ids that this state knows.
    ///
    /// # Errors
    /// `state.*`.
    pub fn known_flink_ids(&self) -> Result<std::collections::HashSet<String>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT flink_id FROM attempt_rows")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        })
    }
}

const SELECT: &str = "SELECT job, number, flink_id, cluster, submission, incarnation, spec, spec_hash, jar, restored_from, \
                      run, path, sequence, created_at, answered_at, end_state, ended_at, end_asked_by, checkpoint, error, \
                      revision, allow_non_restored, verdict, takes_checkpoints FROM attempt_rows";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        job: row.get(0)?,
        number: row.get(1)?,
        flink_id: row.get(2)?,
        cluster: row.get(3)?,
        // An unknown word would be a newer schema, which open.rs refuses; the careful reading is "not settled".
        submission: Submission::from_name(&row.get::<_, String>(4)?).unwrap_or(Submission::Open),
        incarnation: row.get(5)?,
        spec: row.get(6)?,
        spec_hash: row.get(7)?,
        jar: row.get(8)?,
        restored_from: row.get(9)?,
        step: StepKey { run: row.get(10)?, path: row.get(11)?, sequence: row.get(12)? },
        created_at: row.get(13)?,
        answered_at: row.get(14)?,
        end_state: row.get(15)?,
        ended_at: row.get(16)?,
        end_asked_by: row.get(17)?,
        checkpoint: row.get(18)?,
        error: row.get(19)?,
        revision: row.get(20)?,
        allow_non_restored: row.get(21)?,
        verdict: row.get(22)?,
        takes_checkpoints: row.get(23)?,
    })
}
