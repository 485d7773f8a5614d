//! minijinja's own filters and tests behind a guard: they must not look into text that holds marks, where they would see
//! something else than what will be written, and must not look at secrets, whose values are not there yet.

use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, State, Value, filters, tests};

use super::datum::{Fragment, refused};
use super::mark;

/// Puts the guarded ones in place of the plain ones. Filters that only choose among the items of a list stay as they are.
pub(super) fn guard(environment: &mut Environment<'_>) {
    let filters = [
        ("abs", Value::from_function(filters::abs)),
        ("batch", Value::from_function(filters::batch)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("count", Value::from_function(filters::length)),
        ("first", Value::from_function(filters::first)),
        ("float", Value::from_function(filters::float)),
        ("format", Value::from_function(filters::format)),
        ("indent", Value::from_function(filters::indent)),
        ("int", Value::from_function(filters::int)),
        ("last", Value::from_function(filters::last)),
        ("length", Value::from_function(filters::length)),
        ("lines", Value::from_function(filters::lines)),
        ("list", Value::from_function(filters::list)),
        ("lower", Value::from_function(filters::lower)),
        ("max", Value::from_function(filters::max)),
        ("min", Value::from_function(filters::min)),
        ("replace", Value::from_function(filters::replace)),
        ("reverse", Value::from_function(filters::reverse)),
        ("round", Value::from_function(filters::round)),
        ("slice", Value::from_function(filters::slice)),
        ("sort", Value::from_function(filters::sort)),
        ("split", Value::from_function(filters::split)),
        ("string", Value::from_function(filters::string)),
        ("sum", Value::from_function(filters::sum)),
        ("title", Value::from_function(filters::title)),
        ("unique", Value::from_function(filters::unique)),
        ("upper", Value::from_function(filters::upper)),
        // These make text of everything in a list or a map.
        ("pprint", Value::from_function(filters::pprint)),
        ("tojson", Value::from_function(filters::tojson)),
    ];
    for (name, filter) in filters {
        let deep = if matches!(name, "format" | "pprint" | "tojson" | "string" | "sort" | "unique") { 8 } else { 0 };
        environment.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<Value>| {
            check(&format!("filter `{name}`"), &args, deep)?;
            if name == "indent" && args.first().is_some_and(Value::is_safe) {
                return filter.call(state, &args).map(|text| Value::from_safe_string(text.to_string()));
            }
            filter.call(state, &args)
        });
    }
    let tests = [
        ("endingwith", Value::from_function(tests::is_endingwith)),
        ("eq", Value::from_function(tests::is_eq)),
        ("equalto", Value::from_function(tests::is_eq)),
        ("ge", Value::from_function(tests::is_ge)),
        ("greaterthan", Value::from_function(tests::is_gt)),
        ("gt", Value::from_function(tests::is_gt)),
        ("in", Value::from_function(tests::is_in)),
        ("le", Value::from_function(tests::is_le)),
        ("lessthan", Value::from_function(tests::is_lt)),
        ("lower", Value::from_function(tests::is_lower)),
        ("lt", Value::from_function(tests::is_lt)),
        ("ne", Value::from_function(tests::is_ne)),
        ("startingwith", Value::from_function(tests::is_startingwith)),
        ("upper", Value::from_function(tests::is_upper)),
    ];
    for (name, test) in tests {
        environment.add_test(name, move |state: &mut State<'_, '_>, args: Rest<Value>| {
            check(&format!("test `{name}`"), &args, 0)?;
            test.call(state, &args).map(|answer| answer.is_true())
        });
    }
}

fn check(what: &str, args: &[Value], deep: usize) -> Result<(), Error> {
    for arg in args {
        if let Some(found) = found(arg, deep) {
            // White space before SQL changes nothing in it.
            if what == "filter `indent`" && arg.is_safe() {
                continue;
            }
            return Err(refused(format!("the {what} cannot look into {found}")));
        }
    }
    Ok(())
}

/// What of a value cannot be looked into.
fn found(value: &Value, deep: usize) -> Option<&'static str> {
    if let Some(fragment) = value.downcast_object_ref::<Fragment>() {
        return Some(if fragment.datum.is_secret() { "a secret" } else { "what is SQL already" });
    }
    match value.kind() {
        ValueKind::String if mark::is_marked(value.as_str().unwrap_or_default()) => {
            Some("what is SQL already (the text of a macro or a block), or holds a secret")
        }
        ValueKind::Seq | ValueKind::Iterable if deep > 0 => {
            value.try_iter().ok()?.find_map(|item| found(&item, deep - 1))
        }
        ValueKind::Map if deep > 0 => {
            value.try_iter().ok()?.find_map(|key| value.get_item(&key).ok().and_then(|item| found(&item, deep - 1)))
        }
        _ => None,
    }
}
