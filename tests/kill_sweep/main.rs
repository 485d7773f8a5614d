//! The kill sweep: the process dies at every boundary of a run, and under every trouble of the JobManager; afterwards
//! exactly one execution lives, and the run has ended well or says that the outcome is unknown.
//!
//! `SWEEP=full cargo test --test kill_sweep -- --nocapture` sweeps everything; without it a part that takes a minute.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and prints its counts")]

mod case;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, Counts, Moment, Recovery, Script, Trouble, boundaries};

const SCRIPTS: [Script; 3] = [Script::Deploy, Script::Execute, Script::Cancel];
const RECOVERIES: [Recovery; 2] = [Recovery::Resume, Recovery::Second];
const TROUBLES: [Trouble; 7] = [
    Trouble::DropAfter,
    Trouble::ErrorAfter,
    Trouble::ServerErrorAfter,
    Trouble::Delayed,
    Trouble::DropBefore,
    Trouble::Hang,
    Trouble::HalfBody,
];

fn is_full() -> bool {
    std::env::var("SWEEP").is_ok_and(|value| value == "full")
}

/// Plays the cases on some threads, prints the counts, and fails with every case that failed.
fn sweep<T: Sync>(name: &str, cases: &[T], play: impl Fn(&T) -> Result<Counts, String> + Sync) -> Counts {
    let next = AtomicUsize::new(0);
    let sum = Mutex::new((Counts::default(), Vec::new()));
    // They wait more than they work.
    let threads = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played = play(case);
                    let mut sum = sum.lock().unwrap();
                    match played {
                        Ok(counts) => sum.0.add(counts),
                        Err(why) => sum.1.push(why),
                    }
                }
            });
        }
    });
    let (counts, failures) = sum.into_inner().unwrap();
    eprintln!("{name}: {} cases: {counts}", cases.len());
    assert!(failures.is_empty(), "{} of {} cases failed:\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
    assert_eq!((counts.duplicates, counts.lost), (0, 0));
    counts
}

/// Every boundary of a script under a trouble, or every `step`-th, with each recovery.
fn at_boundaries(script: Script, trouble: Trouble, step: usize) -> Vec<Case> {
    let count = boundaries(script, trouble).len();
    let numbers = (1..=count).step_by(step);
    numbers
        .flat_map(|number| {
            RECOVERIES.map(|recovery| Case { script, trouble, moment: Moment::Boundary(number), recovery })
        })
        .collect()
}

#[test]
fn killed_at_every_boundary_exactly_one_execution_comes_of_it() {
    let mut cases = Vec::new();
    for script in SCRIPTS {
        let step = if is_full() || script == Script::Deploy { 1 } else { 5 };
        cases.extend(at_boundaries(script, Trouble::None, step));
    }
    let counts = sweep("killed at boundaries", &cases, |case| case.play());
    assert!(counts.kills > cases.len() * 9 / 10 && counts.resumed > 0 && counts.second_runs > 0, "{counts}");
}

#[test]
fn killed_under_troubles_of_the_submission() {
    let mut cases = Vec::new();
    for trouble in TROUBLES {
        for script in SCRIPTS {
            if is_full() {
                cases.extend(at_boundaries(script, trouble, 1));
            } else if script == Script::Deploy {
                cases.extend(at_boundaries(script, trouble, 23));
            }
        }
    }
    let counts = sweep("killed under troubles", &cases, |case| case.play());
    assert!(counts.kills > cases.len() * 8 / 10, "{counts}");
}

#[test]
fn a_submission_in_flight_lands_after_the_successor_has_sent_its_own() {
    let mut cases = Vec::new();
    for script in SCRIPTS {
        for recovery in RECOVERIES {
            cases.push(Case { script, trouble: Trouble::None, moment: Moment::InFlight, recovery });
        }
    }
    let counts = sweep("killed in flight", &cases, |case| case.play());
    assert_eq!(counts.kills, cases.len());
}

#[test]
fn a_jobmanager_that_forgot_makes_the_outcome_unknown() {
    let mut cases = Vec::new();
    for script in SCRIPTS {
        for recovery in RECOVERIES {
            cases.push(Case { script, trouble: Trouble::Restart, moment: Moment::InFlight, recovery });
        }
        let step = if is_full() { 1 } else { 9 };
        cases.extend(at_boundaries(script, Trouble::Restart, step));
    }
    let counts = sweep("killed, and the JobManager restarted", &cases, |case| case.play());
    assert!(counts.unknown >= 6, "{counts}");
}
