//! `tidegate repl`: a session that reads inputs, runs them, and shows what they give.

mod ask;
mod input;
mod lines;

use std::sync::Arc;

use serde_json::Value;

use self::ask::Ask;
use self::lines::{Line, Lines};
use super::Session;
use crate::api::table::layout;
use crate::base::{Error, Result, code, suggest};
use crate::cli::Outcome;
use crate::script::complete::{COMMANDS, Words};
use crate::script::reference;
use crate::script::repl::{Repl, ends_session};

const HELP: &str = "\
An input is Rhai, and runs when it is whole; open brackets, backticks and a last operator go on in the next line.
What it gives is shown. Variables, functions and imports stay. Effects ask first.

  :help        this text
  :docs NAME   the reference of a namespace or a function; without NAME a list
  :vars        the variables of this session
  :quit        ends the session

Tab completes, the arrow keys go through what was typed before, Ctrl-C drops the line or ends what runs, Ctrl-D ends the
session.
";

pub(super) fn repl(session: &Session<'_>, environment: Option<&str>, yes: bool) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment(environment)?;
    let mut setting = session.setting(&workspace);
    let secrets = workspace.services.secrets.clone();
    setting.confirm = Some(Arc::new(Ask::new(session.terminal.clone(), secrets.clone(), yes)));
    let mut repl = Repl::open(&setting, &environment)?;
    let run = repl.run();
    let history = workspace.services.store.directory().join("repl_history");
    let mut lines = Lines::open(format!("{}> ", environment.name), history, secrets);
    if lines.is_terminal() {
        session.terminal.say(&format!(
            "tidegate {}, environment `{}`, run r{run}; `:help` says what there is, Ctrl-D ends",
            env!("CARGO_PKG_VERSION"),
            environment.name
        ));
    }
    let mut seen = Seen::default();
    let ended = converse(session, &mut repl, &mut lines, &mut seen);
    let broken = match &ended {
        Err(error) if !error.is(&code::CANCELLED) => Some(error),
        _ => None,
    };
    for step in repl.close(broken)? {
        session.terminal.say(&format!(
            "what became of step {step} of run r{run} is not known; an unanswered submission is settled by the next run that deploys its job"
        ));
    }
    match ended {
        Err(error) if error.is(&code::CANCELLED) => Ok(Outcome::Interrupted),
        Err(error) => Err(error),
        // Somebody who types has seen the errors.
        Ok(()) if lines.is_terminal() => Ok(Outcome::Done),
        Ok(()) if seen.unknown => Ok(Outcome::Waiting),
        Ok(()) if seen.failed => Ok(Outcome::Failed),
        Ok(()) => Ok(Outcome::Done),
    }
}

/// What inputs ended with.
#[derive(Default)]
struct Seen {
    failed: bool,
    unknown: bool,
}

fn converse(session: &Session<'_>, repl: &mut Repl, lines: &mut Lines, seen: &mut Seen) -> Result<()> {
    loop {
        // Where nobody types there is nothing to complete.
        let words = if lines.is_terminal() { repl.words()? } else { Words::default() };
        let input = match session.runtime.block_on(lines.next(&session.cancel, words))? {
            Line::Input(input) if input.trim().is_empty() => continue,
            Line::Input(input) => input,
            Line::Dropped => continue,
            Line::End => return Ok(()),
        };
        if let Some(command) = input.trim().strip_prefix(':') {
            match perform(session, repl, command) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    seen.failed = true;
                    session.terminal.error(&error);
                }
            }
            continue;
        }
        match repl.evaluate(&input) {
            Ok(Some(text)) => session.terminal.data(&format!("{text}\n")),
            Ok(None) => {}
            Err(error) if error.is(&code::CANCELLED) && lines.is_terminal() => session.terminal.say("cancelled"),
            Err(error) if error.is(&code::CANCELLED) || ends_session(&error) => return Err(error),
            Err(error) => {
                seen.failed = true;
                seen.unknown |= error.is(&code::RUN_UNKNOWN_OUTCOME) || error.is(&code::JOB_UNKNOWN_OUTCOME);
                session.terminal.error(&error);
            }
        }
        if lines.is_terminal() {
            // A Ctrl-C ended this input, or came too late for it.
            session.cancel.lower();
        }
    }
}

/// A command of the shell; gives whether it ends the session.
fn perform(session: &Session<'_>, repl: &Repl, command: &str) -> Result<bool> {
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    match (name, rest.trim()) {
        ("help", _) => session.terminal.data(HELP),
        ("quit", _) => return Ok(true),
        ("docs", "") => session.terminal.data(&reference::summary()?),
        ("docs", name) => super::docs::docs(session, Some(name), false).map(drop)?,
        ("vars", _) => variables(session, repl),
        _ => {
            let near = suggest::nearest(&format!(":{name}"), COMMANDS.iter().copied());
            return Err(Error::new(&code::USAGE, format!("there is no command `:{name}`"))
                .hint(near.map_or_else(|| "`:help` lists them".to_owned(), |near| format!("did you mean `{near}`?"))));
        }
    }
    Ok(false)
}

fn variables(session: &Session<'_>, repl: &Repl) {
    let cells: Vec<[Value; 3]> =
        repl.variables().into_iter().map(|found| [found.name.into(), found.kind.into(), found.value.into()]).collect();
    if cells.is_empty() {
        session.terminal.say("no variable yet");
        return;
    }
    let rows: Vec<Vec<&Value>> = cells.iter().map(|row| row.iter().collect()).collect();
    session.terminal.data(&layout(&["variable", "type", "value"].map(str::to_owned), &rows));
}
