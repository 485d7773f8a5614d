//! The command line: parse, call, print.

pub mod args;
pub mod commands;
pub mod report;
pub mod terminal;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;

use crate::base::Error;

/// How a command ended, beside failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is done.
    Done,
    /// The command did its work, and the answer is a failure that was told already.
    Failed,
    /// Somebody has to say how to go on.
    Waiting,
    /// There are changes: of a plan.
    Changes,
    /// Ctrl-C.
    Interrupted,
}

impl Outcome {
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Waiting => 3,
            Self::Changes => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version go to standard output, with success.
            let is_asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if !is_asked_for && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                terminal::Terminal::new(false).error(&usage(&error));
                return ExitCode::from(2);
            }
            let shown = error.print().is_ok();
            return ExitCode::from(if is_asked_for && shown { 0 } else { 2 });
        }
    };
    let terminal = Arc::new(terminal::Terminal::new(arguments.verbose));
    match commands::perform(arguments, &terminal) {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            terminal.error(&error);
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What clap says of a command line, as an error of ours: its first sentence, its tip, or else how the command is used.
fn usage(error: &clap::Error) -> Error {
    let text = error.to_string();
    let paragraph: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let message = paragraph.join(" ").trim_start_matches("error: ").replace('\'', "`");
    let after = |word: &str| text.lines().find_map(|line| line.trim().strip_prefix(word)).map(str::trim);
    let hint = match (after("tip:"), after("Usage:")) {
        (Some(tip), _) => tip.replace('\'', "`"),
        (None, Some(usage)) => usage.to_owned(),
        (None, None) => "`tidegate --help` lists what there is".to_owned(),
    };
    Error::new(&crate::base::code::USAGE, message).hint(hint)
}

fn exit_code(error: &Error) -> u8 {
    use crate::base::code;
    let waits = [&code::RUN_UNKNOWN_OUTCOME, &code::JOB_UNKNOWN_OUTCOME];
    let usage = [&code::USAGE, &code::PARAMETER_UNKNOWN, &code::PARAMETER_INVALID];
    if waits.iter().any(|code| error.is(code)) {
        3
    } else if usage.iter().any(|code| error.is(code)) {
        2
    } else if error.is(&code::CANCELLED) {
        130
    } else {
        1
    }
}
