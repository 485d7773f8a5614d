//! A JobManager that is killed: what is said while it is away, and what is refused afterwards.

use std::io::{BufRead, BufReader, Read};

use rustix::process::Signal;

use super::mistakes;
use super::workspace::{self, Cluster, Workspace, until};

/// One slot, and no patience with jobs that want more.
pub(crate) fn cluster() -> Cluster {
    let options = "{ slot.request.timeout: \"2000\" }";
    let kind = format!("{{ kind: local, flink: \"1.20\", slots: 1, options: {options} }}");
    Cluster::up(Workspace::on("loss", &kind))
}

pub(crate) fn no_slots_is_told_as_the_root_cause(cluster: &Cluster) {
    let sql = "INSERT INTO nowhere SELECT n FROM numbers;\n";
    let options = "parallelism: 99, restart_strategy: #{ type: \"none\" }";
    let ended = mistakes::run(&cluster.workspace, "wide", sql, options).fails("flink.no_slots");
    assert!(ended.error_line().contains("slot"), "{ended}");
}

pub(crate) fn a_killed_job_manager_loses_no_state_silently(cluster: &Cluster) {
    let workspace = &cluster.workspace;
    workspace.tidegate(&["run", "streaming"]).ok();
    let first = workspace.job("streaming");
    let id = first["id"].as_str().unwrap();
    until("a checkpoint", || {
        cluster.get(&format!("/jobs/{id}/checkpoints"))["counts"]["completed"].as_u64().filter(|count| *count > 0)
    });

    workspace.script("wait", "job::get(\"streaming\").wait_for(\"FINISHED\", \"6s\");\n");
    let mut waiting = workspace.start(&["run", "wait"]);
    // It waits for sure when it has told what it sees.
    let mut said = BufReader::new(waiting.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("streaming: RUNNING"), "{line}");
    workspace::kill(cluster.pid("jobmanager"), Signal::KILL);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let ended = workspace::wait(waiting);
    assert_eq!(ended.code, Some(1), "{rest}");
    assert!(rest.contains("still waiting") && rest.contains("error[job.timeout]"), "{rest}");

    let away = workspace.job("streaming");
    assert_eq!((&away["state"], &away["unreachable"]), (&"RUNNING".into(), &true.into()), "{away}");
    assert!(away["note"].as_str().unwrap().contains("as seen at"), "{away}");

    workspace.tidegate(&["cluster", "up"]).ok();
    let vanished = workspace.job("streaming");
    assert_eq!(vanished["state"], "VANISHED", "{vanished}");
    // Its checkpoints go, too: where they can be read, the newest of them is found.
    for entry in std::fs::read_dir(workspace.path(".tidegate/clusters")).unwrap() {
        let checkpoints = entry.unwrap().path().join("checkpoints");
        if checkpoints.exists() {
            std::fs::remove_dir_all(checkpoints).unwrap();
        }
    }
    let refused = workspace.tidegate(&["run", "streaming"]).fails("job.state_unknown");
    assert!(refused.err.contains("deploy(#{ allow_state_loss: \"attempt-1\" })"), "{refused}");
    assert!(cluster.listed("streaming").is_empty());

    let script = std::fs::read_to_string(workspace.path("scripts/streaming.rhai")).unwrap();
    let allowed = "spec.deploy(#{ allow_state_loss: \"attempt-1\" }).wait_for(\"RUNNING\", \"1m\")";
    workspace.script("streaming", &script.replace("jobs::deploy_and_wait(spec, \"2m\")", allowed));
    let anew = workspace.tidegate(&["run", "streaming"]).ok();
    assert!(anew.out.starts_with("streaming: RUNNING, attempt 2, "), "{anew}");
    workspace.tidegate(&["cancel", "streaming"]).ok();
}

pub(crate) fn a_job_manager_that_ends_while_the_cluster_is_repaired(cluster: &Cluster) {
    let job_manager = cluster.pid("jobmanager");
    workspace::kill(cluster.pid("taskmanager-1"), Signal::KILL);
    let mut up = cluster.workspace.start(&["cluster", "up"]);
    let mut said = BufReader::new(up.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, "starting taskmanager-1 again\n");
    workspace::kill(job_manager, Signal::KILL);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(workspace::wait(up).code, Some(0), "{rest}");
    assert!(rest.contains(&format!("the JobManager (pid {job_manager}) of cluster `it` has just ended")), "{rest}");
    assert_ne!(cluster.pid("jobmanager"), job_manager);
}
