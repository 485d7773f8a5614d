//! What real JobManagers answered is read as what it says.

use serde::de::DeserializeOwned;

use super::exceptions::ExceptionsAnswer;
use super::types::JobsOverview;
use super::*;

fn captured<T: DeserializeOwned>(name: &str) -> T {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/flink-answers");
    let text = std::fs::read_to_string(path.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn jobs_of_both_major_versions_are_read_alike() {
    for version in ["h120", "h23"] {
        let states: Vec<JobState> =
            (1..=5).map(|number| captured::<JobDetail>(&format!("job{number}-{version}")).state).collect();
        assert_eq!(
            states,
            [JobState::Running, JobState::Failed, JobState::Restarting, JobState::Finished, JobState::Canceled]
        );
        let running: JobDetail = captured(&format!("job1-{version}"));
        assert!(running.is_running() && running.end_time.is_none(), "{running:?}");
        assert_eq!((running.tasks().total, running.vertices.len()), (4, 2));
        let finished: JobDetail = captured(&format!("job4-{version}"));
        assert!(!finished.is_running() && finished.end_time.is_some_and(|end| end > finished.start_time));
    }
}

#[test]
fn checkpoints_are_read() {
    let of = |number: u8, version: &str| captured::<Checkpoints>(&format!("job{number}-checkpoints-{version}"));
    let checkpoints = of(1, "h120");
    assert_eq!((checkpoints.counts.completed, checkpoints.history[0].status.as_str()), (15, "IN_PROGRESS"));
    let completed = checkpoints.latest.completed.unwrap();
    assert_eq!((completed.id, completed.discarded, completed.is_savepoint), (15, false, false));
    assert!(completed.external_path.unwrap().ends_with("f001/chk-15"));
    assert_eq!(of(1, "h23").counts.failed, 1);
    for version in ["h120", "h23"] {
        for number in 2..=5 {
            of(number, version);
        }
    }
}

#[test]
fn a_checkpoint_in_memory_has_no_path() {
    let checkpoint: Checkpoint = serde_json::from_value(serde_json::json!({
        "id": 1, "status": "COMPLETED", "trigger_timestamp": 1, "external_path": "<checkpoint-not-externally-addressable>"
    }))
    .unwrap();
    assert_eq!(checkpoint.external_path, None);
}

#[test]
fn failures_of_both_major_versions_are_read_alike() {
    for version in ["h120", "h23"] {
        let of = |name: &str| Exceptions::from(captured::<ExceptionsAnswer>(&format!("{name}-{version}")));
        assert!(of("job1-exceptions").entries.is_empty() && of("job1-exceptions").diagnosis().is_none());
        let cast = of("job2-exceptions").diagnosis().unwrap();
        assert!(cast.root_cause.starts_with("NumberFormatException: For input string"), "{cast:?}");
        let restarting = of("job3-exceptions");
        assert!(restarting.entries[0].task_name.as_ref().unwrap().starts_with("Source: src"));
        assert!(of("exc-noslots").diagnosis().unwrap().root_cause.starts_with("Could not acquire"));
    }
    // The history can be empty where the root exception is not.
    let old: ExceptionsAnswer = serde_json::from_value(serde_json::json!({
        "root-exception": "java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\n", "timestamp": 5,
        "exceptionHistory": {"entries": [], "truncated": false}
    }))
    .unwrap();
    let old = Exceptions::from(old);
    assert_eq!((old.entries[0].exception.as_str(), old.entries[0].timestamp), ("java.lang.IllegalStateException", 5));
}

#[test]
fn a_running_job_without_slots_does_not_run() {
    let answer: JobsOverview = serde_json::from_value(serde_json::json!({"jobs": [
        {"jid": "x", "name": "n", "start-time": 1, "end-time": -1, "duration": 2, "state": "RUNNING", "last-modification": 3,
         "tasks": {"running": 1, "total": 2, "scheduled": 1}},
        {"jid": "y", "name": "n", "start-time": 1, "end-time": 7, "duration": 2, "state": "NEWER", "jobType": "BATCH",
         "tasks": {"running": 1, "finished": 1, "total": 2}}]}))
    .unwrap();
    assert!(!answer.jobs[0].is_running());
    assert_eq!((answer.jobs[1].state.as_str(), answer.jobs[1].end_time), ("NEWER", Some(7)));
    assert!(answer.jobs[1].tasks.all_run() && !answer.jobs[1].state.is_terminal());
}

#[tokio::test]
async fn who_knows_the_cluster_says_what_to_do_where_it_does_not_answer() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::new(&format!("http://{closed}")).unwrap();
    let error = client.overview().await.unwrap_err();
    assert_eq!(error.hint_text(), Some("check that the cluster is up and that its `url:` is right"));
    let error = client.with_remedy("start it".to_owned()).overview().await.unwrap_err();
    assert_eq!(error.hint_text(), Some("start it"));
}
