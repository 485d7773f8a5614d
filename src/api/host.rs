//! What stands behind the host functions of one run.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use rhai::NativeCallContext;
use serde_json::Value;

use super::planner::Planner;
use super::throw::Fatal;
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code};
use crate::ops::effect::Journal;
use crate::ops::inputs::Inputs;
use crate::ops::services::Services;

/// The environment that a run was started for, as resolved and pinned.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Its cluster.
    pub cluster: String,
    /// Its variables; secrets as `{ "secret": NAME }`.
    pub vars: BTreeMap<String, Value>,
    /// Flink options for every job.
    pub options: BTreeMap<String, String>,
}

/// Where a script's output goes.
pub trait Output: Send + Sync {
    /// A line for standard output.
    fn print(&self, line: &str);
    /// A line of the log, for standard error.
    fn log(&self, level: &str, line: &str);
    /// Whether somebody watches who wants every line of what runs long.
    fn is_watched(&self) -> bool {
        false
    }
}

/// Asks somebody before an effect acts.
pub trait Confirm: Send + Sync {
    /// Gives nothing where the effect may act; arguments are as the journal has them.
    ///
    /// # Errors
    /// `effect.refused`: it does not act, and nothing is recorded.
    fn confirm(&self, function: &str, arguments: &[Value]) -> Result<()>;
}

/// What is known of the closures of the scripts that a run has loaded: Rhai's own know only their name.
pub trait Closures: Send + Sync {
    /// The file that a closure stands in.
    fn home(&self, closure: &str) -> Option<String>;
    /// Its parameters, the variables that it captures first.
    fn parameters(&self, closure: &str) -> Option<Vec<String>>;
    /// The file that has this word at this place: `file` where it has, else the one other file that does.
    fn file_with(&self, file: &str, line: usize, column: usize, word: &str) -> Option<String>;
}

/// What stands behind the host functions of one run.
pub struct Host {
    /// What tidegate works with.
    pub services: Arc<Services>,
    /// The environment.
    pub environment: Environment,
    /// The parameters given with `-p`.
    pub parameters: BTreeMap<String, String>,
    /// What the run reads of the workspace, pinned.
    pub inputs: Inputs,
    /// Ends the run whatever the script catches.
    pub fatal: Fatal,
    /// Raised by Ctrl-C.
    pub cancel: Cancel,
    /// Where asynchronous work runs.
    pub runtime: tokio::runtime::Handle,
    /// Where output goes.
    pub output: Arc<dyn Output>,
    /// Who is asked before effects in a session; none where a script was run.
    pub confirm: Option<Arc<dyn Confirm>>,
    /// The parameters that the script declares.
    pub declared: BTreeMap<String, super::params::Declaration>,
    /// Whether only the declared parameters are being listed: no effect is allowed.
    pub is_listing: bool,
    /// The journal; none while parameters are listed, and in a plan.
    pub journal: Option<Arc<Journal>>,
    /// Collects what the script would do, in a plan.
    pub planner: Option<Planner>,
    /// The script, for the places of its own calls.
    pub script: String,
    /// The stack of each of its threads, in bytes.
    pub stack_bytes: usize,
    /// The closures of its scripts; known once the interpreter is.
    pub closures: OnceLock<Arc<dyn Closures>>,
}

impl Host {
    /// The journal.
    ///
    /// # Errors
    /// `effect.forbidden` while parameters are listed.
    pub fn journal(&self) -> Result<&Journal> {
        self.journal
            .as_deref()
            .ok_or_else(|| Error::new(&code::EFFECT_FORBIDDEN, "nothing may be done while parameters are listed"))
    }

    /// Waits for asynchronous work on the script's thread: the one place where sync meets async.
    ///
    /// # Errors
    /// `cancelled` as soon as somebody asks for it or another branch ends the run, or what the work gives.
    pub fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(self.cancel.select(self.fatal.stopped().select(work)))
    }

    /// The file that a call of `function` stands in, as users know it. Inside a closure Rhai names the file that runs it.
    pub fn called_in(&self, context: &NativeCallContext<'_>, function: &str) -> String {
        let named = context.call_source().filter(|source| !source.is_empty()).unwrap_or(&self.script);
        let position = context.call_position();
        let (Some(line), Some(column)) = (position.line(), position.position()) else { return named.to_owned() };
        let found = self.closures.get().and_then(|closures| closures.file_with(named, line, column, function));
        found.unwrap_or_else(|| named.to_owned())
    }
}
