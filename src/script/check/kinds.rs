//! The types that values of a script can be known to have before it runs.

use std::any::TypeId;

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map};

use crate::api::artifact::Artifact;
use crate::api::build::Build;
use crate::api::declare::Type;
use crate::api::git::Project;
use crate::api::handle::Job;
use crate::api::jar::Jar;
use crate::api::params::Declaration;
use crate::api::spec::Spec;
use crate::base::secret::SecretText;

/// What is known of a value's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything: nothing is claimed of it.
    Unknown,
    Unit,
    Bool,
    Integer,
    Float,
    Character,
    String,
    Array,
    Map,
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

impl Kind {
    /// What a host function of this type gives.
    pub(super) fn of(kind: Type) -> Self {
        match kind {
            Type::Secret => Self::Secret,
            Type::Spec => Self::Spec,
            Type::Job => Self::Job,
            Type::Artifact => Self::Artifact,
            Type::Jar => Self::Jar,
            Type::Project => Self::Project,
            Type::Build => Self::Build,
            Type::Declaration => Self::Declaration,
            Type::Closure => Self::Closure,
            other => match other.name() {
                "()" => Self::Unit,
                "bool" => Self::Bool,
                "int" => Self::Integer,
                "string" | "duration" => Self::String,
                "array" => Self::Array,
                "map" => Self::Map,
                _ => Self::Unknown,
            },
        }
    }

    /// What a function of Rhai gives, by the text that its declaration has.
    pub(super) fn named(rhai: &str) -> Self {
        let last = rhai.rsplit("::").next().unwrap_or(rhai);
        match last {
            "()" => Self::Unit,
            "bool" => Self::Bool,
            "i64" | "INT" | "int" => Self::Integer,
            "f64" | "FLOAT" | "float" => Self::Float,
            "char" => Self::Character,
            "String" | "ImmutableString" | "string" | "&str" => Self::String,
            "Array" | "array" => Self::Array,
            "Map" | "map" => Self::Map,
            _ => Self::Unknown,
        }
    }

    /// The type of a value.
    pub(super) fn of_value(value: &Dynamic) -> Self {
        let id = value.type_id();
        let all = [
            Self::Unit,
            Self::Bool,
            Self::Integer,
            Self::Float,
            Self::Character,
            Self::String,
            Self::Array,
            Self::Map,
            Self::Closure,
            Self::Secret,
        ];
        all.into_iter().find(|kind| kind.type_id() == Some(id)).unwrap_or(Self::Unknown)
    }

    /// Rhai's type, where it is known.
    pub(super) fn type_id(self) -> Option<TypeId> {
        Some(match self {
            Self::Unknown => return None,
            Self::Unit => TypeId::of::<()>(),
            Self::Bool => TypeId::of::<bool>(),
            Self::Integer => TypeId::of::<i64>(),
            Self::Float => TypeId::of::<f64>(),
            Self::Character => TypeId::of::<char>(),
            Self::String => TypeId::of::<ImmutableString>(),
            Self::Array => TypeId::of::<Array>(),
            Self::Map => TypeId::of::<Map>(),
            Self::Closure => TypeId::of::<FnPtr>(),
            Self::Secret => TypeId::of::<SecretText>(),
            Self::Spec => TypeId::of::<Spec>(),
            Self::Job => TypeId::of::<Job>(),
            Self::Artifact => TypeId::of::<Artifact>(),
            Self::Jar => TypeId::of::<Jar>(),
            Self::Project => TypeId::of::<Project>(),
            Self::Build => TypeId::of::<Build>(),
            Self::Declaration => TypeId::of::<Declaration>(),
        })
    }

    /// The word for it, as in the name of a method: `job.wait_for`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unknown => "value",
            Self::Unit => "()",
            Self::Bool => "bool",
            Self::Integer => "int",
            Self::Float => "float",
            Self::Character => "char",
            Self::String => "string",
            Self::Array => "array",
            Self::Map => "map",
            Self::Closure => "closure",
            Self::Secret => "secret",
            Self::Spec => "spec",
            Self::Job => "job",
            Self::Artifact => "artifact",
            Self::Jar => "jar",
            Self::Project => "project",
            Self::Build => "build",
            Self::Declaration => "declaration",
        }
    }

    /// With its article, as errors of a run have it.
    pub(super) fn article(self) -> &'static str {
        match self {
            Self::Unknown => "a value",
            Self::Unit => "()",
            Self::Bool => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Character => "a character",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Map => "a map",
            Self::Closure => "a closure",
            Self::Secret => "a secret",
            Self::Spec => "a job spec",
            Self::Job => "a job",
            Self::Artifact => "an artifact",
            Self::Jar => "a jar",
            Self::Project => "a project",
            Self::Build => "a build",
            Self::Declaration => "a parameter declaration",
        }
    }

    /// Whether a value of this type may be given where `wanted` is.
    pub(super) fn fits(self, wanted: Type) -> bool {
        let text = matches!(self, Self::String | Self::Secret);
        match (self, wanted.name()) {
            (Self::Unknown, _) | (_, "any") => true,
            (_, "()") => self == Self::Unit,
            (_, "bool") => self == Self::Bool,
            (_, "int") => self == Self::Integer,
            (_, "number") => matches!(self, Self::Integer | Self::Float),
            (_, "text") => text,
            (_, "scalar") => text || matches!(self, Self::Integer | Self::Float | Self::Bool),
            (_, "dependency") => matches!(self, Self::String | Self::Map),
            (_, "array") => self == Self::Array,
            (_, "map") => self == Self::Map,
            (_, "closure") => self == Self::Closure,
            (_, "secret") => self == Self::Secret,
            (_, "spec") => self == Self::Spec,
            (_, "job") => self == Self::Job,
            (_, "file") => matches!(self, Self::String | Self::Artifact | Self::Jar),
            (_, "artifact") => self == Self::Artifact,
            (_, "jar") => self == Self::Jar,
            (_, "project") => self == Self::Project,
            (_, "build") => self == Self::Build,
            (_, "declaration") => self == Self::Declaration,
            (_, "string" | "duration") => self == Self::String,
            // A type that is not known here: nothing is claimed.
            _ => true,
        }
    }

    /// What is known of a value that is one or the other.
    pub(super) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Unknown }
    }
}
