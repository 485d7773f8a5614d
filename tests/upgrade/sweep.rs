//! Death at every boundary and at random moments of an upgrade, a stop, a restart and a rollback, with lost answers, a JobManager
//! that restarts and forgets, a process that was stopped and wakes up, and two processes at once.
//!
//! Afterwards at most one execution lives, exactly one where nothing stands against it, and it was started from the newest state;
//! a run that cannot go on says why. A control that forgets its state shows that the sweep finds what it looks for.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::{Ended, Sandbox};
use crate::{checkpoint, done, stage};

/// What is done while death comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Savepoint,
    LastState,
    Restart,
    Stop,
    Rollback,
}

const ACTIONS: [Action; 5] = [Action::Savepoint, Action::LastState, Action::Restart, Action::Stop, Action::Rollback];

impl Action {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Savepoint => &["run", "savepoint"],
            Self::LastState => &["run", "last_state"],
            Self::Restart => &["restart", "steady"],
            Self::Stop => &["stop", "steady"],
            Self::Rollback => &["rollback", "steady"],
        }
    }
}

/// What goes wrong beside the death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// The answers to what acts are lost.
    Lost,
    /// The answers to what acts are a 503, after it has acted.
    Refused,
    /// The JobManager dies with it, and comes back knowing nothing.
    Restart,
    /// It is not killed but stopped, and wakes up when its successor has finished.
    Sleep,
    /// It is not killed: another one does the same at the same time.
    Two,
    /// The state is lost: what must not go well.
    Forgets,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    action: Action,
    trouble: Trouble,
    /// The boundary that death comes at; else a moment.
    boundary: Option<usize>,
    after: Duration,
    resumes: bool,
}

/// A fake on which the action can begin, the newest state, and the number of the run that will do it.
fn prepared(action: Action) -> (FakeFlink, Sandbox, String, &'static str) {
    let (flink, sandbox) = stage();
    flink.with(|cluster| cluster.cancel_takes = Duration::from_millis(30));
    let newest = checkpoint(&flink);
    if action == Action::Rollback {
        done(&sandbox.run(&["run", "savepoint"]));
        return (flink, sandbox, newest, "r3");
    }
    (flink, sandbox, newest, "r2")
}

/// Refusals that explain themselves, where the JobManager took what it knew with it.
const EXPLAINED: [&str; 4] = ["job.state_unknown", "job.unknown_outcome", "savepoint.failed", "flink.job_not_found"];

fn says_one_of(ended: &Ended, codes: &[&str]) -> bool {
    codes.iter().any(|code| ended.said.contains(&format!("error[{code}]")))
}

/// Does it; whether death came in time, or what is wrong.
fn perform(case: Case) -> Result<bool, String> {
    let Case { action, trouble, boundary, after, resumes } = case;
    let (flink, sandbox, newest, run) = prepared(action);
    let answers = match trouble {
        Trouble::Lost => Some(Fault::DropAfter),
        Trouble::Refused => Some(Fault::AnswerAfter(Reply::html(503, "Service Unavailable"))),
        _ => None,
    };
    if let Some(fault) = answers {
        for path in ["/stop", "/run"] {
            flink.fault("POST", path, 1, fault.clone());
        }
    }
    let halt = boundary.map(|number| match trouble {
        Trouble::Sleep => format!("{number}:stop"),
        _ => number.to_string(),
    });
    let mut process = sandbox.start(action.arguments(), halt.as_deref());
    let mut sleeps = false;
    let struck = match (trouble, boundary) {
        (Trouble::Two, _) => {
            let mut other = sandbox.start(action.arguments(), None);
            process.wait();
            other.wait();
            true
        }
        (Trouble::Sleep, Some(_)) => {
            sleeps = process.wait_stopped();
            sleeps
        }
        (_, Some(_)) => process.wait().was_killed(),
        // The moment itself is the case: nothing is awaited.
        (_, None) => {
            std::thread::park_timeout(after);
            process.kill().was_killed()
        }
    };
    flink.clear_faults();
    match trouble {
        Trouble::Restart => flink.restart(false),
        Trouble::Sleep => sandbox.remove_locks(),
        Trouble::Forgets => drop(std::fs::remove_dir_all(sandbox.path().join(".tidegate"))),
        _ => {}
    }
    let status = sandbox.ask(&format!("SELECT status FROM runs WHERE id = {}", &run[1..])).pop();
    let mut said = String::new();
    let mut explains = false;
    if resumes && status.as_deref() == Some("running") && !matches!(trouble, Trouble::Sleep | Trouble::Two) {
        let resumed = sandbox.run(&["resume", run]);
        explains |= trouble == Trouble::Restart && says_one_of(&resumed, &EXPLAINED);
        let explained = resumed.said.contains("died before it began: nothing was done");
        if resumed.code() != Some(0) && !explained && !explains {
            return Err(format!("{case:?}: resume: {}", resumed.said));
        }
        said.push_str(&resumed.said);
    }
    // Once more, as somebody would. A rollback that is done has nothing before it; one more restart is one more restart.
    let mut again = sandbox.run(action.arguments());
    if sleeps && says_one_of(&again, &["state.locked"]) {
        // It was stopped while it wrote, and nobody else can: that is said. Woken up, it finishes.
        process.wake();
        said.push_str(&process.wait().said);
        sleeps = false;
        again = sandbox.run(action.arguments());
    }
    said.push_str(&again.said);
    explains |= trouble == Trouble::Restart && says_one_of(&again, &EXPLAINED);
    let is_done = action == Action::Rollback && says_one_of(&again, &["job.no_revision"]);
    // Done before the JobManager died: nobody has asked for the job since.
    explains |= is_done && trouble == Trouble::Restart;
    if sleeps {
        process.wake();
        said.push_str(&process.wait().said);
    }
    if again.code() != Some(0) && !is_done && !explains {
        return Err(format!("{case:?}: the successor ended with {:?}: {said}", again.code()));
    }
    if action == Action::Stop {
        if flink.executions().iter().any(|execution| execution.is_live()) {
            return Err(format!("{case:?}: it runs: {said}"));
        }
        let started = sandbox.run(&["start", "steady"]);
        explains |= trouble == Trouble::Restart && says_one_of(&started, &EXPLAINED);
        said.push_str(&started.said);
    }
    judge(&flink, case, &newest, explains)
        .map_err(|why| format!("{case:?}: {why}: {said}\n{:?}", flink.executions()))?;
    Ok(struck)
}

fn judge(flink: &FakeFlink, case: Case, newest: &str, explains: bool) -> Result<(), String> {
    let executions = flink.executions();
    let live: Vec<_> = executions.iter().filter(|execution| execution.is_live()).collect();
    if !flink.twins().is_empty() || live.len() > 1 {
        return Err(format!("TWINS: {} live, {:?}", live.len(), flink.twins()));
    }
    let Some(live) = live.first() else {
        return if explains { Ok(()) } else { Err("LOST: nothing runs".to_owned()) };
    };
    let from = live.restored_from.as_deref().unwrap_or_default();
    let right = match case.action {
        // What the JobManager knew of a newer one went with it only where nothing had been done yet.
        _ if case.trouble == Trouble::Restart && live.job_id == executions[0].job_id => true,
        Action::LastState => from == newest || from.contains("/savepoint-"),
        _ => from.contains("/savepoint-"),
    };
    if right { Ok(()) } else { Err(format!("OLDER: started from `{from}`")) }
}

/// Performs all cases, as many at once as is quick; gives the number of kills and what went wrong.
fn all(name: &str, cases: &[Case]) -> (usize, Vec<String>) {
    let (next, struck, failures) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) * 2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match perform(*case) {
                        Ok(true) => drop(struck.fetch_add(1, Ordering::Relaxed)),
                        Ok(false) => {}
                        Err(why) => failures.lock().unwrap().push(why),
                    }
                }
            });
        }
    });
    let (struck, failures) = (struck.into_inner(), failures.into_inner().unwrap());
    let count = |text: &str| failures.iter().filter(|why| why.contains(text)).count();
    eprintln!(
        "{name}: {} cases, {struck} struck; twins {}, lost {}, older state {}, unexplained {}",
        cases.len(),
        count("TWINS:"),
        count("LOST:"),
        count("OLDER:"),
        failures.len() - count("TWINS:") - count("LOST:") - count("OLDER:"),
    );
    (struck, failures)
}

fn sweep(name: &str, cases: &[Case]) {
    let (struck, failures) = all(name, cases);
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
    assert!(struck * 3 > cases.len(), "{struck} of {} cases struck: the sweep does not bite", cases.len());
}

fn is_full() -> bool {
    std::env::var("SWEEP").is_ok_and(|value| value == "full")
}

/// How many boundaries an action has.
fn boundaries(action: Action) -> usize {
    let (_flink, sandbox, _, _) = prepared(action);
    let mut process = sandbox.start(action.arguments(), None);
    done(&process.wait());
    sandbox.reached(process.number).len()
}

#[test]
fn death_at_every_boundary_keeps_one_execution_and_its_newest_state() {
    let mut cases = Vec::new();
    for action in ACTIONS {
        for number in (1..=boundaries(action)).step_by(if is_full() { 1 } else { 2 }) {
            let both = [number % 4 < 2, number % 4 >= 2];
            for resumes in &both[..if is_full() { 2 } else { 1 }] {
                let case = Case {
                    action,
                    trouble: Trouble::None,
                    boundary: Some(number),
                    after: Duration::ZERO,
                    resumes: *resumes,
                };
                cases.push(case);
                if is_full() {
                    cases.push(Case { trouble: Trouble::Restart, ..case });
                    cases.push(Case { trouble: Trouble::Sleep, ..case });
                }
            }
        }
    }
    sweep("at every boundary", &cases);
}

#[test]
fn death_at_random_moments_keeps_one_execution_and_its_newest_state() {
    let count = if is_full() { 2_000 } else { 30 };
    let troubles = [Trouble::None, Trouble::Lost, Trouble::Refused, Trouble::Restart, Trouble::Two];
    let cases: Vec<Case> = (0..count)
        .map(|index: u64| Case {
            action: ACTIONS[usize::try_from(index).unwrap() % ACTIONS.len()],
            trouble: troubles[usize::try_from(index / 5).unwrap() % troubles.len()],
            boundary: None,
            after: Duration::from_micros(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 250_000),
            resumes: index % 4 < 2,
        })
        .collect();
    sweep("at random moments", &cases);
}

#[test]
fn a_tool_that_forgets_is_found_by_the_sweep() {
    let last = boundaries(Action::Savepoint);
    let cases: Vec<Case> = (1..=last)
        .step_by(6)
        .map(|number| Case {
            action: Action::Savepoint,
            trouble: Trouble::Forgets,
            boundary: Some(number),
            after: Duration::ZERO,
            resumes: false,
        })
        .collect();
    let (_, failures) = all("control: the state is deleted", &cases);
    assert!(failures.iter().any(|why| why.contains("OLDER: started from ``")), "{failures:?}");
}
