//! The commands that messages name, made whole: they name a job, and somebody follows them in a shell, where no environment is the
//! default one.
//!
//! Whoever words a message writes `` `tidegate start NAME` `` and does not think of it: this is done where messages leave.

use super::services::Services;
use crate::base::wording::shell_word;
use crate::base::{Error, Result};

/// The commands that take a job, and the environment that it is in.
pub const OF_JOB: [&str; 14] = [
    "adopt",
    "cancel",
    "deps",
    "diff",
    "history",
    "logs",
    "remove",
    "rescale",
    "restart",
    "rollback",
    "savepoint",
    "savepoints",
    "start",
    "stop",
];

const BEGIN: &str = "`tidegate ";

/// A text about a job of an environment, with its commands as they are to be typed.
pub fn whole(services: &Services, environment: &str, text: &str) -> String {
    if !text.contains(BEGIN) {
        return text.to_owned();
    }
    // Without them only the names that need quotes lose these.
    let jobs = services.store.jobs(Some(environment)).unwrap_or_default();
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    complete(text, &option(services, environment), &names)
}

/// An error about jobs of an environment; see [`whole`].
pub fn in_error(services: &Services, environment: &str, error: Error) -> Error {
    error.map_words(&|text| whole(services, environment, text))
}

/// A result of what was done with jobs of an environment; see [`whole`].
///
/// # Errors
/// Those of the result.
pub fn in_result<T>(services: &Services, environment: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| in_error(services, environment, error))
}

/// A job as a command line names it.
pub fn words(services: &Services, environment: &str, job: &str) -> String {
    format!("{}{}", shell_word(job), option(services, environment))
}

/// ` -e ENV`; nothing where it is the environment of a command that names none.
pub fn option(services: &Services, environment: &str) -> String {
    match services.default_environment.as_deref() == Some(environment) {
        true => String::new(),
        false => format!(" -e {}", shell_word(environment)),
    }
}

/// Quotes the job of each command, and adds the option behind it where the command has none. What is whole stays.
fn complete(text: &str, option: &str, names: &[&str]) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, command)) = rest.split_once(BEGIN) {
        done.push_str(before);
        done.push_str(BEGIN);
        rest = command;
        let verb = OF_JOB.iter().find(|verb| command.strip_prefix(**verb).is_some_and(|after| after.starts_with(' ')));
        let Some(verb) = verb else { continue };
        let verb = match command.starts_with("savepoints prune ") {
            true => "savepoints prune",
            false => verb,
        };
        let after = &command[verb.len() + 1..];
        let job = named(after, names);
        let more = &after[job.len()..];
        let has_option = more.split('`').next().is_some_and(|more| more.contains(" -e ") || more.contains(" --env"));
        let word = if job.starts_with('\'') { job.to_owned() } else { shell_word(job) };
        done.push_str(&format!("{verb} {word}{}", if has_option { "" } else { option }));
        rest = more;
    }
    done + rest
}

/// The job at the beginning of what follows a command: a known one, else a word.
fn named<'a>(after: &'a str, names: &[&str]) -> &'a str {
    let ends = |length: &usize| after[*length..].starts_with([' ', '`']);
    let known = names.iter().filter(|name| after.starts_with(**name)).map(|name| name.len()).filter(ends).max();
    let quoted = || after.strip_prefix('\'').and_then(|inside| inside.find('\'')).map(|end| end + 2);
    let length = known.or_else(quoted).or_else(|| after.find([' ', '`'])).unwrap_or(after.len());
    &after[..length]
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn commands_get_the_environment_of_their_job_once() {
        for (text, whole) in [
            ("`tidegate start j`", "`tidegate start j -e prod`"),
            (
                "`tidegate start j --allow-state-loss attempt-3`, or not",
                "`tidegate start j -e prod --allow-state-loss attempt-3`, or not",
            ),
            (
                "`tidegate logs j` shows why; `tidegate resume r3` goes on, `tidegate adopt j --id ab`",
                "`tidegate logs j -e prod` shows why; `tidegate resume r3` goes on, `tidegate adopt j -e prod --id ab`",
            ),
            (
                "`tidegate savepoints prune j`, `j` and `start j`",
                "`tidegate savepoints prune j -e prod`, `j` and `start j`",
            ),
            (
                "`tidegate ps`, `tidegate logs`, `tidegate starting j`",
                "`tidegate ps`, `tidegate logs`, `tidegate starting j`",
            ),
            ("`tidegate history my job`, my job", "`tidegate history 'my job' -e prod`, my job"),
            ("`tidegate rescale my job's 3`", "`tidegate rescale 'my job'\\''s' -e prod 3`"),
            ("`tidegate start my", "`tidegate start my -e prod"),
            ("no command at all", "no command at all"),
        ] {
            let names = ["j", "my", "my job", "my job's"];
            assert_eq!(complete(text, " -e prod", &names), whole);
        }
        let twice = complete(&complete("`tidegate stop my job`", " -e prod", &["my job"]), " -e prod", &["my job"]);
        assert_eq!(twice, "`tidegate stop 'my job' -e prod`");
        assert_eq!(complete("`tidegate stop my job`", "", &["my job"]), "`tidegate stop 'my job'`");
    }
}
