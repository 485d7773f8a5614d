//! Changes that a run must not go on with.

use crate::{Edit, IT, LIB, TEMPLATE, apply, edit, effects, play, resumed, waiting};

/// A change, the recorded line that it breaks, and the line that broke it; none where a recorded step is left out.
struct Case {
    edits: &'static [Edit],
    recorded: &'static str,
    now: &'static str,
}

const fn differs(edits: &'static [Edit], recorded: &'static str, now: &'static str) -> Case {
    Case { edits, recorded, now }
}

const fn left_out(edits: &'static [Edit], recorded: &'static str) -> Case {
    Case { edits, recorded, now: "" }
}

const GIVEN: &str = "files::exists(params::get(\"given\"));";
const NOW: &str = "let started = time::now();";
const FIRST: &str = "let first = job::sql(name_of(1), #{ template: \"job.sql\" }).deploy();";
const WAIT: &str = "first.wait_for(\"RUNNING\", patience);";
const LOOP: &str = "files::exists(`data/${name}.csv`);";
const TEST: &str = "if files::exists(\"tidegate.yaml\") {";
const SECOND_WAIT: &str = "second.wait_for(\"RUNNING\", \"31s\");";
const EACH: &str = "deploys::each([\"e0\"], |item| files::exists(item));";
const PARALLEL: &str = "let both = run::parallel([";
const P0: &str = "|| files::exists(\"p0\"),";
const P1: &str = "|| job::sql(\"third\", #{ template: \"job.sql\" }).deploy().name,";
const P2: &str = "|| { time::millis(); files::exists(\"p2\"); },";
const STEP: &str = "let seen = run::step(\"look\", || {";
const OVERVIEW: &str = "flink::overview();";
const JOBS: &str = "flink::jobs().len()";
const RETRY: &str = "run::retry(#{ attempts: 2, delay: \"1ms\" }, || {";
const TRIED: &str = "if !files::exists(\"never\") { throw \"not there\"; }";
const MAP: &str = "let items = run::parallel_map([\"i0\", \"i1\"], |item| files::exists(item));";
const DEFER: &str = "run::defer(|| files::exists(\"at the end\"));";
const APPROVE: &str = "run::approve(\"go on?\");";
const DEPLOY: &str = "let job = spec.deploy();";
const SPEC: &str = "let spec = job::sql(name, #{ template: \"job.sql\", parallelism: parallelism });";
const REFRESH: &str = "job.refresh()";

const CASES: &[Case] = &[
    // Calls swapped.
    differs(
        &[
            edit(IT, GIVEN, NOW),
            edit(IT, "let started = time::now();\nlet first", "files::exists(params::get(\"given\"));\nlet first"),
        ],
        GIVEN,
        NOW,
    ),
    differs(&[edit(IT, FIRST, "let first = deploys::start(\"second\", 2);")], FIRST, DEPLOY),
    differs(
        &[edit(IT, "    flink::overview();\n    flink::jobs().len()", "    flink::jobs();\n    flink::overview()")],
        OVERVIEW,
        "flink::jobs();",
    ),
    differs(
        &[edit(IT, P2, "|| { files::exists(\"p2\"); time::millis(); },")],
        P2,
        "|| { files::exists(\"p2\"); time::millis(); },",
    ),
    differs(
        &[edit(
            IT,
            "run::defer(|| files::exists(\"at the end\"));\nrun::approve(\"go on?\");",
            "run::approve(\"go on?\");\nrun::defer(|| files::exists(\"at the end\"));",
        )],
        DEFER,
        APPROVE,
    ),
    differs(
        &[edit(
            LIB,
            "    let job = spec.deploy();\n    job.refresh()",
            "    let job = job::get(\"second\");\n    spec.deploy()",
        )],
        DEPLOY,
        "let job = job::get(\"second\");",
    ),
    // Calls added.
    differs(&[edit(IT, GIVEN, "time::now();\nfiles::exists(params::get(\"given\"));")], GIVEN, "time::now();"),
    differs(
        &[edit(IT, NOW, "let started = time::now(); time::now();")],
        FIRST,
        "let started = time::now(); time::now();",
    ),
    differs(&[edit(IT, WAIT, "first.cancel();")], WAIT, "first.cancel();"),
    differs(
        &[edit(IT, WAIT, "first.wait_for(\"RUNNING\", patience); first.cancel();")],
        DEPLOY,
        "first.wait_for(\"RUNNING\", patience); first.cancel();",
    ),
    differs(
        &[edit(
            IT,
            WAIT,
            "first.wait_for(\"RUNNING\", patience);\njob::sql(\"extra\", #{ template: \"job.sql\" }).deploy();",
        )],
        DEPLOY,
        "job::sql(\"extra\", #{ template: \"job.sql\" }).deploy();",
    ),
    differs(&[edit(IT, LOOP, "files::exists(`data/${name}.csv`); flink::overview();")], LOOP, "flink::overview();"),
    differs(&[edit(IT, P0, "|| { files::exists(\"p0\"); },\n    || files::exists(\"new\"),")], PARALLEL, PARALLEL),
    differs(&[edit(IT, OVERVIEW, "flink::overview(); time::now();")], JOBS, "flink::overview(); time::now();"),
    differs(
        &[edit(IT, TRIED, "time::now(); if !files::exists(\"never\") { throw \"not there\"; }")],
        TRIED,
        "time::now();",
    ),
    differs(
        &[edit(IT, MAP, "time::now();\nlet items = run::parallel_map([\"i0\", \"i1\"], |item| files::exists(item));")],
        MAP,
        "time::now();",
    ),
    differs(&[edit(IT, APPROVE, "first.cancel();\nrun::approve(\"go on?\");")], APPROVE, "first.cancel();"),
    differs(
        &[edit(IT, APPROVE, "run::approve(\"really?\");\nrun::approve(\"go on?\");")],
        APPROVE,
        "run::approve(\"really?\");",
    ),
    differs(
        &[edit(
            IT,
            MAP,
            "let items = run::parallel_map([\"i0\", \"i1\"], |item| { time::now(); files::exists(item) });",
        )],
        MAP,
        "|item| { time::now();",
    ),
    // Calls removed.
    differs(&[edit(IT, GIVEN, "")], GIVEN, NOW),
    differs(&[edit(IT, NOW, "")], NOW, FIRST),
    differs(&[edit(IT, WAIT, "")], WAIT, DEPLOY),
    differs(&[edit(IT, SECOND_WAIT, "")], SECOND_WAIT, "files::exists(item)"),
    differs(&[edit(IT, EACH, "")], EACH, PARALLEL),
    differs(
        &[edit(
            IT,
            "let both = run::parallel([\n    || files::exists(\"p0\"),\n    || job::sql(\"third\", #{ template: \"job.sql\" }).deploy().name,\n    || { time::millis(); files::exists(\"p2\"); },\n], #{ max: 3 });",
            "",
        )],
        PARALLEL,
        STEP,
    ),
    differs(&[edit(IT, OVERVIEW, "")], OVERVIEW, JOBS),
    left_out(&[edit(IT, JOBS, "0")], JOBS),
    left_out(&[edit(IT, P0, "|| true,")], P0),
    left_out(&[edit(IT, P1, "|| \"third\",")], P1),
    left_out(&[edit(IT, P2, "|| { time::millis(); },")], P2),
    differs(&[edit(IT, P2, "|| { files::exists(\"p2\"); },")], P2, "|| { files::exists(\"p2\"); },"),
    differs(&[edit(IT, MAP, "")], MAP, DEFER),
    differs(&[edit(IT, DEFER, "")], DEFER, APPROVE),
    left_out(&[edit(IT, "run::approve(\"go on?\");\nfirst.cancel();\n", "")], APPROVE),
    differs(
        &[edit(IT, "run::approve(\"go on?\");\nfirst.cancel();\n", "first.cancel();\n")],
        APPROVE,
        "first.cancel();",
    ),
    differs(&[edit(LIB, "    job.refresh()", "    job")], REFRESH, LOOP),
    left_out(&[edit(IT, APPROVE, "throw \"given up\";")], APPROVE),
    left_out(
        &[
            edit(
                IT,
                MAP,
                "exit_now();\nlet items = run::parallel_map([\"i0\", \"i1\"], |item| files::exists(item));\n",
            ),
            edit(IT, "fn name_of", "fn exit_now() { throw \"over\"; }\nfn name_of"),
        ],
        MAP,
    ),
    left_out(
        &[edit(IT, MAP, "return;\nlet items = run::parallel_map([\"i0\", \"i1\"], |item| files::exists(item));")],
        MAP,
    ),
    left_out(
        &[edit(
            IT,
            "let items = run::parallel_map([\"i0\", \"i1\"], |item| files::exists(item));",
            "let items = run::parallel_map([\"i0\", \"i1\"], |item| if item == \"i0\" { files::exists(item) } else { false });",
        )],
        MAP,
    ),
    // Arguments changed.
    differs(&[edit(IT, "`job-${number}`", "`task-${number}`")], FIRST, FIRST),
    differs(&[edit(IT, "name_of(1), #{", "name_of(2), #{")], FIRST, "let first = job::sql(name_of(2)"),
    differs(
        &[edit(
            IT,
            "job::sql(name_of(1), #{ template: \"job.sql\" })",
            "job::sql(name_of(1), #{ template: \"job.sql\", parallelism: 3 })",
        )],
        FIRST,
        "parallelism: 3",
    ),
    differs(&[edit(IT, "let patience = params::get(\"patience\");", "let patience = \"29s\";")], WAIT, WAIT),
    differs(&[edit(IT, "params::string(\"30s\")", "params::string(\"29s\")")], WAIT, WAIT),
    differs(&[edit(IT, SECOND_WAIT, "second.wait_for(\"RUNNING\", \"32s\");")], SECOND_WAIT, "\"32s\""),
    differs(
        &[edit(IT, "second.wait_for(\"RUNNING\", \"31s\")", "first.wait_for(\"RUNNING\", \"31s\")")],
        SECOND_WAIT,
        "first.wait_for(\"RUNNING\", \"31s\")",
    ),
    differs(&[edit(IT, "deploys::start(\"second\", 2)", "deploys::start(\"zweite\", 2)")], DEPLOY, DEPLOY),
    differs(&[edit(IT, "deploys::start(\"second\", 2)", "deploys::start(\"second\", 4)")], DEPLOY, DEPLOY),
    differs(&[edit(IT, "[\"e0\"]", "[\"e1\"]")], EACH, "deploys::each([\"e1\"]"),
    differs(&[edit(IT, P0, "|| files::exists(\"P0\"),")], P0, "|| files::exists(\"P0\"),"),
    differs(
        &[edit(
            IT,
            "job::sql(\"third\", #{ template: \"job.sql\" })",
            "job::sql(\"fourth\", #{ template: \"job.sql\" })",
        )],
        P1,
        "job::sql(\"fourth\"",
    ),
    differs(&[edit(IT, "#{ max: 3 }", "#{ max: 2 }")], PARALLEL, PARALLEL),
    differs(&[edit(IT, "run::step(\"look\"", "run::step(\"see\"")], STEP, "run::step(\"see\""),
    differs(&[edit(IT, "attempts: 2", "attempts: 5")], RETRY, "attempts: 5"),
    differs(&[edit(IT, "delay: \"1ms\"", "delay: \"2ms\"")], RETRY, "delay: \"2ms\""),
    differs(
        &[edit(IT, "files::exists(\"never\")", "files::exists(\"tidegate.yaml\")")],
        TRIED,
        "if !files::exists(\"tidegate.yaml\")",
    ),
    left_out(&[edit(IT, "{ throw \"not there\"; }", "{ }")], TRIED),
    differs(&[edit(IT, APPROVE, "run::approve(\"go further?\");")], APPROVE, "run::approve(\"go further?\");"),
    differs(&[edit(IT, APPROVE, "run::approve(\"go on?\", #{ timeout: \"1h\" });")], APPROVE, "timeout: \"1h\""),
    // Branches of the script flipped, loops shortened and lengthened.
    differs(&[edit(IT, TEST, "if !files::exists(\"tidegate.yaml\") {")], SECOND_WAIT, "first.cancel();"),
    differs(
        &[edit(
            IT,
            "if files::exists(\"tidegate.yaml\") {\n    second",
            "if files::exists(\"tidegate.yaml\") && 1 > 2 {\n    second",
        )],
        SECOND_WAIT,
        "first.cancel();",
    ),
    differs(&[edit(IT, "[\"x\", \"y\", \"z\"]", "[\"x\", \"y\"]")], LOOP, TEST),
    differs(&[edit(IT, "[\"x\", \"y\", \"z\"]", "[\"x\", \"z\", \"y\"]")], LOOP, LOOP),
    differs(&[edit(IT, "[\"x\", \"y\", \"z\"]", "[\"x\", \"y\", \"z\", \"zz\"]")], TEST, LOOP),
    differs(&[edit(IT, "[\"x\", \"y\", \"z\"]", "[]")], LOOP, TEST),
    differs(&[edit(IT, LOOP, "if name == \"y\" { break; } files::exists(`data/${name}.csv`);")], LOOP, TEST),
    differs(&[edit(IT, "[\"i0\", \"i1\"]", "[\"i0\"]")], MAP, "run::parallel_map([\"i0\"]"),
    differs(&[edit(IT, "[\"i0\", \"i1\"]", "[\"i1\", \"i0\"]")], MAP, "[\"i1\", \"i0\"]"),
    // Branches of `parallel` added, removed, swapped.
    differs(&[edit(IT, "    || files::exists(\"p0\"),\n", "")], PARALLEL, PARALLEL),
    differs(
        &[edit(
            IT,
            "], #{ max: 3 });",
            "    || job::sql(\"fourth\", #{ template: \"job.sql\" }).deploy().name,\n], #{ max: 3 });",
        )],
        PARALLEL,
        PARALLEL,
    ),
    differs(
        &[edit(
            IT,
            "    || files::exists(\"p0\"),\n    || job::sql(\"third\", #{ template: \"job.sql\" }).deploy().name,\n",
            "    || job::sql(\"third\", #{ template: \"job.sql\" }).deploy().name,\n    || files::exists(\"p0\"),\n",
        )],
        // Both branches differ, and which of them is met first is a matter of time.
        "|| ",
        "|| ",
    ),
    differs(
        &[
            edit(IT, "run::parallel([\n", "run::parallel_map([1, 2, 3], |i| i);\n[\n"),
            edit(IT, "], #{ max: 3 });", "];"),
        ],
        PARALLEL,
        "run::parallel_map([1, 2, 3], |i| i);",
    ),
    // Scopes taken away, or put round calls.
    differs(
        &[
            edit(IT, STEP, "let work = (|| {"),
            edit(IT, "    flink::jobs().len()\n});", "    flink::jobs().len()\n}); work.call();"),
        ],
        STEP,
        OVERVIEW,
    ),
    differs(
        &[edit(
            IT,
            FIRST,
            "let first = run::step(\"first\", || job::sql(name_of(1), #{ template: \"job.sql\" }).deploy());",
        )],
        FIRST,
        "let first = run::step(\"first\"",
    ),
    differs(&[edit(IT, RETRY, "run::step(\"once\", || {")], RETRY, "run::step(\"once\", || {"),
    // Imports, what they hold, and templates.
    differs(
        &[edit(LIB, SPEC, "let spec = job::sql(name, #{ template: \"other.sql\", parallelism: parallelism });")],
        DEPLOY,
        DEPLOY,
    ),
    differs(&[edit(LIB, "name, #{ template", "name + \"-v2\", #{ template")], DEPLOY, DEPLOY),
    differs(&[edit(LIB, REFRESH, "job.wait_for(\"RUNNING\", \"1m\")")], REFRESH, "job.wait_for(\"RUNNING\", \"1m\")"),
    differs(
        &[edit(
            LIB,
            "for item in items { work.call(item); }",
            "for item in items { work.call(item); work.call(item); }",
        )],
        PARALLEL,
        "files::exists(item)",
    ),
    differs(&[edit(LIB, "for item in items { work.call(item); }", "for item in items { }")], EACH, PARALLEL),
    differs(
        &[edit(
            IT,
            "let second = deploys::start(\"second\", 2);",
            "let second = jobs::deploy_and_wait(job::sql(\"second\", #{ template: \"job.sql\", parallelism: 2 }), \"1m\");",
        )],
        REFRESH,
        "",
    ),
    differs(&[edit(TEMPLATE, "INSERT INTO b SELECT n FROM a;", "INSERT INTO b SELECT n + 1 FROM a;")], FIRST, FIRST),
];

#[test]
fn what_does_something_else_is_refused_with_both_lines_and_reaches_nothing() {
    assert!(CASES.len() >= 60, "{} cases", CASES.len());
    play("changed", CASES, |case| {
        let (flink, sandbox) = waiting();
        let before = effects(&flink);
        for edit in case.edits {
            apply(&sandbox, edit);
        }
        let ended = resumed(&sandbox);
        let edits: Vec<String> =
            case.edits.iter().map(|edit| format!("{}: `{}` -> `{}`", edit.file, edit.from, edit.to)).collect();
        let wrong = |what: &str| Err(format!("{}\n{what}\n{}", edits.join("\n"), ended.said));
        if ended.code() != Some(3) || !ended.said.contains("error[run.diverged]") {
            return wrong("it was not refused");
        }
        if effects(&flink) != before {
            return wrong("something reached the cluster");
        }
        let excerpt_of = |label: &str| {
            let lines: Vec<&str> = ended.said.lines().collect();
            let at = lines.iter().position(|line| line.contains(['^', '-']) && line.ends_with(label))?;
            lines[at - 1].split_once(" | ").map(|(_, text)| text.to_owned())
        };
        match excerpt_of(" recorded: this line") {
            Some(text) if text.contains(case.recorded) => {}
            other => return wrong(&format!("the recorded line is not shown, but {other:?}")),
        }
        match excerpt_of(" now") {
            None if case.now.is_empty() && ended.said.contains(" without step ") => {}
            Some(text) if text.contains(case.now) && !ended.said.contains(" without step ") => {}
            other => return wrong(&format!("the line of now is not shown, but {other:?}")),
        }
        // The recorded script still goes on.
        let ended = sandbox.run(&["approve", "r1", "--as", "ada"]);
        match ended.code() {
            Some(0) => Ok(()),
            _ => Err(format!("{}\nthe recorded script does not go on\n{}", edits.join("\n"), ended.said)),
        }
    });
}
