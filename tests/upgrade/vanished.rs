//! A job that went down with its JobManager: what somebody else started in its place is adopted, and it can be stopped, cancelled and
//! removed. What was never answered may be no such job yet.

use std::time::Duration;

use crate::support::fake_flink::{FakeFlink, Fault};
use crate::support::sandbox::Sandbox;
use crate::{checkpoint, done, first_id, lives_from, stage};

/// Somebody started the job by hand after the JobManager had lost it.
#[test]
fn what_runs_in_the_place_of_a_vanished_job_is_adopted_when_its_tasks_have_ended() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.with(|cluster| cluster.tasks_outlive = Duration::from_millis(400));
    let other = "c".repeat(32);
    flink.with(|cluster| cluster.put_job(&other, "steady"));
    let twin = sandbox.run(&["adopt", "steady", "--id", &other]);
    assert!(twin.said.contains("error[job.twin]"), "while the first one lives: {}", twin.said);
    flink.restart(false);
    flink.with(|cluster| cluster.put_job(&other, "steady"));
    let found = sandbox.run(&["drift"]);
    assert!(found.said.contains(&format!("tidegate adopt steady --id {other}")), "{}", found.said);
    flink.with(|cluster| cluster.executions[0].ended = Some(std::time::Instant::now() + Duration::from_millis(400)));
    let adopted = sandbox.run(&["adopt", "steady", "--id", &other]);
    done(&adopted);
    assert!(adopted.said.contains("waiting 600ms for the tasks"), "{}", adopted.said);
    assert!(!flink.executions()[0].is_live());
    assert_eq!(sandbox.ask("SELECT flink_id FROM attempts"), [first_id(&flink), other]);
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["running"]);
    let listed = sandbox.run(&["ps"]);
    assert!(listed.said.contains("RUNNING"), "{}", listed.said);
}

/// Flink has forgotten the end that nobody saw: there is nothing that could live.
#[test]
fn what_runs_in_the_place_of_a_job_that_ended_unseen_is_adopted() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    flink.with(|cluster| cluster.cancel_job(&id));
    flink.with(|cluster| cluster.forget_job(&id));
    let other = "c".repeat(32);
    flink.with(|cluster| cluster.put_job(&other, "steady"));
    done(&sandbox.run(&["adopt", "steady", "--id", &other]));
    assert_eq!(sandbox.ask("SELECT flink_id FROM attempts"), [id, other]);
}

#[test]
fn a_vanished_job_is_stopped_without_a_savepoint_and_that_is_said() {
    let (flink, sandbox) = stage();
    flink.restart(false);
    let stopped = sandbox.run(&["stop", "steady"]);
    done(&stopped);
    for text in ["is VANISHED", "no savepoint was taken", "it should be stopped from now on", "tidegate start steady"] {
        assert!(stopped.said.contains(text), "`{text}`: {}", stopped.said);
    }
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["stopped"]);
    // What is not known to have ended stays so: the guard decides what a start goes on from.
    assert_eq!(sandbox.ask("SELECT ifnull(end_state, '-') FROM attempts"), ["-"]);
    assert_eq!(flink.count("POST", "/stop"), 0);
    let started = sandbox.run(&["start", "steady"]);
    assert!(started.said.contains("error[job.state_unknown]"), "{}", started.said);
}

#[test]
fn a_vanished_job_is_removed_and_listed_no_more() {
    let (flink, sandbox) = stage();
    flink.restart(false);
    let removed = sandbox.run(&["remove", "steady"]);
    done(&removed);
    assert!(removed.said.contains("is VANISHED") && removed.said.contains("is removed"), "{}", removed.said);
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["absent"]);
    let listed = sandbox.run(&["ps"]);
    assert!(!listed.said.contains("steady"), "{}", listed.said);
}

#[test]
fn a_cancel_of_a_vanished_job_says_so_and_what_is_desired_holds() {
    let (flink, sandbox) = stage();
    flink.restart(false);
    let cancelled = sandbox.run(&["cancel", "steady"]);
    done(&cancelled);
    for text in ["is VANISHED", "has restarted and does not know it", "it should be stopped from now on"] {
        assert!(cancelled.said.contains(text), "`{text}`: {}", cancelled.said);
    }
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["stopped"]);
    assert_eq!(sandbox.ask("SELECT ifnull(end_state, '-') FROM attempts"), ["-"]);
}

/// Flink forgets what ended after an hour: nobody saw how.
#[test]
fn a_cancel_of_a_job_that_ended_unseen_says_so() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    flink.with(|cluster| cluster.cancel_job(&id));
    flink.with(|cluster| cluster.forget_job(&id));
    let cancelled = sandbox.run(&["cancel", "steady"]);
    done(&cancelled);
    for text in ["is ENDED UNSEEN", "has forgotten how it ended", "it should be stopped from now on"] {
        assert!(cancelled.said.contains(text), "`{text}`: {}", cancelled.said);
    }
}

/// Its tasks are waited for, and with high availability it is there again when they are over: it is cancelled.
#[test]
fn a_job_that_comes_back_while_its_cancel_waits_is_cancelled() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    flink.restart(false);
    // It is looked for twice before the wait, and once after it.
    flink.fault("GET", "/jobs/overview", 2, Fault::DelayBefore(Duration::ZERO));
    flink.fault("GET", "/jobs/overview", 1, Fault::HoldBefore);
    let before = flink.count("GET", "/jobs/overview");
    let mut process = sandbox.start(&["cancel", "steady"], None);
    flink.wait_for_request("GET", "/jobs/overview", before + 3);
    flink.with(|cluster| cluster.put_job(&id, "steady"));
    flink.release();
    let ended = process.wait();
    done(&ended);
    assert!(ended.said.contains("`steady` (attempt 1) is CANCELED"), "{}", ended.said);
    assert!(flink.executions().iter().all(|one| !one.is_live()));
}

/// A second attempt that was sent, and whose process died before it was answered; beside it a job that somebody else started. The first one
/// was stopped for it.
fn unanswered(fault: Fault, name: &str) -> (FakeFlink, Sandbox, String) {
    let (flink, sandbox) = stage();
    flink.fault("POST", "/run", 1, fault);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_request("POST", "/run", 2);
    process.kill();
    let other = "c".repeat(32);
    flink.with(|cluster| cluster.put_job(&other, name));
    (flink, sandbox, other)
}

fn refused(sandbox: &Sandbox, id: &str) -> String {
    let ended = sandbox.run(&["adopt", "steady", "--id", id]);
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains("error[job.twin]"), "{}", ended.said);
    ended.said
}

/// It can arrive yet: adopting would make two executions of one job. The way out is told, and is one.
#[test]
fn a_job_is_not_adopted_beside_a_submission_that_may_arrive_yet() {
    let (flink, sandbox, other) = unanswered(Fault::HoldBefore, "steady");
    let said = refused(&sandbox, &other);
    for text in ["it was sent by run r2 at", "and never answered: its job may start yet", "`tidegate resume r2 --step "]
    {
        assert!(said.contains(text), "`{text}`: {said}");
    }
    let way_out = said.split_once("`tidegate resume ").unwrap().1.split_once('`').unwrap().0;
    let given_up = sandbox.run(&std::iter::once("resume").chain(way_out.split(' ')).collect::<Vec<_>>());
    assert!(given_up.said.contains("error[job.exists_unmanaged]"), "{}", given_up.said);
    done(&sandbox.run(&["adopt", "steady", "--id", &other]));
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "given_up", "accepted"]);
    assert_eq!(flink.executions().iter().filter(|one| one.is_live()).count(), 1);
}

/// What has another name would not keep the run from starting one more: it is not told to give up.
#[test]
fn where_giving_up_would_start_a_twin_another_way_is_told() {
    let (_flink, sandbox, other) = unanswered(Fault::HoldBefore, "by hand");
    let said = refused(&sandbox, &other);
    assert!(
        said.contains("`tidegate resume r2` settles it, and `tidegate cancel steady` ends what came of it"),
        "{said}"
    );
    assert!(!said.contains("retry"), "{said}");
    done(&sandbox.run(&["abandon", "r2"]));
    let said = refused(&sandbox, &other);
    assert!(said.contains("`tidegate cancel steady` ends what came of it, or says how to give it up"), "{said}");
}

#[test]
fn a_job_is_not_adopted_beside_a_submission_that_has_arrived() {
    let (flink, sandbox, other) = unanswered(Fault::HoldAfter, "steady");
    let second = flink.executions()[1].job_id.clone();
    let said = refused(&sandbox, &other);
    assert!(said.contains("`tidegate cancel steady` ends it; then adopt the other one"), "{said}");
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "accepted"]);
    // That one itself is ours.
    let own = sandbox.run(&["adopt", "steady", "--id", &second]);
    done(&own);
    assert_eq!(sandbox.ask("SELECT flink_id FROM attempts"), [first_id(&flink), second]);
}

/// Nothing can come of it any more when the JobManager that it was sent to is gone and its tasks have ended.
#[test]
fn a_job_is_adopted_in_the_place_of_a_submission_that_went_down_with_its_jobmanager() {
    let (flink, sandbox, other) = unanswered(Fault::HoldAfter, "steady");
    flink.with(|cluster| cluster.tasks_outlive = Duration::from_millis(400));
    flink.restart(false);
    flink.with(|cluster| cluster.put_job(&other, "steady"));
    let adopted = sandbox.run(&["adopt", "steady", "--id", &other]);
    done(&adopted);
    assert!(adopted.said.contains("waiting 600ms for the tasks"), "{}", adopted.said);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "given_up", "accepted"]);
}

/// One that was given up and runs all the same is looked for, too.
#[test]
fn a_job_is_not_adopted_beside_an_attempt_that_was_given_up_and_runs() {
    let (_flink, sandbox, other) = unanswered(Fault::HoldAfter, "steady");
    sandbox.database().execute("UPDATE attempt_rows SET submission = 'given_up' WHERE number = 2", []).unwrap();
    refused(&sandbox, &other);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "accepted"]);
}

/// Sent again, it would start the job a second time beside what somebody started by hand.
#[test]
fn what_was_never_answered_is_not_sent_again_beside_what_somebody_started() {
    for arguments in [["resume", "r2"], ["run", "savepoint"], ["cancel", "steady"]] {
        let (flink, sandbox, other) = unanswered(Fault::HoldBefore, "steady");
        let sent = flink.count("POST", "/run");
        let ended = sandbox.run(&arguments);
        assert_eq!(ended.code(), Some(3), "{}", ended.said);
        assert!(ended.said.contains("error[job.unknown_outcome]"), "{}", ended.said);
        assert!(ended.said.contains(&format!("already runs on `target` as {other}")), "{}", ended.said);
        assert_eq!(flink.count("POST", "/run"), sent, "{arguments:?}");
        // It says how to give it up, and that is what can be done.
        let run = sandbox.ask("SELECT max(id) FROM runs").remove(0);
        let step = sandbox.ask(&format!("SELECT step FROM steps WHERE run = {run} AND status = 'open'")).join("+");
        sandbox.run(&["resume", &format!("r{run}"), "--step", &format!("{step}=retry")]);
        done(&sandbox.run(&["adopt", "steady", "--id", &other]));
        assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "given_up", "accepted"]);
        assert_eq!(flink.executions().iter().filter(|one| one.is_live()).count(), 1, "{arguments:?}");
    }
}

/// Its tasks write on until they miss the JobManager that started them.
#[test]
fn a_job_that_vanishes_while_an_upgrade_cancels_it_is_not_started_before_its_tasks_have_ended() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("PATCH", "/jobs/", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", "abandoned"], None);
    flink.wait_for_request("PATCH", "/jobs/", 1);
    flink.restart(true);
    let ended = process.wait();
    done(&ended);
    assert!(ended.said.contains("for the tasks that its predecessor left"), "{}", ended.said);
    assert_eq!(lives_from(&flink), None);
    assert_eq!(flink.executions().len(), 2);
}
