//! `text::`: texts in other writings.

use base64::Engine as _;
use rhai::Dynamic;

use super::declare::{Body, Call, Function, Namespace, Type, required};
use crate::base::Result;
use crate::model::class::Class;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "text",
    summary: "Texts in other writings.",
    functions: &[Function::new(
        "base64",
        Class::Pure,
        &[required("text", Type::String)],
        Type::String,
        Body::Pure(base64),
    )
    .docs(
        "A text in Base64 (RFC 4648), as UTF-8. A secret is refused: it would be readable.",
        "assert::equal(text::base64(\"a\"), \"YQ==\");",
    )],
};

fn base64(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(base64::engine::general_purpose::STANDARD.encode(call.string(0)).into())
}
