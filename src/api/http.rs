//! `http::`: requests to hosts that the workspace allows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize as _;
use serde_json::Value;

use super::convert::{secret_from_json, secret_text};
use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use super::job_options::read;
use super::marked::MARK;
use super::types::{Receives, options};
use crate::base::secret::SecretText;
use crate::base::{Error, Result, code, duration};
use crate::model::class::Class;
use crate::ops::effect::Acting;
use crate::ops::fetch::{self, Wanted};

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "http",
    summary: "Requests to hosts that `allow: http:` in tidegate.yaml grants; no other can be reached.",
    functions: &[
        Function::new("get", Class::Read, &[required("url", Type::String), optional("options", GetOptions::KIND)], Type::Map, Body::Journaled(get))
            .docs(
                "Fetches, and gives `#{ status, headers, body, json }`, whatever the status; `json` is `()` where the body is none. \
                 Options: `headers`, where a value may be a secret, and `timeout` (`\"30s\"`). At most 16 MiB; a redirect is followed where it leads to \
                 an allowed host.",
                "let answer = http::get(env::var(\"api\") + \"/overview\", #{ timeout: \"10s\" });\nassert::equal(answer.status, 200);",
            )
            .errors(&[&code::CAPABILITY_DENIED, &code::HTTP_FAILED]),
        Function::new("post", Class::Opaque, &[required("url", Type::String), optional("options", PostOptions::KIND)], Type::Map, Body::Journaled(post))
            .docs(
                "Posts once, and gives what `http::get` gives. Options: `json`, any value, or `body`, a text; `headers` and `timeout`; secrets may stand in \
                 each. Where the request may have arrived and no answer came, the run waits for your word.",
                "let answer = http::post(env::var(\"api\") + \"/hook\", #{ json: #{ text: \"deployed\" } });\nassert::that(answer.status > 0);",
            )
            .errors(&[&code::CAPABILITY_DENIED, &code::HTTP_FAILED, &code::RUN_UNKNOWN_OUTCOME]),
    ],
};

options! {
    /// The options of `http::get`.
    struct GetOptions {
        /// headers; a value may be a secret
        #[serde(default)]
        headers: BTreeMap<String, Value> => Type::MapOf(&Type::Scalar),
        /// how long to wait for the whole answer; `30s` if not given
        timeout: Option<String> => Type::Duration,
    }
}

options! {
    /// The options of `http::post`.
    struct PostOptions {
        /// headers; a value may be a secret
        #[serde(default)]
        headers: BTreeMap<String, Value> => Type::MapOf(&Type::Scalar),
        /// how long to wait for the whole answer; `30s` if not given
        timeout: Option<String> => Type::Duration,
        /// a text to send
        body: Option<Value> => Type::Text,
        /// any value to send as JSON; secrets may stand in it
        #[serde(default, deserialize_with = "given")]
        json: Option<Value>,
    }
}

/// Also where it is null: `json: ()` sends `null`.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn get(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let options: GetOptions = read(call.name, call.json(1)?)?;
    let wanted = wanted(call, options.headers, options.timeout.as_deref(), None)?;
    call.host.wait(fetch::get(&call.host.services, wanted))
}

fn post(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let options: PostOptions = read(call.name, call.json(1)?)?;
    let invalid = |message: &str| Error::new(&code::ARGUMENT_INVALID, format!("{}: {message}", call.name));
    let body = match (options.body, options.json) {
        (Some(_), Some(_)) => return Err(invalid("`body` and `json` cannot both be given")),
        (Some(body), None) => {
            let text = secret_text(&body)
                .ok_or_else(|| invalid("option `body` must be a text or a secret").hint("`json` takes any value"))?;
            Some((text, "text/plain; charset=utf-8"))
        }
        (None, Some(value)) => Some((json_text(&value), "application/json")),
        (None, None) => None,
    };
    let wanted = wanted(call, options.headers, options.timeout.as_deref(), body)?;
    call.host.wait(fetch::post(&call.host.services, wanted))
}

fn wanted(
    call: &Call<'_>,
    given: BTreeMap<String, Value>,
    timeout: Option<&str>,
    body: Option<(SecretText, &'static str)>,
) -> Result<Wanted> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let value = secret_text(&value).ok_or_else(|| {
            let message = format!("{}: the header `{name}` must be a text or a secret", call.name);
            Error::new(&code::ARGUMENT_INVALID, message)
        })?;
        headers.push((name, value));
    }
    let timeout = timeout.map_or(Ok(Duration::from_secs(30)), duration::parse)?;
    Ok(Wanted { url: call.string(0), headers, body, timeout })
}

/// JSON as a text in which secrets are still references; each is escaped as a JSON string when it is revealed.
fn json_text(value: &Value) -> SecretText {
    let join = |parts: Vec<SecretText>, open: &str, close: &str| {
        let mut text = SecretText::plain(open);
        for (index, part) in parts.into_iter().enumerate() {
            text = if index > 0 { text.concat(SecretText::plain(",")) } else { text };
            text = text.concat(part);
        }
        text.concat(SecretText::plain(close))
    };
    if value.get(MARK).is_some()
        && let Some(secret) = secret_from_json(value)
    {
        return SecretText::plain("\"").concat(secret.within_json()).concat(SecretText::plain("\""));
    }
    match value {
        Value::Array(items) => join(items.iter().map(json_text).collect(), "[", "]"),
        Value::Object(map) => {
            let entry = |(name, value): (&String, &Value)| {
                SecretText::plain(format!("{}:", Value::String(name.clone()))).concat(json_text(value))
            };
            join(map.iter().map(entry).collect(), "{", "}")
        }
        plain => SecretText::plain(plain.to_string()),
    }
}
