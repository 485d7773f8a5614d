//! What `tidegate check` costs: a script of 200 lines, and a workspace of 100 scripts and 200 templates.
//! `cargo bench --bench check`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]
#![allow(dead_code, reason = "the support is shared with benchmarks that use more of it")]

mod support;

use std::time::Instant;

use support::{Figures, figure, line, run};
use tidegate::script::check::check;
use tidegate::workspace::inspect::inspect;

const FILE: &str = "\
name: bench
clusters:
  there: { kind: session, url: \"http://127.0.0.1:9\" }
environments:
  local: { cluster: there, vars: { topic: orders_dev } }
  test: { cluster: there, vars: { topic: orders_test } }
  prod: { cluster: there, vars: { topic: orders } }
";

const FUNCTION: &str = r#"fn deploy_N(topic) {
    let spec = job::sql(`orders-${topic}`, #{
        template: "tM.sql",
        vars: #{ parallelism: 4, rows: [1, 2, 3] },
        checkpointing: #{ interval: "60s", mode: "exactly_once" },
        options: #{ "table.exec.state.ttl": "36h" },
    });
    if topic == "none" { throw "no topic"; }
    spec.deploy()
}
"#;

fn main() {
    let script = |number: usize, functions: usize| -> String {
        let block = |index: usize| {
            FUNCTION.replace('N', &index.to_string()).replace('M', &((number + index) % 200).to_string())
        };
        (0..functions).map(block).collect()
    };
    let template = format!(
        "CREATE TABLE orders (\n{}) WITH ('topic' = '{{{{ topic }}}}', 'rows' = '{{{{ rows | length }}}}');\nINSERT INTO t SELECT {{{{ parallelism }}}};\n",
        "  c STRING,\n".repeat(20)
    );
    let mut files: Vec<(String, String)> =
        (0..200).map(|n| (format!("templates/t{n}.sql"), template.clone())).collect();
    files.extend((0..100).map(|n| (format!("scripts/s{n}.rhai"), script(n, 5))));
    files.push(("scripts/long.rhai".to_owned(), script(0, 20)));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let workspace = support::Workspace::new(FILE, &files);

    let time = |scripts: &[String]| {
        let start = Instant::now();
        let (files, knowledge) = inspect(Some(workspace.path()), None).unwrap();
        let report = check(&files, &knowledge, scripts).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        start.elapsed()
    };
    figure("the first check of a process", time(&["long".to_owned()]).as_secs_f64() * 1e3, "ms", "");
    let (mut one, mut all) = (Figures::default(), Figures::default());
    for _ in 0..50 {
        one.add_time(time(&["long".to_owned()]));
    }
    for _ in 0..10 {
        all.add_time(time(&[]));
    }
    line("a script of 200 lines, 20 templates, 3 environments", &one, "ms", "at most 5 ms");
    line("101 scripts and 200 templates, 3 environments", &all, "ms", "at most 300 ms");
    let whole: Figures = (0..10).map(|_| run(&mut workspace.tidegate(&["check"])).0.as_secs_f64() * 1e3).collect();
    line("the same by the command, its start included", &whole, "ms", "");
}
