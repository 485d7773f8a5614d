//! Runs the command of a build: in a process group of its own, with a mark on everything that it starts.

use std::io::{PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::log::{Follow, Log, LogEnd};
use super::marked::VARIABLE;
use super::tree::{Tree, pipe_name};
use crate::base::secret::Secrets;

/// How often it is looked at what a build has started, and how much longer than such a look the time between two is.
const LOOK: Duration = Duration::from_millis(200);
const SHARE: u32 = 20;

/// How long the rest of the output is waited for when all is killed.
const DRAIN: Duration = Duration::from_secs(1);
/// No pipe holds more, as a rule: what is there is read, however long it takes; what is written after that is not.
const LONGEST_REST: usize = 1 << 20;

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

/// Runs a command to its end. What it leaves in the background, in its group or out of it, is ended with it, as far as it is
/// found; what is not does not hold the build up, and is told in its log. Gives its exit code (128 and the number of the signal
/// that ended it) and what its log came to.
///
/// # Errors
/// [`Failure`].
pub async fn run(launch: Launch, secrets: Secrets, follow: Arc<dyn Follow>) -> Result<(i32, LogEnd), Failure> {
    // Both outputs go into one pipe, in the order in which they are written.
    let (reader, writer) = std::io::pipe().map_err(Failure::Lost)?;
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
    let (over, told_over) = std::io::pipe().map_err(Failure::Lost)?;
    let mut tree = Tree::new(child.id(), &launch, pipe_name(&reader), told_over);
    // Its ends of the pipe: with them the pipe would never end.
    drop(command);
    let (finished, log) = tokio::sync::oneshot::channel();
    let (path, note) = (launch.log.clone(), launch.note.clone());
    // A thread, not a task: it blocks. It ends with the pipe, and shortly after the tree is killed where the pipe does not.
    std::thread::spawn(move || {
        let end = Log::create(&path, &secrets, &*follow).map(|mut log| {
            if let Some(note) = note {
                log.write(format!("[tidegate: {note}]\n").as_bytes());
            }
            let survives = read_on(reader, over, &mut |bytes| log.write(bytes));
            for line in &survives {
                log.write(format!("\n[tidegate: {line}]\n").as_bytes());
            }
            LogEnd { survives, ..log.finish() }
        });
        // Nobody listens where the run was cancelled.
        let _ = finished.send(end);
    });
    let began = Instant::now();
    let mut pause = LOOK;
    let status = loop {
        let left = launch.timeout.saturating_sub(began.elapsed());
        match tokio::time::timeout(pause.min(left), child.wait()).await {
            Ok(status) => break Some(status),
            Err(_) if began.elapsed() >= launch.timeout => break None,
            Err(_) => {
                let looked = Instant::now();
                tree.look();
                pause = LOOK.max(looked.elapsed() * SHARE);
            }
        }
    };
    tree.kill();
    let log = log.await.map_err(|_| Failure::Lost(std::io::Error::other("its log was not finished")))?;
    let log = log.map_err(Failure::Lost)?;
    match status {
        None => Err(Failure::TimedOut(log)),
        Some(status) => {
            let status = status.map_err(Failure::Lost)?;
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
            Ok((code, log))
        }
    }
}

/// Reads the output until it ends; where somebody still has it open when the build is over, what is in it then. Gives what
/// survives the build: what comes out of `over`, and an output that stays open.
fn read_on(mut output: PipeReader, mut over: PipeReader, write: &mut dyn FnMut(&[u8])) -> Vec<String> {
    let mut chunk = vec![0; 64 << 10];
    // A broken pipe ends the log as its end does; the exit status tells the rest.
    let mut read = |output: &mut PipeReader| loop {
        match output.read(&mut chunk) {
            Ok(0) => return None,
            Ok(read) => {
                write(&chunk[..read]);
                return Some(read);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    };
    let mut ended = false;
    while !ended {
        match readable(&[&output, &over], None) {
            Some(0) => ended = read(&mut output).is_none(),
            _ => break,
        }
    }
    let mut left = String::new();
    // Where it breaks nothing more is told.
    let _ = over.read_to_string(&mut left);
    let mut survives: Vec<String> = left.lines().map(str::to_owned).collect();
    let (deadline, mut drained) = (Instant::now() + DRAIN, 0);
    while !ended {
        let rest = deadline.saturating_duration_since(Instant::now());
        let is_late = rest.is_zero() && drained > LONGEST_REST;
        if is_late || readable(&[&output], Some(rest)).is_none() {
            survives.push(
                "a process that was not found, or could not be ended, still has the build's output open".to_owned(),
            );
            break;
        }
        match read(&mut output) {
            Some(read) => drained += read,
            None => ended = true,
        }
    }
    survives
}

/// The first of these that has something to read, or has ended; none where none has until the time is over.
fn readable(pipes: &[&PipeReader], within: Option<Duration>) -> Option<usize> {
    let mut polled: Vec<PollFd<'_>> = pipes.iter().map(|pipe| PollFd::new(*pipe, PollFlags::IN)).collect();
    let within = within.and_then(|within| Timespec::try_from(within).ok());
    loop {
        match poll(&mut polled, within.as_ref()) {
            Err(Errno::INTR) => {}
            // Reading tells why.
            Err(_) => return Some(0),
            Ok(_) => return polled.iter().position(|one| !one.revents().is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// With a session and an environment of its own, it is none of the group and has no mark.
    #[test]
    fn what_left_group_and_environment_is_killed_while_it_holds_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let script = "(setsid env -i sh -c 'echo $$ > away; exec sleep 20' &); while ! test -s away; do :; done; echo done; exit 3";
        let begun = Instant::now();
        let (code, end) = shell(folder.path(), "t-bare", script, LONG).unwrap();
        assert_eq!((code, end.length), (3, 5));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert!(is_gone(&folder.path().join("away")));
    }

    #[test]
    fn what_left_group_and_environment_is_killed_though_it_holds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let script = "setsid env -i sh -c 'echo $$ > away; sleep 20; :' > /dev/null 2>&1 & sleep 1000";
        let ended = shell(folder.path(), "t-silent", script, Duration::from_secs(3));
        assert!(matches!(&ended, Err(Failure::TimedOut(end)) if end.length == 0), "{ended:?}");
        assert!(is_gone(&folder.path().join("away")));
    }

    /// The test itself holds the output, and nobody ends it.
    #[test]
    fn what_cannot_be_ended_holds_no_build_up_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo first; echo $$ > main; while ! test -e held; do sleep 0.01; done; echo last";
        let path = folder.path().to_owned();
        let holder = std::thread::spawn(move || {
            let main = loop {
                match std::fs::read_to_string(path.join("main")) {
                    Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
                    _ => std::thread::park_timeout(Duration::from_millis(5)),
                }
            };
            let held = std::fs::OpenOptions::new().write(true).open(format!("/proc/{main}/fd/1")).unwrap();
            std::fs::write(path.join("held"), "").unwrap();
            std::thread::park_timeout(Duration::from_secs(20));
            drop(held);
        });
        let begun = Instant::now();
        let (code, _) = shell(folder.path(), "t-held", script, LONG).unwrap();
        let age = begun.elapsed();
        holder.thread().unpark();
        holder.join().unwrap();
        assert!(code == 0 && age < Duration::from_secs(10), "{code} {age:?}");
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(log.starts_with("first\nlast\n") && log.contains("still has the build's output open"), "{log}");
    }

    /// Without parent, mark and output it is known by its folder alone, and so could anybody's shell be.
    #[test]
    fn what_is_not_known_to_be_of_the_build_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let script = "(setsid env -i sh -c 'echo $$ > away; exec sleep 20' > /dev/null 2>&1 &); while ! test -s away; do :; done";
        assert_eq!(shell(folder.path(), "t-far", script, LONG).unwrap().0, 0);
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        let pid = std::fs::read_to_string(folder.path().join("away")).unwrap().trim().parse().unwrap();
        // It was found where a look fell between its two starts.
        let told = format!("process {pid} (`sleep`) works in the build's folder");
        assert!(log.contains(&told) || is_gone(&folder.path().join("away")), "{log}");
        if let Some(pid) = rustix::process::Pid::from_raw(pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
