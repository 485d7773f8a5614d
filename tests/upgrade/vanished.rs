//! A job that went down with its JobManager: what somebody else started in its place is adopted, and it can be stopped and removed.

use std::time::Duration;

use crate::{checkpoint, done, first_id, stage};

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
