//! Runs the command of a build: in a process group of its own, with a mark on everything that it starts.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::log::{Follow, Log, LogEnd};
use super::marked::{VARIABLE, kill_marked};
use crate::base::secret::Secrets;

/// What a build finds of tidegate's own environment: other variables may hold secrets that it has no claim to.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "TZ",
    "TMPDIR",
    "JAVA_HOME",
    "JAVA_TOOL_OPTIONS",
    "MAVEN_HOME",
    "M2_HOME",
    "MAVEN_OPTS",
    "MAVEN_ARGS",
    // Of the wrapper, save its user and password: `environment` gives those to the builds that need them.
    "MAVEN_USER_HOME",
    "MVNW_REPOURL",
    "GRADLE_HOME",
    "GRADLE_USER_HOME",
    "GRADLE_OPTS",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// A command to run.
pub struct Launch {
    /// The program, absolute.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Its variables beside those that are passed on, revealed.
    pub environment: Vec<(String, String)>,
    /// Tells its processes from all others.
    pub mark: String,
    /// How long it may take.
    pub timeout: Duration,
    /// Where its output is kept.
    pub log: PathBuf,
    /// A line that its log begins with.
    pub note: Option<String>,
}

/// Why there is no end to tell.
#[derive(Debug)]
pub enum Failure {
    /// It was not started.
    NotStarted(std::io::Error),
    /// It took too long, and was killed.
    TimedOut(LogEnd),
    /// The system does not tell how it ended, or its log cannot be made.
    Lost(std::io::Error),
}

/// Kills all that a build started, when it has ended, when it takes too long, and when the run is cancelled and its future
/// dropped.
struct Tree {
    group: Option<Pid>,
    mark: String,
}

impl Tree {
    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // As a rule nothing is left of it.
            let _ = kill_process_group(group, Signal::KILL);
            kill_marked(&self.mark);
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end. What it leaves in the background, in its group or out of it, is ended with it. Gives its exit
/// code (128 and the number of the signal that ended it) and what its log came to.
///
/// # Errors
/// [`Failure`].
pub async fn run(launch: Launch, secrets: Secrets, follow: Arc<dyn Follow>) -> Result<(i32, LogEnd), Failure> {
    // Both outputs go into one pipe, in the order in which they are written.
    let (mut reader, writer) = std::io::pipe().map_err(Failure::Lost)?;
    let mut command = tokio::process::Command::new(&launch.program);
    command.args(&launch.arguments).current_dir(&launch.folder).env_clear();
    for (name, value) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| PASSED_ON.contains(&name) || name.starts_with("LC_")) {
            command.env(name, value);
        }
    }
    command.envs(launch.environment.iter().map(|(name, value)| (name, value))).env(VARIABLE, &launch.mark);
    command.process_group(0).kill_on_drop(true).stdin(Stdio::null());
    command.stdout(writer.try_clone().map_err(Failure::Lost)?).stderr(writer);
    let mut child = command.spawn().map_err(Failure::NotStarted)?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut tree = Tree { group, mark: launch.mark.clone() };
    // Its ends of the pipe: with them the pipe would never end.
    drop(command);
    let (finished, log) = tokio::sync::oneshot::channel();
    let (path, note) = (launch.log.clone(), launch.note.clone());
    // A thread, not a task: it blocks. Once the tree is killed nobody holds the other end, and it ends.
    std::thread::spawn(move || {
        let end = Log::create(&path, &secrets, &*follow).map(|mut log| {
            if let Some(note) = note {
                log.write(format!("[tidegate: {note}]\n").as_bytes());
            }
            let mut chunk = vec![0; 64 << 10];
            loop {
                match reader.read(&mut chunk) {
                    Ok(0) => break,
                    Ok(read) => log.write(&chunk[..read]),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    // A broken pipe ends the log; the exit status tells the rest.
                    Err(_) => break,
                }
            }
            log.finish()
        });
        // Nobody listens where the run was cancelled.
        let _ = finished.send(end);
    });
    let status = tokio::time::timeout(launch.timeout, child.wait()).await;
    tree.kill();
    let log = log.await.map_err(|_| Failure::Lost(std::io::Error::other("its log was not finished")))?;
    let log = log.map_err(Failure::Lost)?;
    match status {
        Err(_) => Err(Failure::TimedOut(log)),
        Ok(status) => {
            let status = status.map_err(Failure::Lost)?;
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
            Ok((code, log))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    struct Quiet;

    impl Follow for Quiet {
        fn is_live(&self) -> bool {
            false
        }
        fn line(&self, _: &str) {}
    }

    const LONG: Duration = Duration::from_secs(60);

    fn shell(folder: &std::path::Path, mark: &str, script: &str, timeout: Duration) -> Result<(i32, LogEnd), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(
            Launch {
                program: "/bin/sh".into(),
                arguments: vec!["-c".into(), script.into()],
                folder: folder.to_owned(),
                environment: vec![("GIVEN".into(), "g".into())],
                mark: mark.to_owned(),
                timeout,
                log: folder.join("log"),
                note: None,
            },
            Secrets::default(),
            Arc::new(Quiet),
        ))
    }

    fn is_gone(pid: &std::path::Path) -> bool {
        let pid: u32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        crate::base::process::start_time(pid).is_none()
    }

    #[test]
    fn both_outputs_are_kept_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let (code, end) =
            shell(folder.path(), "t-order", "echo a; echo b >&2; echo \"c $GIVEN$CARGO_MANIFEST_DIR\"; exit 3", LONG)
                .unwrap();
        assert_eq!((code, end.length), (3, 8));
        assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap(), "a\nb\nc g\n");
    }

    #[test]
    fn what_left_the_group_is_killed_too() {
        let folder = tempfile::tempdir().unwrap();
        // `setsid` leaves group and session, and holds the pipe.
        let script = "setsid sh -c 'echo $$ > away; sleep 1000' & while ! test -s away; do :; done; exit 0";
        let begun = Instant::now();
        assert_eq!(shell(folder.path(), "t-away", script, LONG).unwrap().0, 0);
        assert!(is_gone(&folder.path().join("away")) && begun.elapsed() < LONG);
    }

    #[test]
    fn what_takes_too_long_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let script = "setsid sh -c 'echo $$ > away; sleep 1000' & sleep 1000 & echo $! > near; echo told; wait";
        let ended = shell(folder.path(), "t-late", script, Duration::from_secs(1));
        assert!(matches!(&ended, Err(Failure::TimedOut(end)) if end.length == 5), "{ended:?}");
        assert!(is_gone(&folder.path().join("away")) && is_gone(&folder.path().join("near")));
    }
}
