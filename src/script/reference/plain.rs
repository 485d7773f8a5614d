//! The reference for a terminal: lines of at most 96 columns, which read well without Markdown.

use crate::api::types::Field;
use crate::script::catalog::{Chapter, Entry, Nested, describe, meaning};

const WIDTH: usize = 96;

/// Everything in a chapter.
pub(super) fn page(chapter: &Chapter) -> String {
    let mut text = format!("{}\n", chapter.name);
    text.push_str(&paragraphs(&chapter.summary, 2));
    if chapter.is_library {
        let short = chapter.name.rsplit('/').next().unwrap_or_default();
        text.push_str(&format!("\n  import \"{}\" as {short};\n", chapter.name));
    }
    let (properties, functions): (Vec<_>, Vec<_>) = chapter.entries.iter().partition(|entry| entry.is_property);
    let mut maps: Vec<Nested> = Vec::new();
    for entry in functions {
        text.push('\n');
        text.push_str(&body(entry));
        for map in entry.nested() {
            if !maps.contains(&map) {
                maps.push(map);
            }
        }
    }
    if !properties.is_empty() {
        text.push_str("\nproperties\n");
        let rows = properties.iter().map(|property| {
            [property.name.clone(), property.returns.unwrap_or_default().to_owned(), property.text.clone()]
        });
        text.push_str(&columns(&rows.collect::<Vec<_>>(), 2));
    }
    for map in maps {
        text.push('\n');
        text.push_str(&nested(&map));
    }
    text
}

/// One function, method or property.
pub(super) fn entry(entry: &Entry) -> String {
    let mut text = body(entry);
    for map in entry.nested() {
        text.push('\n');
        text.push_str(&nested(&map));
    }
    text
}

fn body(entry: &Entry) -> String {
    let mut text = format!("{}\n", entry.signature());
    text.push_str(&paragraphs(&entry.text, 2));
    let told: Vec<[String; 3]> = entry
        .parameters
        .iter()
        .filter(|parameter| !parameter.meaning.is_empty())
        .map(|parameter| [parameter.name.clone(), parameter.word.clone(), parameter.meaning.clone()])
        .collect();
    if !told.is_empty() {
        text.push('\n');
        text.push_str(&columns(&told, 2));
    }
    for parameter in &entry.parameters {
        let fields: Vec<&Field> = parameter.kind.fields().collect();
        if !fields.is_empty() {
            text.push_str(&format!("\n  {}\n{}", parameter.name, keys(&fields)));
        }
    }
    if let Some(class) = entry.class.filter(|_| !entry.is_property) {
        text.push_str(&format!("\n  class   {class}\n"));
    }
    if !entry.errors.is_empty() {
        text.push_str(&wrap("  errors  ", 10, &entry.errors.join(", ")));
    }
    for example in &entry.examples {
        text.push_str("\n  example\n");
        for line in example.lines() {
            text.push_str(format!("    {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

fn nested(map: &Nested) -> String {
    format!("  {}: #{{ ... }}\n{}", map.key, keys(&map.fields))
}

fn keys(fields: &[&Field]) -> String {
    let rows = fields.iter().map(|field| {
        let kind = describe(field.kind);
        let kind = if field.optional { kind } else { format!("{kind}, required") };
        let below = if field.kind.fields().next().is_some() { "; its keys are listed below" } else { "" };
        [field.name.to_owned(), kind, format!("{}{below}", meaning(field, ""))]
    });
    columns(&rows.collect::<Vec<_>>(), 4)
}

/// Three columns, the last one wrapped.
fn columns(rows: &[[String; 3]], indent: usize) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for [name, kind, meaning] in rows {
        let start = format!("{:indent$}{name:first$}  {kind:second$}  ", "");
        text.push_str(&wrap(&start, indent + first + second + 4, meaning));
    }
    text
}

fn paragraphs(text: &str, indent: usize) -> String {
    let wrapped = text.split("\n\n").map(|paragraph| wrap(&" ".repeat(indent), indent, paragraph));
    wrapped.collect::<Vec<_>>().join("\n")
}

/// A text behind `start`, its further lines indented.
fn wrap(start: &str, indent: usize, text: &str) -> String {
    let mut lines = String::new();
    let mut line = start.to_owned();
    let mut is_empty = true;
    for word in text.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = " ".repeat(indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}
