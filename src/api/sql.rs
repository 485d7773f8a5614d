//! `sql::`: templates and statements.

use std::collections::BTreeMap;

use rhai::Dynamic;
use serde_json::{Value, json};

use super::convert::{from_json, secret_from_json};
use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use crate::base::secret::SecretText;
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::ops::render::{self, Rendered, Source, Variable};

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "sql",
    summary: "Templates and statements, without a cluster.",
    functions: &[
        Function::new(
            "render",
            Class::Pure,
            &[required("template", Type::Template), optional("vars", Type::Map)],
            Type::Text,
            Body::Pure(do_render),
        )
        .docs(
            "A template as SQL, for the variables of the environment and those given. Secrets stay secrets.",
            "let text = sql::render(\"hello.sql\", #{ rows: 10 });",
        )
        .errors(&[&code::TEMPLATE_NOT_FOUND, &code::TEMPLATE_INVALID]),
        Function::new("split", Class::Pure, &[required("sql", Type::Text)], Type::Array, Body::Pure(split))
            .docs(
                "The statements of a SQL text: strings, comments and statement sets are respected.",
                "let parts = sql::split(\"SET 'a' = ';'; INSERT INTO t SELECT 1\");\nassert::equal(parts.len(), 2);",
            )
            .errors(&[&code::SQL_INVALID]),
        Function::new("quote", Class::Pure, &[required("value", Type::Any)], Type::String, Body::Pure(quote))
            .docs("A value as a SQL literal.", "assert::equal(sql::quote(\"O'Brien\"), \"'O''Brien'\");"),
        Function::new("ident", Class::Pure, &[required("name", Type::String)], Type::String, Body::Pure(ident))
            .docs("A name as a SQL identifier.", "assert::equal(sql::ident(\"my table\"), \"`my table`\");"),
    ],
};

/// Renders a template, or a SQL text, for the variables of the environment and `over` them those given.
pub(super) fn rendered(
    call: &Call<'_>,
    template: Option<&str>,
    text: Option<&str>,
    over: &BTreeMap<String, Value>,
) -> Result<Rendered> {
    let variables = variables(&call.host.environment.vars, over);
    let source = match (template, text) {
        (Some(name), None) => Source::Template(name),
        (None, Some(text)) => Source::Text(text),
        (Some(_), Some(_)) => {
            return Err(Error::new(
                &code::ARGUMENT_INVALID,
                format!("{}: both `template` and `sql` are given", call.name),
            )
            .hint("keep one of them"));
        }
        (None, None) => {
            return Err(Error::new(
                &code::ARGUMENT_INVALID,
                format!("{}: neither `template` nor `sql` is given", call.name),
            )
            .hint("template: \"orders.sql\""));
        }
    };
    render::render(&call.host.inputs, source, &variables)
}

/// What a template sees: the variables of the environment, and over them those of the script, as the journal would hold them.
pub fn variables(environment: &BTreeMap<String, Value>, over: &BTreeMap<String, Value>) -> BTreeMap<String, Variable> {
    let mut variables: BTreeMap<String, Variable> =
        environment.iter().map(|(name, value)| (name.clone(), from_environment(value))).collect();
    variables.extend(over.iter().map(|(name, value)| (name.clone(), from_script(value))));
    variables
}

/// A value of the environment: `{ secret: NAME }` is a secret, at any depth.
fn from_environment(value: &Value) -> Variable {
    variable(value, &|value| match value.as_object() {
        Some(map) if map.len() == 1 => map.get("secret").and_then(Value::as_str).map(SecretText::secret),
        _ => None,
    })
}

/// A value of a script, as the journal would hold it.
fn from_script(value: &Value) -> Variable {
    variable(value, &secret_from_json)
}

fn variable(value: &Value, secret: &dyn Fn(&Value) -> Option<SecretText>) -> Variable {
    if let Some(secret) = secret(value) {
        return Variable::Secret(secret);
    }
    match value {
        Value::Array(items) => Variable::List(items.iter().map(|item| variable(item, secret)).collect()),
        Value::Object(map) => {
            Variable::Map(map.iter().map(|(key, value)| (key.clone(), variable(value, secret))).collect())
        }
        value => Variable::Json(value.clone()),
    }
}

fn do_render(call: &mut Call<'_>) -> Result<Dynamic> {
    let vars: BTreeMap<String, Value> = match call.json(1)? {
        Value::Object(map) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let name = call.string(0);
    Ok(text(&rendered(call, Some(&name), None, &vars)?.text()))
}

fn split(call: &mut Call<'_>) -> Result<Dynamic> {
    let source = match call.arguments[0].clone().try_cast::<SecretText>() {
        Some(text) => text,
        None => SecretText::plain(call.string(0)),
    };
    Ok(Dynamic::from_array(render::split(&source)?.iter().map(text).collect()))
}

fn quote(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(render::quote(&call.json(0)?)?.into())
}

fn ident(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(render::ident(&call.string(0)).into())
}

/// A text for scripts: a plain string unless it holds a secret.
fn text(text: &SecretText) -> Dynamic {
    if super::convert::has_secret(text) { Dynamic::from(text.clone()) } else { from_json(&json!(text.to_string())) }
}
