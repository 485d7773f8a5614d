//! `state::`: what scripts keep from run to run, and questions about what tidegate recorded.

use serde_json::Value;

use super::convert::secret_from_json;
use super::declare::{Body, Call, Function, Namespace, Planning, Type, optional, required};
use super::marked::MARK;
use super::planner::Planner;
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::ops::effect::Acting;
use crate::ops::query::{self, Arguments};
use crate::ops::values;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "state",
    summary: "What scripts keep from run to run, and questions about what tidegate recorded.",
    functions: &[
        Function::new(
            "get",
            Class::Read,
            &[required("key", Type::String), optional("otherwise", Type::Any)],
            Type::Any,
            Body::Journaled(get),
        )
        .docs(
            "The value that a script of this workspace kept under a key; where there is none, `otherwise`, or `()`.",
            "assert::equal(state::get(\"last_day\", \"none\"), \"none\");",
        ),
        Function::new(
            "set",
            Class::Set,
            &[required("key", Type::String), required("value", Type::Any)],
            Type::Unit,
            Body::Journaled(set),
        )
        .planning(Planning::With(would_change))
        .docs(
            "Keeps a value under a key, for every script of the workspace: texts, numbers, booleans, arrays and maps of them. A \
             key has at most 200 bytes, a value 1 MiB as JSON; 10,000 keys and 64 MiB are the most. A secret is refused.",
            "state::set(\"orders/last_day\", \"2026-11-24\");\nassert::equal(state::get(\"orders/last_day\"), \"2026-11-24\");",
        )
        .errors(&[&code::STATE_FULL]),
        Function::new("remove", Class::Set, &[required("key", Type::String)], Type::Unit, Body::Journaled(remove)).planning(Planning::With(would_change)).docs(
            "Removes a key; nothing happens where it is not there.",
            "state::set(\"day\", 1);\nstate::remove(\"day\");\nassert::equal(state::get(\"day\", 0), 0);",
        )
        .errors(&[&code::ARGUMENT_INVALID]),
        Function::new("keys", Class::Read, &[optional("prefix", Type::String)], Type::Array, Body::Journaled(keys)).docs(
            "The keys, sorted; those that begin with `prefix` where it is given.",
            "state::set(\"a/1\", true);\nassert::equal(state::keys(\"a/\"), [\"a/1\"]);",
        ),
        Function::new(
            "query",
            Class::Read,
            &[required("sql", Type::String), optional("arguments", Type::Any)],
            Type::Array,
            Body::Journaled(query),
        )
        .docs(
            "The rows of a SQL query over the views `runs`, `steps`, `jobs`, `attempts`, `events` and `savepoints`, as maps. \
             `arguments` are an array for `?`, or a map for `:name`. At most 1.5 seconds, 100,000 rows, 16 MiB. \
             docs/state-queries.md lists the columns.",
            "let rows = state::query(\"SELECT script, status FROM runs WHERE environment = ?\", [env::name()]);\nassert::that(rows.len() > 0);",
        )
        .errors(&[&code::STATE_QUERY_INVALID, &code::STATE_QUERY_REFUSED, &code::STATE_QUERY_LIMIT]),
    ],
};

/// A plan tells the key, and leaves it as it is.
fn would_change(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    planner.tell_call(call, vec![format!("`{}`", call.string(0))]);
    Ok(Value::Null)
}

fn get(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    match values::get(&call.host.services, &call.string(0))? {
        Some(value) => Ok(value),
        None => call.json(1),
    }
}

fn set(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let value = call.json(1)?;
    check_plain(&value, "value")?;
    values::set(&call.host.services, call.host.journal()?.run(), &call.string(0), &value)?;
    Ok(Value::Null)
}

fn remove(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    values::remove(&call.host.services, call.host.journal()?.run(), &call.string(0))?;
    Ok(Value::Null)
}

fn keys(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    Ok(values::keys(&call.host.services, &call.string(0))?.into())
}

fn query(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let arguments = match call.json(1)? {
        Value::Null => Arguments::Positional(Vec::new()),
        Value::Array(values) => Arguments::Positional(values),
        Value::Object(map) if !map.contains_key(MARK) => Arguments::Named(map),
        _ => {
            return Err(Error::new(&code::ARGUMENT_INVALID, "state::query: `arguments` must be an array or a map")
                .hint("state::query(\"... WHERE name = ?\", [name])"));
        }
    };
    let host = call.host;
    let work = query::query(&host.services, call.string(0), arguments, host.cancel.clone());
    Ok(host.wait(work)?.into())
}

/// Refuses secrets, jobs and specs at any depth: what is kept is data.
fn check_plain(value: &Value, path: &str) -> Result<()> {
    if value.get(MARK).is_some() {
        let what = if secret_from_json(value).is_some() { "a secret" } else { "a job or a spec" };
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("state::set: `{path}` is {what}, and cannot be kept"))
            .hint("keep its name, and ask for it again: `env::secret(name)`, `job::get(name)`"));
    }
    match value {
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| check_plain(item, &format!("{path}[{index}]")))
        }
        Value::Object(map) => map.iter().try_for_each(|(key, item)| check_plain(item, &format!("{path}.{key}"))),
        _ => Ok(()),
    }
}
