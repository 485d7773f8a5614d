//! The interpreter of one run: an engine made of shared parts in microseconds, used once, dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rhai::packages::{Package, StandardPackage};
use rhai::{
    AST, ASTNode, CallFnOptions, Dynamic, Engine, EvalAltResult, Expr, FnAccess, Module, OptimizationLevel, Position,
    Scope, Shared, Stmt, Token,
};

use super::catching::CatchNames;
use super::limits::{self, Limits};
use super::resolver::{Book, Resolver, Sources, unit_name};
use super::{banned, bounded, catching, diagnostics, lints};
use crate::api::host::Closures;
use crate::api::throw::{Fatal, Thrown};
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code, panics};

/// Takes what `print` and `debug` say, with the script and the place of the call.
/// `print` gives no place: Rhai does not tell it.
pub type Print = Box<dyn Fn(&str, Option<&str>, Position) + Send + Sync>;

/// What a run is made of.
pub struct Setup {
    /// The namespaces of host functions, `job::`, `sql::` ...
    pub modules: Vec<(String, Shared<Module>)>,
    /// Host functions and types without a namespace.
    pub global: Shared<Module>,
    /// Where imported scripts come from.
    pub sources: Arc<dyn Sources>,
    /// Stops the script at its next operation.
    pub cancel: Cancel,
    /// The slot that host functions fill to end a run that must not go on.
    pub fatal: Fatal,
    /// What the script may use.
    pub limits: Limits,
    /// Takes what the script prints.
    pub print: Print,
    /// What host functions find in their context: the run. While a file is imported they find `()` instead.
    pub tag: Dynamic,
}

/// Runs the scripts of one run.
pub struct Interpreter {
    engine: Engine,
    book: Arc<Book>,
    fatal: Fatal,
    limits: Limits,
}

/// Rhai reserves `var`, and `env::var` is the name that users expect: behind `::` it is a name like any other.
#[allow(deprecated, reason = "Rhai marks its internals so; the version is pinned")]
fn allow_env_var(engine: &mut Engine) {
    let behind_colons = AtomicBool::new(false);
    engine.on_parse_token(move |token, _, _| {
        let behind = behind_colons.swap(token == Token::DoubleColon, Ordering::Relaxed);
        match token {
            Token::Reserved(word) if behind && *word == "var" => Token::Identifier(word),
            token => token,
        }
    });
}

/// An engine that knows all that scripts can use, and where scripts parse as they do for a run.
pub(super) fn engine(
    modules: Vec<(String, Shared<Module>)>,
    global: Shared<Module>,
    limits: &Limits,
    caught: CatchNames,
) -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(standard_package());
    engine.register_global_module(banned::module());
    engine.register_global_module(bounded::module());
    engine.register_global_module(global);
    for (name, module) in modules {
        engine.register_static_module(name, module);
    }
    catching::register(&mut engine, caught);

    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    // A misspelt key would otherwise be `()` and steer a branch. `map.get("k") ?? 1` and `"k" in map` still ask.
    engine.set_fail_on_invalid_map_property(true);
    // Parallel branches share the engine, and the interner is a lock that all of them would wait for.
    engine.set_max_strings_interned(0);
    for (symbol, _) in banned::SYMBOLS {
        engine.disable_symbol(*symbol);
    }
    allow_env_var(&mut engine);
    limits.apply(&mut engine);
    engine
}

impl Interpreter {
    /// Builds the engine; some microseconds.
    pub fn new(setup: Setup) -> Self {
        let Setup { modules, global, sources, cancel, fatal, limits, print, tag } = setup;
        let book = Arc::new(Book::new(sources));
        let mut engine = engine(modules, global, &limits, book.caught.clone());
        limits::watch(&mut engine, &limits, cancel, fatal.clone());

        let print = Arc::new(print);
        let debug = print.clone();
        engine.on_print(move |text| print(text, None, Position::NONE));
        engine.on_debug(move |text, source, position| debug(text, source, position));

        engine.set_module_resolver(Resolver(book.clone()));
        engine.set_default_tag(tag);
        Self { engine, book, fatal, limits }
    }

    /// The engine, for what reads metadata from it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Parses a script and everything that it imports. `name` is relative to `scripts/`, or `std/...`, or `<shell>`.
    ///
    /// # Errors
    /// `script.syntax`, `script.import`, `script.banned`, `function.unknown` for a namespace that does not exist.
    pub fn compile(&self, name: &str, text: &str) -> Result<AST> {
        self.compile_with_scope(name, text, &Scope::new())
    }

    /// Like [`Interpreter::compile`], for a script that uses the variables of a scope.
    ///
    /// # Errors
    /// Like [`Interpreter::compile`].
    pub fn compile_with_scope(&self, name: &str, text: &str, scope: &Scope<'_>) -> Result<AST> {
        // Deeply nested source is parsed recursively: it needs the stack as well.
        self.on_own_thread(|| Ok(self.book.open(&self.engine, &unit_name(name), text.to_owned(), scope)?.ast.clone()))
    }

    /// Parses the next input of a session: `text` is what runs, `shown` what the lines of errors are taken from, and the
    /// functions of `earlier` can be called.
    ///
    /// # Errors
    /// Like [`Interpreter::compile`].
    pub fn compile_next(&self, name: &str, text: &str, shown: &str, earlier: &AST, scope: &Scope<'_>) -> Result<AST> {
        self.on_own_thread(|| self.book.open_next(&self.engine, name, text, shown, earlier, scope))
    }

    /// Whether a file, by the name that [`super::resolve`] gives, was imported and its top has run.
    pub fn has_imported(&self, name: &str) -> bool {
        self.book.has_module(name)
    }

    /// The syntax tree of a script that was loaded, by the name that [`super::resolve`] gives.
    pub fn tree(&self, name: &str) -> Option<AST> {
        self.book.unit(name).map(|unit| unit.ast.clone())
    }

    /// Rhai's own functions, as the engine has them.
    pub(super) fn standard_functions(&self) -> Vec<super::words::Signature> {
        let mut found = super::unknown::signatures(&self.engine, &self.book);
        found.retain(|signature| !signature.name.contains("::"));
        found
    }

    /// The scripts that were loaded so far, with their texts: what a run pins.
    pub fn loaded(&self) -> Vec<(String, String)> {
        self.book.units().iter().map(|unit| (unit.name.clone(), unit.text.clone())).collect()
    }

    /// What is known of the closures of the scripts that were loaded.
    pub fn closures(&self) -> Arc<dyn Closures> {
        self.book.clone()
    }

    /// Like [`Interpreter::execute`]; `end` gets what the script ended with, and decides.
    ///
    /// # Errors
    /// Like [`Interpreter::execute`].
    pub fn execute_then(
        &self,
        ast: &AST,
        scope: &mut Scope<'_>,
        end: impl FnOnce(&Engine, Thrown<Dynamic>) -> Thrown<Dynamic> + Send,
    ) -> Result<Dynamic> {
        self.run(ast, scope, |scope| end(&self.engine, self.engine.eval_ast_with_scope(scope, ast)))
    }

    /// Runs a script from top to bottom and gives the value of its last expression. Variables stay in the scope.
    ///
    /// Blocks the calling thread; the script has a thread and a stack of its own.
    ///
    /// # Errors
    /// What the script raises, with its places; `cancelled`; `script.limit`; `script.panic`; the error of [`Fatal`].
    pub fn execute(&self, ast: &AST, scope: &mut Scope<'_>) -> Result<Dynamic> {
        self.run(ast, scope, |scope| self.engine.eval_ast_with_scope(scope, ast))
    }

    /// Evaluates the top of a script, so that its imports are there, and then calls one of its functions.
    ///
    /// # Errors
    /// Like [`Interpreter::execute`].
    pub fn call(&self, ast: &AST, scope: &mut Scope<'_>, function: &str, arguments: Vec<Dynamic>) -> Result<Dynamic> {
        self.call_function(ast, scope, function, arguments, true)
    }

    /// Calls one function of a script without running its top: what the script imports is not there.
    ///
    /// # Errors
    /// Like [`Interpreter::execute`].
    pub fn call_alone(&self, ast: &AST, function: &str, arguments: Vec<Dynamic>) -> Result<Dynamic> {
        self.call_function(ast, &mut Scope::new(), function, arguments, false)
    }

    fn call_function(
        &self,
        ast: &AST,
        scope: &mut Scope<'_>,
        function: &str,
        arguments: Vec<Dynamic>,
        with_top: bool,
    ) -> Result<Dynamic> {
        self.run(ast, scope, |scope| {
            let options = CallFnOptions::new().eval_ast(with_top);
            self.engine.call_fn_with_options(options, scope, ast, function, arguments)
        })
    }

    /// A Rhai error as ours, with a place for every call that led to it; `script` is where it surfaced.
    pub fn explain(&self, error: &EvalAltResult, script: &str) -> Error {
        diagnostics::explain(&self.engine, &self.book, &self.fatal, error, script)
    }

    fn run(
        &self,
        ast: &AST,
        scope: &mut Scope<'_>,
        work: impl FnOnce(&mut Scope<'_>) -> Result<Dynamic, Box<EvalAltResult>> + Send,
    ) -> Result<Dynamic> {
        let script = ast.source().unwrap_or_default();
        self.on_own_thread(|| {
            let result = match work(scope) {
                // A fatal error holds even where a host function forgot to pass it on.
                Ok(value) => self.fatal.error().map_or(Ok(value), Err),
                Err(error) => Err(self.explain(&error, script)),
            };
            // Values go back to a thread with a small stack, where dropping a deep one would end the process.
            let limit = self.limits.result_depth;
            let deep = |value: &Dynamic| limits::is_deeper_than(limit, value);
            if scope.iter_raw().any(|(_, _, value)| deep(value)) {
                scope.clear();
                return result.and_then(|_| Err(too_deep("a variable of the script", limit)));
            }
            match result {
                Ok(value) if deep(&value) => Err(too_deep("the result of the script", limit)),
                result => result,
            }
        })
    }

    fn on_own_thread<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        on_own_thread(&self.limits, work)
    }
}

/// Works on a thread with a stack that deeply nested scripts need.
pub(super) fn on_own_thread<T: Send>(limits: &Limits, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|threads| {
        let thread = std::thread::Builder::new()
            .name("script".to_owned())
            .stack_size(limits.stack_bytes)
            .spawn_scoped(threads, || panics::catch(work))
            .map_err(|error| {
                Error::new(&code::SCRIPT_LIMIT, "the system gives no thread to run the script").caused_by(error)
            })?;
        match thread.join() {
            Ok(result) => result?,
            Err(_) => Err(Error::new(&code::SCRIPT_PANIC, "a host function crashed")),
        }
    })
}

fn too_deep(what: &str, limit: usize) -> Error {
    Error::new(&code::SCRIPT_LIMIT, format!("{what} is nested more than {limit} levels deep"))
}

fn standard_package() -> Shared<Module> {
    static PACKAGE: OnceLock<StandardPackage> = OnceLock::new();
    PACKAGE.get_or_init(StandardPackage::new).as_shared_module()
}

/// An `import` with a literal path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The path as the script has it.
    pub path: String,
    /// Where the path stands.
    pub position: Position,
}

/// The imports of a script, those in its functions included, in the order of the text.
pub fn imports(ast: &AST) -> Vec<Import> {
    let mut found = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(path, position) = &import.0
        {
            found.push(Import { path: path.to_string(), position: *position });
        }
        true
    });
    found.sort_by_key(|import| (import.position.line(), import.position.position()));
    found
}

/// A function that a script defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The names of its parameters.
    pub parameters: Vec<String>,
    /// Whether it is `private`, and so not seen by importing scripts.
    pub private: bool,
    /// Its doc comment without the `///`.
    pub documentation: String,
    /// The line on which it starts, from 1; 0 where the text does not show it.
    pub line: usize,
}

/// The functions of a script, without its closures, in the order of the text.
pub fn functions(ast: &AST, text: &str) -> Vec<Function> {
    let mut found: Vec<Function> = ast
        .iter_functions()
        .filter(|function| !lints::is_anonymous(function.name))
        .map(|function| Function {
            name: function.name.to_owned(),
            parameters: function.params.iter().map(|name| (*name).to_owned()).collect(),
            private: function.access == FnAccess::Private,
            documentation: documentation(&function.comments),
            line: line_of(text, function.name, function.params.len()),
        })
        .collect();
    found.sort_by(|one, other| (one.line, &one.name).cmp(&(other.line, &other.name)));
    found
}

fn documentation(comments: &[&str]) -> String {
    let lines = comments.iter().flat_map(|comment| comment.lines());
    let lines = lines.map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("///").or_else(|| line.strip_prefix("/**")).unwrap_or(line);
        let line = line.strip_suffix("*/").unwrap_or(line);
        // What is indented further stays so: a comment may hold a script.
        line.strip_prefix(' ').unwrap_or(line).trim_end()
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Rhai gives functions no place and no order: the text is searched for `fn name(` with as many parameters.
fn line_of(text: &str, name: &str, parameters: usize) -> usize {
    let mut rest = 0;
    while let Some(found) = text[rest..].find(name).map(|index| rest + index) {
        rest = found + name.len();
        let after = text[rest..].trim_start();
        let words: Vec<&str> = text[..found].split_whitespace().rev().take(1).collect();
        if words != ["fn"] || !after.starts_with('(') || !text[..found].ends_with(char::is_whitespace) {
            continue;
        }
        let list = after[1..].split(')').next().unwrap_or_default();
        let count = list.split(',').filter(|parameter| !parameter.trim().is_empty()).count();
        if count == parameters {
            return text[..found].matches('\n').count() + 1;
        }
    }
    0
}
