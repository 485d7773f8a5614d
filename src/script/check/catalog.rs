//! Everything that can be called, by name: host functions, their methods and properties, and Rhai's own.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use rhai::{Dynamic, Engine};

use super::kinds::Kind;
use crate::api::NAMESPACES;
use crate::api::declare::{Function, Namespace};
use crate::script::banned;

/// Words that Rhai calls without a function of that name.
const KEYWORDS: [&str; 9] =
    ["print", "debug", "type_of", "is_shared", "is_def_var", "is_def_fn", "Fn", "call", "curry"];

/// A function of Rhai itself.
#[derive(Debug, Clone)]
pub(super) struct Native {
    /// How many parameters, the object of a method included.
    pub(super) arity: usize,
    first: Option<TypeId>,
    /// What it gives.
    pub(super) gives: Kind,
}

impl Native {
    fn takes(&self, kind: Kind) -> bool {
        match (self.first, kind.type_id()) {
            (Some(first), Some(given)) => first == given || first == TypeId::of::<Dynamic>(),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

/// Everything that can be called.
pub(super) struct Catalog {
    natives: BTreeMap<String, Vec<Native>>,
    getters: BTreeMap<String, Vec<TypeId>>,
}

impl Catalog {
    /// The one of this process; `engine` is any engine for scripts.
    pub(super) fn get(engine: &Engine) -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| Self::read(engine))
    }

    fn read(engine: &Engine) -> Self {
        let found = engine.collect_fn_metadata(
            None,
            |info| {
                let function = info.metadata;
                let native = Native {
                    arity: function.num_params,
                    first: function.param_types.first().copied(),
                    gives: Kind::named(&function.return_type),
                };
                info.namespace.is_empty().then(|| (function.name.to_string(), native))
            },
            true,
        );
        let (mut natives, mut getters) =
            (BTreeMap::<String, Vec<Native>>::new(), BTreeMap::<String, Vec<TypeId>>::new());
        for (name, native) in found {
            match name.strip_prefix("get$") {
                Some(property) => getters.entry(property.to_owned()).or_default().extend(native.first),
                None => natives.entry(name).or_default().push(native),
            }
        }
        Self { natives, getters }
    }

    /// Whether Rhai itself has a function, or a word, of this name that takes so many arguments.
    pub(super) fn has_native(&self, name: &str, arguments: usize) -> bool {
        KEYWORDS.contains(&name)
            || self.natives.get(name).is_some_and(|all| all.iter().any(|native| native.arity == arguments))
    }

    /// How many arguments Rhai's own functions of this name take.
    pub(super) fn arities(&self, name: &str) -> BTreeSet<usize> {
        self.natives.get(name).into_iter().flatten().map(|native| native.arity).collect()
    }

    /// The functions of this name that can be called as methods of such a value.
    pub(super) fn methods(&self, name: &str, on: Kind) -> impl Iterator<Item = &Native> {
        self.natives.get(name).into_iter().flatten().filter(move |native| native.takes(on))
    }

    /// What a function of Rhai gives.
    pub(super) fn gives(&self, name: &str, arguments: usize, first: Kind) -> Kind {
        let mut all = self.methods(name, first).filter(|native| native.arity == arguments).map(|native| native.gives);
        let Some(one) = all.next() else { return Kind::Unknown };
        all.fold(one, Kind::or)
    }

    /// Whether a value of this type has a property of this name.
    pub(super) fn has_getter(&self, name: &str, on: Kind) -> bool {
        let ids = self.getters.get(name);
        ids.is_some_and(|ids| {
            on.type_id().is_none_or(|on| ids.iter().any(|id| *id == on || *id == TypeId::of::<Dynamic>()))
        })
    }

    /// The names of functions and methods that can be suggested.
    pub(super) fn names(&self, on: Option<Kind>) -> impl Iterator<Item = &str> {
        self.natives
            .iter()
            .filter(move |(_, all)| on.is_none_or(|on| all.iter().any(|native| native.takes(on))))
            .map(|(name, _)| name.as_str())
            .filter(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_') && !banned::is_banned(name))
    }
}

/// The namespace of host functions of this name.
pub(super) fn namespace(name: &str) -> Option<&'static Namespace> {
    NAMESPACES.iter().copied().find(|namespace| namespace.name == name)
}

/// A function of a namespace.
pub(super) fn function(namespace: &Namespace, name: &str) -> Option<&'static Function> {
    namespace.functions.iter().find(|function| function.on.is_none() && function.name == name)
}

/// A method or a property of host values of this type.
pub(super) fn member(on: Kind, name: &str) -> Option<&'static Function> {
    members(on).find(|function| function.name == name)
}

/// The methods and properties of host values of a type.
pub(super) fn members(on: Kind) -> impl Iterator<Item = &'static Function> {
    all().filter(move |function| function.on.is_some_and(|kind| Kind::of(kind) == on))
}

/// The methods of any host value that have this name.
pub(super) fn methods_named(name: &str) -> impl Iterator<Item = &'static Function> {
    all().filter(move |function| function.on.is_some() && !function.property && function.name == name)
}

fn all() -> impl Iterator<Item = &'static Function> {
    NAMESPACES.iter().flat_map(|namespace| namespace.functions)
}

/// How many arguments a host function takes: at least, at most.
pub(super) fn arity(function: &Function) -> (usize, usize) {
    let least = function.parameters.iter().filter(|parameter| !parameter.optional).count();
    (least, function.parameters.len())
}
