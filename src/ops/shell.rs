//! Runs a program for a script.

use std::time::Duration;

use serde_json::{Value, json};

use super::capability;
use super::services::Services;
use crate::base::duration::show;
use crate::base::secret::SecretText;
use crate::base::{Error, Result, code};
use crate::drivers::child::{self, Command, Failure, Variables};

/// A program that a script wants to run.
#[derive(Debug)]
pub struct Wanted {
    /// Its name, or a path: one in the workspace, unless it is absolute.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder of the workspace that it runs in.
    pub folder: String,
    /// Its variables.
    pub environment: Vec<(String, SecretText)>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether another exit code than 0 is an error.
    pub check: bool,
}

/// Runs a program to its end: `code`, `out` and `err`.
///
/// # Errors
/// `capability.denied`, `file.*`, `secret.missing`, `shell.failed`.
pub async fn run(services: &Services, wanted: Wanted) -> Result<Value> {
    capability::shell(&services.allow)?;
    let name = wanted.program.clone();
    let failed = |why: String| Error::new(&code::SHELL_FAILED, format!("`{name}` {why}"));
    let folder = services.folder.resolve(&wanted.folder)?;
    if !folder.is_dir() {
        let message = format!("there is no folder `{}` in the workspace", wanted.folder);
        return Err(Error::new(&code::FILE_NOT_FOUND, message));
    }
    let program = if wanted.program.contains('/') && !wanted.program.starts_with('/') {
        services.folder.resolve(&wanted.program)?.to_string_lossy().into_owned()
    } else {
        wanted.program
    };
    let mut environment = Vec::new();
    for (name, value) in wanted.environment {
        environment.push((name, services.secrets.reveal(&value)?));
    }
    let (arguments, timeout) = (wanted.arguments, wanted.timeout);
    let command = Command { program, arguments, folder, environment, variables: Variables::Few, timeout };
    let ended = child::run(command).await.map_err(|failure| match failure {
        Failure::NotStarted(error) => failed("cannot be started".to_owned()).caused_by(error),
        Failure::TimedOut(..) | Failure::GivenUp(..) => {
            failed(format!("did not end within {} and was killed", show(wanted.timeout)))
                .hint("give it longer: #{ timeout: \"10m\" }")
        }
        Failure::Lost(error) => failed("ended in a way that the system does not tell".to_owned()).caused_by(error),
    })?;
    let mask = |text: &str| services.secrets.mask(text);
    let (out, err) = (ended.out.text(&mask), ended.err.text(&mask));
    if wanted.check && ended.code != 0 {
        let last = err.trim_end().lines().last().or(out.trim_end().lines().last()).unwrap_or("it said nothing");
        return Err(failed(format!("ended with code {}", ended.code))
            .caused_by(last)
            .hint("`check: false` gives the code as a value")
            .with("code", ended.code)
            .with("out", out)
            .with("err", err));
    }
    Ok(json!({ "code": ended.code, "out": out, "err": err }))
}
