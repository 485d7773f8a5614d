//! The filters and the function that templates have for SQL: `raw`, `ident`, `literal`, `join`, `trim`, `secret()`.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::datum::{Datum, Fragment, refused};
use super::mark::{self, Board, Mark};
use crate::base::secret::SecretText;

/// Adds them to an environment.
pub(super) fn add(environment: &mut Environment<'_>, board: &Board) {
    let own = board.clone();
    environment.add_function("secret", move |name: String| {
        if name.is_empty() || mark::is_marked(&name) {
            return Err(refused("secret() takes the name of a secret"));
        }
        Ok(Fragment::value(Datum::Text(SecretText::secret(name)), &own))
    });
    for name in ["raw", "safe"] {
        let own = board.clone();
        environment.add_filter(name, move |value: &Value| raw(value, &own));
    }
    let own = board.clone();
    environment.add_filter("ident", move |value: &Value| ident(value, &own));
    let own = board.clone();
    environment.add_filter("literal", move |value: &Value| match Datum::of(value, &own)? {
        Datum::Ident(_) | Datum::Raw(_) => Err(refused("`| literal` takes a value, not what is SQL already")),
        datum @ Datum::Literal(_) => Ok(Fragment::value(datum, &own)),
        datum => Ok(Fragment::value(Datum::Literal(Box::new(datum)), &own)),
    });
    environment.add_filter("join", join);
    environment.add_filter("trim", trim);
    // HTML has no place in SQL.
    environment.remove_filter("escape");
    environment.remove_filter("e");
}

fn raw(value: &Value, board: &Board) -> Result<Value, Error> {
    if value.is_safe() {
        return Ok(value.clone());
    }
    let datum = Datum::of(value, board)?;
    let text = match datum {
        datum if datum.is_secret() => {
            return Err(refused("a secret cannot be written with `| raw`: what it holds could end the statement"));
        }
        Datum::Bool(true) => "TRUE".to_owned(),
        Datum::Bool(false) => "FALSE".to_owned(),
        Datum::Number(number) => number,
        Datum::Text(text) => text.to_string(),
        datum @ (Datum::Ident(_) | Datum::Literal(_) | Datum::Raw(_)) => return Ok(Fragment::value(datum, board)),
        Datum::Null | Datum::List(_) => return Err(refused(format!("`| raw` takes a text, not {}", kind(value)))),
    };
    Ok(Fragment::value(Datum::Raw(text), board))
}

fn ident(value: &Value, board: &Board) -> Result<Value, Error> {
    let parts = match Datum::of(value, board)? {
        Datum::List(items) if items.is_empty() => return Err(refused("an empty list is no name")),
        Datum::List(items) => items.into_iter().map(part).collect::<Result<_, _>>()?,
        datum @ Datum::Ident(_) => return Ok(Fragment::value(datum, board)),
        datum => vec![part(datum)?],
    };
    Ok(Fragment::value(Datum::Ident(parts), board))
}

fn part(datum: Datum) -> Result<SecretText, Error> {
    let part = match datum {
        Datum::Text(text) => text,
        Datum::Number(number) => SecretText::plain(number),
        _ => return Err(refused("`| ident` takes a text, or a list of texts for a name of several parts")),
    };
    match unfit_name(&part.to_string()) {
        Some(why) => Err(refused(why)),
        None => Ok(part),
    }
}

/// Why a text cannot be a name: Calcite knows no empty names, and none that go over a line's end.
pub(super) fn unfit_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("an empty text is no name")
    } else if name.contains(['\n', '\r']) {
        Some("a name cannot hold the end of a line")
    } else {
        None
    }
}

fn kind(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "null".to_owned(),
        kind => format!("a {kind}"),
    }
}

/// Like minijinja's, but a list of SQL pieces gives SQL: `{{ columns | map("ident") | join(", ") }}`.
fn join(state: &mut State<'_, '_>, items: &Value, joiner: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let joiner = match joiner {
        Some(joiner) => joiner,
        None => kwargs.get::<Option<Value>>("d")?.unwrap_or_else(|| Value::from("")),
    };
    let attribute = kwargs.get::<Option<String>>("attribute")?;
    kwargs.assert_all_used()?;
    let items = items.try_iter().map_err(|_| refused(format!("`| join` takes a list, not {}", kind(items))))?;
    let items: Vec<Value> = match attribute {
        None => items.collect(),
        Some(attribute) => items.map(|item| item.get_attr(&attribute)).collect::<Result<_, _>>()?,
    };
    if items.iter().any(Value::is_undefined) {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if !items.iter().any(is_sql) {
        let items: Vec<String> = items.iter().map(Value::to_string).collect();
        return Ok(Value::from(items.join(&joiner.to_string())));
    }
    let between = if is_sql(&joiner) { state.format(joiner)? } else { harmless(&joiner.to_string())? };
    let items = items.into_iter().map(|item| state.format(item)).collect::<Result<Vec<_>, _>>()?;
    Ok(Value::from_safe_string(items.join(&between)))
}

/// Whether a value is text of the SQL already, and not a value still to be written.
fn is_sql(value: &Value) -> bool {
    value.is_safe()
        || value
            .downcast_object_ref::<Fragment>()
            .is_some_and(|fragment| matches!(fragment.datum, Datum::Ident(_) | Datum::Literal(_) | Datum::Raw(_)))
}

/// A joiner between pieces of SQL is SQL itself: nothing that opens, closes or ends anything.
fn harmless(joiner: &str) -> Result<String, Error> {
    let harmless =
        |letter: char| letter.is_ascii_alphanumeric() || letter.is_whitespace() || "_,.+=<>()|".contains(letter);
    if joiner.chars().all(harmless) {
        Ok(joiner.to_owned())
    } else {
        Err(refused(format!("`{joiner}` between pieces of SQL must be written as such: `| join(\"...\" | raw)`")))
    }
}

/// Like minijinja's, but what was SQL stays SQL, and the marks of its places do not count as text.
fn trim(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.downcast_object_ref::<Fragment>().is_some() {
        return Ok(value.clone());
    }
    let Some(text) = value.as_str() else { return Ok(Value::from(value.to_string().trim())) };
    if !value.is_safe() {
        return Ok(Value::from(text.trim()));
    }
    // The last mark before the text says where the text comes from.
    let mut start = "";
    let mut rest = text.trim_start();
    while let Some(Mark::Place(_)) = Mark::read(rest) {
        start = &rest[..mark::WIDTH];
        rest = rest[mark::WIDTH..].trim_start();
    }
    rest = rest.trim_end();
    while let Some(cut) = rest.len().checked_sub(mark::WIDTH) {
        match rest.get(cut..).and_then(Mark::read) {
            Some(Mark::Place(_)) => rest = rest[..cut].trim_end(),
            _ => break,
        }
    }
    Ok(Value::from_safe_string(format!("{start}{rest}")))
}
