//! Disposes of savepoints that nobody needs any more.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cluster::Start;
use super::connection::Connection;
use super::services::Services;
use super::standing::lock;
use super::wait::job_not_found;
use crate::base::{Error, Result, clock, code};
use crate::drivers::flink::Disposal;
use crate::model::retention::{Keep, disposable};
use crate::model::snapshot::Snapshot;

/// How long Flink may take for one.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which savepoints of a job would go.
///
/// # Errors
/// `job.not_found`, `state.*`.
pub fn candidates(
    services: &Services,
    environment: &str,
    name: &str,
    count: usize,
    age: Duration,
) -> Result<Vec<Snapshot>> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let since = clock::now().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
    let (snapshots, attempts) = (services.store.snapshots(job.id)?, services.store.attempts(job.id)?);
    Ok(disposable(&snapshots, &attempts, Keep { count, since }).into_iter().cloned().collect())
}

/// Has Flink delete the savepoints that nobody needs, on the cluster that the job was deployed to. Gives those that went.
///
/// # Errors
/// `job.not_found`, `savepoint.not_disposed`, `flink.*`. What went before stays recorded as gone.
pub async fn prune(
    services: &Services,
    environment: &str,
    name: &str,
    count: usize,
    age: Duration,
) -> Result<Vec<Value>> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    let _lock = lock(services, &services.identity(environment, name)).await?;
    let mut gone = Vec::new();
    let candidates = candidates(services, environment, name, count, age)?;
    if candidates.is_empty() {
        return Ok(gone);
    }
    let connection = services.clusters.connect(&job.cluster, Start::No).await?;
    for snapshot in candidates {
        let Some(path) = &snapshot.path else { continue };
        let was_there = dispose(&connection, name, path).await?;
        services.store.dispose_snapshot(&snapshot)?;
        services.clusters.progress(&if was_there {
            format!("`{name}`: deleted {path}")
        } else {
            format!("`{name}`: {path} was not there any more, and nothing was deleted: it is crossed off")
        });
        gone.push(json!({ "job": name, "attempt": snapshot.attempt, "path": path, "was_there": was_there }));
    }
    Ok(gone)
}

/// Has Flink delete a savepoint; false where it was not there any more, since somebody deleted it or a process of ours died over it.
async fn dispose(connection: &Connection, name: &str, path: &str) -> Result<bool> {
    let request = connection.client.dispose_savepoint(path).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match connection.client.disposal_status(&request).await? {
            Disposal::Done => return Ok(true),
            Disposal::NotThere => return Ok(false),
            Disposal::Failed { causes } => return Err(not_disposed(name, path, &causes)),
            Disposal::InProgress if Instant::now() >= deadline => {
                return Err(not_disposed(name, path, &["Flink has not answered for 60 s".to_owned()]));
            }
            Disposal::InProgress => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn not_disposed(name: &str, path: &str, causes: &[String]) -> Error {
    let error =
        Error::new(&code::SAVEPOINT_NOT_DISPOSED, format!("Flink could not delete a savepoint of `{name}`: {path}"));
    causes
        .iter()
        .fold(error, |error, cause| error.caused_by(cause))
        .hint("it stays in the ledger as it is; where its files are gone already, nothing is lost")
}
