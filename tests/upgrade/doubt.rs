//! What nobody knows is not forgotten: attempts that were given up and ran after all, refusals in doubt, stops that Flink has
//! forgotten, checkpoints that it has deleted, and answers that do not know the job.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tidegate::drivers::payload::stored_jar;

use crate::class_writer::ClassWriter;
use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::{Ended, Sandbox};
use crate::{checkpoint, done, first_id, lives_from, script, stage};

/// What Flink answers of the checkpoints of a job that takes none.
const TAKES_NONE: &str = "org.apache.flink.runtime.rest.handler.RestHandlerException: Checkpointing has not been enabled.\n\
                          \tat fake.Handler.handle(Handler.java:1)\n";

/// What it answers of a job that it does not know.
const NOT_FOUND: &str =
    "org.apache.flink.runtime.rest.NotFoundException: Job x not found\n\tat fake.Handler.handle(Handler.java:1)\n";

const TRACE: &str = "java.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n";

/// The second attempt was first sent a minute ago.
const A_MINUTE_AGO: &str = "UPDATE attempt_rows SET created_at = created_at - 60000 WHERE number = 2";

fn fails(ended: &Ended, code: &str) {
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains(&format!("error[{code}]")), "{}", ended.said);
}

/// The ids that live.
fn live(flink: &FakeFlink) -> Vec<String> {
    flink.executions().into_iter().filter(|one| one.is_live()).map(|one| one.job_id).collect()
}

/// An upgrade whose second attempt has arrived, and whose process died before it heard of that. Gives the attempt's id.
fn unanswered() -> (FakeFlink, Sandbox, String) {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/run", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_processed("POST", "/run", 2);
    process.kill();
    let second = flink.executions()[1].job_id.clone();
    (flink, sandbox, second)
}

/// Somebody says that the second attempt never ran.
fn give_up(sandbox: &Sandbox) -> Ended {
    let step = sandbox.ask("SELECT step FROM steps WHERE run = 2 AND status = 'open'").join("+");
    sandbox.run(&["resume", "r2", "--step", &format!("{step}=retry")])
}

/// A checkpoint of a job as a file, completed at this second.
pub(crate) fn write_checkpoint(folder: &Path, id: &str, number: u64, second: u64) -> String {
    let place = folder.join(id).join(format!("chk-{number}"));
    std::fs::create_dir_all(&place).unwrap();
    let file = std::fs::File::create(place.join("_metadata")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(second)).unwrap();
    format!("file:{}", place.display())
}

#[test]
fn an_attempt_that_was_given_up_and_runs_is_the_jobs_execution() {
    let (flink, sandbox, second) = unanswered();
    done(&give_up(&sandbox));
    assert_eq!(live(&flink), [second]);
    assert_eq!(flink.executions().len(), 2);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "accepted"]);
}

/// It ran, made a checkpoint and ended before anybody looked: that is newer than the savepoint of the one before.
#[test]
fn what_an_attempt_that_was_given_up_left_is_the_newest_state() {
    for forgets in [false, true] {
        let (flink, sandbox, second) = unanswered();
        let newest = flink.with(|cluster| {
            let newest = cluster.complete_checkpoint(&second);
            cluster.fail_job(&second, TRACE);
            newest
        });
        // Its end is recorded by a run that dies then; or it is still to be seen.
        sandbox.database().execute("UPDATE attempt_rows SET submission = 'given_up' WHERE number = 2", []).unwrap();
        if forgets {
            done(&sandbox.run(&["cancel", "steady"]));
            flink.with(|cluster| cluster.forget_job(&second));
        }
        done(&sandbox.run(&["run", "savepoint"]));
        assert_eq!(lives_from(&flink), Some(newest), "{forgets}");
        assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted"; 3], "{forgets}");
        assert_eq!(sandbox.ask("SELECT end_state FROM attempts WHERE attempt = 2"), ["FAILED"], "{forgets}");
    }
}

/// It went down with its JobManager: its tasks are waited for, and its checkpoint is found in its folder.
#[test]
fn an_attempt_that_was_given_up_and_went_down_with_its_jobmanager_is_not_forgotten() {
    let (flink, sandbox, second) = unanswered();
    let folder = sandbox.path().join("checkpoints");
    flink.with(|cluster| {
        cluster.checkpoints_dir = Some(format!("file://{}", folder.display()));
        cluster.tasks_outlive = Duration::from_millis(400);
    });
    let newest = write_checkpoint(&folder, &second, 3, 1_000);
    flink.restart(false);
    done(&give_up(&sandbox));
    assert_eq!(lives_from(&flink), Some(newest));
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "given_up", "accepted"]);
}

/// Where its folder tells nothing, nothing is known of it: what was before it is the state, as whoever gave it up has said.
#[test]
fn an_attempt_that_was_given_up_and_left_nothing_is_passed_over() {
    let (flink, sandbox, _) = unanswered();
    flink.restart(false);
    let ended = give_up(&sandbox);
    done(&ended);
    assert!(ended.said.contains("steady: attempt 2 was given up, and nothing is found of it"), "{}", ended.said);
    assert!(lives_from(&flink).unwrap().contains(&format!("/{}/1/savepoint-", first_id(&flink))));
}

#[test]
fn an_attempt_that_runs_is_listed_as_running_whatever_is_held_of_its_submission() {
    let (flink, sandbox, second) = unanswered();
    let listed = || sandbox.run(&["ps"]).said;
    for (held, answer) in [("open", "is unanswered"), ("refused", "was refused"), ("given_up", "was given up")] {
        sandbox.database().execute("UPDATE attempt_rows SET submission = ?1 WHERE number = 2", [held]).unwrap();
        let said = listed();
        assert!(said.contains("RUNNING"), "{said}");
        assert!(said.contains(&format!("its submission {answer}, and the cluster has it")), "{said}");
    }
    flink.with(|cluster| {
        cluster.fail_job(&second, TRACE);
        cluster.forget_job(&second);
    });
    assert!(listed().contains("GIVEN UP"));
}

#[test]
fn an_attempt_that_was_given_up_and_runs_is_cancelled_and_stopped() {
    for verb in ["cancel", "stop"] {
        let (flink, sandbox, _) = unanswered();
        sandbox.database().execute("UPDATE attempt_rows SET submission = 'given_up' WHERE number = 2", []).unwrap();
        done(&sandbox.run(&[verb, "steady"]));
        assert!(live(&flink).is_empty(), "{verb}");
    }
}

/// The job moved to a cluster where its attempt was given up and runs: back on the other one it would have a twin.
#[test]
fn an_attempt_that_was_given_up_on_another_cluster_is_looked_for_there() {
    let (flink, sandbox, second) = unanswered();
    let other = FakeFlink::start();
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    let clusters = format!("clusters:\n  other: {{ kind: session, url: \"{}\" }}", other.url());
    std::fs::write(sandbox.path().join("tidegate.yaml"), yaml.replace("clusters:", &clusters)).unwrap();
    let moved = script(2, "").replace("checkpointing:", "cluster: \"other\", checkpointing:");
    std::fs::write(sandbox.path().join("scripts/moved.rhai"), moved).unwrap();
    sandbox.database().execute("UPDATE attempt_rows SET submission = 'given_up' WHERE number = 2", []).unwrap();
    done(&sandbox.run(&["run", "moved"]));
    assert!(live(&flink).is_empty());
    assert!(lives_from(&other).unwrap().contains(&format!("/{second}/1/savepoint-")));
}

/// A request that was sent before and may be under way, and a refusal of the one that was sent after it.
fn refused_in_doubt(program: &str) -> (FakeFlink, Sandbox) {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    std::fs::write(sandbox.path().join("scripts/next.rhai"), program).unwrap();
    let jar = stored_jar(&[ClassWriter::new("acme.Main").main().entry()]).unwrap();
    std::fs::write(sandbox.path().join("acme.jar"), jar).unwrap();
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", "next"], None);
    flink.wait_for_request("POST", "/run", 2);
    process.kill();
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, TRACE)));
    (flink, sandbox)
}

/// What the first request starts late is the job; a new attempt beside it would be its twin.
#[test]
fn a_refusal_while_an_earlier_request_may_be_under_way_is_not_final() {
    let (flink, sandbox) = refused_in_doubt(&script(2, ""));
    let mut process = sandbox.start(&["run", "next"], None);
    flink.wait_for_answered("POST", "/run", 2);
    let before = flink.count("GET", "/jobs/overview");
    flink.wait_for_answered("GET", "/jobs/overview", before + 2);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "open"]);
    flink.release();
    let ended = process.wait();
    done(&ended);
    assert!(ended.said.contains("an earlier request of attempt 2 may be under way"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "accepted"]);
    assert_eq!(flink.executions().len(), 2);
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
}

/// Our own runner plans in seconds: after a minute nothing comes of the earlier request.
#[test]
fn a_refusal_in_doubt_is_final_when_nothing_can_be_under_way_any_more() {
    let (flink, sandbox) = refused_in_doubt(&script(2, ""));
    sandbox.database().execute(A_MINUTE_AGO, []).unwrap();
    done(&sandbox.run(&["run", "next"]));
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "refused", "accepted"]);
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    // Against all odds it does: it is a twin, and that is told.
    flink.release();
    flink.wait_for_processed("POST", "/run", 2);
    fails(&sandbox.run(&["run", "next"]), "job.twin");
}

/// How long the `main()` of somebody else takes nobody knows: it may start its job after an hour.
#[test]
fn a_refusal_in_doubt_of_a_program_of_ones_own_is_never_final() {
    let program = "job::jar(\"steady\", #{ jar: \"acme.jar\", main_class: \"acme.Main\" }).deploy();\n";
    let (flink, sandbox) = refused_in_doubt(program);
    sandbox.database().execute(A_MINUTE_AGO, []).unwrap();
    let asks = sandbox.run(&["run", "next"]);
    assert!(asks.said.contains("error[run.unknown_outcome]"), "{}", asks.said);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "open"]);
    // It does start it.
    flink.release();
    flink.wait_for_processed("POST", "/run", 2);
    done(&sandbox.run(&["run", "next"]));
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "accepted"]);
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
}

/// The JobManager that was asked is gone while it is looked for: whether the job had started nobody knows.
#[test]
fn a_refusal_in_doubt_whose_jobmanager_restarted_asks() {
    let (flink, sandbox) = refused_in_doubt(&script(2, ""));
    let mut process = sandbox.start(&["run", "next"], None);
    flink.wait_for_answered("POST", "/run", 2);
    flink.restart(false);
    let ended = process.wait();
    assert!(ended.said.contains("error[job.unknown_outcome]"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT submission FROM attempts"), ["accepted", "open"]);
    assert_eq!(flink.executions().len(), 1);
}

/// A stop that was carried out, and whose process died before it heard of that.
fn stopped_unheard() -> (FakeFlink, Sandbox) {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/stop", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["stop", "steady"], None);
    flink.wait_for_processed("POST", "/stop", 1);
    process.kill();
    flink.with(|cluster| cluster.forget_savepoints());
    (flink, sandbox)
}

/// Flink keeps what became of a savepoint for some minutes only. What the job ended with lies in the folder of that very stop.
#[test]
fn a_stop_that_flink_has_forgotten_is_found_by_what_the_job_ended_with() {
    let (flink, sandbox) = stopped_unheard();
    done(&sandbox.run(&["run", "savepoint"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    assert_eq!(sandbox.ask("SELECT kind || ' ' || status FROM savepoints"), ["stop completed"]);
    assert_eq!(sandbox.ask("SELECT trigger_id IS NULL FROM snapshot_rows"), ["0"], "it is ours, and recorded once");
}

/// A job that ended otherwise did not end with the savepoint.
#[test]
fn a_stop_that_flink_has_forgotten_is_not_taken_for_done() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.fault("POST", "/stop", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["stop", "steady"], None);
    flink.wait_for_request("POST", "/stop", 1);
    process.kill();
    let id = first_id(&flink);
    let newest = flink.with(|cluster| {
        let newest = cluster.complete_checkpoint(&id);
        cluster.cancel_job(&id);
        newest
    });
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(lives_from(&flink), Some(newest));
    assert_eq!(sandbox.ask("SELECT status FROM savepoints WHERE kind = 'stop'"), ["failed"]);
}

/// Neither the stop nor what the job ended with is told: it may have made a savepoint that nobody knows.
#[test]
fn a_stop_of_which_nobody_knows_anything_is_lost_and_no_start_from_nothing() {
    let (flink, sandbox) = stopped_unheard();
    flink.fault("GET", "/checkpoints", 100, Fault::AnswerBefore(Reply::errors(404, TAKES_NONE)));
    let ended = sandbox.run(&["run", "savepoint"]);
    fails(&ended, "job.state_unknown");
    let place = format!("a savepoint that was asked for may lie below file:/savepoints/{}/1", first_id(&flink));
    assert!(ended.said.contains(&place), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT status FROM savepoints WHERE kind = 'stop'"), ["lost"]);
    assert_eq!(flink.executions().len(), 1);
    // Asked once for what was unheard, and not again. It is FINISHED with its very spec, and has not done its work.
    let asked = flink.count("POST", "/stop");
    fails(&sandbox.run(&["run", "first"]), "job.state_unknown");
    let plan = sandbox.run(&["plan", "first"]);
    assert!(plan.said.contains("job.state_unknown"), "{}", plan.said);
    assert_eq!(flink.count("POST", "/stop"), asked);
}

/// With high availability the job lives on under its id, and no stop is under way any more.
#[test]
fn a_stop_that_a_new_jobmanager_does_not_know_is_lost_and_another_one_is_asked_for() {
    for verb in ["stop", "run"] {
        let (flink, sandbox) = stage();
        checkpoint(&flink);
        flink.with(|cluster| cluster.high_availability = true);
        flink.fault("POST", "/stop", 1, Fault::HoldBefore);
        let arguments = if verb == "stop" { ["stop", "steady"] } else { ["run", "savepoint"] };
        let mut process = sandbox.start(&arguments, None);
        flink.wait_for_request("POST", "/stop", 1);
        process.kill();
        flink.restart(true);
        assert_eq!(live(&flink), [first_id(&flink)]);
        done(&sandbox.run(&["resume", "r2"]));
        assert!(!live(&flink).contains(&first_id(&flink)), "{verb}");
        assert_eq!(sandbox.ask("SELECT status FROM savepoints WHERE kind = 'stop'"), ["lost", "completed"], "{verb}");
        done(&sandbox.run(&["run", "savepoint"]));
        assert!(lives_from(&flink).unwrap().contains(&format!("/{}/2/savepoint-", first_id(&flink))), "{verb}");
        assert_eq!(flink.executions().len(), 2, "{verb}");
    }
}

/// Flink has deleted the newest checkpoint of what ended: the savepoint of before is older, and goes only by name.
#[test]
fn a_deleted_checkpoint_is_no_reason_to_go_on_from_an_older_savepoint() {
    for forgets in [false, true] {
        let (flink, sandbox) = stage();
        done(&sandbox.run(&["savepoint", "steady"]));
        let savepoint = sandbox.ask("SELECT path FROM savepoints").remove(0);
        let deleted = checkpoint(&flink);
        assert!(deleted.ends_with("/chk-2"), "{deleted}");
        let id = first_id(&flink);
        flink.with(|cluster| {
            cluster.discard_checkpoints(&id);
            cluster.fail_job(&id, TRACE);
        });
        if forgets {
            let ended = sandbox.run(&["cancel", "steady"]);
            done(&ended);
            assert!(!ended.said.contains("stays"), "{}", ended.said);
            flink.with(|cluster| cluster.forget_job(&id));
        }
        let refused = sandbox.run(&["run", "first"]);
        fails(&refused, "job.state_unknown");
        assert!(refused.said.contains(&deleted), "{}", refused.said);
        assert!(refused.said.contains("allow_state_loss: \"attempt-1/chk-2\""), "{}", refused.said);
        assert_eq!(flink.executions().len(), 1);
        let allowed = script(1, "#{ allow_state_loss: \"attempt-1/chk-2\" }");
        std::fs::write(sandbox.path().join("scripts/allowed.rhai"), allowed).unwrap();
        done(&sandbox.run(&["run", "allowed"]));
        assert_eq!(lives_from(&flink), Some(savepoint), "{forgets}");
    }
}

/// The JobManager forgets the job while it is asked for its checkpoints: that is not "it has none".
#[test]
fn a_job_that_is_forgotten_while_its_end_is_looked_at_had_its_state() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    let id = first_id(&flink);
    flink.with(|cluster| cluster.cancel_job(&id));
    flink.fault("GET", "/checkpoints", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_request("GET", "/checkpoints", 1);
    flink.with(|cluster| cluster.forget_job(&id));
    flink.release();
    let ended = process.wait();
    fails(&ended, "flink.job_not_found");
    assert!(ended.said.contains("while it was asked for its newest checkpoint"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT ifnull(end_state, '-') FROM attempts"), ["-"]);
    fails(&sandbox.run(&["run", "savepoint"]), "job.state_unknown");
    assert_eq!(flink.executions().len(), 1);
}

/// The list has the job, and who is asked for its checkpoints does not know it yet: it is asked again.
#[test]
fn a_job_that_is_listed_and_not_known_for_a_moment_is_asked_for_again() {
    let (flink, sandbox) = stage();
    let newest = checkpoint(&flink);
    let id = first_id(&flink);
    flink.with(|cluster| cluster.cancel_job(&id));
    flink.fault("GET", "/checkpoints", 2, Fault::AnswerBefore(Reply::errors(404, NOT_FOUND)));
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(lives_from(&flink), Some(newest));
}
