//! What somebody gets when the cluster is in trouble.

use insta::assert_snapshot;

use super::Workspace;
use super::support::fake_flink::{FakeFlink, Fault, Reply};

const JOB: &str = "let spec = job::sql(\"orders\", #{ template: \"orders.sql\" });\nlet job = spec.deploy();\nprint(job.wait_for(\"RUNNING\", \"10s\").state);\n";

fn staged(flink: &FakeFlink) -> Workspace {
    let workspace = Workspace::on(&flink.url());
    workspace.write(
        "templates/orders.sql",
        "CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\n\nCREATE TABLE k (i INT) WITH ('connector' = 'blackhole');\nINSERT INTO k SELECT i FROM s;\n",
    );
    workspace
}

#[test]
fn a_job_from_deploy_to_cancel() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    assert_snapshot!("deploy", workspace.script(JOB));
    assert_snapshot!("deploy_again", workspace.script(JOB));
    assert_eq!(flink.executions().len(), 1);
    assert_snapshot!("ps", workspace.tidegate(&["ps"]));
    assert_snapshot!("cancel", workspace.tidegate(&["cancel", "orders"]));
    assert_snapshot!("cancel_again", workspace.tidegate(&["cancel", "orders"]));
    assert_snapshot!("resume_of_a_done_run", workspace.tidegate(&["resume", "r1"]));
    flink.refuse();
    assert_snapshot!("ps_unreachable", workspace.tidegate(&["ps"]));
}

#[test]
fn a_job_is_stopped_started_restarted_rolled_back_rescaled_saved_and_removed() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    let job = JOB.replace("\"orders.sql\" }", "\"orders.sql\", checkpointing: #{ interval: \"1s\" } }");
    workspace.script(&job);
    for (name, arguments) in [
        ("verb_savepoint", vec!["savepoint", "orders"]),
        ("verb_stop", vec!["stop", "orders"]),
        ("verb_stop_again", vec!["stop", "orders"]),
        ("verb_start", vec!["start", "orders"]),
        ("verb_start_again", vec!["start", "orders"]),
        ("verb_restart", vec!["restart", "orders"]),
        ("verb_rollback_nowhere", vec!["rollback", "orders"]),
        ("verb_rescale", vec!["rescale", "orders", "2"]),
        ("verb_rollback", vec!["rollback", "orders"]),
        ("verb_history", vec!["history", "orders"]),
        ("verb_diff", vec!["diff", "orders", "1", "2"]),
        ("verb_savepoints", vec!["savepoints", "orders"]),
        ("verb_prune", vec!["savepoints", "prune", "orders", "--keep", "1", "--older-than", "0s"]),
        ("verb_drift", vec!["drift"]),
        ("verb_remove", vec!["remove", "orders"]),
        ("verb_unknown", vec!["restart", "ordres"]),
    ] {
        assert_snapshot!(name, workspace.tidegate(&arguments));
    }
    flink.refuse();
    assert_snapshot!("verb_unreachable", workspace.tidegate(&["start", "orders"]));
}

#[test]
fn a_clone_without_the_state_starts_no_twin() {
    let flink = FakeFlink::start();
    staged(&flink).script(JOB);
    assert_snapshot!("exists_unmanaged", staged(&flink).script(JOB));
    assert_eq!(flink.executions().len(), 1);
}

#[test]
fn a_cluster_that_is_down() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    flink.refuse();
    assert_snapshot!("cluster_down", workspace.script(JOB));
    assert_snapshot!("cluster_status_down", workspace.tidegate(&["cluster", "status"]));
}

#[test]
fn a_proxy_that_answers_in_html() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    flink.fault("GET", "/jobs/overview", 1, Fault::AnswerBefore(Reply::html(200, "<html>please log in</html>")));
    assert_snapshot!("cluster_html", workspace.script(JOB));
}

#[test]
fn sql_that_flink_refuses() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    for case in ["missingconn", "column"] {
        let path = format!("{}/tests/data/flink-answers/{case}-h120.json", env!("CARGO_MANIFEST_DIR"));
        // What another runner called a statement, ours calls so.
        let body = std::fs::read_to_string(path)
            .unwrap()
            .replace("SQLRUNNER_STATEMENT_ERROR statement=3", "TIDEGATE_STATEMENT 2");
        flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::captured(400, body)));
        assert_snapshot!(format!("refused_{case}"), workspace.script(JOB));
    }
    assert!(flink.executions().is_empty());
}

#[test]
fn a_stale_answer_loses_no_checkpoint() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    let job = JOB.replace("\"orders.sql\" }", "\"orders.sql\", checkpointing: #{ interval: \"1s\" } }");
    assert!(workspace.script(&job).contains("exit code: 0"));
    let id = flink.executions()[0].job_id.clone();
    let path = flink.with(|cluster| {
        cluster.complete_checkpoint(&id);
        cluster.complete_checkpoint(&id)
    });
    // What Flink serves for some seconds: the checkpoint before, which the newer one has replaced since.
    let stale = serde_json::json!({
        "counts": {"restored": 0, "total": 1, "in_progress": 0, "completed": 1, "failed": 0},
        "summary": {}, "history": [],
        "latest": {"completed": {"className": "completed", "id": 1, "status": "COMPLETED", "is_savepoint": false,
            "trigger_timestamp": 1, "latest_ack_timestamp": 1, "state_size": 1, "checkpoint_type": "CHECKPOINT", "tasks": {},
            "external_path": "file:/checkpoints/old", "discarded": true}, "savepoint": null, "failed": null, "restored": null},
    });
    flink.fault("GET", "/checkpoints", 1, Fault::AnswerBefore(Reply::json(200, &stale)));
    let said = workspace.tidegate(&["cancel", "orders"]);
    let tail = path.rsplit('/').next().unwrap();
    assert!(said.contains("its newest checkpoint stays: file:") && said.contains(tail), "{tail}: {said}");
}

/// The JobManager restarted, and nobody knows the job any more; or it ended, and Flink has forgotten how.
#[test]
fn a_job_that_nobody_knows_any_more_is_ended() {
    for (verb, is_forgotten) in [("cancel", false), ("stop", false), ("cancel", true)] {
        let flink = FakeFlink::start();
        let workspace = staged(&flink);
        workspace.script(JOB);
        let id = flink.executions()[0].job_id.clone();
        if is_forgotten {
            flink.with(|cluster| {
                cluster.finish_job(&id);
                cluster.forget_job(&id);
            });
        } else {
            flink.restart(false);
        }
        let name = format!("{verb}_{}", if is_forgotten { "ended_unseen" } else { "vanished" });
        assert_snapshot!(name, workspace.tidegate(&[verb, "orders"]));
    }
}

/// A submission that was never answered may start its job yet.
#[test]
fn a_job_beside_a_submission_without_an_answer_is_not_adopted() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    workspace.write("scripts/it.rhai", JOB);
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let mut child = workspace.command(&["run", "it"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    flink.wait_for_request("POST", "/run", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let id = "c".repeat(32);
    flink.with(|cluster| cluster.put_job(&id, "orders"));
    assert_snapshot!("adopt_unanswered", workspace.tidegate(&["adopt", "orders", "--id", &id]));
    assert_snapshot!("adopt_given_up", workspace.tidegate(&["resume", "r1", "--step", "0=retry"]));
    assert_snapshot!("adopt_afterwards", workspace.tidegate(&["adopt", "orders", "--id", &id]));
}

/// A proxy wants a login while a new attempt is watched: nothing is known of it, and that is said, then and later.
#[test]
fn a_watch_that_fails_gives_no_verdict() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink);
    let gate = "deploy(#{ stable: #{ checkpoints: 0, within: \"1s\" } })";
    flink.fault("GET", "/metrics", 1, Fault::AnswerBefore(Reply::html(200, "please log in")));
    assert_snapshot!("watch_failed", workspace.script(&JOB.replace("deploy()", gate)));
    assert_snapshot!("watch_history", workspace.tidegate(&["history", "orders"]));
    let again = workspace.script(&JOB.replace("deploy()", gate));
    assert!(again.contains("exit code: 0") && again.contains("orders: stable: RUNNING"), "{again}");
}
