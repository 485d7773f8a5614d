//! Imports: which file a path means, where its text comes from, and what a run has loaded.
//!
//! `import "lib/util"` is `scripts/lib/util.rhai`; `./` and `../` count from the importing file; `std/...` is the embedded
//! library. Rhai's own resolver follows `../`, absolute paths and symbolic links out of its folder, and dies of a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rhai::{AST, Engine, EvalAltResult, FnNamespace, Module, ModuleResolver, Position, Scope, Shared};

use super::catching::CatchNames;
use super::engine::{Import, imports};
use super::lints;
use crate::api::throw::{Thrown, raise_at};
use crate::base::error::Place;
use crate::base::{Error, Result, code};

/// What every script's name begins with, save those of the embedded library.
pub const ROOT: &str = "scripts/";

/// What names of the embedded library begin with, in `import` and in messages.
pub const STD: &str = "std/";

/// The longest text of a script, in bytes.
pub const MAX_SCRIPT_BYTES: u64 = 1 << 20;

/// Where the texts of scripts come from: a folder, or what a run pinned.
pub trait Sources: Send + Sync {
    /// The text of a script; `name` is relative to `scripts/`, uses `/`, ends in `.rhai`, and has no `..`.
    /// `None` where there is none.
    ///
    /// # Errors
    /// `script.import` for a path that leaves the folder or is too large, `file.invalid` for one that cannot be read.
    fn load(&self, name: &str) -> Result<Option<String>>;

    /// The text of a file of the embedded library; `name` is relative to it and ends in `.rhai`.
    fn std(&self, _name: &str) -> Option<&'static str> {
        None
    }
}

/// The name under which a script is known everywhere: with `scripts/` in front, unless it is of the embedded library or
/// no file at all (`<shell>`).
pub fn unit_name(name: &str) -> String {
    match name.starts_with('<') || name.starts_with(STD) {
        true => name.to_owned(),
        false => format!("{ROOT}{name}"),
    }
}

/// The name of the script that `import path` means in the script `importer`; both names as [`unit_name`] gives them.
///
/// # Errors
/// `script.import` for a path that is absolute, empty or no path, or leaves `scripts/` (or `std/`).
pub fn resolve(importer: &str, path: &str) -> Result<String> {
    let refuse = |what: &str| {
        Err(Error::new(&code::SCRIPT_IMPORT, format!("import of `{path}` {what}"))
            .hint(format!("paths count from `{ROOT}` (`\"lib/util\"`) or from this file (`\"./util\"`); `std/...` is tidegate's own library")))
    };
    if path.is_empty() {
        return refuse("names nothing");
    }
    if path.starts_with('/') || path.contains('\\') || path.contains(':') {
        return refuse("is an absolute path, or not a path of this workspace");
    }
    if path.chars().any(char::is_control) {
        return refuse("is not a path");
    }
    let relative = path.starts_with("./") || path.starts_with("../");
    let (base, rest) = if relative {
        let base = if importer.starts_with(STD) { STD } else { ROOT };
        let within = importer.strip_prefix(base).unwrap_or_default();
        let folder = within.rsplit_once('/').map_or("", |(folder, _)| folder);
        (base, format!("{folder}/{path}"))
    } else if let Some(rest) = path.strip_prefix(STD) {
        (STD, rest.to_owned())
    } else {
        (ROOT, path.to_owned())
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return refuse(&format!("leaves `{base}`")),
            ".." => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() || path.ends_with('/') {
        return refuse("names a folder");
    }
    let name = parts.join("/");
    Ok(match name.ends_with(".rhai") {
        true => format!("{base}{name}"),
        false => format!("{base}{name}.rhai"),
    })
}

/// A script that was loaded.
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) ast: AST,
    pub(super) imports: Vec<(String, Import)>,
}

impl Unit {
    /// A script whose imports are not looked at yet.
    pub(super) fn new(name: &str, text: String, mut ast: AST) -> Self {
        ast.set_source(name);
        Self { name: name.to_owned(), text, ast, imports: Vec::new() }
    }

    /// Finds out which files the imports mean; gives the errors of those that mean none.
    pub(super) fn follow_imports(&mut self) -> Vec<Error> {
        let mut errors = Vec::new();
        for import in imports(&self.ast) {
            match resolve(&self.name, &import.path) {
                Ok(target) => self.imports.push((target, import)),
                Err(error) => errors.push(error.at(self.place(import.position, ""))),
            }
        }
        errors
    }

    /// A place in this script.
    pub(super) fn place(&self, position: Position, label: &str) -> Place {
        place(&self.name, Some(&self.text), position, label)
    }
}

pub(super) fn place(file: &str, text: Option<&str>, position: Position, label: &str) -> Place {
    let line = position.line().unwrap_or(0);
    Place {
        file: file.to_owned(),
        line,
        column: position.position().unwrap_or(0),
        excerpt: text.and_then(|text| super::excerpt(text, line)),
        label: label.to_owned(),
    }
}

/// Everything that a run has loaded: texts, syntax trees, evaluated modules.
pub(super) struct Book {
    sources: Arc<dyn Sources>,
    units: RwLock<BTreeMap<String, Arc<Unit>>>,
    /// Which script each anonymous function comes from: the closures of Rhai know only their name.
    closures: RwLock<BTreeMap<String, String>>,
    modules: Mutex<BTreeMap<String, Shared<Module>>>,
    /// How the scripts call what they catch.
    pub(super) caught: CatchNames,
}

impl Book {
    pub(super) fn new(sources: Arc<dyn Sources>) -> Self {
        Self {
            sources,
            units: RwLock::default(),
            closures: RwLock::default(),
            modules: Mutex::default(),
            caught: CatchNames::default(),
        }
    }

    pub(super) fn unit(&self, name: &str) -> Option<Arc<Unit>> {
        self.units.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn units(&self) -> Vec<Arc<Unit>> {
        self.units.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The script that an anonymous function stands in.
    pub(super) fn home(&self, closure: &str) -> Option<String> {
        self.closures.read().unwrap_or_else(PoisonError::into_inner).get(closure).cloned()
    }

    /// Parses a script and all that it imports, and looks for what would go wrong silently later.
    pub(super) fn open(&self, engine: &Engine, name: &str, text: String, scope: &Scope<'_>) -> Result<Arc<Unit>> {
        let unit = self.add(engine, name, text, scope)?;
        let mut reached = BTreeSet::new();
        self.follow(engine, &unit, &mut vec![name.to_owned()], &mut reached)?;
        for name in reached.iter().map(String::as_str).chain([name]) {
            if let Some(unit) = self.unit(name) {
                lints::names_that_imports_take_over(&unit, self)?;
            }
        }
        Ok(unit)
    }

    /// Parses the next input of a session, which keeps the functions and closures of the inputs before it.
    pub(super) fn open_next(
        &self,
        engine: &Engine,
        name: &str,
        text: &str,
        shown: &str,
        earlier: &AST,
        scope: &Scope<'_>,
    ) -> Result<AST> {
        let input = self.open(engine, name, text.to_owned(), scope)?;
        let mut ast = earlier.merge(&input.ast);
        ast.set_source(name);
        let (name, text) = (name.to_owned(), shown.to_owned());
        self.keep(Arc::new(Unit { name, text, ast: ast.clone(), imports: input.imports.clone() }))?;
        Ok(ast)
    }

    /// Whether the top of a file has run.
    pub(super) fn has_module(&self, name: &str) -> bool {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    fn add(&self, engine: &Engine, name: &str, text: String, scope: &Scope<'_>) -> Result<Arc<Unit>> {
        let ast = engine
            .compile_with_scope(scope, &text)
            .map_err(|error| super::syntax::syntax_error(engine, name, &text, error.err_type(), error.position()))?;
        let mut unit = Unit::new(name, text, ast);
        lints::within(&unit)?;
        match unit.follow_imports().into_iter().next() {
            Some(error) => Err(error),
            None => self.keep(Arc::new(unit)),
        }
    }

    /// Takes a unit that was parsed elsewhere.
    pub(super) fn keep(&self, unit: Arc<Unit>) -> Result<Arc<Unit>> {
        self.know_closures(&unit)?;
        self.caught.learn(&unit.ast);
        self.units.write().unwrap_or_else(PoisonError::into_inner).insert(unit.name.clone(), unit.clone());
        Ok(unit)
    }

    fn know_closures(&self, unit: &Unit) -> Result<()> {
        let mut closures = self.closures.write().unwrap_or_else(PoisonError::into_inner);
        // The text of a script may have changed since it was opened before: a shell's input has.
        closures.retain(|_, home| *home != unit.name);
        for function in unit.ast.iter_fn_def().filter(|function| lints::is_anonymous(&function.name)) {
            match closures.get(function.name.as_str()) {
                Some(home) => return Err(lints::same_closure(unit, function.body.start_position(), home)),
                None => closures.insert(function.name.to_string(), unit.name.clone()),
            };
        }
        Ok(())
    }

    fn follow(
        &self,
        engine: &Engine,
        unit: &Unit,
        chain: &mut Vec<String>,
        reached: &mut BTreeSet<String>,
    ) -> Result<()> {
        for (target, import) in &unit.imports {
            if let Some(start) = chain.iter().position(|name| name == target) {
                return Err(circle(&chain[start..], target, unit, import));
            }
            if !reached.insert(target.clone()) {
                continue;
            }
            let imported = match self.unit(target) {
                Some(unit) => unit,
                None => {
                    let text = self.text(target, unit, import)?;
                    self.add(engine, target, text, &Scope::new()).map_err(|error| match error.places().is_empty() {
                        true => error.at(unit.place(import.position, "")),
                        false => error.at(unit.place(import.position, "imported here")),
                    })?
                }
            };
            chain.push(target.clone());
            self.follow(engine, &imported, chain, reached)?;
            chain.pop();
        }
        Ok(())
    }

    fn text(&self, target: &str, importer: &Unit, import: &Import) -> Result<String> {
        let text = match target.strip_prefix(STD) {
            Some(name) => self.sources.std(name).map(str::to_owned),
            None => self
                .sources
                .load(target.strip_prefix(ROOT).unwrap_or(target))
                .map_err(|error| error.at(importer.place(import.position, "")))?,
        };
        text.ok_or_else(|| not_there(target, importer, import))
    }

    /// The names of all scripts that this one imports, over any number of files.
    pub(super) fn reached_from(&self, unit: &Unit) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<String> = unit.imports.iter().map(|(target, _)| target.clone()).collect();
        while let Some(name) = open.pop() {
            if reached.insert(name.clone())
                && let Some(unit) = self.unit(&name)
            {
                open.extend(unit.imports.iter().map(|(target, _)| target.clone()));
            }
        }
        reached
    }

    fn module(&self, engine: &Engine, unit: &Unit) -> Thrown<Shared<Module>> {
        if let Some(module) = self.modules.lock().unwrap_or_else(PoisonError::into_inner).get(&unit.name) {
            return Ok(module.clone());
        }
        let mut global = engine.new_global_runtime_state();
        // Without the run's tag, host functions that need a run refuse: effects have no place at the top of an import.
        global.tag = rhai::Dynamic::UNIT;
        let mut module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), &mut global, &unit.ast)?;
        reachable_closures(&mut module, &unit.ast);
        let module = Shared::new(module);
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).insert(unit.name.clone(), module.clone());
        Ok(module)
    }
}

/// Since 1.26 Rhai finds a closure by its name where it is *called*, and the closures of a module are not known outside.
/// In the global namespace they are, and run with the functions, imports and constants of their own module.
fn reachable_closures(module: &mut Module, ast: &AST) {
    let mut scratch = Module::new();
    for function in ast.iter_fn_def().filter(|function| lints::is_anonymous(&function.name)) {
        let hash = scratch.set_script_fn(function.clone());
        // Deprecated in favour of `FuncRegistration`, which cannot take functions of scripts.
        #[allow(deprecated)]
        module.update_fn_namespace(hash, FnNamespace::Global);
    }
    module.build_index();
}

/// The error for an import of a file that is not there.
pub(super) fn not_there(target: &str, importer: &Unit, import: &Import) -> Error {
    let error = Error::new(&code::SCRIPT_IMPORT, format!("there is no `{target}`"));
    let error = error.at(importer.place(import.position, ""));
    match import.path.starts_with(ROOT) || import.path.starts_with('.') {
        false => error.hint(format!("paths count from `{ROOT}`; `./` in front makes them count from this file")),
        true if import.path.starts_with(ROOT) => error.hint(format!("paths count from `{ROOT}` already: leave it out")),
        true => error,
    }
}

/// The error for a circle of imports: the names from its start to the one that closes it.
pub(super) fn circle(names: &[String], target: &str, importer: &Unit, import: &Import) -> Error {
    let mut circle: Vec<&str> = names.iter().map(|name| short(name)).collect();
    circle.push(short(target));
    Error::new(&code::SCRIPT_IMPORT, format!("import circle: {}", circle.join(" -> ")))
        .hint("move what both need into a third file")
        .at(importer.place(import.position, ""))
}

/// The name as one writes it in an import.
fn short(name: &str) -> &str {
    name.strip_prefix(ROOT).unwrap_or(name)
}

/// Serves imports from what was loaded before the run began.
pub(super) struct Resolver(pub(super) Arc<Book>);

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, source: Option<&str>, path: &str, position: Position) -> Thrown<Shared<Module>> {
        let importer = source.unwrap_or_default();
        let unit = resolve(importer, path).and_then(|name| {
            self.0.unit(&name).ok_or_else(|| {
                Error::new(&code::SCRIPT_IMPORT, format!("`{name}` was not loaded before the run began"))
                    .hint("every import is a text in quotes, so that a run can pin what it imports")
            })
        });
        let unit = unit.map_err(|error| raise_at(error, position))?;
        self.0
            .module(engine, &unit)
            .map_err(|error| EvalAltResult::ErrorInModule(unit.name.clone(), error, position).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_names() {
        let from = "scripts/policies/a.rhai";
        for (path, name) in [
            ("lib/util", "scripts/lib/util.rhai"),
            ("lib/util.rhai", "scripts/lib/util.rhai"),
            ("./b", "scripts/policies/b.rhai"),
            ("../lib/x", "scripts/lib/x.rhai"),
            ("lib/../x", "scripts/x.rhai"),
            ("std/policies/failure_rate", "std/policies/failure_rate.rhai"),
        ] {
            assert_eq!(resolve(from, path).unwrap(), name, "{path}");
        }
        assert_eq!(resolve("std/policies/a.rhai", "./b").unwrap(), "std/policies/b.rhai");
        assert_eq!(resolve("<shell>", "./b").unwrap(), "scripts/b.rhai");
    }

    #[test]
    fn paths_that_leave_are_refused() {
        for (from, path) in [
            ("scripts/a.rhai", "../secret"),
            ("scripts/policies/a.rhai", "../../secret"),
            ("scripts/a.rhai", "lib/../../secret"),
            ("scripts/a.rhai", "/etc/passwd"),
            ("scripts/a.rhai", "C:\\x"),
            ("scripts/a.rhai", "std/../scripts/a"),
            ("std/a.rhai", "../scripts/a"),
            ("scripts/a.rhai", ""),
            ("scripts/a.rhai", "lib/"),
            ("scripts/a.rhai", "a\0b"),
        ] {
            let error = resolve(from, path).unwrap_err();
            assert!(error.is(&code::SCRIPT_IMPORT), "{path}: {error:?}");
        }
    }
}
