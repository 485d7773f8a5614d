//! Programs that a script runs: in a process group of their own, which ends with them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of each output is kept, in bytes: so much of its beginning, and so much of its end.
pub const KEPT: usize = 512 << 10;

/// No secret is longer. Where something is left out, one may be cut in two: so much goes on each side of the cut.
const OVERLAP: usize = 8 << 10;

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

/// An output of a program: its beginning and its end.
#[derive(Clone, Default)]
pub struct Output {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// How long it was, in bytes.
    length: u64,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not masked yet.
        formatter.debug_struct("Output").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Output {
    fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let (head, rest) = bytes.split_at(bytes.len().min(KEPT - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        self.tail.drain(..self.tail.len().saturating_sub(KEPT));
    }

    /// What was kept of it, as text that is masked; a line says where something is left out.
    pub fn text(&self, mask: &dyn Fn(&str) -> String) -> String {
        let (one, other) = self.tail.as_slices();
        let left_out = self.length - (self.head.len() + self.tail.len()) as u64;
        if left_out == 0 {
            return mask(&String::from_utf8_lossy(&[&self.head, one, other].concat()));
        }
        let head = mask(&String::from_utf8_lossy(&self.head));
        let tail = mask(&String::from_utf8_lossy(&[one, other].concat()));
        let (head, tail) = (without_end(&head), without_beginning(&tail));
        format!("{head}\n[tidegate: more than {left_out} {LEFT_OUT}\n{tail}")
    }

    /// The same for whoever only looks at lines, and shows none.
    fn raw(&self) -> Vec<u8> {
        let (one, other) = self.tail.as_slices();
        let is_whole = self.length == (self.head.len() + self.tail.len()) as u64;
        [&*self.head, if is_whole { b"" } else { b"\n" }, one, other].concat()
    }
}

/// How the line ends that stands for what is left out of an output.
pub const LEFT_OUT: &str = "bytes are left out here]";

/// A text without its last [`OVERLAP`] bytes, and without the line that is cut then, if it is not a long one.
fn without_end(text: &str) -> &str {
    let mut end = text.len().saturating_sub(OVERLAP);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    match text.rfind('\n') {
        Some(line) if end - line <= OVERLAP => &text[..line],
        _ => text,
    }
}

/// A text without its first [`OVERLAP`] bytes, and without the line that is cut then, if it is not a long one.
fn without_beginning(text: &str) -> &str {
    let mut begin = text.len().min(OVERLAP);
    while !text.is_char_boundary(begin) {
        begin += 1;
    }
    let text = &text[begin..];
    match text.find('\n') {
        Some(line) if line <= OVERLAP => &text[line + 1..],
        _ => text,
    }
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
    TimedOut(Box<[Output; 2]>),
    /// Whoever watched it wanted no more of it, and it was killed; what it had written.
    GivenUp(Box<[Output; 2]>),
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

/// The same, while `goes_on` is shown, now and then, what has come on standard output since it was shown something (the
/// beginning and the end of that, where it is much), and how long the program runs. Where that gives false it is ended.
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
    let out = Collected::of(child.stdout.take(), true);
    let err = Collected::of(child.stderr.take(), false);
    let began = tokio::time::Instant::now();
    let status = loop {
        let age = began.elapsed();
        if age >= command.timeout {
            drop(group);
            return Err(Failure::TimedOut(Box::new([out.finish().await, err.finish().await])));
        }
        match tokio::time::timeout(LOOK.min(command.timeout - age), child.wait()).await {
            Ok(status) => break status.map_err(Failure::Lost)?,
            Err(_) if goes_on(&out.fresh(), began.elapsed()) => {}
            Err(_) => {
                drop(group);
                return Err(Failure::GivenUp(Box::new([out.finish().await, err.finish().await])));
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
    came: Arc<Mutex<Came>>,
    reader: Option<tokio::task::JoinHandle<()>>,
}

/// What has come of an output.
#[derive(Default)]
struct Came {
    all: Output,
    /// What nobody has looked at; kept where somebody looks.
    fresh: Option<Output>,
}

impl Collected {
    fn of(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, is_watched: bool) -> Self {
        let came = Came { fresh: is_watched.then(Output::default), ..Came::default() };
        let came = Arc::new(Mutex::new(came));
        let target = came.clone();
        let reader = pipe.map(|mut pipe| {
            tokio::spawn(async move {
                let mut chunk = vec![0; 16 << 10];
                // A broken pipe ends the output; the exit status tells the rest.
                while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
                    let mut target = target.lock().unwrap_or_else(PoisonError::into_inner);
                    target.all.add(&chunk[..read]);
                    if let Some(fresh) = &mut target.fresh {
                        fresh.add(&chunk[..read]);
                    }
                }
            })
        });
        Self { came, reader }
    }

    fn came(&self) -> MutexGuard<'_, Came> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has come since this was asked last.
    fn fresh(&self) -> Vec<u8> {
        self.came().fresh.as_mut().map(std::mem::take).unwrap_or_default().raw()
    }

    async fn finish(mut self) -> Output {
        if let Some(reader) = &mut self.reader {
            // Who has left the group may hold the pipe for ever.
            let _ = tokio::time::timeout(DRAIN, reader).await;
        }
        std::mem::take(&mut self.came().all)
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

    fn text(output: &Output) -> String {
        output.text(&str::to_owned)
    }

    #[test]
    fn no_secret_is_cut_in_two_where_an_output_is() {
        let secret = "hunter2-hunter2-hunter2\nand-its-second-line";
        for shift in 0..secret.len() + 2 {
            let mut output = Output::default();
            output.add("x".repeat(KEPT - secret.len() + shift).as_bytes());
            output.add(secret.as_bytes());
            output.add(&vec![b'y'; 3 * KEPT]);
            output.add(secret.as_bytes());
            output.add("z".repeat(KEPT - secret.len() + shift).as_bytes());
            let text = output.text(&|text| text.replace(secret, "***"));
            assert!(!text.contains("hunter") && !text.contains("second"), "{shift}");
            assert!(text.starts_with("xx") && text.ends_with("zz") && text.contains(LEFT_OUT));
        }
    }

    #[test]
    fn a_program_ends_with_code_and_outputs() {
        let ended = shell("echo \"$GIVEN$CARGO_MANIFEST_DIR\"; echo no >&2; exit 3", LONG).unwrap();
        assert_eq!((ended.code, text(&ended.out), text(&ended.err)), (3, "g\n".to_owned(), "no\n".to_owned()));
        assert_eq!(shell("kill -9 $$", LONG).unwrap().code, 137);
    }

    #[test]
    fn of_a_long_output_head_and_tail_are_kept_and_what_is_left_behind_is_ended() {
        let ended = shell("seq 1 1000000; sleep 1000 & echo $! >&2", LONG).unwrap();
        let kept = text(&ended.out);
        assert!(kept.starts_with("1\n2\n") && kept.ends_with("999999\n1000000\n"), "{}", kept.len());
        assert!(kept.len() <= 2 * KEPT && kept.len() > 2 * KEPT - 5 * OVERLAP, "{}", kept.len());
        let gap = format!("\n[tidegate: more than {} {LEFT_OUT}\n", 6_888_896 - 2 * KEPT);
        let (head, tail) = kept.split_once(&gap).unwrap();
        // Each line is a whole one.
        let numbers = |text: &str| text.lines().map(|line| line.parse().unwrap()).collect::<Vec<u32>>();
        let (head, tail) = (numbers(head), numbers(tail));
        assert!((1..).zip(&head).all(|(number, kept)| number == *kept), "{:?}", head.last());
        assert!((tail[0]..=1_000_000).eq(tail.iter().copied()), "{:?}", tail.first());
        let left: u32 = text(&ended.err).trim().parse().unwrap();
        await_end_of(left);
    }

    #[test]
    fn what_is_new_is_shown_however_much_came_before() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let script = "head -c 3000000 /dev/zero; while :; do echo tick; sleep 0.3; done";
        let command = Command {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            folder: std::env::temp_dir(),
            environment: Vec::new(),
            variables: Variables::Few,
            timeout: Duration::from_secs(15),
        };
        let ended = runtime.block_on(watched(command, &mut |bytes, _| !bytes.ends_with(b"tick\n")));
        assert!(matches!(&ended, Err(Failure::GivenUp(..))));
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
