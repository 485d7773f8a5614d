//! `tidegate run` and `tidegate resume`.

use std::collections::BTreeMap;
use std::io::Read;

use clap::CommandFactory;
use serde_json::Value;

use super::Session;
use crate::api::table::layout;
use crate::base::{Error, Result, code};
use crate::cli::Outcome;
use crate::cli::args;
use crate::model::run::{RunStatus, parse_id, parse_number};
use crate::ops::decide;
use crate::script::MAX_SCRIPT_BYTES;
use crate::script::runner::{self, Report, Script};

pub(super) fn run(session: &Session<'_>, arguments: &args::Run) -> Result<Outcome> {
    let Some(script) = &arguments.script else {
        let mut command = args::Arguments::command();
        // So that the usage line says `tidegate run`.
        command.build();
        let help = command.find_subcommand_mut("run").map(|run| run.render_help().to_string()).unwrap_or_default();
        session.terminal.data(&help);
        return Ok(Outcome::Done);
    };
    let workspace = session.open()?;
    if arguments.locked {
        workspace.services.lock_use.refuse_changes();
    }
    let environment = workspace.environment(arguments.env.as_deref())?;
    let setting = session.setting(&workspace);
    let (shown, script) = match script.as_str() {
        "-" => (runner::STDIN, Script::from_stdin(stdin()?)),
        name => (name, Script::named(name)),
    };
    if arguments.help {
        return help(session, shown, &runner::declared(&setting, &script, &environment)?);
    }
    if !super::check::passes(session, &workspace, &script, &environment.name)? {
        return Ok(Outcome::Failed);
    }
    let report = runner::start(&setting, &script, &environment, &parameters(&arguments.parameters)?)?;
    Ok(tell(session, report))
}

pub(super) fn resume(
    session: &Session<'_>,
    run: &str,
    steps: &[String],
    with_current_scripts: bool,
) -> Result<Outcome> {
    let id = run_id(run)?;
    let workspace = session.open()?;
    crate::script::repl::check_resumable(&workspace.services, id)?;
    for step in steps {
        let (number, decision) = decision(step)?;
        let lock = runner::lock(&workspace.services, id)?;
        decide::decide(&workspace.services, id, &number, decision)?;
        drop(lock);
    }
    let report = runner::resume(&session.setting(&workspace), id, with_current_scripts)?;
    Ok(tell(session, report))
}

/// The script on standard input.
fn stdin() -> Result<String> {
    let usage = |message: &str| Error::new(&code::USAGE, message).hint("tidegate run - < script.rhai");
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_SCRIPT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| usage("standard input cannot be read").caused_by(error))?;
    if bytes.len() as u64 > MAX_SCRIPT_BYTES {
        return Err(usage("the script on standard input is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|_| usage("the script on standard input is not UTF-8"))?;
    match text.trim().is_empty() {
        true => Err(usage("there is no script on standard input: it is empty")),
        false => Ok(text),
    }
}

/// The number of a run that a user typed.
pub(super) fn run_id(text: &str) -> Result<i64> {
    parse_id(text).ok_or_else(|| {
        Error::new(&code::USAGE, format!("`{text}` is not a run")).hint("write `r12`; `tidegate runs` lists them")
    })
}

/// Tells how a run ended, and how to go on where it is open.
pub(super) fn tell(session: &Session<'_>, report: Report) -> Outcome {
    let id = report.run;
    if let Some(error) = &report.error {
        // A Ctrl-C is no error to the one who pressed it, and to wait for somebody is none at all.
        if error.is(&code::RUN_WAITS) {
            session.terminal.say(error.message());
            error.causes().iter().for_each(|cause| session.terminal.say(&format!("  {cause}")));
            error.hint_text().into_iter().for_each(|hint| session.terminal.say(hint));
            return Outcome::Waiting;
        }
        if report.status != RunStatus::Interrupted {
            session.terminal.error(&without_command(error));
        }
    }
    match report.status {
        RunStatus::Done => Outcome::Done,
        RunStatus::Interrupted => {
            session.terminal.say(&format!("run r{id} is interrupted; go on with `tidegate resume r{id}`"));
            Outcome::Interrupted
        }
        RunStatus::Waiting => {
            session.terminal.say(&format!("run r{id} waits; `tidegate runs show r{id}` shows its open step"));
            Outcome::Waiting
        }
        RunStatus::Running => {
            session.terminal.say(&format!(
                "how run r{id} ended could not be recorded; when that is mended, `tidegate resume r{id}` goes on"
            ));
            Outcome::Failed
        }
        RunStatus::Failed | RunStatus::Abandoned => {
            session.terminal.say(&format!("run r{id} failed; `tidegate runs show r{id}` shows its steps"));
            Outcome::Failed
        }
    }
}

/// The error without its places in the script of a command: nobody wrote that one.
fn without_command(error: &Error) -> Error {
    let places = error.places().iter().filter(|place| !Script::is_command(&place.file)).cloned().collect();
    error.clone().with_places(places)
}

pub(super) fn parameters(given: &[String]) -> Result<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for pair in given {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::new(&code::USAGE, format!("`-p {pair}` has no `=`")).hint("-p NAME=VALUE"))?;
        if parameters.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Error::new(&code::USAGE, format!("the parameter `{name}` is given twice")));
        }
    }
    Ok(parameters)
}

fn decision(text: &str) -> Result<((String, i64), decide::Decision)> {
    let usage = || {
        Error::new(&code::USAGE, format!("`--step {text}` cannot be understood"))
            .hint("--step 3=retry, or --step 3=done:JSON")
    };
    let (number, decision) = text.split_once('=').ok_or_else(usage)?;
    let number = parse_number(number).ok_or_else(usage)?;
    let decision = match decision.split_once(':') {
        None if decision == "retry" => decide::Decision::Retry,
        Some(("done", json)) => {
            let value = serde_json::from_str(json)
                .map_err(|error| usage().caused_by(format!("what follows `done:` is not JSON: {error}")))?;
            decide::Decision::Done(value)
        }
        _ => return Err(usage()),
    };
    Ok((number, decision))
}

fn help(
    session: &Session<'_>,
    script: &str,
    declared: &BTreeMap<String, crate::api::params::Declaration>,
) -> Result<Outcome> {
    if declared.is_empty() {
        session.terminal.data(&format!("{script} takes no parameters\n"));
        return Ok(Outcome::Done);
    }
    let columns = ["parameter", "type", "default", "help"].map(str::to_owned);
    let cells: Vec<[Value; 4]> = declared
        .iter()
        .map(|(name, declaration)| {
            let default = declaration.default.clone().unwrap_or_else(|| "(has to be given)".to_owned());
            [name.as_str().into(), declaration.kind.name().into(), default.into(), declaration.help.as_str().into()]
        })
        .collect();
    let rows: Vec<Vec<&Value>> = cells.iter().map(|row| row.iter().collect()).collect();
    session.terminal.data(&layout(&columns, &rows));
    Ok(Outcome::Done)
}
