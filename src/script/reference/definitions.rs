//! The reference for editors: Rhai's definition files (`*.d.rhai`), one for each namespace, and one for methods and properties.

use crate::api::types::{Field, Type};
use crate::script::catalog::{Chapter, Entry, Parameter, describe, meaning};

/// How each file begins: what begins so may be written over.
pub const FIRST_LINE: &str = "// Written by `tidegate docs --definitions`, which writes over what is changed here.";

/// Each file by its name, and its text. The library is no part of it: it is Rhai itself.
pub(super) fn files(chapters: &[Chapter]) -> Vec<(String, String)> {
    let namespaces = chapters.iter().filter(|chapter| !chapter.is_library);
    let mut files: Vec<(String, String)> = namespaces
        .map(|chapter| {
            let mut text = format!("{FIRST_LINE}\n// {}\nmodule {};\n", chapter.summary, chapter.name);
            for entry in chapter.entries.iter().filter(|entry| entry.on.is_none()) {
                text.push_str(&definition(entry));
            }
            (format!("{}.d.rhai", chapter.name), text)
        })
        .collect();
    let mut text =
        format!("{FIRST_LINE}\n// Methods and properties of the values that functions give.\nmodule static;\n");
    for entry in chapters.iter().flat_map(|chapter| &chapter.entries).filter(|entry| entry.on.is_some()) {
        text.push_str(&definition(entry));
    }
    files.push(("global.d.rhai".to_owned(), text));
    files
}

/// A function for each number of arguments: Rhai has no default values.
fn definition(entry: &Entry) -> String {
    let least = entry.parameters.iter().filter(|parameter| !parameter.optional).count();
    let mut text = String::new();
    for count in (least..=entry.parameters.len()).rev() {
        let comment =
            if count == entry.parameters.len() { comment(entry) } else { format!("{}.", entry.first_sentence()) };
        text.push('\n');
        for line in comment.trim_end().lines() {
            text.push_str(format!("/// {line}").trim_end());
            text.push('\n');
        }
        text.push_str(&head(entry, &entry.parameters[..count]));
    }
    text
}

fn head(entry: &Entry, parameters: &[Parameter]) -> String {
    let object = entry.on.map(|on| format!("{on}: {on}"));
    let others = parameters.iter().map(|parameter| format!("{}: {}", parameter.name, word(parameter.kind.name())));
    let list: Vec<String> = object.into_iter().chain(others).collect();
    let get = if entry.is_property { "get " } else { "" };
    let gives = word(entry.returns.unwrap_or("any"));
    format!("fn {get}{}({}) -> {gives};\n", entry.short, list.join(", "))
}

fn comment(entry: &Entry) -> String {
    let mut text = format!("{}\n", entry.text);
    if !entry.parameters.is_empty() {
        text.push('\n');
    }
    for parameter in &entry.parameters {
        let optional = if parameter.optional { ", may be left out" } else { "" };
        let meaning = if parameter.meaning.is_empty() { String::new() } else { format!(": {}", parameter.meaning) };
        text.push_str(&format!("* `{}` ({}{optional}){meaning}\n", parameter.name, parameter.word));
        keys(parameter.kind, 1, &mut text);
    }
    if entry.is_property {
        return text;
    }
    if let Some(class) = entry.class {
        text.push_str(&format!("\nClass: {class}."));
        if !entry.errors.is_empty() {
            text.push_str(&format!(" Errors of its own: `{}`.", entry.errors.join("`, `")));
        }
        text.push('\n');
    }
    for example in &entry.examples {
        text.push_str(&format!("\n```rhai\n{example}\n```\n"));
    }
    text
}

/// The keys of an option map, those of inner ones below theirs.
fn keys(kind: Type, depth: usize, text: &mut String) {
    let fields: Vec<&Field> = kind.fields().collect();
    for field in fields {
        let required = if field.optional { "" } else { ", required" };
        let indent = "  ".repeat(depth);
        let kind = describe(field.kind);
        text.push_str(&format!("{indent}* `{}` ({kind}{required}): {}\n", field.name, meaning(field, "`")));
        keys(field.kind, depth + 1, text);
    }
}

/// Rhai's word for a type; `?` where it is one of several.
fn word(name: &'static str) -> &'static str {
    match name {
        "any" | "text" | "number" | "scalar" => "?",
        "duration" => "string",
        "closure" => "Fn",
        name => name,
    }
}
