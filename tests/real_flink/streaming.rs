//! A job that goes on: deployed, looked at, left alone, cancelled, and gone on with from its checkpoint.

use std::io::{BufRead, BufReader};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::Signal;

use super::recorder::Recorder;
use super::workspace::{self, Cluster, Workspace, until};

pub(crate) fn lives_is_seen_and_goes_on_from_its_checkpoint(cluster: &Cluster) {
    // A cluster that somebody else runs, through an address that is not even its own.
    let recorder = Recorder::before(&cluster.url);
    let workspace = Workspace::session("stream", &recorder.url());
    let deploy = ["run", "streaming", "-p", "sink=print"];
    let first = workspace.tidegate(&deploy).ok();
    assert!(first.out.starts_with("streaming: RUNNING, attempt 1, "), "{first}");
    let asked = recorder.take();
    assert_eq!(asked.iter().filter(|request| is_submission(request)).count(), 1, "{asked:?}");

    let seen = workspace.job("streaming");
    assert_eq!((&seen["state"], &seen["desired"]), (&"RUNNING".into(), &"running".into()), "{seen}");
    assert_eq!((&seen["tasks_running"], &seen["tasks_total"]), (&2.into(), &2.into()), "{seen}");
    let id = seen["id"].as_str().unwrap().to_owned();
    assert_eq!(cluster.get(&format!("/jobs/{id}"))["state"], "RUNNING");
    let shown = workspace.tidegate(&["ps"]).ok();
    assert!(shown.out.lines().any(|line| line.contains("streaming") && line.contains("2/2")), "{shown}");

    shows_its_logs(&workspace);

    recorder.take();
    let again = workspace.tidegate(&deploy).ok();
    let asked = recorder.take();
    assert_eq!(asked, ["GET /jobs/overview"], "an unchanged job costs one look");
    assert_eq!(again.out, first.out);

    is_not_ended_for_sql_that_cannot_start(&workspace, &recorder);
    let id = is_upgraded(cluster, &workspace, &recorder, &id);

    until("a checkpoint", || completed(cluster, &id).filter(|count| *count > 0));
    let cancelled = workspace.tidegate(&["cancel", "streaming"]).ok().says(&["`streaming` (attempt 2) is CANCELED"]);
    let newest = cluster.get(&format!("/jobs/{id}/checkpoints"))["latest"]["completed"]["external_path"].clone();
    let newest = newest.as_str().unwrap();
    assert!(cancelled.err.contains(&format!("its newest checkpoint stays: {newest}")), "{cancelled}");
    let folder = newest.strip_prefix("file:").unwrap();
    assert!(std::path::Path::new(folder).join("_metadata").is_file(), "{newest}");
    assert_eq!(workspace.job("streaming")["desired"], "stopped");

    let second = workspace.tidegate(&deploy).ok();
    assert!(second.out.starts_with("streaming: RUNNING, attempt 3, "), "{second}");
    let new = workspace.job("streaming")["id"].as_str().unwrap().to_owned();
    assert_ne!(new, id);
    let restored = &cluster.get(&format!("/jobs/{new}/checkpoints"))["latest"]["restored"];
    assert_eq!(restored["external_path"], newest, "{restored}");
    workspace.tidegate(&["cancel", "streaming"]).ok();
    let twice = workspace.tidegate(&["cancel", "streaming"]).ok();
    assert!(twice.err.contains("was CANCELED already"), "{twice}");
}

/// A mistake that only Flink sees.
fn is_not_ended_for_sql_that_cannot_start(workspace: &Workspace, recorder: &Recorder) {
    let template = workspace.path("templates/streaming.sql");
    let sql = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, sql.replace("SUM(n)", "SUM(nn)")).unwrap();
    recorder.take();
    let ended = workspace.tidegate(&["run", "streaming", "-p", "sink=print"]).fails("flink.sql_refused");
    assert!(
        ended.err.contains("Column 'nn' not found") && ended.err.contains("templates/streaming.sql:23:26"),
        "{ended}"
    );
    assert!(ended.err.contains("nothing was ended for it: attempt 1 goes on"), "{ended}");
    let asked = recorder.take();
    assert!(asked.iter().any(|request| request.ends_with("/plan")), "{asked:?}");
    assert!(!asked.iter().any(|request| request.ends_with("/stop") || is_submission(request)), "{asked:?}");
    std::fs::write(&template, sql).unwrap();
}

/// Another spec goes on from a savepoint of the one that runs.
fn is_upgraded(cluster: &Cluster, workspace: &Workspace, recorder: &Recorder, id: &str) -> String {
    let upgraded = workspace.tidegate(&["run", "streaming", "-p", "sink=print", "-p", "rows_per_second=20"]).ok();
    assert!(upgraded.out.starts_with("streaming: RUNNING, attempt 2, "), "{upgraded}");
    let asked = recorder.take();
    assert_eq!(asked.iter().filter(|request| is_submission(request)).count(), 1, "{asked:?}");
    assert_eq!(asked.iter().filter(|request| request.ends_with("/stop")).count(), 1, "{asked:?}");
    assert_eq!(cluster.get(&format!("/jobs/{id}"))["state"], "FINISHED");
    // Flink answers from a copy that is up to three seconds old, of before the stop.
    let savepoint = until("the savepoint", || {
        let latest = cluster.get(&format!("/jobs/{id}/checkpoints"))["latest"]["savepoint"]["external_path"].clone();
        latest.is_string().then_some(latest)
    });
    let new = workspace.job("streaming")["id"].as_str().unwrap().to_owned();
    let restored = cluster.get(&format!("/jobs/{new}/checkpoints"))["latest"]["restored"].clone();
    assert_eq!(restored["external_path"], savepoint, "{restored}");
    assert!(savepoint.as_str().unwrap().contains(&format!("/{id}/1/savepoint-")), "{savepoint}");
    new
}

fn is_submission(request: &str) -> bool {
    request.starts_with("POST /jars/") && request.contains("/run")
}

fn completed(cluster: &Cluster, id: &str) -> Option<u64> {
    cluster.get(&format!("/jobs/{id}/checkpoints"))["counts"]["completed"].as_u64()
}

fn shows_its_logs(workspace: &Workspace) {
    let all = workspace.tidegate(&["logs", "streaming"]).ok();
    assert!(all.err.contains("==> jobmanager <==") && all.err.contains("==> taskmanager "), "{all}");
    // The print sink's lines: the window, the sum, how many numbers.
    let numbers = until("the sums of a window", || {
        let text = workspace.tidegate(&["logs", "streaming", "--source", "stdout"]).ok().out;
        text.contains("+I[").then_some(text)
    });
    assert!(!numbers.contains("jobmanager"), "{numbers}");
    let wrong = workspace.tidegate(&["logs", "streaming", "--source", "stdot"]).fails("argument.invalid");
    assert!(wrong.err.contains("did you mean `stdout`?"), "{wrong}");

    let mut following = workspace.start(&["logs", "streaming", "--source", "stdout", "-n", "0", "--follow"]);
    let (sender, receiver) = mpsc::channel();
    let lines = BufReader::new(following.stdout.take().unwrap()).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match receiver.recv_timeout(Duration::from_secs(30)) {
            Ok(line) => seen.extend(line.starts_with("+I[").then_some(line)),
            Err(error) => {
                workspace::kill(following.id(), Signal::KILL);
                panic!("nothing new came: {error}, {:?}", workspace::wait(following));
            }
        }
    }
    assert_ne!(seen[0], seen[1]);
    workspace::kill(following.id(), Signal::INT);
    let ended = workspace::wait(following);
    assert!(ended.code.is_some() && !ended.err.contains("error["), "{ended}");
}

pub(crate) fn a_clone_without_the_state_starts_no_twin(cluster: &Cluster) {
    let streaming = |workspace: &Workspace| {
        let script = std::fs::read_to_string(workspace.path("scripts/streaming.rhai")).unwrap();
        workspace.script("streaming", &script.replace("\"streaming\"", "\"cloned\""));
    };
    let recorder = Recorder::before(&cluster.url);
    let original = Workspace::session("orders", &cluster.url);
    let clone = Workspace::session("orders", &recorder.url());
    let stranger = Workspace::session("other", &recorder.url());
    for workspace in [&original, &clone, &stranger] {
        streaming(workspace);
    }
    original.tidegate(&["run", "streaming"]).ok();
    let before = cluster.listed("cloned");
    let id = before[0]["jid"].as_str().unwrap();
    for (workspace, why) in [(&clone, "before `.tidegate` was lost"), (&stranger, "was not deployed from here")] {
        recorder.take();
        let refused = workspace.tidegate(&["run", "streaming"]).fails("job.exists_unmanaged");
        let asked = recorder.take();
        assert!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
        assert!(
            refused.err.contains(id) && refused.err.contains(why) && refused.err.contains("would start a twin"),
            "{refused}"
        );
        assert!(workspace.json(&["ps"]).as_array().unwrap().is_empty());
    }
    // The same with the state of the original deleted.
    std::fs::remove_dir_all(original.path(".tidegate")).unwrap();
    original.tidegate(&["run", "streaming"]).fails("job.exists_unmanaged");
    let after = cluster.listed("cloned");
    assert_eq!((after.len(), &after[0]["jid"], &after[0]["state"]), (1, &id.into(), &"RUNNING".into()));
    until("a checkpoint", || completed(cluster, id).filter(|count| *count > 0));
    workspace::request(|client| client.patch(format!("{}/jobs/{id}?mode=cancel", cluster.url)));
    until("its end", || (cluster.listed("cloned")[0]["state"] == "CANCELED").then_some(()));
    // It has ended, and left its state: that is not passed over without a word either.
    let refused = original.tidegate(&["run", "streaming"]).fails("job.state_unknown");
    assert!(refused.err.contains(id) && refused.err.contains("/chk-"), "{refused}");
    let script = std::fs::read_to_string(original.path("scripts/streaming.rhai")).unwrap();
    let allowed = "spec.deploy(#{ allow_state_loss: \"attempt-1\" }).wait_for(\"RUNNING\", \"1m\")";
    original.script("streaming", &script.replace("jobs::deploy_and_wait(spec, \"2m\")", allowed));
    original.tidegate(&["run", "streaming"]).ok();
    original.tidegate(&["cancel", "cloned"]).ok();
}
