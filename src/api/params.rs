//! `params::`: typed parameters of a script.
//!
//! A script declares them in `fn options() { #{ name: params::string("default", "help") } }`, which is called alone to
//! list them, and reads them with `params::get("name")`.

use std::collections::BTreeMap;

use rhai::Dynamic;

use super::declare::{Body, Call, Function, Namespace, Parameter, Type, optional, required};
use crate::base::{Error, Result, code, duration, suggest};
use crate::model::class::Class;

/// A declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Its type.
    pub kind: Kind,
    /// Its default, as `-p` would give it; none where it has to be given.
    pub default: Option<String>,
    /// What it is for.
    pub help: String,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Float,
    Bool,
    Duration,
}

impl Kind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Duration => "duration",
        }
    }

    /// The word in a sentence.
    fn one(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "a whole number",
            Self::Float => "a number",
            Self::Bool => "`true` or `false`",
            Self::Duration => "a duration such as `90s`",
        }
    }

    fn parse(self, text: &str) -> Option<Dynamic> {
        match self {
            Self::Text => Some(text.to_owned().into()),
            Self::Integer => text.parse::<i64>().ok().map(Dynamic::from),
            Self::Float => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Dynamic::from),
            Self::Bool => text.parse::<bool>().ok().map(Dynamic::from),
            Self::Duration => duration::parse(text).ok().map(|_| text.to_owned().into()),
        }
    }
}

const TAKES: &[Parameter] = &[optional("default", Type::Any), optional("help", Type::String)];

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "params",
    summary: "Typed parameters of a script, declared in `fn options()` and given with `-p name=value`.",
    functions: &[
        Function::new("string", Class::Pure, TAKES, Type::Declaration, Body::Pure(string))
            .docs("Declares a text; without a default it has to be given.", "fn options() { #{ city: params::string(\"Seattle\", \"which city\") } }"),
        Function::new("int", Class::Pure, TAKES, Type::Declaration, Body::Pure(int))
            .docs("Declares a whole number.", "fn options() { #{ rows: params::int(100, \"how many rows\") } }"),
        Function::new("float", Class::Pure, TAKES, Type::Declaration, Body::Pure(float))
            .docs("Declares a number.", "fn options() { #{ ratio: params::float(0.5) } }"),
        Function::new("bool", Class::Pure, TAKES, Type::Declaration, Body::Pure(boolean))
            .docs("Declares `true` or `false`.", "fn options() { #{ force: params::bool(false) } }"),
        Function::new("duration", Class::Pure, TAKES, Type::Declaration, Body::Pure(duration_of))
            .docs("Declares a duration such as `90s`.", "fn options() { #{ patience: params::duration(\"2m\") } }"),
        Function::new("get", Class::Pure, &[required("name", Type::ParameterName)], Type::Any, Body::Pure(get))
            .docs(
                "The value of a declared parameter: what `-p` gave, or its default.",
                "fn options() { #{ city: params::string(\"Seattle\") } }\nassert::equal(params::get(\"city\"), \"Seattle\");",
            )
            .errors(&[&code::PARAMETER_UNKNOWN, &code::PARAMETER_INVALID]),
    ],
};

fn declare(call: &Call<'_>, kind: Kind) -> Result<Dynamic> {
    let default = match call.get(0) {
        None => None,
        Some(value) if value.is_unit() => None,
        Some(value) => {
            let text = value.to_string();
            if kind.parse(&text).is_none() || (kind != Kind::Text && kind != Kind::Duration && value.is_string()) {
                return Err(Error::new(
                    &code::ARGUMENT_INVALID,
                    format!("{}: the default `{text}` is not {}", call.name, kind.one()),
                ));
            }
            Some(text)
        }
    };
    Ok(Dynamic::from(Declaration { kind, default, help: call.string(1) }))
}

fn string(call: &mut Call<'_>) -> Result<Dynamic> {
    declare(call, Kind::Text)
}

fn int(call: &mut Call<'_>) -> Result<Dynamic> {
    declare(call, Kind::Integer)
}

fn float(call: &mut Call<'_>) -> Result<Dynamic> {
    declare(call, Kind::Float)
}

fn boolean(call: &mut Call<'_>) -> Result<Dynamic> {
    declare(call, Kind::Bool)
}

fn duration_of(call: &mut Call<'_>) -> Result<Dynamic> {
    declare(call, Kind::Duration)
}

fn get(call: &mut Call<'_>) -> Result<Dynamic> {
    let name = call.string(0);
    let declared = &call.host.declared;
    let declaration =
        declared.get(&name).ok_or_else(|| unknown_parameter(&name, declared.keys().map(String::as_str)))?;
    value(&name, declaration, &call.host.parameters)
}

/// The error for a parameter that the script does not declare.
pub fn unknown_parameter<'a>(name: &str, declared: impl Iterator<Item = &'a str>) -> Error {
    Error::new(&code::PARAMETER_UNKNOWN, format!("this script declares no parameter `{name}`")).hint(
        match suggest::nearest(name, declared) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it: `fn options() {{ #{{ {name}: params::string(\"default\", \"help\") }} }}`"),
        },
    )
}

fn value(name: &str, declaration: &Declaration, given: &BTreeMap<String, String>) -> Result<Dynamic> {
    let text = given.get(name).or(declaration.default.as_ref()).ok_or_else(|| {
        Error::new(&code::PARAMETER_INVALID, format!("the parameter `{name}` has to be given"))
            .hint(format!("-p {name}=VALUE"))
    })?;
    declaration.kind.parse(text).ok_or_else(|| {
        Error::new(
            &code::PARAMETER_INVALID,
            format!("the parameter `{name}` must be {}, and is `{text}`", declaration.kind.one()),
        )
        .hint(if declaration.help.is_empty() {
            "`tidegate run SCRIPT --help` lists the parameters".to_owned()
        } else {
            format!("`{name}`: {}", declaration.help)
        })
    })
}

/// Checks the given parameters against the declared ones, before anything runs.
///
/// # Errors
/// `parameter.unknown`, `parameter.invalid`.
pub fn check(declared: &BTreeMap<String, Declaration>, given: &BTreeMap<String, String>) -> Result<()> {
    for name in given.keys() {
        if !declared.contains_key(name) {
            return Err(Error::new(&code::PARAMETER_UNKNOWN, format!("this script takes no parameter `{name}`"))
                .hint(suggest::hint(name, declared.keys().map(String::as_str))));
        }
    }
    for (name, declaration) in declared {
        value(name, declaration, given).map(drop)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_checked_before_the_run() {
        let declared = BTreeMap::from([
            ("rows".to_owned(), Declaration { kind: Kind::Integer, default: Some("1".into()), help: String::new() }),
            ("city".to_owned(), Declaration { kind: Kind::Text, default: None, help: String::new() }),
        ]);
        let given = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        check(&declared, &given(&[("city", "x")])).unwrap();
        assert_eq!(check(&declared, &given(&[])).unwrap_err().to_string(), "the parameter `city` has to be given");
        let error = check(&declared, &given(&[("city", "x"), ("row", "2")])).unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean `rows`?"));
        assert!(check(&declared, &given(&[("city", "x"), ("rows", "two")])).unwrap_err().is(&code::PARAMETER_INVALID));
    }
}
