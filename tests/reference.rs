//! The generated documents are those of the code: `docs/reference/*.md` and `docs/errors.md`. `UPDATE=1` writes them again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use tidegate::api::NAMESPACES;
use tidegate::api::declare::full_name;
use tidegate::script::reference;

fn docs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"))
}

fn compare(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, wanted).unwrap();
    }
    let is = std::fs::read_to_string(path).unwrap_or_default();
    assert!(is == wanted, "{} is not what the code says: UPDATE=1 cargo test --test reference", path.display());
}

#[test]
fn the_reference_is_what_is_declared() {
    let folder = docs().join("reference");
    let files = reference::files();
    for (name, text) in &files {
        compare(&folder.join(name), text);
    }
    // A namespace that is gone leaves no page behind.
    let there: BTreeSet<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, files.into_iter().map(|(name, _)| name).collect());
}

#[test]
fn the_error_codes_are_those_of_the_code() {
    compare(&docs().join("errors.md"), &reference::errors());
}

#[test]
fn every_name_has_a_text_and_every_function_is_described() {
    for name in reference::names() {
        let text = reference::of(&name).unwrap();
        assert!(text.contains(&name), "{name}: {text}");
    }
    assert_eq!(reference::of("job::sqll"), None);
    for namespace in NAMESPACES {
        assert!(reference::summary().contains(&format!("{}: {}", namespace.name, namespace.summary)));
        for function in namespace.functions {
            let name = full_name(namespace.name, function);
            assert!(!function.summary.is_empty(), "{name} has no summary");
            assert!(function.property || !function.example.is_empty(), "{name} has no example");
        }
    }
}
