//! Approvals: no process and no lock while a run waits, and an answer that is recorded once.

use crate::{an_hour_ago, expect, stage, steps, times};

const ONE: &str = r#"
    print("asking");
    try {
        let approval = run::approve("deploy?", #{ timeout: "30m" });
        print(`approved by ${approval.by} ${approval.reason}`);
        job::sql("a", #{ template: "job.sql" }).deploy();
    } catch (e) { print(`${e.code}: ${e.message} ${e.causes}`); }
"#;

#[test]
fn a_run_waits_without_a_process_and_goes_on_when_approved() {
    let (flink, sandbox) = stage(ONE);
    let ended = expect(&sandbox, 3, &["run", "it"]);
    assert!(ended.said.contains("run r1 waits for an approval: deploy?\n  it waits until "), "{}", ended.said);
    assert!(ended.said.contains("`tidegate approve r1`"), "{}", ended.said);
    assert!(!ended.said.contains("error["), "{}", ended.said);
    let again = expect(&sandbox, 3, &["resume", "r1"]);
    assert!(again.said.contains("waits for an approval: deploy?") && times(&again, "asking") == 0, "{}", again.said);
    let shown = expect(&sandbox, 0, &["runs", "show", "r1"]);
    assert!(shown.said.contains("r1 it.rhai --env local: waiting"), "{}", shown.said);
    assert!(shown.said.contains("open    waits for an approval: deploy?"), "{}", shown.said);
    assert!(flink.executions().is_empty());

    // Nobody may say that it happened in another way.
    let bypass = expect(&sandbox, 1, &["resume", "r1", "--step", "0=done:{}"]);
    assert!(bypass.said.contains("hint: tidegate approve r1 --step 0"), "{}", bypass.said);

    let ended = expect(&sandbox, 0, &["approve", "r1", "--as", "ada", "--reason", "friday"]);
    assert_eq!(times(&ended, "approved by ada friday"), 1, "{}", ended.said);
    assert_eq!(flink.executions().len(), 1);
    let twice = expect(&sandbox, 1, &["approve", "r1", "--as", "ada"]);
    assert!(twice.said.contains("error[run.not_open]: run r1 is done"), "{}", twice.said);
}

#[test]
fn a_rejection_and_a_late_answer_are_errors_that_a_script_can_catch() {
    let (flink, sandbox) = stage(ONE);
    expect(&sandbox, 3, &["run", "it"]);
    let ended = expect(&sandbox, 0, &["approve", "r1", "--as", "bob", "--reject", "--reason", "not today"]);
    assert_eq!(times(&ended, r#"run.rejected: `bob` rejected: deploy? ["not today"]"#), 1, "{}", ended.said);

    for command in [&["resume", "r2"][..], &["approve", "r2", "--as", "ada"]] {
        let (flink, sandbox) = stage(ONE);
        expect(&sandbox, 3, &["run", "it"]);
        an_hour_ago(&sandbox, "run::approve");
        let command: Vec<&str> = command.iter().map(|word| if *word == "r2" { "r1" } else { word }).collect();
        let ended = expect(&sandbox, 0, &command);
        assert!(ended.said.contains("run.approval_timed_out: nobody approved until "), "{}", ended.said);
        assert!(flink.executions().is_empty());
    }
    assert!(flink.executions().is_empty());
}

#[test]
fn a_run_that_does_not_wait_and_a_nameless_user_are_refused() {
    let (_flink, sandbox) = stage("time::now(); throw \"over\";");
    expect(&sandbox, 1, &["run", "it"]);
    let ended = expect(&sandbox, 1, &["approve", "r1", "--as", "ada"]);
    assert!(ended.said.contains("error[run.not_open]: run r1 is failed"), "{}", ended.said);
    let ended = expect(&sandbox, 1, &["approve", "r9", "--as", "ada"]);
    assert!(ended.said.contains("error[run.not_found]"), "{}", ended.said);
    let ended = expect(&sandbox, 2, &["approve", "r1", "--as", " "]);
    assert!(ended.said.contains("it is not known who approves"), "{}", ended.said);
    let ended = expect(&sandbox, 2, &["approve", "r1", "--as", "ada", "--step", "x"]);
    assert!(ended.said.contains("`--step x` is not the number of a step"), "{}", ended.said);
}

#[test]
fn branches_end_before_the_run_waits_and_several_approvals_are_told_apart() {
    let script = r#"
        let all = run::parallel([
            || run::approve("first?").by,
            || { job::sql("b", #{ template: "job.sql" }).deploy(); run::approve("second?").by },
            || { try { run::step("inner", || run::approve("third?")) } catch (e) { print("caught"); } },
            || { job::sql("d", #{ template: "job.sql" }).deploy(); "deployed" },
        ], #{ max: 1 });
        print(`${all[0]} ${all[1]} ${all[3]}`);
    "#;
    let (flink, sandbox) = stage(script);
    let ended = expect(&sandbox, 3, &["run", "it"]);
    assert!(ended.said.contains("run r1 waits for 3 approvals\n  step 0.0/0: first?\n"), "{}", ended.said);
    assert!(!ended.said.contains("caught"), "{}", ended.said);
    assert_eq!(flink.executions().len(), 2);
    let ended = expect(&sandbox, 1, &["approve", "r1", "--as", "ada"]);
    assert!(ended.said.contains("run r1 waits for 3 approvals: say which"), "{}", ended.said);
    assert!(ended.said.contains("hint: tidegate approve r1 --step 0.0/0"), "{}", ended.said);
    let ended = expect(&sandbox, 3, &["approve", "r1", "--as", "ada", "--step", "0.1/1"]);
    assert!(ended.said.contains("run r1 waits for 2 approvals"), "{}", ended.said);
    let ended = expect(&sandbox, 1, &["approve", "r1", "--as", "bob", "--step", "0.1/1"]);
    assert!(ended.said.contains("step 0.1/1 of run r1 was answered already: by `ada` at 20"), "{}", ended.said);
    let ended = expect(&sandbox, 1, &["approve", "r1", "--as", "bob", "--step", "0"]);
    assert!(ended.said.contains("step 0 of run r1 is no approval"), "{}", ended.said);
    expect(&sandbox, 3, &["approve", "r1", "--as", "bob", "--step", "0.2/0/0"]);
    let ended = expect(&sandbox, 0, &["approve", "r1", "--as", "eve"]);
    assert_eq!(times(&ended, "eve ada deployed"), 1, "{}", ended.said);
    assert_eq!(flink.executions().len(), 2);
    assert_eq!(steps(&sandbox).len(), 7);
}

#[test]
fn where_rhai_loses_the_exception_a_branch_that_waits_does_nothing_more() {
    // `sort` swallows what its closure raises, and `map` makes it catchable.
    let script = r#"
        let items = [2, 1];
        items.sort(|a, b| { run::approve("sort?"); a - b });
        try { items.map(|a| run::approve("map?")); } catch (e) { print("caught"); }
        job::sql("a", #{ template: "job.sql" }).deploy();
    "#;
    let (flink, sandbox) = stage(script);
    expect(&sandbox, 3, &["run", "it"]);
    assert!(flink.executions().is_empty());
    assert_eq!(steps(&sandbox), ["0 run::approve"]);
}
