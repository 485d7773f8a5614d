//! The kill sweep: the process dies at every boundary of a run, and under every trouble of the JobManager; afterwards
//! exactly one execution lives, and the run has ended well or says that the outcome is unknown.
//!
//! `SWEEP=full cargo test --test kill_sweep -- --nocapture` sweeps everything; without it a part that takes a minute.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and prints its counts")]

mod case;
mod control;
mod stop;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
fn sweep<T: Sync>(name: &str, cases: &[T], play: impl Fn(&T) -> (Counts, Result<(), String>) + Sync) -> Counts {
    let next = AtomicUsize::new(0);
    let sum = Mutex::new((Counts::default(), Vec::new()));
    // They wait more than they work.
    let threads = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (counts, verdict) = play(case);
                    let mut sum = sum.lock().unwrap();
                    sum.0.add(counts);
                    sum.1.extend(verdict.err());
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

/// The boundaries round the first submission: before the request, after it, and after its outcome was recorded.
fn round_submission(script: Script, trouble: Trouble) -> Vec<Case> {
    let sent = case::submission(script);
    [sent, sent + 1, sent + 3]
        .into_iter()
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
                cases.extend(round_submission(script, trouble));
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
        if is_full() {
            cases.extend(at_boundaries(script, Trouble::Restart, 1));
        } else {
            cases.extend(round_submission(script, Trouble::Restart));
        }
    }
    let counts = sweep("killed, and the JobManager restarted", &cases, |case| case.play());
    assert!(counts.unknown >= 6, "{counts}");
}

#[test]
fn killed_at_random_moments() {
    let mut random = Random(20_261_123);
    let mut cases = Vec::new();
    for _ in 0..if is_full() { 300 } else { 12 } {
        let trouble = [Trouble::None, Trouble::DropAfter, Trouble::Delayed, Trouble::HalfBody][random.below(4)];
        let moment = Moment::After(Duration::from_micros(random.below(700_000) as u64));
        let (script, recovery) = (SCRIPTS[random.below(3)], RECOVERIES[random.below(2)]);
        cases.push(Case { script, trouble, moment, recovery });
    }
    let counts = sweep("killed at random moments", &cases, |case| case.play());
    assert!(counts.kills > 0, "{counts}");
}

#[test]
fn a_stopped_process_wakes_up_after_its_successor_and_does_no_harm() {
    let mut cases = Vec::new();
    for script in SCRIPTS {
        let sent = case::submission(script);
        let count = boundaries(script, Trouble::None).len();
        let numbers: Vec<usize> = match script {
            _ if is_full() => (1..=count).collect(),
            Script::Deploy => (1..=count).filter(|number| number % 5 == 0 || number.abs_diff(sent) < 3).collect(),
            Script::Execute | Script::Cancel => vec![sent - 2, sent, sent + 1],
        };
        for number in numbers {
            cases.extend(RECOVERIES.map(|recovery| stop::Stop { script, number, recovery }));
        }
    }
    let counts = sweep("stopped and woken", &cases, |case| case.play());
    assert!(counts.stops > cases.len() * 9 / 10 && counts.told > 0 && counts.superseded > 0, "{counts}");
}

#[test]
fn without_intents_the_same_kill_makes_duplicates() {
    let with = control::play(control::Memory::Kept);
    let without = control::play(control::Memory::Lost);
    eprintln!("negative control: duplicates with intents {with}, without {without}");
    assert_eq!(with, 0);
    assert!(without > 0, "the sweep does not bite");
}

/// Numbers that are the same on every machine (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}
