//! `tidegate completions`: scripts for shells, which ask this program for the words that may come next.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::Session;
use crate::base::code;
use crate::cli::Outcome;
use crate::cli::args::{Arguments, Shell};
use crate::script::reference;
use crate::workspace::inspect::{inspect, state};

/// For bash, and for zsh with its completions of bash. Words are compared and never expanded: names come from files that
/// somebody else may have written.
const BASH: &str = r#"_tidegate() {
    local line="${COMP_LINE:0:$COMP_POINT}" word before=""
    local rest="${line#*[[:space:]]}"
    local current="${rest##*[[:space:]]}"
    # What stands before the last colon is no part of the word for readline.
    if [[ -n "$BASH_VERSION" && "$current" == *:* ]]; then
        before="${current%"${current##*:}"}"
    fi
    COMPREPLY=()
    while IFS= read -r word; do
        if [[ "$word" == "$current"* ]]; then
            COMPREPLY+=("${word#"$before"}")
        fi
    done < <(tidegate complete-words -- "${rest%"$current"}" 2>/dev/null)
}
complete -F _tidegate tidegate
"#;

const FISH: &str = "complete -c tidegate -f -a '(tidegate complete-words -- (commandline -opc)[2..-1] 2>/dev/null)'\n";

pub(super) fn completions(session: &Session<'_>, shell: Shell) -> Outcome {
    session.terminal.data(&match shell {
        Shell::Bash => BASH.to_owned(),
        Shell::Zsh => format!("autoload -U +X compinit bashcompinit && compinit && bashcompinit\n{BASH}"),
        Shell::Fish => FISH.to_owned(),
    });
    Outcome::Done
}

/// Prints what may follow the words, one a line. What cannot be found out is left out: a completion says no errors.
pub(super) fn words(session: &Session<'_>, words: &[String]) -> Outcome {
    // A shell gives its words one by one, or the line as it is.
    let words: Vec<String> = words.iter().flat_map(|part| part.split_whitespace()).map(str::to_owned).collect();
    let found = candidates(session, &words);
    let plain = found.iter().filter(|word| is_plain(word));
    session.terminal.data(&plain.map(|word| format!("{word}\n")).collect::<String>());
    Outcome::Done
}

/// Whether a shell takes a word for what it is: nothing in it is expanded when it stands on a command line.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || "-_.:/=+@,".contains(c))
}

fn candidates(session: &Session<'_>, words: &[String]) -> Vec<String> {
    let mut command = Arguments::command();
    command.build();
    let mut names = Vec::new();
    let mut node = &command;
    for word in words {
        if let Some(inner) = node.get_subcommands().find(|inner| inner.get_name() == word) {
            node = inner;
            names.push(word.as_str());
        }
    }
    // The words that are complete say which workspace is meant.
    let folder = folder(words).or_else(|| session.folder.map(Path::to_owned));
    let folder = folder.as_deref();
    let last = words.last().map(String::as_str).unwrap_or_default();
    if matches!(last, "--env" | "-e") {
        return inspect(folder, None)
            .map(|(_, known)| known.environments.into_iter().map(|one| one.name).collect())
            .unwrap_or_default();
    }
    let mut found: Vec<String> = node
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
        .map(|inner| inner.get_name().to_owned())
        .collect();
    found.extend(of(folder, &names));
    found.extend(node.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?))));
    found
}

/// The folder after `--workspace`.
fn folder(words: &[String]) -> Option<PathBuf> {
    let mut words = words.iter();
    let mut found = None;
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--workspace" | "-w") {
            found = words.next().map(PathBuf::from);
        } else if let Some(folder) = word.strip_prefix("--workspace=") {
            found = Some(PathBuf::from(folder));
        }
    }
    found
}

/// The names that a command takes.
fn of(folder: Option<&Path>, command: &[&str]) -> Vec<String> {
    // A press of Tab makes no state and brings none up.
    let looked = || state(folder).ok().flatten();
    let scripts = || inspect(folder, None).and_then(|(files, _)| files.scripts()).unwrap_or_default();
    let jobs = || -> Vec<String> {
        let jobs = looked().and_then(|store| store.jobs(None).ok()).unwrap_or_default();
        jobs.into_iter().map(|job| job.name).collect()
    };
    match command {
        ["run" | "plan" | "check"] => scripts().iter().map(|name| name.trim_end_matches(".rhai").to_owned()).collect(),
        ["explain"] => code::ALL.iter().map(|code| code.name.to_owned()).collect(),
        ["docs"] => reference::names().unwrap_or_default(),
        ["cluster", "up" | "down" | "status"] => {
            inspect(folder, None).map(|(_, known)| known.clusters).unwrap_or_default()
        }
        ["resume" | "abandon" | "approve"] | ["runs", "show"] => {
            let runs = looked().and_then(|store| store.runs(50).ok()).unwrap_or_default();
            let is_wanted = |run: &&crate::model::run::Run| command == ["runs", "show"] || run.status.is_open();
            runs.iter().filter(is_wanted).map(|run| format!("r{}", run.id)).collect()
        }
        ["cancel" | "logs" | "stop" | "history" | "savepoints"] => jobs(),
        ["deps"] => [jobs(), scripts().into_iter().map(|name| format!("scripts/{name}")).collect()].concat(),
        _ => Vec::new(),
    }
}
