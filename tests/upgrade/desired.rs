//! What is desired of a job: started, restarted, rolled back, rescaled, moved, removed; and the gate that a new attempt passes.

use std::time::Duration;

use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::{Ended, Sandbox};
use crate::{checkpoint, done, first_id, lives_from, script, stage};

fn live_id(flink: &FakeFlink) -> String {
    let live: Vec<_> = flink.executions().into_iter().filter(|execution| execution.is_live()).collect();
    assert_eq!(live.len(), 1, "{live:?}");
    live[0].job_id.clone()
}

fn write(sandbox: &Sandbox, name: &str, text: &str) {
    std::fs::write(sandbox.path().join(name), text).unwrap();
}

fn fails(ended: &Ended, code: &str) {
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    assert!(ended.said.contains(&format!("error[{code}]")), "{}", ended.said);
}

#[test]
fn a_restart_goes_on_from_a_savepoint_and_a_start_of_what_runs_is_nothing() {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["restart", "steady"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    let started = sandbox.run(&["start", "steady"]);
    done(&started);
    assert!(started.said.contains("`steady` (attempt 2) runs already"), "{}", started.said);
    done(&sandbox.run(&["stop", "steady"]));
    done(&sandbox.run(&["start", "steady"]));
    assert!(lives_from(&flink).is_some());
    // One spec all the time: one revision.
    assert_eq!(sandbox.ask("SELECT revision FROM revisions"), ["1"]);
    assert_eq!(sandbox.ask("SELECT revision FROM attempts"), ["1", "1", "1"]);
}

#[test]
fn a_rollback_is_the_old_spec_with_the_newest_state_and_a_rewind_takes_the_old_state_too() {
    let (flink, sandbox) = stage();
    let none = sandbox.run(&["rollback", "steady"]);
    fails(&none, "job.no_revision");
    done(&sandbox.run(&["run", "savepoint"]));
    let before = lives_from(&flink).unwrap();
    done(&sandbox.run(&["rollback", "steady"]));
    let newest = lives_from(&flink).unwrap();
    assert_ne!(newest, before);
    assert!(newest.contains("/1/savepoint-"), "{newest}");
    assert_eq!(sandbox.ask("SELECT kind || ifnull(origin, '') FROM revisions"), ["deploy", "deploy", "rollback1"]);
    let listed = sandbox.run(&["history", "steady"]);
    assert!(listed.said.contains("rollback to 1"), "{}", listed.said);
    // Back to the second one with the state that it left.
    done(&sandbox.run(&["rollback", "steady", "--to", "2", "--rewind"]));
    assert_eq!(lives_from(&flink).unwrap(), newest, "the last state of revision 2");
    assert_eq!(flink.executions().len(), 4);
}

#[test]
fn revisions_tell_what_changed_and_a_reformatted_file_is_no_change() {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["run", "savepoint"]));
    let difference = sandbox.run(&["diff", "steady", "1", "2"]);
    assert!(difference.said.contains("- INSERT INTO b SELECT n FROM a WHERE n > 1;"), "{}", difference.said);
    assert!(difference.said.contains("+ INSERT INTO b SELECT n FROM a WHERE n > 2;"), "{}", difference.said);
    assert!(!difference.said.contains("CREATE TABLE"), "{}", difference.said);
    let sql = std::fs::read_to_string(sandbox.path().join("templates/job.sql")).unwrap();
    write(&sandbox, "templates/job.sql", &sql.replace("SELECT n", "-- the number\nSELECT\n  n"));
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(flink.executions().len(), 2);
    let same = sandbox.run(&["diff", "steady", "2", "3"]);
    assert!(same.said.contains("are the same job"), "{}", same.said);
    // Labels make a revision and touch no job.
    let labels = script(2, "").replace("checkpointing:", "tags: [\"red\"], checkpointing:");
    write(&sandbox, "scripts/labels.rhai", &labels);
    done(&sandbox.run(&["run", "labels"]));
    assert_eq!(flink.executions().len(), 2);
    let labels = sandbox.run(&["diff", "steady", "3", "4"]);
    assert!(labels.said.contains("tags: none -> red"), "{}", labels.said);
    fails(&sandbox.run(&["diff", "steady", "3", "9"]), "job.no_revision");
}

#[test]
fn a_job_that_moves_to_another_cluster_is_ended_where_it_lives() {
    let (flink, sandbox) = stage();
    let other = FakeFlink::start();
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    let moved = format!("clusters:\n  other: {{ kind: session, url: \"{}\" }}", other.url());
    write(&sandbox, "tidegate.yaml", &yaml.replace("clusters:", &moved));
    write(
        &sandbox,
        "scripts/moved.rhai",
        &script(1, "").replace("checkpointing:", "cluster: \"other\", checkpointing:"),
    );
    // While the old cluster cannot be asked nothing is started on the new one.
    flink.refuse();
    fails(&sandbox.run(&["run", "moved"]), "flink.unreachable");
    assert!(other.executions().is_empty());
    flink.listen();
    let plan = sandbox.run(&["plan", "moved"]);
    assert!(plan.said.contains("cluster: target -> other"), "{}", plan.said);
    done(&sandbox.run(&["run", "moved"]));
    assert!(!flink.executions()[0].is_live());
    assert!(lives_from(&other).unwrap().contains("/1/savepoint-"));
}

#[test]
fn a_removed_job_is_listed_no_more_and_comes_back_with_its_state() {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["remove", "steady"]));
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["absent"]);
    let listed = sandbox.run(&["ps"]);
    assert!(!listed.said.contains("steady"), "{}", listed.said);
    done(&sandbox.run(&["run", "first"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["running"]);
}

#[test]
fn a_rescale_without_the_adaptive_scheduler_is_an_upgrade() {
    let (flink, sandbox) = stage();
    done(&sandbox.run(&["rescale", "steady", "3"]));
    assert!(lives_from(&flink).unwrap().contains("/1/savepoint-"));
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy", "rescale"]);
    let difference = sandbox.run(&["diff", "steady", "1", "2"]);
    assert!(difference.said.contains("parallelism: the cluster's default -> 3"), "{}", difference.said);
}

#[test]
fn a_changed_secret_is_a_change_and_is_nowhere_in_the_state() {
    let (flink, sandbox) = stage();
    let sql = std::fs::read_to_string(sandbox.path().join("templates/job.sql")).unwrap();
    let with = sql.replace("'connector' = 'blackhole'", "'connector' = 'blackhole', 'x' = {{ secret(\"PASS\") }}");
    write(&sandbox, "templates/job.sql", &with);
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    let source = sandbox.path().join("pass");
    write(&sandbox, "tidegate.yaml", &format!("{yaml}secrets:\n  PASS: {{ file: {} }}\n", source.display()));
    let give = |value: &str| {
        write(&sandbox, "pass", value);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&source, mode).unwrap();
    };
    give("first-password");
    done(&sandbox.run(&["run", "savepoint"]));
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(flink.executions().len(), 2);
    give("second-password");
    let plan = sandbox.run(&["plan", "savepoint"]);
    assert!(plan.said.contains("secret `PASS`: its value has changed"), "{}", plan.said);
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(flink.executions().len(), 3);
    for entry in std::fs::read_dir(sandbox.path().join(".tidegate")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { continue };
        let held = bytes.windows(8).any(|window| window == b"password");
        assert!(!held, "{}", path.display());
    }
}

/// The second spec under a gate; `lives` decides how its attempt fares.
fn gated(otherwise: &str, lives: impl Fn(&FakeFlink, &str)) -> (FakeFlink, Sandbox, Ended, String) {
    let (flink, sandbox) = stage();
    let state = checkpoint(&flink);
    let first = first_id(&flink);
    let gate = format!("#{{ stable: #{{ checkpoints: 2, within: \"20s\", otherwise: \"{otherwise}\" }} }}");
    write(&sandbox, "scripts/gated.rhai", &script(2, &gate));
    let mut process = sandbox.start(&["run", "gated"], None);
    flink.wait_for_answered("POST", "/run", 2);
    let second = live_id(&flink);
    assert_ne!(first, second);
    flink.wait_for_answered("GET", &format!("/jobs/{second}/checkpoints"), 1);
    lives(&flink, &second);
    let ended = process.wait();
    (flink, sandbox, ended, state)
}

#[test]
fn what_completes_its_checkpoints_is_stable() {
    let (flink, sandbox, ended, _) = gated("rollback", |flink, id| {
        flink.with(|cluster| cluster.complete_checkpoint(id));
        flink.with(|cluster| cluster.complete_checkpoint(id));
    });
    done(&ended);
    assert!(ended.said.contains("stable: RUNNING, 2 checkpoints and 0 restarts"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "stable"]);
    assert_eq!(flink.executions().len(), 2);
}

#[test]
fn what_restarts_too_often_is_rolled_back_with_its_newest_state() {
    let (flink, sandbox, ended, _) = gated("rollback", |flink, id| {
        flink.with(|cluster| cluster.complete_checkpoint(id));
        flink.with(|cluster| cluster.restart_job(id, "java.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n"));
    });
    fails(&ended, "job.unstable");
    assert!(ended.said.contains("revision 1 was started again as attempt 3, from the newest state"), "{}", ended.said);
    let second = flink.executions()[1].job_id.clone();
    assert_eq!(lives_from(&flink).unwrap(), format!("file:/checkpoints/{second}/chk-1"));
    assert_eq!(sandbox.ask("SELECT ifnull(verdict, '-') FROM attempts"), ["-", "unstable", "-"]);
    assert_eq!(sandbox.ask("SELECT kind FROM revisions"), ["deploy", "deploy", "rollback"]);
}

#[test]
fn a_rewind_of_the_gate_starts_from_the_state_before() {
    let (flink, _sandbox, ended, _) = gated("rewind", |flink, id| {
        flink.with(|cluster| cluster.complete_checkpoint(id));
        flink.with(|cluster| cluster.fail_job(id, "java.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n"));
    });
    fails(&ended, "job.unstable");
    assert_eq!(lives_from(&flink), flink.executions()[1].restored_from);
    assert_eq!(flink.executions().len(), 3);
}

#[test]
fn what_is_to_stay_stays() {
    let (flink, _sandbox, ended, _) = gated("stay", |flink, id| {
        flink.with(|cluster| cluster.restart_job(id, "java.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\n"));
    });
    fails(&ended, "job.unstable");
    assert_eq!(flink.executions().len(), 2);
    assert!(flink.executions()[1].is_live());
}

/// Killed between the verdict and the rollback, and after the rollback was sent: the successor goes on with it.
#[test]
fn a_rollback_of_the_gate_survives_death_at_every_boundary() {
    let mut boundaries = 0;
    let mut number = 0;
    loop {
        number += 1;
        let (flink, sandbox) = stage();
        checkpoint(&flink);
        let gate = "#{ stable: #{ checkpoints: 1, within: \"1ms\" } }";
        write(&sandbox, "scripts/gated.rhai", &script(2, gate));
        if boundaries == 0 {
            let mut process = sandbox.start(&["run", "gated"], None);
            fails(&process.wait(), "job.unstable");
            boundaries = sandbox.reached(process.number).len();
            assert!(boundaries > 20, "{boundaries}");
            number = boundaries / 3;
            continue;
        }
        if number > boundaries {
            return;
        }
        let killed = sandbox.start(&["run", "gated"], Some(&number.to_string())).wait();
        if !killed.was_killed() {
            // How often it looks before the verdict is a matter of time: the last boundaries may not be there.
            assert!(number + 15 > boundaries, "boundary {number} of {boundaries}: {}", killed.said);
            return;
        }
        let again = sandbox.run(&["resume", "r2"]);
        let over = again.said.contains("nothing left to do");
        assert!(again.said.contains("error[job.unstable]") || over, "boundary {number}: {}", again.said);
        assert!(lives_from(&flink).is_some(), "boundary {number}");
        assert_eq!(flink.executions().len(), 3, "boundary {number}: {}", again.said);
        assert_eq!(
            sandbox.ask("SELECT spec_hash FROM revision_rows WHERE number = 1"),
            sandbox.ask("SELECT spec_hash FROM attempt_rows WHERE number = 3")
        );
    }
}

/// Checkpoints that are files of this machine: when the JobManager is gone, the newest is found by its time.
#[test]
fn where_the_jobmanager_is_gone_the_newest_checkpoint_that_can_be_read_is_taken() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    let folder = sandbox.path().join("checkpoints");
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    let options = format!("cluster: target, options: {{ state.checkpoints.dir: \"file://{}\" }} }}", folder.display());
    write(&sandbox, "tidegate.yaml", &yaml.replace("cluster: target }", &options));
    done(&sandbox.run(&["run", "first"]));
    let second = live_id(&flink);
    assert_ne!(id, second);
    for (name, seconds) in [("chk-7", 2_000), ("chk-9", 1_000)] {
        let path = folder.join(&second).join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("_metadata"), "x").unwrap();
        let file = std::fs::File::options().write(true).open(path.join("_metadata")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    flink.restart(false);
    done(&sandbox.run(&["run", "first"]));
    assert_eq!(lives_from(&flink).unwrap(), format!("file:{}/{second}/chk-7", folder.display()));
    assert!(
        sandbox
            .ask("SELECT path FROM savepoints WHERE kind = 'checkpoint'")
            .iter()
            .any(|path| path.ends_with("/chk-7"))
    );
}

/// Revision 1 was refused, 2 runs: there is nothing to go back to, and the one that runs is left alone.
#[test]
fn a_rollback_skips_what_never_ran() {
    let flink = FakeFlink::start();
    let (first, second, third) = (script(1, ""), script(2, ""), script(3, ""));
    let files = [
        ("templates/job.sql", crate::SQL),
        ("scripts/first.rhai", first.as_str()),
        ("scripts/second.rhai", second.as_str()),
        ("scripts/third.rhai", third.as_str()),
    ];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")));
    assert_eq!(sandbox.run(&["run", "first"]).code(), Some(1));
    done(&sandbox.run(&["run", "second"]));
    let none = sandbox.run(&["rollback", "steady"]);
    fails(&none, "job.no_revision");
    let named = sandbox.run(&["rollback", "steady", "--to", "1"]);
    fails(&named, "job.no_revision");
    assert!(named.said.contains("revision 1 of `steady` never ran: attempt 1 was refused"), "{}", named.said);
    assert_eq!(flink.count("POST", "/stop"), 0);
    // What ran is gone back to, over what was refused, and is named.
    flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")));
    assert_eq!(sandbox.run(&["run", "first"]).code(), Some(1));
    let plan = sandbox.run(&["plan", "third"]);
    assert!(plan.said.contains("a rollback would go to revision 2"), "{}", plan.said);
    done(&sandbox.run(&["run", "third"]));
    let back = sandbox.run(&["rollback", "steady"]);
    done(&back);
    let told = "`steady` (attempt 5) is started as revision 2 was, from file:/savepoints/";
    assert!(back.said.contains(told), "{}", back.said);
}
