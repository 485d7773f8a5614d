//! Values as SQL literals and names, as Calcite reads them with Flink's settings (`Lex.JAVA`).
//!
//! Source: Calcite `core/src/main/codegen/templates/Parser.jj`, `QUOTED_STRING` and `BACK_QUOTED_IDENTIFIER`: the
//! closing quote is doubled, a backslash means nothing.

use serde_json::Value;

use crate::base::secret::Within;
use crate::base::{Error, Result, code};

/// A value as a literal: `'O''Brien'`, `1`, `TRUE`, `NULL`; an array as its literals with commas between them.
///
/// # Errors
/// `argument.invalid` for a map, an array in an array, and an empty array: SQL has no literal for them.
pub fn quote(value: &Value) -> Result<String> {
    match value {
        Value::Array(items) if items.is_empty() => Err(invalid("an empty list")),
        Value::Array(items) => Ok(items.iter().map(one).collect::<Result<Vec<_>>>()?.join(", ")),
        value => one(value),
    }
}

fn one(value: &Value) -> Result<String> {
    match value {
        Value::Null => Ok("NULL".to_owned()),
        Value::Bool(true) => Ok("TRUE".to_owned()),
        Value::Bool(false) => Ok("FALSE".to_owned()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) => Ok(format!("'{}'", Within::SqlString.escape(text))),
        Value::Array(_) => Err(invalid("a list in a list")),
        Value::Object(_) => Err(invalid("a map")),
    }
}

fn invalid(what: &str) -> Error {
    Error::new(&code::ARGUMENT_INVALID, format!("{what} has no SQL literal"))
}

/// A name in backticks, whatever is in it: `` a`b `` becomes ``` `a``b` ```. A dot in it does not separate.
pub fn ident(name: &str) -> String {
    format!("`{}`", Within::SqlBackticks.escape(name))
}

/// A name of several parts: catalog, database and table.
pub fn ident_path<T: AsRef<str>>(parts: &[T]) -> String {
    parts.iter().map(|part| ident(part.as_ref())).collect::<Vec<_>>().join(".")
}

/// A float so that it reads back as the same number; `None` for NaN and the infinities.
pub(super) fn float(number: f64) -> Option<String> {
    number.is_finite().then(|| format!("{number:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_literals() {
        for (value, literal) in [
            (json!("O'Brien"), "'O''Brien'"),
            (json!("a\\"), "'a\\'"),
            (json!(""), "''"),
            (json!(-3), "-3"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(1.5), "1.5"),
            (json!(1e300), "1e+300"),
            (json!(true), "TRUE"),
            (json!(null), "NULL"),
            (json!([1, "a", null]), "1, 'a', NULL"),
        ] {
            assert_eq!(quote(&value).unwrap(), literal);
        }
        for value in [json!({}), json!([]), json!([[1]])] {
            assert!(quote(&value).unwrap_err().is(&code::ARGUMENT_INVALID), "{value}");
        }
        assert_eq!(float(f64::NAN), None);
        assert_eq!(float(0.1).unwrap(), "0.1");
        assert_eq!(float(1e300).unwrap(), "1e300");
    }

    #[test]
    fn names_keep_their_dots_and_backticks() {
        assert_eq!(ident("a`b.c"), "`a``b.c`");
        assert_eq!(ident_path(&["cat", "db", "t"]), "`cat`.`db`.`t`");
    }
}
