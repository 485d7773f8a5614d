//! What is told before and after something is done: plans that decide as runs do, and jobs that were left down.

use crate::support::fake_flink::{Fault, Reply};
use crate::support::sandbox::Sandbox;
use crate::{checkpoint, done, first_id, lives_from, stage};

/// A checkpoint in a folder of this machine.
fn write_checkpoint(folder: &std::path::Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("_metadata"), "x").unwrap();
}

fn blocked(sandbox: &Sandbox, script: &str, code: &str) {
    let plan = sandbox.run(&["plan", script]);
    assert!(plan.said.contains("BLOCKED"), "{}", plan.said);
    assert!(plan.said.contains(&format!("error[{code}]")), "{}", plan.said);
}

/// The run starts the cluster, and reads its checkpoints then: so does the plan.
#[test]
fn a_plan_for_a_local_cluster_that_is_down_finds_the_state_that_the_run_would_find() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    let session = format!("{{ kind: session, url: \"{}\" }}", flink.url());
    let local = yaml.replace(&session, "{ kind: local, flink: \"1.20\" }");
    assert_ne!(yaml, local);
    std::fs::write(sandbox.path().join("tidegate.yaml"), local).unwrap();
    blocked(&sandbox, "first", "job.state_unknown");
    let folder = sandbox.path().canonicalize().unwrap().join(".tidegate/clusters/target/checkpoints");
    write_checkpoint(&folder.join(first_id(&flink)).join("chk-7"));
    let plan = sandbox.run(&["plan", "first"]);
    assert_eq!(plan.code(), Some(4), "{}", plan.said);
    let told = format!("attempt 2 on `target`, from file:{}/{}/chk-7", folder.display(), first_id(&flink));
    assert!(plan.said.contains("RESTART") && plan.said.contains(&told), "{}", plan.said);
    assert!(plan.said.contains("start the cluster"), "{}", plan.said);
}

/// The run would be refused with `savepoint.gone`.
#[test]
fn a_plan_is_blocked_where_the_state_to_start_from_was_deleted() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    let folder = sandbox.path().join("checkpoints");
    let newest = folder.join(&id).join("chk-1");
    write_checkpoint(&newest);
    flink.with(|cluster| {
        cluster.complete_checkpoint_at(&id, &format!("file:{}", newest.display()));
        cluster.cancel_job(&id);
    });
    let plan = sandbox.run(&["plan", "first"]);
    assert!(plan.said.contains("RESTART") && !plan.said.contains("BLOCKED"), "{}", plan.said);
    std::fs::remove_dir_all(&newest).unwrap();
    blocked(&sandbox, "first", "savepoint.gone");
    let ended = sandbox.run(&["run", "first"]);
    assert!(ended.said.contains("error[savepoint.gone]"), "{}", ended.said);
}

/// The program of the new spec fails after what ran was stopped for it.
#[test]
fn a_refused_upgrade_says_that_the_job_is_down_and_what_brings_it_back() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")));
    let ended = sandbox.run(&["run", "savepoint"]);
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    let savepoint = sandbox.ask("SELECT path FROM savepoints WHERE kind = 'stop'")[0].clone();
    let down = format!("attempt 1 was stopped with a savepoint by this run, and nothing runs now; it is {savepoint}");
    assert!(ended.said.contains(&down), "{}", ended.said);
    assert!(ended.said.contains("`tidegate rollback steady --to 1` brings back what ran"), "{}", ended.said);
    // Since when it is so.
    let listed = sandbox.run(&["ps"]);
    assert!(listed.said.contains("REFUSED"), "{}", listed.said);
    let sent = sandbox
        .ask("SELECT strftime('%Y-%m-%d %H:%M', created_at / 1000, 'unixepoch') FROM attempt_rows WHERE number = 2");
    assert!(listed.said.contains(&sent[0]), "{} {}", sent[0], listed.said);
    let drift = sandbox.run(&["drift"]);
    assert!(drift.said.contains("it should run, and attempt 2 was refused"), "{}", drift.said);
    done(&sandbox.run(&["rollback", "steady", "--to", "1"]));
    assert_eq!(lives_from(&flink), Some(savepoint));
    // The same spec again: no earlier revision is gone back to.
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")));
    let ended = sandbox.run(&["restart", "steady", "--upgrade", "savepoint"]);
    assert!(ended.said.contains("`tidegate start steady` brings back what ran"), "{}", ended.said);
    done(&sandbox.run(&["start", "steady"]));
    assert!(lives_from(&flink).is_some());
}

/// Killed when the stop was asked for: the job is FINISHED, and that was not the end of its work.
#[test]
fn a_job_that_a_half_done_upgrade_left_stopped_is_missing() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/stop", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_processed("POST", "/stop", 1);
    process.kill();
    let told = "run r2 stopped it, and started nothing since";
    let drift = sandbox.run(&["drift"]);
    assert_eq!(drift.code(), Some(4), "{}", drift.said);
    assert!(drift.said.to_lowercase().contains("missing") && drift.said.contains(told), "{}", drift.said);
    assert!(drift.said.contains("`tidegate resume r2` goes on with it"), "{}", drift.said);
    let listed = sandbox.run(&["ps"]);
    assert!(listed.said.contains(told) && listed.said.contains("`tidegate resume r2`"), "{}", listed.said);
    done(&sandbox.run(&["resume", "r2"]));
    let drift = sandbox.run(&["drift"]);
    assert_eq!(drift.code(), Some(0), "{}", drift.said);
    let listed = sandbox.run(&["ps"]);
    assert!(!listed.said.contains(told), "{}", listed.said);
}

/// The JobManager died under a submission that it never answered.
#[test]
fn a_submission_that_was_never_answered_is_drift_and_names_its_run() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_request("POST", "/run", 2);
    process.kill();
    flink.restart(false);
    let drift = sandbox.run(&["drift"]);
    assert_eq!(drift.code(), Some(4), "{}", drift.said);
    assert!(drift.said.contains("never answered; the cluster does not list it"), "{}", drift.said);
    assert!(drift.said.contains("`tidegate resume r2` goes on with it"), "{}", drift.said);
    let listed = sandbox.run(&["ps"]);
    let told = "the last submission is unanswered: `tidegate resume r2` goes on with it";
    assert!(listed.said.contains(told), "{}", listed.said);
    let waits = sandbox.run(&["resume", "r2"]);
    assert!(waits.said.contains("error[job.unknown_outcome]"), "{}", waits.said);
    let step = sandbox.ask("SELECT path || sequence FROM step_rows WHERE run = 2 AND status = 'open'")[0].clone();
    let hint = format!("`tidegate resume r2 --step {step}=retry` starts a new attempt");
    assert!(waits.said.contains(&hint), "{}", waits.said);
    done(&sandbox.run(&["resume", "r2", "--step", &format!("{step}=retry")]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
}
