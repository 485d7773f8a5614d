//! Values as people read them: short, maps and arrays laid out, rows as a table. Not masked yet.

use rhai::{Array, Dynamic, Map};
use serde_json::Value;

use crate::api::artifact::Artifact;
use crate::api::build::Build;
use crate::api::convert::to_json;
use crate::api::git::Project;
use crate::api::handle::Job;
use crate::api::jar::Jar;
use crate::api::params::Declaration;
use crate::api::spec::Spec;
use crate::api::table::layout;
use crate::api::types::Type;
use crate::base::secret::SecretText;
use crate::base::wording::cut;

/// What fits into a line.
const WIDTH: usize = 100;

/// The most items of an array, a map or a table.
const ITEMS: usize = 20;

/// How deep maps and arrays are shown.
const DEPTH: usize = 6;

/// The longest text that is shown whole.
const TEXT: usize = 2000;

/// What a value can be.
const KINDS: &[Type] = &[
    Type::Job,
    Type::Spec,
    Type::Artifact,
    Type::Jar,
    Type::Project,
    Type::Build,
    Type::Secret,
    Type::Declaration,
    Type::String,
    Type::Array,
    Type::Map,
    Type::Integer,
    Type::Bool,
    Type::Closure,
    Type::Unit,
];

/// A value on as many lines as it needs; nothing for `()`.
pub fn value(value: &Dynamic) -> Option<String> {
    if value.is_unit() {
        return None;
    }
    let flat = value.clone().flatten();
    if let Some(table) = flat.read_lock::<Array>().and_then(|rows| table(&rows)) {
        return Some(table);
    }
    Some(lines(&flat, 0))
}

/// A value in one line.
pub fn short(value: &Dynamic) -> String {
    let text = one_line(&value.clone().flatten(), 0);
    cut(&text, WIDTH - 20)
}

/// The type of a value in the words of the reference.
pub fn kind(value: &Dynamic) -> &'static str {
    let flat = value.clone().flatten();
    // Of numbers and letters Rhai knows more than the reference.
    if flat.is_float() {
        return "float";
    }
    if flat.is_char() {
        return "char";
    }
    KINDS.iter().find(|kind| kind.accepts(&flat)).map_or(Type::Any.name(), |kind| kind.name())
}

/// Maps with plain values are rows.
fn table(rows: &[Dynamic]) -> Option<String> {
    let mut columns: Vec<String> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    if rows.len() < 2 {
        return None;
    }
    for row in rows.iter().take(ITEMS) {
        let row = row.clone().flatten();
        let map = row.read_lock::<Map>()?;
        if map.is_empty() || map.values().any(|value| value.is_map() || value.is_array()) {
            return None;
        }
        columns.extend(
            map.keys()
                .filter(|name| !columns.iter().any(|other| other == name.as_str()))
                .map(|name| name.to_string())
                .collect::<Vec<_>>(),
        );
        let cells = map.iter().map(|(name, value)| {
            let cell = match to_json(value, "cell") {
                Ok(plain @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => plain,
                Ok(Value::String(text)) => Value::String(cut(&text, 40)),
                _ => Value::String(one_line(value, 1)),
            };
            (name.to_string(), cell)
        });
        values.push(Value::Object(cells.collect()));
    }
    let cells: Vec<Vec<&Value>> =
        values.iter().map(|row| columns.iter().map(|name| row.get(name).unwrap_or(&Value::Null)).collect()).collect();
    let mut text = layout(&columns, &cells);
    if rows.len() > ITEMS {
        text.push_str(&format!("... {} more", rows.len() - ITEMS));
    }
    Some(text.trim_end().to_owned())
}

fn lines(value: &Dynamic, depth: usize) -> String {
    let line = one_line(value, depth);
    if line.chars().count() + 2 * depth <= WIDTH || depth >= DEPTH {
        return line;
    }
    let indent = "  ".repeat(depth + 1);
    let end = "  ".repeat(depth);
    let (open, close, items, total) = if let Some(items) = value.read_lock::<Array>() {
        ("[", "]", items.iter().take(ITEMS).map(|item| lines(item, depth + 1)).collect::<Vec<_>>(), items.len())
    } else if let Some(map) = value.read_lock::<Map>() {
        let items = map.iter().take(ITEMS).map(|(name, item)| format!("{}: {}", key(name), lines(item, depth + 1)));
        ("#{", "}", items.collect(), map.len())
    } else {
        return line;
    };
    let mut text = format!("{open}\n");
    items.iter().for_each(|item| text.push_str(&format!("{indent}{item},\n")));
    if total > ITEMS {
        text.push_str(&format!("{indent}... {} more\n", total - ITEMS));
    }
    text.push_str(&format!("{end}{close}"));
    text
}

fn one_line(value: &Dynamic, depth: usize) -> String {
    if let Some(items) = value.read_lock::<Array>() {
        if depth >= DEPTH {
            return format!("[... {} items]", items.len());
        }
        let shown = items.iter().take(ITEMS).map(|item| one_line(item, depth + 1)).collect::<Vec<_>>();
        return format!("[{}{}]", shown.join(", "), more(items.len()));
    }
    if let Some(map) = value.read_lock::<Map>() {
        if map.is_empty() {
            return "#{}".to_owned();
        }
        if depth >= DEPTH {
            return format!("#{{... {} entries}}", map.len());
        }
        let items = map.iter().take(ITEMS).map(|(name, item)| format!("{}: {}", key(name), one_line(item, depth + 1)));
        return format!("#{{ {}{} }}", items.collect::<Vec<_>>().join(", "), more(map.len()));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return quoted(&cut(&text, TEXT));
    }
    if let Some(secret) = value.read_lock::<SecretText>() {
        return secret.to_string();
    }
    if let Some(job) = value.read_lock::<Job>() {
        return match (job.text("state"), job.text("at")) {
            ("", _) => format!("job `{}` attempt {}", job.name(), job.attempt()),
            (state, "") => format!("job `{}` attempt {}: {state}", job.name(), job.attempt()),
            (state, at) => format!("job `{}` attempt {}: {state} at {at}", job.name(), job.attempt()),
        };
    }
    if let Some(spec) = value.read_lock::<Spec>() {
        return format!("job spec `{}`", spec.0.identity.job);
    }
    if let Some(artifact) = value.read_lock::<Artifact>() {
        return artifact.to_string();
    }
    if let Some(jar) = value.read_lock::<Jar>() {
        return jar.to_string();
    }
    if let Some(project) = value.read_lock::<Project>() {
        return project.to_string();
    }
    if let Some(build) = value.read_lock::<Build>() {
        return build.to_string();
    }
    if let Some(declaration) = value.read_lock::<Declaration>() {
        return format!("parameter of type {}", declaration.kind.name());
    }
    if value.is_fnptr() {
        return "closure".to_owned();
    }
    if value.is_unit() {
        return "()".to_owned();
    }
    if let Ok(letter) = value.as_char() {
        return format!("'{letter}'");
    }
    value.to_string()
}

fn more(total: usize) -> String {
    if total > ITEMS { format!(", ... {} more", total - ITEMS) } else { String::new() }
}

fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { quoted(name) }
}

/// As a script writes it; a text of several lines in backticks, as it is.
fn quoted(text: &str) -> String {
    if text.contains('\n') && !text.contains('`') {
        return format!("`{text}`");
    }
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(script: &str) -> String {
        value(&rhai::Engine::new().eval::<Dynamic>(script).unwrap()).unwrap_or_else(|| "nothing".to_owned())
    }

    #[test]
    fn values_are_short() {
        for (script, expected) in [
            ("()", "nothing"),
            ("1", "1"),
            ("1.0", "1.0"),
            ("\"a\\\"b\"", "\"a\\\"b\""),
            ("'x'", "'x'"),
            ("|x| x", "closure"),
            ("#{}", "#{}"),
            ("#{ a: 1, \"b c\": [true, ()] }", "#{ a: 1, \"b c\": [true, ()] }"),
            ("`a\nb`", "`a\nb`"),
        ] {
            assert_eq!(shown(script), expected, "{script}");
        }
    }

    #[test]
    fn rows_are_a_table_and_long_values_take_lines() {
        insta::assert_snapshot!(shown("[#{ city: \"Seattle\", days: 3 }, #{ city: \"Paris\", days: 12 }]"), @r"
        city     days
        -------  ----
        Seattle     3
        Paris      12
        ");
        insta::assert_snapshot!(shown("#{ name: \"x\" + \"y\", list: [\"a long text that takes its place on the line\", \"another long text that takes its place\", #{ a: 1 }] }"), @r#"
        #{
          list: [
            "a long text that takes its place on the line",
            "another long text that takes its place",
            #{ a: 1 },
          ],
          name: "xy",
        }
        "#);
        let long = shown("let a = []; for i in 0..100 { a.push(i * 1000000); } a");
        assert!(long.contains("80 more"), "{long}");
        let deep = shown("let a = 1; for i in 0..20 { a = [a]; } a");
        assert!(deep.contains("[... 1 items]"), "{deep}");
    }
}
