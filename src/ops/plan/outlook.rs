//! What is to be known of a planned change beside what it is: newest state, slots, steps, and the way back.

use super::look::Look;
use crate::base::{Result, clock};
use crate::model::class::Class;
use crate::model::job_spec::JobSpec;
use crate::model::plan::{Action, Change, NewestState, Outlook, SlotDemand, Step};
use crate::model::revision::{self, Revision};
use crate::model::upgrade::Mode;
use crate::ops::deploy::{Intent, Options, spec_text};
use crate::ops::services::Services;
use crate::ops::slots;
use crate::ops::standing::submitted_spec;
use crate::store::JobRow;

/// The outlook of a change that would bring a job to a spec.
pub(super) async fn outlook(
    services: &Services,
    spec: &JobSpec,
    (options, intent): (&Options, &Intent),
    look: &Look,
    change: &mut Change,
) -> Result<()> {
    let running_for = look.live.as_ref().map(|(_, listing, _)| since(listing.start_time));
    change.outlook = Outlook {
        identity: Some(spec.identity.prefix()),
        running_for,
        newest_state: newest_state(services, look.job.as_ref())?,
        ..Outlook::default()
    };
    if !change.action.is_change() || change.action == Action::Unknown {
        return Ok(());
    }
    change.outlook.rollback_to = rollback_to(services, spec, intent, look)?;
    change.outlook.steps = steps(options, intent, look, change.action);
    let Some(connection) = look.connection.as_ref().filter(|_| change.action != Action::Record) else { return Ok(()) };
    match services.clusters.slots(connection).await {
        Ok(slots) => {
            let parallelism = |spec: &JobSpec| slots::parallelism(spec, &slots);
            let freed = match &look.live {
                Some((home, _, attempt)) if home.name == connection.name => {
                    parallelism(&submitted_spec(attempt, &spec.identity.job)?)
                }
                _ => 0,
            };
            change.outlook.slots = Some(SlotDemand {
                cluster: connection.name.clone(),
                needed: parallelism(spec),
                freed,
                free: slots.free,
                total: slots.total,
            });
        }
        Err(error) => change.notes.push(format!("how many slots are free is not known: {error}")),
    }
    Ok(())
}

/// The newest state that is recorded of a job.
pub(super) fn newest_state(services: &Services, job: Option<&JobRow>) -> Result<Option<NewestState>> {
    let Some(job) = job else { return Ok(None) };
    let newest = services.store.newest_snapshot(job.id)?;
    Ok(newest.and_then(|newest| {
        let (age, kind) = (since(newest.taken_at()), newest.kind.name());
        Some(NewestState { kind, attempt: newest.attempt, path: newest.path?, age })
    }))
}

/// How many milliseconds ago.
pub(super) fn since(time: clock::Millis) -> u64 {
    u64::try_from(clock::now().saturating_sub(time)).unwrap_or(0)
}

/// What a rollback after the change would go back to.
fn rollback_to(services: &Services, spec: &JobSpec, intent: &Intent, look: &Look) -> Result<Option<u32>> {
    let Some(job) = &look.job else { return Ok(None) };
    let mut revisions = services.store.revisions(job.id)?;
    let attempts = services.store.attempts(job.id)?;
    if let Some(newest) = revisions.last().filter(|_| job.spec != spec_text(spec).unwrap_or_default()) {
        let next = Revision {
            number: newest.number + 1,
            kind: intent.kind,
            origin: intent.origin,
            spec: String::new(),
            spec_hash: spec.running_hash(),
            ..newest.clone()
        };
        revisions.push(next);
    }
    Ok(revision::before(&revisions, &attempts).map(|revision| revision.number))
}

/// The step that ends an attempt.
pub(super) fn ending(attempt: u32, with_savepoint: bool) -> Step {
    match with_savepoint {
        true => Step { does: format!("stop attempt {attempt} with a savepoint"), class: Class::Keyed },
        false => Step { does: format!("cancel attempt {attempt}"), class: Class::Set },
    }
}

fn steps(options: &Options, intent: &Intent, look: &Look, action: Action) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |does: String, class| steps.push(Step { does, class });
    if action == Action::Record {
        step("record it".to_owned(), Class::Set);
        return steps;
    }
    if look.down.is_some() {
        step("start the cluster".to_owned(), Class::Set);
    }
    let newest = look.newest.as_ref().map_or(0, |newest| newest.number);
    if look.live.is_some() {
        let Step { does, class } = ending(newest, options.upgrade == Mode::Savepoint);
        step(does, class);
    }
    step("upload the jar".to_owned(), Class::Set);
    step(format!("submit attempt {}", newest + 1), Class::Keyed);
    match (&options.stable, action) {
        (Some(gate), _) if *intent == Intent::DEPLOY => {
            let otherwise = gate.otherwise.does();
            step(format!("watch whether it becomes stable, else {otherwise}"), Class::Read);
        }
        (_, Action::Execute) => step("wait for its end".to_owned(), Class::Read),
        _ => {}
    }
    steps
}
