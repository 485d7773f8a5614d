//! One case of the sweep: a script, a trouble of the JobManager, a moment at which the process is killed, and what its
//! user does then.

use std::time::Duration;

use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::{Ended, Sandbox};

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Deploys a streaming job and waits for RUNNING.
    Deploy,
    /// Executes a bounded job to its end.
    Execute,
    /// Deploys a streaming job, waits for RUNNING, and cancels it.
    Cancel,
}

/// What the JobManager does to the first submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    None,
    /// Accepts it and closes the connection.
    DropAfter,
    /// Accepts it, and a proxy answers 503.
    ErrorAfter,
    /// Accepts it, and answers with a failure of its own.
    ServerErrorAfter,
    /// Works on it later, perhaps after the client has died.
    Delayed,
    /// Closes the connection without reading on.
    DropBefore,
    /// Never answers, and never works on it.
    Hang,
    /// Accepts it and breaks off in the middle of the answer.
    HalfBody,
    /// Restarts after the client has died, and forgets all jobs and ids.
    Restart,
}

/// When the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// At its N-th boundary, from 1.
    Boundary(usize),
    /// While its submission is on the way: the JobManager works on it only after the successor has looked and sent.
    InFlight,
    /// After a time.
    After(Duration),
}

/// What is done after the kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// `tidegate resume r1`.
    Resume,
    /// `tidegate run` once more, and `tidegate resume r1` after that.
    Second,
}

/// One case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub script: Script,
    pub trouble: Trouble,
    pub moment: Moment,
    pub recovery: Recovery,
}

/// What the cases came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub kills: usize,
    pub stops: usize,
    /// Ended before the moment came: only the polls of a wait differ from run to run.
    pub undisturbed: usize,
    pub resumed: usize,
    pub second_runs: usize,
    pub unknown: usize,
    /// Successors that were told of the stopped process.
    pub told: usize,
    /// Woken processes that were told that they were superseded.
    pub superseded: usize,
    pub duplicates: usize,
    pub lost: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.stops += other.stops;
        self.undisturbed += other.undisturbed;
        self.resumed += other.resumed;
        self.second_runs += other.second_runs;
        self.unknown += other.unknown;
        self.told += other.told;
        self.superseded += other.superseded;
        self.duplicates += other.duplicates;
        self.lost += other.lost;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "kills {}, stops {}, undisturbed {}, resumed {}, second runs {}, unknown {}, told of a stopped process {}, \
             superseded {}, duplicates {}, lost {}",
            self.kills,
            self.stops,
            self.undisturbed,
            self.resumed,
            self.second_runs,
            self.unknown,
            self.told,
            self.superseded,
            self.duplicates,
            self.lost
        )
    }
}

const SQL: &str = "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\n\
                   CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\n\
                   INSERT INTO b SELECT n FROM a;\n";
const DEPLOY: &str = "let job = job::sql(\"steady\", #{ template: \"job.sql\", checkpointing: #{ interval: \"1s\" } }).deploy();\n\
                      let now = job.wait_for(\"RUNNING\", \"30s\");\n\
                      print(`${now.state}`);\n";
const EXECUTE: &str = "let done = job::sql(\"bounded\", #{ template: \"job.sql\" }).execute(#{ timeout: \"30s\" });\n\
                       print(`${done.state}`);\n";
const CANCEL: &str = "let job = job::sql(\"brief\", #{ template: \"job.sql\" }).deploy();\n\
                      job.wait_for(\"RUNNING\", \"30s\");\n\
                      job.cancel();\n";

/// How long the bounded job takes: long enough to be met while it runs.
const BOUNDED: Duration = Duration::from_millis(150);

impl Script {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Execute => "execute",
            Self::Cancel => "cancel",
        }
    }

    /// How many executions live after it.
    pub(crate) fn lives(self) -> usize {
        usize::from(self == Self::Deploy)
    }
}

/// A fake JobManager and a workspace that deploys to it.
pub(crate) fn stage() -> (FakeFlink, Sandbox) {
    let flink = FakeFlink::start();
    flink.with(|cluster| cluster.finish_after = BOUNDED);
    let files = [
        ("templates/job.sql", SQL),
        ("scripts/deploy.rhai", DEPLOY),
        ("scripts/execute.rhai", EXECUTE),
        ("scripts/cancel.rhai", CANCEL),
    ];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    (flink, sandbox)
}

impl Trouble {
    pub(crate) fn arrange(self, flink: &FakeFlink) {
        let fault = match self {
            Self::None | Self::Restart => return,
            Self::DropAfter => Fault::DropAfter,
            Self::ErrorAfter => Fault::AnswerAfter(Reply::html(503, "Service Unavailable")),
            Self::ServerErrorAfter => Fault::AnswerAfter(Reply::server_error("java.lang.OutOfMemoryError: Metaspace")),
            Self::Delayed => Fault::DelayBefore(Duration::from_millis(300)),
            Self::DropBefore => Fault::DropBefore,
            Self::Hang => Fault::Hang,
            Self::HalfBody => Fault::HalfBody,
        };
        flink.fault("POST", "/run", 1, fault);
    }
}

/// The boundaries that an undisturbed run reaches.
pub(crate) fn boundaries(script: Script, trouble: Trouble) -> Vec<String> {
    let (flink, sandbox) = stage();
    trouble.arrange(&flink);
    let mut process = sandbox.start(&["run", script.name()], None);
    let ended = process.wait();
    assert_eq!(ended.code(), Some(0), "{script:?} with {trouble:?}: {}", ended.said);
    let reached = sandbox.reached(process.number);
    // Without these the sweep would sweep nothing.
    assert!(reached.iter().filter(|name| *name == "commit.before").count() >= 6, "{reached:?}");
    assert!(reached.iter().filter(|name| *name == "request.before").count() >= 6, "{reached:?}");
    reached
}

/// The number of the boundary just before the first submission of an undisturbed run is sent.
pub(crate) fn submission(script: Script) -> usize {
    let (flink, sandbox) = stage();
    let mut process = sandbox.start(&["run", script.name()], None);
    process.wait();
    // Requests are made one after the other, so the boundaries and what the JobManager saw have one order.
    let request = flink.requests().iter().position(|seen| seen.path.ends_with("/run")).unwrap();
    let reached = sandbox.reached(process.number);
    let before = reached.iter().enumerate().filter(|(_, name)| *name == "request.before").nth(request);
    before.map(|(index, _)| index + 1).unwrap()
}

impl Case {
    /// Plays the case. What went wrong comes in words, and what was counted comes all the same.
    pub(crate) fn play(self) -> (Counts, Result<(), String>) {
        let mut counts = Counts::default();
        let verdict = self.act(&mut counts);
        (counts, verdict)
    }

    fn act(self, counts: &mut Counts) -> Result<(), String> {
        let (flink, sandbox) = stage();
        if self.moment == Moment::InFlight {
            flink.fault("POST", "/run", 1, Fault::HoldBefore);
        } else {
            self.trouble.arrange(&flink);
        }
        let killed = self.kill(&flink, &sandbox)?;
        if killed {
            counts.kills += 1;
        } else {
            counts.undisturbed += 1;
        }
        if self.trouble == Trouble::Restart {
            flink.restart(false);
        }
        let verdict = self.recover(&flink, &sandbox, counts);
        counts.duplicates += flink.twins().len();
        verdict.map_err(|why| {
            let runs = sandbox.run(&["runs", "--json"]).said;
            let executions = flink.executions();
            format!("{self:?}: {why}\nexecutions: {executions:?}\nruns: {runs}")
        })
    }

    fn kill(self, flink: &FakeFlink, sandbox: &Sandbox) -> Result<bool, String> {
        let command = ["run", self.script.name()];
        let ended = match self.moment {
            Moment::Boundary(number) => sandbox.start(&command, Some(&number.to_string())).wait(),
            Moment::InFlight => {
                let mut process = sandbox.start(&command, None);
                flink.wait_for_request("POST", "/run", 1);
                process.kill()
            }
            Moment::After(time) => {
                let mut process = sandbox.start(&command, None);
                // The moment itself is the case: nothing is awaited.
                std::thread::park_timeout(time);
                process.kill()
            }
        };
        match ended.code() {
            None if ended.was_killed() => Ok(true),
            Some(0) => Ok(false),
            _ => Err(format!("the first run ended by itself: {}", ended.said)),
        }
    }

    fn recover(self, flink: &FakeFlink, sandbox: &Sandbox, counts: &mut Counts) -> Result<(), String> {
        let open = !sandbox.ask("SELECT 1 FROM attempts WHERE submission = 'open'").is_empty();
        let sent_before = flink.executions().len();
        let status = |run: i64| sandbox.ask(&format!("SELECT status FROM runs WHERE id = {run}")).pop();
        // Where nothing was pinned yet, or all was done, there is nothing to resume.
        let begun = !sandbox.ask("SELECT 1 FROM input_rows WHERE kind = 'value' AND name = 'environment'").is_empty();
        let resumable = status(1).as_deref() == Some("running") && begun;
        let (run, ended) = if self.recovery == Recovery::Resume && resumable {
            counts.resumed += 1;
            (1, self.successor(flink, sandbox, &["resume", "r1"]))
        } else if self.recovery == Recovery::Resume && status(1).as_deref() == Some("done") {
            let ended = sandbox.run(&["resume", "r1"]);
            expect(ended.code() == Some(1) && ended.said.contains("nothing left to do"), &ended, "a done run resumed")?;
            if self.trouble == Trouble::Restart {
                // The run was over before the JobManager went down with the job: nothing of it is open.
                return self.check_after_restart(flink, &ended);
            }
            return self.check(flink, sandbox, counts, 1);
        } else {
            counts.second_runs += 1;
            let run = status(1).map_or(1, |_| 2);
            (run, self.successor(flink, sandbox, &["run", self.script.name()]))
        };
        if self.trouble == Trouble::Restart {
            if !open {
                return self.check_after_restart(flink, &ended);
            }
            counts.unknown += 1;
            expect(ended.code() == Some(3), &ended, "the outcome is unknown, and the exit code is not 3")?;
            expect(
                status(run).as_deref() == Some("waiting"),
                &ended,
                "the outcome is unknown, and the run does not wait",
            )?;
            expect(
                flink.executions().len() == sent_before,
                &ended,
                "the outcome is unknown, and something was submitted",
            )?;
            let step = sandbox.ask(&format!("SELECT step FROM steps WHERE run = {run} AND status = 'open'"));
            let decided = sandbox.run(&["resume", &format!("r{run}"), "--step", &format!("{}=retry", step.join("+"))]);
            expect(decided.code() == Some(0), &decided, "after `retry` the run is not done")?;
            let started = flink.executions().iter().filter(|execution| execution.incarnation == 2).count();
            expect(started == 1, &decided, "after `retry` not one was started")?;
        } else {
            expect(ended.code() == Some(0), &ended, "the successor is not done")?;
        }
        expect(status(run).as_deref() == Some("done"), &ended, "the run is not done")?;
        if run == 2 && resumable {
            let old = self.check(flink, sandbox, counts, 2).map(|()| sandbox.run(&["resume", "r1"]))?;
            let ended_well = old.code() == Some(0);
            // What r2 has cancelled is not RUNNING any more: r1 says so and is settled.
            let says = old.said.contains("CANCELED") || old.said.contains("error[job.superseded]");
            let cancelled = self.script == Script::Cancel && old.code() == Some(1) && says;
            expect(ended_well || cancelled, &old, "the old run can neither be resumed nor is it settled")?;
        }
        let most = if run == 1 { 1 } else { 2 };
        self.check(flink, sandbox, counts, most)
    }

    /// Runs the successor; lets the held submission land after the successor's own.
    fn successor(self, flink: &FakeFlink, sandbox: &Sandbox, command: &[&str]) -> Ended {
        let mut process = sandbox.start(command, None);
        if self.moment == Moment::InFlight && self.trouble != Trouble::Restart {
            flink.wait_for_processed("POST", "/run", 1);
            flink.release();
            flink.wait_for_processed("POST", "/run", 2);
        }
        process.wait()
    }

    /// Without an open submission a restart is a job that is gone, which the user is told; nothing comes twice.
    fn check_after_restart(self, flink: &FakeFlink, ended: &Ended) -> Result<(), String> {
        expect(matches!(ended.code(), Some(0 | 1)), ended, "after a restart the exit code is neither 0 nor 1")?;
        expect(flink.twins().is_empty(), ended, "twins after a restart")?;
        let live = flink.executions().iter().filter(|execution| execution.is_live()).count();
        expect(live <= 1, ended, "more than one lives after a restart")
    }

    fn check(self, flink: &FakeFlink, sandbox: &Sandbox, counts: &mut Counts, most: usize) -> Result<(), String> {
        let executions = flink.executions();
        let live = executions.iter().filter(|execution| execution.is_live()).count();
        let lived = executions.len();
        let most = match (self.script, self.trouble) {
            // What began before the restart died in it, and was not the retry's.
            (_, Trouble::Restart) => 1 + most,
            (Script::Deploy, _) => 1,
            // A second run executes once more, or cancels once more, after the first has ended.
            (Script::Execute | Script::Cancel, _) => most,
        };
        counts.duplicates += lived.saturating_sub(most);
        if self.script == Script::Execute {
            // It ends by itself after a moment; what was accepted and not waited for is none of these.
            let done = sandbox.ask("SELECT 1 FROM attempts WHERE submission = 'accepted'").len();
            counts.lost += usize::from(done == 0);
        } else {
            counts.lost += self.script.lives().saturating_sub(live);
        }
        let twins = flink.twins();
        if lived > most || !twins.is_empty() {
            return Err(format!("{lived} executions, at most {most} expected; twins: {twins:?}"));
        }
        if self.script != Script::Execute && live != self.script.lives() {
            return Err(format!("{live} executions live, and {} should", self.script.lives()));
        }
        if lived == 0 {
            return Err("nothing was ever executed".to_owned());
        }
        Ok(())
    }
}

/// Says what went wrong where something does not hold.
pub(crate) fn expect(holds: bool, ended: &Ended, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}; exit code {:?}: {}", ended.code(), ended.said)) }
}
