//! Programs that a script runs: in a process group of their own, which ends with them.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of each output is kept, in bytes.
pub const LONGEST_OUTPUT: usize = 1 << 20;

/// How long the rest of the output is waited for when the program has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// How often a program that runs is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The variables of [`Variables::Few`].
const PASSED_ON: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "JAVA_HOME"];

/// A program to run.
pub struct Command {
    /// Its name, or an absolute path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Its variables beside those that are passed on, revealed.
    pub environment: Vec<(String, String)>,
    /// Which of tidegate's own variables it finds.
    pub variables: Variables,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a program finds of tidegate's own environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variables {
    /// What programs need to run at all: others may hold secrets that a script has no claim to.
    Few,
    /// All: a tool whose own settings may name any of them.
    All,
}

/// An output of a program.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// What was kept of it.
    pub bytes: Vec<u8>,
    /// How long it was.
    pub length: u64,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; 128 and the number of the signal that ended it, as shells count.
    pub code: i32,
    /// Standard output.
    pub out: Output,
    /// Standard error.
    pub err: Output,
}

/// Why there is no end to tell.
#[derive(Debug)]
pub enum Failure {
    /// It was not started.
    NotStarted(std::io::Error),
    /// It took too long, and was killed; what it had written to standard output and error.
    TimedOut(Output, Output),
    /// Whoever watched it wanted no more of it, and it was killed; what it had written.
    GivenUp(Output, Output),
    /// The system does not tell how it ended.
    Lost(std::io::Error),
}

/// Kills a process group when it is dropped: when the program has ended, when it takes too long, and when the run is
/// cancelled and its future with it.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // As a rule nothing is left of it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a program to its end. What it leaves in the background is ended with it.
///
/// # Errors
/// [`Failure`].
pub async fn run(command: Command) -> Result<Ended, Failure> {
    watched(command, &mut |_, _| true).await
}

/// The same, while `goes_on` is shown, now and then, what was kept of standard output so far, and how long it runs. Where that
/// gives false it is ended.
///
/// # Errors
/// [`Failure`].
pub async fn watched(
    command: Command,
    goes_on: &mut (dyn FnMut(&[u8], Duration) -> bool + Send),
) -> Result<Ended, Failure> {
    let mut child = tokio::process::Command::new(&command.program);
    child.args(&command.arguments).current_dir(&command.folder).env_clear();
    for (name, value) in std::env::vars_os() {
        let few = command.variables == Variables::Few;
        if !few || name.to_str().is_some_and(|name| PASSED_ON.contains(&name) || name.starts_with("LC_")) {
            child.env(name, value);
        }
    }
    child.envs(command.environment).process_group(0).kill_on_drop(true);
    child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().map_err(Failure::NotStarted)?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let out = Collected::of(child.stdout.take());
    let err = Collected::of(child.stderr.take());
    let began = tokio::time::Instant::now();
    let status = loop {
        let age = began.elapsed();
        if age >= command.timeout {
            drop(group);
            return Err(Failure::TimedOut(out.finish().await, err.finish().await));
        }
        match tokio::time::timeout(LOOK.min(command.timeout - age), child.wait()).await {
            Ok(status) => break status.map_err(Failure::Lost)?,
            Err(_) if out.look(|bytes| goes_on(bytes, began.elapsed())) => {}
            Err(_) => {
                drop(group);
                return Err(Failure::GivenUp(out.finish().await, err.finish().await));
            }
        }
    };
    drop(group);
    Ok(Ended { code: code(status), out: out.finish().await, err: err.finish().await })
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// An output that is being read. It is read to its end even where no more is kept: the program must not block.
struct Collected {
    kept: Arc<Mutex<Output>>,
    reader: Option<tokio::task::JoinHandle<()>>,
}

impl Collected {
    fn of(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let kept: Arc<Mutex<Output>> = Arc::default();
        let target = kept.clone();
        let reader = pipe.map(|mut pipe| {
            tokio::spawn(async move {
                let mut chunk = vec![0; 16 << 10];
                // A broken pipe ends the output; the exit status tells the rest.
                while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
                    let mut target = target.lock().unwrap_or_else(PoisonError::into_inner);
                    target.length += read as u64;
                    let room = LONGEST_OUTPUT.saturating_sub(target.bytes.len()).min(read);
                    target.bytes.extend_from_slice(&chunk[..room]);
                }
            })
        });
        Self { kept, reader }
    }

    fn look<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        look(&self.kept.lock().unwrap_or_else(PoisonError::into_inner).bytes)
    }

    async fn finish(mut self) -> Output {
        if let Some(reader) = &mut self.reader {
            // Who has left the group may hold the pipe for ever.
            let _ = tokio::time::timeout(DRAIN, reader).await;
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> Result<Ended, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(Command {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            folder: std::env::temp_dir(),
            environment: vec![("GIVEN".to_owned(), "g".to_owned())],
            variables: Variables::Few,
            timeout,
        }))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_ends_with_code_and_outputs() {
        let ended = shell("echo \"$GIVEN$CARGO_MANIFEST_DIR\"; echo no >&2; exit 3", LONG).unwrap();
        assert_eq!((ended.code, &*ended.out.bytes, &*ended.err.bytes), (3, &b"g\n"[..], &b"no\n"[..]));
        assert_eq!(shell("kill -9 $$", LONG).unwrap().code, 137);
    }

    #[test]
    fn long_output_is_cut_and_what_is_left_behind_is_ended() {
        let ended = shell("head -c 3000000 /dev/zero; sleep 1000 & echo $! >&2", LONG).unwrap();
        assert_eq!((ended.out.bytes.len(), ended.out.length), (LONGEST_OUTPUT, 3_000_000));
        let left: u32 = String::from_utf8(ended.err.bytes).unwrap().trim().parse().unwrap();
        await_end_of(left);
    }

    #[test]
    fn what_takes_too_long_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("child");
        let script = format!("sleep 1000 & echo $! > {}; wait", note.display());
        assert!(matches!(shell(&script, Duration::from_millis(500)), Err(Failure::TimedOut(..))));
        let child: u32 = std::fs::read_to_string(note).unwrap().trim().parse().unwrap();
        await_end_of(child);
    }

    /// A killed process is there until the system has taken it apart.
    fn await_end_of(process: u32) {
        let deadline = std::time::Instant::now() + LONG;
        while crate::base::process::start_time(process).is_some() {
            assert!(std::time::Instant::now() < deadline, "{process} is still there");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_is_not_there_is_not_started() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let command = Command {
            program: "no-such-program-at-all".to_owned(),
            arguments: Vec::new(),
            folder: std::env::temp_dir(),
            environment: Vec::new(),
            variables: Variables::Few,
            timeout: LONG,
        };
        assert!(matches!(runtime.block_on(run(command)), Err(Failure::NotStarted(_))));
    }
}
