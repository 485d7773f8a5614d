//! Child processes that run to their end, and the identity of long-lived ones.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Error, Result, code};

/// Runs a command to its end and returns its standard output.
///
/// # Errors
/// `internal` with the command's name (never its arguments, which may hold secrets), and what it wrote to standard
/// error. The child is killed when `timeout` is over.
pub fn capture(command: &[String], timeout: Duration) -> Result<String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::new(&code::ARGUMENT_INVALID, "an empty command"));
    };
    let failed = |why: String| Error::new(&code::INTERNAL, format!("`{program}` {why}"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let deadline = Instant::now() + timeout;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| failed(format!("cannot be awaited: {error}")))? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill().map_err(|error| failed(format!("cannot be killed: {error}")))?;
            child.wait().map_err(|error| failed(format!("cannot be awaited: {error}")))?;
            return Err(failed(format!("did not end within {} s", timeout.as_secs())));
        }
        std::thread::park_timeout(Duration::from_millis(10));
    };
    let output = stdout.join().unwrap_or_default();
    let errors = stderr.join().unwrap_or_default();
    if status.success() {
        Ok(output)
    } else {
        Err(failed(format!("ended with {status}"))
            .caused_by(errors.trim().lines().last().unwrap_or("it said nothing"))
            .detail(errors))
    }
}

/// The bytes of memory that this process uses; none where the system does not tell.
pub fn memory_of_this() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident.saturating_mul(u64::try_from(rustix::param::page_size()).ok()?))
}

/// Whether this process was started with a signal ignored, as `nohup` does with SIGHUP.
///
/// Source: `proc(5)`, `/proc/PID/status`, `SigIgn`: a bit for each signal, the first one for signal 1.
pub fn ignores(signal: rustix::process::Signal) -> bool {
    let ignored = || {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    let bit = u32::try_from(signal.as_raw() - 1).ok().and_then(|number| 1_u64.checked_shl(number)).unwrap_or(0);
    ignored().is_some_and(|mask| mask & bit != 0)
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // A broken pipe ends the output; the exit status tells the rest.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether some live process has a folder as the one that it works in; true where the system does not tell.
pub fn is_worked_in(folder: &std::path::Path) -> bool {
    let (Ok(folder), Ok(processes)) = (folder.canonicalize(), std::fs::read_dir("/proc")) else { return true };
    // Those of other users cannot be looked at, and work in no folder of ours.
    processes.flatten().any(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder))
}

/// The live processes that have a folder, or one below it, as the one that they work in, as far as the system tells.
pub fn working_below(folder: &std::path::Path) -> Vec<u32> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let working = processes
        .filter(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder)));
    let numbers = working.filter_map(|process| process.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| start_time(*pid).is_some()).collect()
}

/// When a live process started, in clock ticks since boot: with its number, an identity that a later process with the
/// same number does not share. `None` where there is no such process, or it is a zombie.
pub fn start_time(pid: u32) -> Option<u64> {
    alive(pid).map(|one| one.start_time)
}

/// A process that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alive {
    /// Its number.
    pub pid: u32,
    /// The number of the process that started it, or that took it over when that one ended.
    pub parent: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
}

/// All processes of the machine, as far as the system shows them.
pub fn all_alive() -> Vec<Alive> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|process| alive(process.file_name().to_str()?.parse().ok()?)).collect()
}

/// Source: `proc(5)`, `/proc/PID/stat`, fields 3, 4 and 22.
fn alive(pid: u32) -> Option<Alive> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    Some(Alive { pid, parent, start_time: fields.nth(17)?.parse().ok()? })
}

/// The name of a process's program, cut as the system cuts it.
pub fn name(pid: u32) -> Option<String> {
    Some(std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// Whether a live process is stopped (SIGSTOP or a debugger).
pub fn is_stopped(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| stat.rsplit_once(')').map(|(_, rest)| rest.trim_start().starts_with(['T', 't'])))
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn output_is_captured_and_failure_is_said() {
        assert_eq!(capture(&command(&["echo", "hi"]), Duration::from_secs(10)).unwrap(), "hi\n");
        let error = capture(&command(&["sh", "-c", "echo why >&2; exit 3"]), Duration::from_secs(10)).unwrap_err();
        assert_eq!(error.causes(), ["why"]);
        assert!(
            capture(&command(&["sleep", "100"]), Duration::from_millis(50))
                .unwrap_err()
                .to_string()
                .contains("did not end")
        );
    }

    #[test]
    fn a_process_has_an_identity() {
        assert!(start_time(std::process::id()).is_some());
        assert!(start_time(u32::MAX).is_none());
        let own = all_alive().into_iter().find(|one| one.pid == std::process::id()).unwrap();
        assert_eq!((own.parent, Some(own.start_time)), (std::os::unix::process::parent_id(), start_time(own.pid)));
    }
}
