//! Changes that do the same: a run goes on with them, and does nothing twice.

use crate::{DEPLOYS, Edit, IT, LIB, MAIN, apply, edit, effects, play, resumed, waiting};

const CASES: &[&[Edit]] = &[
    // Nothing at all.
    &[],
    // Comments, blank lines, other line numbers, indentation, line ends.
    &[edit(IT, "import \"lib/deploys\" as deploys;", "// What this does.\n\n\nimport \"lib/deploys\" as deploys;")],
    &[edit(IT, "let started", "/* a long\n   comment */ let started")],
    &[edit(LIB, "fn start(name, parallelism) {", "/// Starts a job.\n\n// And more.\nfn start(name, parallelism) {")],
    &[edit(IT, "    files::exists(`data/${name}.csv`);", "files::exists(   `data/${name}.csv`   )  ;")],
    &[edit(IT, "let both = run::parallel([", "let both = run::parallel([\n\n    // Three branches.")],
    &[edit(IT, "    flink::overview();\n    flink::jobs().len()\n", "flink::overview(); flink::jobs().len()")],
    &[edit(IT, "#{ template: \"job.sql\" }).deploy();", "#{\n    template: \"job.sql\",\n}).deploy();")],
    // Other names.
    &[edit(IT, "let started = time::now();", "let began = time::now();")],
    &[
        edit(LIB, "    let spec = job::sql", "    let planned = job::sql"),
        edit(LIB, "spec.deploy()", "planned.deploy()"),
    ],
    &[
        edit(IT, "fn name_of(number) { `job-${number}` }", "fn called(n) { \"job-\" + n }"),
        edit(IT, "name_of(1)", "called(1)"),
    ],
    &[edit(IT, "|item| files::exists(item));\nrun::defer", "|file| files::exists(file));\nrun::defer")],
    &[edit(IT, "import \"lib/deploys\" as deploys;", "import \"./lib/deploys.rhai\" as deploys;")],
    // Pure calls, prints and logs more or less.
    &[edit(IT, "let started", "print(\"starting\");\nlet started")],
    &[edit(IT, "    log::info(e.message);\n", "")],
    &[edit(
        IT,
        "files::exists(`data/${name}.csv`);",
        "let path = `data/${name}.csv`; log::info(path); files::exists(path);",
    )],
    &[edit(IT, "let seen", "assert::that(both.len() == 3);\nlet seen")],
    &[edit(IT, "let second", "let unused = job::sql(\"never-deployed\", #{ template: \"job.sql\" });\nlet second")],
    &[edit(IT, "|| files::exists(\"p0\"),", "|| { print(\"branch 0\"); let name = \"p\" + 0; files::exists(name) },")],
    &[edit(LIB, "    job.refresh()", "    let fresh = job.refresh();\n    fresh")],
    // The same calls written in another way.
    &[edit(
        IT,
        "for name in [\"x\", \"y\", \"z\"] {\n    files::exists(`data/${name}.csv`);\n}",
        "files::exists(\"data/x.csv\");\nfiles::exists(\"data/y.csv\");\nfiles::exists(\"data/z.csv\");",
    )],
    &[edit(
        IT,
        "let second = deploys::start(\"second\", 2);",
        "let second = job::sql(\"second\", #{ parallelism: 2, template: \"job.sql\" }).deploy().refresh();",
    )],
    &[edit(
        IT,
        "if files::exists(\"tidegate.yaml\") {\n    second.wait_for(\"RUNNING\", \"31s\");\n} else {\n    first.cancel();\n}",
        "let there = files::exists(\"tidegate.yaml\");\nif !there { first.cancel(); } else { second.wait_for(\"RUNNING\", \"31s\"); }",
    )],
    &[edit(IT, "    first.cancel();\n}", "    throw \"never come to\";\n}")],
    &[edit(IT, "throw \"not there\"", "throw \"still not there\"")],
    &[edit(LIB, "template: \"job.sql\"", "template: \"same.sql\"")],
    // What is given with `-p` is pinned: the default of today does not matter.
    &[edit(IT, "given: params::string(\"\")", "given: params::string(\"another default\", \"and help\")")],
    &[edit(IT, "given: params::string(\"\")", "given: params::string(\"\"), more: params::int(3)")],
    // What was not come to yet.
    &[edit(IT, "files::exists(\"at the end\")", "files::exists(\"somewhere else\")")],
    &[edit(
        IT,
        "run::approve(\"go on?\");\nfirst.cancel();",
        "run::approve(\"go on?\");\ntime::now();\nfirst.cancel();",
    )],
];

#[test]
fn what_does_the_same_goes_on() {
    assert!(CASES.len() >= 20, "{} cases", CASES.len());
    assert!(!MAIN.contains('\t') && !DEPLOYS.contains('\t'), "the edits count on spaces");
    play("harmless", CASES, |edits| {
        let (flink, sandbox) = waiting();
        let before = effects(&flink);
        edits.iter().for_each(|edit| apply(&sandbox, edit));
        let shown: Vec<String> = edits.iter().map(|edit| format!("`{}` -> `{}`", edit.from, edit.to)).collect();
        let ended = resumed(&sandbox);
        if ended.code() != Some(3) || !ended.said.contains("waits for an approval: go on?") {
            return Err(format!("{}\na false alarm\n{}", shown.join("\n"), ended.said));
        }
        // Whatever was added, what lies before the approval was printed, or left out, before.
        if effects(&flink) != before || ended.said.contains("starting") || ended.said.contains("branch 0") {
            return Err(format!("{}\nsomething was done or said twice\n{}", shown.join("\n"), ended.said));
        }
        let ended = sandbox.run(&["approve", "r1", "--as", "ada", "--with-current-scripts"]);
        let live = flink.executions().iter().filter(|execution| execution.is_live()).count();
        if ended.code() != Some(0) || flink.executions().len() != 3 || live != 2 {
            return Err(format!("{}\nit does not go on, or {live} live\n{}", shown.join("\n"), ended.said));
        }
        Ok(())
    });
}
