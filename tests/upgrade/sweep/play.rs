//! Plays a case: the death, the successor, and what has come of it.

use std::time::Duration;

use super::case::{Action, Case, Effect, Moment, Stage, Trouble};
use super::judge::{judge, open_runs};
use crate::support::fake_flink::FakeFlink;
use crate::support::sandbox::{Ended, Process, Sandbox};

/// Refusals that explain themselves, where the JobManager took what it knew with it.
const EXPLAINED: [&str; 4] = ["job.state_unknown", "job.unknown_outcome", "savepoint.failed", "flink.job_not_found"];

pub(super) fn says_one_of(ended: &Ended, codes: &[&str]) -> bool {
    codes.iter().any(|code| ended.said.contains(&format!("error[{code}]")))
}

/// What became of a case in which nothing went wrong.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The trouble came in time.
    pub(super) struck: bool,
    /// Nothing runs, and why was said.
    pub(super) explained: bool,
}

struct Play<'a> {
    case: Case,
    flink: &'a FakeFlink,
    sandbox: &'a Sandbox,
    run: &'static str,
    /// How many requests were made before it.
    before: usize,
    process: Process,
    sleeps: bool,
    /// A refusal that was due has been said.
    explains: bool,
    said: String,
}

/// Does it; what became of it, or what is wrong.
pub(super) fn play(case: Case) -> Result<Outcome, String> {
    let Stage { flink, sandbox, run, older } = case.action.prepared(case.is_seen);
    if let (Trouble::Older, Some(older)) = (case.trouble, &older) {
        hand_out(&flink, &sandbox, older);
    }
    case.trouble.arrange(&flink);
    let halt = match case.moment {
        Moment::Boundary(number) if case.trouble == Trouble::Sleep => Some(format!("{number}:stop")),
        Moment::Boundary(number) => Some(number.to_string()),
        _ => None,
    };
    let before = flink.count("*", "");
    let process = sandbox.start(case.action.arguments(), halt.as_deref());
    let (flink, sandbox) = (&flink, &sandbox);
    let mut play =
        Play { case, flink, sandbox, run, before, process, sleeps: false, explains: false, said: String::new() };
    let result = play.strike().and_then(|struck| {
        play.recover()?;
        play.settle()?;
        play.is_desired(if case.action == Action::Stop { "stopped" } else { "running" })?;
        play.start()?;
        let lives = judge(flink, play.explains)?;
        Ok(Outcome { struck: struck || play.has_met_a_fault(), explained: !lives })
    });
    result.map_err(|why| format!("{case:?}: {why}: {}\n{:?}", play.said, flink.executions()))
}

/// From now on tidegate's ledger has the older state as that of a stop, and the JobManager does not tell of the newest.
fn hand_out(flink: &FakeFlink, sandbox: &Sandbox, older: &str) {
    flink.with(|cluster| cluster.hides_newest = true);
    let trigger = format!(
        "CREATE TRIGGER hands_out_the_older AFTER UPDATE OF status ON snapshot_rows
         WHEN NEW.status = 'completed' AND NEW.kind = 'stop' BEGIN
             DELETE FROM snapshot_rows WHERE path = '{older}' AND id <> NEW.id;
             UPDATE snapshot_rows SET path = '{older}' WHERE id = NEW.id;
         END"
    );
    sandbox.database().execute_batch(&trigger).unwrap();
}

impl Play<'_> {
    fn has_met_a_fault(&self) -> bool {
        self.case.trouble.is_fault() && self.flink.faults_left() == 0
    }

    /// Death, or what comes in its place; whether it came in time. A fault that a request is to meet stays for the successor.
    fn strike(&mut self) -> Result<bool, String> {
        let Case { trouble, moment, action, .. } = self.case;
        let struck = match (trouble, moment) {
            (_, Moment::Never) => {
                self.process.wait();
                true
            }
            (Trouble::Two, _) => {
                let meets = moment.wait(self.sandbox, &mut self.process);
                let mut other = self.sandbox.start(action.arguments(), None);
                let ended = [self.process.wait(), other.wait()];
                for ended in ended {
                    self.said.push_str(&ended.said);
                    // The job is the other one's, which is named; the run waits, and is resumed later.
                    let waits = ended.code() == Some(3) && says_one_of(&ended, &["state.locked"]);
                    if ended.code() != Some(0) && !waits && !self.is_done(&ended) {
                        return Err(format!("UNEXPLAINED: one of two ended with {:?}", ended.code()));
                    }
                }
                meets
            }
            (Trouble::Sleep, Moment::Boundary(_)) => {
                self.sleeps = self.process.wait_stopped();
                self.sleeps
            }
            (Trouble::Sleep, _) => {
                self.sleeps = moment.wait(self.sandbox, &mut self.process) && self.process.stop();
                self.sleeps
            }
            (Trouble::Vanish { then } | Trouble::VanishAt { then, .. }, _) => {
                let meets = match trouble {
                    Trouble::VanishAt { effect, .. } => self.wait_for(effect),
                    _ => moment.wait(self.sandbox, &mut self.process),
                };
                self.flink.restart(false);
                std::thread::park_timeout(then);
                let ended = self.process.kill();
                self.explains |= says_one_of(&ended, &EXPLAINED);
                self.said.push_str(&ended.said);
                meets
            }
            (_, Moment::Boundary(_)) => self.process.wait().was_killed(),
            (_, Moment::After(..)) => {
                moment.wait(self.sandbox, &mut self.process);
                self.process.kill().was_killed()
            }
        };
        match trouble {
            Trouble::Forgets => drop(std::fs::remove_dir_all(self.sandbox.path().join(".tidegate"))),
            Trouble::Older => {}
            // What lives works on: its newest state is another one now.
            _ => self.flink.with(|cluster| cluster.complete_checkpoints()),
        }
        match trouble {
            Trouble::Restart => self.flink.restart(false),
            Trouble::Sleep => self.sandbox.remove_locks(),
            _ => {}
        }
        Ok(struck && !trouble.is_fault())
    }

    /// Waits until it sends a request; false where it ended before.
    fn wait_for(&mut self, effect: Effect) -> bool {
        let (method, path) = effect.request();
        while self.flink.requests()[self.before..].iter().all(|seen| seen.method != method || !seen.path.contains(path))
        {
            if !self.process.is_running() {
                return false;
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
        true
    }

    /// What comes after it: a resume, and the action once more, as somebody would.
    fn recover(&mut self) -> Result<(), String> {
        let status = self.sandbox.ask(&format!("SELECT status FROM runs WHERE id = {}", &self.run[1..])).pop();
        if self.case.resumes && status.as_deref() == Some("running") {
            let resumed = self.successor(&["resume", self.run]);
            let nothing = ["died before it began: nothing was done", "nothing left to do"];
            let explained = nothing.iter().any(|text| resumed.said.contains(text));
            let not_begun = self.case.trouble.strikes_an_upload() && says_one_of(&resumed, &["flink.unreachable"]);
            if resumed.code() != Some(0) && !explained && !not_begun && !self.explains {
                return Err(format!("UNEXPLAINED: the resume ended with {:?}", resumed.code()));
            }
        }
        let mut again = self.successor(self.case.action.arguments());
        if says_one_of(&again, &["flink.unreachable"]) && self.case.trouble.strikes_an_upload() {
            // Nothing was begun yet: that is told, and once more is well.
            again = self.successor(self.case.action.arguments());
        }
        // Done before the JobManager died: nobody has asked for the job since.
        self.explains |= self.is_done(&again) && self.case.trouble.forgets();
        self.wake()?;
        if again.code() != Some(0) && !self.is_done(&again) && !self.explains {
            return Err(format!("UNEXPLAINED: the successor ended with {:?}", again.code()));
        }
        Ok(())
    }

    /// What is desired of the job is what was asked for last, whoever failed at it on the way.
    fn is_desired(&self, wanted: &str) -> Result<(), String> {
        let desired = self.sandbox.ask("SELECT desired FROM jobs").pop();
        if self.explains || self.case.trouble.is_control() || desired.as_deref() == Some(wanted) {
            return Ok(());
        }
        Err(format!("UNDONE: {desired:?} is desired, and {wanted} was asked for"))
    }

    /// What was stopped is started again.
    fn start(&mut self) -> Result<(), String> {
        if self.case.action == Action::Stop {
            if self.flink.executions().iter().any(|execution| execution.ended.is_none()) {
                return Err("UNEXPLAINED: it runs".to_owned());
            }
            let started = self.successor(&["start", "steady"]);
            if started.code() != Some(0) && !self.explains {
                return Err(format!("UNEXPLAINED: the start ended with {:?}", started.code()));
            }
        }
        Ok(())
    }

    /// A process that comes after it.
    fn successor(&mut self, arguments: &[&str]) -> Ended {
        let mut ended = self.sandbox.run(arguments);
        if self.sleeps && says_one_of(&ended, &["state.locked"]) {
            // It was stopped while it wrote, and nobody else can: that is said. Woken up, it finishes.
            self.said.push_str(&ended.said);
            self.sleeps = false;
            self.process.wake();
            let woken = self.process.wait();
            self.said.push_str(&woken.said);
            ended = self.sandbox.run(arguments);
        }
        self.said.push_str(&ended.said);
        self.explains |= self.case.trouble.forgets() && says_one_of(&ended, &EXPLAINED);
        ended
    }

    /// Wakes it up when its successor has finished: it finishes, or is told by whom it was overtaken.
    fn wake(&mut self) -> Result<(), String> {
        if !std::mem::take(&mut self.sleeps) {
            return Ok(());
        }
        self.process.wake();
        let woken = self.process.wait();
        self.said.push_str(&woken.said);
        // What it was about to do is done, or undone, by now: it says so. One that waits is resumed later.
        let told = ["job.superseded", "job.twin", "savepoint.failed"];
        let is_told = woken.said.contains("another process") || says_one_of(&woken, &told);
        if matches!(woken.code(), Some(0 | 3)) || is_told || self.is_done(&woken) {
            return Ok(());
        }
        Err(format!("UNEXPLAINED: woken up, it ended with {:?}", woken.code()))
    }

    /// A rollback that is done has nothing before it; one more restart is one more restart.
    fn is_done(&self, ended: &Ended) -> bool {
        self.case.action == Action::Rollback && says_one_of(ended, &["job.no_revision"])
    }

    /// No run is left that can neither be resumed nor says why not.
    fn settle(&mut self) -> Result<(), String> {
        for run in open_runs(self.sandbox) {
            let resumed = self.successor(&["resume", &run]);
            let nothing = resumed.said.contains("died before it began: nothing was done");
            let superseded = says_one_of(&resumed, &["job.superseded"]) || self.is_done(&resumed);
            let not_begun = self.case.trouble.strikes_an_upload() && says_one_of(&resumed, &["flink.unreachable"]);
            if resumed.code() != Some(0) && !nothing && !superseded && !not_begun && !self.explains {
                return Err(format!("UNEXPLAINED: run {run} is open, and its resume ended with {:?}", resumed.code()));
            }
        }
        Ok(())
    }
}
