//! Renders templates: strict, pure, and with a value of every context safe by default.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::{Deserialize, Serialize};

use super::builtin;
use super::datum::{Datum, refused, secret_value};
use super::filters;
use super::mark::{self, Board};
use super::rendered::{Rendered, Source};
use super::resolve;
use super::template_error;
use super::trace::{self, Spot, Traced};
use crate::base::secret::SecretText;
use crate::base::{Error, Result, code, suggest};

/// How many steps a template may take: a template of a thousand lines takes some ten thousand, and all of them less
/// than a second.
pub const FUEL: u64 = 5_000_000;

/// The longest text that a template may become, in bytes.
const LONGEST: usize = 16 << 20;

/// Takes what a template writes, up to a limit.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(std::io::Error::other("the template writes more than 16 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads a template by its name; `None` when there is none.
pub type Load<'a> = &'a (dyn Fn(&str) -> Result<Option<String>> + Sync);

/// A variable of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variable {
    /// A value without secrets.
    Json(serde_json::Value),
    /// A text with secrets in it; `secret ~ "text"` keeps them.
    Secret(SecretText),
    /// A list that may hold secrets.
    List(Vec<Variable>),
    /// A map that may hold secrets.
    Map(BTreeMap<String, Variable>),
}

impl From<serde_json::Value> for Variable {
    fn from(value: serde_json::Value) -> Self {
        Self::Json(value)
    }
}

/// A template to render.
pub struct Request<'a> {
    /// Its name, as users write it.
    pub name: &'a str,
    /// Reads it, and the templates that it includes and imports. It is asked once for each name.
    pub load: Load<'a>,
    /// What it may use.
    pub variables: &'a BTreeMap<String, Variable>,
}

/// Renders a template.
///
/// # Errors
/// `template.not_found` and `template.invalid` with the place in the template; whatever `load` gives.
pub fn render(request: &Request<'_>) -> Result<Rendered> {
    let source = (request.load)(request.name)?.ok_or_else(|| {
        Error::new(&code::TEMPLATE_NOT_FOUND, format!("template `{}` not found", request.name))
            .hint("templates are named relative to `templates/` of the workspace")
    })?;
    render_text(request.name, &source, request.load, request.variables)
}

/// Renders a text that is no file of its own, by the same rules; `name` stands in errors for the file.
///
/// # Errors
/// As [`render`].
pub fn render_text(name: &str, text: &str, load: Load<'_>, variables: &BTreeMap<String, Variable>) -> Result<Rendered> {
    let mut rendering = Rendering::new(variables)?;
    rendering.add(name, text)?;
    let text = loop {
        let outcome = rendering.try_render(name);
        // minijinja asks for a template where it needs it, from a function that can keep nothing borrowed: so what it
        // asked for in vain is loaded here, and the rendering, which is pure, is done again.
        if !rendering.load_missing(load)? {
            break outcome.map_err(|error| template_error::translate(&error, &rendering.sources, variables))?;
        }
    };
    resolve::resolve(&text, &rendering.board, rendering.sources)
}

/// Why a template does not parse; nothing where it does.
pub(super) fn syntax_error(name: &str, text: &str) -> Option<Error> {
    let variables = BTreeMap::new();
    let mut rendering = match Rendering::new(&variables) {
        Ok(rendering) => rendering,
        Err(error) => return Some(error),
    };
    if let Err(error) = rendering.add(name, text) {
        return Some(error);
    }
    let error = rendering.environment.get_template(name).err()?;
    Some(template_error::translate(&error, &rendering.sources, &variables))
}

/// The templates of one rendering.
#[derive(Default)]
pub(super) struct Sources {
    /// The templates as they were loaded; marks name them by their number.
    pub(super) all: Vec<Source>,
    /// The marked texts, in the same order.
    pub(super) traced: Vec<Traced>,
    /// What the marks stand for.
    pub(super) spots: Vec<Spot>,
}

/// What minijinja's loader sees.
#[derive(Default)]
struct Shelf {
    templates: BTreeMap<String, String>,
    wanted: BTreeSet<String>,
    absent: BTreeSet<String>,
}

struct Rendering {
    environment: Environment<'static>,
    context: Value,
    board: Board,
    shelf: Arc<Mutex<Shelf>>,
    sources: Sources,
}

impl Rendering {
    fn new(variables: &BTreeMap<String, Variable>) -> Result<Self> {
        let board = Board::default();
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_debug(true);
        environment.set_fuel(Some(FUEL));
        // Any escaping but none: the text of a macro or a block is marked as safe, and passes as it is.
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("sql".into()));
        builtin::guard(&mut environment);
        filters::add(&mut environment, &board);
        let own = board.clone();
        let written = std::sync::atomic::AtomicUsize::new(0);
        environment.set_formatter(move |out, _, value| {
            let len = value.as_str().map_or(0, str::len);
            if written.fetch_add(len, std::sync::atomic::Ordering::Relaxed) > LONGEST {
                return Err(refused("the template writes more than 16 MiB"));
            }
            if value.is_safe() && value.kind() == ValueKind::String {
                out.write_str(value.as_str().unwrap_or_default())?;
                return Ok(());
            }
            let mark =
                own.put(Datum::of(value, &own)?).ok_or_else(|| refused("the template writes too many values"))?;
            out.write_str(&mark)?;
            Ok(())
        });
        let own = Arc::clone(&shelf);
        environment.set_loader(move |name| {
            let mut shelf = own.lock().unwrap_or_else(PoisonError::into_inner);
            let found = shelf.templates.get(name).cloned();
            if found.is_none() {
                shelf.wanted.insert(name.to_owned());
            }
            Ok(found)
        });
        let context = variables
            .iter()
            .map(|(name, variable)| Ok((name.clone(), value(name, variable, &board)?)))
            .collect::<Result<BTreeMap<String, Value>>>()?;
        Ok(Self { environment, context: Value::from(context), board, shelf, sources: Sources::default() })
    }

    fn add(&mut self, name: &str, text: &str) -> Result<()> {
        let sources = &mut self.sources;
        if let Some(at) = text.find(mark::is_reserved) {
            let (line, column) = super::position::of(text, at);
            return Err(Error::new(&code::TEMPLATE_INVALID, "a character of Unicode's private plane 16 in a template")
                .at(Source::new(name, text).place(line, column)));
        }
        let traced = trace::trace(sources.all.len(), name, text, &mut sources.spots);
        self.shelf
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .templates
            .insert(name.to_owned(), traced.text.clone());
        sources.all.push(Source::new(name, text));
        sources.traced.push(traced);
        Ok(())
    }

    fn try_render(&self, name: &str) -> Result<String, minijinja::Error> {
        self.board.clear();
        let mut text = Bounded(Vec::new());
        self.environment.get_template(name)?.render_captured_to(self.context.clone(), &mut text)?;
        String::from_utf8(text.0).map_err(|_| refused("the template writes what is no text"))
    }

    /// Loads what was asked for in vain, and says whether anything new was found.
    fn load_missing(&mut self, load: Load<'_>) -> Result<bool> {
        let wanted: Vec<String> = {
            let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            let wanted = std::mem::take(&mut shelf.wanted);
            wanted.into_iter().filter(|name| !shelf.absent.contains(name)).collect()
        };
        let mut found = false;
        for name in wanted {
            if let Some(text) = load(&name)? {
                self.add(&name, &text)?;
                found = true;
            } else {
                self.shelf.lock().unwrap_or_else(PoisonError::into_inner).absent.insert(name);
            }
        }
        Ok(found)
    }
}

/// A variable as the template language sees it.
fn value(path: &str, variable: &Variable, board: &Board) -> Result<Value> {
    match variable {
        Variable::Json(json) => {
            check(path, json)?;
            Ok(Value::from(minijinja::value::Serde(json)))
        }
        Variable::Secret(text) => {
            if mark::is_marked(&text.to_string()) || text.secrets().any(mark::is_marked) {
                return Err(reserved(path));
            }
            Ok(secret_value(text, board))
        }
        Variable::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| value(&format!("{path}[{index}]"), item, board))
            .collect::<Result<Vec<_>>>()
            .map(Value::from),
        Variable::Map(map) => map
            .iter()
            .map(|(key, item)| Ok((name(path, key)?, value(&format!("{path}.{key}"), item, board)?)))
            .collect::<Result<BTreeMap<String, Value>>>()
            .map(Value::from),
    }
}

fn name(path: &str, key: &str) -> Result<String> {
    if mark::is_marked(key) { Err(reserved(path)) } else { Ok(key.to_owned()) }
}

fn check(path: &str, json: &serde_json::Value) -> Result<()> {
    match json {
        serde_json::Value::String(text) if mark::is_marked(text) => Err(reserved(path)),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| check(&format!("{path}[{index}]"), item))
        }
        serde_json::Value::Object(map) => map.iter().try_for_each(|(key, item)| {
            name(path, key)?;
            check(&format!("{path}.{key}"), item)
        }),
        _ => Ok(()),
    }
}

fn reserved(path: &str) -> Error {
    Error::new(
        &code::TEMPLATE_INVALID,
        format!("the variable `{path}` holds a character of Unicode's private plane 16 (U+100000 and above)"),
    )
    .hint("such a character has no meaning outside of one program; templates keep the plane for themselves")
}

/// The names that are defined where `expression` was looked up: of all variables, or of the map that it looks into.
pub(super) fn names_beside(expression: &str, variables: &BTreeMap<String, Variable>) -> Vec<String> {
    let mut path: Vec<&str> = expression.split('.').collect();
    path.pop();
    let mut names: Vec<String> = variables.keys().cloned().collect();
    let mut here: Option<Variable> = None;
    for (index, step) in path.into_iter().enumerate() {
        let next = if index == 0 {
            variables.get(step).cloned()
        } else {
            match here {
                Some(Variable::Map(map)) => map.get(step).cloned(),
                Some(Variable::Json(json)) => json.get(step).cloned().map(Variable::Json),
                _ => None,
            }
        };
        names = match &next {
            Some(Variable::Map(map)) => map.keys().cloned().collect(),
            Some(Variable::Json(serde_json::Value::Object(map))) => map.keys().cloned().collect(),
            _ => return Vec::new(),
        };
        here = next;
    }
    names
}

/// "did you mean" for an undefined expression.
pub(super) fn hint_for(expression: &str, variables: &BTreeMap<String, Variable>) -> Option<String> {
    let names = names_beside(expression, variables);
    let word = expression.rsplit('.').next().unwrap_or(expression);
    let near = suggest::nearest(word, names.iter().map(String::as_str));
    match near {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if names.is_empty() || names.len() > 12 => None,
        None => Some(suggest::hint(word, names.iter().map(String::as_str))),
    }
}
