//! State that is recorded as the newest and was deleted: nothing older is taken for it unless somebody names what is gone.

use super::services::Services;
use super::state_guard::abandoned_name;
use crate::base::clock::{self, Millis};
use crate::base::{Error, Result, code, duration};
use crate::drivers::checkpoint_folder::{self, Folder};
use crate::model::snapshot::{Snapshot, SnapshotStatus};
use crate::store::JobRow;

/// A state that could be started from.
struct Older {
    attempt: u32,
    taken: Millis,
    path: String,
}

/// Hands a state on that is there, as far as it can be seen from here. In the place of one that is gone, and that `allow_state_loss` names,
/// goes the newest older one that is there: how old it is is said.
///
/// # Errors
/// `savepoint.gone`, which names what to say.
pub(super) fn pass_over(
    services: &Services,
    job: &JobRow,
    newest: Option<String>,
    allow_state_loss: Option<&str>,
) -> Result<Option<String>> {
    let Some(gone) = newest.as_deref().filter(|path| checkpoint_folder::is_gone(path)) else { return Ok(newest) };
    let recorded = services.store.snapshots(job.id)?;
    let row = recorded.iter().find(|one| one.path.as_deref() == Some(gone));
    let attempt = match row {
        Some(row) => row.attempt,
        None => services.store.newest_attempt(job.id)?.map_or(0, |attempt| attempt.number),
    };
    let order = (attempt, row.map_or(Millis::MAX, Snapshot::taken_at));
    let name = abandoned_name(attempt, gone);
    let older = older(&recorded, gone, order);
    // Who gave up a newer state gave up this one, too, where it is gone.
    let is_named = |one: &&Snapshot| {
        let named = one.path.as_deref().map(|path| abandoned_name(one.attempt, path));
        named.as_deref() == allow_state_loss && (one.attempt, one.taken_at()) >= order
    };
    let is_allowed =
        allow_state_loss.is_some() && (allow_state_loss == Some(&name) || recorded.iter().any(|one| is_named(&one)));
    match older {
        Some(older) if is_allowed => {
            services.clusters.progress(&format!(
                "{}: {name} is gone, and goes on from {}: what was processed since is processed again",
                job.name,
                older.shown()
            ));
            Ok(Some(older.path))
        }
        older => {
            let hint = match older {
                Some(older) => {
                    format!("`tidegate start {} --allow-state-loss {name}` goes on from {}", job.name, older.shown())
                }
                None => format!(
                    "no older state of it is there; `tidegate start {} --allow-state-loss attempt-{attempt}` starts from nothing",
                    job.name
                ),
            };
            Err(refused(&job.name, gone).hint(hint))
        }
    }
}

/// Looks whether a state that somebody chose is there, as far as it can be seen from here.
///
/// # Errors
/// `savepoint.gone`.
pub(super) fn is_there(name: &str, path: Option<&str>) -> Result<()> {
    match path.filter(|path| checkpoint_folder::is_gone(path)) {
        None => Ok(()),
        Some(path) => Err(refused(name, path)
            .hint(format!("somebody deleted it; `tidegate savepoints {name}` lists what else is recorded"))),
    }
}

fn refused(name: &str, path: &str) -> Error {
    Error::new(&code::SAVEPOINT_GONE, format!("the state that `{name}` would start from is gone: {path}"))
}

impl Older {
    fn shown(&self) -> String {
        let age = u64::try_from(clock::now().saturating_sub(self.taken)).unwrap_or(0);
        format!(
            "{} of attempt {}, taken {}, {} ago",
            self.path,
            self.attempt,
            clock::short(self.taken),
            duration::age(age)
        )
    }
}

/// Whether a snapshot is whole and, as far as it can be seen from here, there.
pub(super) fn whole(one: &Snapshot) -> bool {
    one.status == SnapshotStatus::Completed && one.path.as_deref().is_some_and(|path| !checkpoint_folder::is_gone(path))
}

/// Whether a snapshot can be started from. Of what Flink has replaced only that is there which is seen.
pub(super) fn is_kept(one: &Snapshot) -> bool {
    let seen = || one.path.as_deref().and_then(checkpoint_folder::written_at).is_some();
    whole(one) || (one.status == SnapshotStatus::Subsumed && seen())
}

/// The newest state before one that is gone: as recorded, or beside it in its folder.
fn older(recorded: &[Snapshot], gone: &str, order: (u32, Millis)) -> Option<Older> {
    let earlier = recorded.iter().filter(|one| is_kept(one)).filter(|one| (one.attempt, one.taken_at()) < order);
    let known =
        earlier.filter_map(|one| Some(Older { attempt: one.attempt, taken: one.taken_at(), path: one.path.clone()? }));
    let beside = gone.rsplit_once("/chk-").and_then(|(folder, _)| folder.rsplit_once('/')).and_then(|(root, id)| {
        let Folder::Newest(found) = checkpoint_folder::look(root, id) else { return None };
        Some(Older { attempt: order.0, taken: found.completed_at, path: found.path })
    });
    known.chain(beside).max_by_key(|older| (older.attempt, older.taken))
}
