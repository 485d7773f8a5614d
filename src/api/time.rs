//! `time::`: the recorded clock.

use serde_json::Value;

use super::declare::{Body, Call, Function, Namespace, Planning, Type, required};
use super::planner::Planner;
use crate::base::{Result, clock, duration};
use crate::model::class::Class;
use crate::ops::effect::Acting;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "time",
    summary: "The recorded clock: a resumed run sees the times that it saw before.",
    functions: &[
        Function::new("now", Class::Read, &[], Type::String, Body::Journaled(now))
            .docs("The time of day in UTC, as RFC 3339.", "assert::that(time::now().ends_with(\"Z\"));"),
        Function::new("millis", Class::Read, &[], Type::Integer, Body::Journaled(millis))
            .docs("The time in milliseconds since 1970.", "assert::that(time::millis() > 0);"),
        Function::new(
            "sleep",
            Class::Read,
            &[required("duration", Type::Duration)],
            Type::Unit,
            Body::Journaled(sleep),
        )
        .planning(Planning::With(would_sleep))
        .docs("Waits. Ctrl-C ends it at once; a resumed run does not wait again.", "time::sleep(\"10ms\");"),
    ],
};

fn now(_: &mut Call<'_>, _: &Acting) -> Result<Value> {
    Ok(clock::rfc3339(clock::now()).into())
}

fn millis(_: &mut Call<'_>, _: &Acting) -> Result<Value> {
    Ok(clock::now().into())
}

/// A plan does not wait.
fn would_sleep(call: &mut Call<'_>, _: &Planner) -> Result<Value> {
    duration::parse(&call.string(0)).map(|_| Value::Null)
}

fn sleep(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let duration = duration::parse(&call.string(0))?;
    call.host.wait(async {
        tokio::time::sleep(duration).await;
        Ok(Value::Null)
    })
}
