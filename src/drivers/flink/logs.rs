//! Logs of the JobManager and the TaskManagers. Flink ignores `Range`, so the end of a log is read by reading all of
//! it, keeping the end.

use serde::{Deserialize, Serialize};

use super::client::{Client, shown};
use crate::base::{Error, Result, code};
use crate::drivers::http::{Body, Keep, LONGEST_BODY, Method};
use crate::model::trace;

/// How much of the end of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// The last bytes; the first line can be cut.
    Bytes(usize),
    /// The last lines.
    Lines(usize),
    /// All, as far as 64 MiB go.
    All,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The text; bytes that are not UTF-8 are replaced.
    pub text: String,
    /// How long the whole log is, in bytes.
    pub length: u64,
}

/// A file in a log directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogFile {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A TaskManager.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskManager {
    /// `127.0.0.1:45107-784cfa`, or the YARN container.
    pub id: String,
    /// Its slots.
    #[serde(default)]
    pub slots_number: u32,
    /// Its free slots.
    #[serde(default)]
    pub free_slots: u32,
    /// Milliseconds since 1970 of its last heartbeat.
    #[serde(default)]
    pub time_since_last_heartbeat: i64,
}

#[derive(Deserialize)]
struct LogFiles {
    logs: Vec<LogFile>,
}

impl Client {
    /// The JobManager's log.
    ///
    /// # Errors
    /// As [`Client::overview`], and `logs.not_found` where it writes none.
    pub async fn jobmanager_log(&self, tail: Tail) -> Result<Log> {
        self.log(&["jobmanager", "log"], tail).await
    }

    /// What the JobManager writes to standard output: prints of a `main()` too.
    ///
    /// # Errors
    /// As [`Client::jobmanager_log`].
    pub async fn jobmanager_stdout(&self, tail: Tail) -> Result<Log> {
        self.log(&["jobmanager", "stdout"], tail).await
    }

    /// The files in the JobManager's log directory.
    ///
    /// # Errors
    /// As [`Client::jobmanager_log`].
    pub async fn jobmanager_logs(&self) -> Result<Vec<LogFile>> {
        Ok(self.read::<LogFiles>(&["jobmanager", "logs"]).await?.logs)
    }

    /// One of them.
    ///
    /// # Errors
    /// As [`Client::jobmanager_log`].
    pub async fn jobmanager_log_file(&self, name: &str, tail: Tail) -> Result<Log> {
        self.log(&["jobmanager", "logs", name], tail).await
    }

    /// The TaskManagers that are registered.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn taskmanagers(&self) -> Result<Vec<TaskManager>> {
        #[derive(Deserialize)]
        struct TaskManagers {
            taskmanagers: Vec<TaskManager>,
        }
        Ok(self.read::<TaskManagers>(&["taskmanagers"]).await?.taskmanagers)
    }

    /// A TaskManager's log.
    ///
    /// # Errors
    /// As [`Client::jobmanager_log`].
    pub async fn taskmanager_log(&self, id: &str, tail: Tail) -> Result<Log> {
        self.log(&["taskmanagers", id, "log"], tail).await
    }

    /// What a TaskManager writes to standard output: the `print` connector too.
    ///
    /// # Errors
    /// As [`Client::jobmanager_log`].
    pub async fn taskmanager_stdout(&self, id: &str, tail: Tail) -> Result<Log> {
        self.log(&["taskmanagers", id, "stdout"], tail).await
    }

    /// The files in a TaskManager's log directory.
    ///
    /// # Errors
    /// As [`Client::jobmanager_log`].
    pub async fn taskmanager_logs(&self, id: &str) -> Result<Vec<LogFile>> {
        Ok(self.read::<LogFiles>(&["taskmanagers", id, "logs"]).await?.logs)
    }

    async fn log(&self, segments: &[&str], tail: Tail) -> Result<Log> {
        let asked = self.asked(&Method::GET, &shown(segments));
        let keep = match tail {
            // A refusal has to fit in as well.
            Tail::Bytes(bytes) => bytes.clamp(64 << 10, LONGEST_BODY),
            Tail::Lines(_) | Tail::All => LONGEST_BODY,
        };
        let answer = self
            .exchange(Method::GET, self.url(segments), Body::Empty, self.submit_timeout(), Keep::Tail(keep))
            .await?
            .map_err(|failure| asked.unreachable(&failure))?;
        let text = answer.text();
        if matches!(answer.status, 404 | 500) && trace::is_flink_error(&text) && is_missing(&text) {
            return Err(Error::new(
                &code::LOG_NOT_FOUND,
                format!("the JobManager at `{}` has no log for `{}`", asked.place, asked.request),
            )
            .hint("a cluster that logs to its console writes no file; a TaskManager that is gone took its log along"));
        }
        if answer.status != 200 {
            return Err(asked.failed(&answer));
        }
        let text = match tail {
            Tail::All => text,
            Tail::Bytes(bytes) => last_bytes(&answer.body, bytes),
            Tail::Lines(lines) => last_lines(&text, lines).to_owned(),
        };
        Ok(Log { text, length: answer.length })
    }
}

fn is_missing(body: &str) -> bool {
    ["does not exist", "NotFoundException", "not found", "No TaskExecutor registered", "Unable to load requested file"]
        .iter()
        .any(|text| body.contains(text))
}

fn last_bytes(body: &[u8], bytes: usize) -> String {
    let mut start = body.len().saturating_sub(bytes);
    // Not in the middle of a UTF-8 character.
    while start < body.len() && body[start] & 0b1100_0000 == 0b1000_0000 {
        start += 1;
    }
    String::from_utf8_lossy(&body[start..]).into_owned()
}

fn last_lines(text: &str, lines: usize) -> &str {
    if lines == 0 {
        return "";
    }
    let body = text.strip_suffix('\n').unwrap_or(text);
    match body.rmatch_indices('\n').nth(lines - 1) {
        Some((newline, _)) => &text[newline + 1..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_cut_at_lines_and_characters() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb\nc", 1), "c");
        assert_eq!(last_lines("a\nb\n", 9), "a\nb\n");
        assert_eq!(last_lines("a\nb\n", 0), "");
        assert_eq!(last_bytes("aäb".as_bytes(), 2), "b");
        assert_eq!(last_bytes("aäb".as_bytes(), 3), "äb");
        assert_eq!(last_bytes(b"ab", 9), "ab");
    }
}
