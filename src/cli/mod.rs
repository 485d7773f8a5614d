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
