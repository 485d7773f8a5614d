//! A session that takes one input after the other: variables, functions and imports stay, and all of it is one run.
//!
//! Each input has an interpreter and a host of its own, so that its limits, its printed bytes and what ended it are its own.

use std::cell::OnceCell;
use std::sync::Arc;

use rhai::{AST, Dynamic, Scope, Stmt};

use super::complete::Words;
use super::engine::{Interpreter, functions, imports};
use super::resolver::{ROOT, resolve};
use super::runner::{self, Purpose, Script, Setting};
use super::{show, stdlib};
use crate::api::context::Context;
use crate::api::host::{Environment, Host};
use crate::api::scope::finish;
use crate::base::{Error, Result, code};
use crate::model::run::{RunStatus, StepStatus};
use crate::ops::effect::Journal;
use crate::ops::inputs::Inputs;
use crate::ops::services::Services;

/// The script's name of a run that is a session.
pub const NAME: &str = "<repl>";

/// A variable of a session.
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, in the words of the reference.
    pub kind: &'static str,
    /// Its value in a line, secrets masked.
    pub value: String,
}

/// A session.
pub struct Repl {
    setting: Setting,
    environment: Environment,
    journal: Arc<Journal>,
    inputs: Inputs,
    top: Context,
    scope: Scope<'static>,
    functions: AST,
    transcript: Transcript,
    /// What can be completed whatever was typed, once somebody types.
    words: OnceCell<Words>,
    imported: Vec<(String, Vec<super::Function>)>,
}

impl Repl {
    /// Begins a session, which is a run from now on.
    ///
    /// # Errors
    /// `state.*`.
    pub fn open(setting: &Setting, environment: &Environment) -> Result<Self> {
        let journal = Arc::new(runner::begin(setting, &Script::session(NAME), environment, &Default::default())?);
        // Nothing but the environment is pinned: who mends a template in another window wants the mended one.
        let inputs = Inputs::new(setting.services.store.clone(), setting.services.folder.clone(), None);
        let top = Context::top(host(setting, environment, &inputs, &journal));
        Ok(Self {
            setting: setting.clone(),
            environment: environment.clone(),
            journal,
            inputs,
            top,
            scope: Scope::new(),
            functions: AST::empty(),
            transcript: Transcript::default(),
            words: OnceCell::new(),
            imported: Vec::new(),
        })
    }

    /// The number of the run.
    pub fn run(&self) -> i64 {
        self.journal.run().id
    }

    /// Runs an input; gives the value of its last expression as people read it, nothing for `()`.
    ///
    /// # Errors
    /// What a script raises. The session goes on, save after what [`ends_session`].
    pub fn evaluate(&mut self, input: &str) -> Result<Option<String>> {
        self.top = self.top.next_input(host(&self.setting, &self.environment, &self.inputs, &self.journal));
        let interpreter = runner::interpreter(&self.setting, &self.top);
        let result = self.perform(&interpreter, input);
        let secrets = &self.setting.services.secrets;
        match result {
            Ok(value) => Ok(show::value(&value).map(|text| secrets.mask(&text))),
            Err(error) => Err(error.map_texts(&|text| secrets.mask(text))),
        }
    }

    fn perform(&mut self, interpreter: &Interpreter, input: &str) -> Result<Dynamic> {
        let text = self.transcript.add(input);
        let shown = &self.transcript.text;
        let ast = interpreter.compile_next(NAME, &text, shown, &self.functions, &self.scope)?;
        let top = &self.top;
        let result = interpreter.execute_then(&ast, &mut self.scope, |engine, result| finish(engine, top, result));
        self.functions = ast.clone_functions_only();
        self.transcript.keep_imports(interpreter, &ast);
        let trees = self.transcript.imports.iter().filter_map(|import| {
            let tree = interpreter.tree(&resolve(NAME, &import.path).ok()?)?;
            let public = functions(&tree, "").into_iter().filter(|function| !function.private).collect();
            Some((import.alias.clone(), public))
        });
        self.imported = trees.collect();
        result
    }

    /// The variables, the newest of each name.
    pub fn variables(&self) -> Vec<Variable> {
        let mut found: Vec<Variable> = Vec::new();
        for (name, _, value) in self.scope.iter() {
            found.retain(|other| other.name != name);
            found.push(Variable {
                name: name.to_owned(),
                kind: show::kind(&value),
                value: self.setting.services.secrets.mask(&show::short(&value)),
            });
        }
        found
    }

    /// What can be completed now.
    ///
    /// # Errors
    /// What parsing the library gives.
    pub fn words(&self) -> Result<Words> {
        let mut words = match self.words.get() {
            Some(words) => words.clone(),
            None => {
                let words = Words::of(&runner::interpreter(&self.setting, &self.top))?;
                self.words.get_or_init(|| words).clone()
            }
        };
        for (name, _, value) in self.scope.iter() {
            words.variable(name, show::kind(&value), &value);
        }
        for function in functions(&self.functions, "") {
            words.function("", &function);
        }
        for (alias, functions) in &self.imported {
            functions.iter().for_each(|function| words.function(&format!("{alias}::"), function));
        }
        // A folder that cannot be listed completes nothing.
        let list = |pattern: &str, root: &str| -> Vec<String> {
            let files = self.inputs.folder().list(pattern).unwrap_or_default();
            files.iter().filter_map(|file| file.strip_prefix(root).map(str::to_owned)).collect()
        };
        words.templates = list("templates/**/*", "templates/");
        let scripts = list("scripts/**/*.rhai", ROOT);
        words.scripts = scripts.iter().map(|file| file.trim_end_matches(".rhai").to_owned()).collect();
        words.scripts.extend(stdlib::names().map(|name| format!("std/{}", name.trim_end_matches(".rhai"))));
        Ok(words)
    }

    /// Ends the run, and gives the numbers of the steps whose outcome nobody knows.
    ///
    /// # Errors
    /// `run.superseded`, `state.*`.
    pub fn close(self, error: Option<&Error>) -> Result<Vec<String>> {
        let store = &self.setting.services.store;
        let run = self.journal.run();
        let steps = store.steps(run.id)?;
        let open = steps.iter().filter(|step| step.status == StepStatus::Open).map(|step| step.number()).collect();
        let status = if error.is_some() { RunStatus::Failed } else { RunStatus::Done };
        let text = error.map(|error| error.to_json().to_string());
        store.end_run(run, status, text.as_deref())?;
        Ok(open)
    }
}

fn host(setting: &Setting, environment: &Environment, inputs: &Inputs, journal: &Arc<Journal>) -> Arc<Host> {
    let purpose = Purpose::Run(journal.clone());
    runner::host(setting, environment.clone(), Default::default(), Default::default(), inputs.clone(), purpose, NAME)
}

/// Whether nothing more can be run after an error: the journal is not ours any more, or something is broken inside.
pub fn ends_session(error: &Error) -> bool {
    [
        &code::RUN_SUPERSEDED,
        &code::RUN_DIVERGED,
        &code::STATE_LOCKED,
        &code::STATE_READ_ONLY,
        &code::STATE_DISK_FULL,
        &code::STATE_CORRUPT,
        &code::STATE_IO,
        &code::INTERNAL,
        &code::SCRIPT_PANIC,
    ]
    .iter()
    .any(|code| error.is(code))
}

/// Refuses to go on with what has no text that could run again.
///
/// # Errors
/// `run.not_found`; `run.not_open` for a session of `tidegate repl`.
pub fn check_resumable(services: &Services, id: i64) -> Result<()> {
    let run = services.store.run(id)?;
    if run.script != NAME || !run.status.is_open() {
        return Ok(());
    }
    Err(Error::new(
        &code::RUN_NOT_OPEN,
        format!("run r{id} is a session of `tidegate repl`: what was typed there is not kept, and cannot be replayed"),
    )
    .hint(format!(
        "`tidegate runs show r{id}` lists what it did; `tidegate abandon r{id}` gives it up, and the next deploy of a job settles a submission that was not answered"
    )))
}

/// What was typed so far. Lines are counted through the session, so that each place in it has one name.
#[derive(Default)]
struct Transcript {
    text: String,
    /// Rhai forgets imports between inputs, so they are repeated.
    imports: Vec<Repeated>,
}

struct Repeated {
    line: usize,
    path: String,
    alias: String,
}

impl Transcript {
    /// Adds an input; gives it with the lines so far in front, which are empty but for the imports.
    fn add(&mut self, input: &str) -> String {
        let mut text = String::new();
        for line in 1..=self.text.lines().count() {
            for import in self.imports.iter().filter(|import| import.line == line) {
                text.push_str(&format!("import {:?} as {};", import.path, import.alias));
            }
            text.push('\n');
        }
        text.push_str(input);
        self.text.push_str(input);
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        text
    }

    /// Keeps those at the top whose file has run: one that failed would fail again at each input.
    fn keep_imports(&mut self, interpreter: &Interpreter, ast: &AST) {
        let all = imports(ast);
        self.imports.clear();
        for statement in ast.statements() {
            let Stmt::Import(import, _) = statement else { continue };
            let place = import.0.start_position();
            let Some(found) = all.iter().find(|other| other.position == place) else { continue };
            let has_run = resolve(NAME, &found.path).is_ok_and(|name| interpreter.has_imported(&name));
            if has_run && !import.1.name.is_empty() {
                let (path, alias) = (found.path.clone(), import.1.name.to_string());
                self.imports.retain(|other| other.alias != alias);
                self.imports.push(Repeated { line: place.line().unwrap_or(1), path, alias });
            }
        }
    }
}
