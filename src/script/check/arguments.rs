//! Arguments and options of host functions, as far as they are written out or known: types, words, durations, names.

use std::collections::BTreeSet;

use rhai::{Dynamic, Expr, Position};

use super::kinds::Kind;
use super::walk::Walker;
use crate::api::declare::{Function, Type};
use crate::api::dependency_options::DependencyOptions;
use crate::api::env::unknown_variable;
use crate::api::host::Environment;
use crate::api::job_options::unknown_option;
use crate::api::types::{Field, Receives};
use crate::base::{Error, code, duration, suggest};
use crate::model::coordinates::Coordinates;
use crate::model::git_address::Address;

impl Walker<'_> {
    /// The arguments of a call whose number is right.
    pub(super) fn arguments(
        &mut self,
        full: &str,
        function: &'static Function,
        arguments: &[Expr],
        kinds: &[Kind],
        position: Position,
    ) {
        for (index, (parameter, argument)) in function.parameters.iter().zip(arguments).enumerate() {
            let kind = kinds.get(index).copied().unwrap_or(Kind::Unknown);
            if parameter.optional && kind == Kind::Unit {
                continue;
            }
            if !kind.fits(parameter.kind) {
                let message = format!(
                    "{full}: `{}` must be {}, and is {}",
                    parameter.name,
                    parameter.kind.article(),
                    kind.article()
                );
                self.find(Error::new(&code::ARGUMENT_INVALID, message), place(argument, position));
                continue;
            }
            // A variable with a value of its own in reserve may be missing.
            if parameter.kind == Type::Variable && arguments.len() > 1 {
                continue;
            }
            self.argument(full, &format!("`{}`", parameter.name), parameter.kind, argument, position);
        }
        super::templates::of_call(self, full, function, arguments, position);
    }

    /// One value, by what it has to be. `what` names it in messages.
    fn argument(&mut self, full: &str, what: &str, kind: Type, value: &Expr, position: Position) {
        let position = place(value, position);
        match kind {
            Type::Options(_) => match self.literal(value) {
                Some(map) => self.options(full, kind, &map, position),
                None => self.leave("options that are computed", position),
            },
            Type::Dependency if matches!(value, Expr::Map(..)) => {
                self.argument(full, what, DependencyOptions::KIND, value, position);
            }
            Type::ListOf(item) => {
                if let Expr::Array(items, _) = value {
                    for one in items {
                        self.typed(full, what, *item, one, position);
                    }
                }
            }
            Type::MapOf(item) => {
                if let Expr::Map(map, _) = value {
                    for (key, one) in &map.0 {
                        self.typed(full, &format!("{}.{}`", what.trim_end_matches('`'), key.name), *item, one, key.pos);
                    }
                }
            }
            _ => self.text(full, what, kind, value, position),
        }
    }

    /// A value inside an option map or an array: its type, and then what it says.
    fn typed(&mut self, full: &str, what: &str, kind: Type, value: &Expr, position: Position) {
        let len = self.report.findings.len();
        let found = self.quiet_kind(value);
        if !found.fits(kind) && self.report.findings.len() == len {
            let message = format!("{full}: {what} must be {}, and is {}", kind.article(), found.article());
            let error = Error::new(&code::ARGUMENT_INVALID, message);
            let error = if kind == Type::Secret { error.hint("write `env::secret(\"NAME\")`") } else { error };
            self.find(error, place(value, position));
            return;
        }
        self.argument(full, what, kind, value, position);
    }

    /// The type of an expression that was looked at before.
    fn quiet_kind(&mut self, value: &Expr) -> Kind {
        match value {
            Expr::FnCall(..) | Expr::Dot(..) | Expr::Index(..) | Expr::Stmt(_) => Kind::Unknown,
            value => self.expression(value),
        }
    }

    /// The map literal that an expression is, or that its variable holds.
    pub(super) fn literal(&self, value: &Expr) -> Option<Vec<(String, Position, Expr)>> {
        let entries = |value: &Expr| match value {
            Expr::Map(map, _) => {
                Some(map.0.iter().map(|(key, value)| (key.name.to_string(), key.pos, value.clone())).collect())
            }
            _ => None,
        };
        match value {
            Expr::Variable(variable, ..) if variable.2.is_empty() => {
                entries(self.scope.get(&variable.1)?.literal.as_ref()?)
            }
            value => entries(value),
        }
    }

    fn options(&mut self, full: &str, kind: Type, map: &[(String, Position, Expr)], position: Position) {
        let fields: Vec<&'static Field> = kind.fields().collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
        for (key, at, value) in map {
            match fields.iter().find(|field| field.name == key) {
                None => self.find(unknown_option(full, key, &names), *at),
                Some(field) => {
                    // `()` leaves an option out, where it may be left out.
                    if !(field.optional && matches!(value, Expr::Unit(_))) {
                        self.typed(full, &format!("option `{key}`"), field.kind, value, *at);
                    }
                }
            }
        }
        for field in fields.iter().filter(|field| !field.optional) {
            if !map.iter().any(|(key, ..)| key == field.name) {
                let message = format!("{full}: the option `{}` is missing", field.name);
                self.find(Error::new(&code::ARGUMENT_INVALID, message), position);
            }
        }
    }

    /// A text that says something that can be looked up.
    fn text(&mut self, full: &str, what: &str, kind: Type, value: &Expr, position: Position) {
        let wanted = matches!(
            kind,
            Type::Duration
                | Type::Word(_)
                | Type::Variable
                | Type::SecretName
                | Type::ParameterName
                | Type::ClusterName
                | Type::Repository
                | Type::Coordinates
                | Type::Dependency
                | Type::Path
                | Type::File
        );
        if !wanted {
            return;
        }
        let Some(values) = self.values(value) else {
            if !matches!(kind, Type::Duration | Type::Word(_) | Type::Coordinates | Type::Dependency) {
                self.leave(&format!("{} that are computed", plural(kind)), position);
            }
            return;
        };
        if kind == Type::Variable {
            self.variable(&values, position);
            return;
        }
        if self.caught && matches!(kind, Type::Path | Type::File) {
            return;
        }
        let mut told = BTreeSet::new();
        for value in values.iter() {
            let Some(text) = text_of(value.as_ref()) else { continue };
            if told.insert(text.clone())
                && let Some(error) = self.wrong(full, what, kind, &text)
            {
                self.find(error, position);
            }
        }
    }

    /// A variable that is asked for by a name that is known.
    fn variable(&mut self, names: &[Option<Dynamic>], position: Position) {
        if self.caught {
            return;
        }
        let environments = &self.knowledge.environments;
        let lacking: Vec<(&Environment, String)> = environments
            .iter()
            .zip(names)
            .filter_map(|(environment, name)| Some((environment, text_of(name.as_ref())?)))
            .filter(|(environment, name)| !environment.vars.contains_key(name))
            .collect();
        let Some((environment, name)) = lacking.first() else { return };
        let is_somewhere = environments.iter().chain(&self.knowledge.others).any(|one| one.vars.contains_key(name));
        let error = if is_somewhere && self.conditional {
            // It may be meant for an environment that has it.
            return self.leave("variables that only some environments have, under a condition", position);
        } else if !is_somewhere && environments.len() > 1 {
            let known: BTreeSet<&str> =
                environments.iter().flat_map(|one| one.vars.keys().map(String::as_str)).collect();
            Error::new(&code::VARIABLE_UNKNOWN, format!("no environment has a variable `{name}`")).hint(
                match suggest::nearest(name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add it under `vars:` of the environments in tidegate.yaml".to_owned(),
                },
            )
        } else {
            unknown_variable(&environment.name, &environment.vars, name)
        };
        self.find(error, position);
    }

    fn wrong(&self, full: &str, what: &str, kind: Type, text: &str) -> Option<Error> {
        let invalid = |message: String| Error::new(&code::ARGUMENT_INVALID, message);
        match kind {
            Type::Duration => {
                let error = duration::parse(text).err()?;
                Some(invalid(format!("{full}: {what}: {error}")).hint(error.hint_text().unwrap_or_default()))
            }
            Type::Word(words) => (!words.contains(&text)).then(|| {
                invalid(format!("{full}: {what} cannot be `{text}`")).hint(suggest::hint(text, words.iter().copied()))
            }),
            Type::SecretName => {
                let declared = &self.knowledge.secrets;
                let near = suggest::nearest(text, declared.iter().map(String::as_str));
                (!declared.iter().any(|name| name == text)).then_some(())?;
                let near = near.filter(|_| std::env::var_os(text).is_none())?;
                Some(
                    Error::new(&code::SECRET_MISSING, format!("no secret `{text}` is declared in tidegate.yaml"))
                        .hint(format!("did you mean `{near}`?")),
                )
            }
            Type::ParameterName => {
                let declared = self.parameters.as_ref()?;
                (!declared.iter().any(|name| name == text))
                    .then(|| crate::api::params::unknown_parameter(text, declared.iter().map(String::as_str)))
            }
            // `build::list` knows those that were taken out of tidegate.yaml, too.
            Type::Repository if crate::api::git::is_url(text) => Address::parse(text).err(),
            Type::Repository => (full == "git::project" && !self.knowledge.projects.iter().any(|name| name == text))
                .then(|| {
                    Error::new(&code::GIT_PROJECT_UNKNOWN, format!("there is no project `{text}` in tidegate.yaml"))
                        .hint(suggest::hint(text, self.knowledge.projects.iter().map(String::as_str)))
                }),
            Type::ClusterName => (!self.knowledge.clusters.iter().any(|name| name == text)).then(|| {
                Error::new(&code::CLUSTER_UNKNOWN, format!("there is no cluster `{text}` in tidegate.yaml"))
                    .hint(suggest::hint(text, self.knowledge.clusters.iter().map(String::as_str)))
            }),
            Type::Coordinates | Type::Dependency => {
                let error = text.parse::<Coordinates>().err()?;
                let message = format!("{full}: {what}: {}", error.message());
                Some(Error::new(error.code(), message).hint(error.hint_text().unwrap_or_default()))
            }
            Type::Path | Type::File => self.files.require(text).err(),
            _ => None,
        }
    }
}

fn text_of(value: Option<&Dynamic>) -> Option<String> {
    value.and_then(|value| value.clone().into_string().ok())
}

fn plural(kind: Type) -> &'static str {
    match kind {
        Type::Variable => "names of variables",
        Type::SecretName => "names of secrets",
        Type::ParameterName => "names of parameters",
        Type::ClusterName => "names of clusters",
        Type::Repository => "names and URLs of projects",
        _ => "paths",
    }
}

/// Where an expression stands, or else what it belongs to.
pub(super) fn place(expression: &Expr, otherwise: Position) -> Position {
    let own = match expression {
        // The name of a function says more than its first letter.
        Expr::FnCall(_, position) => *position,
        expression => expression.start_position(),
    };
    if own.is_none() { otherwise } else { own }
}
