//! `opts::`: option maps.

use rhai::Dynamic;
use serde_json::Value;

use super::convert::from_json;
use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use crate::base::Result;
use crate::model::class::Class;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "opts",
    summary: "Option maps: merging defaults with what differs, and reading deep values.",
    functions: &[
        Function::new("merge", Class::Pure, &[required("base", Type::Map), required("over", Type::Map)], Type::Map, Body::Pure(merge)).docs(
            "Both maps as one: maps inside are merged, anything else of `over` replaces what `base` has.",
            "let both = opts::merge(#{ a: 1, m: #{ x: 1, y: 2 } }, #{ m: #{ y: 3 } });\nassert::equal(both, #{ a: 1, m: #{ x: 1, y: 3 } });",
        ),
        Function::new("get", Class::Pure, &[required("map", Type::Map), required("path", Type::String), optional("otherwise", Type::Any)], Type::Any, Body::Pure(get))
            .docs(
                "A value deep inside a map by its dotted path; `otherwise`, or `()`, where it is not there.",
                "assert::equal(opts::get(#{ a: #{ b: 2 } }, \"a.b\"), 2);\nassert::equal(opts::get(#{}, \"a.b\", 7), 7);",
            ),
    ],
};

fn merge(call: &mut Call<'_>) -> Result<Dynamic> {
    let mut base = call.json(0)?;
    merge_into(&mut base, call.json(1)?);
    Ok(from_json(&base))
}

fn merge_into(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) if !base.contains_key(super::marked::MARK) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(slot) => merge_into(slot, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}

fn get(call: &mut Call<'_>) -> Result<Dynamic> {
    let path = call.string(1);
    let mut value = call.arguments[0].clone();
    for part in path.split('.') {
        let next = value.as_map_ref().ok().and_then(|map| map.get(part).cloned());
        match next {
            Some(next) => value = next,
            None => return Ok(call.get(2).cloned().unwrap_or(Dynamic::UNIT)),
        }
    }
    Ok(value)
}
