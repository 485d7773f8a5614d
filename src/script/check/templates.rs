//! Templates and SQL texts that scripts name: rendered where all that they use is known, else looked at as they are.

use std::collections::BTreeMap;

use rhai::{Expr, Position};
use serde_json::Value;

use super::findings::Report;
use super::load::inside_literal;
use super::walk::Walker;
use crate::api::convert::to_json;
use crate::api::declare::{Function, Type};
use crate::api::host::Environment;
use crate::base::error::Place;
use crate::base::{Error, Result, code, suggest};
use crate::ops::render::{self, INLINE, Rendered, Source};
use crate::ops::texts::Texts;

/// Looks at every template of a workspace by itself; gives how many there are.
///
/// # Errors
/// `file.*`.
pub(super) fn check_all(files: &Texts, report: &mut Report) -> Result<usize> {
    let names = files.templates()?;
    let load = |name: &str| files.template(name);
    for name in &names {
        match files.template(name) {
            Ok(Some(text)) => {
                let inspection = render::inspect(&load, name, &text);
                inspection.errors.into_iter().for_each(|error| report.find(error));
            }
            Ok(None) => {}
            Err(error) => report.find(error),
        }
    }
    Ok(names.len())
}

/// What a call of `job::sql` or `sql::render` renders.
pub(super) fn of_call(
    walker: &mut Walker<'_>,
    full: &str,
    function: &'static Function,
    arguments: &[Expr],
    position: Position,
) {
    let options = function
        .parameters
        .iter()
        .position(|parameter| parameter.kind.fields().any(|field| field.kind == Type::Template));
    if let Some(index) = options {
        let Some(map) = arguments.get(index).and_then(|argument| walker.literal(argument)) else { return };
        let of = |name: &str| map.iter().find(|(key, ..)| key == name).map(|(_, _, value)| value);
        let (template, text, vars) = (of("template"), of("sql"), of("vars"));
        match (template, text) {
            (Some(template), None) => named(walker, template, vars, true, position),
            (None, Some(text)) => inline(walker, text, vars, position),
            (Some(_), Some(_)) => {
                let message = format!("{full}: both `template` and `sql` are given");
                walker.find(Error::new(&code::ARGUMENT_INVALID, message).hint("keep one of them"), position);
            }
            (None, None) => {
                let message = format!("{full}: neither `template` nor `sql` is given");
                walker.find(Error::new(&code::ARGUMENT_INVALID, message).hint("template: \"orders.sql\""), position);
            }
        }
    } else if function.parameters.first().is_some_and(|parameter| parameter.kind == Type::Template) {
        let Some(template) = arguments.first() else { return };
        named(walker, template, arguments.get(1), false, position);
    }
}

fn named(walker: &mut Walker<'_>, template: &Expr, vars: Option<&Expr>, is_job: bool, position: Position) {
    let position = super::arguments::place(template, position);
    let Some(names) = walker.values(template) else {
        walker.leave("names of templates that are computed", position);
        return;
    };
    for environment in 0..names.len() {
        let Some(name) = names[environment].as_ref().and_then(|name| name.clone().into_string().ok()) else { continue };
        let text = match walker.files.template(&name) {
            Ok(Some(text)) => text,
            Ok(None) if walker.caught => continue,
            Ok(None) => {
                let known = walker.files.templates().unwrap_or_default();
                let error = Error::new(&code::TEMPLATE_NOT_FOUND, format!("template `{name}` not found"));
                let near = suggest::nearest(&name, known.iter().map(String::as_str))
                    .map(|near| format!("did you mean `{near}`?"));
                let hint =
                    near.unwrap_or_else(|| "templates are named relative to `templates/` of the workspace".to_owned());
                walker.find(error.hint(hint), position);
                continue;
            }
            Err(error) => {
                walker.find(error, position);
                continue;
            }
        };
        one(walker, &Subject { name: &name, text: &text, is_inline: false, is_job, position }, vars, environment);
    }
}

fn inline(walker: &mut Walker<'_>, text: &Expr, vars: Option<&Expr>, position: Position) {
    let position = super::arguments::place(text, position);
    let Some(texts) = walker.values(text) else {
        walker.leave("SQL texts that are computed", position);
        return;
    };
    for environment in 0..texts.len() {
        let Some(text) = texts[environment].as_ref().and_then(|text| text.clone().into_string().ok()) else { continue };
        one(walker, &Subject { name: INLINE, text: &text, is_inline: true, is_job: true, position }, vars, environment);
    }
}

/// What is rendered, and where the script names it.
struct Subject<'a> {
    name: &'a str,
    text: &'a str,
    is_inline: bool,
    is_job: bool,
    position: Position,
}

fn one(walker: &mut Walker<'_>, subject: &Subject<'_>, vars: Option<&Expr>, index: usize) {
    let files = walker.files;
    let load = |name: &str| files.template(name);
    let environment = walker.knowledge.environments[index].clone();
    let given = match vars {
        None => Some(Vec::new()),
        Some(vars) => walker.literal(vars),
    };
    let over: Option<BTreeMap<String, Value>> = given.as_ref().and_then(|given| {
        given
            .iter()
            .map(|(key, _, value)| Some((key.clone(), to_json(&walker.value(value, index)?, key).ok()?)))
            .collect()
    });
    if let Some(over) = over {
        let rendered = rendered(walker, subject, &environment, &over);
        let checked = rendered.and_then(|rendered| match subject.is_job {
            true => render::statements(&rendered).map(|statements| {
                statements.iter().find_map(|statement| {
                    let (name, line, column) = leftover(&statement.text.to_string())?;
                    Some((statement.place(line, column), name))
                })
            }),
            false => Ok(None),
        });
        match checked {
            Err(_) if walker.caught => {}
            // It may be meant for an environment that has what it needs.
            Err(_) if walker.conditional && is_fine_elsewhere(walker, subject, &over) => {
                walker.leave("templates that fit only some environments, under a condition", subject.position);
            }
            Err(error) => tell(walker, subject, error),
            Ok(Some((place, name))) => {
                let error = Error::new(
                    &code::SQL_INVALID,
                    format!("`${{{name}}}` is left in the SQL, and Flink knows no variables"),
                )
                .hint(format!("write `{{{{ {name} }}}}`"))
                .at(place);
                tell(walker, subject, error);
            }
            Ok(None) => {}
        }
        return;
    }
    let inspection = render::inspect(&load, subject.name, subject.text);
    for error in inspection.errors {
        tell(walker, subject, error);
    }
    let Some(given) = given else {
        walker.leave("variables of templates that are computed", subject.position);
        return;
    };
    let mut names: Vec<&str> = environment.vars.keys().map(String::as_str).collect();
    names.extend(given.iter().map(|(key, ..)| key.as_str()));
    let elsewhere = |name: &str| {
        walker.conditional
            && walker
                .knowledge
                .environments
                .iter()
                .chain(&walker.knowledge.others)
                .any(|one| one.vars.contains_key(name))
    };
    let needs: Vec<_> = inspection
        .needs
        .iter()
        .filter(|need| !walker.caught && !names.contains(&need.name.as_str()) && !elsewhere(&need.name))
        .collect();
    for need in needs {
        let error = Error::new(&code::TEMPLATE_INVALID, format!("`{}` is undefined", need.name))
            .hint(suggest::hint(&need.name, names.iter().copied()))
            .at(need.place.clone());
        tell(walker, subject, error);
    }
    walker.leave("what templates become with values that are computed", subject.position);
}

/// The text as it becomes in an environment, with the variables `over` those of it.
fn rendered(
    walker: &Walker<'_>,
    subject: &Subject<'_>,
    environment: &Environment,
    over: &BTreeMap<String, Value>,
) -> Result<Rendered> {
    let load = |name: &str| walker.files.template(name);
    let source = if subject.is_inline { Source::Text(subject.text) } else { Source::Template(subject.name) };
    render::render_from(&load, source, &crate::api::sql::variables(&environment.vars, over))
}

/// Whether the text can be rendered for another environment.
fn is_fine_elsewhere(walker: &Walker<'_>, subject: &Subject<'_>, over: &BTreeMap<String, Value>) -> bool {
    walker.knowledge.environments.iter().chain(&walker.knowledge.others).any(|environment| {
        rendered(walker, subject, environment, over).is_ok_and(|rendered| render::statements(&rendered).is_ok())
    })
}

/// Adds a finding whose place is in a template; one in a text of the script gets its place there.
fn tell(walker: &mut Walker<'_>, subject: &Subject<'_>, error: Error) {
    let start = walker.place(subject.position);
    if !subject.is_inline {
        let mut here = start;
        here.label = "used here".to_owned();
        walker.report.find(error.at(here));
        return;
    }
    let moved: Option<Vec<Place>> = error
        .places()
        .iter()
        .map(|place| match place.file.as_str() {
            INLINE if place.column == 0 => Some(start.clone()),
            INLINE => inside_literal(walker.unit, &start, subject.text, place.line, place.column),
            _ => Some(place.clone()),
        })
        .collect();
    let error = match moved {
        Some(places) if !places.is_empty() => error.with_places(places),
        _ => error.with_places(vec![start]),
    };
    walker.report.find(error);
}

/// A `${name}` of another tool that is left in a statement: its name, line and column.
fn leftover(text: &str) -> Option<(String, usize, usize)> {
    for (line, content) in text.lines().enumerate() {
        let Some(at) = content.find("${") else { continue };
        let rest = &content[at + 2..];
        let Some(end) = rest.find('}') else { continue };
        let name = &rest[..end];
        if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c)) {
            return Some((name.to_owned(), line + 1, content[..at].chars().count() + 1));
        }
    }
    None
}
