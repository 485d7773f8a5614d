//! A rewind: an earlier revision with the newest state that it had itself, and what is passed over for it.

use super::cluster::Start;
use super::gone_state;
use super::ledger;
use super::services::Services;
use crate::base::{Error, Result, clock, code, duration};
use crate::model::attempt::Submission;
use crate::model::revision::Revision;
use crate::model::snapshot::{Snapshot, SnapshotStatus};
use crate::store::JobRow;

/// Records the newest state of the execution that runs, so that what is passed over can be told. Where its cluster cannot be
/// asked, what is recorded has to do.
///
/// # Errors
/// `state.*`.
pub(super) async fn look(services: &Services, job: &JobRow) -> Result<()> {
    let newest = services.store.newest_attempt(job.id)?;
    let runs = newest.filter(|one| one.submission == Submission::Accepted && one.end_state.is_none());
    let Some(newest) = runs else { return Ok(()) };
    let looked = async {
        let connection = services.clusters.connect(&newest.cluster, Start::No).await?;
        ledger::look(services, &connection, &newest).await
    };
    if let Err(error) = looked.await {
        let text = format!("`{}` cannot be asked for its newest state: {error}", newest.cluster);
        services.clusters.progress(&text);
    }
    Ok(())
}

/// The newest whole state that an attempt with the target's spec had, and how far back it is, in words.
///
/// # Errors
/// `job.state_unknown`; `savepoint.gone` where all that it had was deleted; `state.*`.
pub(super) fn matching_state(services: &Services, job: &JobRow, target: &Revision) -> Result<(String, String)> {
    let attempts = services.store.attempts(job.id)?;
    let fits =
        |number: u32| attempts.iter().any(|attempt| attempt.number == number && attempt.spec_hash == target.spec_hash);
    let recorded: Vec<Snapshot> =
        services.store.snapshots(job.id)?.into_iter().filter(|one| fits(one.attempt) && one.path.is_some()).collect();
    let newest_of = |fits: &dyn Fn(&&Snapshot) -> bool| {
        let newest = recorded.iter().filter(fits).max_by_key(|one| (one.attempt, one.taken_at()));
        newest.and_then(|one| Some((one.path.clone()?, one)))
    };
    let newest = newest_of(&|one| one.status == SnapshotStatus::Completed).map(|(path, _)| path);
    let found = newest_of(&|one| gone_state::is_kept(one));
    let (path, snapshot) = found.ok_or_else(|| missing(job, target, newest.as_deref()))?;
    let gone = match newest.filter(|newest| *newest != path) {
        Some(newest) => format!("; the newest state of revision {}, {newest}, is gone", target.number),
        None => String::new(),
    };
    let taken = snapshot.taken_at();
    let age = |from, to: clock::Millis| duration::age(u64::try_from(to.saturating_sub(from)).unwrap_or(0));
    let passed_over = match services.store.newest_snapshot(job.id)? {
        Some(newest) if newest.path.as_deref() != Some(path.as_str()) && newest.taken_at() >= taken => format!(
            "; the newest state recorded, {} of attempt {}, is {} younger and is passed over",
            newest.path.as_deref().unwrap_or_default(),
            newest.attempt,
            age(taken, newest.taken_at())
        ),
        _ => String::new(),
    };
    let note = format!(
        "REWIND to {path} of attempt {}, taken {}, {} ago: what was processed since is processed again{gone}{passed_over}",
        snapshot.attempt,
        clock::short(taken),
        age(taken, clock::now())
    );
    Ok((path, note))
}

/// The refusal of a rewind that has no state to go back to.
fn missing(job: &JobRow, target: &Revision, gone: Option<&str>) -> Error {
    let instead = "without `--rewind`, in a script `rollback()`, the old revision starts from the newest state instead";
    let number = target.number;
    match gone {
        Some(path) => Error::new(
            &code::SAVEPOINT_GONE,
            format!("the state that a rewind of `{}` to revision {number} would start from is gone: {path}", job.name),
        )
        .hint(format!("somebody deleted it, and no older one of revision {number} is there; {instead}")),
        None => {
            Error::new(&code::JOB_STATE_UNKNOWN, format!("no state of revision {number} of `{}` is recorded", job.name))
                .hint(instead)
        }
    }
}
