//! Death at every boundary and at random moments of a first deploy, an upgrade, a stop, a restart and a rollback, with delays, lost
//! answers, a JobManager that restarts and forgets, a process that was stopped and wakes up, and two processes at once.
//!
//! Afterwards at most one execution lives, exactly one where nothing stands against it, and each was started from the newest state that
//! the one before had; a run that cannot go on says why. Controls that forget the state, and that hand out an older one, show that the
//! sweep finds what it looks for.

mod case;
mod judge;
mod play;
mod random;

use std::time::Duration;

use case::{ACTIONS, Action, Case, DRAWN, Moment, Trouble, extent};
use judge::all;
use random::Random;

fn is_full() -> bool {
    std::env::var("SWEEP").is_ok_and(|value| value == "full")
}

#[test]
fn death_at_every_boundary_keeps_one_execution_and_its_newest_state() {
    let mut cases = Vec::new();
    for action in ACTIONS {
        for number in (1..=extent(action).0).step_by(if is_full() { 1 } else { 2 }) {
            let both = [number % 4 < 2, number % 4 >= 2];
            for resumes in &both[..if is_full() { 2 } else { 1 }] {
                let moment = Moment::Boundary(number);
                let case = Case { action, trouble: Trouble::None, moment, resumes: *resumes, is_seen: false };
                cases.push(case);
                if is_full() {
                    cases.push(Case { trouble: Trouble::Restart, is_seen: *resumes, ..case });
                    cases.push(Case { trouble: Trouble::Sleep, ..case });
                }
            }
        }
    }
    all("at every boundary", &cases).holds(&cases);
}

/// Every action meets every trouble; when, and what else is left to chance, tells the seed.
#[test]
fn death_at_random_moments_keeps_one_execution_and_its_newest_state() {
    let count = if is_full() { 2_000 } else { ACTIONS.len() * DRAWN };
    let seed = std::env::var("SWEEP_SEED").map_or(20_261_126, |seed| seed.parse().unwrap());
    let mut random = Random(seed);
    let extents = ACTIONS.map(extent);
    let cases: Vec<Case> = (0..count)
        .map(|index| {
            let (action, (boundaries, requests)) = (ACTIONS[index % ACTIONS.len()], extents[index % ACTIONS.len()]);
            let moment = Moment::After(random.below(boundaries), random.millis(15));
            let trouble = Trouble::drawn(index / ACTIONS.len(), action, requests, &mut random);
            Case { action, trouble, moment, resumes: random.is_heads(), is_seen: random.is_heads() }
        })
        .collect();
    all(&format!("at random moments, seed {seed}"), &cases).holds(&cases);
}

#[test]
fn a_tool_whose_records_are_gone_starts_nothing_from_nothing() {
    let cases: Vec<Case> = (1..=extent(Action::Savepoint).0)
        .step_by(6)
        .map(|number| Case {
            action: Action::Savepoint,
            trouble: Trouble::Forgets,
            moment: Moment::Boundary(number),
            resumes: false,
            is_seen: false,
        })
        .collect();
    let tally = all("the records are deleted", &cases);
    // It says what is there, and leaves it to whoever asked.
    let refuses =
        |why: &&String| why.contains("error[job.exists_unmanaged]") || why.contains("error[job.state_unknown]");
    assert_eq!(tally.failures.iter().filter(refuses).count(), cases.len(), "{:?}", tally.failures);
    assert!(!tally.failures.iter().any(|why| ["OLDER", "TWINS", "LOST"].iter().any(|word| why.contains(word))));
}

/// It starts from a state of the job that is whole, and not the newest one: each time that is found.
#[test]
fn a_tool_that_hands_out_an_older_state_is_found_by_the_sweep() {
    let mut cases = Vec::new();
    for action in [Action::Savepoint, Action::LastState, Action::Restart, Action::Stop, Action::Rollback] {
        let boundaries = extent(action).0;
        for moment in [Moment::Never, Moment::Boundary(boundaries / 3), Moment::After(boundaries / 2, Duration::ZERO)] {
            cases.push(Case { action, trouble: Trouble::Older, moment, resumes: true, is_seen: false });
        }
    }
    let tally = all("control: an older state is handed out", &cases);
    let found = tally.failures.iter().filter(|why| why.contains("OLDER: started from `file:/")).count();
    assert_eq!(found, cases.len(), "{:?}", tally.failures);
}
