//! The script surface as documents see it: host functions from their declarations and the library from its doc comments,
//! in one shape.

use super::library;
use crate::api::NAMESPACES;
use crate::api::declare::{Function, Namespace, full_name};
use crate::api::types::{Field, Type};
use crate::base::Result;
use crate::model::class::Class;

/// A namespace of host functions, or a file of the library.
pub struct Chapter {
    /// `job`, or `std/jobs`.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// Whether it is a file of the library, which a script imports.
    pub is_library: bool,
    /// What is in it.
    pub entries: Vec<Entry>,
}

/// A function, method or property.
pub struct Entry {
    /// The whole name: `job::sql`, `spec.deploy`, `std/jobs::deploy_all`.
    pub name: String,
    /// The name without namespace or type.
    pub short: String,
    /// The type that it is a method or property of.
    pub on: Option<&'static str>,
    /// Whether it is a property.
    pub is_property: bool,
    /// The effect class; a function of the library has those of what it calls.
    pub class: Option<Class>,
    /// The parameters, without the object.
    pub parameters: Vec<Parameter>,
    /// The type that it gives, where it is known.
    pub returns: Option<&'static str>,
    /// What it does.
    pub text: String,
    /// The codes of its own errors.
    pub errors: Vec<&'static str>,
    /// Scripts that show it.
    pub examples: Vec<String>,
}

/// A parameter of a function.
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type in a word; empty where it is not known.
    pub word: String,
    /// Its declared type.
    pub kind: Type,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it is for, where that is said.
    pub meaning: String,
}

/// An option map inside another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nested {
    /// The key that receives it.
    pub key: &'static str,
    /// Its keys.
    pub fields: Vec<&'static Field>,
}

/// Everything that scripts can call, in the order of the documents.
///
/// # Errors
/// What parsing the library gives.
pub fn chapters() -> Result<Vec<Chapter>> {
    let mut chapters: Vec<Chapter> = NAMESPACES.iter().map(|namespace| of_namespace(namespace)).collect();
    for file in library::files()? {
        chapters.push(of_file(file));
    }
    Ok(chapters)
}

fn of_namespace(namespace: &Namespace) -> Chapter {
    Chapter {
        name: namespace.name.to_owned(),
        summary: namespace.summary.to_owned(),
        is_library: false,
        entries: namespace.functions.iter().map(|function| of_function(namespace, function)).collect(),
    }
}

fn of_function(namespace: &Namespace, function: &Function) -> Entry {
    let parameters = function.parameters.iter().map(|parameter| Parameter {
        name: parameter.name.to_owned(),
        word: parameter.kind.name().to_owned(),
        kind: parameter.kind,
        optional: parameter.optional,
        meaning: words(parameter.kind, "").unwrap_or_default(),
    });
    Entry {
        name: full_name(namespace.name, function),
        short: function.name.to_owned(),
        on: function.on.map(Type::name),
        is_property: function.property,
        class: Some(function.class),
        parameters: parameters.collect(),
        returns: Some(function.returns.name()),
        text: function.summary.to_owned(),
        errors: function.errors.iter().map(|code| code.name).collect(),
        examples: (!function.example.is_empty()).then(|| function.example.to_owned()).into_iter().collect(),
    }
}

fn of_file(file: library::LibraryFile) -> Chapter {
    let name = file.name;
    let entries = file.functions.into_iter().map(|function| {
        let told = function.comment.parameters;
        let parameters = function.parameters.into_iter().map(|parameter| {
            let told = told.iter().find(|told| told.name == parameter);
            Parameter {
                name: parameter,
                word: told.map(|told| told.kind.clone()).unwrap_or_default(),
                kind: Type::Any,
                optional: false,
                meaning: told.map(|told| told.meaning.clone()).unwrap_or_default(),
            }
        });
        Entry {
            name: format!("{name}::{}", function.name),
            parameters: parameters.collect(),
            short: function.name,
            on: None,
            is_property: false,
            class: None,
            returns: None,
            text: function.comment.text,
            errors: Vec::new(),
            examples: function.comment.examples,
        }
    });
    Chapter { entries: entries.collect(), name: name.clone(), summary: file.about.text, is_library: true }
}

impl Entry {
    /// `job::sql(name: string, options: map) -> spec`; `?` marks what may be left out.
    pub fn signature(&self) -> String {
        let gives = self.returns.map(|returns| format!(" -> {returns}")).unwrap_or_default();
        if self.is_property {
            return format!("{}{gives}", self.name);
        }
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|parameter| {
                let optional = if parameter.optional { "?" } else { "" };
                let kind = if parameter.word.is_empty() { String::new() } else { format!(": {}", parameter.word) };
                format!("{}{optional}{kind}", parameter.name)
            })
            .collect();
        format!("{}({}){gives}", self.name, parameters.join(", "))
    }

    /// The text up to its first full stop.
    pub fn first_sentence(&self) -> &str {
        first_sentence(&self.text)
    }

    /// The option maps inside those of its parameters, outer ones first.
    pub fn nested(&self) -> Vec<Nested> {
        let mut found = Vec::new();
        for parameter in &self.parameters {
            nested(parameter.kind, &mut found);
        }
        found
    }
}

fn nested(kind: Type, found: &mut Vec<Nested>) {
    for field in kind.fields() {
        let inner = inner(field.kind);
        if inner.fields().next().is_some() {
            let map = Nested { key: field.name, fields: inner.fields().collect() };
            if !found.contains(&map) {
                found.push(map);
                nested(inner, found);
            }
        }
    }
}

/// The type of the elements, of an array or of a map of any keys.
fn inner(kind: Type) -> Type {
    match kind {
        Type::ListOf(inner_kind) | Type::MapOf(inner_kind) => inner(*inner_kind),
        kind => kind,
    }
}

/// What a field is for, the words that it may be included.
pub fn meaning(field: &Field, quote: &str) -> String {
    match words(inner(field.kind), quote) {
        Some(words) => format!("{}: {words}", field.summary),
        None => field.summary.to_owned(),
    }
}

/// `"batch"` or `"streaming"`.
pub fn words(kind: Type, quote: &str) -> Option<String> {
    let Type::Word(words) = kind else { return None };
    let quoted: Vec<String> = words.iter().map(|word| format!("{quote}\"{word}\"{quote}")).collect();
    let (last, rest) = quoted.split_last()?;
    Some(if rest.is_empty() { last.clone() } else { format!("{} or {last}", rest.join(", ")) })
}

/// A type with that of its elements: `array of string`.
pub fn describe(kind: Type) -> String {
    match kind {
        Type::ListOf(inner) => format!("array of {}", describe(*inner)),
        Type::MapOf(Type::Any) => "map".to_owned(),
        Type::MapOf(inner) => format!("map of {}", describe(*inner)),
        kind => kind.name().to_owned(),
    }
}

/// A text up to its first full stop, which is left out.
pub fn first_sentence(text: &str) -> &str {
    let text = text.split("\n\n").next().unwrap_or_default();
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}
