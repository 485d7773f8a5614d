//! Branches: the same numbers whatever the timing, no job twice and none left out, and an end for all of them.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::fake_flink::{FakeFlink, Fault};
use crate::support::sandbox::Sandbox;
use crate::{expect, stage, steps, times, wait_for};

const DEPLOY: &str = r#"
let names = ["a", "b", "c", "d", "e"];
let jobs = run::parallel_map(names, |name| {
    print(`deploying ${name}`);
    let job = job::sql(name, #{ template: "job.sql" }).deploy();
    job.wait_for("RUNNING", "30s").name
}, #{ max: MAX });
print(`${jobs}`);
"#;

fn deploy(max: usize) -> (FakeFlink, Sandbox) {
    stage(&DEPLOY.replace("MAX", &max.to_string()))
}

#[track_caller]
fn all_run_once(flink: &FakeFlink) {
    assert!(flink.twins().is_empty(), "{:?}", flink.twins());
    let executions = flink.executions();
    assert_eq!(executions.iter().filter(|execution| execution.is_live()).count(), 5, "{executions:?}");
    assert_eq!(executions.len(), 5, "{executions:?}");
}

#[test]
fn numbers_do_not_depend_on_timing() {
    let mut seen = Vec::new();
    for max in [1, 2, 8] {
        let (flink, sandbox) = deploy(max);
        let ended = expect(&sandbox, 0, &["run", "it"]);
        assert!(ended.said.contains(r#"["a", "b", "c", "d", "e"]"#), "{}", ended.said);
        all_run_once(&flink);
        seen.push(steps(&sandbox));
    }
    assert_eq!(seen[0][..4], ["0 run::parallel_map", "0.0/0 spec.deploy", "0.0/1 job.wait_for", "0.1/0 spec.deploy"]);
    assert_eq!(seen[0].len(), 11);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[test]
fn killed_anywhere_and_resumed_no_job_is_there_twice_and_none_is_missing() {
    let (_flink, sandbox) = deploy(4);
    let mut process = sandbox.start(&["run", "it"], None);
    assert_eq!(process.wait().code(), Some(0));
    let count = sandbox.reached(process.number).len();
    assert!(count > 60, "{count} boundaries");
    let mut kills = 0;
    for boundary in (1..=count).step_by((count / 24).max(1)) {
        let (flink, sandbox) = deploy(4);
        let killed = sandbox.start(&["run", "it"], Some(&boundary.to_string())).wait();
        let begun = !sandbox.ask("SELECT 1 FROM input_rows WHERE kind = 'value' AND name = 'environment'").is_empty();
        if killed.was_killed() && begun && sandbox.ask("SELECT status FROM runs") == ["running"] {
            kills += 1;
            // Once more in the middle, then to the end.
            let again = sandbox.start(&["resume", "r1"], Some("25")).wait();
            if again.was_killed() {
                expect(&sandbox, 0, &["resume", "r1"]);
            }
            all_run_once(&flink);
            assert_eq!(steps(&sandbox).len(), 11);
        }
    }
    assert!(kills >= 15, "{kills} kills");
}

#[test]
fn the_first_error_by_index_is_raised_and_what_is_under_way_ends() {
    let script = r#"
        try {
            run::parallel([
                || { job::sql("slow", #{ template: "job.sql" }).deploy().wait_for("RUNNING", "30s"); throw "first" },
                || throw "second",
                || files::exists("never started"),
            ], #{ max: 2 });
        } catch (e) { print(`${e.message}: ${e.causes}`); }
    "#;
    let (flink, sandbox) = stage(script);
    // The second branch fails while the first one's submission is held.
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let mut process = sandbox.start(&["run", "it"], None);
    wait_for(&sandbox, "SELECT 1 FROM steps WHERE step = '0/1' AND status = 'failed'");
    flink.wait_for_request("POST", "/run", 1);
    flink.release();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(0), "{}", ended.said);
    assert_eq!(times(&ended, r#"first: ["in branch 0 of 3", "one more branch failed"]"#), 1, "{}", ended.said);
    let steps = steps(&sandbox);
    assert!(steps.contains(&"0.0/1 job.wait_for".to_owned()), "{steps:?}");
    assert!(!steps.iter().any(|step| step.contains("files::exists")), "{steps:?}");
}

#[test]
fn after_a_failure_a_resumed_run_starts_no_branch_that_was_not_started() {
    let script = r#"
        run::parallel([
            || { time::now(); time::sleep("1h"); },
            || throw "broken",
            || files::exists("c"),
            || files::exists("d"),
        ], #{ max: 2 });
    "#;
    let (_flink, sandbox) = stage(script);
    let mut process = sandbox.start(&["run", "it"], None);
    wait_for(&sandbox, "SELECT 1 FROM steps WHERE step = '0/1' AND status = 'failed'");
    wait_for(&sandbox, "SELECT 1 FROM steps WHERE step = '0.0/0'");
    assert!(process.kill().was_killed());
    let mut process = sandbox.start(&["resume", "r1"], None);
    // The sleep is no step before it ends: what would be started is started by now.
    wait_for(&sandbox, "SELECT 1 FROM run_rows WHERE epoch = 2");
    std::thread::park_timeout(Duration::from_millis(300));
    kill_process(Pid::from_raw(i32::try_from(process.pid()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert_eq!(process.wait().code(), Some(130));
    assert!(!steps(&sandbox).iter().any(|step| step.contains("files::exists")), "{:?}", steps(&sandbox));
}

#[test]
fn an_interrupt_and_an_uncatchable_end_reach_every_branch() {
    let script =
        "run::parallel([|| time::sleep(\"1h\"), || { let n = 0; loop { n += 1; } }, || files::exists(\"x\")]);";
    let (_flink, sandbox) = stage(script);
    let mut process = sandbox.start(&["run", "it"], None);
    wait_for(&sandbox, "SELECT 1 FROM steps WHERE function = 'files::exists'");
    let start = Instant::now();
    kill_process(Pid::from_raw(i32::try_from(process.pid()).unwrap()).unwrap(), Signal::INT).unwrap();
    let ended = process.wait();
    assert_eq!(ended.code(), Some(130), "{}", ended.said);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    // Another script: one branch diverges, and ends the sleep and the loop of the others.
    let changed = script.replace("\"x\"", "\"y\"");
    std::fs::write(sandbox.path().join("scripts/it.rhai"), changed).unwrap();
    let start = Instant::now();
    let ended = expect(&sandbox, 3, &["resume", "r1", "--with-current-scripts"]);
    assert!(ended.said.contains("error[run.diverged]"), "{}", ended.said);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn prints_of_branches_are_shown_once() {
    let script = r#"
        print("before");
        run::parallel([
            || { print("a before"); time::now(); print("a after"); run::approve("a?"); print("a approved"); },
            || { print("b before"); time::now(); print("b after"); time::now(); },
        ]);
        print("end");
    "#;
    let (_flink, sandbox) = stage(script);
    let first = expect(&sandbox, 3, &["run", "it"]);
    let second = expect(&sandbox, 0, &["approve", "r1", "--as", "ada"]);
    for line in ["before", "a before", "a after", "b before", "b after"] {
        assert_eq!((times(&first, line), times(&second, line)), (1, 0), "{line}: {} {}", first.said, second.said);
    }
    for line in ["a approved", "end"] {
        assert_eq!((times(&first, line), times(&second, line)), (0, 1), "{line}");
    }
}

#[test]
fn branches_share_nothing_and_mistakes_are_told() {
    let script = r#"
        fn tell(work) { try { work.call(); } catch (e) { print(e.message); } }
        let list = [1, 2];
        let add = |n| n + list.len();
        print(`${run::parallel([|| add.call(1), || list.len()])}`);
        tell(|| run::parallel([|| list.push(3)]));
        let mixed = [|| 1];
        mixed.push(2);
        tell(|| run::parallel(mixed));
        tell(|| run::parallel([|a| a]));
        tell(|| run::parallel_map([1], || 1));
        tell(|| run::parallel([|| 1], #{ max: 0 }));
        let misspelt = #{};
        misspelt["maxx"] = 2;
        tell(|| run::parallel([|| 1], misspelt));
        print(`${run::parallel([])} ${run::parallel_map([], |x| x)} ${list}`);
    "#;
    let (_flink, sandbox) = stage(script);
    let ended = expect(&sandbox, 0, &["run", "it"]);
    let said: Vec<&str> = ended.said.lines().collect();
    assert_eq!(
        said,
        [
            "[3, 2]",
            "run::parallel: the closure changes `list`; it works on a copy, so the change would be lost",
            "run::parallel: `work[1]` must be a closure, and is an integer",
            "run::parallel: the closure has 1 parameter, and gets no argument",
            "run::parallel_map: the closure has 0 parameters, and gets one argument: the item",
            "run::parallel: option `max` must be from 1 to 256",
            "run::parallel: there is no option `maxx`",
            "[] [] [1, 2]",
        ]
    );
}

#[test]
fn limits_count_all_branches_together() {
    let script = "run::parallel_map(0..4.to_array(), |i| { let n = 0; while n < 100000 { n += 1; } });";
    let script = script.replace("0..4.to_array()", "[0, 1, 2, 3]");
    let (flink, sandbox) = stage(&script);
    let yaml = std::fs::read_to_string(sandbox.path().join("tidegate.yaml")).unwrap();
    std::fs::write(sandbox.path().join("tidegate.yaml"), format!("{yaml}limits: {{ operations: 500000 }}\n")).unwrap();
    let ended = expect(&sandbox, 1, &["run", "it"]);
    assert!(ended.said.contains("error[script.limit]"), "{}", ended.said);
    assert!(flink.executions().is_empty());
}
