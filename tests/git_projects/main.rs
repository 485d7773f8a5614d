//! Git projects on real servers: `git http-backend` behind a password, and `sshd`; and their builds, by a real `mvn`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what cannot run is told by name")]
#![allow(dead_code, reason = "each test uses a part of what is shared")]

mod builds;
mod deployed;
mod elsewhere;
#[path = "../support/workspace.rs"]
mod flink;
#[path = "../support/git_http.rs"]
mod git_http;
#[path = "../support/git_repository.rs"]
mod git_repository;
mod http;
mod kill;
#[path = "../support/listener.rs"]
mod listener;
mod renamed;
mod silence;
mod ssh;
#[path = "../support/sshd.rs"]
mod sshd;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/tls.rs"]
mod tls;
mod wrappers;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A workspace with a home of its own.
pub(crate) struct Workspace {
    folder: TempDir,
    environment: Vec<(String, String)>,
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
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        self.out.trim().to_owned()
    }

    /// What it said, where it failed with this code, a hint among it.
    #[track_caller]
    pub(crate) fn fails(self, code: &str) -> String {
        assert!(self.code != Some(0) && self.err.contains(&format!("error[{code}]")), "{}\n{}", self.out, self.err);
        assert!(self.err.contains("= hint: "), "{}", self.err);
        self.err
    }
}

impl Workspace {
    /// One with these lines at the end of its `tidegate.yaml`.
    pub(crate) fn new(more: &str) -> Self {
        Self::on("http://127.0.0.1:1", more)
    }

    /// The same on a cluster at this address.
    pub(crate) fn on(cluster: &str, more: &str) -> Self {
        let workspace = Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() };
        let yaml = format!(
            "name: shop\nclusters:\n  it: {{ kind: session, url: \"{cluster}\" }}\nenvironments:\n  local: {{ cluster: it }}\n{more}"
        );
        workspace.write("tidegate.yaml", &yaml);
        workspace.write("home/.ssh/none", "");
        workspace
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A file that only its owner can read.
    pub(crate) fn write_secret(&self, name: &str, text: &str) {
        self.write(name, text);
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command.env("HOME", self.home()).env_remove("SSH_AUTH_SOCK");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TIDEGATE_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().cloned());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn tidegate(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a script.
    pub(crate) fn run(&self, script: &str) -> Ended {
        self.write("scripts/it.rhai", script);
        self.tidegate(&["run", "it"])
    }

    /// Starts a script, its output in files.
    pub(crate) fn start(&self, script: &str) -> Child {
        self.write("scripts/it.rhai", script);
        let file = std::fs::File::create(self.path("said")).unwrap();
        let mut command = self.command(&["run", "it"]);
        command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap()
    }

    /// Whether a text is anywhere in what tidegate keeps.
    pub(crate) fn keeps(&self, text: &str) -> bool {
        fn any(folder: &Path, text: &[u8]) -> bool {
            std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
                let path = entry.path();
                if path.is_dir() {
                    return any(&path, text);
                }
                std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text))
            })
        }
        any(&self.path(".tidegate"), text.as_bytes())
    }
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what} did not come");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}
