//! A run that died is resumed after another one has decided something else of its job: the newer decision stands.

use crate::support::fake_flink::{FakeFlink, Fault};
use crate::support::sandbox::Sandbox;
use crate::{checkpoint, done, first_id, lives_from, script, stage};

/// With scripts of a third, a fourth and a fifth spec.
fn many() -> (FakeFlink, Sandbox) {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    for (name, least) in [("third", 3), ("fourth", 4), ("fifth", 5)] {
        std::fs::write(sandbox.path().join(format!("scripts/{name}.rhai")), script(least, "")).unwrap();
    }
    (flink, sandbox)
}

/// A verb that is run as r2, and dies when a request was processed, or has only arrived.
fn dies(flink: &FakeFlink, sandbox: &Sandbox, verb: &[&str], request: (&str, &str), fault: Fault) {
    let before = flink.count(request.0, request.1);
    flink.fault(request.0, request.1, 1, fault);
    let mut process = sandbox.start(verb, None);
    flink.wait_for_request(request.0, request.1, before + 1);
    process.kill();
    flink.release();
}

fn live(flink: &FakeFlink) -> Vec<String> {
    flink.executions().into_iter().filter(|one| one.is_live()).map(|one| one.job_id).collect()
}

/// It is refused, says by whom, and changes nothing.
fn superseded(flink: &FakeFlink, sandbox: &Sandbox, run: &str, by: &str) {
    let before = live(flink);
    let desired = sandbox.ask("SELECT desired FROM jobs");
    let resumed = sandbox.run(&["resume", run]);
    assert_eq!(resumed.code(), Some(1), "{}", resumed.said);
    for text in ["error[job.superseded]", by, "run the script again if this is still wanted"] {
        assert!(resumed.said.contains(text), "`{text}`: {}", resumed.said);
    }
    assert_eq!(live(flink), before, "{}", resumed.said);
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), desired);
    assert_eq!(sandbox.ask(&format!("SELECT status FROM runs WHERE id = {}", &run[1..])), ["failed"]);
}

#[test]
fn a_newer_deploy_is_not_undone() {
    let (flink, sandbox) = many();
    dies(&flink, &sandbox, &["run", "savepoint"], ("POST", "/stop"), Fault::HoldAfter);
    done(&sandbox.run(&["run", "third"]));
    superseded(&flink, &sandbox, "r2", "run r3 has started attempt 2 since");
}

/// Also one that found the job as it wanted it.
#[test]
fn a_newer_deploy_that_left_the_job_alone_is_not_undone() {
    let (flink, sandbox) = many();
    dies(&flink, &sandbox, &["run", "savepoint"], ("GET", "/jobs/overview"), Fault::HoldBefore);
    done(&sandbox.run(&["run", "first"]));
    superseded(&flink, &sandbox, "r2", "run r3 has decided that it should be running since");
    assert_eq!(live(&flink), [first_id(&flink)]);
}

#[test]
fn a_job_that_was_stopped_since_stays_stopped() {
    let (flink, sandbox) = many();
    dies(&flink, &sandbox, &["run", "savepoint"], ("POST", "/stop"), Fault::HoldAfter);
    done(&sandbox.run(&["start", "steady"]));
    done(&sandbox.run(&["stop", "steady"]));
    superseded(&flink, &sandbox, "r2", "run r4 has decided that it should be stopped since");
    assert!(live(&flink).is_empty());
}

/// The other way round: a stop or a cancel that died is no reason to end what was deployed since.
#[test]
fn a_job_that_was_deployed_since_runs_on() {
    for (verb, request) in [("stop", ("POST", "/stop")), ("remove", ("POST", "/stop")), ("cancel", ("PATCH", "/jobs/"))]
    {
        let (flink, sandbox) = many();
        dies(&flink, &sandbox, &[verb, "steady"], request, Fault::HoldBefore);
        done(&sandbox.run(&["run", "third"]));
        superseded(&flink, &sandbox, "r2", "run r3 has started attempt 2 since");
        assert_eq!(live(&flink).len(), 1, "{verb}");
    }
}

/// Several at once: one gets the lock. The others wait, and are no decisions any more when it is done.
#[test]
fn runs_that_waited_for_the_lock_do_not_deploy_one_after_another() {
    let (flink, sandbox) = many();
    flink.fault("POST", "/stop", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_processed("POST", "/stop", 1);
    for name in ["third", "fourth"] {
        let locked = sandbox.run(&["run", name]);
        assert!(locked.said.contains("error[state.locked]"), "{}", locked.said);
    }
    flink.release();
    done(&process.wait());
    superseded(&flink, &sandbox, "r3", "run r2 has started attempt 2 since");
    // A run that is older than the newest revision's is superseded whenever its step began.
    done(&sandbox.run(&["run", "fifth"]));
    sandbox.database().execute("UPDATE event_rows SET at = 0", []).unwrap();
    superseded(&flink, &sandbox, "r4", "run r5, which is newer, has deployed revision 3");
    assert_eq!(flink.executions().len(), 3);
}

/// What could not be done was not decided.
#[test]
fn a_stop_that_failed_is_no_newer_decision() {
    let (flink, sandbox) = many();
    dies(&flink, &sandbox, &["run", "savepoint"], ("GET", "/jobs/overview"), Fault::HoldBefore);
    flink.with(|cluster| cluster.savepoints_fail = Some("org.apache.flink.X: no\n\tat a.B.c(B.java:1)\n".to_owned()));
    assert_eq!(sandbox.run(&["stop", "steady"]).code(), Some(1));
    done(&sandbox.run(&["resume", "r2"]));
    assert!(lives_from(&flink).unwrap().contains("/2/savepoint-"));
}

/// A run that is the newest goes on, and one whose spec another run has brought about has nothing left to do.
#[test]
fn the_newest_run_and_one_that_wants_the_same_go_on() {
    for again in [false, true] {
        let (flink, sandbox) = many();
        dies(&flink, &sandbox, &["run", "savepoint"], ("POST", "/stop"), Fault::HoldAfter);
        if again {
            done(&sandbox.run(&["run", "savepoint"]));
        }
        done(&sandbox.run(&["resume", "r2"]));
        assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
        assert_eq!(flink.executions().len(), 2);
    }
}

/// It was stopped (SIGSTOP) just before its savepoint was recorded, and wakes up when its successor has stopped the job: that it could not
/// stop it itself is no reason to want it running again.
#[test]
fn a_stop_that_wakes_up_after_its_successor_withdraws_nothing() {
    let (flink, sandbox) = many();
    let before = flink.count("*", "");
    let mut process = sandbox.start(&["stop", "steady"], None);
    done(&process.wait());
    // Requests are made one after the other: they and the boundaries have one order.
    let reached = sandbox.reached(process.number);
    let asked = flink.requests()[before..].iter().position(|seen| seen.path.ends_with("/stop")).unwrap();
    let sent = reached.iter().enumerate().filter(|(_, name)| *name == "request.before").nth(asked).unwrap().0;
    let recorded = reached[..sent].iter().rposition(|name| name == "commit.before").unwrap();
    // The last but one looks whether all tasks run.
    let looks = reached[..recorded].iter().enumerate().filter(|(_, name)| *name == "request.before");
    let number = looks.rev().nth(1).unwrap().0 + 1;

    let (flink, sandbox) = many();
    let mut process = sandbox.start(&["stop", "steady"], Some(&format!("{number}:stop")));
    assert!(process.wait_stopped());
    sandbox.remove_locks();
    done(&sandbox.run(&["resume", "r2"]));
    process.wake();
    let woken = process.wait();
    assert!(live(&flink).is_empty());
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["stopped"], "at boundary {number}: {}", woken.said);
}

/// It had not come to the job when it died, and others have decided of it since.
#[test]
fn a_run_that_is_resumed_undoes_no_decision_that_is_newer_than_its_beginning() {
    let mut resumed = 0;
    for boundary in 4..=12 {
        let (flink, sandbox) = many();
        let mut process = sandbox.start(&["stop", "steady"], Some(&boundary.to_string()));
        process.wait();
        if sandbox.ask("SELECT status FROM run_rows WHERE id = 2") != ["running"] {
            continue;
        }
        done(&sandbox.run(&["stop", "steady"]));
        done(&sandbox.run(&["start", "steady"]));
        let ended = sandbox.run(&["resume", "r2"]);
        assert_eq!(live(&flink).len(), 1, "at boundary {boundary}");
        if ended.said.contains("died before it began") {
            continue;
        }
        assert!(ended.said.contains("error[job.superseded]"), "at boundary {boundary}: {}", ended.said);
        assert!(ended.said.contains("run r4 has started attempt 2 since"), "at boundary {boundary}: {}", ended.said);
        resumed += 1;
    }
    assert!(resumed > 3, "{resumed}");
}
