//! The reference as Markdown: the pages of `docs/reference/`.

use crate::api::types::Field;
use crate::script::catalog::{Chapter, Entry, Nested, describe, meaning};

/// The words for types that are not Rhai's own.
const TYPES: &[(&str, &str)] = &[
    ("duration", "a string such as `\"500ms\"`, `\"90s\"`, `\"10m\"`, `\"36h\"` or `\"7d\"`"),
    ("text", "a string, or a secret"),
    ("number", "an integer, or a fraction"),
    ("scalar", "a text, a number or a boolean"),
    ("map", "an option map: `#{ key: value }`; a page lists its keys where they are fixed"),
    ("spec", "a job as it shall be: what `job::sql` and `job::jar` give"),
    ("job", "a deployed job as it was seen"),
    ("file", "the path of a file in the workspace, an artifact, or a jar that was opened"),
    ("artifact", "a file in the artifact store, known by its bytes: what a build gives"),
    ("jar", "a jar whose classes can be asked for: what `jar::open` gives"),
    ("secret", "a value that is shown as `***`: what `env::secret` gives"),
    ("declaration", "a declared parameter of a script: what `params::int` and its like give"),
];

/// The name of a chapter's file.
pub(super) fn file(chapter: &Chapter) -> String {
    format!("{}.md", chapter.name.replace('/', "-"))
}

/// The page that lists the others.
pub(super) fn index(chapters: &[Chapter]) -> String {
    let mut text = "# The script API\n\n\
        Generated from the declarations in `src/api` and from the doc comments of `stdlib/`; `UPDATE=1 cargo test --test reference`\n\
        writes it again. `tidegate docs` prints the same. What all functions have in common is in [scripts.md](../scripts.md).\n"
        .to_owned();
    for (title, is_library) in [("namespace", false), ("library", true)] {
        text.push_str(&format!("\n| {title} | what it is for |\n|---|---|\n"));
        for chapter in chapters.iter().filter(|chapter| chapter.is_library == is_library) {
            text.push_str(&format!("| [`{}`]({}) | {} |\n", chapter.name, file(chapter), cell(&chapter.summary)));
        }
    }
    text.push_str("\nA file of the library is imported: `import \"std/jobs\" as jobs;`.\n");
    text.push_str("\nA `?` marks what may be left out. The types are Rhai's own, and these:\n\n| type | what it is |\n|---|---|\n");
    for (name, what) in TYPES {
        text.push_str(&format!("| {name} | {what} |\n"));
    }
    text.push_str(
        "\nThe class of a function says what it does to the world, and so what happens to it when a run is resumed \
         ([journal.md](../journal.md)): `pure` and `scope` run again, `read` is answered from the journal, `set` and \
         `keyed` are answered from the journal where their result was recorded, and finished under the same key where not.\n",
    );
    text
}

/// The page of a chapter.
pub(super) fn page(chapter: &Chapter) -> String {
    let mut text = format!("# `{}`\n\n{}\n", chapter.name, chapter.summary);
    if chapter.is_library {
        let short = chapter.name.rsplit('/').next().unwrap_or_default();
        text.push_str(&format!("\n```rhai\nimport \"{}\" as {short};\n```\n", chapter.name));
    }
    let (properties, functions): (Vec<_>, Vec<_>) = chapter.entries.iter().partition(|entry| entry.is_property);
    for function in functions {
        text.push('\n');
        text.push_str(&entry(function));
    }
    if !properties.is_empty() {
        text.push_str("\n## Properties\n\n| property | type | what it is |\n|---|---|---|\n");
        for property in properties {
            let gives = property.returns.unwrap_or_default();
            text.push_str(&format!("| `{}` | {gives} | {} |\n", property.name, cell(&property.text)));
        }
    }
    let maps = maps(chapter);
    if !maps.is_empty() {
        text.push_str("\n## Option maps\n");
    }
    for (map, users) in maps {
        let users: Vec<String> = users.iter().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!("\n### {}\n\nA key of the options of {}.\n\n", map.key, users.join(" and ")));
        text.push_str(&table("key", &map.fields));
    }
    text
}

/// The option maps inside others, each once, with the functions that take it.
fn maps(chapter: &Chapter) -> Vec<(Nested, Vec<&str>)> {
    let mut found: Vec<(Nested, Vec<&str>)> = Vec::new();
    for entry in &chapter.entries {
        for map in entry.nested() {
            match found.iter_mut().find(|(known, _)| *known == map) {
                Some((_, users)) => users.push(&entry.name),
                None => found.push((map, vec![&entry.name])),
            }
        }
    }
    found
}

fn entry(entry: &Entry) -> String {
    let mut text = format!("## `{}`\n\n{}\n", entry.signature(), entry.text);
    let told: Vec<_> = entry.parameters.iter().filter(|parameter| !parameter.meaning.is_empty()).collect();
    if !told.is_empty() {
        text.push('\n');
        for parameter in told {
            text.push_str(&format!("- `{}`: {}\n", parameter.name, parameter.meaning));
        }
    }
    for parameter in &entry.parameters {
        let fields: Vec<&Field> = parameter.kind.fields().collect();
        if !fields.is_empty() {
            text.push('\n');
            text.push_str(&table(&format!("key of `{}`", parameter.name), &fields));
        }
    }
    if let Some(class) = entry.class {
        text.push_str(&format!("\nClass: {class}."));
        if !entry.errors.is_empty() {
            let codes: Vec<String> = entry.errors.iter().map(|code| format!("`{code}`")).collect();
            text.push_str(&format!(" Errors of its own: {}.", codes.join(", ")));
        }
        text.push('\n');
    }
    for example in &entry.examples {
        text.push_str(&format!("\n```rhai\n{example}\n```\n"));
    }
    text
}

fn table(title: &str, fields: &[&Field]) -> String {
    let mut text = format!("| {title} | type | required | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let required = if field.optional { "" } else { "yes" };
        let kind =
            if field.kind.fields().next().is_some() { format!("[map](#{})", field.name) } else { describe(field.kind) };
        text.push_str(&format!("| `{}` | {kind} | {required} | {} |\n", field.name, cell(&meaning(field, "`"))));
    }
    text
}

fn cell(text: &str) -> String {
    text.replace("\n\n", " ").replace('|', "\\|")
}
