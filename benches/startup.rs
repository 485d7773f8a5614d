//! What `tidegate run` of a one-line script costs: time and memory of the whole process, in a workspace that has run
//! before. `cargo bench --bench startup`

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod support;

use support::{Figures, Workspace, line, run, run_measured};

const RUNS: usize = 30;

const FILE: &str = "\
name: bench
clusters:
  there: { kind: session, url: \"http://127.0.0.1:9\" }
environments:
  local: { cluster: there }
";

fn main() {
    let workspace = Workspace::new(FILE, &[("scripts/hello.rhai", "print(\"hi\");\n")]);
    let script = || workspace.tidegate(&["run", "hello"]);
    // The first run makes the state.
    let (first, printed) = run(&mut script());
    assert_eq!(printed, "hi\n");

    let (mut version, mut whole, mut memory) = (Figures::default(), Figures::default(), Figures::default());
    for _ in 0..RUNS {
        version.add_time(run(&mut workspace.tidegate(&["--version"])).0);
        whole.add_time(run(&mut script()).0);
    }
    for _ in 0..RUNS {
        memory.add(run_measured(&script()).1);
    }
    line("tidegate --version", &version, "ms", "");
    line("tidegate run hello (fresh workspace)", &Figures::from_iter([first.as_secs_f64() * 1e3]), "ms", "");
    line("tidegate run hello", &whole, "ms", "15 ms");
    line("tidegate run hello, peak memory", &memory, "MB", "25 MB");
}
