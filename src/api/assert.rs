//! `assert::`: claims that end a script when they do not hold.

use rhai::Dynamic;

use super::convert::to_json;
use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::ops::effect::canonical;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "assert",
    summary: "Claims that end a script when they do not hold.",
    functions: &[
        Function::new(
            "equal",
            Class::Pure,
            &[required("left", Type::Any), required("right", Type::Any)],
            Type::Unit,
            Body::Pure(equal),
        )
        .docs("Claims that two values are equal, maps and arrays by their contents.", "assert::equal(1 + 1, 2);")
        .errors(&[&code::ASSERT_FAILED]),
        Function::new(
            "that",
            Class::Pure,
            &[required("claim", Type::Bool), optional("message", Type::String)],
            Type::Unit,
            Body::Pure(that),
        )
        .docs("Claims that a condition holds.", "assert::that(2 > 1, \"two is more than one\");")
        .errors(&[&code::ASSERT_FAILED]),
    ],
};

fn equal(call: &mut Call<'_>) -> Result<Dynamic> {
    let (left, right) = (to_json(&call.arguments[0], "left")?, to_json(&call.arguments[1], "right")?);
    if canonical(&left) == canonical(&right) {
        return Ok(Dynamic::UNIT);
    }
    Err(Error::new(&code::ASSERT_FAILED, "the two values are not equal")
        .caused_by(format!("left:  {}", canonical(&left)))
        .caused_by(format!("right: {}", canonical(&right)))
        .with("left", left)
        .with("right", right))
}

fn that(call: &mut Call<'_>) -> Result<Dynamic> {
    if call.arguments[0].as_bool().unwrap_or(false) {
        return Ok(Dynamic::UNIT);
    }
    let message = call.string(1);
    Err(Error::new(
        &code::ASSERT_FAILED,
        if message.is_empty() { "the claim does not hold".to_owned() } else { message },
    ))
}
