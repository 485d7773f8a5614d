//! minijinja's errors as ours: the place in the template as its author wrote it, and the includes that led there.

use std::collections::BTreeMap;

use minijinja::ErrorKind;

use super::position;
use super::template::{FUEL, Sources, Variable, hint_for};
use super::trace;
use crate::base::error::Place;
use crate::base::{Error, code};

/// Translates an error and its chain.
pub(super) fn translate(error: &minijinja::Error, sources: &Sources, variables: &BTreeMap<String, Variable>) -> Error {
    // From the outermost, an include, to the innermost, what went wrong.
    let mut chain = vec![error];
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(inner) = next {
        match inner.downcast_ref::<minijinja::Error>() {
            Some(inner) if inner.line().is_some() => chain.push(inner),
            _ => causes.push(inner.to_string()),
        }
        next = inner.source();
    }
    let innermost = chain[chain.len() - 1];
    let mut translated = describe(innermost, sources, variables);
    for cause in causes {
        translated = translated.caused_by(cause);
    }
    let mut last: Option<Place> = None;
    for error in chain.iter().rev() {
        let Some(mut place) = place(error, sources) else { continue };
        if let Some(inner) = &last {
            if (&inner.file, inner.line) == (&place.file, place.line) {
                continue;
            }
            place.label = format!("`{}` is included here", inner.file);
        }
        last = Some(place.clone());
        translated = translated.at(place);
    }
    // An include of a template that does not parse, and a call of an imported macro, are not in the chain.
    for _ in 0..sources.all.len() {
        let Some(inner) = last.take().filter(|inner| sources.all.first().is_some_and(|root| root.name != inner.file))
        else {
            break;
        };
        last = sources.all.iter().find_map(|source| {
            let (line, column) = position::of(&source.text, trace::mention(&source.name, &source.text, &inner.file)?);
            let mut place = source.place(line, column);
            place.label = format!("`{}` is included here", inner.file);
            Some(place)
        });
        if let Some(place) = &last {
            translated = translated.at(place.clone());
        }
    }
    translated
}

fn describe(error: &minijinja::Error, sources: &Sources, variables: &BTreeMap<String, Variable>) -> Error {
    let detail = error.detail().unwrap_or_default();
    let invalid = |message: String| Error::new(&code::TEMPLATE_INVALID, message);
    match error.kind() {
        ErrorKind::UndefinedError => {
            // In an imported macro minijinja does not say which expression it was.
            let written = || expression(error, sources).unwrap_or_default();
            let expression = detail.split('`').nth(1).unwrap_or_else(written);
            if expression.is_empty() {
                return invalid("an undefined value".to_owned());
            }
            let message = format!("`{expression}` is undefined");
            match hint_for(expression, variables) {
                Some(hint) => invalid(message).hint(hint),
                None => invalid(message),
            }
        }
        ErrorKind::TemplateNotFound => {
            // "... template 'name'" or "template \"name\" ..."; of several names, all are told.
            let message = match detail.split(['"', '\'']).collect::<Vec<_>>().as_slice() {
                [_, name, _] => format!("template `{name}` not found"),
                _ => detail.to_owned(),
            };
            Error::new(&code::TEMPLATE_NOT_FOUND, message)
                .hint("templates are named relative to `templates/` of the workspace")
        }
        ErrorKind::OutOfFuel => invalid(format!("the template took more than {FUEL} steps"))
            .hint("a loop in it goes over too much, or a macro calls itself without end"),
        ErrorKind::WriteFailure => {
            invalid("the template writes more than 16 MiB".to_owned()).hint("a loop in it goes over too much")
        }
        ErrorKind::InvalidOperation if !detail.is_empty() => invalid(detail.to_owned()),
        kind if detail.is_empty() => invalid(kind.to_string()),
        kind => invalid(format!("{kind}: {detail}")),
    }
}

/// The expression at an error's place, where it is a plain one: `a.b`.
fn expression<'a>(error: &minijinja::Error, sources: &'a Sources) -> Option<&'a str> {
    let number = sources.all.iter().position(|source| Some(source.name.as_str()) == error.name())?;
    let range = error.range()?;
    let traced = &sources.traced[number];
    let text = sources.all[number].text.get(traced.original(range.start)..traced.original(range.end))?.trim();
    let plain = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    (!text.is_empty() && text.chars().all(plain)).then_some(text)
}

fn place(error: &minijinja::Error, sources: &Sources) -> Option<Place> {
    let name = error.name()?;
    let number = sources.all.iter().position(|source| source.name == name)?;
    let source = &sources.all[number];
    let (line, column) = match error.range() {
        Some(range) => trace::position_of(&sources.traced[number], &source.text, range.start),
        None => (error.line()?, 0),
    };
    Some(source.place(line, column))
}
