//! The reference of the script API, from the declarations and the library's doc comments: what `tidegate docs` prints and
//! `docs/reference/` holds.

mod definitions;
mod json;
mod markdown;
mod plain;

pub use definitions::FIRST_LINE;

use super::catalog::{Chapter, Entry, chapters};
use crate::base::{Result, code, suggest};

/// What `docs/reference/` holds: each file by its name, and its text.
///
/// # Errors
/// What parsing the library gives.
pub fn files() -> Result<Vec<(String, String)>> {
    let chapters = chapters()?;
    let mut files = vec![("README.md".to_owned(), markdown::index(&chapters))];
    files.extend(chapters.iter().map(|chapter| (markdown::file(chapter), markdown::page(chapter))));
    Ok(files)
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

/// What a name means, for a terminal: a namespace (`job`), a file of the library (`std/jobs`), a function as the reference
/// calls it (`job::sql`, `spec.deploy`, `std/jobs::deploy_all`), as a script that imported it calls it (`jobs::deploy_all`),
/// or its last word (`deploy`). Nothing for a name that is not there.
///
/// # Errors
/// What parsing the library gives.
pub fn of(name: &str) -> Result<Option<String>> {
    let chapters = chapters()?;
    Ok(find(&chapters, name).map(|found| match found {
        Found::Chapter(chapter) => plain::page(chapter),
        Found::Entries(entries) => entries.into_iter().map(plain::entry).collect::<Vec<_>>().join("\n"),
    }))
}

/// Like [`of`], as JSON: everything that a name means, or everything there is.
///
/// # Errors
/// What parsing the library gives.
pub fn json(name: Option<&str>) -> Result<Option<serde_json::Value>> {
    let chapters = chapters()?;
    let Some(name) = name else { return Ok(Some(json::all(&chapters))) };
    Ok(find(&chapters, name).map(|found| match found {
        Found::Chapter(chapter) => json::chapter(chapter),
        Found::Entries(entries) => entries.into_iter().map(json::entry).collect(),
    }))
}

/// The definition files for editors: each by its name, and its text.
///
/// # Errors
/// What parsing the library gives.
pub fn definitions() -> Result<Vec<(String, String)>> {
    Ok(definitions::files(&chapters()?))
}

/// The names that [`of`] knows, whole.
///
/// # Errors
/// What parsing the library gives.
pub fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for chapter in chapters()? {
        names.push(chapter.name);
        names.extend(chapter.entries.into_iter().map(|entry| entry.name));
    }
    Ok(names)
}

/// The name nearest to a misspelt one.
///
/// # Errors
/// What parsing the library gives.
pub fn nearest(name: &str) -> Result<Option<String>> {
    let names = names()?;
    if let Some(near) = suggest::nearest(name, names.iter().map(String::as_str)) {
        return Ok(Some(near.to_owned()));
    }
    // `depoly` is `spec.deploy`, and so is `job.depoly`.
    let short = |name: &str| name.rsplit(['.', ':']).next().unwrap_or_default().to_owned();
    let shorts: Vec<String> = names.iter().map(|name| short(name)).collect();
    let near = suggest::nearest(&short(name), shorts.iter().map(String::as_str)).map(str::to_owned);
    Ok(near.and_then(|near| names.into_iter().find(|name| short(name) == near)))
}

/// Every namespace and function in a line.
///
/// # Errors
/// What parsing the library gives.
pub fn summary() -> Result<String> {
    let chapters = chapters()?;
    let names = chapters.iter().flat_map(|chapter| &chapter.entries).map(|entry| entry.name.len());
    let width = names.max().unwrap_or(0);
    let mut text = String::new();
    for chapter in &chapters {
        text.push_str(&format!("{}: {}\n", chapter.name, chapter.summary));
        for entry in &chapter.entries {
            text.push_str(&format!("  {:width$}  {}\n", entry.name, entry.first_sentence()));
        }
    }
    Ok(text)
}

enum Found<'a> {
    Chapter(&'a Chapter),
    Entries(Vec<&'a Entry>),
}

fn find<'a>(chapters: &'a [Chapter], name: &str) -> Option<Found<'a>> {
    let name = name.trim_end_matches("()");
    if let Some(chapter) = chapters.iter().find(|chapter| chapter.name == name) {
        return Some(Found::Chapter(chapter));
    }
    let entries = || chapters.iter().flat_map(|chapter| &chapter.entries);
    if let Some(entry) = entries().find(|entry| entry.name == name) {
        return Some(Found::Entries(vec![entry]));
    }
    let is_imported = |entry: &Entry| entry.name.rsplit_once('/').is_some_and(|(_, imported)| imported == name);
    let found: Vec<&Entry> = entries().filter(|entry| entry.short == name || is_imported(entry)).collect();
    if found.is_empty() { None } else { Some(Found::Entries(found)) }
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
