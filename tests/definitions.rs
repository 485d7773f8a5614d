//! The definition files for editors: nothing of ours reads them, so their shape is held here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use tidegate::api::NAMESPACES;
use tidegate::api::declare::Function;
use tidegate::script::reference;

/// A line such as `fn get name(spec: spec) -> string;`, taken apart.
#[derive(Debug)]
struct Head {
    name: String,
    is_property: bool,
    parameters: Vec<(String, String)>,
    returns: String,
}

fn head(line: &str) -> Head {
    let rest = line.strip_prefix("fn ").and_then(|rest| rest.strip_suffix(';')).unwrap_or_else(|| panic!("{line}"));
    let (left, returns) = rest.split_once(") -> ").unwrap_or_else(|| panic!("{line}"));
    let (name, list) = left.split_once('(').unwrap_or_else(|| panic!("{line}"));
    assert!(!list.contains(['(', ')']) && !returns.is_empty(), "{line}");
    let is_property = name.starts_with("get ");
    let parameters = list.split(", ").filter(|parameter| !parameter.is_empty()).map(|parameter| {
        let (name, kind) = parameter.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        assert!(!name.contains('?') && !kind.contains(' '), "{line}");
        (name.to_owned(), kind.to_owned())
    });
    Head {
        name: name.trim_start_matches("get ").to_owned(),
        is_property,
        parameters: parameters.collect(),
        returns: returns.to_owned(),
    }
}

/// The module of a file, and its functions with their comments.
fn read(text: &str) -> (String, Vec<(Head, String)>) {
    let (mut module, mut comment, mut found) = (None, String::new(), Vec::new());
    for line in text.lines() {
        assert_eq!(line, line.trim_end());
        if let Some(words) = line.strip_prefix("///") {
            comment.push_str(words.strip_prefix(' ').unwrap_or(words));
            comment.push('\n');
        } else if let Some(name) = line.strip_prefix("module ") {
            assert!(module.is_none() && found.is_empty(), "two modules in a file");
            module = name.strip_suffix(';').map(str::to_owned);
        } else if line.starts_with("fn ") {
            found.push((head(line), std::mem::take(&mut comment)));
        } else {
            assert!(line.is_empty() || line.starts_with("// "), "what is this: {line}");
            assert!(comment.is_empty(), "a comment that belongs to nothing: {comment}");
        }
    }
    assert!(comment.is_empty(), "a comment that belongs to nothing: {comment}");
    (module.unwrap(), found)
}

fn is_there(function: &Function, found: &[(Head, String)]) {
    let least = function.parameters.iter().filter(|parameter| !parameter.optional).count();
    for count in least..=function.parameters.len() {
        let own: Vec<&(Head, String)> = found
            .iter()
            .filter(|(head, _)| {
                let object = function.on.map(|on| on.name());
                let names = function.parameters[..count].iter().map(|parameter| parameter.name);
                head.name == function.name
                    && head.is_property == function.property
                    && object.into_iter().chain(names).eq(head.parameters.iter().map(|(name, _)| name.as_str()))
                    && object.is_none_or(|object| head.parameters[0].1 == object)
            })
            .collect();
        let [(_, comment)] = own.as_slice() else {
            panic!("{} with {count} arguments is there {} times", function.name, own.len())
        };
        assert!(comment.contains('.'), "{} has no comment", function.name);
        if count == function.parameters.len() {
            assert!(comment.contains(function.summary), "{}: {comment}", function.name);
            assert!(comment.contains(function.example), "{}: {comment}", function.name);
            for field in function.parameters.iter().flat_map(|parameter| parameter.kind.fields()) {
                assert!(comment.contains(&format!("  * `{}` (", field.name)), "{} of {}", field.name, function.name);
            }
        }
        assert_eq!(comment.matches("```").count() % 2, 0, "{comment}");
    }
}

#[test]
fn each_function_is_in_the_file_of_its_namespace() {
    let files = reference::definitions().unwrap();
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), NAMESPACES.len() + 1, "{names:?}");
    let text = |name: &str| &files.iter().find(|(file, _)| file == name).unwrap().1;
    let (module, global) = read(text("global.d.rhai"));
    assert_eq!(module, "static");
    let mut count = 0;
    for namespace in NAMESPACES {
        let (module, own) = read(text(&format!("{}.d.rhai", namespace.name)));
        assert_eq!(module, namespace.name);
        for function in namespace.functions {
            is_there(function, if function.on.is_some() { &global } else { &own });
            count += 1;
        }
        assert!(own.iter().all(|(head, _)| namespace.functions.iter().any(|function| function.name == head.name)));
    }
    assert!(count > 50, "only {count} functions were found");
}

#[test]
fn types_are_those_that_an_editor_knows() {
    let known = [
        "?",
        "()",
        "bool",
        "int",
        "string",
        "array",
        "map",
        "Fn",
        "secret",
        "spec",
        "job",
        "project",
        "build",
        "artifact",
        "jar",
        "file",
        "declaration",
    ];
    for (name, text) in reference::definitions().unwrap() {
        for (head, _) in read(&text).1 {
            for word in head.parameters.iter().map(|(_, kind)| kind).chain([&head.returns]) {
                assert!(known.contains(&word.as_str()), "{name}: {}: the type `{word}`", head.name);
            }
        }
    }
}
