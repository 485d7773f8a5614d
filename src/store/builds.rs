//! Builds of git projects: begun before the command is started, ended after its artifacts are kept. Rows are never removed.

use rusqlite::{OptionalExtension, Row, params};

use super::open::{Durability, Store};
use super::runs::{check_epoch, sql};
use crate::base::{Result, clock};
use crate::model::attempt::StepKey;
use crate::model::build::{Build, BuildStatus, Built};
use crate::model::run::Run;

impl Store {
    /// Records that a build begins, and gives its number.
    ///
    /// # Errors
    /// `run.superseded` where another process took over the run; `state.*`.
    pub fn begin_build(&self, run: &Run, build: &Build) -> Result<i64> {
        self.write(Durability::Full, |transaction| {
            check_epoch(transaction, run)?;
            transaction
                .execute(
                    "INSERT INTO build_rows (project, url, wanted, commit_id, command, cache_key, status, run, path, sequence, started_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        build.project,
                        build.url,
                        build.wanted,
                        build.commit,
                        build.command,
                        build.cache_key,
                        BuildStatus::Open.name(),
                        build.step.run,
                        build.step.path,
                        build.step.sequence,
                        build.started_at
                    ],
                )
                .map_err(sql)?;
            Ok(transaction.last_insert_rowid())
        })
    }

    /// Records how a build ended, once.
    ///
    /// # Errors
    /// `state.*`.
    pub fn end_build(&self, id: i64, status: BuildStatus, artifacts: &[Built], error: Option<&str>) -> Result<()> {
        let artifacts = serde_json::json!(artifacts).to_string();
        self.write(Durability::Full, |transaction| {
            transaction
                .execute(
                    "UPDATE build_rows SET status = ?2, artifacts = ?3, error = ?4, ended_at = ?5 WHERE id = ?1 AND status = ?6",
                    params![id, status.name(), artifacts, error, clock::now(), BuildStatus::Open.name()],
                )
                .map_err(sql)?;
            Ok(())
        })
    }

    /// One build.
    ///
    /// # Errors
    /// `state.*`.
    pub fn build(&self, id: i64) -> Result<Option<Build>> {
        self.read(|connection| {
            connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([id], from_row).optional()
        })
    }

    /// The newest builds, newest first: of all projects, or of one by its name or URL.
    ///
    /// # Errors
    /// `state.*`.
    pub fn builds(&self, project: Option<&str>, limit: usize) -> Result<Vec<Build>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "{SELECT} WHERE ?1 IS NULL OR project = ?1 OR url = ?1 ORDER BY id DESC LIMIT ?2"
            ))?;
            let rows = statement.query_map(params![project, limit], from_row)?;
            rows.collect()
        })
    }

    /// The builds with this key that ended well, newest first.
    ///
    /// # Errors
    /// `state.*`.
    pub fn builds_of_key(&self, key: &str) -> Result<Vec<Build>> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached(&format!("{SELECT} WHERE cache_key = ?1 AND status = ?2 ORDER BY id DESC LIMIT 8"))?;
            let rows = statement.query_map(params![key, BuildStatus::Done.name()], from_row)?;
            rows.collect()
        })
    }

    /// The builds whose end is not recorded.
    ///
    /// # Errors
    /// `state.*`.
    pub fn open_builds(&self) -> Result<Vec<Build>> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE status = ?1 ORDER BY id"))?;
            let rows = statement.query_map([BuildStatus::Open.name()], from_row)?;
            rows.collect()
        })
    }
}

const SELECT: &str = "SELECT id, project, url, wanted, commit_id, command, cache_key, status, artifacts, error, run, path, sequence, \
                      started_at, ended_at FROM build_rows";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Build> {
    Ok(Build {
        id: row.get(0)?,
        project: row.get(1)?,
        url: row.get(2)?,
        wanted: row.get(3)?,
        commit: row.get(4)?,
        command: row.get(5)?,
        cache_key: row.get(6)?,
        status: BuildStatus::from_name(&row.get::<_, String>(7)?).unwrap_or(BuildStatus::Failed),
        // Without them the build counts as one whose artifacts are gone.
        artifacts: serde_json::from_str(&row.get::<_, String>(8)?).unwrap_or_default(),
        error: row.get(9)?,
        step: StepKey { run: row.get(10)?, path: row.get(11)?, sequence: row.get(12)? },
        started_at: row.get(13)?,
        ended_at: row.get(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_ended_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let run = store.begin_run("a.rhai", "local", "{}").unwrap();
        let build = Build {
            id: 0,
            project: "jobs".into(),
            url: "https://h/jobs.git".into(),
            wanted: "branch main".into(),
            commit: "c".repeat(40),
            command: "mvn package".into(),
            cache_key: "k".into(),
            status: BuildStatus::Open,
            artifacts: Vec::new(),
            error: None,
            step: StepKey { run: run.id, path: String::new(), sequence: 3 },
            started_at: 7,
            ended_at: None,
        };
        let id = store.begin_build(&run, &build).unwrap();
        assert_eq!(store.open_builds().unwrap().len(), 1);
        let built = Built { path: "t.jar".into(), module: ".".into(), sha256: "a".repeat(64), bytes: 3 };
        store.end_build(id, BuildStatus::Done, std::slice::from_ref(&built), None).unwrap();
        store.end_build(id, BuildStatus::Interrupted, &[], None).unwrap();
        let found = store.builds_of_key("k").unwrap();
        assert_eq!((found.len(), &found[0].artifacts), (1, &vec![built]));
        assert_eq!(store.builds(Some("jobs"), 5).unwrap().len(), 1);
        assert!(store.builds(Some("other"), 5).unwrap().is_empty() && store.open_builds().unwrap().is_empty());
    }
}
