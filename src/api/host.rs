//! What stands behind the host functions of one run.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rhai::{Dynamic, NativeCallContext};
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
    /// The parameters that the script declares.
    pub declared: BTreeMap<String, super::params::Declaration>,
    /// Whether only the declared parameters are being listed: no effect is allowed.
    pub is_listing: bool,
    /// The journal; none while parameters are listed, and in a plan.
    pub journal: Option<Journal>,
    /// Collects what the script would do, in a plan.
    pub planner: Option<Planner>,
    /// The script, for the places of its own calls.
    pub script: String,
}

impl Host {
    /// The journal.
    ///
    /// # Errors
    /// `effect.forbidden` while parameters are listed.
    pub fn journal(&self) -> Result<&Journal> {
        self.journal
            .as_ref()
            .ok_or_else(|| Error::new(&code::EFFECT_FORBIDDEN, "nothing may be done while parameters are listed"))
    }

    /// Waits for asynchronous work on the script's thread: the one place where sync meets async.
    ///
    /// # Errors
    /// `cancelled` as soon as somebody asks for it, or what the work gives.
    pub fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(self.cancel.select(work))
    }

    /// The file that a call stands in, as users know it.
    pub fn script_name(&self, source: Option<&str>) -> String {
        source.filter(|source| !source.is_empty()).unwrap_or(&self.script).to_owned()
    }

    /// Whether output is to be shown: what is printed on replay was printed before.
    pub fn is_replaying(&self) -> bool {
        // A plan only thinks of what it would say.
        self.planner.is_some() || self.journal.as_ref().is_some_and(Journal::is_replaying)
    }
}

/// A branch of a run: its path in the journal and its counter. Travels as Rhai's tag.
#[derive(Clone)]
pub struct Context {
    /// The host.
    pub host: Arc<Host>,
    /// The path: empty at top level, `"3/"` inside the scope of step 3.
    pub path: Arc<str>,
    sequence: Arc<AtomicI64>,
}

impl Context {
    /// The top level of a run.
    pub fn top(host: Arc<Host>) -> Self {
        Self { host, path: "".into(), sequence: Arc::default() }
    }

    /// The inside of a scope that is step `number` of this path.
    pub fn inside(&self, number: i64) -> Self {
        Self { host: self.host.clone(), path: format!("{}{number}/", self.path).into(), sequence: Arc::default() }
    }

    /// The number of the next step on this path.
    pub fn next(&self) -> i64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the step that was counted last.
    pub fn last(&self) -> i64 {
        self.sequence.load(Ordering::Relaxed) - 1
    }

    /// The context that Rhai carries; none while a file is imported.
    pub fn of(context: &NativeCallContext<'_>) -> Option<Self> {
        context.tag()?.read_lock::<Self>().map(|context| context.clone())
    }

    /// This context as Rhai's tag.
    pub fn into_tag(self) -> Dynamic {
        Dynamic::from(self)
    }
}
