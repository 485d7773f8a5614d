//! What must hold after a case, as the fake knows it, and the counts of all cases.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::case::Case;
use super::play::play;
use crate::support::fake_flink::FakeFlink;
use crate::support::sandbox::Sandbox;

/// The runs that have not come to an end.
pub(super) fn open_runs(sandbox: &Sandbox) -> Vec<String> {
    let open = sandbox.ask("SELECT id FROM runs WHERE status IN ('running', 'waiting') ORDER BY id");
    open.into_iter().map(|id| format!("r{id}")).collect()
}

/// At most one execution lives, and each was started from the newest state that the one before had when it ended. Whether one lives;
/// none may where a refusal that `explains` it was said.
pub(super) fn judge(flink: &FakeFlink, explains: bool) -> Result<bool, String> {
    let executions = flink.executions();
    // The tasks of a dead JobManager have an end that is known: they are no job any more.
    let live = executions.iter().filter(|execution| execution.ended.is_none()).count();
    if !flink.twins().is_empty() || live > 1 {
        return Err(format!("TWINS: {live} live, {:?}", flink.twins()));
    }
    for pair in executions.windows(2) {
        if pair[1].restored_from != pair[0].newest {
            let shown = |state: &Option<String>| state.clone().unwrap_or_default();
            return Err(format!(
                "OLDER: started from `{}`, and the newest is `{}`",
                shown(&pair[1].restored_from),
                shown(&pair[0].newest)
            ));
        }
    }
    if live == 0 && !explains { Err("LOST: nothing runs".to_owned()) } else { Ok(live == 1) }
}

#[derive(Default)]
struct Count {
    cases: usize,
    struck: usize,
    explained: usize,
}

/// What became of all cases.
#[derive(Default)]
pub(super) struct Tally {
    done: usize,
    of: BTreeMap<String, Count>,
    pub(super) failures: Vec<String>,
}

/// Performs all cases, as many at once as is quick, and prints the counts.
pub(super) fn all(name: &str, cases: &[Case]) -> Tally {
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) * 2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = play(*case);
                    let mut tally = tally.lock().unwrap();
                    tally.done += 1;
                    if super::is_full() && tally.done.is_multiple_of(100) {
                        eprintln!("{name}: {} of {}, {} failed", tally.done, cases.len(), tally.failures.len());
                    }
                    let count = tally.of.entry(case.trouble.name()).or_default();
                    count.cases += 1;
                    match outcome {
                        Ok(outcome) => {
                            count.struck += usize::from(outcome.struck);
                            count.explained += usize::from(outcome.explained);
                        }
                        Err(why) => {
                            if super::is_full() && !case.trouble.is_control() {
                                // Nobody waits for the end of the long one to read it.
                                eprintln!("{why}");
                            }
                            tally.failures.push(why);
                        }
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    let count = |text: &str| tally.failures.iter().filter(|why| why.contains(text)).count();
    let (twins, lost, older, undone) = (count("TWINS:"), count("LOST:"), count("OLDER:"), count("UNDONE:"));
    eprintln!(
        "{name}: {} cases, {} struck; twins {twins}, lost {lost}, older state {older}, undone {undone}, unexplained {}",
        cases.len(),
        tally.struck(),
        tally.failures.len() - twins - lost - older - undone,
    );
    for (trouble, count) in &tally.of {
        eprintln!("  {trouble}: {} of {} struck, {} refused with a reason", count.struck, count.cases, count.explained);
    }
    tally
}

impl Tally {
    fn struck(&self) -> usize {
        self.of.values().map(|count| count.struck).sum()
    }

    /// Nothing went wrong, and each trouble came, as a rule, in time.
    pub(super) fn holds(&self, cases: &[Case]) {
        let failures = &self.failures;
        assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
        assert!(
            self.struck() * 2 > cases.len(),
            "{} of {} struck: the sweep does not bite",
            self.struck(),
            cases.len()
        );
        for (trouble, count) in &self.of {
            assert!(count.struck * 3 >= count.cases, "{trouble}: {} of {} struck", count.struck, count.cases);
        }
    }
}
