//! The log of a build: its head and its tail in a file, masked, whatever it prints. It is always read on: the build never
//! blocks on a full pipe, and the disk is never filled.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::base::secret::Secrets;
use crate::base::wording::without_colors;

/// How much of the beginning is kept, in bytes.
const HEAD: usize = 4 << 20;
/// How much of the end is kept, in bytes.
const TAIL: usize = 4 << 20;
/// A line longer than this is written in pieces.
const LONGEST_LINE: usize = 64 << 10;
/// No secret is longer, so that none is cut in two.
const OVERLAP: usize = 8 << 10;
/// Where nobody watches, a line is told so often.
const TELL: Duration = Duration::from_secs(5);

/// Whoever follows a build.
pub trait Follow: Send + Sync {
    /// Whether every line is wanted; else one now and then is.
    fn is_live(&self) -> bool;
    /// A line, masked.
    fn line(&self, line: &str);
}

/// A log that is written.
pub(super) struct Log<'a> {
    file: Option<File>,
    secrets: &'a Secrets,
    follow: &'a dyn Follow,
    /// What of the head is still free.
    room: usize,
    /// The line that is not ended yet: masked text of it, and bytes that are not.
    line: Vec<u8>,
    tail: VecDeque<Vec<u8>>,
    tail_bytes: usize,
    left_out: u64,
    length: u64,
    told: Instant,
}

/// A log that is whole.
#[derive(Debug, Clone, Default)]
pub struct LogEnd {
    /// How many bytes the build printed.
    pub length: u64,
    /// How many of them are not kept.
    pub left_out: u64,
    /// What of the build is still there: processes that could not be ended, an output that somebody has open.
    pub survives: Vec<String>,
}

impl<'a> Log<'a> {
    pub(super) fn create(path: &Path, secrets: &'a Secrets, follow: &'a dyn Follow) -> std::io::Result<Self> {
        use std::os::unix::fs::OpenOptionsExt;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Self {
            file: Some(file),
            secrets,
            follow,
            room: HEAD,
            line: Vec::new(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            left_out: 0,
            length: 0,
            told: Instant::now(),
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.room == 0 {
            self.keep_tail(bytes);
        } else {
            let searched = self.line.len();
            self.line.extend_from_slice(bytes);
            self.write_lines(searched);
        }
        if !self.follow.is_live() && self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let last = self.tail.back().map_or(bytes, Vec::as_slice);
            if let Some(line) = last_line(last) {
                self.follow.line(&self.secrets.mask(&line));
            }
        }
    }

    /// Writes the whole lines of the head; the first `searched` bytes of what is there have no line end.
    fn write_lines(&mut self, searched: usize) {
        let text = std::mem::take(&mut self.line);
        let (mut start, mut from) = (0, searched);
        while let Some(length) = text[from..].iter().position(|byte| *byte == b'\n') {
            let end = from + length + 1;
            self.put(&text[start..end]);
            (start, from) = (end, end);
            if self.room == 0 {
                self.keep_tail(&text[start..]);
                return;
            }
        }
        self.line = if start == 0 { text } else { text[start..].to_vec() };
        if self.line.len() > LONGEST_LINE {
            // A secret may go on in what has not come yet: what could be its beginning stays.
            let masked = self.secrets.mask(&String::from_utf8_lossy(&self.line));
            let mut cut = masked.len().saturating_sub(OVERLAP);
            while !masked.is_char_boundary(cut) {
                cut -= 1;
            }
            self.append(&masked[..cut]);
            self.line = masked.as_bytes()[cut..].to_vec();
        }
    }

    fn put(&mut self, line: &[u8]) {
        let masked = self.secrets.mask(&String::from_utf8_lossy(line));
        if self.follow.is_live() {
            self.follow.line(masked.trim_end_matches(['\n', '\r']));
        }
        self.append(&masked);
    }

    fn append(&mut self, text: &str) {
        self.room = self.room.saturating_sub(text.len());
        if let Some(file) = &mut self.file
            && file.write_all(text.as_bytes()).is_err()
        {
            // A full disk ends the log, not the build.
            self.file = None;
        }
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        if self.follow.is_live() {
            for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                self.follow.line(&self.secrets.mask(&String::from_utf8_lossy(line)));
            }
        }
        self.tail.push_back(bytes.to_vec());
        self.tail_bytes += bytes.len();
        while self.tail_bytes > TAIL + LONGEST_LINE {
            let Some(first) = self.tail.pop_front() else { break };
            self.tail_bytes -= first.len();
            self.left_out += first.len() as u64;
        }
    }

    /// Writes what is kept of the end.
    pub(super) fn finish(mut self) -> LogEnd {
        let last = std::mem::take(&mut self.line);
        if !last.is_empty() {
            self.put(&last);
        }
        let mut tail: Vec<u8> = Vec::with_capacity(self.tail_bytes);
        for part in std::mem::take(&mut self.tail) {
            tail.extend_from_slice(&part);
        }
        if self.left_out > 0 {
            // The first line may be the end of a secret.
            let reach = tail.len().min(LONGEST_LINE);
            let cut = tail[..reach].iter().position(|byte| *byte == b'\n').map_or(reach, |end| end + 1);
            self.left_out += cut as u64;
            tail.drain(..cut);
            self.append(&format!("\n[tidegate: {} bytes are left out here]\n", self.left_out));
        }
        if !tail.is_empty() {
            let masked = self.secrets.mask(&String::from_utf8_lossy(&tail));
            self.append(&masked);
        }
        LogEnd { length: self.length, left_out: self.left_out, survives: Vec::new() }
    }
}

/// The last whole line that says something.
fn last_line(bytes: &[u8]) -> Option<String> {
    let start = bytes.len().saturating_sub(4096);
    let text = without_colors(&String::from_utf8_lossy(&bytes[start..]));
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Source;
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Followed(bool, Mutex<Vec<String>>);

    impl Follow for Followed {
        fn is_live(&self) -> bool {
            self.0
        }
        fn line(&self, line: &str) {
            self.1.lock().unwrap().push(line.to_owned());
        }
    }

    fn secrets() -> Secrets {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        std::fs::write(&path, "hunter2hunter2").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let secrets = Secrets::new(BTreeMap::from([("S".to_owned(), Source::File(path))]));
        secrets.resolve("S").unwrap();
        secrets
    }

    #[test]
    fn lines_are_masked_wherever_they_are_cut() {
        let (folder, secrets) = (tempfile::tempdir().unwrap(), secrets());
        let path = folder.path().join("log");
        for size in [1, 7, 65_536] {
            let live = Followed(true, Mutex::default());
            let mut log = Log::create(&path, &secrets, &live).unwrap();
            let long = format!("{}hunter2hunter2{}", "x".repeat(LONGEST_LINE - 5), "y".repeat(100_000));
            let text = format!("begin\nthe password is hunter2hunter2\n{long}\nend without a newline");
            for chunk in text.as_bytes().chunks(size) {
                log.write(chunk);
            }
            let end = log.finish();
            assert_eq!((end.length, end.left_out), (text.len() as u64, 0));
            let kept = std::fs::read_to_string(&path).unwrap();
            assert!(!kept.contains("hunter2") && kept.contains("the password is ***\n"), "{size}");
            assert!(kept.ends_with("end without a newline") && kept.contains(&"y".repeat(100_000)));
            assert_eq!(live.1.lock().unwrap()[..2], ["begin", "the password is ***"]);
        }
    }

    #[test]
    fn a_gigabyte_leaves_head_and_tail() {
        let (folder, secrets) = (tempfile::tempdir().unwrap(), secrets());
        let path = folder.path().join("log");
        let quiet = Followed::default();
        let mut log = Log::create(&path, &secrets, &quiet).unwrap();
        log.write(b"first line\n");
        let chunk = b"0123456789abcde hunter2hunter2\n".repeat(2_000);
        let rounds = (1 << 30) / chunk.len();
        for _ in 0..rounds {
            log.write(&chunk);
        }
        log.write(b"last line\n");
        let end = log.finish();
        assert_eq!(end.length, (rounds * chunk.len() + 21) as u64);
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept.len() < HEAD + TAIL + (1 << 20), "{}", kept.len());
        assert!(kept.starts_with("first line\n") && kept.ends_with("last line\n") && !kept.contains("hunter2"));
        assert!(kept.contains(&format!("[tidegate: {} bytes are left out here]", end.left_out)));
    }
}
