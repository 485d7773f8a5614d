//! What messages tell somebody to do: followed word by word, it does what they say, in the environment of the job.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::fake_flink::{FakeFlink, Fault, Reply};
use crate::support::sandbox::{Ended, Sandbox};
use crate::{done, first_id, lives_from, refused, stage};

/// [`stage`], with an environment `prod` that is not the default one.
fn two_environments() -> (FakeFlink, Sandbox) {
    let (flink, sandbox) = stage();
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    let yaml = yaml + "  prod: { cluster: target }\ndefault_environment: local\n";
    std::fs::write(sandbox.path().join("tidegate.yaml"), yaml).unwrap();
    done(&sandbox.run(&["run", "first", "-e", "prod"]));
    (flink, sandbox)
}

fn says(ended: &Ended, words: &str) {
    assert!(ended.said.contains(words), "{words}\n{}", ended.said);
}

fn says_not(ended: &Ended, words: &str) {
    assert!(!ended.said.contains(words), "{words}\n{}", ended.said);
}

/// A checkpoint of an execution, in a folder of this machine.
fn checkpoint_here(flink: &FakeFlink, sandbox: &Sandbox, id: &str, number: u32) -> PathBuf {
    let folder = sandbox.path().join("checkpoints").join(id).join(format!("chk-{number}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("_metadata"), "x").unwrap();
    flink.with(|cluster| cluster.complete_checkpoint_at(id, &format!("file:{}", folder.display())));
    folder
}

/// What stands between the backticks of the command that a message names, as a shell would take it apart.
fn command(ended: &Ended, begin: &str) -> Vec<String> {
    let (_, after) = ended.said.split_once(&format!("`tidegate {begin}")).unwrap_or_else(|| panic!("{}", ended.said));
    let text = format!("{begin}{}", after.split('`').next().unwrap());
    assert!(!text.contains('\''), "words that need a shell: {text}");
    text.split(' ').map(str::to_owned).collect()
}

fn follow(sandbox: &Sandbox, ended: &Ended, begin: &str) -> Ended {
    let words = command(ended, begin);
    sandbox.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_command_that_a_message_names_acts_in_the_environment_of_the_job() {
    let (flink, sandbox) = two_environments();
    let id = flink.executions()[1].job_id.clone();
    let ended = sandbox.run(&["rollback", "steady", "-e", "prod"]);
    says(&ended, "`tidegate history steady -e prod` lists 1 revision");
    done(&follow(&sandbox, &ended, "history"));
    says(&sandbox.run(&["rollback", "steady"]), "`tidegate history steady` lists 1 revision");
    says(&sandbox.run(&["diff", "steady", "1", "9", "-e", "prod"]), "`tidegate history steady -e prod` lists");

    let newest = checkpoint_here(&flink, &sandbox, &id, 1);
    flink.with(|cluster| cluster.cancel_job(&id));
    let drift = sandbox.run(&["drift"]);
    says(&drift, "`tidegate logs steady -e prod` shows why; `tidegate start steady -e prod` goes on");
    std::fs::remove_dir_all(&newest).unwrap();
    for told in [sandbox.run(&["start", "steady", "-e", "prod"]), sandbox.run(&["plan", "first", "-e", "prod"])] {
        says(&told, "savepoint.gone");
        says(&told, "`tidegate start steady -e prod --allow-state-loss attempt-1` starts from nothing");
    }
    let ended = follow(&sandbox, &drift, "start");
    done(&follow(&sandbox, &ended, "start"));
    assert_eq!(flink.executions().len(), 3);
    assert!(flink.executions()[2].is_live() && flink.executions()[0].is_live());
    assert_eq!(sandbox.run(&["drift"]).code(), Some(0));

    // Also what a command says that goes well.
    flink.restart(true);
    says(&sandbox.run(&["stop", "steady", "-e", "prod"]), "`tidegate start steady -e prod` goes on from its newest");
    says(&sandbox.run(&["stop", "steady"]), "`tidegate start steady` goes on from its newest");
}

#[test]
fn a_plan_that_holds_no_more_is_made_anew_with_all_that_it_was_made_with() {
    let (_flink, sandbox) = two_environments();
    let named = "fn options() { #{ note: params::string(\"what for\"), least: params::int(7) } }\n\
                 let spec = job::sql(\"steady\", #{ template: \"job.sql\", vars: #{ least: params::get(\"least\") }, checkpointing: #{ interval: \"1s\" } });\n\
                 spec.deploy();\n";
    std::fs::write(sandbox.path().join("scripts/named.rhai"), named).unwrap();
    let file = sandbox.path().join("my plan");
    let file = file.to_str().unwrap();
    let plan = sandbox.run(&["plan", "named", "-e", "prod", "-p", "least=5", "-p", "note=it's a test", "-o", file]);
    assert_eq!(plan.code(), Some(4), "{}", plan.said);
    says(&plan, &format!("`tidegate apply '{file}'` does it"));
    done(&sandbox.run(&["run", "savepoint", "-e", "prod"]));
    let ended = sandbox.run(&["apply", file]);
    says(&ended, "plan.changed");
    says(&ended, &format!("`tidegate plan -e prod -p least=5 -p 'note=it'\\''s a test' -o '{file}' named`"));
}

/// It fails before its first checkpoint, again and again: no mode can keep what it does not have.
#[test]
fn a_job_that_never_comes_to_a_checkpoint_is_cancelled_and_deployed_again() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    let way = "`tidegate cancel steady`, in a script `cancel()`, ends it; deployed again, it starts from nothing, as attempt 1 did";
    flink.with(|cluster| cluster.force_state(&id, Some("RESTARTING")));
    let ended = sandbox.run(&["run", "last_state"]);
    refused(&ended, "job.upgrade_blocked", &flink);
    says(&ended, &format!("its tasks do not all run, and it has no checkpoint: {way}"));
    let ended = sandbox.run(&["run", "stateless"]);
    refused(&ended, "job.upgrade_blocked", &flink);
    says(&ended, &format!("{way}; or add `--allow-state-loss attempt-1`"));
    says_not(&ended, "--upgrade savepoint");
    let ended = sandbox.run(&["run", "savepoint"]);
    refused(&ended, "savepoint.failed", &flink);
    says(&ended, &format!("it has no checkpoint to go on from: {way}"));
    says_not(&ended, "last_state");
    flink.with(|cluster| cluster.force_state(&id, None));
    done(&follow(&sandbox, &ended, "cancel"));
    done(&sandbox.run(&["run", "savepoint"]));
    assert_eq!(lives_from(&flink), None);
}

#[test]
fn a_restart_that_is_blocked_is_not_said_to_have_another_spec() {
    let (flink, sandbox) = stage();
    let ended = sandbox.run(&["restart", "steady", "--upgrade", "last_state"]);
    refused(&ended, "job.upgrade_blocked", &flink);
    says_not(&ended, "with another spec");
    let ended = sandbox.run(&["run", "last_state"]);
    refused(&ended, "job.upgrade_blocked", &flink);
    says(&ended, "`steady` runs as attempt 1 with another spec: sql changed");
}

#[test]
fn a_rewind_whose_state_was_deleted_says_which_and_what_older_one_it_takes() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    let older = checkpoint_here(&flink, &sandbox, &id, 1);
    done(&sandbox.run(&["savepoints", "steady"]));
    let newest = checkpoint_here(&flink, &sandbox, &id, 2);
    done(&sandbox.run(&["run", "last_state"]));
    std::fs::remove_dir_all(&newest).unwrap();
    let plan = std::fs::write(
        sandbox.path().join("scripts/back.rhai"),
        "job::get(\"steady\").rollback(#{ state: \"matching\", upgrade: \"stateless\", allow_state_loss: \"attempt-2\" });\n",
    )
    .map(|()| sandbox.run(&["plan", "back"]))
    .unwrap();
    says(&plan, &format!("REWIND to file:{}", older.display()));
    says(&plan, &format!("; the newest state of revision 1, file:{}, is gone", newest.display()));
    std::fs::remove_dir_all(&older).unwrap();
    let ended = sandbox.run(&["rollback", "steady", "--rewind"]);
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    says(&ended, "error[savepoint.gone]");
    says(&ended, &format!("to revision 1 would start from is gone: file:{}", newest.display()));
    says(&ended, "no older one of revision 1 is there");
}

#[test]
fn nothing_is_gone_back_to_where_nothing_ran() {
    let (flink, sandbox) = two_environments();
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    let yaml = yaml.replace("  prod:", "  third: { cluster: target }\n  prod:");
    std::fs::write(sandbox.path().join("tidegate.yaml"), yaml).unwrap();
    let no = || {
        flink.fault("POST", "/run", 1, Fault::AnswerBefore(Reply::errors(400, "java.lang.IllegalStateException: no")))
    };
    no();
    assert_eq!(sandbox.run(&["run", "first", "-e", "third"]).code(), Some(1));
    let drift = sandbox.run(&["drift"]);
    says(&drift, "it should run, and attempt 1 was refused");
    says(&drift, "nothing of it ran before: deploy it again");
    says_not(&drift, "rollback");
    // The same job ran before: it is started.
    no();
    assert_eq!(sandbox.run(&["restart", "steady", "-e", "prod"]).code(), Some(1));
    let drift = sandbox.run(&["drift", "-e", "prod"]);
    says(&drift, "`tidegate start steady -e prod` starts it again");
    done(&follow(&sandbox, &drift, "start"));
}

#[test]
fn a_removed_job_that_is_cancelled_or_stopped_is_not_listed_again() {
    let (_flink, sandbox) = stage();
    done(&sandbox.run(&["remove", "steady"]));
    for verb in ["cancel", "stop"] {
        done(&sandbox.run(&[verb, "steady"]));
        says_not(&sandbox.run(&["ps"]), "steady");
        assert_eq!(sandbox.ask("SELECT desired FROM jobs"), ["absent"]);
    }
}

#[test]
fn the_history_tells_that_an_attempt_whose_end_nobody_saw_is_none_that_lives() {
    let (flink, sandbox) = stage();
    let id = first_id(&flink);
    says_not(&sandbox.run(&["history", "steady"]), "ENDED UNSEEN");
    flink.with(|cluster| {
        cluster.cancel_job(&id);
        cluster.forget_job(&id);
    });
    done(&sandbox.run(&["start", "steady", "--allow-state-loss", "attempt-1"]));
    let history = sandbox.run(&["history", "steady", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&history.said).unwrap();
    assert_eq!((&rows[0]["attempt"], &rows[0]["end"]), (&1.into(), &"ENDED UNSEEN".into()), "{rows}");
    assert_eq!((&rows[1]["attempt"], &rows[1]["end"]), (&2.into(), &serde_json::Value::Null), "{rows}");
}

#[test]
fn a_name_that_commands_would_not_take_is_refused() {
    let (flink, sandbox) = stage();
    for name in ["-dash", ".", "..", "a b", ""] {
        let text = format!("job::sql(\"{name}\", #{{ template: \"job.sql\", vars: #{{ least: 1 }} }}).deploy();\n");
        std::fs::write(sandbox.path().join("scripts/named.rhai"), text).unwrap();
        let ended = sandbox.run(&["run", "named"]);
        says(&ended, &format!("`{name}` cannot be a job's name"));
        says(&ended, "no `-` at the beginning");
    }
    flink.with(|cluster| cluster.put_job("00000000000000000000000000000001", "theirs"));
    let text = "job::adopt(\"..\", #{ id: \"00000000000000000000000000000001\" });\n";
    std::fs::write(sandbox.path().join("scripts/named.rhai"), text).unwrap();
    says(&sandbox.run(&["run", "named"]), "`..` cannot be a job's name");
    done(&sandbox.run(&["adopt", "my job", "--id", "00000000000000000000000000000001"]));
    flink.with(|cluster| cluster.cancel_job("00000000000000000000000000000001"));
    says(&sandbox.run(&["drift"]), "`tidegate logs 'my job'` shows why");
}

/// Two branches of one run, and one job.
fn twice(sandbox: &Sandbox) {
    let text = "let made = run::parallel_map([\"steady\", \"steady\"], |name| {\n\
                let spec = job::sql(name, #{ template: \"job.sql\", vars: #{ least: 2 }, checkpointing: #{ interval: \"1s\" } });\n\
                spec.deploy().attempt\n});\nprint(made);\n";
    std::fs::write(sandbox.path().join("scripts/twice.rhai"), text).unwrap();
}

#[test]
fn branches_of_one_run_take_turns_with_a_job() {
    let (flink, sandbox) = stage();
    twice(&sandbox);
    flink.fault("POST", "/stop", 1, Fault::DelayBefore(Duration::from_millis(500)));
    let ended = sandbox.run(&["run", "twice"]);
    done(&ended);
    says(&ended, "[2, 2]");
    says(&ended, "steady: another branch of this run works on it; waiting for that");
    assert!(lives_from(&flink).is_some());
    assert_eq!(flink.executions().len(), 2);
}

#[test]
fn branches_that_took_turns_when_they_were_killed_go_on() {
    let (flink, sandbox) = stage();
    twice(&sandbox);
    flink.fault("POST", "/run", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "twice"], None);
    flink.wait_for_processed("POST", "/run", 2);
    process.kill();
    flink.release();
    let ended = sandbox.run(&["resume", "r2"]);
    done(&ended);
    says(&ended, "[2, 2]");
    assert!(lives_from(&flink).is_some());
    assert_eq!(flink.executions().len(), 2);
}
