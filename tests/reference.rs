//! The generated documents are those of the code: `docs/reference/*.md` and `docs/errors.md`. `UPDATE=1` writes them again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

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
    let files = reference::files().unwrap();
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
fn every_name_has_a_text() {
    let summary = reference::summary().unwrap();
    for name in reference::names().unwrap() {
        let text = reference::of(&name).unwrap().unwrap();
        assert!(text.starts_with(&name), "{name}: {text}");
        assert!(summary.contains(&name), "{name} is not on the list");
        assert!(reference::json(Some(&name)).unwrap().is_some(), "{name} has no JSON");
        for line in text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("    ")) {
            assert!(line.chars().count() <= 96 || !line.trim().contains(' '), "{name}: too wide: {line}");
        }
    }
    assert_eq!(reference::of("job::sqll").unwrap(), None);
    assert_eq!(reference::json(Some("job::sqll")).unwrap(), None);
}

#[test]
fn names_are_found_as_people_write_them() {
    let text = |name: &str| reference::of(name).unwrap().unwrap_or_default();
    assert_eq!(text("deploy()"), text("spec.deploy"));
    assert_eq!(text("jobs::deploy_all"), text("std/jobs::deploy_all"));
    // Both kinds of objects have a name.
    assert!(text("name").contains("spec.name") && text("name").contains("job.name"), "{}", text("name"));
    for (typed, near) in [("job::sqll", "job::sql"), ("depoly", "spec.deploy"), ("std/job", "std/jobs")] {
        assert_eq!(reference::nearest(typed).unwrap().as_deref(), Some(near), "{typed}");
    }
    assert_eq!(reference::nearest("nothing-like-it").unwrap(), None);
}

#[test]
fn option_maps_are_shown_whole() {
    let whole = reference::of("job::jar").unwrap().unwrap();
    for wanted in ["\n    jar ", "required", "\n  checkpointing: #{ ... }\n", "\"exactly_once\" or \"at_least_once\""] {
        assert!(whole.contains(wanted), "{wanted} is missing:\n{whole}");
    }
    let files = reference::files().unwrap();
    let page = &files.iter().find(|(name, _)| name == "job.md").unwrap().1;
    // A map that two functions take is shown once.
    assert_eq!(page.matches("\n### checkpointing\n\nA key of the options of `job::sql` and `job::jar`.\n").count(), 1);
    assert_eq!(page.matches("| `checkpointing` | [map](#checkpointing) |").count(), 2, "{page}");
}
