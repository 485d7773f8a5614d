//! The process is stopped (SIGSTOP) at a boundary, a successor works meanwhile, and the stopped one wakes up.

use crate::case::{Counts, Recovery, Script, expect, stage};
use crate::support::fake_flink::FakeFlink;
use crate::support::sandbox::{Ended, Sandbox};

/// One case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    pub(crate) script: Script,
    /// The boundary, from 1.
    pub(crate) number: usize,
    /// What the successor is.
    pub(crate) recovery: Recovery,
}

impl Stop {
    /// Plays the case. What went wrong comes in words, and what was counted comes all the same.
    pub(crate) fn play(self) -> (Counts, Result<(), String>) {
        let mut counts = Counts::default();
        let (flink, sandbox) = stage();
        let verdict = self.act(&flink, &sandbox, &mut counts);
        let twins = flink.twins();
        counts.duplicates += twins.len();
        let verdict = match verdict {
            Ok(()) if !twins.is_empty() => Err(format!("twins: {twins:?}")),
            verdict => verdict,
        };
        (counts, verdict.map_err(|why| format!("{self:?}: {why}\nexecutions: {:?}", flink.executions())))
    }

    fn act(self, flink: &FakeFlink, sandbox: &Sandbox, counts: &mut Counts) -> Result<(), String> {
        let mut stopped = sandbox.start(&["run", self.script.name()], Some(&format!("{}:stop", self.number)));
        if !stopped.wait_stopped() {
            counts.undisturbed += 1;
            return Ok(());
        }
        counts.stops += 1;
        // Stopped inside a transaction it holds the database itself, which no removed file gives back.
        let holds_database = sandbox.reached(stopped.number).last().is_some_and(|name| name == "commit.before");
        let pid = stopped.pid();
        let first = sandbox.run(&self.command(sandbox));
        if first.code() != Some(0) {
            counts.told += self.told(&first, pid, sandbox, holds_database)?;
        }
        if first.code() != Some(0) {
            sandbox.remove_locks();
            let second = sandbox.run(&self.command(sandbox));
            let free = second.code() == Some(0);
            let nothing_begun = second.said.contains("before it began") || second.said.contains("there is no run");
            let refused =
                second.code() == Some(1) && (nothing_begun || holds_database || second.said.contains("nothing left"));
            expect(free || refused, &second, "without lock files the successor does not come to its end")?;
            match self.recovery {
                _ if !free => {}
                Recovery::Resume => counts.resumed += 1,
                Recovery::Second => counts.second_runs += 1,
            }
        }
        stopped.wake();
        let woken = stopped.wait();
        let superseded = woken.said.contains("another process");
        counts.superseded += usize::from(superseded && woken.code() != Some(0));
        // What the successor has cancelled is not RUNNING any more.
        let cancelled = self.script == Script::Cancel && woken.said.contains("CANCELED");
        expect(woken.code() == Some(0) || superseded || cancelled, &woken, "the woken process failed otherwise")?;
        self.check(flink, counts)
    }

    /// The successor: of a run that waits already it is a resume.
    fn command(self, sandbox: &Sandbox) -> [&'static str; 2] {
        match self.recovery {
            Recovery::Resume => ["resume", "r1"],
            Recovery::Second if sandbox.ask("SELECT status FROM runs WHERE id = 2") == ["waiting"] => ["resume", "r2"],
            Recovery::Second => ["run", self.script.name()],
        }
    }

    /// Whether the refusal tells who holds what. 1 where it names the process.
    fn told(self, ended: &Ended, pid: u32, sandbox: &Sandbox, holds_database: bool) -> Result<usize, String> {
        let names =
            ended.said.contains(&format!("process {pid}, which is stopped")) && ended.said.contains("kill -CONT");
        if names {
            // `run` has a run of its own by then, which waits for the job.
            let code = if self.recovery == Recovery::Resume || holds_database { 1 } else { 3 };
            expect(ended.code() == Some(code), ended, "the exit code is another one")?;
            return Ok(1);
        }
        // An execution that a live run waits for is refused a twin, whether that run is stopped or not.
        if self.script == Script::Execute && ended.said.contains("already runs as attempt 1 (run r1)") {
            return Ok(0);
        }
        let nothing_begun = sandbox.ask("SELECT 1 FROM input_rows WHERE name = 'environment'").is_empty();
        let nothing_left = sandbox.ask("SELECT status FROM runs WHERE id = 1") == ["done"];
        expect(nothing_begun || nothing_left, ended, "the message does not name the stopped process")?;
        Ok(0)
    }

    fn check(self, flink: &FakeFlink, counts: &mut Counts) -> Result<(), String> {
        let executions = flink.executions();
        let live = executions.iter().filter(|execution| execution.is_live()).count();
        let most = if self.script == Script::Deploy { 1 } else { 2 };
        counts.duplicates += executions.len().saturating_sub(most);
        if self.script != Script::Execute {
            counts.lost += self.script.lives().saturating_sub(live);
        }
        if executions.is_empty() || executions.len() > most {
            return Err(format!("{} executions, at most {most} expected", executions.len()));
        }
        if self.script != Script::Execute && live != self.script.lives() {
            return Err(format!("{live} executions live, and {} should", self.script.lives()));
        }
        Ok(())
    }
}
