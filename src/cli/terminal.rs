//! What goes to the terminal: data to standard output, all else to standard error.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use super::report;
use crate::api::host::Output;
use crate::base::Error;

/// The two streams of this process.
#[derive(Debug)]
pub struct Terminal {
    verbose: bool,
    color: bool,
    /// Whether the last line of standard error is a progress line that may be overwritten.
    progress: Mutex<bool>,
    /// The last tenth of a download that was told.
    tenth: AtomicU64,
}

impl Terminal {
    /// The terminal of this process.
    pub fn new(verbose: bool) -> Self {
        let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { verbose, color, progress: Mutex::new(false), tenth: AtomicU64::new(0) }
    }

    /// Prints a text that ends with its own newline, as data.
    pub fn data(&self, text: &str) {
        self.clear();
        let mut stdout = std::io::stdout().lock();
        // A reader that has gone away (`| head`) wants no more.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Prints JSON as data, one value on indented lines.
    pub fn json(&self, value: &serde_json::Value) {
        self.data(&format!("{value:#}\n"));
    }

    /// Says something to a person.
    pub fn say(&self, text: &str) {
        self.clear();
        tell(&format!("{text}\n"));
    }

    /// Shows an error.
    pub fn error(&self, error: &Error) {
        self.clear();
        tell(&format!("{}\n", report::render(error, self.color).trim_end()));
        if let Some(detail) = error.detail_text() {
            if self.verbose {
                tell(&format!("\n{detail}\n"));
            } else {
                tell("(--verbose shows the whole trace)\n");
            }
        }
    }

    /// Shows how a long operation goes: on a terminal in one line that is overwritten, elsewhere a line a change.
    pub fn progress(&self, text: &str) {
        if std::io::stderr().is_terminal() {
            let mut shown = self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            tell(&format!("\r\x1b[K{text}"));
            *shown = true;
        } else {
            tell(&format!("{text}\n"));
        }
    }

    /// Shows how a download goes; elsewhere than on a terminal, a line for each tenth.
    pub fn bytes(&self, what: &str, done: u64, total: Option<u64>) {
        let megabytes = |bytes: u64| format!("{:.0} MB", bytes as f64 / 1e6);
        let text = match total {
            Some(total) if total > 0 => {
                format!("{what}: {} of {} ({}%)", megabytes(done), megabytes(total), done * 100 / total)
            }
            _ => format!("{what}: {}", megabytes(done)),
        };
        if std::io::stderr().is_terminal() {
            self.progress(&text);
        } else if let Some(total) = total.filter(|total| *total > 0) {
            let tenth = done * 10 / total;
            if self.tenth.swap(tenth, std::sync::atomic::Ordering::Relaxed) != tenth {
                tell(&format!("{text}\n"));
            }
        }
    }

    fn clear(&self) {
        let mut shown = self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *shown {
            tell("\r\x1b[K");
            *shown = false;
        }
    }
}

/// Writes to standard error. A terminal that was closed takes nothing more, and that ends no run.
fn tell(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

impl Output for Terminal {
    fn print(&self, line: &str) {
        self.data(&format!("{line}\n"));
    }

    fn log(&self, level: &str, line: &str) {
        self.say(&if level == "info" { line.to_owned() } else { format!("{level}: {line}") });
    }

    fn is_watched(&self) -> bool {
        std::io::stderr().is_terminal()
    }
}
