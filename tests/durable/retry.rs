//! Tries: each in its own path, the waits between them durable.

use crate::support::fake_flink::{Fault, Reply};
use crate::{an_hour_ago, expect, stage, steps, times, wait_for};

#[test]
fn an_error_that_passes_is_tried_again() {
    let script = r#"
        let seen = run::retry(#{ attempts: 5, delay: "10ms", backoff: 1.0, on: ["flink.unexpected_answer"] }, || flink::overview());
        print(`${seen["slots-total"] >= 0}`);
    "#;
    let (flink, sandbox) = stage(script);
    flink.fault("GET", "/overview", 2, Fault::AnswerAfter(Reply::html(200, "a login page")));
    let ended = expect(&sandbox, 0, &["run", "it"]);
    assert_eq!(times(&ended, "true"), 1, "{}", ended.said);
    assert!(ended.said.contains("warn: try 1 of 5 failed: "), "{}", ended.said);
    assert_eq!(
        steps(&sandbox),
        [
            "0 run::retry",
            "0.0/0 flink::overview",
            "0/0 run::retry wait",
            "0.1/0 flink::overview",
            "0/1 run::retry wait",
            "0.2/0 flink::overview"
        ]
    );
}

#[test]
fn the_last_error_says_how_often_and_others_are_raised_at_once() {
    let script = r#"
        fn tell(work) { try { work.call(); } catch (e) { print(`${e.message} ${e.causes}`); } }
        let quick = #{ attempts: 2, delay: "1ms" };
        tell(|| run::retry(quick, || throw "no"));
        tell(|| run::retry(quick, || throw #{ code: "my.own", message: "mine" }));
        tell(|| run::retry(quick + #{ on: ["my.own"] }, || throw "another"));
        tell(|| run::retry(#{ attempts: 0 }, || 1));
        tell(|| run::retry(#{ backoff: 0.5 }, || 1));
        tell(|| run::retry(#{ on: ["flink.unreachabel"] }, || 1));
        tell(|| run::retry(#{ on: ["cancelled"] }, || 1));
        tell(|| run::retry(#{ delay: "so" + "on" }, || 1));
        print(`${run::retry(#{}, || 7)}`);
    "#;
    let (_flink, sandbox) = stage(script);
    let ended = expect(&sandbox, 0, &["run", "it"]);
    let said: Vec<&str> = ended.said.lines().filter(|line| !line.starts_with("warn: ")).collect();
    assert_eq!(
        said,
        [
            r#"no ["it was tried 2 times"]"#,
            r#"mine ["it was tried 2 times"]"#,
            "another []",
            "run::retry: option `attempts` must be at least 1 []",
            "run::retry: option `backoff` must be from 1 to 1000: each wait is that many times as long as the one before []",
            "run::retry: option `on`: there is no error code `flink.unreachabel` []",
            "run::retry: option `on`: `cancelled` ends the run and cannot be caught, so it is never tried again []",
            "`soon` is not a duration []",
            "7",
        ]
    );
}

#[test]
fn after_a_kill_only_the_rest_of_the_wait_is_waited() {
    let script = r#"
        let n = run::retry(#{ attempts: 2, delay: "1h", max_delay: "2h" }, || {
            print("trying");
            if files::exists("there") { 1 } else { throw "not there" }
        });
        print(`got ${n}`);
    "#;
    let (_flink, sandbox) = stage(script);
    let mut process = sandbox.start(&["run", "it"], None);
    wait_for(&sandbox, "SELECT 1 FROM steps WHERE function = 'run::retry wait' AND status = 'open'");
    let killed = process.kill();
    assert_eq!(times(&killed, "trying"), 1, "{}", killed.said);
    std::fs::write(sandbox.path().join("there"), "").unwrap();
    an_hour_ago(&sandbox, "run::retry wait");
    let ended = expect(&sandbox, 0, &["resume", "r1"]);
    assert_eq!((times(&ended, "trying"), times(&ended, "got 1")), (1, 1), "{}", ended.said);
    assert!(!ended.said.contains("try 1 of 2"), "{}", ended.said);
}
