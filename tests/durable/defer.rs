//! What is deferred runs once, at the end, however the script ends.

use crate::{expect, stage, steps, times, wait_for};

#[test]
fn the_latest_comes_first_and_the_error_is_told() {
    let script = r#"
        let name = "before";
        run::defer(|| print(`first: ${name}`));
        run::defer(|e| print(if e == () { "no error" } else { `second: ${e.code} ${e.message}` }));
        name = "after";
        END
    "#;
    for (end, code, said) in [("print(\"end\");", 0, "no error"), ("throw \"bad\";", 1, "second: script.failed bad")] {
        let (_flink, sandbox) = stage(&script.replace("END", end));
        let ended = expect(&sandbox, code, &["run", "it"]);
        let lines: Vec<&str> = ended.said.lines().filter(|line| *line != "end").take(2).collect();
        assert_eq!(lines, [said, "first: after"], "{}", ended.said);
    }
}

#[test]
fn an_error_of_a_deferred_closure_fails_a_good_end_and_hides_no_other() {
    let (_flink, sandbox) = stage("run::defer(|| throw \"cleaning\"); run::defer(|| print(\"ran\"));");
    let ended = expect(&sandbox, 1, &["run", "it"]);
    assert!(times(&ended, "ran") == 1 && ended.said.contains("error[script.failed]: cleaning"), "{}", ended.said);
    let (_flink, sandbox) = stage("run::defer(|| print(\"ran\")); run::defer(|| throw \"cleaning\"); throw \"main\";");
    let ended = expect(&sandbox, 1, &["run", "it"]);
    assert!(times(&ended, "ran") == 1 && ended.said.contains("error[script.failed]: main"), "{}", ended.said);
    assert!(ended.said.contains("caused by: a deferred closure failed as well: cleaning"), "{}", ended.said);
}

#[test]
fn a_scope_runs_its_own_at_its_end() {
    let script = r#"
        run::defer(|| print("4 script"));
        run::step("s", || { run::defer(|| print("2 step")); print("1 in step"); });
        print("3 after step");
        run::parallel([|| { run::defer(|| time::now()); 1 }]);
    "#;
    let (_flink, sandbox) = stage(script);
    let ended = expect(&sandbox, 0, &["run", "it"]);
    let lines: Vec<&str> = ended.said.lines().collect();
    assert_eq!(lines, ["1 in step", "2 step", "3 after step", "4 script"]);
    assert_eq!(
        steps(&sandbox),
        ["0 run::defer", "1 run::step", "1/0 run::defer", "2 run::parallel", "2.0/0 run::defer", "2.0/0/0 time::now"]
    );
}

#[test]
fn not_while_the_run_waits_and_once_when_it_goes_on_after_a_kill() {
    let script = r#"
        let job = job::sql("a", #{ template: "job.sql" }).deploy();
        run::defer(|| { print("cancelling"); job.cancel(); time::sleep(PAUSE); print("cancelled"); });
        run::approve("go on?");
        print("going on");
    "#;
    let (flink, sandbox) = stage(&script.replace("PAUSE", "if files::exists(\"quick\") { \"1ms\" } else { \"1h\" }"));
    let waiting = expect(&sandbox, 3, &["run", "it"]);
    assert_eq!(times(&waiting, "cancelling"), 0, "{}", waiting.said);
    let mut process = sandbox.start(&["approve", "r1", "--as", "ada"], None);
    wait_for(&sandbox, "SELECT 1 FROM steps WHERE function = 'job.cancel' AND status = 'done'");
    wait_for(&sandbox, "SELECT 1 FROM steps WHERE function = 'files::exists'");
    let killed = process.kill();
    assert_eq!((times(&killed, "cancelling"), times(&killed, "cancelled")), (1, 0), "{}", killed.said);
    assert_eq!(flink.executions().iter().filter(|execution| execution.is_live()).count(), 0);
    // The sleep of the killed process is answered by nothing: forge what it saw.
    let forged = "UPDATE step_rows SET outcome = 'true' WHERE function = 'files::exists'";
    assert_eq!(sandbox.database().execute(forged, []).unwrap(), 1);
    let ended = expect(&sandbox, 0, &["resume", "r1"]);
    assert_eq!((times(&ended, "cancelling"), times(&ended, "cancelled")), (0, 1), "{}", ended.said);
    assert_eq!(
        steps(&sandbox),
        ["0 spec.deploy", "1 run::defer", "1/0 job.cancel", "1/1 files::exists", "1/2 time::sleep", "2 run::approve"]
    );
}
