//! `shell::`: programs, where the workspace allows it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::convert::{has_secret, secret_text};
use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use super::job_options::read;
use super::types::{Receives, options};
use crate::base::{Error, Result, code, duration};
use crate::model::class::Class;
use crate::ops::effect::Acting;
use crate::ops::shell::{self, Wanted};

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "shell",
    summary: "Programs, where `allow: { shell: true }` in tidegate.yaml grants it.",
    functions: &[
        Function::new(
            "run",
            Class::Opaque,
            &[
                required("program", Type::String),
                optional("arguments", Type::ListOf(&Type::Scalar)),
                optional("options", RunOptions::KIND),
            ],
            Type::Map,
            Body::Journaled(run),
        )
        .docs(
            "Runs a program to its end and gives `#{ code, out, err }`, of each output the first and the last 512 KiB. No shell reads the arguments. Options: `timeout` \
             (`\"60s\"`), `cwd` (a folder of the workspace), `env` (a map, the only place for secrets), `check` (true: another exit code than \
             0 is an error). It finds PATH, HOME and the like of tidegate's own variables; what it leaves in the background is ended. Where tidegate \
             dies meanwhile, the run waits for your word.",
            "let said = shell::run(\"echo\", [\"hello\"], #{ timeout: \"5s\" });\nassert::equal(said.out, \"hello\\n\");",
        )
        .errors(&[&code::CAPABILITY_DENIED, &code::SHELL_FAILED]),
    ],
};

options! {
    /// The options of `shell::run`.
    struct RunOptions {
        /// when the program is ended; `60s` if not given
        timeout: Option<String> => Type::Duration,
        /// the folder that it runs in, a path of the workspace
        cwd: Option<String>,
        /// variables of its own, the only place for secrets
        #[serde(default)]
        env: BTreeMap<String, Value> => Type::MapOf(&Type::Scalar),
        /// whether another exit code than 0 is an error; true if not given
        check: Option<bool>,
    }
}

fn run(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let invalid = |message: String| Error::new(&code::ARGUMENT_INVALID, format!("{}: {message}", call.name));
    let mut arguments = Vec::new();
    for (index, value) in call.json(1)?.as_array().into_iter().flatten().enumerate() {
        let text = secret_text(value)
            .ok_or_else(|| invalid(format!("`arguments[{index}]` must be a text, a number or a boolean")))?;
        if has_secret(&text) {
            return Err(invalid(format!(
                "`arguments[{index}]` holds a secret; every user of the machine could read it"
            ))
            .hint("pass it as a variable: #{ env: #{ TOKEN: env::secret(\"TOKEN\") } }"));
        }
        arguments.push(text.to_string());
    }
    let options: RunOptions = read(call.name, call.json(2)?)?;
    let mut environment = Vec::new();
    for (name, value) in options.env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(invalid(format!("`{name}` cannot be the name of a variable")));
        }
        let value =
            secret_text(&value).ok_or_else(|| invalid(format!("the variable `{name}` must be a text or a secret")))?;
        environment.push((name, value));
    }
    let timeout = match &options.timeout {
        Some(text) => duration::parse(text)?,
        None => Duration::from_secs(60),
    };
    let wanted = Wanted {
        program: call.string(0),
        arguments,
        folder: options.cwd.unwrap_or_else(|| ".".to_owned()),
        environment,
        timeout,
        check: options.check.unwrap_or(true),
    };
    call.host.wait(shell::run(&call.host.services, wanted))
}
