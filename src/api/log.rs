//! `log::`: lines for standard error. Not repeated when a run is resumed.

use rhai::Dynamic;

use super::declare::{Body, Call, Function, Namespace, Parameter, Type, required};
use crate::base::Result;
use crate::model::class::Class;

const TAKES: &[Parameter] = &[required("message", Type::Any)];

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "log",
    summary: "Lines for standard error, so that standard output stays data.",
    functions: &[
        Function::new("info", Class::Pure, TAKES, Type::Unit, Body::Pure(info))
            .docs("Says what happens.", "log::info(\"deploying\");"),
        Function::new("warn", Class::Pure, TAKES, Type::Unit, Body::Pure(warn))
            .docs("Says what may be wrong.", "log::warn(\"no checkpoints yet\");"),
        Function::new("error", Class::Pure, TAKES, Type::Unit, Body::Pure(error))
            .docs("Says what is wrong.", "log::error(\"the sink is full\");"),
    ],
};

fn write(call: &Call<'_>, level: &str) -> Result<Dynamic> {
    if !call.scope.is_replaying() {
        let text = call.host.services.secrets.mask(&call.arguments[0].to_string());
        call.host.output.log(level, &text);
    }
    Ok(Dynamic::UNIT)
}

fn info(call: &mut Call<'_>) -> Result<Dynamic> {
    write(call, "info")
}

fn warn(call: &mut Call<'_>) -> Result<Dynamic> {
    write(call, "warn")
}

fn error(call: &mut Call<'_>) -> Result<Dynamic> {
    write(call, "error")
}
