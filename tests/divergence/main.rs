//! Scripts that were changed under a run that waits: what does something else than was recorded is refused with both lines
//! shown and before it reaches the cluster; what does the same is not.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and prints its counts")]

mod changed;
mod harmless;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::fake_flink::FakeFlink;
use support::sandbox::{Ended, Sandbox};

const SQL: &str = "CREATE TABLE a (n BIGINT) WITH ('connector' = 'datagen');\n\
                   CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole');\n\
                   INSERT INTO b SELECT n FROM a;\n";

const MAIN: &str = r#"import "lib/deploys" as deploys;
import "std/jobs" as jobs;

fn options() { #{ patience: params::string("30s"), given: params::string("") } }

fn name_of(number) { `job-${number}` }

let patience = params::get("patience");
files::exists(params::get("given"));
let started = time::now();
let first = job::sql(name_of(1), #{ template: "job.sql" }).deploy();
first.wait_for("RUNNING", patience);
let second = deploys::start("second", 2);
for name in ["x", "y", "z"] {
    files::exists(`data/${name}.csv`);
}
if files::exists("tidegate.yaml") {
    second.wait_for("RUNNING", "31s");
} else {
    first.cancel();
}
deploys::each(["e0"], |item| files::exists(item));
let both = run::parallel([
    || files::exists("p0"),
    || job::sql("third", #{ template: "job.sql" }).deploy().name,
    || { time::millis(); files::exists("p2"); },
], #{ max: 3 });
let seen = run::step("look", || {
    flink::overview();
    flink::jobs().len()
});
try {
    run::retry(#{ attempts: 2, delay: "1ms" }, || {
        if !files::exists("never") { throw "not there"; }
    });
} catch (e) {
    log::info(e.message);
}
let items = run::parallel_map(["i0", "i1"], |item| files::exists(item));
run::defer(|| files::exists("at the end"));
run::approve("go on?");
first.cancel();
"#;

const DEPLOYS: &str = r#"fn start(name, parallelism) {
    let spec = job::sql(name, #{ template: "job.sql", parallelism: parallelism });
    let job = spec.deploy();
    job.refresh()
}

fn each(items, work) {
    for item in items { work.call(item); }
}
"#;

/// A script of the workspace, and what it becomes.
pub(crate) struct Edit {
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
}

pub(crate) const IT: &str = "scripts/it.rhai";
pub(crate) const LIB: &str = "scripts/lib/deploys.rhai";
pub(crate) const TEMPLATE: &str = "templates/job.sql";

pub(crate) const fn edit(file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { file, from, to }
}

/// A run of the script that waits for its approval, and its cluster.
pub(crate) fn waiting() -> (FakeFlink, Sandbox) {
    let flink = FakeFlink::start();
    let other = SQL.replace("datagen", "kafka");
    let files =
        [(TEMPLATE, SQL), (IT, MAIN), (LIB, DEPLOYS), ("templates/same.sql", SQL), ("templates/other.sql", &other)];
    let sandbox = Sandbox::new(&format!("{{ kind: session, url: \"{}\" }}", flink.url()), &files);
    let ended = sandbox.run(&["run", "it", "-p", "given=tidegate.yaml"]);
    assert_eq!(ended.code(), Some(3), "{}", ended.said);
    assert!(ended.said.contains("waits for an approval: go on?"), "{}", ended.said);
    (flink, sandbox)
}

/// Changes a file; the text to be replaced has to be there once.
pub(crate) fn apply(sandbox: &Sandbox, edit: &Edit) {
    let path = sandbox.path().join(edit.file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches(edit.from).count(), 1, "`{}` is not once in {}", edit.from, edit.file);
    std::fs::write(&path, text.replace(edit.from, edit.to)).unwrap();
}

/// What was asked of the cluster that changes it.
pub(crate) fn effects(flink: &FakeFlink) -> Vec<String> {
    let changes = flink.requests().into_iter().filter(|seen| seen.method != "GET");
    changes.map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

pub(crate) fn resumed(sandbox: &Sandbox) -> Ended {
    sandbox.run(&["resume", "r1", "--with-current-scripts"])
}

/// Plays all cases on some threads, and fails with all that failed.
pub(crate) fn play<T: Sync>(what: &str, cases: &[T], act: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    // They wait more than they work.
    let threads = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    failures.lock().unwrap().extend(act(case).err());
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    eprintln!("{what}: {} scripts, {} wrong", cases.len(), failures.len());
    assert!(failures.is_empty(), "{} of {} failed:\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
}
