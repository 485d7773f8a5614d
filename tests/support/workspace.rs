//! Workspaces for tests of the whole program: the binary in a folder of its own, and a cluster that ends with its test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything here takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(150);

/// A folder that `tidegate init` made.
pub(crate) struct Workspace {
    root: PathBuf,
    _folder: TempDir,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// What it printed, where it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// The whole ending, where the program failed with this error and showed no trace.
    #[track_caller]
    pub(crate) fn fails(self, code: &str) -> Self {
        assert_ne!(self.code, Some(0), "{self}");
        assert!(self.err.contains(&format!("error[{code}]")), "not `{code}`: {self}");
        assert!(!self.err.contains("\tat ") && !self.err.contains("panicked"), "{self}");
        self
    }

    /// Checks that the messages hold every one of these.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "not said: {text}\n{self}");
        }
        self
    }

    /// The line with the error itself.
    #[track_caller]
    pub(crate) fn error_line(&self) -> &str {
        self.err.lines().find(|line| line.starts_with("error[")).unwrap_or_else(|| panic!("no error: {self}"))
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "code {:?}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }
}

impl Workspace {
    /// The workspace `name` as `tidegate init` writes it.
    pub(crate) fn init(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(name);
        let made = finish(program(folder.path()).arg("init").arg(&root)).ok();
        assert!(made.err.contains(&format!("next: cd {} && tidegate quickstart", root.display())), "{made}");
        Self { root, _folder: folder }
    }

    /// The workspace of an example.
    pub(crate) fn example(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(name);
        finish(program(folder.path()).args(["init", "--example", name]).arg(&root)).ok();
        Self { root, _folder: folder }
    }

    /// The same with this as its only cluster: `{ kind: session, url: "..." }`.
    pub(crate) fn on(name: &str, cluster: &str) -> Self {
        let workspace = Self::init(name);
        let text = format!(
            "name: {name}\nclusters:\n  it: {cluster}\nenvironments:\n  local: {{ cluster: it, vars: {{ first_year: 2012 }} }}\n"
        );
        workspace.write("tidegate.yaml", &text);
        workspace
    }

    /// The same on a cluster that somebody else runs.
    pub(crate) fn session(name: &str, url: &str) -> Self {
        Self::on(name, &format!("{{ kind: session, url: \"{url}\" }}"))
    }

    /// A file of it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file of it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A script, and the template of its job beside it.
    pub(crate) fn script(&self, name: &str, script: &str) {
        self.write(&format!("scripts/{name}.rhai"), script);
    }

    /// Runs the program in it, to its end.
    pub(crate) fn tidegate(&self, arguments: &[&str]) -> Ended {
        finish(program(&self.root).args(arguments))
    }

    /// Starts the program in it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        program(&self.root).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What `--json` of a command says.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.tidegate(&[arguments, &["--json"]].concat()).ok();
        serde_json::from_str(&ended.out).unwrap()
    }

    /// A job's entry in `ps --json`.
    pub(crate) fn job(&self, name: &str) -> Value {
        let jobs = self.json(&["ps"]);
        let found = jobs.as_array().unwrap().iter().find(|job| job["name"] == name);
        found.unwrap_or_else(|| panic!("`{name}` is not in {jobs}")).clone()
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.current_dir(folder).stdin(Stdio::null()).env_remove("FLINK_HOME").env("NO_COLOR", "1");
    command
}

fn finish(command: &mut Command) -> Ended {
    wait(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Waits for a program's end; one that takes for ever is killed, and the test fails.
pub(crate) fn wait(child: Child) -> Ended {
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let in_time = receiver.recv_timeout(PATIENCE);
    if in_time.is_err() {
        kill(pid, Signal::KILL);
    }
    let output = in_time.or_else(|_| receiver.recv()).unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Sends a signal.
pub(crate) fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// A local cluster of a workspace, stopped when the value goes, whatever becomes of the test.
pub(crate) struct Cluster {
    pub(crate) workspace: Workspace,
    /// The address of its JobManager.
    pub(crate) url: String,
}

impl Cluster {
    /// Starts the default cluster of a workspace.
    pub(crate) fn up(workspace: Workspace) -> Self {
        Self::started_by(workspace, &["cluster", "up"]).0
    }

    /// The same, started by another command.
    pub(crate) fn started_by(workspace: Workspace, command: &[&str]) -> (Self, Ended) {
        // The value is there first: what a failed start leaves is ended too.
        let mut cluster = Self { workspace, url: String::new() };
        let ended = cluster.workspace.tidegate(command).ok();
        cluster.url = cluster.workspace.json(&["cluster", "status"])[0]["url"].as_str().unwrap().to_owned();
        (cluster, ended)
    }

    /// The process of this name.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let status = self.workspace.json(&["cluster", "status"]);
        let processes = status[0]["processes"].as_array().unwrap();
        let process = processes.iter().find(|process| process["name"] == name).unwrap();
        u32::try_from(process["pid"].as_u64().unwrap()).unwrap()
    }

    /// What the JobManager answers.
    pub(crate) fn get(&self, path: &str) -> Value {
        get(&format!("{}{path}", self.url))
    }

    /// The jobs of this name that it lists, in any state.
    pub(crate) fn listed(&self, name: &str) -> Vec<Value> {
        let jobs = self.get("/jobs/overview");
        jobs["jobs"].as_array().unwrap().iter().filter(|job| job["name"] == name).cloned().collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let down = self.workspace.tidegate(&["cluster", "down"]);
        let left = processes_of(&self.workspace.root);
        for (pid, _) in &left {
            kill(*pid, Signal::KILL);
        }
        if !std::thread::panicking() {
            assert!(down.code == Some(0) && left.is_empty(), "left: {left:?}\n{down}");
        }
    }
}

/// The processes whose command line names a folder.
fn processes_of(folder: &Path) -> Vec<(u32, String)> {
    let folder = folder.to_string_lossy();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains("org.apache.flink") && line.contains(&*folder) {
            found.push((pid, line));
        }
    }
    found
}

/// A GET that has to give JSON.
pub(crate) fn get(url: &str) -> Value {
    request(|client| client.get(url)).1
}

/// Any request: status, and the body as JSON.
pub(crate) fn request(make: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let answer = make(&reqwest::Client::new()).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    })
}
