//! `env::`: the environment that the script runs for.

use std::collections::BTreeMap;

use rhai::Dynamic;
use serde_json::Value;

use super::convert::from_json;
use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use crate::base::secret::SecretText;
use crate::base::{Error, Result, code, suggest};
use crate::model::class::Class;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "env",
    summary: "The environment that the script runs for: its name, variables and secrets.",
    functions: &[
        Function::new("name", Class::Pure, &[], Type::String, Body::Pure(name))
            .docs("The name of the environment.", "assert::equal(env::name(), \"local\");"),
        Function::new("var", Class::Pure, &[required("name", Type::Variable), optional("otherwise", Type::Any)], Type::Any, Body::Pure(var))
            .docs(
                "A variable of the environment; a secret reference gives a secret. `otherwise` is taken where it is not defined.",
                "assert::equal(env::var(\"not_defined\", \"x\"), \"x\");",
            )
            .errors(&[&code::VARIABLE_UNKNOWN]),
        Function::new("vars", Class::Pure, &[], Type::Map, Body::Pure(vars))
            .docs("All variables of the environment.", "assert::that(env::vars().len() >= 0);"),
        Function::new("secret", Class::Pure, &[required("name", Type::SecretName)], Type::Secret, Body::Pure(secret)).docs(
            "A secret, resolved when it is used and shown as `***`. A text joined with a secret is one too.",
            "let password = env::secret(\"DATABASE_PASSWORD\");\nassert::equal(`${password}`, \"***\");",
        ),
    ],
};

fn name(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(call.host.environment.name.clone().into())
}

fn var(call: &mut Call<'_>) -> Result<Dynamic> {
    let name = call.string(0);
    let vars = &call.host.environment.vars;
    match (vars.get(&name), call.get(1)) {
        (Some(value), _) => Ok(variable(value)),
        (None, Some(otherwise)) => Ok(otherwise.clone()),
        (None, None) => Err(unknown_variable(&call.host.environment.name, vars, &name)),
    }
}

/// The error for a variable that an environment does not define.
pub fn unknown_variable(environment: &str, vars: &BTreeMap<String, Value>, name: &str) -> Error {
    Error::new(&code::VARIABLE_UNKNOWN, format!("the environment `{environment}` has no variable `{name}`")).hint(
        match suggest::nearest(name, vars.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add it under `environments: {environment}: vars:` in tidegate.yaml"),
        },
    )
}

fn vars(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(Dynamic::from_map(
        call.host.environment.vars.iter().map(|(name, value)| (name.as_str().into(), variable(value))).collect(),
    ))
}

fn secret(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(Dynamic::from(SecretText::secret(call.string(0))))
}

/// A variable as scripts see it: `{ secret: NAME }` is a secret, at any depth.
pub fn variable(value: &Value) -> Dynamic {
    match value {
        Value::Object(map) => match (map.len(), map.get("secret").and_then(Value::as_str)) {
            (1, Some(name)) => Dynamic::from(SecretText::secret(name)),
            _ => Dynamic::from_map(map.iter().map(|(key, value)| (key.as_str().into(), variable(value))).collect()),
        },
        Value::Array(items) => Dynamic::from_array(items.iter().map(variable).collect()),
        value => from_json(value),
    }
}
