//! The reference of the script API as Markdown, from the declarations: what `tidegate docs` prints and `docs/reference/` holds.

use crate::api::NAMESPACES;
use crate::api::declare::{Function, Namespace, full_name};
use crate::base::code;

/// What `docs/reference/` holds: each file by its name, and its text.
pub fn files() -> Vec<(String, String)> {
    let mut files = vec![("README.md".to_owned(), index())];
    files.extend(NAMESPACES.iter().map(|namespace| (format!("{}.md", namespace.name), page(namespace))));
    files
}

/// What `docs/errors.md` holds.
pub fn errors() -> String {
    let mut text = "# Error codes\n\n\
        Generated from `src/base/code.rs`; `UPDATE=1 cargo test --test reference` writes it again.\n\n\
        An error shows its code in brackets, `error[flink.unreachable]`, and a script compares it: `e.code == \"flink.unreachable\"`.\n\
        Codes are stable. `tidegate explain CODE` prints the same texts.\n"
        .to_owned();
    let mut area = "";
    for code in code::ALL {
        let own = code.name.split('.').next().unwrap_or_default();
        if own != area {
            area = own;
            text.push_str(&format!("\n## {area}\n"));
        }
        text.push_str(&format!("\n### `{}`\n\n{}\n", code.name, sentence(code.explanation)));
    }
    text
}

/// What there is under a name: a namespace (`job`), or a function as the reference calls it (`job::sql`, `spec.deploy`) or
/// by its last word (`deploy`). Nothing for a name that is not there.
pub fn of(name: &str) -> Option<String> {
    let name = name.trim_end_matches("()");
    if let Some(namespace) = NAMESPACES.iter().find(|namespace| namespace.name == name) {
        return Some(page(namespace));
    }
    let found: Vec<String> = functions()
        .filter(|(namespace, function)| full_name(namespace.name, function) == name || function.name == name)
        .map(|(namespace, function)| entry(namespace, function))
        .collect();
    if found.is_empty() { None } else { Some(found.join("\n")) }
}

/// The names that [`of`] knows.
pub fn names() -> Vec<String> {
    let functions = functions().map(|(namespace, function)| full_name(namespace.name, function));
    NAMESPACES.iter().map(|namespace| namespace.name.to_owned()).chain(functions).collect()
}

/// Every namespace and function in a line.
pub fn summary() -> String {
    let width = names().iter().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for namespace in NAMESPACES {
        text.push_str(&format!("{}: {}\n", namespace.name, namespace.summary));
        for function in namespace.functions {
            let name = full_name(namespace.name, function);
            text.push_str(&format!("  {name:width$}  {}\n", first_sentence(function.summary)));
        }
    }
    text
}

fn functions() -> impl Iterator<Item = (&'static Namespace, &'static Function)> {
    NAMESPACES.iter().flat_map(|namespace| namespace.functions.iter().map(|function| (*namespace, function)))
}

fn index() -> String {
    let mut text = "# The script API\n\n\
        Generated from the declarations in `src/api`; `UPDATE=1 cargo test --test reference` writes it again.\n\
        `tidegate docs` prints the same. What all functions have in common is in [scripts.md](../scripts.md).\n\n\
        | namespace | what it is for |\n|---|---|\n"
        .to_owned();
    for namespace in NAMESPACES {
        text.push_str(&format!("| [`{0}`]({0}.md) | {1} |\n", namespace.name, namespace.summary));
    }
    text.push_str(
        "\nThe class of a function says what it does to the world, and so what happens to it when a run is resumed \
         ([journal.md](../journal.md)): `pure` and `scope` run again, `read` is answered from the journal, `set` and \
         `keyed` are answered from the journal where their result was recorded, and finished under the same key where not.\n",
    );
    text
}

fn page(namespace: &Namespace) -> String {
    let mut text = format!("# `{}`\n\n{}\n", namespace.name, namespace.summary);
    let (properties, functions): (Vec<_>, Vec<_>) = namespace.functions.iter().partition(|function| function.property);
    for function in functions {
        text.push('\n');
        text.push_str(&entry(namespace, function));
    }
    if !properties.is_empty() {
        text.push_str("\n## Properties\n\n| property | type | what it is |\n|---|---|---|\n");
        for function in properties {
            let name = full_name(namespace.name, function);
            text.push_str(&format!("| `{name}` | {} | {} |\n", function.returns.name(), function.summary));
        }
    }
    text
}

fn entry(namespace: &Namespace, function: &Function) -> String {
    let mut text = format!("## `{}`\n\n{}\n", signature(namespace, function), function.summary);
    if function.property {
        return text;
    }
    text.push_str(&format!("\nClass: {}.", function.class));
    if !function.errors.is_empty() {
        let codes: Vec<String> = function.errors.iter().map(|code| format!("`{}`", code.name)).collect();
        text.push_str(&format!(" Errors of its own: {}.", codes.join(", ")));
    }
    text.push('\n');
    if !function.example.is_empty() {
        text.push_str(&format!("\n```rhai\n{}\n```\n", function.example));
    }
    text
}

/// `job::sql(name: string, options: map) -> spec`; `?` marks what may be left out.
fn signature(namespace: &Namespace, function: &Function) -> String {
    let name = full_name(namespace.name, function);
    let gives = function.returns.name();
    if function.property {
        return format!("{name} -> {gives}");
    }
    let parameters: Vec<String> = function
        .parameters
        .iter()
        .map(|parameter| {
            let optional = if parameter.optional { "?" } else { "" };
            format!("{}{optional}: {}", parameter.name, parameter.kind.name())
        })
        .collect();
    format!("{name}({}) -> {gives}", parameters.join(", "))
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

/// Explanations begin lower case, as messages do; a document's sentence does not.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        // A name stays as it is written.
        Some(first) if !text.starts_with("tidegate") => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}
