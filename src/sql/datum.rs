//! A value on its way from a template's variables into SQL.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::literal;
use super::mark::{self, Board, Mark};
use crate::base::secret::{Piece, SecretText};

/// A value that a template wrote.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Null,
    Bool(bool),
    /// A number as SQL writes it.
    Number(String),
    /// A text, which may hold secrets.
    Text(SecretText),
    List(Vec<Datum>),
    /// `| ident`: the parts of a name.
    Ident(Vec<SecretText>),
    /// `| literal`: what it is bare, wherever it stands.
    Literal(Box<Datum>),
    /// `| raw`: SQL as it is.
    Raw(String),
}

impl Datum {
    /// The datum of a value as a template prints it.
    pub(super) fn of(value: &Value, board: &Board) -> Result<Self, Error> {
        if let Some(fragment) = value.downcast_object_ref::<Fragment>() {
            return Ok(fragment.datum.clone());
        }
        match value.kind() {
            ValueKind::None => Ok(Self::Null),
            ValueKind::Bool => Ok(Self::Bool(value.is_true())),
            ValueKind::Number if value.is_integer() => Ok(Self::Number(value.to_string())),
            ValueKind::Number => f64::try_from(value.clone())
                .ok()
                .and_then(literal::float)
                .map(Self::Number)
                .ok_or_else(|| refused(format!("{value} is not a number that SQL can write"))),
            ValueKind::String => Ok(Self::Text(text(value.as_str().unwrap_or_default(), board)?)),
            ValueKind::Seq | ValueKind::Iterable => {
                Ok(Self::List(value.try_iter()?.map(|item| Self::of(&item, board)).collect::<Result<_, _>>()?))
            }
            ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
            ValueKind::Map => Err(refused("a map has no SQL literal; write its values one by one")),
            kind => Err(refused(format!("a value of type {kind} has no SQL literal"))),
        }
    }

    /// Whether a secret is in it.
    pub(super) fn is_secret(&self) -> bool {
        match self {
            Self::Text(text) => text.secrets().next().is_some(),
            Self::Ident(parts) => parts.iter().any(|part| part.secrets().next().is_some()),
            Self::List(items) => items.iter().any(Self::is_secret),
            Self::Literal(inner) => inner.is_secret(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Raw(_) => false,
        }
    }
}

/// An error of a template, with the place still to be added by minijinja.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// What is said of text that holds marks, and was then treated like text without.
pub(super) const ALREADY_SQL: &str =
    "this text is SQL already: `~` and filters work on values, before they are written as SQL";

/// A string of a template; marks in it can only be secrets that `~` or a filter put together with text.
fn text(string: &str, board: &Board) -> Result<SecretText, Error> {
    let mut whole = SecretText::default();
    let mut rest = string;
    while let Some(at) = rest.find(mark::is_reserved) {
        let Some(Mark::Datum(number)) = Mark::read(&rest[at..]) else { return Err(refused(ALREADY_SQL)) };
        let Some(Datum::Text(secret)) = board.get(number) else { return Err(refused(ALREADY_SQL)) };
        whole = whole.concat(SecretText::plain(&rest[..at])).concat(secret);
        rest = &rest[at + mark::WIDTH..];
    }
    Ok(whole.concat(SecretText::plain(rest)))
}

/// A datum as an object of the template language: secrets, and what `ident`, `literal` and `raw` give.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) datum: Datum,
    board: Board,
}

impl Fragment {
    /// The object.
    pub(super) fn value(datum: Datum, board: &Board) -> Value {
        Value::from_object(Self { datum, board: board.clone() })
    }
}

impl Object for Fragment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    /// Where a template makes text of it, by `~` or a filter, the text holds its mark.
    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.board.put(self.datum.clone()).ok_or(fmt::Error)?)
    }
}

/// A text as a value: plain where it holds no secret.
pub(super) fn secret_value(text: &SecretText, board: &Board) -> Value {
    match text.pieces() {
        [] => Value::from(""),
        [Piece::Text(text)] => Value::from(text.as_str()),
        _ => Fragment::value(Datum::Text(text.clone()), board),
    }
}
