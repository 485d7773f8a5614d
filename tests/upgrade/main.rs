//! Upgrades of a running job: each mode, what blocks it, and death at every boundary of it. Afterwards exactly one execution
//! lives, and it was started from the newest state of the one before.
//!
//! `SWEEP=full cargo test --test upgrade -- --nocapture` kills twice at every boundary, and at two thousand random moments.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and prints its counts")]

#[path = "../../src/drivers/jar/class_writer.rs"]
#[allow(dead_code, reason = "tests of jars write more of a class")]
mod class_writer;
mod desired;
mod doubt;
mod drift;
mod gate;
mod hints;
mod matrix;
mod namesake;
mod overtaken;
mod records;
mod remains;
mod rescale;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod told;
mod twice;
mod vanished;

use support::fake_flink::{FakeFlink, Fault, Reply};
use support::sandbox::{Ended, Sandbox};

const SQL: &str = "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\n\
                   CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\n\
                   INSERT INTO b SELECT n FROM a WHERE n > {{ least }};\n";

/// Deploys the job `steady` with a spec that `least` makes, in a mode.
fn script(least: u32, options: &str) -> String {
    format!(
        "let spec = job::sql(\"steady\", #{{ template: \"job.sql\", vars: #{{ least: {least} }}, checkpointing: #{{ interval: \"1s\" }} }});\n\
         let job = spec.deploy({options});\nprint(`attempt ${{job.attempt}} from ${{job.restored_from}}`);\n"
    )
}

/// A fake with the first spec running, and scripts for the second in every mode.
fn stage() -> (FakeFlink, Sandbox) {
    let (flink, sandbox) = bare_stage();
    done(&sandbox.run(&["run", "first"]));
    (flink, sandbox)
}

/// The same, where nothing was deployed yet.
fn bare_stage() -> (FakeFlink, Sandbox) {
    let flink = FakeFlink::start();
    let (first, savepoint) = (script(1, ""), script(2, ""));
    let last_state = script(2, "#{ upgrade: \"last_state\" }");
    let stateless = script(2, "#{ upgrade: \"stateless\" }");
    let abandoned = script(2, "#{ upgrade: \"stateless\", allow_state_loss: \"attempt-1\" }");
    let files = [
        ("templates/job.sql", SQL),
        ("scripts/first.rhai", first.as_str()),
        ("scripts/savepoint.rhai", savepoint.as_str()),
        ("scripts/last_state.rhai", last_state.as_str()),
        ("scripts/stateless.rhai", stateless.as_str()),
        ("scripts/abandoned.rhai", abandoned.as_str()),
    ];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    (flink, sandbox)
}

fn first_id(flink: &FakeFlink) -> String {
    flink.executions()[0].job_id.clone()
}

fn checkpoint(flink: &FakeFlink) -> String {
    let id = first_id(flink);
    flink.with(|cluster| cluster.complete_checkpoint(&id))
}

fn done(ended: &Ended) {
    assert_eq!(ended.code(), Some(0), "{}", ended.said);
}

fn refused(ended: &Ended, code: &str, flink: &FakeFlink) {
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains(&format!("error[{code}]")), "{}", ended.said);
    assert_eq!(flink.executions().len(), 1, "{}", ended.said);
    assert!(flink.executions()[0].is_live(), "it was to be left as it is: {}", ended.said);
}

/// What the one that lives was started from.
fn lives_from(flink: &FakeFlink) -> Option<String> {
    let executions = flink.executions();
    let live: Vec<_> = executions.iter().filter(|execution| execution.is_live()).collect();
    assert_eq!(live.len(), 1, "{executions:?}");
    assert!(flink.twins().is_empty(), "{executions:?}");
    live[0].restored_from.clone()
}

#[test]
fn a_job_with_another_spec_goes_on_from_a_savepoint() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    done(&sandbox.run(&["run", "savepoint"]));
    let from = lives_from(&flink).unwrap();
    assert!(from.starts_with(&format!("file:/savepoints/{}/1/savepoint-", first_id(&flink))), "{from}");
    // What was seen of it before it was ended is recorded, too.
    let rows = sandbox.ask("SELECT kind || ' ' || status || ' ' || path FROM savepoints ORDER BY kind");
    let seen = format!("checkpoint completed file:/checkpoints/{}/chk-1", first_id(&flink));
    assert_eq!(rows, [seen, format!("stop completed {from}")]);
    assert_eq!(flink.count("POST", "/stop"), 1);
    assert_eq!(sandbox.ask("SELECT end_asked_by FROM attempts WHERE attempt = 1"), ["run r2"]);
    // Once more is nothing; and the spec of before is an upgrade like any other.
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(flink.executions().len(), 2);
    done(&sandbox.run(&["run", "first"]));
    assert_eq!(flink.executions().len(), 3);
    assert!(lives_from(&flink).unwrap().contains("/savepoint-"));
}

#[test]
fn last_state_goes_on_from_the_newest_checkpoint_and_never_from_nothing() {
    let (flink, sandbox) = stage();
    refused(&sandbox.run(&["run", "last_state"]), "job.upgrade_blocked", &flink);
    checkpoint(&flink);
    let newest = checkpoint(&flink);
    done(&sandbox.run(&["run", "last_state"]));
    assert_eq!(lives_from(&flink), Some(newest));
    assert_eq!(flink.count("POST", "/stop"), 0);
}

/// Flink serves a copy of some seconds ago: what was completed between it and the end is the newest state all the same.
#[test]
fn a_copy_of_before_the_end_is_not_taken_for_the_newest_state() {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["savepoint", "steady"]));
    let (host, id) = (flink.place(), first_id(&flink));
    let mut connection = std::net::TcpStream::connect(host).unwrap();
    let request = format!("GET /jobs/{id}/checkpoints HTTP/1.1\r\nconnection: close\r\n\r\n");
    std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
    let copy = std::io::read_to_string(connection).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned();
    assert!(copy.contains("/1/savepoint-"), "{copy}");
    // Numbers go on after the savepoint.
    checkpoint(&flink);
    let newest = checkpoint(&flink);
    flink.fault("GET", "/checkpoints", 2, Fault::AnswerBefore(Reply::captured(200, copy)));
    done(&sandbox.run(&["run", "last_state"]));
    assert_eq!(lives_from(&flink), Some(newest));
}

#[test]
fn state_is_abandoned_only_where_it_is_named() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    refused(&sandbox.run(&["run", "stateless"]), "job.upgrade_blocked", &flink);
    done(&sandbox.run(&["run", "abandoned"]));
    assert_eq!(lives_from(&flink), None);
    assert_eq!(flink.executions().len(), 2);
}

#[test]
fn a_savepoint_that_fails_leaves_the_job_and_says_why() {
    let (flink, sandbox) = stage();
    let trace = "java.util.concurrent.CompletionException: x\n\tat a.B.c(B.java:1)\nCaused by: org.apache.flink.runtime.checkpoint.CheckpointException: \
                 An Exception occurred while triggering the checkpoint. IO-problem detected.\n\tat a.B.c(B.java:1)\n";
    flink.with(|cluster| cluster.savepoints_fail = Some(trace.to_owned()));
    let ended = sandbox.run(&["run", "savepoint"]);
    refused(&ended, "savepoint.failed", &flink);
    assert!(ended.said.contains("IO-problem detected."), "{}", ended.said);
    assert!(!ended.said.contains("rO0AB"), "{}", ended.said);
    assert!(sandbox.ask("SELECT error FROM savepoints WHERE status = 'failed'")[0].len() < 2_000);
    // The next one is another one.
    done(&sandbox.run(&["run", "savepoint"]));
    assert!(lives_from(&flink).unwrap().contains("/2/savepoint-"));
}

#[test]
fn a_stopped_job_stays_stopped_until_it_is_deployed_and_goes_on_from_its_savepoint() {
    let (flink, sandbox) = stage();
    let ended = sandbox.run(&["stop", "steady"]);
    done(&ended);
    assert!(ended.said.contains("`steady` (attempt 1) is stopped"), "{}", ended.said);
    assert!(!flink.executions()[0].is_live());
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["stopped"]);
    let again = sandbox.run(&["stop", "steady"]);
    done(&again);
    assert_eq!(flink.count("POST", "/stop"), 1, "{}", again.said);
    let listed = sandbox.run(&["savepoints", "steady"]);
    assert!(listed.said.contains("completed") && listed.said.contains("/1/savepoint-"), "{}", listed.said);
    // The same spec, and it is FINISHED: that was a stop of ours, and not the end of its work.
    done(&sandbox.run(&["run", "first"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    let history = sandbox.run(&["history", "steady"]);
    assert!(history.said.contains("first.rhai") && history.said.contains("FINISHED"), "{}", history.said);
}

/// A stop that nobody lived to tell of, and a cancel that saw the job end: the savepoint is the newest state all the same.
#[test]
fn the_savepoint_of_a_stop_that_was_killed_is_not_lost_when_somebody_cancels() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/stop", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["stop", "steady"], None);
    flink.wait_for_processed("POST", "/stop", 1);
    process.kill();
    done(&sandbox.run(&["cancel", "steady"]));
    assert_eq!(sandbox.ask("SELECT status FROM savepoints WHERE kind = 'stop'"), ["open"]);
    done(&sandbox.run(&["run", "savepoint"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    assert_eq!(sandbox.ask("SELECT status FROM savepoints"), ["completed"]);
}

/// Without checkpoints of its own nothing but the ledger knows that the job had state.
#[test]
fn a_stop_whose_jobmanager_restarted_is_no_start_from_nothing() {
    let (flink, sandbox) = stage();
    flink.fault("POST", "/stop", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["stop", "steady"], None);
    flink.wait_for_processed("POST", "/stop", 1);
    process.kill();
    flink.restart(false);
    let ended = sandbox.run(&["run", "savepoint"]);
    assert!(ended.said.contains("error[job.state_unknown]"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT status FROM savepoints"), ["lost"]);
    assert_eq!(flink.executions().len(), 1);
}

#[test]
fn a_job_that_cannot_be_stopped_runs_on_and_is_meant_to() {
    let (flink, sandbox) = stage();
    flink.with(|cluster| cluster.savepoints_fail = Some("org.apache.flink.X: no\n\tat a.B.c(B.java:1)\n".to_owned()));
    refused(&sandbox.run(&["stop", "steady"]), "savepoint.failed", &flink);
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["running"]);
}

#[test]
fn killed_at_every_boundary_a_stop_is_one_stop() {
    let (_flink, sandbox) = stage();
    let mut process = sandbox.start(&["stop", "steady"], None);
    done(&process.wait());
    let boundaries = sandbox.reached(process.number).len();
    assert!(boundaries > 10, "{boundaries}");
    for number in 1..=boundaries {
        let (flink, sandbox) = stage();
        let ended = sandbox.start(&["stop", "steady"], Some(&number.to_string())).wait();
        assert!(ended.was_killed(), "boundary {number}: {}", ended.said);
        let successor = sandbox.run(&["resume", "r2"]);
        // Before its inputs were pinned, and after it was done, there is nothing to go on with, and that is said.
        let explained = ["nothing left to do", "no run r2", "died before it began: nothing was done"]
            .iter()
            .any(|text| successor.said.contains(text));
        assert!(successor.code() == Some(0) || explained, "boundary {number}: {}", successor.said);
        done(&sandbox.run(&["stop", "steady"]));
        assert_eq!(flink.executions().iter().filter(|execution| execution.is_live()).count(), 0, "boundary {number}");
        assert_eq!(sandbox.ask("SELECT status FROM savepoints"), ["completed"], "boundary {number}");
    }
}

#[test]
fn all_tasks_are_waited_for_before_a_savepoint_is_asked_for() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    flink.with(|cluster| cluster.force_state(&id, Some("RESTARTING")));
    let mut process = sandbox.start(&["run", "savepoint"], None);
    let before = flink.count("GET", "/jobs/overview");
    flink.wait_for_answered("GET", "/jobs/overview", before + 5);
    assert_eq!(flink.count("POST", "/stop"), 0);
    flink.with(|cluster| cluster.force_state(&id, None));
    done(&process.wait());
    assert!(lives_from(&flink).is_some());
}

#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_id() {
    let troubles = [
        Fault::DropAfter,
        Fault::DropBefore,
        Fault::HalfBody,
        Fault::AnswerAfter(Reply::html(503, "Service Unavailable")),
        Fault::AnswerAfter(Reply::server_error("java.lang.OutOfMemoryError: Metaspace")),
    ];
    for trouble in troubles {
        let (flink, sandbox) = stage();
        flink.fault("POST", "/stop", 1, trouble.clone());
        done(&sandbox.run(&["run", "savepoint"]));
        assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"), "{trouble:?}");
        assert_eq!(sandbox.ask("SELECT status FROM savepoints"), ["completed"], "{trouble:?}");
    }
}

#[test]
fn a_jobmanager_that_forgot_the_stop_is_no_reason_to_start_from_nothing() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/stop", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_request("POST", "/stop", 1);
    process.kill();
    flink.restart(false);
    let ended = sandbox.run(&["resume", "r2"]);
    assert!(ended.said.contains("savepoint.failed") || ended.said.contains("job.state_unknown"), "{}", ended.said);
    let again = sandbox.run(&["run", "savepoint"]);
    assert!(again.said.contains("error[job.state_unknown]"), "{}", again.said);
    assert_eq!(flink.executions().len(), 1);
}
