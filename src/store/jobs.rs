//! Jobs as desired, what was observed of them, and the events of their lives.

use rusqlite::{OptionalExtension, Row, params};

use super::decisions;
use super::open::{Durability, Store};
use super::revisions;
use super::runs::{check_epoch, sql};
use crate::base::{Result, clock};
use crate::model::identity::Identity;
use crate::model::revision::Revision;
use crate::model::run::Run;

/// A job as recorded: what is desired of it.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// The row's number.
    pub id: i64,
    /// The environment.
    pub environment: String,
    /// The job's name.
    pub name: String,
    /// The cluster it was deployed to last.
    pub cluster: String,
    /// `running`, `stopped` or `absent`.
    pub desired: String,
    /// The spec that was deployed last, as JSON.
    pub spec: String,
}

/// What a source said last of an attempt.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Flink's word.
    pub state: String,
    /// Tasks that ran.
    pub tasks_running: u64,
    /// All tasks.
    pub tasks_total: u64,
    /// When the source said it.
    pub observed_at: i64,
    /// Since when the source cannot be reached, if so.
    pub unreachable_since: Option<i64>,
}

/// What one look at a JobManager gave of an attempt.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// The job's row.
    pub job: i64,
    /// The attempt.
    pub attempt: u32,
    /// What it said; none where it could not be asked.
    pub said: Option<Said>,
}

/// What a JobManager said of an attempt.
#[derive(Debug, Clone)]
pub struct Said {
    /// Flink's word.
    pub state: String,
    /// Tasks that run.
    pub tasks_running: u64,
    /// All tasks.
    pub tasks_total: u64,
}

/// Something that happened to a job.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: i64,
    /// The attempt.
    pub attempt: Option<u32>,
    /// The run.
    pub run: Option<i64>,
    /// What: `submitting`, `accepted`, `refused`, `adopted`, `cancelled`, `ended`.
    pub kind: String,
    /// More, as JSON.
    pub data: String,
}

impl Store {
    /// The job of this name, if it is recorded.
    ///
    /// # Errors
    /// `state.*`.
    pub fn job(&self, environment: &str, name: &str) -> Result<Option<JobRow>> {
        self.read(|connection| {
            connection
                .prepare_cached(&format!("{SELECT} WHERE environment = ?1 AND name = ?2"))?
                .query_row(params![environment, name], from_row)
                .optional()
        })
    }

    /// The recorded jobs of one environment, or of all.
    ///
    /// # Errors
    /// `state.*`.
    pub fn jobs(&self, environment: Option<&str>) -> Result<Vec<JobRow>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached(&format!("{SELECT} WHERE ?1 IS NULL OR environment = ?1 ORDER BY environment, name"))?;
            let rows = statement.query_map([environment], from_row)?;
            rows.collect()
        })
    }

    /// Records what is desired of a job with its revision, and makes its row where it is new. Gives the revision's number.
    ///
    /// # Errors
    /// `run.superseded`, `state.*`.
    pub fn desire(
        &self,
        run: &Run,
        identity: &Identity,
        cluster: &str,
        desired: &str,
        revision: &Revision,
    ) -> Result<u32> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            let spec = &revision.spec;
            let job = set_desired(transaction, &identity.environment, &identity.job, cluster, desired, spec)?;
            decisions::record(transaction, job, run.id, "desired", desired)?;
            revisions::record(transaction, job, revision)
        })
    }

    /// Records what the JobManager said of an attempt.
    ///
    /// # Errors
    /// `state.*`.
    pub fn observe(&self, job: i64, attempt: u32, state: &str, tasks_running: u64, tasks_total: u64) -> Result<()> {
        let said = Some(Said { state: state.to_owned(), tasks_running, tasks_total });
        self.observe_all(&[Sighting { job, attempt, said }])
    }

    /// Records that the JobManager could not be asked; what it said last stays.
    ///
    /// # Errors
    /// `state.*`.
    pub fn observe_unreachable(&self, job: i64, attempt: u32) -> Result<()> {
        self.observe_all(&[Sighting { job, attempt, said: None }])
    }

    /// Records one look at many attempts, in one transaction: a listing of a thousand jobs is one write.
    ///
    /// # Errors
    /// `state.*`.
    pub fn observe_all(&self, sightings: &[Sighting]) -> Result<()> {
        if sightings.is_empty() {
            return Ok(());
        }
        let count = |tasks: u64| i64::try_from(tasks).unwrap_or(i64::MAX);
        self.write(Durability::Normal, |transaction| {
            let mut said_so = transaction
                .prepare_cached(
                    "INSERT INTO observation_rows (job, attempt, source, state, tasks_running, tasks_total, observed_at, unreachable_since)
                     VALUES (?1, ?2, 'jobmanager', ?3, ?4, ?5, ?6, NULL)
                     ON CONFLICT (job, attempt, source) DO UPDATE SET state = excluded.state, tasks_running = excluded.tasks_running,
                       tasks_total = excluded.tasks_total, observed_at = excluded.observed_at, unreachable_since = NULL",
                )
                .map_err(sql)?;
            let mut said_nothing = transaction
                .prepare_cached(
                    "UPDATE observation_rows SET unreachable_since = ifnull(unreachable_since, ?3) WHERE job = ?1 AND attempt = ?2",
                )
                .map_err(sql)?;
            let now = clock::now();
            for Sighting { job, attempt, said } in sightings {
                match said {
                    Some(Said { state, tasks_running, tasks_total }) => {
                        let row = params![job, attempt, state, count(*tasks_running), count(*tasks_total), now];
                        said_so.execute(row).map_err(sql)?;
                    }
                    None => {
                        said_nothing.execute(params![job, attempt, now]).map_err(sql)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// What the JobManager said last of an attempt.
    ///
    /// # Errors
    /// `state.*`.
    pub fn observation(&self, job: i64, attempt: u32) -> Result<Option<Observation>> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT state, tasks_running, tasks_total, observed_at, unreachable_since FROM observation_rows
                     WHERE job = ?1 AND attempt = ?2 AND source = 'jobmanager'",
                )?
                .query_row(params![job, attempt], |row| {
                    Ok(Observation {
                        state: row.get(0)?,
                        tasks_running: row.get::<_, i64>(1)?.unsigned_abs(),
                        tasks_total: row.get::<_, i64>(2)?.unsigned_abs(),
                        observed_at: row.get(3)?,
                        unreachable_since: row.get(4)?,
                    })
                })
                .optional()
        })
    }

    /// The events of a job, oldest first.
    ///
    /// # Errors
    /// `state.*`.
    pub fn events(&self, job: i64) -> Result<Vec<Event>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT at, attempt, run, kind, data FROM event_rows WHERE job = ?1 ORDER BY id")?;
            let rows = statement.query_map([job], |row| {
                Ok(Event {
                    at: row.get(0)?,
                    attempt: row.get(1)?,
                    run: row.get(2)?,
                    kind: row.get(3)?,
                    data: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }
}

/// Records what is desired in a transaction, and gives the job's row.
pub(super) fn set_desired(
    transaction: &rusqlite::Transaction<'_>,
    environment: &str,
    name: &str,
    cluster: &str,
    desired: &str,
    spec: &str,
) -> Result<i64> {
    transaction
        .query_row(
            "INSERT INTO job_rows (environment, name, cluster, desired, spec, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
             ON CONFLICT (environment, name) DO UPDATE SET
               cluster = excluded.cluster, desired = excluded.desired, spec = excluded.spec, updated_at = excluded.updated_at
             RETURNING id",
            params![environment, name, cluster, desired, spec, clock::now()],
            |row| row.get(0),
        )
        .map_err(sql)
}

/// Adds an event in a transaction that records what happened.
pub(super) fn add_event(
    transaction: &rusqlite::Transaction<'_>,
    job: i64,
    attempt: u32,
    run: Option<i64>,
    kind: &str,
    data: &str,
) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO event_rows (at, job, attempt, run, kind, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![clock::now(), job, attempt, run, kind, data],
        )
        .map_err(sql)?;
    Ok(())
}

const SELECT: &str = "SELECT id, environment, name, cluster, desired, spec FROM job_rows";

fn from_row(row: &Row<'_>) -> rusqlite::Result<JobRow> {
    Ok(JobRow {
        id: row.get(0)?,
        environment: row.get(1)?,
        name: row.get(2)?,
        cluster: row.get(3)?,
        desired: row.get(4)?,
        spec: row.get(5)?,
    })
}
