//! Somebody starts a job of the same name while tidegate is about to start it: it is looked for at every moment before a request.

use crate::support::fake_flink::{FakeFlink, Fault};
use crate::support::sandbox::Sandbox;
use crate::{checkpoint, done, first_id, lives_from, script, stage};

fn namesake(flink: &FakeFlink, name: &str) -> String {
    let other = "c".repeat(32);
    flink.with(|cluster| cluster.put_job(&other, name));
    other
}

fn live(flink: &FakeFlink) -> Vec<String> {
    flink.executions().into_iter().filter(|one| one.is_live()).map(|one| one.job_id).collect()
}

fn write_script(sandbox: &Sandbox, name: &str, text: &str) {
    std::fs::write(sandbox.path().join("scripts").join(name), text).unwrap();
}

/// The stop takes long. What it cost is said, and the way on is one.
#[test]
fn a_namesake_that_is_started_during_the_stop_gets_no_twin() {
    for verb in [vec!["run", "savepoint"], vec!["restart", "steady"], vec!["rollback", "steady"]] {
        let (flink, sandbox) = stage();
        if verb[0] == "rollback" {
            done(&sandbox.run(&["run", "savepoint"]));
        }
        let stops = flink.count("POST", "/stop");
        flink.fault("POST", "/stop", 1, Fault::HoldAfter);
        let mut process = sandbox.start(&verb, None);
        flink.wait_for_processed("POST", "/stop", stops + 1);
        let other = namesake(&flink, "steady");
        let before = flink.executions().len();
        flink.release();
        let ended = process.wait();
        assert_eq!(ended.code(), Some(1), "{}", ended.said);
        let stopped = flink.executions()[before - 2].job_id.clone();
        for text in [
            "error[job.exists_unmanaged]",
            &format!("already runs on `target` as {other}"),
            "was stopped with a savepoint by this run; it is file:/savepoints/",
            &format!("/{stopped}/1/savepoint-"),
            &format!("tidegate adopt steady --id {other}"),
        ] {
            assert!(ended.said.contains(text), "{verb:?}: `{text}`: {}", ended.said);
        }
        assert_eq!(live(&flink), [other.as_str()], "{verb:?}");
        assert_eq!(flink.executions().len(), before, "{verb:?}");
        flink.with(|cluster| cluster.cancel_job(&other));
        done(&sandbox.run(&["run", "savepoint"]));
        assert!(lives_from(&flink).unwrap().contains(&format!("/{stopped}/1/savepoint-")), "{verb:?}");
    }
}

#[test]
fn a_namesake_that_is_started_during_the_cancel_gets_no_twin() {
    let (flink, sandbox) = stage();
    let newest = checkpoint(&flink);
    flink.fault("PATCH", &first_id(&flink), 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "last_state"], None);
    flink.wait_for_processed("PATCH", &first_id(&flink), 1);
    let other = namesake(&flink, "steady");
    flink.release();
    let ended = process.wait();
    assert!(ended.said.contains("error[job.exists_unmanaged]"), "{}", ended.said);
    assert!(ended.said.contains(&format!("its newest state is {newest}")), "{}", ended.said);
    assert_eq!(live(&flink), [other]);
}

/// The jar is sent last, and can take its time.
#[test]
fn a_namesake_that_is_started_during_the_upload_gets_no_twin() {
    let (flink, sandbox) = stage();
    write_script(&sandbox, "next.rhai", &script(2, "").replace("\"steady\"", "\"next\""));
    flink.with(|cluster| cluster.jars.clear());
    flink.fault("POST", "/jars/upload", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "next"], None);
    flink.wait_for_processed("POST", "/jars/upload", 2);
    let other = namesake(&flink, "next");
    flink.release();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains("error[job.exists_unmanaged]"), "{}", ended.said);
    assert_eq!(live(&flink), [first_id(&flink), other]);
    assert_eq!(flink.count("POST", "/run"), 1);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts ORDER BY submission"), ["accepted", "refused"]);
}

/// A request that was not answered is sent again by the same process: not beside what was started in between.
#[test]
fn a_namesake_that_is_started_between_two_requests_gets_no_twin() {
    let (flink, sandbox) = stage();
    flink.fault("POST", "/run", 20, Fault::DropBefore);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_request("POST", "/run", 2);
    let other = namesake(&flink, "steady");
    let ended = process.wait();
    assert_eq!(ended.code(), Some(3), "{}", ended.said);
    assert!(ended.said.contains("error[job.unknown_outcome]"), "{}", ended.said);
    assert!(ended.said.contains(&format!("already runs on `target` as {other}")), "{}", ended.said);
    assert_eq!(live(&flink), [other]);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "open"]);
}
