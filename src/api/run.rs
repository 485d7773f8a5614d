//! `run::`: the run itself.

use rhai::{Dynamic, FnPtr};

use super::declare::{Body, Call, Function, Namespace, Planning, Type, optional, required};
use super::run_approve::{ApproveOptions, approve, would_ask};
use super::run_defer::defer;
use super::run_parallel::{ParallelOptions, parallel, parallel_map};
use super::run_retry::{RetryOptions, retry};
use super::scope::Caller;
use super::throw::Thrown;
use super::types::Receives;
use crate::base::{Result, code};
use crate::model::class::Class;
use crate::ops::effect::Acting;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "run",
    summary: "The run itself: its number, named steps, branches, tries, approvals, and what is done at its end.",
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
        Function::new(
            "parallel",
            Class::Scope,
            &[required("work", Type::ListOf(&Type::Closure)), optional("options", ParallelOptions::KIND)],
            Type::Array,
            Body::Scope(parallel),
        )
        .docs(
            "Runs closures at the same time, `max` at once (4 if not given), and gives their values by index. Each gets copies \
             of what it captures. After an error no further one is started, those under way end, and the first error by index \
             is raised.",
            "let both = run::parallel([|| flink::overview(), || time::now()], #{ max: 2 });\nassert::that(both[1].len() > 0);",
        ),
        Function::new(
            "parallel_map",
            Class::Scope,
            &[required("items", Type::Array), required("work", Type::Closure), optional("options", ParallelOptions::KIND)],
            Type::Array,
            Body::Scope(parallel_map),
        )
        .docs(
            "Runs one closure for each item at the same time, like `run::parallel`.",
            "let names = [\"orders\", \"clicks\"];\n\
             let jobs = run::parallel_map(names, |name| job::sql(name, #{ template: \"orders.sql\" }).deploy());\n\
             assert::equal(jobs.len(), 2);",
        ),
        Function::new(
            "retry",
            Class::Scope,
            &[required("options", RetryOptions::KIND), required("work", Type::Closure)],
            Type::Any,
            Body::Scope(retry),
        )
        .docs(
            "Calls a closure again where it fails: `attempts` times in all (3), waiting `delay` (\"1s\") after the first try, \
             `backoff` (2.0) times as long after each further one, and at most `max_delay` (\"5m\"); for the error codes in `on` \
             alone, if given. Gives the closure's value, or raises the last error.",
            "let overview = run::retry(#{ attempts: 5, delay: \"2s\", on: [\"flink.unreachable\"] }, || flink::overview());\n\
             assert::that(\"slots-total\" in overview);",
        ),
        Function::new(
            "approve",
            Class::Wait,
            &[required("message", Type::String), optional("options", ApproveOptions::KIND)],
            Type::Map,
            Body::Journaled(approve),
        )
        .planning(Planning::With(would_ask))
        .docs(
            "Waits for somebody's `tidegate approve`, without a process, for `timeout` at most if given. Gives `by`, `at` and \
             `reason`.",
            "let approval = run::approve(\"deploy orders to prod?\", #{ timeout: \"24h\" });\n\
             print(`approved by ${approval.by}`);",
        )
        .errors(&[&code::RUN_WAITS, &code::RUN_REJECTED, &code::RUN_APPROVAL_TIMED_OUT]),
        Function::new("defer", Class::Scope, &[required("work", Type::Closure)], Type::Unit, Body::Scope(defer)).docs(
            "Calls a closure when the script ends, well or with an error, which the closure gets if it takes a parameter; inside \
             a step, a branch or a try, when that ends. The latest comes first.",
            "run::defer(|error| if error != () { log::warn(`it failed: ${error.message}`); });\nprint(\"working\");",
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
    let caller = Caller::of(call);
    caller.check_parameters(&closure, &[0], "no argument").map_err(|error| caller.raise(error))?;
    caller.call(&call.scope.inside(acting.key.sequence), &closure, Vec::new())
}
