//! A workspace of its own, and tidegate processes in it that are killed, or stopped and woken.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a process may take before the test gives it up.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a process ended.
#[derive(Debug, Clone)]
pub struct Ended {
    status: ExitStatus,
    /// Standard output, then standard error.
    pub said: String,
}

impl Ended {
    /// The exit code; none under a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(Signal::KILL.as_raw())
    }
}

/// A workspace in a temporary folder.
pub struct Sandbox {
    folder: TempDir,
    started: AtomicUsize,
}

impl Sandbox {
    /// A workspace with this cluster (`{ kind: session, url: "..." }`) and these files.
    pub fn new(cluster: &str, files: &[(&str, &str)]) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().unwrap(), started: AtomicUsize::new(0) };
        let yaml =
            format!("name: sweep\nclusters:\n  target: {cluster}\nenvironments:\n  local: {{ cluster: target }}\n");
        for (name, text) in [("tidegate.yaml", yaml.as_str())].iter().chain(files) {
            let path = sandbox.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The state as SQL. The views are for everybody, the tables for tests that forge a state.
    pub fn database(&self) -> rusqlite::Connection {
        let database = rusqlite::Connection::open(self.path().join(".tidegate/state.db")).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database
    }

    /// The first column of the rows of a query; none while there is no state.
    pub fn ask(&self, query: &str) -> Vec<String> {
        if !self.path().join(".tidegate/state.db").exists() {
            return Vec::new();
        }
        let database = self.database();
        // Killed before the tables were made.
        let Ok(mut statement) = database.prepare(query) else { return Vec::new() };
        let rows = statement.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
        rows.map(|value| match value.unwrap() {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => format!("{other:?}"),
        })
        .collect()
    }

    /// What a desperate user does: removes the files of the locks.
    pub fn remove_locks(&self) {
        let locks = self.path().join(".tidegate/locks");
        // Stopped before anything was locked.
        if !locks.exists() {
            return;
        }
        for entry in std::fs::read_dir(locks).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Starts `tidegate`. `halt` is the value of `TIDEGATE_HALT_AT`.
    pub fn start(&self, arguments: &[&str], halt: Option<&str>) -> Process {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let log = self.path().join(format!("said-{number}"));
        let file = File::create(&log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        // What is left to chance here would be another test with each developer.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_")) {
            command.env_remove(name);
        }
        command.env("TIDEGATE_HALT_LOG", self.boundaries(number)).env("TIDEGATE_HALT_TIMEOUT", "3s");
        if let Some(halt) = halt {
            command.env("TIDEGATE_HALT_AT", halt);
        }
        Process { child: command.spawn().unwrap(), log, number }
    }

    /// Runs `tidegate` to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments, None).wait()
    }

    fn boundaries(&self, number: usize) -> std::path::PathBuf {
        self.path().join(format!("boundaries-{number}"))
    }

    /// The boundaries that a process reached, in order.
    pub fn reached(&self, number: usize) -> Vec<String> {
        let text = std::fs::read_to_string(self.boundaries(number)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A tidegate that runs. Killed when it is dropped.
pub struct Process {
    child: Child,
    log: std::path::PathBuf,
    /// Counts the processes of the sandbox, from 0.
    pub number: usize,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Ended {
        let status = self.until("end", |process| process.child.try_wait().unwrap());
        Ended { status, said: self.said() }
    }

    /// Waits until it is stopped; false where it ended before.
    pub fn wait_stopped(&mut self) -> bool {
        self.until("stop", |process| {
            if process.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            tidegate::base::process::is_stopped(process.pid()).then_some(true)
        })
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGSTOP; false where it ended before.
    pub fn stop(&mut self) -> bool {
        // Not waited for yet, the id is its own.
        self.is_running() && {
            kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
            self.wait_stopped()
        }
    }

    /// SIGCONT.
    pub fn wake(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) -> Ended {
        self.child.kill().unwrap();
        self.wait()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn until<T>(&mut self, what: &str, holds: impl Fn(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = holds(self) {
                return value;
            }
            assert!(Instant::now() < deadline, "process {} did not {what}; it said: {}", self.pid(), self.said());
            // The kernel has no wait for "ended or stopped, but not for ever" that std offers.
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
