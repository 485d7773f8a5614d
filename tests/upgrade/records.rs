//! Savepoints that are taken and pruned, jobs that are adopted, differences that are told, plans that are applied.

use crate::support::fake_flink::{FakeFlink, Fault};
use crate::support::sandbox::Sandbox;
use crate::{SQL, checkpoint, done, first_id, lives_from, script, stage};

#[test]
fn a_savepoint_leaves_the_job_and_is_in_the_ledger_once_whoever_dies() {
    let (flink, sandbox) = stage();
    flink.fault("POST", "/savepoints", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["savepoint", "steady"], None);
    flink.wait_for_processed("POST", "/savepoints", 1);
    process.kill();
    flink.release();
    done(&sandbox.run(&["resume", "r2"]));
    assert_eq!(sandbox.ask("SELECT kind || ' ' || status FROM savepoints"), ["savepoint completed"]);
    assert!(flink.executions()[0].is_live());
    let said = sandbox.run(&["savepoint", "steady"]);
    done(&said);
    assert!(said.said.contains("goes on; its savepoint: file:/savepoints/"), "{}", said.said);
    assert_eq!(sandbox.ask("SELECT kind FROM savepoints").len(), 2);
    done(&sandbox.run(&["cancel", "steady"]));
    let ended = sandbox.run(&["savepoint", "steady"]);
    assert!(ended.said.contains("error[job.ended]"), "{}", ended.said);
    // Cancelled without a checkpoint of its own: the second savepoint is the newest state.
    done(&sandbox.run(&["run", "first"]));
    assert!(lives_from(&flink).unwrap().contains("/2/savepoint-"));
}

#[test]
fn only_savepoints_that_nobody_needs_are_pruned() {
    let (flink, sandbox) = stage();
    for _ in 0..4 {
        done(&sandbox.run(&["savepoint", "steady"]));
    }
    done(&sandbox.run(&["restart", "steady"]));
    checkpoint_of_newest(&flink);
    let none = sandbox.run(&["savepoints", "prune", "steady"]);
    assert!(none.said.contains("no savepoint may go"), "{}", none.said);
    done(&sandbox.run(&["savepoints", "prune", "--keep", "2", "--older-than", "0s"]));
    let disposed = flink.with(|cluster| cluster.disposed.clone());
    assert_eq!(disposed.len(), 3, "{disposed:?}");
    assert!(!disposed.contains(&lives_from(&flink).unwrap()));
    let statuses = sandbox.ask("SELECT status FROM savepoints WHERE kind <> 'checkpoint' ORDER BY id");
    assert_eq!(statuses, ["disposed", "disposed", "disposed", "completed", "completed"]);
    done(&sandbox.run(&["savepoints", "prune", "--keep", "0", "--older-than", "0s"]));
    assert_eq!(flink.with(|cluster| cluster.disposed.len()), 4);
    assert!(sandbox.ask("SELECT status FROM savepoints WHERE kind = 'stop'").contains(&"completed".to_owned()));
}

fn checkpoint_of_newest(flink: &FakeFlink) {
    let id = flink.executions().last().unwrap().job_id.clone();
    flink.with(|cluster| cluster.complete_checkpoint(&id));
}

#[test]
fn a_job_that_somebody_else_started_is_adopted_and_upgraded() {
    let flink = FakeFlink::start();
    let (id, other) = ("c".repeat(32), "d".repeat(32));
    flink.with(|cluster| cluster.put_job(&id, "steady"));
    let deploy = script(1, "");
    let files = [("templates/job.sql", SQL), ("scripts/first.rhai", deploy.as_str())];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    let refused = sandbox.run(&["run", "first"]);
    assert!(refused.said.contains("error[job.exists_unmanaged]"), "{}", refused.said);
    assert!(refused.said.contains(&format!("tidegate adopt steady --id {id}")), "{}", refused.said);
    let unknown = sandbox.run(&["adopt", "steady", "--id", &other]);
    assert!(unknown.said.contains("error[flink.job_not_found]"), "{}", unknown.said);
    assert!(unknown.said.contains(&format!("these run there: {id} (steady)")), "{}", unknown.said);
    let adopted = sandbox.run(&["adopt", "steady", "--id", &id]);
    done(&adopted);
    assert!(adopted.said.contains("nothing was restarted"), "{}", adopted.said);
    done(&sandbox.run(&["adopt", "steady", "--id", &id]));
    assert_eq!(sandbox.ask("SELECT flink_id FROM attempts"), std::slice::from_ref(&id));
    assert_eq!(flink.executions().len(), 1);
    let restart = sandbox.run(&["restart", "steady"]);
    assert!(restart.said.contains("error[job.adopted]"), "{}", restart.said);
    assert!(flink.executions()[0].is_live());
    let plan = sandbox.run(&["plan", "first"]);
    assert!(plan.said.contains(&format!("program: adopted {id} -> sql")), "{}", plan.said);
    done(&sandbox.run(&["run", "first"]));
    assert!(lives_from(&flink).unwrap().contains(&format!("/{id}/1/savepoint-")));
    let back = sandbox.run(&["rollback", "steady"]);
    assert!(back.said.contains("error[job.adopted]"), "{}", back.said);
}

#[test]
fn differences_from_what_is_recorded_are_told_and_nothing_is_concluded_from_silence() {
    let (flink, sandbox) = stage();
    let none = sandbox.run(&["drift"]);
    assert_eq!(none.code(), Some(0), "{}", none.said);
    flink.with(|cluster| cluster.checkpoint_configuration["interval"] = 5_000.into());
    flink.with(|cluster| cluster.checkpoint_configuration["externalization"]["delete_on_cancellation"] = true.into());
    let configured = sandbox.run(&["drift"]);
    for text in [
        "`execution.checkpointing.interval` was deployed as 1000 ms, and it runs with 5000 ms",
        "was deployed as RETAIN_ON_CANCELLATION, and it runs with one that a cancel deletes",
    ] {
        assert!(configured.said.contains(text), "{}", configured.said);
    }
    let id = first_id(&flink);
    let orphan = format!("{}{}", &id[..16], "0".repeat(16));
    flink.with(|cluster| cluster.put_job(&orphan, "other"));
    flink.with(|cluster| cluster.put_job(&"e".repeat(32), "steady"));
    let found = sandbox.run(&["drift"]);
    assert_eq!(found.code(), Some(4), "{}", found.said);
    assert!(found.said.contains(&format!("ORPHAN        local/steady on `target`: {orphan}")), "{}", found.said);
    assert!(found.said.contains("FOREIGN"), "{}", found.said);
    flink.with(|cluster| cluster.cancel_job(&id));
    let missing = sandbox.run(&["drift"]);
    assert!(
        missing.said.contains("MISSING       local/steady on `target`: it should run, and attempt 1 is CANCELED"),
        "{}",
        missing.said
    );
    flink.refuse();
    let silent = sandbox.run(&["drift"]);
    assert_eq!(silent.code(), Some(4), "{}", silent.said);
    assert!(silent.said.contains("UNKNOWN") && !silent.said.contains("MISSING"), "{}", silent.said);
    flink.listen();
}

/// The clocks of two machines differ: a job that Flink has started in our future has not been without a checkpoint since.
#[test]
fn a_clock_that_is_ahead_is_no_stalled_checkpoint() {
    let (flink, sandbox) = stage();
    flink.with(|cluster| cluster.clock_ahead = 300_000);
    done(&sandbox.run(&["restart", "steady"]));
    let drift = sandbox.run(&["drift"]);
    assert_eq!(drift.code(), Some(0), "{}", drift.said);
}

#[test]
fn a_plan_says_what_a_cancel_leaves() {
    let (flink, sandbox) = stage();
    std::fs::write(sandbox.path().join("scripts/end.rhai"), "job::get(\"steady\").cancel();\n").unwrap();
    let plan = || sandbox.run(&["plan", "end"]).said;
    assert!(plan().contains("its newest checkpoint stays"), "{}", plan());
    flink.with(|cluster| cluster.checkpoint_configuration["externalization"]["delete_on_cancellation"] = true.into());
    let deletes = plan();
    assert!(deletes.contains("Flink deletes its newest checkpoint with it"), "{deletes}");
    assert!(!deletes.contains("stays"), "{deletes}");
    flink.refuse();
    let silent = plan();
    assert!(silent.contains("whether its newest checkpoint stays is not known"), "{silent}");
    flink.listen();
}

#[test]
fn a_plan_is_applied_only_where_nothing_has_changed() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    let plan = |name: &str| {
        let planned = sandbox.run(&["plan", name, "-o", "agreed.json"]);
        assert_eq!(planned.code(), Some(4), "{}", planned.said);
        sandbox.run(&["apply", "agreed.json"])
    };
    assert_eq!(sandbox.run(&["plan", "savepoint", "-o", "agreed.json"]).code(), Some(4));
    let template = std::fs::read_to_string(sandbox.path().join("templates/job.sql")).unwrap();
    std::fs::write(sandbox.path().join("templates/job.sql"), template.replace("n > ", "n >= ")).unwrap();
    let changed = sandbox.run(&["apply", "agreed.json"]);
    assert!(changed.said.contains("error[plan.changed]"), "{}", changed.said);
    assert!(changed.said.contains("`steady`: its script or template makes another spec now"), "{}", changed.said);
    std::fs::write(sandbox.path().join("templates/job.sql"), template).unwrap();
    let id = first_id(&flink);
    flink.with(|cluster| cluster.cancel_job(&id));
    let changed = sandbox.run(&["apply", "agreed.json"]);
    assert!(changed.said.contains("error[plan.changed]"), "{}", changed.said);
    assert_eq!(flink.executions().len(), 1);
    done(&plan("first"));
    done(&plan("savepoint"));
    assert_eq!(flink.executions().len(), 3);
    let again = sandbox.run(&["apply", "agreed.json"]);
    assert!(again.said.contains("error[plan.changed]"), "{}", again.said);
    std::fs::write(sandbox.path().join("agreed.json"), "{}").unwrap();
    let broken = sandbox.run(&["apply", "agreed.json"]);
    assert!(broken.said.contains("error[file.invalid]"), "{}", broken.said);
}

#[test]
fn a_plan_of_many_jobs_looks_at_their_cluster_once() {
    let (flink, sandbox) = stage();
    let many = "for n in 0..20 { job::sql(`many-${n}`, #{ template: \"job.sql\", vars: #{ least: n } }).deploy(); }\n";
    std::fs::write(sandbox.path().join("scripts/many.rhai"), many).unwrap();
    done(&sandbox.run(&["run", "many"]));
    let before = flink.requests().len();
    assert_eq!(sandbox.run(&["plan", "many"]).code(), Some(0));
    assert_eq!(flink.requests().len() - before, 2);
}

/// A run that died after its attempt was accepted is resumed when another run has brought the job to something else: it would end
/// that one, and start nothing in its place.
#[test]
fn a_run_that_was_overtaken_leaves_what_runs_alone() {
    let (flink, sandbox) = stage();
    let mut process = sandbox.start(&["run", "savepoint"], None);
    done(&process.wait());
    let boundaries = sandbox.reached(process.number).len();
    let mut overtaken = 0;
    for number in (1..=boundaries).rev() {
        let (flink, sandbox) = stage();
        checkpoint(&flink);
        assert!(sandbox.start(&["run", "savepoint"], Some(&number.to_string())).wait().was_killed());
        if sandbox.ask("SELECT status FROM runs WHERE id = 2") != ["running"] {
            continue;
        }
        if sandbox.ask("SELECT submission FROM attempts WHERE attempt = 2") != ["accepted"] {
            break;
        }
        std::fs::write(sandbox.path().join("scripts/third.rhai"), script(3, "")).unwrap();
        done(&sandbox.run(&["run", "third"]));
        let newest = flink.executions().last().unwrap().job_id.clone();
        let resumed = sandbox.run(&["resume", "r2"]);
        if resumed.code() != Some(0) {
            assert!(resumed.said.contains("error[job.superseded]"), "boundary {number}: {}", resumed.said);
            overtaken += 1;
        }
        let live: Vec<String> =
            flink.executions().iter().filter(|one| one.is_live()).map(|one| one.job_id.clone()).collect();
        assert_eq!(live, [newest], "boundary {number}: {}", resumed.said);
        assert_eq!(sandbox.ask("SELECT status FROM runs WHERE status IN ('running', 'waiting')"), [""; 0]);
    }
    assert!(overtaken > 0);
    drop((flink, sandbox));
}

/// What a program, and not its spec, says of checkpoints counts, too.
#[test]
fn a_job_whose_program_takes_checkpoints_is_not_started_from_nothing() {
    let plain = script(1, "").replace(", checkpointing: #{ interval: \"1s\" }", "");
    let (flink, sandbox) = stage();
    std::fs::write(sandbox.path().join("scripts/plain.rhai"), plain.replace("\"steady\"", "\"plain\"")).unwrap();
    done(&sandbox.run(&["run", "plain"]));
    let id = flink.executions().last().unwrap().job_id.clone();
    // It takes none, and Flink says so: it may start from nothing.
    flink.restart(false);
    done(&sandbox.run(&["run", "plain"]));
    assert_eq!(flink.executions().last().unwrap().restored_from, None);
    assert_ne!(flink.executions().last().unwrap().job_id, id);
    // The next one is seen to have one.
    let id = flink.executions().last().unwrap().job_id.clone();
    flink.with(|cluster| cluster.complete_checkpoint(&id));
    done(&sandbox.run(&["savepoints", "plain"]));
    flink.restart(false);
    let refused = sandbox.run(&["run", "plain"]);
    assert!(refused.said.contains("error[job.state_unknown]"), "{}", refused.said);
}

/// Flink deletes the checkpoints of such a job when it is cancelled: it is not cancelled.
#[test]
fn last_state_is_refused_where_a_cancel_deletes_the_checkpoints() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.with(|cluster| cluster.checkpoint_configuration["externalization"]["delete_on_cancellation"] = true.into());
    let refused = sandbox.run(&["run", "last_state"]);
    assert!(refused.said.contains("error[job.upgrade_blocked]"), "{}", refused.said);
    assert!(refused.said.contains("Flink deletes its checkpoints when it is cancelled"), "{}", refused.said);
    assert!(flink.executions()[0].is_live());
    done(&sandbox.run(&["run", "savepoint"]));
}

/// Somebody else's stop is no end of the job's work.
#[test]
fn a_job_that_somebody_stopped_is_started_again_from_their_savepoint() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    let id = first_id(&flink);
    let path = flink.with(|cluster| cluster.stop_by_hand(&id));
    let drift = sandbox.run(&["drift"]);
    assert!(drift.said.contains("MISSING"), "{}", drift.said);
    done(&sandbox.run(&["run", "first"]));
    assert_eq!(lives_from(&flink), Some(path));
}

/// A secret that is missing is missed before the job that runs is stopped.
#[test]
fn what_cannot_be_sent_costs_nothing_that_runs() {
    let (flink, sandbox) = stage();
    let sql = std::fs::read_to_string(sandbox.path().join("templates/job.sql")).unwrap();
    let secret = sql.replace("'datagen'", "'datagen', 'x' = '{{ secret(\"NOT_SET_ANYWHERE\") }}'");
    std::fs::write(sandbox.path().join("templates/job.sql"), secret).unwrap();
    let refused = sandbox.run(&["run", "savepoint"]);
    assert!(refused.said.contains("error[secret.missing]"), "{}", refused.said);
    assert!(flink.executions()[0].is_live());
    assert_eq!(flink.count("POST", "/stop"), 0);
}

/// What an upgrade has to know of the cluster it asks for once: before it ends what runs.
#[test]
fn an_upgrade_asks_for_version_and_jars_once() {
    for name in ["savepoint", "last_state"] {
        let (flink, sandbox) = stage();
        checkpoint(&flink);
        let before = flink.requests().len();
        done(&sandbox.run(&["run", name]));
        let asked = |path: &str| flink.requests()[before..].iter().filter(|request| request.path == path).count();
        assert_eq!(asked("/overview"), 1, "{name}");
        assert_eq!(asked("/jars"), 1, "{name}");
        if name == "savepoint" {
            // Without one, what was the newest before the end is no answer: it is asked for again after it.
            assert_eq!(asked(&format!("/jobs/{}/checkpoints", first_id(&flink))), 1);
        }
    }
}

/// Somebody deletes the jar while the job is stopped: it is sent again.
#[test]
fn a_jar_that_is_deleted_during_an_upgrade_is_sent_again() {
    let (flink, sandbox) = stage();
    flink.fault("POST", "/stop", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "savepoint"], None);
    flink.wait_for_processed("POST", "/stop", 1);
    flink.with(|cluster| cluster.jars.clear());
    flink.release();
    done(&process.wait());
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    assert_eq!(flink.count("POST", "/jars/upload"), 2);
}

/// With high availability the job lives on when its JobManager is another one, and perhaps another version without our jars.
#[test]
fn what_another_jobmanager_told_does_not_hold() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.with(|cluster| {
        cluster.high_availability = true;
        cluster.version = "1.19.3".to_owned();
    });
    flink.restart(false);
    done(&sandbox.run(&["run", "savepoint"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    assert_eq!(flink.count("POST", "/jars/upload"), 2);
    let sent_to = sandbox.ask("SELECT incarnation FROM attempt_rows WHERE number = 2");
    assert_eq!(sent_to, [flink.with(|cluster| cluster.tmpdir())]);
}

/// Only Flink's log says which operators' state was left behind.
#[test]
fn operators_whose_state_was_left_behind_are_named() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    let next = format!("{}00000002{}", &id[..16], &id[24..]);
    let log = format!(
        "INFO CheckpointCoordinator [] - Starting job {next} from savepoint file:/s (allowing non restored state)\n\
         INFO Checkpoints [] - Skipping savepoint state for operator 0123456789abcdef0123456789abcdef.\n\
         INFO Checkpoints [] - Skipping savepoint state for operator bc764cd8ddf7a0cff126f51c16239658.\n\
         INFO CheckpointCoordinator [] - Restoring job {next} from Savepoint 1 @ 0 for {next} located at file:/s.\n"
    );
    flink.with(|cluster| cluster.logs.insert("/jobmanager/log".to_owned(), log.into_bytes()));
    let dropping = script(2, "#{ allow_non_restored_state: true }") + "print(job.dropped_operators.len());\n";
    std::fs::write(sandbox.path().join("scripts/dropping.rhai"), dropping).unwrap();
    let ended = sandbox.run(&["run", "dropping"]);
    done(&ended);
    // The one that was a task of the attempt before has a name, and comes first.
    let named = "bc764cd8ddf7a0cff126f51c16239658 (Source: src -> Sink: out), 0123456789abcdef0123456789abcdef";
    assert!(ended.said.contains(&format!("left behind: the state of 2 operators: {named}")), "{}", ended.said);
    assert!(ended.said.contains("attempt 2 from ") && ended.said.contains("\n2\n"), "{}", ended.said);
    // A log that does not tell is no reason to fail, and is told.
    flink.with(|cluster| cluster.logs.insert("/jobmanager/log".to_owned(), b"started\n".to_vec()));
    std::fs::write(sandbox.path().join("scripts/dropping.rhai"), script(3, "#{ allow_non_restored_state: true }"))
        .unwrap();
    let ended = sandbox.run(&["run", "dropping"]);
    done(&ended);
    assert!(ended.said.contains("which operators' state was left behind is not known"), "{}", ended.said);
}

/// Agreed was the end of one attempt, and not that of what somebody has put in its place.
#[test]
fn a_plan_to_end_a_job_is_applied_only_to_the_attempt_that_it_was_made_for() {
    for (call, does) in [
        ("job::get(\"steady\").cancel()", "CANCELED"),
        ("job::get(\"steady\").stop()", "FINISHED"),
        ("job::get(\"steady\").savepoint()", "RUNNING"),
    ] {
        let (flink, sandbox) = stage();
        checkpoint(&flink);
        std::fs::write(sandbox.path().join("scripts/agreed.rhai"), format!("{call};\n")).unwrap();
        let plan = || {
            let planned = sandbox.run(&["plan", "agreed", "-o", "agreed.json"]);
            assert_eq!(planned.code(), Some(4), "{}", planned.said);
        };
        plan();
        done(&sandbox.run(&["run", "savepoint"]));
        let changed = sandbox.run(&["apply", "agreed.json"]);
        assert!(changed.said.contains("error[plan.changed]"), "{call}: {}", changed.said);
        assert!(changed.said.contains("`steady`: revision 1, attempt 1 ("), "{call}: {}", changed.said);
        assert!(changed.said.contains("then, revision 2, attempt 2 ("), "{call}: {}", changed.said);
        assert_eq!(flink.executions().iter().filter(|execution| execution.is_live()).count(), 1, "{call}");
        plan();
        done(&sandbox.run(&["apply", "agreed.json"]));
        let ended = sandbox.ask("SELECT ifnull(end_state, 'RUNNING') FROM attempts WHERE attempt = 2");
        assert_eq!(ended, [does], "{call}");
    }
}
