//! What the runtime costs beside its start: calls of pure host functions, compiling, rendering templates.
//! `cargo bench --bench script`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use rhai::Dynamic;
use serde_json::json;
use support::{Figures, figure, line};
use tidegate::api::host::Output;
use tidegate::api::throw::Fatal;
use tidegate::base::Result;
use tidegate::base::cancel::Cancel;
use tidegate::model::run::RunStatus;
use tidegate::script::runner::{self, Setting};
use tidegate::script::{Folder, Interpreter, Limits, Setup};
use tidegate::sql::{self, Request, Variable};

const FILE: &str = "\
name: bench
clusters:
  there: { kind: session, url: \"http://127.0.0.1:9\" }
environments:
  local: { cluster: there }
";

const ROUNDS: usize = 20;
const CALLS: usize = 20_000;

fn main() {
    host_calls();
    compile();
    templates();
}

struct Silent;

impl Output for Silent {
    fn print(&self, _: &str) {}
    fn log(&self, _: &str, _: &str) {}
}

/// A script that calls, against the same one that does not, in turn: what is left is the calls.
fn host_calls() {
    let calling = format!("for i in 0..{CALLS} {{ sql::quote(\"O'Brien\"); }}\n");
    let workspace = support::Workspace::new(
        FILE,
        &[("scripts/calling.rhai", &calling), ("scripts/nothing.rhai", "let nothing = 1;\n")],
    );
    let cancel = Cancel::default();
    let opened = tidegate::workspace::Workspace::open(Some(workspace.path()), &cancel, Arc::new(|_| {})).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let setting = Setting {
        services: opened.services.clone(),
        cancel,
        runtime: runtime.handle().clone(),
        output: Arc::new(Silent),
        limits: Limits::default(),
        confirm: None,
    };
    let environment = opened.environment(None).unwrap();
    let time = |script: &str| {
        let start = Instant::now();
        let report = runner::start(&setting, &runner::Script::named(script), &environment, &BTreeMap::new()).unwrap();
        assert_eq!(report.status, RunStatus::Done, "{:?}", report.error);
        start.elapsed()
    };
    let (mut calling, mut nothing) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        calling.add_time(time("calling"));
        nothing.add_time(time("nothing"));
    }
    line("a run of one line, inside a process that lives", &nothing, "ms", "");
    line(&format!("a run with {CALLS} pure host calls"), &calling, "ms", "");
    figure("1000 pure host calls over that", (calling.median() - nothing.median()) * 1000.0 / CALLS as f64, "ms", "");
}

fn interpreter(scripts: &std::path::Path) -> Interpreter {
    let (modules, global) = runner::modules();
    Interpreter::new(Setup {
        modules,
        global,
        sources: Arc::new(Folder { root: scripts.to_owned() }),
        cancel: Cancel::default(),
        fatal: Fatal::default(),
        limits: Limits::default(),
        print: Box::new(|_, _, _| {}),
        tag: Dynamic::UNIT,
    })
}

fn compile() {
    let folder = tempfile::tempdir().unwrap();
    let block = r#"fn deploy_N(topic) {
    let spec = job::sql(`orders-${topic}`, #{
        template: "orders.sql",
        vars: #{ topic: topic, parallelism: 4, rows: [1, 2, 3] },
        checkpointing: #{ interval: "60s", mode: "exactly_once" },
        options: #{ "table.exec.state.ttl": "36h" },
    });
    if topic == "none" { throw "no topic"; }
    spec.deploy()
}
"#;
    let text: String = (0..20).map(|number| block.replace('N', &number.to_string())).collect();
    assert_eq!(text.lines().count(), 200);
    let start = Instant::now();
    let _ = runner::modules();
    figure("the script surface, once in a process", start.elapsed().as_secs_f64() * 1e3, "ms", "");
    let (mut building, mut compiling) = (Figures::default(), Figures::default());
    for _ in 0..200 {
        let start = Instant::now();
        let interpreter = interpreter(folder.path());
        building.add_time(start.elapsed());
        let start = Instant::now();
        interpreter.compile("bench.rhai", &text).unwrap();
        compiling.add_time(start.elapsed());
    }
    line("an interpreter", &building, "ms", "");
    line("compiling a script of 200 lines", &compiling, "ms", "");
}

fn templates() {
    let template = format!(
        "CREATE TABLE {{{{ name | ident }}}} (\n{}) WITH ('topic' = '{{{{ name }}}}');\n{}INSERT INTO t SELECT {{{{ name }}}};\n",
        "  {{ 'c' | ident }} STRING, -- {{ name }}\n".repeat(50),
        "SET 'a.b' = '{{ name }}';\n".repeat(7),
    );
    let load = |_: &str| -> Result<Option<String>> { Ok(Some(template.clone())) };
    let variables: BTreeMap<String, Variable> = [("name".to_owned(), json!("O'Brien").into())].into();
    let mut rendering = Figures::default();
    for _ in 0..5 {
        let start = Instant::now();
        for number in 0..1000 {
            let name = format!("bench-{number}.sql");
            let rendered = sql::render(&Request { name: &name, load: &load, variables: &variables }).unwrap();
            assert_eq!(sql::statements(&rendered).unwrap().len(), 9);
        }
        rendering.add_time(start.elapsed());
    }
    line(&format!("1000 templates of {} lines rendered and split", template.lines().count()), &rendering, "ms", "");
    let environments = ["O'Brien", "test", "prod"]
        .map(|name| -> BTreeMap<String, Variable> { [("name".to_owned(), json!(name).into())].into() });
    let start = Instant::now();
    for variables in &environments {
        for number in 0..1000 {
            let name = format!("bench-{number}.sql");
            let rendered = sql::render(&Request { name: &name, load: &load, variables }).unwrap();
            assert_eq!(sql::statements(&rendered).unwrap().len(), 9);
        }
    }
    figure("1000 templates for 3 environments", start.elapsed().as_secs_f64() * 1e3, "ms", "at most 1000 ms");
}
