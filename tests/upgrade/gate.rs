//! Where the stability gate goes back to, and who gives the verdict where a tidegate died over it.

use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::{Ended, Sandbox};
use crate::{SQL, checkpoint, done, lives_from, script, stage};

const TRACE: &str = "java.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n";

fn write(sandbox: &Sandbox, gate: &str) {
    let options = format!("#{{ stable: #{{ {gate} }} }}");
    std::fs::write(sandbox.path().join("scripts/gated.rhai"), script(2, &options)).unwrap();
}

fn newest_id(flink: &FakeFlink) -> String {
    flink.executions().last().unwrap().job_id.clone()
}

fn unstable(ended: &Ended) {
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains("error[job.unstable]"), "{}", ended.said);
}

/// The job ran for months and failed with the outage of something else; it is started again, and the outage lasts.
#[test]
fn where_the_same_revision_ran_before_there_is_nothing_to_go_back_to() {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["run", "savepoint"]));
    let second = newest_id(&flink);
    flink.with(|cluster| {
        cluster.complete_checkpoint(&second);
        cluster.fail_job(&second, TRACE);
    });
    write(&sandbox, "checkpoints: 2, within: \"20s\"");
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_answered("POST", "/run", 3);
    let third = newest_id(&flink);
    flink.wait_for_answered("GET", &format!("/jobs/{third}/checkpoints"), 1);
    flink.with(|cluster| cluster.restart_job(&third, TRACE));
    let ended = process.wait();
    unstable(&ended);
    let text = "it was left as it is: attempt 2 before it ran the same job, revision 2";
    assert!(ended.said.contains(text), "{}", ended.said);
    assert_eq!(flink.executions().len(), 3);
    assert!(lives_from(&flink).unwrap().ends_with(&format!("{second}/chk-1")));
}

/// The revision before was refused, and never ran.
#[test]
fn the_gate_goes_back_to_what_ran_before() {
    let (flink, sandbox) = stage();
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")));
    let refused = sandbox.run(&["run", "savepoint"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.said);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "refused"]);
    let options = "#{ stable: #{ checkpoints: 1, within: \"1ms\" } }";
    std::fs::write(sandbox.path().join("scripts/gated.rhai"), script(3, options)).unwrap();
    let ended = sandbox.run(&["run", "gated"]);
    unstable(&ended);
    assert!(ended.said.contains("revision 1 was started again as attempt 4"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT kind || ifnull(origin, '') FROM revisions WHERE revision = 4"), ["rollback1"]);
}

/// A deploy of the second spec whose process was killed while it watched.
fn killed_in_the_watch() -> (FakeFlink, Sandbox, String) {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    write(&sandbox, "checkpoints: 2, within: \"20s\"");
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_answered("POST", "/run", 2);
    let second = newest_id(&flink);
    flink.wait_for_answered("GET", &format!("/jobs/{second}/checkpoints"), 1);
    process.kill();
    (flink, sandbox, second)
}

/// The script is run again, `lives` decides how the attempt fares while it is watched.
fn run_again(lives: impl Fn(&FakeFlink, &str)) -> (FakeFlink, Sandbox, Ended) {
    let (flink, sandbox, second) = killed_in_the_watch();
    let path = format!("/jobs/{second}/checkpoints");
    let before = flink.count("GET", &path);
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_answered("GET", &path, before + 3);
    lives(&flink, &second);
    let ended = process.wait();
    (flink, sandbox, ended)
}

#[test]
fn run_again_after_a_death_in_the_watch_it_goes_back_from_what_is_not_stable() {
    let (flink, sandbox, ended) = run_again(|flink, second| {
        flink.with(|cluster| cluster.complete_checkpoint(second));
        flink.with(|cluster| cluster.restart_job(second, TRACE));
    });
    unstable(&ended);
    assert!(ended.said.contains("revision 1 was started again as attempt 3"), "{}", ended.said);
    assert!(lives_from(&flink).unwrap().ends_with("/chk-1"));
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "unstable", "-"]);
}

#[test]
fn run_again_after_a_death_in_the_watch_it_is_judged_by_what_is_seen_from_then_on() {
    let (flink, sandbox, ended) = run_again(|flink, second| {
        flink.with(|cluster| cluster.complete_checkpoint(second));
        flink.with(|cluster| cluster.complete_checkpoint(second));
    });
    done(&ended);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "stable"]);
    assert_eq!(flink.executions().len(), 2);
    // There is a verdict now: nothing is watched any more.
    let again = sandbox.run(&["run", "gated"]);
    done(&again);
    assert!(!again.said.contains("stable:"), "{}", again.said);
}

/// The first one had ended what is not stable, and died before it started what ran before: the script is run again.
#[test]
fn what_a_dead_one_was_to_go_back_from_is_nothing_to_go_back_to() {
    let (flink, sandbox, second) = killed_in_the_watch();
    flink.with(|cluster| {
        cluster.complete_checkpoint(&second);
        cluster.cancel_job(&second);
    });
    sandbox.database().execute("UPDATE attempt_rows SET verdict = 'unstable' WHERE number = 2", []).unwrap();
    write(&sandbox, "checkpoints: 2, within: \"1ms\"");
    let ended = sandbox.run(&["run", "gated"]);
    unstable(&ended);
    assert!(ended.said.contains("revision 1 was started again as attempt 4"), "{}", ended.said);
}

/// What a deploy without a gate left unchanged has been asked for no verdict.
#[test]
fn what_was_deployed_without_a_gate_is_not_watched_afterwards() {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["run", "savepoint"]));
    write(&sandbox, "checkpoints: 2, within: \"1ms\"");
    done(&sandbox.run(&["run", "gated"]));
    assert_eq!(flink.executions().len(), 2);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "-"]);
}

/// A second process judged what the first had started, and dies before, while and after it goes back.
#[test]
fn killed_while_it_goes_back_for_a_dead_one_a_run_is_resumed() {
    let mut boundaries = 0;
    let mut number = 0;
    loop {
        let (flink, sandbox, second) = killed_in_the_watch();
        flink.with(|cluster| cluster.complete_checkpoint(&second));
        write(&sandbox, "checkpoints: 2, within: \"1ms\"");
        if boundaries == 0 {
            let mut process = sandbox.start(&["run", "gated"], None);
            unstable(&process.wait());
            boundaries = sandbox.reached(process.number).len();
            assert!(boundaries > 20, "{boundaries}");
            number = boundaries / 2;
            continue;
        }
        let killed = sandbox.start(&["run", "gated"], Some(&number.to_string())).wait();
        if !killed.was_killed() {
            // How often it looks before the verdict is a matter of time: the last boundaries may not be there.
            assert!(number + 15 > boundaries, "boundary {number} of {boundaries}: {}", killed.said);
            return;
        }
        let again = sandbox.run(&["resume", "r3"]);
        let over = again.said.contains("nothing left to do");
        assert!(again.said.contains("error[job.unstable]") || over, "boundary {number}: {}", again.said);
        assert_eq!(flink.executions().len(), 3, "boundary {number}: {}", again.said);
        assert!(lives_from(&flink).is_some(), "boundary {number}");
        let verdicts = sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts");
        assert_eq!(verdicts, ["-", "unstable", "-"], "boundary {number}");
        number += 1;
        if number > boundaries {
            return;
        }
    }
}

/// The watch of the second spec ends with an error, and not with a death: the run has failed.
fn failed_in_the_watch() -> (FakeFlink, Sandbox, String) {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    write(&sandbox, "checkpoints: 2, within: \"20s\"");
    flink.fault("GET", "/metrics", 1, Fault::AnswerBefore(Reply::html(200, "Login")));
    let failed = sandbox.run(&["run", "gated"]);
    assert_eq!(failed.code(), Some(1), "{}", failed.said);
    assert!(failed.said.contains("error[flink.unexpected_answer]"), "{}", failed.said);
    let told = "attempt 2 of `steady` was watched, and whether it is stable is not known";
    assert!(failed.said.contains(told), "{}", failed.said);
    assert_eq!(sandbox.ask("SELECT status FROM runs WHERE id = 2"), ["failed"]);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "unjudged"]);
    let second = newest_id(&flink);
    (flink, sandbox, second)
}

/// Runs the script again, and lets the attempt fare so while it is watched.
fn watched_again(flink: &FakeFlink, sandbox: &Sandbox, id: &str, lives: impl Fn(&FakeFlink)) -> Ended {
    let path = format!("/jobs/{id}/checkpoints");
    let before = flink.count("GET", &path);
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_answered("GET", &path, before + 3);
    lives(flink);
    process.wait()
}

#[test]
fn run_again_after_its_watch_has_failed_it_is_judged_and_not_taken_for_stable() {
    let (flink, sandbox, second) = failed_in_the_watch();
    let plan = sandbox.run(&["plan", "gated"]);
    assert!(
        plan.said.contains("nobody has found it stable: watch whether it becomes so, else go back"),
        "{}",
        plan.said
    );
    let ended = watched_again(&flink, &sandbox, &second, |flink| {
        flink.with(|cluster| cluster.restart_job(&second, TRACE));
    });
    unstable(&ended);
    assert!(ended.said.contains("revision 1 was started again as attempt 3"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "unstable", "-"]);
}

#[test]
fn what_was_unjudged_and_shows_that_it_is_stable_is_so_for_good() {
    let (flink, sandbox, second) = failed_in_the_watch();
    let ended = watched_again(&flink, &sandbox, &second, |flink| {
        flink.with(|cluster| cluster.complete_checkpoint(&second));
        flink.with(|cluster| cluster.complete_checkpoint(&second));
    });
    done(&ended);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "stable"]);
    let again = sandbox.run(&["run", "gated"]);
    done(&again);
    assert!(!again.said.contains("stable:"), "{}", again.said);
}

/// A run that was given up while it watched has failed, too.
#[test]
fn what_an_abandoned_run_watched_is_judged_by_the_next() {
    let (flink, sandbox, second) = killed_in_the_watch();
    done(&sandbox.run(&["abandon", "r2"]));
    let ended = watched_again(&flink, &sandbox, &second, |flink| {
        flink.with(|cluster| cluster.fail_job(&second, TRACE));
    });
    unstable(&ended);
}

/// Another revision is deployed over one that nobody has found stable: that one is nothing to go back to.
#[test]
fn what_was_never_judged_is_nothing_to_go_back_to() {
    let (flink, sandbox, _) = failed_in_the_watch();
    let options = "#{ stable: #{ checkpoints: 1, within: \"1ms\" } }";
    std::fs::write(sandbox.path().join("scripts/third.rhai"), script(3, options)).unwrap();
    let ended = sandbox.run(&["run", "third"]);
    unstable(&ended);
    assert!(ended.said.contains("revision 1 was started again as attempt 4"), "{}", ended.said);
    assert!(lives_from(&flink).is_some());
}

/// Left as it is, and the script is run again: that it runs is no sign that it is stable.
#[test]
fn what_was_unstable_and_stayed_is_judged_anew() {
    let (flink, sandbox) = stage();
    write(&sandbox, "checkpoints: 1, within: \"1ms\", otherwise: \"stay\"");
    unstable(&sandbox.run(&["run", "gated"]));
    unstable(&sandbox.run(&["run", "gated"]));
    assert_eq!(flink.executions().len(), 2);
    write(&sandbox, "checkpoints: 1, within: \"20s\", otherwise: \"stay\"");
    let second = newest_id(&flink);
    let ended = watched_again(&flink, &sandbox, &second, |flink| {
        flink.with(|cluster| cluster.complete_checkpoint(&second));
    });
    done(&ended);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "stable"]);
}

/// What was refused is nothing that could become stable.
#[test]
fn what_was_refused_has_no_verdict() {
    let (flink, sandbox) = stage();
    write(&sandbox, "checkpoints: 1, within: \"20s\"");
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")));
    let refused = sandbox.run(&["run", "gated"]);
    assert_eq!(refused.code(), Some(1), "{}", refused.said);
    assert_eq!(sandbox.ask("SELECT submission || ifnull(verdict, '-') FROM attempts"), ["accepted-", "refused-"]);
}

/// The JobManager dies under the attempt: that says nothing of its revision.
#[test]
fn an_outage_of_the_jobmanager_is_no_verdict() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    write(&sandbox, "checkpoints: 2, within: \"20s\"");
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_answered("POST", "/run", 2);
    let second = newest_id(&flink);
    flink.wait_for_answered("GET", &format!("/jobs/{second}/checkpoints"), 1);
    flink.restart(true);
    let ended = process.wait();
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains("error[flink.job_not_found]"), "{}", ended.said);
    assert!(ended.said.contains("an outage is no verdict"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "unjudged"]);
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy", "deploy"]);
}

/// Nobody could have seen a checkpoint of that time.
#[test]
fn the_time_in_which_the_jobmanager_is_silent_is_not_the_attempts() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    write(&sandbox, "checkpoints: 1, within: \"4s\"");
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_answered("POST", "/run", 2);
    let second = newest_id(&flink);
    let path = format!("/jobs/{second}/checkpoints");
    flink.wait_for_answered("GET", &path, 1);
    flink.refuse();
    // Longer than `within`, which is what the test is about.
    let until = std::time::Instant::now() + std::time::Duration::from_millis(4_500);
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        std::thread::park_timeout(left);
    }
    let before = flink.count("GET", &path);
    flink.listen();
    flink.wait_for_answered("GET", &path, before + 1);
    flink.with(|cluster| cluster.complete_checkpoint(&second));
    done(&process.wait());
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "stable"]);
}

#[test]
fn a_rollback_passes_over_what_was_found_unstable_unless_it_is_named() {
    let (flink, sandbox) = stage();
    write(&sandbox, "checkpoints: 1, within: \"1ms\", otherwise: \"stay\"");
    unstable(&sandbox.run(&["run", "gated"]));
    std::fs::write(sandbox.path().join("scripts/third.rhai"), script(3, "")).unwrap();
    done(&sandbox.run(&["run", "third"]));
    let plan = sandbox.run(&["plan", "first"]);
    assert!(plan.said.contains("a rollback would go to revision 3"), "{}", plan.said);
    let back = sandbox.run(&["rollback", "steady"]);
    done(&back);
    assert!(back.said.contains("is started as revision 1 was"), "{}", back.said);
    done(&sandbox.run(&["rollback", "steady", "--to", "2"]));
    assert!(lives_from(&flink).is_some());

    // Nothing else is left.
    let flink = FakeFlink::start();
    let first = script(1, "#{ stable: #{ checkpoints: 1, within: \"1ms\", otherwise: \"stay\" } }");
    let files =
        [("templates/job.sql", SQL), ("scripts/first.rhai", first.as_str()), ("scripts/next.rhai", &script(2, ""))];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    unstable(&sandbox.run(&["run", "first"]));
    done(&sandbox.run(&["run", "next"]));
    let ended = sandbox.run(&["rollback", "steady"]);
    assert!(ended.said.contains("error[job.no_revision]"), "{}", ended.said);
    assert!(
        ended.said.contains("revision 1 was found unstable; `--to 1` goes back to it all the same"),
        "{}",
        ended.said
    );
}

/// The way back is sent, and the JobManager dies without a word: that is no verdict, and nothing final.
#[test]
fn a_way_back_of_which_nobody_knows_stays_open() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    write(&sandbox, "checkpoints: 1, within: \"1ms\"");
    flink.fault("POST", "/run", 1, Fault::DelayBefore(std::time::Duration::ZERO));
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_request("POST", "/run", 3);
    flink.restart(false);
    let ended = process.wait();
    assert_eq!(ended.code(), Some(3), "{}", ended.said);
    assert!(ended.said.contains("error[job.unknown_outcome]"), "{}", ended.said);
    assert!(ended.said.contains("`tidegate resume r2 --step 0=retry`"), "{}", ended.said);
    let ended = sandbox.run(&["resume", "r2", "--step", "0=retry"]);
    unstable(&ended);
    assert!(ended.said.contains("revision 1 was started again as attempt 4"), "{}", ended.said);
    assert!(lives_from(&flink).unwrap().contains("/savepoint-"));
}
