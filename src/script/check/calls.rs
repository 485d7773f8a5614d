//! Calls: whether there is such a function or method, and whether it takes so many arguments.

use rhai::{Expr, FnAccess, FnCallExpr, Position, Token};

use super::catalog;
use super::kinds::Kind;
use super::walk::Walker;
use crate::api::declare::Function;
use crate::base::{Error, code, suggest};
use crate::script::unknown::namespace_unknown;
use crate::script::{banned, lints};

impl Walker<'_> {
    /// A call that is no method call.
    pub(super) fn call(&mut self, call: &FnCallExpr, position: Position) -> Kind {
        let kinds: Vec<Kind> = call.args.iter().map(|argument| self.expression(argument)).collect();
        if let Some(operator) = &call.op_token {
            return of_operator(operator, &kinds);
        }
        match call.namespace.path.as_slice() {
            [] => self.plain_call(call, &kinds, position),
            [namespace] => self.qualified_call(&namespace.name, call, &kinds, namespace.pos, position),
            _ => Kind::Unknown,
        }
    }

    fn plain_call(&mut self, call: &FnCallExpr, kinds: &[Kind], position: Position) -> Kind {
        let (name, count) = (call.name.as_str(), call.args.len());
        if lints::is_anonymous(name) {
            return Kind::Closure;
        }
        if let Some(arities) = self.own.get(name) {
            if arities.contains(&count) {
                return Kind::Unknown;
            }
            if !self.catalog.has_native(name, count) {
                let error = arity(name, arities.iter().copied(), count);
                self.find(error, position);
                return Kind::Unknown;
            }
        }
        if let Some(error) = banned::refused(name) {
            self.find(error, position);
            return Kind::Unknown;
        }
        if self.catalog.has_native(name, count) {
            return match name {
                "Fn" | "curry" => Kind::Closure,
                _ => self.catalog.gives(name, count, kinds.first().copied().unwrap_or(Kind::Unknown)),
            };
        }
        let arities = self.catalog.arities(name);
        let error = if arities.is_empty() { self.no_function(name) } else { arity(name, arities, count) };
        self.find(error, position);
        Kind::Unknown
    }

    fn no_function(&self, name: &str) -> Error {
        let error = Error::new(&code::FUNCTION_UNKNOWN, format!("no function `{name}`"));
        let known = self.own.keys().map(String::as_str).chain(self.catalog.names(None));
        if let Some(near) = suggest::nearest(name, known) {
            return error.hint(format!("did you mean `{near}`?"));
        }
        // The right name without its namespace.
        let namespaces = crate::api::NAMESPACES.iter();
        match namespaces.filter(|namespace| catalog::function(namespace, name).is_some()).map(|one| one.name).next() {
            Some(namespace) => error.hint(format!("did you mean `{namespace}::{name}`?")),
            None => error,
        }
    }

    fn qualified_call(
        &mut self,
        namespace: &str,
        call: &FnCallExpr,
        kinds: &[Kind],
        place: Position,
        position: Position,
    ) -> Kind {
        let (name, count) = (call.name.as_str(), call.args.len());
        if let Some(imported) = self.imports.get(namespace) {
            let Some(imported) = imported.clone() else { return Kind::Unknown };
            let public = imported.ast.iter_functions().filter(|function| function.access == FnAccess::Public);
            let functions: Vec<(&str, usize)> = public.map(|function| (function.name, function.params.len())).collect();
            let arities: Vec<usize> =
                functions.iter().filter(|(other, _)| *other == name).map(|(_, count)| *count).collect();
            if arities.contains(&count) {
                return Kind::Unknown;
            }
            let full = format!("{namespace}::{name}");
            let error = match arities.as_slice() {
                [] => {
                    let names = functions.iter().map(|(name, _)| *name).filter(|name| !lints::is_anonymous(name));
                    Error::new(&code::FUNCTION_UNKNOWN, format!("no function `{full}`"))
                        .hint(suggest::hint(name, names))
                }
                some => arity(&full, some.iter().copied(), count),
            };
            self.find(error, position);
            return Kind::Unknown;
        }
        let Some(found) = catalog::namespace(namespace) else {
            if namespace != "global" {
                let error = namespace_unknown(self.engine, namespace);
                self.find(error, if place.is_none() { position } else { place });
            }
            return Kind::Unknown;
        };
        let full = format!("{namespace}::{name}");
        let Some(function) = catalog::function(found, name) else {
            let names = found.functions.iter().filter(|function| function.on.is_none()).map(|function| function.name);
            let error = Error::new(&code::FUNCTION_UNKNOWN, format!("no function `{full}`"));
            let names: Vec<&str> = names.collect();
            let hint = match suggest::nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{namespace}::{near}`?"),
                None => suggest::hint(name, names),
            };
            self.find(error.hint(hint), position);
            return Kind::Unknown;
        };
        self.host_call(&full, function, &call.args, kinds, position);
        Kind::of(function.returns)
    }

    /// A call of a host function or method.
    fn host_call(
        &mut self,
        full: &str,
        function: &'static Function,
        arguments: &[Expr],
        kinds: &[Kind],
        position: Position,
    ) {
        let (least, most) = catalog::arity(function);
        if !(least..=most).contains(&arguments.len()) {
            let error =
                arity(full, least..=most, arguments.len()).hint(format!("there is `{}`", signature(full, function)));
            self.find(error, position);
            return;
        }
        self.arguments(full, function, arguments, kinds, position);
    }

    /// A method call on a value of a type that may be known.
    pub(super) fn method(&mut self, on: Kind, call: &FnCallExpr, position: Position) -> Kind {
        let (name, count) = (call.name.as_str(), call.args.len());
        let kinds: Vec<Kind> = call.args.iter().map(|argument| self.expression(argument)).collect();
        if let Some(function) = catalog::member(on, name).filter(|function| !function.property) {
            self.host_call(&format!("{}.{name}", on.name()), function, &call.args, &kinds, position);
            return Kind::of(function.returns);
        }
        let is_own = self.own.get(name).is_some_and(|arities| arities.contains(&count));
        let in_a_map = matches!(on, Kind::Map | Kind::Unknown) && self.changes.keys.contains(name);
        if is_own || in_a_map || name == "call" || name == "curry" {
            return Kind::Unknown;
        }
        let fits = |arity: usize| arity == count + 1;
        if self.catalog.methods(name, on).any(|native| fits(native.arity)) {
            return self.catalog.gives(name, count + 1, on);
        }
        let host: Vec<&'static Function> = catalog::methods_named(name).collect();
        let of_host = |function: &&'static Function| {
            let (least, most) = catalog::arity(function);
            (least..=most).contains(&count)
        };
        if on == Kind::Unknown {
            if let Some(function) = host.iter().find(|function| of_host(function)) {
                // One host type alone has it: what it is called with can be looked at.
                if let [_] = host.as_slice() {
                    let on = function.on.map_or("value", |kind| kind.name());
                    self.arguments(&format!("{on}.{name}"), function, &call.args, &kinds, position);
                    return Kind::of(function.returns);
                }
                return Kind::Unknown;
            }
            if self.catalog.has_native(name, count + 1) {
                return Kind::Unknown;
            }
        }
        let error = self.no_method(on, name, count, &host);
        self.find(error, position);
        Kind::Unknown
    }

    fn no_method(&self, on: Kind, name: &str, count: usize, host: &[&'static Function]) -> Error {
        let arities: Vec<usize> = self.catalog.methods(name, on).map(|native| native.arity - 1).collect();
        if !arities.is_empty() {
            return arity(name, arities, count);
        }
        if on == Kind::Unknown
            && let Some(function) = host.first()
        {
            let (least, most) = catalog::arity(function);
            return arity(name, least..=most, count);
        }
        let what = if on == Kind::Unknown { String::new() } else { format!(" of {}", on.article()) };
        let error = Error::new(&code::FUNCTION_UNKNOWN, format!("no method `{name}`{what}"));
        let methods: Vec<&str> = match on {
            Kind::Unknown => {
                let host = crate::api::NAMESPACES.iter().flat_map(|namespace| namespace.functions);
                host.filter(|function| function.on.is_some() && !function.property)
                    .map(|function| function.name)
                    .collect()
            }
            on => catalog::members(on).filter(|function| !function.property).map(|function| function.name).collect(),
        };
        let near = suggest::nearest(name, methods.iter().copied())
            .or_else(|| suggest::nearest(name, self.catalog.names((on != Kind::Unknown).then_some(on))))
            .or_else(|| suggest::nearest(name, self.own.keys().map(String::as_str)));
        match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if !methods.is_empty() && on != Kind::Unknown => {
                error.hint(format!("{} has {}", on.article(), suggest::list(&methods)))
            }
            None => error,
        }
    }

    /// A property of a value of a type that may be known.
    pub(super) fn property(&mut self, on: Kind, name: &str, position: Position) -> Kind {
        if let Some(function) = catalog::member(on, name).filter(|function| function.property) {
            return Kind::of(function.returns);
        }
        if !matches!(
            on,
            Kind::Spec
                | Kind::Job
                | Kind::Artifact
                | Kind::Jar
                | Kind::Project
                | Kind::Build
                | Kind::Declaration
                | Kind::Secret
        ) || self.catalog.has_getter(name, on)
        {
            return Kind::Unknown;
        }
        let names: Vec<&str> =
            catalog::members(on).filter(|function| function.property).map(|function| function.name).collect();
        let error = Error::new(&code::SCRIPT_FAILED, format!("{} has no property `{name}`", on.article()));
        let is_method = catalog::member(on, name).is_some();
        let error = match is_method {
            true => error.hint(format!("`{name}()` is a method")),
            false => error.hint(suggest::hint(name, names)),
        };
        self.find(error, position);
        Kind::Unknown
    }
}

fn of_operator(operator: &Token, kinds: &[Kind]) -> Kind {
    match operator {
        Token::EqualsTo
        | Token::NotEqualsTo
        | Token::LessThan
        | Token::LessThanEqualsTo
        | Token::GreaterThan
        | Token::GreaterThanEqualsTo
        | Token::Bang
        | Token::In
        | Token::NotIn => Kind::Bool,
        Token::Plus | Token::Minus | Token::Multiply | Token::Divide | Token::Modulo => match kinds {
            [Kind::Integer, Kind::Integer] => Kind::Integer,
            _ => Kind::Unknown,
        },
        _ => Kind::Unknown,
    }
}

fn arity(name: &str, takes: impl IntoIterator<Item = usize>, given: usize) -> Error {
    let mut takes: Vec<usize> = takes.into_iter().collect();
    takes.sort_unstable();
    takes.dedup();
    let takes = match takes.as_slice() {
        [one] => one.to_string(),
        [first, .., last] => format!("{first} to {last}"),
        [] => "no".to_owned(),
    };
    let plural = if takes == "1" { "argument" } else { "arguments" };
    Error::new(&code::FUNCTION_UNKNOWN, format!("`{name}` takes {takes} {plural}, and gets {given}"))
}

/// `job::sql(name: string, options: map)`.
fn signature(full: &str, function: &Function) -> String {
    let parameters: Vec<String> = function
        .parameters
        .iter()
        .map(|parameter| {
            format!("{}{}: {}", parameter.name, if parameter.optional { "?" } else { "" }, parameter.kind.name())
        })
        .collect();
    format!("{full}({})", parameters.join(", "))
}
