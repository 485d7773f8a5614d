//! What is told before and after something is done: plans that decide as runs do, and jobs that were left down.

use crate::support::fake_flink::{FakeFlink, Fault, Reply};
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
