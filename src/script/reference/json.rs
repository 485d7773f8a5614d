//! The reference as JSON, for editors and other programs.

use serde_json::{Value, json};

use crate::api::types::{Field, Type};
use crate::script::catalog::{Chapter, Entry, describe};

/// Everything there is.
pub(super) fn all(chapters: &[Chapter]) -> Value {
    chapters.iter().map(chapter).collect()
}

/// A namespace, or a file of the library.
pub(super) fn chapter(chapter: &Chapter) -> Value {
    json!({
        "name": chapter.name,
        "kind": if chapter.is_library { "library" } else { "namespace" },
        "summary": chapter.summary,
        "entries": chapter.entries.iter().map(entry).collect::<Value>(),
    })
}

/// A function, method or property.
pub(super) fn entry(entry: &Entry) -> Value {
    let kind = match (entry.is_property, entry.on) {
        (true, _) => "property",
        (false, Some(_)) => "method",
        (false, None) => "function",
    };
    let parameters = entry.parameters.iter().map(|parameter| {
        let mut value = json!({
            "name": parameter.name,
            "type": if parameter.word.is_empty() { "any".to_owned() } else { parameter.word.clone() },
            "required": !parameter.optional,
            "meaning": parameter.meaning,
        });
        describe_further(&mut value, parameter.kind);
        value
    });
    json!({
        "name": entry.name,
        "kind": kind,
        "on": entry.on,
        "signature": entry.signature(),
        "summary": entry.text,
        "class": entry.class.map(|class| class.name()),
        "parameters": parameters.collect::<Value>(),
        "returns": entry.returns,
        "errors": entry.errors,
        "examples": entry.examples,
    })
}

fn field(field: &Field) -> Value {
    let mut value = json!({
        "name": field.name,
        "type": describe(field.kind),
        "required": !field.optional,
        "meaning": field.summary,
    });
    describe_further(&mut value, field.kind);
    value
}

/// Adds the words of a word, and the keys of an option map.
fn describe_further(value: &mut Value, kind: Type) {
    let kind = match kind {
        Type::ListOf(inner) | Type::MapOf(inner) => *inner,
        kind => kind,
    };
    if let Type::Word(words) = kind {
        value["words"] = json!(words);
    }
    if kind.fields().next().is_some() {
        value["keys"] = kind.fields().map(field).collect();
    }
}
