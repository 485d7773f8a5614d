//! Two specs of one job name in one run: two jobs would replace each other, and one would start from the other's state.

use crate::support::fake_flink::{FakeFlink, Fault};
use crate::support::sandbox::Sandbox;
use crate::{SQL, checkpoint, done, first_id};

/// Deploys `steady` with each of these, in a loop as over the classes of a module.
fn both(options: &str) -> String {
    format!(
        "for least in [1, 2] {{\n\
         \x20   let spec = job::sql(\"steady\", #{{ template: \"job.sql\", vars: #{{ least: least }}, checkpointing: #{{ interval: \"1s\" }} }});\n\
         \x20   let job = spec.deploy({options});\n\
         \x20   print(`attempt ${{job.attempt}} ${{job.action}}`);\n\
         }}\n"
    )
}

fn stage(script: &str) -> (FakeFlink, Sandbox) {
    let flink = FakeFlink::start();
    let files = [("templates/job.sql", SQL), ("scripts/both.rhai", script)];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    (flink, sandbox)
}

#[test]
fn a_run_that_deploys_two_specs_of_one_name_is_refused_at_the_second() {
    let (flink, sandbox) = stage(&both(""));
    let planned = sandbox.run(&["plan", "both"]);
    assert!(planned.said.contains("error[job.deployed_twice]"), "{}", planned.said);
    let ended = sandbox.run(&["run", "both"]);
    assert_eq!(ended.code(), Some(1), "{}", ended.said);
    for part in [
        "error[job.deployed_twice]: two specs of this run have one name: `steady` was deployed before with another one",
        "--> scripts/both.rhai:3:20",
        "step 0 deployed the other one, at scripts/both.rhai:3; this is scripts/both.rhai:3",
        "deploy(#{ again: true })",
    ] {
        assert!(ended.said.contains(part), "{part}: {}", ended.said);
    }
    checkpoint(&flink);
    // Run again, the first is unchanged, and the second is refused all the same: nothing flips.
    let ended = sandbox.run(&["run", "both"]);
    assert!(ended.said.contains("attempt 1 unchanged"), "{}", ended.said);
    assert!(ended.said.contains("error[job.deployed_twice]"), "{}", ended.said);
    assert_eq!((flink.count("POST", "/run"), flink.count("POST", "/stop")), (1, 0));
    assert_eq!(sandbox.ask("SELECT count(*) FROM revision_rows"), ["1"]);
    assert!(!first_id(&flink).is_empty());
}

#[test]
fn the_lines_of_both_deploys_are_shown() {
    let one = "job::sql(\"steady\", #{ template: \"job.sql\", vars: #{ least: 1 } }).deploy();\n";
    let (_flink, sandbox) = stage(&format!("{one}\n{}", one.replace("least: 1", "least: 2")));
    let ended = sandbox.run(&["run", "both"]);
    assert!(
        ended.said.contains("scripts/both.rhai:3:") && ended.said.contains("scripts/both.rhai:1:"),
        "{}",
        ended.said
    );
    assert!(ended.said.contains("deployed before"), "{}", ended.said);
}

#[test]
fn a_script_that_says_so_brings_a_job_from_spec_to_spec() {
    let (flink, sandbox) = stage(&both("#{ again: true, upgrade: \"stateless\", allow_state_loss: \"attempt-1\" }"));
    done(&sandbox.run(&["run", "both"]));
    assert_eq!(flink.count("POST", "/run"), 2);
}

#[test]
fn the_same_spec_again_a_restart_and_a_removal_are_no_second_spec() {
    let spec = |least: u32| format!("job::sql(\"steady\", #{{ template: \"job.sql\", vars: #{{ least: {least} }} }})");
    let (one, two) = (spec(1), spec(2));
    let script = format!(
        "let job = {one}.deploy();\nprint({one}.deploy().action);\n\
         job.restart();\nprint({one}.deploy().action);\njob.remove();\n{two}.deploy();\n"
    );
    let (_flink, sandbox) = stage(&script);
    let ended = sandbox.run(&["run", "both"]);
    done(&ended);
    assert!(ended.said.contains("unchanged\nunchanged"), "{}", ended.said);
}

/// Killed while it deploys: what is answered from the journal is no second deploy, and the second is still refused.
#[test]
fn a_resumed_run_refuses_the_second_and_not_the_first() {
    let (flink, sandbox) = stage(&both(""));
    flink.fault("POST", "/run", 1, Fault::HoldAfter);
    let mut process = sandbox.start(&["run", "both"], None);
    flink.wait_for_processed("POST", "/run", 1);
    process.kill();
    let ended = sandbox.run(&["resume", "r1"]);
    assert!(ended.said.contains("attempt 1 created"), "{}", ended.said);
    assert!(ended.said.contains("error[job.deployed_twice]"), "{}", ended.said);
    assert_eq!(sandbox.ask("SELECT count(*) FROM attempt_rows"), ["1"]);
}
