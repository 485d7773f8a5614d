//! Holds the layer table of the design, and what every source file has to be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each layer with the layers that it may import, beside itself.
const TABLE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("model", &["base"]),
    ("drivers", &["base", "model"]),
    ("sql", &["base", "model"]),
    ("store", &["base", "model"]),
    ("ops", &["base", "model", "drivers", "sql", "store"]),
    ("api", &["base", "model", "ops"]),
    ("script", &["base", "model", "ops", "api"]),
    ("workspace", &["base", "model", "drivers", "sql", "store", "ops", "api", "script"]),
    ("daemon", &["base", "model", "ops", "script", "workspace"]),
    ("web", &["base", "model", "ops", "script", "workspace"]),
    ("cli", &["base", "model", "ops", "script", "workspace", "daemon", "web"]),
];

/// What the table does not allow and is there all the same, with the reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("src/cli/terminal.rs", "api", "what scripts print goes to the terminal: it implements the trait of `api::host`"),
    ("src/cli/commands/", "api", "`api::table::layout` draws the tables of commands as those of scripts"),
    ("src/script/runner.rs", "store", "hands on the lock of a run, whose type is the store's"),
];

/// Files over the limit, with the reason.
const LONG: &[(&str, &str)] = &[];

const LONGEST: usize = 400;

struct Source {
    /// From the repository's root.
    path: String,
    text: String,
    /// Without the tests at the end, and without comments.
    code: String,
}

impl Source {
    fn layer(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split_once('/').map(|(layer, _)| layer)
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The lines before the tests at the end.
    fn lines(&self) -> usize {
        self.text.lines().take_while(|line| *line != "#[cfg(test)]").count()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = code_of(&text);
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                sources.push(Source { path, text, code });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(sources.len() > 50, "the sources were not found");
    sources
}

fn code_of(text: &str) -> String {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The layers that a text names as `crate::layer`, in a list of an import included.
fn named(code: &str) -> BTreeSet<String> {
    let mut layers = BTreeSet::new();
    for (index, found) in code.match_indices("crate::") {
        // `$crate::` and `some_crate::` are other things.
        if code[..index].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[index + found.len()..];
        let list = match rest.strip_prefix('{') {
            Some(list) => top_level(list),
            None => vec![rest],
        };
        for item in list {
            let name: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            layers.insert(name);
        }
    }
    layers
}

/// The items of a list in braces, whose opening brace is gone.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0_usize, 0, Vec::new());
    for (index, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&list[start..index]);
                return items;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    items
}

#[test]
fn imports_are_read() {
    let layers =
        named("use crate::base::{Error};\nuse crate::{model::run, ops::{wait, cancel}};\nlet x = crate::sql::split();");
    assert_eq!(layers, BTreeSet::from(["base", "model", "ops", "sql"].map(str::to_owned)));
}

#[test]
fn a_layer_imports_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources() {
        let Some(layer) = source.layer() else { continue };
        let Some(allowed) = table.get(layer) else { panic!("the layer of {} is not in the table", source.path) };
        for named in named(&source.code) {
            if named == layer || !table.contains_key(named.as_str()) || allowed.contains(&named.as_str()) {
                continue;
            }
            match ALLOWED.iter().find(|(file, other, _)| source.path.starts_with(file) && *other == named) {
                Some(exception) => drop(used.insert(exception)),
                None => wrong.push(format!("{} ({layer}) imports {named}", source.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let unused: Vec<_> = ALLOWED.iter().filter(|exception| !used.contains(exception)).collect();
    assert!(unused.is_empty(), "exceptions that nobody needs any more: {unused:?}");
}

#[test]
fn drivers_do_not_import_each_other() {
    // What they share: HTTP, the one reading of jars, and programs that run to their end.
    let shared = ["http", "jar", "child"];
    for source in sources() {
        let Some(rest) = source.path.strip_prefix("src/drivers/") else { continue };
        let own = rest.split(['/', '.']).next().unwrap();
        for part in source.code.split("crate::drivers::").skip(1) {
            let other: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(other == own || shared.contains(&other.as_str()), "{} imports the driver `{other}`", source.path);
        }
    }
}

#[test]
fn only_the_workspace_builds_drivers_and_the_store() {
    for source in sources().iter().filter(|source| !source.path.starts_with("src/workspace/")) {
        let own = source.path.starts_with("src/store/");
        assert!(own || !source.code.contains("Store::open("), "{} opens the store", source.path);
    }
}

#[test]
fn every_file_says_what_it_is_and_is_one_idea() {
    let mut long = BTreeSet::new();
    for source in sources() {
        assert!(source.text.starts_with("//! "), "{} does not start with `//!`", source.path);
        let name = source.path.rsplit('/').next().unwrap();
        for word in ["util", "common", "manager", "helper"] {
            assert!(!name.contains(word), "{}: `{word}` names no idea", source.path);
        }
        if source.lines() > LONGEST && !source.is_test() {
            let listed = LONG.iter().find(|(file, _)| *file == source.path);
            let listed = listed.unwrap_or_else(|| panic!("{} has {} lines", source.path, source.lines()));
            long.insert(listed.0);
        }
    }
    for (file, _) in LONG {
        assert!(long.contains(file), "{file} is short now: take it off the list");
    }
}
