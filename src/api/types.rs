//! The types of the script surface: of parameters, of options and of what functions give.

use std::any::TypeId;

use rhai::Dynamic;

use super::artifact::Artifact;
use super::build::Build;
use super::git::Project;
use super::handle::Job;
use super::jar::Jar;
use super::params::Declaration;
use super::spec::Spec;
use crate::base::secret::SecretText;

/// A type of the script surface. Texts that name something say what, so that it can be looked up before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Any,
    Unit,
    Bool,
    Integer,
    /// A whole number or a fraction.
    Number,
    String,
    /// A string, or a secret.
    Text,
    /// A text, a number or a boolean.
    Scalar,
    /// A string such as `90s`.
    Duration,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// The name of a template.
    Template,
    /// The path of a file in the workspace.
    Path,
    /// The path of a file in the workspace, an artifact, or a jar that was opened.
    File,
    /// The name of a git project of `tidegate.yaml`, or the URL of one.
    Repository,
    /// The name of a variable of the environment.
    Variable,
    /// The name of a secret.
    SecretName,
    /// The name of a parameter of the script.
    ParameterName,
    /// The name of a cluster of `tidegate.yaml`.
    ClusterName,
    /// A SQL text, a template itself.
    Sql,
    /// Maven coordinates.
    Coordinates,
    /// Maven coordinates, or a map with them.
    Dependency,
    Array,
    /// An array of these.
    ListOf(&'static Type),
    Map,
    /// A map of any keys and these values.
    MapOf(&'static Type),
    /// A map of these keys, in groups.
    Options(&'static [&'static [Field]]),
    Closure,
    Secret,
    Spec,
    Job,
    Artifact,
    Jar,
    Project,
    Build,
    Declaration,
}

/// A key of an option map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Type,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it is for, without a full stop.
    pub summary: &'static str,
}

impl Type {
    /// The word in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Unit => "()",
            Self::Bool => "bool",
            Self::Integer => "int",
            Self::Number => "number",
            Self::Duration => "duration",
            Self::String
            | Self::Word(_)
            | Self::Template
            | Self::Path
            | Self::Repository
            | Self::Variable
            | Self::SecretName
            | Self::ParameterName
            | Self::ClusterName
            | Self::Coordinates
            | Self::Sql => "string",
            Self::Text => "text",
            Self::Dependency => "dependency",
            Self::Scalar => "scalar",
            Self::Array | Self::ListOf(_) => "array",
            Self::Map | Self::MapOf(_) | Self::Options(_) => "map",
            Self::Closure => "closure",
            Self::Secret => "secret",
            Self::Spec => "spec",
            Self::Job => "job",
            Self::File => "file",
            Self::Artifact => "artifact",
            Self::Jar => "jar",
            Self::Project => "project",
            Self::Build => "build",
            Self::Declaration => "declaration",
        }
    }

    /// The type with its article, for messages.
    pub fn article(self) -> &'static str {
        match self.name() {
            "any" => "any value",
            "()" => "()",
            "bool" => "a boolean",
            "int" => "an integer",
            "number" => "a number",
            "text" => "a string or a secret",
            "dependency" => "Maven coordinates, or a map with them",
            "scalar" => "a text, a number or a boolean",
            "array" => "an array",
            "map" => "a map",
            "closure" => "a closure",
            "secret" => "a secret",
            "spec" => "a job spec",
            "job" => "a job",
            "file" => "a path, an artifact or a jar",
            "artifact" => "an artifact",
            "jar" => "a jar",
            "project" => "a project",
            "build" => "a build",
            "declaration" => "a parameter declaration",
            _ => "a string",
        }
    }

    /// Whether a value is of this type, as far as its type tells; what a text says is checked by what receives it.
    pub fn accepts(self, value: &Dynamic) -> bool {
        match self.name() {
            "any" => true,
            "()" => value.is_unit(),
            "bool" => value.is_bool(),
            "int" => value.is_int(),
            "number" => value.is_int() || value.is_float(),
            "text" => value.is_string() || value.is::<SecretText>(),
            "dependency" => value.is_string() || value.is_map(),
            "scalar" => {
                value.is_string() || value.is_int() || value.is_float() || value.is_bool() || value.is::<SecretText>()
            }
            "array" => value.is_array(),
            "map" => value.is_map(),
            "closure" => value.is_fnptr(),
            "secret" => value.is::<SecretText>(),
            "spec" => value.is::<Spec>(),
            "job" => value.is::<Job>(),
            "file" => value.is_string() || value.is::<Artifact>() || value.is::<Jar>(),
            "artifact" => value.is::<Artifact>(),
            "jar" => value.is::<Jar>(),
            "project" => value.is::<Project>(),
            "build" => value.is::<Build>(),
            "declaration" => value.is::<Declaration>(),
            _ => value.is_string(),
        }
    }

    /// Rhai's type of an object that has methods.
    pub(super) fn type_id(self) -> TypeId {
        match self {
            Self::Secret => TypeId::of::<SecretText>(),
            Self::Spec => TypeId::of::<Spec>(),
            Self::Job => TypeId::of::<Job>(),
            Self::Artifact => TypeId::of::<Artifact>(),
            Self::Jar => TypeId::of::<Jar>(),
            Self::Project => TypeId::of::<Project>(),
            Self::Build => TypeId::of::<Build>(),
            Self::Declaration => TypeId::of::<Declaration>(),
            _ => TypeId::of::<Dynamic>(),
        }
    }

    /// The keys of an option map; none for any other type.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        let groups: &[&[Field]] = match self {
            Self::Options(groups) => groups,
            _ => &[],
        };
        groups.iter().flat_map(|group| group.iter())
    }
}

/// A Rust type that receives a value of a script.
pub trait Receives {
    /// What the script gives.
    const KIND: Type;
    /// Whether it may be left out of an option map.
    const OPTIONAL: bool = false;
}

/// A struct that receives an option map.
pub trait OptionMap {
    /// Its keys.
    const FIELDS: &'static [Field];
}

macro_rules! receives {
    ($($rust:ty => $kind:expr;)*) => { $(impl Receives for $rust { const KIND: Type = $kind; })* };
}

receives! {
    bool => Type::Bool;
    u32 => Type::Integer;
    u64 => Type::Integer;
    usize => Type::Integer;
    i64 => Type::Integer;
    f64 => Type::Number;
    String => Type::String;
    serde_json::Value => Type::Any;
}

impl<T: Receives> Receives for Option<T> {
    const KIND: Type = T::KIND;
    const OPTIONAL: bool = true;
}

impl<T: Receives> Receives for Vec<T> {
    const KIND: Type = Type::ListOf(&T::KIND);
    const OPTIONAL: bool = true;
}

impl<T: Receives> Receives for std::collections::BTreeMap<String, T> {
    const KIND: Type = Type::MapOf(&T::KIND);
    const OPTIONAL: bool = true;
}

/// Declares a struct that receives an option map: its fields are the keys, their doc comments the reference.
///
/// A field may say what its text means: `timeout: Option<String> => Type::Duration`.
macro_rules! options {
    ($(#[doc = $about:literal])* $visible:vis struct $name:ident {
        $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)*)])? $field:ident : $rust:ty $(=> $kind:expr)?,)*
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $visible struct $name {
            $($(#[doc = $doc])+ $(#[serde($($serde)*)])? $visible $field: $rust,)*
        }

        impl $crate::api::types::OptionMap for $name {
            const FIELDS: &'static [$crate::api::types::Field] = &[$($crate::api::types::Field {
                name: $crate::api::types::key(stringify!($field)),
                kind: $crate::api::types::options!(@kind $rust $(, $kind)?),
                optional: <$rust as $crate::api::types::Receives>::OPTIONAL,
                summary: concat!($($doc),+).trim_ascii(),
            }),*];
        }

        impl $crate::api::types::Receives for $name {
            const KIND: $crate::api::types::Type =
                $crate::api::types::Type::Options(&[<$name as $crate::api::types::OptionMap>::FIELDS]);
        }
    };
    (@kind $rust:ty) => { <$rust as $crate::api::types::Receives>::KIND };
    (@kind $rust:ty, $kind:expr) => { $kind };
}
pub(crate) use options;

/// Declares an enum that receives one of some words, written as in the second column.
macro_rules! words {
    ($(#[doc = $about:literal])* $visible:vis enum $name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
        $visible enum $name {
            $(#[doc = $word] #[serde(rename = $word)] $variant,)*
        }

        impl $crate::api::types::Receives for $name {
            const KIND: $crate::api::types::Type = $crate::api::types::Type::Word(&[$($word),*]);
        }
    };
}
pub(crate) use words;

/// The key that a field receives: `r#type` is `type`.
pub const fn key(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}
