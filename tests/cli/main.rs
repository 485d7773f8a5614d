//! The command line as a user sees it: exit code, standard output and standard error, whole, as snapshots.
//!
//! `INSTA_UPDATE=always cargo test --test cli` rewrites the snapshots; read their diff before you commit it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the fake JobManager is shared with tests that use more of it")]

mod capabilities;
#[path = "../../src/drivers/jar/class_writer.rs"]
mod class_writer;
mod dependencies;
mod frames;
mod jars;
mod mistakes;
mod panics;
mod plan;
mod repl;
mod secrets;
mod signals;
mod state;
mod stdin;
#[path = "../support/mod.rs"]
mod support;
mod trouble;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A workspace in a temporary folder, on a session cluster.
pub(crate) struct Workspace {
    folder: TempDir,
}

impl Workspace {
    /// One on the cluster at this address.
    pub(crate) fn on(url: &str) -> Self {
        let workspace = Self::empty();
        workspace.write(
            "tidegate.yaml",
            &format!(
                "name: orders\nclusters:\n  shared: {{ kind: session, url: \"{url}\" }}\nenvironments:\n  local: {{ cluster: shared, vars: {{ topic: orders }} }}\n"
            ),
        );
        workspace
    }

    /// One on a cluster that nobody asks.
    pub(crate) fn idle() -> Self {
        Self::on("http://127.0.0.1:9")
    }

    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The command, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments).current_dir(self.path()).env_remove("NO_COLOR").env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs a command; what it printed, with what differs from run to run masked.
    pub(crate) fn tidegate(&self, arguments: &[&str]) -> String {
        self.tidegate_reading("", arguments)
    }

    /// The same with this on standard input, which is no terminal.
    pub(crate) fn tidegate_reading(&self, input: &str, arguments: &[&str]) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that has ended already reads no more.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains("panicked at"), "{err}");
        let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
        self.masked(&format!(
            "$ tidegate {}\nexit code: {code}\n-- stdout --\n{out}-- stderr --\n{err}",
            arguments.join(" ")
        ))
    }

    /// Runs a script that holds this text.
    pub(crate) fn script(&self, text: &str) -> String {
        self.write("scripts/it.rhai", text);
        self.tidegate(&["run", "it"])
    }

    pub(crate) fn masked(&self, text: &str) -> String {
        let real = self.path().canonicalize().unwrap();
        let mut text =
            text.replace(&*real.to_string_lossy(), "[folder]").replace(&*self.path().to_string_lossy(), "[folder]");
        let is_hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        text = masked_words(&text, is_hexadecimal, 32, "[id]");
        let mut lines = Vec::new();
        for line in text.lines() {
            lines.push(mask_line(line));
        }
        lines.join("\n")
    }
}

/// What an age stands behind.
const AGES: [&str; 4] = ["started ", "taken ", "\"running_for_ms\": ", "\"age_ms\": "];

/// Masks moments, ports, ages and process ids of a line.
fn mask_line(line: &str) -> String {
    let mut masked = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        if let Some(end) = moment(rest) {
            masked.push_str("[time]");
            rest = &rest[end..];
        } else if let Some(after) =
            rest.strip_prefix("127.0.0.1:").filter(|after| after.starts_with(|c: char| c.is_ascii_digit()))
        {
            masked.push_str("127.0.0.1:[port]");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        } else if let Some(after) =
            rest.strip_prefix("process ").filter(|after| after.starts_with(|c: char| c.is_ascii_digit()))
        {
            masked.push_str("process [pid]");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        } else if let Some(after) =
            rest.strip_prefix("savepoint-").filter(|after| after.starts_with(|c: char| c.is_ascii_hexdigit()))
        {
            // Drawn from the salt of the state.
            masked.push_str("savepoint-[key]");
            rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        } else if let Some((before, after)) = AGES
            .iter()
            .find_map(|before| Some((before, rest.strip_prefix(before)?)))
            .filter(|(_, after)| after.starts_with(|c: char| c.is_ascii_digit()))
        {
            masked.push_str(before);
            masked.push_str("[age]");
            rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        } else {
            let next = rest.chars().next().map_or(1, char::len_utf8);
            masked.push_str(&rest[..next]);
            rest = &rest[next..];
        }
    }
    masked
}

/// The length of a moment such as `2026-11-23 22:47:43Z` that the text begins with.
fn moment(text: &str) -> Option<usize> {
    let shape = "dddd-dd-dd dd:dd:dd";
    let fits = text.len() >= shape.len()
        && text.chars().zip(shape.chars()).all(|(c, s)| match s {
            'd' => c.is_ascii_digit(),
            ' ' => c == ' ' || c == 'T',
            s => c == s,
        });
    fits.then(|| {
        let rest = &text[shape.len()..];
        let fraction =
            rest.strip_prefix('.').map_or(0, |digits| 1 + digits.chars().take_while(char::is_ascii_digit).count());
        shape.len() + fraction + usize::from(rest[fraction..].starts_with('Z'))
    })
}

fn masked_words(text: &str, is_part: fn(char) -> bool, least: usize, mask: &str) -> String {
    let mut masked = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\n']) {
        if is_part(letter) {
            word.push(letter);
            continue;
        }
        masked.push_str(if word.len() >= least { mask } else { &word });
        word.clear();
        masked.push(letter);
    }
    masked.pop();
    masked
}
