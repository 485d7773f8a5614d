//! What lies on the disk when nobody remembers it: savepoints whose answer was lost, folders without a checkpoint, states that somebody deleted.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::doubt::write_checkpoint;
use crate::support::fake_flink::{FakeFlink, Fault};
use crate::support::sandbox::{Ended, Sandbox};
use crate::{SQL, checkpoint, done, first_id, lives_from, script, stage};

fn refused(ended: &Ended, code: &str, texts: &[&str]) {
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    for text in [&format!("error[{code}]")].into_iter().map(String::as_str).chain(texts.iter().copied()) {
        assert!(ended.said.contains(text), "`{text}`: {}", ended.said);
    }
}

/// Runs the first command that an error names between backticks and that begins so.
fn follow(sandbox: &Sandbox, said: &str, begin: &str) -> Ended {
    let command =
        said.split('`').find(|part| part.starts_with(begin)).unwrap_or_else(|| panic!("no `{begin}`: {said}"));
    sandbox.run(&command.split(' ').skip(1).collect::<Vec<_>>())
}

/// The job with savepoints in a folder, and checkpoints in one of this machine where it `shows` them; its one checkpoint is of second 1000.
/// Gives its id, and the checkpoint's path.
fn filed(savepoints: &str, shows: bool) -> (FakeFlink, Sandbox, String, String) {
    let (flink, sandbox) = stage();
    let folder = sandbox.path().join("checkpoints");
    let savepoints = savepoints.replace("HERE", &sandbox.path().display().to_string());
    let options = format!("options: #{{ \"state.savepoints.dir\": \"{savepoints}\" }}, checkpointing:");
    std::fs::write(sandbox.path().join("scripts/filed.rhai"), script(2, "").replace("checkpointing:", &options))
        .unwrap();
    done(&sandbox.run(&["run", "filed"]));
    let id = flink.executions()[1].job_id.clone();
    let newest = write_checkpoint(&folder, &id, 1, 1_000);
    flink.with(|cluster| {
        cluster.complete_checkpoint_at(&id, &newest);
        cluster.checkpoints_dir = shows.then(|| format!("file://{}", folder.display()));
    });
    done(&sandbox.run(&["savepoints", "steady"]));
    (flink, sandbox, id, newest)
}

fn write_savepoint(sandbox: &Sandbox, id: &str, second: u64) -> String {
    let place = sandbox.path().join(format!("savepoints/{id}/1/savepoint-abc"));
    std::fs::create_dir_all(&place).unwrap();
    let file = std::fs::File::create(place.join("_metadata")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    format!("file:{}", place.display())
}

/// Its JobManager dies when the savepoint of a stop is whole, before it tells.
fn stopped_unheard(sandbox: &Sandbox, flink: &FakeFlink, and_then: impl FnOnce()) -> Ended {
    let asked = flink.count("POST", "/stop");
    flink.fault("POST", "/stop", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["stop", "steady"], None);
    flink.wait_for_request("POST", "/stop", asked + 1);
    and_then();
    flink.restart(false);
    process.wait()
}

#[test]
fn a_savepoint_whose_answer_went_down_with_the_jobmanager_is_the_newest_state() {
    let (flink, sandbox, id, _) = filed("file://HERE/savepoints", true);
    let mut savepoint = String::new();
    let stop = stopped_unheard(&sandbox, &flink, || savepoint = write_savepoint(&sandbox, &id, 2_000));
    refused(&stop, "savepoint.failed", &[&format!("it is whole all the same: {savepoint}")]);
    done(&sandbox.run(&["start", "steady"]));
    assert_eq!(lives_from(&flink), Some(savepoint));
    let rows = sandbox.ask("SELECT kind || ' ' || status FROM savepoints WHERE attempt = 2 ORDER BY kind");
    assert_eq!(rows, ["checkpoint completed", "savepoint completed"]);
}

/// A row that an older tidegate held to be lost is looked for again.
#[test]
fn a_savepoint_that_is_found_later_is_found() {
    let (flink, sandbox, id, _) = filed("file://HERE/savepoints", true);
    refused(&stopped_unheard(&sandbox, &flink, || ()), "savepoint.failed", &[]);
    assert_eq!(sandbox.ask("SELECT status FROM savepoints WHERE kind = 'stop' AND attempt = 2"), ["lost"]);
    let savepoint = write_savepoint(&sandbox, &id, 2_000);
    done(&sandbox.run(&["start", "steady"]));
    assert_eq!(lives_from(&flink), Some(savepoint));
}

/// The stop failed after its savepoint was whole, and the job went on: what it took then is newer.
#[test]
fn a_checkpoint_that_was_taken_after_a_stop_that_failed_is_newer_than_its_savepoint() {
    let (flink, sandbox, id, _) = filed("file://HERE/savepoints", true);
    let mut newest = String::new();
    stopped_unheard(&sandbox, &flink, || {
        write_savepoint(&sandbox, &id, 2_000);
        newest = write_checkpoint(&sandbox.path().join("checkpoints"), &id, 3, 3_000);
    });
    done(&sandbox.run(&["start", "steady"]));
    assert_eq!(lives_from(&flink), Some(newest));
}

/// Where its checkpoints are not seen, whether there is a later one is not known: both are named, and the way on is one.
#[test]
fn a_savepoint_after_which_the_job_may_have_gone_on_is_not_taken_silently() {
    let (flink, sandbox, id, newest) = filed("file://HERE/savepoints", false);
    let mut savepoint = String::new();
    stopped_unheard(&sandbox, &flink, || savepoint = write_savepoint(&sandbox, &id, 2_000));
    let start = sandbox.run(&["start", "steady"]);
    refused(&start, "job.state_unknown", &[&newest, &savepoint, "tidegate rollback steady --to 2 --rewind"]);
    done(&follow(&sandbox, &start.said, "tidegate rollback"));
    assert_eq!(lives_from(&flink), Some(savepoint));
}

/// The private folder of the stop is not seen from here: it may hold a newer state than the checkpoint that is.
#[test]
fn a_checkpoint_is_not_taken_where_a_lost_savepoint_may_be_newer() {
    let (flink, sandbox, id, newest) = filed("hdfs:///savepoints", true);
    stopped_unheard(&sandbox, &flink, || ());
    let start = sandbox.run(&["start", "steady"]);
    refused(&start, "job.state_unknown", &[&newest, &format!("may lie below hdfs:///savepoints/{id}/1")]);
    done(&follow(&sandbox, &start.said, "tidegate rollback"));
    assert_eq!(lives_from(&flink), Some(newest));
}

/// One that is of this machine, and is not there, was never made.
#[test]
fn a_savepoint_that_is_seen_not_to_be_there_keeps_nothing_from_its_checkpoint() {
    let (flink, sandbox, _, newest) = filed("file://HERE/savepoints", true);
    stopped_unheard(&sandbox, &flink, || ());
    done(&sandbox.run(&["start", "steady"]));
    assert_eq!(lives_from(&flink), Some(newest));
}

/// A job that was started from a savepoint, and went down before its first checkpoint. `folder` is what its JobManager made.
fn vanished_early(folder: Option<&[&str]>) -> (FakeFlink, Sandbox, String) {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["restart", "steady"]));
    let (id, from) = (flink.executions()[1].job_id.clone(), lives_from(&flink).unwrap());
    let root = sandbox.path().join("checkpoints");
    std::fs::create_dir_all(&root).unwrap();
    for made in folder.unwrap_or_default() {
        std::fs::create_dir_all(Path::new(&root).join(&id).join(made)).unwrap();
    }
    flink.with(|cluster| cluster.checkpoints_dir = Some(format!("file://{}", root.display())));
    flink.restart(false);
    (flink, sandbox, from)
}

#[test]
fn a_job_that_vanished_before_its_first_checkpoint_starts_from_what_it_was_started_from() {
    for made in [&["shared", "taskowned"][..], &["shared", "taskowned", "chk-172"]] {
        let (flink, sandbox, from) = vanished_early(Some(made));
        done(&sandbox.run(&["start", "steady"]));
        assert_eq!(lives_from(&flink), Some(from), "{made:?}");
    }
}

/// A folder that is not there, or holds no sign of the JobManager, may be another machine's. The way that keeps state comes first, and is one.
#[test]
fn a_folder_that_is_not_seen_is_not_taken_for_an_empty_one() {
    for made in [None, Some(&["shared"][..]), Some(&["chk-1", "chk-2", "chk-3", "taskowned"])] {
        let (flink, sandbox, from) = vanished_early(made);
        let start = sandbox.run(&["start", "steady"]);
        let way = "tidegate rollback steady --to 1 --rewind";
        refused(&start, "job.state_unknown", &[&format!("it was started from {from}"), way, "allow_state_loss"]);
        assert!(start.said.find(way) < start.said.find("allow_state_loss"), "{}", start.said);
        assert_eq!(flink.executions().len(), 2);
        done(&follow(&sandbox, &start.said, "tidegate rollback"));
        assert_eq!(lives_from(&flink), Some(from), "{made:?}");
    }
}

/// The newest checkpoint was deleted by somebody: what the error says works, and goes on from the one before.
#[test]
fn a_state_that_is_gone_is_passed_over_where_it_is_named() {
    let (flink, sandbox) = stage();
    let (id, folder) = (first_id(&flink), sandbox.path().join("checkpoints"));
    let older = write_checkpoint(&folder, &id, 1, 1_000);
    let gone = write_checkpoint(&folder, &id, 2, 2_000);
    flink.with(|cluster| {
        cluster.complete_checkpoint_at(&id, &older);
        cluster.complete_checkpoint_at(&id, &gone);
        cluster.cancel_job(&id);
    });
    std::fs::remove_dir_all(gone.trim_start_matches("file:")).unwrap();
    let start = sandbox.run(&["start", "steady"]);
    refused(&start, "savepoint.gone", &[&gone, &format!("goes on from {older} of attempt 1, taken"), " ago"]);
    let started = follow(&sandbox, &start.said, "tidegate start");
    done(&started);
    assert!(started.said.contains("attempt-1/chk-2 is gone, and goes on from"), "{}", started.said);
    assert_eq!(lives_from(&flink), Some(older));
}

/// With the last one nothing is left: only then starting from nothing is named.
#[test]
fn where_no_older_state_is_there_that_is_said() {
    let (flink, sandbox) = stage();
    let (id, folder) = (first_id(&flink), sandbox.path().join("checkpoints"));
    let gone = write_checkpoint(&folder, &id, 2, 2_000);
    flink.with(|cluster| {
        cluster.complete_checkpoint_at(&id, &gone);
        cluster.cancel_job(&id);
    });
    std::fs::remove_dir_all(gone.trim_start_matches("file:")).unwrap();
    let start = sandbox.run(&["start", "steady"]);
    refused(&start, "savepoint.gone", &["no older state of it is there"]);
    done(&follow(&sandbox, &start.said, "tidegate start"));
    assert_eq!(lives_from(&flink), None);
}

#[test]
fn a_savepoint_of_somebody_else_is_not_pruned_and_one_that_is_gone_is_not_called_deleted() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    let id = first_id(&flink);
    let foreign = flink.with(|cluster| cluster.stop_by_hand(&id));
    done(&sandbox.run(&["run", "first"]));
    for _ in 0..2 {
        done(&sandbox.run(&["savepoint", "steady"]));
        done(&sandbox.run(&["restart", "steady"]));
    }
    let savepoints = sandbox.ask("SELECT path FROM savepoints WHERE kind IN ('stop', 'savepoint')");
    flink.with(|cluster| cluster.deleted.extend(savepoints));
    let pruned = sandbox.run(&["savepoints", "prune", "--keep", "0", "--older-than", "0s"]);
    done(&pruned);
    assert!(!flink.with(|cluster| cluster.disposed.contains(&foreign)), "{}", pruned.said);
    let status = format!("SELECT status FROM savepoints WHERE path = '{foreign}'");
    assert_eq!(sandbox.ask(&status), ["completed"], "{}", pruned.said);
    assert!(pruned.said.contains("was not there any more, and nothing was deleted"), "{}", pruned.said);
    assert!(!pruned.said.contains("deleted file:"), "{}", pruned.said);
}

/// Many clusters keep their state below `/tmp` of their own machines; that there is a `/tmp` here says nothing about it.
#[test]
fn state_of_another_machine_is_not_called_gone() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    let newest = format!("file:{}/flink-of-another-machine/{id}/chk-7", std::env::temp_dir().display());
    flink.with(|cluster| cluster.complete_checkpoint_at(&id, &newest));
    done(&sandbox.run(&["run", "last_state"]));
    assert_eq!(lives_from(&flink), Some(newest));
}

/// Flink has deleted its checkpoints; a savepoint that was taken while it ran is newer than what it was started from.
#[test]
fn a_job_that_has_done_its_work_leaves_the_savepoint_that_was_taken_of_it() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    let id = first_id(&flink);
    done(&sandbox.run(&["savepoint", "steady"]));
    checkpoint(&flink);
    flink.with(|cluster| {
        cluster.finish_job(&id);
        cluster.discard_checkpoints(&id);
    });
    let savepoint = sandbox.ask("SELECT path FROM savepoints WHERE kind = 'savepoint'")[0].clone();
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(lives_from(&flink), Some(savepoint));
}

/// Only the job itself still has its state: it is not cancelled for what is not there any more.
#[test]
fn a_job_is_not_cancelled_to_go_on_from_what_somebody_has_deleted() {
    let (flink, sandbox) = stage();
    let (id, folder) = (first_id(&flink), sandbox.path().join("checkpoints"));
    let first = write_checkpoint(&folder, &id, 2, 2_000);
    flink.with(|cluster| {
        cluster.complete_checkpoint_at(&id, &first);
        cluster.cancel_job(&id);
    });
    done(&sandbox.run(&["run", "first"]));
    // It has no checkpoint of its own yet, and goes on from what it was started from: how old that is is said.
    let plan = sandbox.run(&["plan", "last_state"]);
    let told =
        format!("it has completed no checkpoint of its own, so what is left is what it was started from, {first}");
    assert!(plan.said.contains(&told) && plan.said.contains("what came since is processed again"), "{}", plan.said);
    std::fs::remove_dir_all(first.trim_start_matches("file:")).unwrap();
    for upgrade in [&["run", "last_state"][..], &["restart", "steady", "--upgrade", "last_state"][..]] {
        let ended = sandbox.run(upgrade);
        assert_eq!(ended.code(), Some(1), "{}", ended.said);
        let why = format!("the state that it would go on from is gone: {first}");
        assert!(ended.said.contains("error[job.upgrade_blocked]") && ended.said.contains(&why), "{}", ended.said);
        assert!(flink.executions().last().unwrap().is_live(), "{}", ended.said);
    }
    assert!(sandbox.run(&["plan", "last_state"]).said.contains("BLOCKED"));
    done(&sandbox.run(&["run", "savepoint"]));
    assert!(lives_from(&flink).unwrap().contains("/savepoint-"));
    // A cancel says what it leaves.
    let cancelled = sandbox.run(&["cancel", "steady"]);
    done(&cancelled);
    assert!(cancelled.said.contains("it has completed no checkpoint of its own"), "{}", cancelled.said);
    assert!(!cancelled.said.contains("its newest checkpoint stays"), "{}", cancelled.said);
}

/// `.tidegate` was lost while the job was stopped: its cluster, or its folder, still tells of its state.
#[test]
fn a_job_that_nothing_is_recorded_of_is_not_started_from_nothing_where_it_has_state() {
    let (flink, sandbox) = stage();
    let (id, folder) = (first_id(&flink), sandbox.path().join("checkpoints"));
    let newest = write_checkpoint(&folder, &id, 2, 2_000);
    flink.with(|cluster| {
        cluster.checkpoints_dir = Some(format!("file://{}", folder.display()));
        cluster.complete_checkpoint_at(&id, &newest);
    });
    done(&sandbox.run(&["cancel", "steady"]));
    for is_listed in [true, false] {
        std::fs::remove_dir_all(sandbox.path().join(".tidegate")).unwrap();
        if !is_listed {
            flink.restart(true);
        }
        let plan = sandbox.run(&["plan", "first"]);
        assert!(plan.said.contains("BLOCKED") && plan.said.contains(&newest), "{}", plan.said);
        let ended = sandbox.run(&["run", "first"]);
        assert_eq!(ended.code(), Some(1), "{}", ended.said);
        assert!(ended.said.contains("error[job.state_unknown]"), "{}", ended.said);
        let told = format!("`target` has state of it: of attempt 1 ({id}), which ");
        assert!(ended.said.contains(&told), "{}", ended.said);
        assert_eq!(flink.executions().len(), 1);
    }
    let named = script(1, "#{ allow_state_loss: \"attempt-1\" }");
    std::fs::write(sandbox.path().join("scripts/named.rhai"), named).unwrap();
    done(&sandbox.run(&["run", "named"]));
    assert_eq!(lives_from(&flink), None);
}

/// It comes from elsewhere, and was stopped there with a savepoint.
#[test]
fn a_job_whose_options_name_a_state_starts_from_it_the_first_time_and_later_from_newer_state() {
    let flink = FakeFlink::start();
    let options = "options: #{ \"execution.savepoint.path\": \"file:/old/savepoint-1\" }, checkpointing:";
    let first = script(1, "").replace("checkpointing:", options);
    let files = [("templates/job.sql", SQL), ("scripts/first.rhai", first.as_str())];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    let plan = sandbox.run(&["plan", "first"]);
    assert!(plan.said.contains("from file:/old/savepoint-1, as its options say"), "{}", plan.said);
    done(&sandbox.run(&["run", "first"]));
    assert_eq!(lives_from(&flink).as_deref(), Some("file:/old/savepoint-1"));
    assert_eq!(sandbox.ask("SELECT restored_from FROM attempts"), ["file:/old/savepoint-1"]);
    done(&sandbox.run(&["restart", "steady"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
}
