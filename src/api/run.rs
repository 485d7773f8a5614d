//! `run::`: the run itself.

use rhai::{Dynamic, FnPtr};

use super::declare::{Body, Call, Function, Namespace, Type, required};
use super::scope::call_closure;
use super::throw::Thrown;
use crate::base::Result;
use crate::model::class::Class;
use crate::ops::effect::Acting;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "run",
    summary: "The run itself: its number, and named steps.",
    functions: &[
        Function::new("id", Class::Pure, &[], Type::String, Body::Pure(id)).docs(
            "The number of this run, as `tidegate runs` lists it; `r0` in a plan.",
            "assert::that(run::id().starts_with(\"r\"));",
        ),
        Function::new(
            "step",
            Class::Scope,
            &[required("name", Type::String), required("work", Type::Closure)],
            Type::Any,
            Body::Scope(step),
        )
        .docs(
            "Gives a part of the script a name in the journal. Its effects are recorded one by one; it gets copies of \
             what it captures, and gives back what the closure gives.",
            "let now = run::step(\"look\", || time::now());\nassert::that(now.len() > 0);",
        ),
    ],
};

fn id(call: &mut Call<'_>) -> Result<Dynamic> {
    if call.host.planner.is_some() {
        return Ok("r0".into());
    }
    Ok(format!("r{}", call.host.journal()?.run().id).into())
}

fn step(call: &mut Call<'_>, acting: &Acting) -> Thrown<Dynamic> {
    let Some(closure) = call.arguments[1].clone().try_cast::<FnPtr>() else { return Ok(Dynamic::UNIT) };
    call_closure(call, acting, &closure)
}
