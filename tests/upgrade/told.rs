//! What is told before and after something is done: plans that decide as runs do, and jobs that were left down.

use tidegate::drivers::payload::stored_jar;

use crate::class_writer::ClassWriter;
use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::Sandbox;
use crate::{checkpoint, done, first_id, lives_from, refused, script, stage};

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

/// A mistake in the SQL that only the cluster's planner sees.
#[test]
fn sql_that_the_cluster_does_not_plan_costs_nothing() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    let trace =
        "org.apache.flink.table.api.ValidationException: SQL validation failed. Column 'nn' not found in any table";
    for mode in ["savepoint", "last_state", "abandoned"] {
        flink.fault("POST", "/plan", 1, Fault::AnswerBefore(Reply::server_error(trace)));
        let ended = sandbox.run(&["run", mode]);
        refused(&ended, "flink.sql_refused", &flink);
        assert!(ended.said.contains("nothing was ended for it: attempt 1 goes on"), "{}", ended.said);
    }
    assert_eq!(flink.count("POST", "/stop") + flink.count("POST", "/run") - 1, 0);
    assert_eq!(sandbox.ask("SELECT count(*) FROM revision_rows"), ["1"]);
    // A cluster that has lost the jar gets it again.
    flink.with(|cluster| cluster.jars.clear());
    done(&sandbox.run(&["run", "savepoint"]));
    assert!(lives_from(&flink).unwrap().contains("/savepoint-"));
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

/// `steady` on a cluster of four slots, and a script that deploys it with parallelism six.
fn four_slots() -> (FakeFlink, Sandbox) {
    let (flink, sandbox) = stage();
    flink.with(|cluster| cluster.slots = 4);
    let six = script(1, "").replace("checkpointing:", "parallelism: 6, checkpointing:");
    std::fs::write(sandbox.path().join("scripts/six.rhai"), six).unwrap();
    (flink, sandbox)
}

#[test]
fn more_parallelism_than_the_cluster_has_slots_is_refused_before_anything_is_stopped() {
    let (flink, sandbox) = four_slots();
    let told = "`steady` with parallelism 6 needs 6 slots, and `target` has 3 free, and 1 of its own, of 4 in all";
    let ended = sandbox.run(&["rescale", "steady", "6"]);
    refused(&ended, "flink.no_slots", &flink);
    assert!(ended.said.contains(told), "{}", ended.said);
    blocked(&sandbox, "six", "flink.no_slots");
    refused(&sandbox.run(&["run", "six"]), "flink.no_slots", &flink);
    assert_eq!(flink.count("POST", "/stop"), 0);
    done(&sandbox.run(&["rescale", "steady", "4"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
}

#[test]
fn a_cluster_that_starts_task_managers_on_demand_is_not_held_to_the_slots_that_it_has() {
    for key in ["kubernetes.cluster-id", "yarn.application.name"] {
        let (flink, sandbox) = four_slots();
        flink.with(|cluster| cluster.settings = vec![(key, "x".to_owned())]);
        let plan = sandbox.run(&["plan", "six"]);
        assert!(!plan.said.contains("BLOCKED") && !plan.said.contains("warning"), "{}", plan.said);
        sandbox.run(&["rescale", "steady", "6"]);
        assert_eq!(flink.count("POST", "/stop"), 1, "{key}");
    }
    // With nothing there, it may be one that starts them, or one that lost them all: that is a warning.
    let (flink, sandbox) = four_slots();
    flink.with(|cluster| cluster.slots = 0);
    let plan = sandbox.run(&["plan", "six"]);
    assert!(plan.said.contains("warning: `steady` with parallelism 6 needs 6 slots"), "{}", plan.said);
    assert!(!plan.said.contains("BLOCKED"), "{}", plan.said);
}

#[test]
fn a_rewind_says_which_newer_state_it_passes_over() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    done(&sandbox.run(&["run", "savepoint"]));
    let old = lives_from(&flink).unwrap();
    let second = flink.executions()[1].job_id.clone();
    let newer = flink.with(|cluster| cluster.complete_checkpoint(&second));
    let back = sandbox.run(&["rollback", "steady", "--rewind"]);
    done(&back);
    assert!(back.said.contains(&format!("steady: REWIND to {old} of attempt 1, taken ")), "{}", back.said);
    assert!(back.said.contains(&format!("the newest state recorded, {newer} of attempt 2, is ")), "{}", back.said);
    assert!(back.said.contains(" younger and is passed over"), "{}", back.said);
}

/// Another jar lies where the first one was taken from: what is missing is the kept one.
#[test]
fn a_kept_jar_that_is_gone_is_told_as_that() {
    let (flink, sandbox) = stage();
    let jar = |class: &str| {
        let main = [ClassWriter::new("acme.Main").main().entry(), ClassWriter::new(class).entry()];
        std::fs::write(sandbox.path().join("acme.jar"), stored_jar(&main).unwrap()).unwrap();
    };
    let program =
        "job::jar(\"acme\", #{ jar: \"acme.jar\", main_class: \"acme.Main\" }).deploy(#{ upgrade: \"savepoint\" });\n";
    std::fs::write(sandbox.path().join("scripts/acme.rhai"), program).unwrap();
    jar("acme.One");
    done(&sandbox.run(&["run", "acme"]));
    let kept = std::fs::read_dir(sandbox.path().join(".tidegate/artifacts")).unwrap();
    let jars = kept.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "jar"));
    let jars: Vec<_> = jars.collect();
    assert_eq!(jars.len(), 1, "{jars:?}");
    jar("acme.Two");
    done(&sandbox.run(&["run", "acme"]));
    std::fs::remove_file(&jars[0]).unwrap();
    let (stops, live) = (flink.count("POST", "/stop"), flink.executions().len());
    let back = sandbox.run(&["rollback", "acme"]);
    assert_eq!(back.code(), Some(1), "{}", back.said);
    assert!(back.said.contains("error[file.not_found]"), "{}", back.said);
    let told = "the jar that was kept of `acme.jar` for revision 1 of `acme` is gone: ";
    assert!(back.said.contains(told), "{}", back.said);
    assert!(back.said.contains(jars[0].file_name().unwrap().to_str().unwrap()), "{}", back.said);
    assert!(back.said.contains("put it back there, from a copy"), "{}", back.said);
    assert_eq!((flink.count("POST", "/stop"), flink.executions().len()), (stops, live));
}

/// Somebody else cancels while the savepoint is asked for.
#[test]
fn a_stop_that_a_foreign_cancel_overtook_says_so() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    flink.fault("POST", "/stop", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["stop", "steady"], None);
    flink.wait_for_request("POST", "/stop", 1);
    flink.with(|cluster| cluster.force_state(&id, Some("CANCELLING")));
    flink.release();
    let ended = process.wait();
    assert!(ended.said.contains("error[savepoint.failed]"), "{}", ended.said);
    assert!(ended.said.contains("hint: it is CANCELLING, and that was not asked for here"), "{}", ended.said);
    assert!(!ended.said.contains("left as it is"), "{}", ended.said);
}

/// A hint is to be typed where the command was.
#[test]
fn hints_say_what_to_type_on_the_command_line_and_in_scripts() {
    let (flink, sandbox) = stage();
    let trace = "org.apache.flink.X: no\n\tat a.B.c(B.java:1)\n";
    let fails = || flink.with(|cluster| cluster.savepoints_fail = Some(trace.to_owned()));
    fails();
    let stop = sandbox.run(&["stop", "steady"]);
    assert!(stop.said.contains("it is RUNNING: it was left as it is"), "{}", stop.said);
    assert!(stop.said.contains("`tidegate cancel steady`, in a script `cancel()`"), "{}", stop.said);
    fails();
    let restart = sandbox.run(&["restart", "steady"]);
    let both = "`--upgrade last_state`, in a script `upgrade: \"last_state\"`";
    assert!(restart.said.contains(both), "{}", restart.said);
    checkpoint(&flink);
    flink.restart(false);
    let start = sandbox.run(&["start", "steady"]);
    let both = "`tidegate start steady --allow-state-loss attempt-1`, or in a script `deploy(#{ allow_state_loss: \"attempt-1\" })`";
    assert!(start.said.contains(both), "{}", start.said);
    done(&sandbox.run(&["start", "steady", "--allow-state-loss", "attempt-1"]));
    assert_eq!(lives_from(&flink), None);
}

/// Nothing of it ever ran: its history says so, and removed it is listed no more.
#[test]
fn a_refused_job_is_told_as_that_and_can_be_removed() {
    let (flink, sandbox) = stage();
    let other = script(1, "").replace("\"steady\"", "\"other\"");
    std::fs::write(sandbox.path().join("scripts/other.rhai"), other).unwrap();
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")));
    assert_eq!(sandbox.run(&["run", "other"]).code(), Some(1));
    let history = sandbox.run(&["history", "other"]);
    assert!(history.said.contains("refused"), "{}", history.said);
    assert!(sandbox.run(&["ps"]).said.contains("REFUSED"));
    done(&sandbox.run(&["remove", "other"]));
    let listed = sandbox.run(&["ps"]);
    assert!(!listed.said.contains("other") && listed.said.contains("steady"), "{}", listed.said);
}

#[test]
fn a_job_whose_tasks_are_slow_to_end_is_waited_for_and_that_is_told() {
    let (flink, sandbox) = stage();
    checkpoint(&flink);
    flink.with(|cluster| cluster.cancel_takes = std::time::Duration::from_secs(11));
    let ended = sandbox.run(&["run", "last_state"]);
    done(&ended);
    assert!(ended.said.contains("steady: CANCELLING; Flink gives its tasks three minutes to end"), "{}", ended.said);
    assert!(lives_from(&flink).is_some());
}
