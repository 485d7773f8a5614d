//! What the benchmarks share: workspaces, children with their time and memory, and figures in a table.

#![allow(dead_code, unreachable_pub, reason = "a module of each benchmark, which uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A workspace in a temporary folder.
pub struct Workspace {
    folder: tempfile::TempDir,
}

impl Workspace {
    /// One with this `tidegate.yaml`, and files of `(path, text)`.
    pub fn new(file: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tidegate.yaml"), file).unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `tidegate` with these arguments in it.
    pub fn tidegate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.current_dir(self.path()).args(arguments);
        command
    }
}

/// The local cluster `laptop` of a workspace, stopped at the end, however that comes.
pub struct Cluster<'a>(pub &'a Workspace);

impl<'a> Cluster<'a> {
    /// Starts it.
    pub fn up(workspace: &'a Workspace) -> Self {
        // The value is there first: what a failed start leaves is ended too.
        let cluster = Self(workspace);
        run(&mut workspace.tidegate(&["cluster", "up", "laptop"]));
        cluster
    }

    /// What tidegate says of it.
    pub fn status(&self) -> serde_json::Value {
        let (_, text) = run(&mut self.0.tidegate(&["cluster", "status", "laptop", "--json"]));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()[0].clone()
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        // Where it fails, its own words are on the terminal.
        let _ = self.0.tidegate(&["cluster", "down", "laptop"]).status();
    }
}

/// Runs a child that has to end well; gives its wall time and what it printed.
pub fn run(command: &mut Command) -> (Duration, String) {
    command.stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let elapsed = start.elapsed();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {stdout}{}", String::from_utf8_lossy(&output.stderr));
    (elapsed, stdout)
}

/// Like [`run`], and gives the peak of the child's resident memory in MB as well.
pub fn run_measured(command: &Command) -> (Duration, f64) {
    let peak = tempfile::NamedTempFile::new().unwrap();
    let mut outer = measure(peak.path());
    outer.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    let (elapsed, _) = run(&mut outer);
    let text = std::fs::read_to_string(peak.path()).unwrap();
    let kilobytes: f64 = text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no number of kilobytes"));
    (elapsed, kilobytes * 1024.0 / 1e6)
}

/// The command before another one that writes the peak of its memory, in KiB, into a file. The peak of a child counts
/// that of the process it was forked from, so the smaller one goes first: GNU time has 2 MB, Python 10.
fn measure(file: &Path) -> Command {
    let time = PathBuf::from("/usr/bin/time");
    let mut command = Command::new(if time.exists() { &time } else { Path::new("python3") });
    if time.exists() {
        command.args(["-f", "%M", "-o"]);
    } else {
        command.args(["-c", "import resource, subprocess, sys\nstatus = subprocess.call(sys.argv[2:])\nopen(sys.argv[1], 'w').write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))\nsys.exit(status)"]);
    }
    command.arg(file);
    command
}

/// Many measurements of one thing.
#[derive(Debug, Clone, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Takes one more.
    pub fn add(&mut self, figure: f64) {
        let at = self.0.partition_point(|other| *other < figure);
        self.0.insert(at, figure);
    }

    /// Takes a time, in milliseconds.
    pub fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1e3);
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// The smallest: what the machine can do while nobody else works.
    pub fn minimum(&self) -> f64 {
        self.0[0]
    }

    /// The largest.
    pub fn maximum(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<T: IntoIterator<Item = f64>>(figures: T) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self(sorted)
    }
}

/// A line of the table: what, its median with minimum and maximum, and what it should be.
pub fn line(what: &str, figures: &Figures, unit: &str, target: &str) {
    let target = if target.is_empty() { String::new() } else { format!("   target {target}") };
    println!(
        "{what:<58} {:>9.3} {unit:<4} min {:>9.3}  max {:>9.3}  n {}{target}",
        figures.median(),
        figures.minimum(),
        figures.maximum(),
        figures.0.len(),
    );
}

/// A line with one figure.
pub fn figure(what: &str, figure: f64, unit: &str, target: &str) {
    let target = if target.is_empty() { String::new() } else { format!("   target {target}") };
    println!("{what:<58} {figure:>9.3} {unit:<4}{target}");
}
