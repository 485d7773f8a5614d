//! One run of a script from begin to end: its inputs pinned, its effects journaled, its end recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::{AST, Module, Scope, Shared};

use super::engine::{Interpreter, Setup};
use super::limits::Limits;
use super::resolver::{ROOT, Sources, unit_name};
pub use super::source::{STDIN, Script};
use super::stdlib;
use crate::api::NAMESPACES;
use crate::api::context::Context;
use crate::api::declare::register;
use crate::api::host::{Confirm, Environment, Host, Output};
use crate::api::params::{self, Declaration};
use crate::api::planner::Planner;
use crate::api::scope::finish;
use crate::api::throw::Fatal;
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code, suggest};
use crate::model::run::{Run, RunStatus};
use crate::ops::effect::Journal;
use crate::ops::inputs::Inputs;
use crate::ops::services::Services;

/// What every run needs.
#[derive(Clone)]
pub struct Setting {
    /// What the operations work with.
    pub services: Arc<Services>,
    /// Raised by Ctrl-C.
    pub cancel: Cancel,
    /// Where asynchronous work runs.
    pub runtime: tokio::runtime::Handle,
    /// Where output goes.
    pub output: Arc<dyn Output>,
    /// What scripts may use.
    pub limits: Limits,
    /// Who is asked before effects in a session.
    pub confirm: Option<Arc<dyn Confirm>>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// The run's number.
    pub run: i64,
    /// How it stands now.
    pub status: RunStatus,
    /// The error it ended with.
    pub error: Option<Error>,
}

/// The parameters that a script declares, without running it.
///
/// # Errors
/// `script.*`.
pub fn declared(
    setting: &Setting,
    script: &Script,
    environment: &Environment,
) -> Result<BTreeMap<String, Declaration>> {
    declared_in(setting, script.name(), environment, script.inputs(&setting.services, None))
}

fn declared_in(
    setting: &Setting,
    name: &str,
    environment: &Environment,
    inputs: Inputs,
) -> Result<BTreeMap<String, Declaration>> {
    let text = inputs.script(name)?.ok_or_else(|| not_found(&inputs, name))?;
    let host = host(setting, environment.clone(), BTreeMap::new(), BTreeMap::new(), inputs, Purpose::List, name);
    let interpreter = interpreter(setting, &Context::top(host));
    let ast = interpreter.compile(name, &text)?;
    if !ast.iter_functions().any(|function| function.name == "options" && function.params.is_empty()) {
        return Ok(BTreeMap::new());
    }
    let map = interpreter.call_alone(&ast, "options", Vec::new())?;
    let map = map.as_map_ref().map_err(|_| {
        Error::new(&code::ARGUMENT_INVALID, format!("`fn options()` of `{}` must give a map", unit_name(name)))
            .hint("fn options() { #{ name: params::string(\"default\", \"help\") } }")
    })?;
    map.iter()
        .map(|(key, value)| {
            let declaration = value.clone().try_cast::<Declaration>().ok_or_else(|| {
                Error::new(
                    &code::ARGUMENT_INVALID,
                    format!("`{key}` of `fn options()` in `{}` is not a declaration", unit_name(name)),
                )
                .hint(format!("{key}: params::string(\"default\", \"help\")"))
            })?;
            Ok((key.to_string(), declaration))
        })
        .collect()
}

/// Runs a script anew. Nothing is recorded where the script, its environment or its parameters are wrong.
///
/// # Errors
/// What is found before the run begins; afterwards it is in the report.
pub fn start(
    setting: &Setting,
    script: &Script,
    environment: &Environment,
    parameters: &BTreeMap<String, String>,
) -> Result<Report> {
    let declared = declared(setting, script, environment)?;
    params::check(&declared, parameters)?;
    let journal = begin(setting, script, environment, parameters)?;
    let inputs = script.inputs(&setting.services, Some(journal.run().id));
    Ok(perform(setting, environment.clone(), parameters.clone(), declared, inputs, journal))
}

/// Begins a run: records it, takes its lock, and pins its environment, last, since what has that has begun.
///
/// # Errors
/// `state.*`.
pub(super) fn begin(
    setting: &Setting,
    script: &Script,
    environment: &Environment,
    parameters: &BTreeMap<String, String>,
) -> Result<Journal> {
    let store = &setting.services.store;
    let run = store.begin_run(script.name(), &environment.name, &serde_json::json!(parameters).to_string())?;
    let lock = store.try_lock(&format!("run-{}", run.id))?;
    let inputs = script.inputs(&setting.services, Some(run.id));
    if script.text().is_some() {
        // A text that is no file is nowhere else.
        inputs.script(script.name())?;
    }
    inputs.value("environment", &serde_json::json!(environment).to_string())?;
    Journal::open(store.clone(), run, setting.services.secrets.clone(), lock)
}

/// Goes on with a run that is open.
///
/// # Errors
/// `run.not_found`, `run.not_open`, `run.locked`, and what is found before the script goes on.
pub fn resume(setting: &Setting, id: i64, with_current_scripts: bool) -> Result<Report> {
    let store = &setting.services.store;
    super::repl::check_resumable(&setting.services, id)?;
    let lock = lock(&setting.services, id)?;
    let inputs = Inputs::new(store.clone(), setting.services.folder.clone(), Some(id));
    let damaged = |what: &str, error: serde_json::Error| {
        Error::new(&code::STATE_CORRUPT, format!("the {what} of run r{id} cannot be read")).caused_by(error)
    };
    let pinned = store.pinned(id, "value", "environment")?.ok_or_else(|| {
        Error::new(&code::RUN_NOT_OPEN, format!("run r{id} died before it began: nothing was done"))
            .hint(format!("tidegate abandon r{id}"))
    })?;
    // Only now: a process that was merely stopped before it began may still go on.
    let run = store.take_over_run(id)?;
    let environment: Environment = serde_json::from_slice(&pinned).map_err(|error| damaged("environment", error))?;
    let parameters: BTreeMap<String, String> =
        serde_json::from_str(&run.parameters).map_err(|error| damaged("parameters", error))?;
    let inputs = if with_current_scripts { inputs.current() } else { inputs };
    let declared = declared_in(setting, &run.script, &environment, inputs.clone())?;
    let journal = Journal::open(store.clone(), run, setting.services.secrets.clone(), lock)?;
    Ok(perform(setting, environment, parameters, declared, inputs, journal))
}

/// Takes the lock of a run that somebody wants to resume or abandon.
///
/// # Errors
/// `run.locked`.
pub fn lock(services: &Services, id: i64) -> Result<crate::store::Lock> {
    services.store.try_lock(&format!("run-{id}")).map_err(|error| {
        let hint = error.hint_text().unwrap_or("wait until it has ended").to_owned();
        Error::new(&code::RUN_LOCKED, format!("another process works on run r{id}")).caused_by(error).hint(hint)
    })
}

fn perform(
    setting: &Setting,
    environment: Environment,
    parameters: BTreeMap<String, String>,
    declared: BTreeMap<String, Declaration>,
    inputs: Inputs,
    journal: Journal,
) -> Report {
    let store = setting.services.store.clone();
    let run = journal.run().clone();
    let host = host(setting, environment, parameters, declared, inputs, Purpose::Run(Arc::new(journal)), &run.script);
    let result = evaluate(setting, &host, &run);
    let mask = |text: &str| setting.services.secrets.mask(text);
    let error = result.err().map(|error| error.map_texts(&mask));
    let status = match &error {
        None => RunStatus::Done,
        Some(error) => status_of(error),
    };
    let text = error.as_ref().map(|error| error.to_json().to_string());
    match store.end_run(&run, status, text.as_deref()) {
        Ok(()) => Report { run: run.id, status, error },
        // What went wrong first matters more than that it could not be recorded.
        Err(failure) => Report { run: run.id, status: RunStatus::Running, error: error.or(Some(failure)) },
    }
}

fn evaluate(setting: &Setting, host: &Arc<Host>, run: &Run) -> Result<()> {
    let text = host.inputs.script(&run.script)?.ok_or_else(|| not_found(&host.inputs, &run.script))?;
    let top = Context::top(host.clone());
    let interpreter = interpreter(setting, &top);
    let ast: AST = interpreter.compile(&run.script, &text)?;
    // What the last expression gives is nobody's: a script may end as it likes.
    drop(interpreter.execute_then(&ast, &mut Scope::new(), |engine, result| finish(engine, &top, result))?);
    Ok(())
}

/// An error ends a run for good, unless an outcome is open: then somebody goes on with it.
fn status_of(error: &Error) -> RunStatus {
    if error.is(&code::CANCELLED) {
        RunStatus::Interrupted
    } else if crate::ops::effect::leaves_open(error) || error.is(&code::INTERNAL) || error.is(&code::SCRIPT_PANIC) {
        RunStatus::Waiting
    } else {
        RunStatus::Failed
    }
}

/// What a script is evaluated for.
pub(super) enum Purpose {
    /// To list its parameters.
    List,
    /// To be run.
    Run(Arc<Journal>),
    /// To tell what a run would do.
    Plan,
}

pub(super) fn host(
    setting: &Setting,
    environment: Environment,
    parameters: BTreeMap<String, String>,
    declared: BTreeMap<String, Declaration>,
    inputs: Inputs,
    purpose: Purpose,
    script: &str,
) -> Arc<Host> {
    let is_listing = matches!(purpose, Purpose::List);
    let (journal, planner) = match purpose {
        Purpose::List => (None, None),
        Purpose::Run(journal) => (Some(journal), None),
        Purpose::Plan => (None, Some(Planner::default())),
    };
    Arc::new(Host {
        services: setting.services.clone(),
        environment,
        parameters,
        inputs,
        fatal: Fatal::default(),
        cancel: setting.cancel.clone(),
        runtime: setting.runtime.clone(),
        output: setting.output.clone(),
        confirm: setting.confirm.clone(),
        declared,
        is_listing,
        journal,
        planner,
        script: unit_name(script),
        stack_bytes: setting.limits.stack_bytes,
        closures: std::sync::OnceLock::new(),
    })
}

pub(super) fn interpreter(setting: &Setting, top: &Context) -> Interpreter {
    let (modules, global) = modules();
    let host = &top.host;
    let printer = top.clone();
    let (printed, most) = (std::sync::atomic::AtomicU64::new(0), setting.limits.printed_bytes);
    let interpreter = Interpreter::new(Setup {
        modules,
        global,
        sources: Arc::new(Pinned(host.inputs.clone())),
        cancel: setting.cancel.clone(),
        fatal: host.fatal.clone(),
        limits: setting.limits.clone(),
        print: Box::new(move |text, _, _| {
            // What is printed on replay was printed before.
            let branch = Context::current();
            let branch = branch.as_ref().unwrap_or(&printer);
            let before = printed.fetch_add(text.len() as u64, std::sync::atomic::Ordering::Relaxed);
            if before > most {
                branch.host.fatal.keep(
                    Error::new(&code::SCRIPT_LIMIT, format!("the script printed more than {} MB", most >> 20))
                        .hint("write less: what is printed goes to a terminal or a log"),
                );
            } else if !branch.is_replaying() {
                branch.host.output.print(&branch.host.services.secrets.mask(text));
            }
        }),
        tag: top.clone().into_tag(),
    });
    // Set once, here: the host is new.
    let _ = host.closures.set(interpreter.closures());
    interpreter
}

type Modules = (Vec<(String, Shared<Module>)>, Shared<Module>);

/// The script surface as Rhai modules, built once in a process.
pub fn modules() -> Modules {
    static MODULES: std::sync::OnceLock<Modules> = std::sync::OnceLock::new();
    MODULES
        .get_or_init(|| {
            let mut global = Module::new();
            let mut modules = Vec::new();
            for namespace in NAMESPACES {
                let mut module = Module::new();
                register(namespace, &mut module, &mut global);
                module.build_index();
                modules.push((namespace.name.to_owned(), Shared::new(module)));
            }
            crate::api::global::register(&mut global);
            global.build_index();
            (modules, Shared::new(global))
        })
        .clone()
}

/// Scripts as the run pinned them.
struct Pinned(Inputs);

impl Sources for Pinned {
    fn load(&self, name: &str) -> Result<Option<String>> {
        self.0.script(name)
    }

    fn std(&self, name: &str) -> Option<&'static str> {
        stdlib::text(name)
    }
}

/// The path of a script below `scripts/`, from what a user typed.
pub(super) fn file_name(script: &str) -> String {
    let name = script.strip_prefix("./").unwrap_or(script);
    let name = name.strip_prefix(ROOT).unwrap_or(name);
    if name.ends_with(".rhai") { name.to_owned() } else { format!("{name}.rhai") }
}

pub(super) fn not_found(inputs: &Inputs, name: &str) -> Error {
    let files = inputs.folder().list("scripts/**/*.rhai").ok();
    let names =
        |files: Vec<String>| files.iter().filter_map(|file| file.strip_prefix(ROOT).map(str::to_owned)).collect();
    no_script(files.map(names), name)
}

/// The error for a script that is not there; `known` are those that are.
pub(super) fn no_script(known: Option<Vec<String>>, name: &str) -> Error {
    let error = Error::new(&code::SCRIPT_NOT_FOUND, format!("there is no script `{ROOT}{name}` in the workspace"));
    match known {
        Some(known) if known.is_empty() => error.hint("there is no script at all: `tidegate init` writes two examples"),
        Some(known) => error.hint(suggest::hint(name, known.iter().map(String::as_str))),
        None => error,
    }
}
