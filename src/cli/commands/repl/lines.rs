//! Where inputs come from: an editor on a terminal, or plain lines. Read on a thread of its own, so that a signal is not
//! held up by somebody who does not type.

use std::borrow::Cow;
use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::input::is_unfinished;
use crate::base::cancel::Cancel;
use crate::base::secret::Secrets;
use crate::base::{Error, Result, code};
use crate::script::complete::Words;

/// How many inputs the history keeps.
const HISTORY: usize = 1000;

/// What was read.
pub(super) enum Line {
    Input(String),
    /// Ctrl-C while somebody typed: what was typed is dropped.
    Dropped,
    /// Ctrl-D, or the end of a file.
    End,
}

/// The inputs of a session.
pub(super) struct Lines {
    ask: mpsc::Sender<Words>,
    got: tokio::sync::mpsc::UnboundedReceiver<Result<Line>>,
    /// The settings of the terminal before an editor changed them.
    before: Option<rustix::termios::Termios>,
    is_terminal: bool,
}

impl Lines {
    /// Reads standard input; `history` is the file of an editor's history.
    pub(super) fn open(prompt: String, history: PathBuf, secrets: Secrets) -> Self {
        let (ask, asked) = mpsc::channel();
        let (give, got) = tokio::sync::mpsc::unbounded_channel();
        let is_terminal = std::io::stdin().is_terminal();
        let before = if is_terminal { rustix::termios::tcgetattr(std::io::stdin()).ok() } else { None };
        std::thread::spawn(move || match is_terminal {
            true => edit(&asked, &give, &prompt, &history, &secrets),
            false => plain(&asked, &give),
        });
        Self { ask, got, before, is_terminal }
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// The next input.
    ///
    /// # Errors
    /// `cancelled` when a signal came, `usage` where standard input cannot be read.
    pub(super) async fn next(&mut self, cancel: &Cancel, words: Words) -> Result<Line> {
        let closed = || Error::new(&code::INTERNAL, "nobody reads standard input any more");
        self.ask.send(words).map_err(|_| closed())?;
        let line = cancel.select(async { self.got.recv().await.ok_or_else(closed) }).await;
        if let (Err(_), Some(before)) = (&line, &self.before) {
            // The editor's thread still waits for a key. Nothing can be done where this fails.
            let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
        line?
    }
}

type Give = tokio::sync::mpsc::UnboundedSender<Result<Line>>;

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::new(&code::USAGE, "standard input cannot be read").caused_by(error)
}

/// Lines from a pipe or a file, joined until they are whole.
fn plain(asked: &mpsc::Receiver<Words>, give: &Give) {
    let mut lines = std::io::stdin().lock().lines();
    while asked.recv().is_ok() {
        let mut input = String::new();
        let line = loop {
            match lines.next() {
                Some(Ok(line)) => {
                    input.push_str(&line);
                    input.push('\n');
                    if line.starts_with(':') || !is_unfinished(&input) {
                        break Ok(Line::Input(input));
                    }
                }
                // What is unfinished at the end is an error that Rhai words.
                None if !input.is_empty() => break Ok(Line::Input(input)),
                None => break Ok(Line::End),
                Some(Err(error)) => break Err(unreadable(error)),
            }
        };
        if give.send(line).is_err() {
            return;
        }
    }
}

fn edit(asked: &mpsc::Receiver<Words>, give: &Give, prompt: &str, history: &PathBuf, secrets: &Secrets) {
    let mut editor = match editor(history) {
        Ok(editor) => editor,
        Err(error) => {
            // Nobody waits for it where the session has ended.
            let _ = give.send(Err(unreadable(error)));
            return;
        }
    };
    while let Ok(words) = asked.recv() {
        editor.set_helper(Some(Help { words }));
        let line = match editor.readline(prompt) {
            Ok(input) => {
                remember(&mut editor, &input, history, secrets);
                Ok(Line::Input(input))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Dropped),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(unreadable(error)),
        };
        if give.send(line).is_err() {
            return;
        }
    }
}

fn editor(history: &PathBuf) -> rustyline::Result<Editor<Help, FileHistory>> {
    let config = Config::builder()
        .max_history_size(HISTORY)?
        .completion_type(CompletionType::List)
        .bracketed_paste(true)
        .build();
    let mut editor = Editor::with_config(config)?;
    if history.exists() {
        editor.load_history(history)?;
    }
    Ok(editor)
}

/// Keeps an input, unless it looks as if a password were written into it.
fn remember(editor: &mut Editor<Help, FileHistory>, input: &str, history: &PathBuf, secrets: &Secrets) {
    if input.trim().is_empty() || holds_a_password(input) {
        return;
    }
    let masked = secrets.mask(input);
    // The file is made for its owner alone (0600). A full disk must not end a session.
    if editor.add_history_entry(masked).unwrap_or(false) {
        let _ = editor.append_history(history);
    }
}

/// `password: "x"`, `'secret' = 'x'`, `https://user:x@host`.
fn holds_a_password(input: &str) -> bool {
    let lower = input.to_lowercase();
    let named = ["password", "passwd", "secret", "token", "credential", "api_key", "apikey", "access_key"];
    let follows = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || "_-.'\"`".contains(c)).trim_start();
        let value = rest.strip_prefix([':', '=']).map(str::trim_start);
        value.is_some_and(|value| value.starts_with(['"', '\'', '`']))
    };
    named.iter().any(|word| lower.match_indices(word).any(|(index, word)| follows(&lower[index + word.len()..])))
        || lower.split("://").skip(1).any(|rest| {
            let host = rest.split(['/', '"', '\'', '`', ' ']).next().unwrap_or_default();
            host.split_once('@').is_some_and(|(user, _)| user.contains(':'))
        })
}

/// What the editor asks while somebody types.
struct Help {
    words: Words,
}

impl Helper for Help {}

impl Hinter for Help {
    type Hint = String;
}

impl Highlighter for Help {
    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        candidate.into()
    }
}

impl Completer for Help {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = &line[..position];
        // Of several lines the last one is completed.
        let begin = before.rfind('\n').map_or(0, |index| index + 1);
        let (start, found) = self.words.complete(&before[begin..]);
        let pairs = found.into_iter().map(|found| Pair { display: found.shown, replacement: found.text });
        Ok((begin + start, pairs.collect()))
    }
}

impl Validator for Help {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        Ok(match !input.starts_with(':') && is_unfinished(input) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::holds_a_password;

    #[test]
    fn passwords_are_seen() {
        for input in [
            "let password = \"x\"",
            "#{ \"db.password\": \"x\" }",
            "\"WITH ('password' = 'x')\"",
            "http(\"https://me:x@host/\")",
            "let api_token= `x`;",
        ] {
            assert!(holds_a_password(input), "{input}");
        }
        for input in ["env::secret(\"P\")", "let password = env::secret(\"P\")", "\"https://host/a@b:c\"", "1 + 1"] {
            assert!(!holds_a_password(input), "{input}");
        }
    }
}
