//! The declaration of a host function: stated once, and from it come registration, journaling and documents.

use std::sync::Arc;

use rhai::{Dynamic, FnNamespace, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};
use serde_json::Value;
use std::any::TypeId;

use super::context::Context;
use super::convert::{from_json, to_json, type_name};
use super::host::Host;
use super::planner::{self, Planner};
use super::throw::{Thrown, into_rhai, raise};
pub use super::types::Type;
use crate::base::code::Code;
use crate::base::error::Place;
use crate::base::{Error, Result, code, computing};
use crate::model::attempt::StepKey;
use crate::model::class::Class;
use crate::model::git_address::Address;
use crate::ops::commands;
use crate::ops::effect::{Acting, Call as EffectCall};

/// A parameter of a host function.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Whether it may be left out; only at the end.
    pub optional: bool,
}

/// A required parameter.
pub const fn required(name: &'static str, kind: Type) -> Parameter {
    Parameter { name, kind, optional: false }
}

/// A parameter that may be left out.
pub const fn optional(name: &'static str, kind: Type) -> Parameter {
    Parameter { name, kind, optional: true }
}

/// What a host function does.
#[derive(Clone, Copy)]
pub enum Body {
    /// Computes a value; nothing is recorded.
    Pure(fn(&mut Call<'_>) -> Result<Dynamic>),
    /// Looks or acts; its JSON result is recorded.
    Journaled(fn(&mut Call<'_>, &Acting) -> Result<Value>),
    /// Calls closures; what they do is recorded, and that it was done.
    Scope(fn(&mut Call<'_>, &Acting) -> Thrown<Dynamic>),
}

/// What a journaled function does in a plan.
#[derive(Clone, Copy)]
pub enum Planning {
    /// Looks, as in a run.
    Looks,
    /// Looks at what effects change: after one of them the plan ends here.
    Stale,
    /// Tells what it would do, and gives what is known of its answer.
    With(fn(&mut Call<'_>, &Planner) -> Result<Value>),
    /// Is told, and the plan ends: its answer is known only to the run.
    Ends,
}

/// A host function.
#[derive(Clone, Copy)]
pub struct Function {
    /// The name, without namespace.
    pub name: &'static str,
    /// The type it is a method or property of, if it is one.
    pub on: Option<Type>,
    /// Whether it is a property.
    pub property: bool,
    /// Its effect class.
    pub class: Class,
    /// Its parameters, without the object.
    pub parameters: &'static [Parameter],
    /// What it gives.
    pub returns: Type,
    /// One sentence.
    pub summary: &'static str,
    /// The codes of errors that are its own.
    pub errors: &'static [&'static Code],
    /// A script that shows it.
    pub example: &'static str,
    /// What it does.
    pub body: Body,
    /// What it does in a plan.
    pub planning: Planning,
}

impl Function {
    /// A function of its namespace, with its body.
    pub const fn new(
        name: &'static str,
        class: Class,
        parameters: &'static [Parameter],
        returns: Type,
        body: Body,
    ) -> Self {
        Self {
            name,
            on: None,
            property: false,
            class,
            parameters,
            returns,
            summary: "",
            errors: &[],
            example: "",
            body,
            planning: if class.is_effect() { Planning::Ends } else { Planning::Looks },
        }
    }

    /// Makes it a method.
    #[must_use]
    pub const fn on(mut self, kind: Type) -> Self {
        self.on = Some(kind);
        self
    }

    /// Makes it a property.
    #[must_use]
    pub const fn property(mut self, kind: Type) -> Self {
        self.on = Some(kind);
        self.property = true;
        self
    }

    /// Says what it is for, and shows it.
    #[must_use]
    pub const fn docs(mut self, summary: &'static str, example: &'static str) -> Self {
        self.summary = summary;
        self.example = example;
        self
    }

    /// Says what it does in a plan.
    #[must_use]
    pub const fn planning(mut self, planning: Planning) -> Self {
        self.planning = planning;
        self
    }

    /// Names its own errors.
    #[must_use]
    pub const fn errors(mut self, errors: &'static [&'static Code]) -> Self {
        self.errors = errors;
        self
    }
}

/// A namespace: a file in `src/api`.
pub struct Namespace {
    /// Its name: `job`.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Its functions.
    pub functions: &'static [Function],
}

/// A call under way.
pub struct Call<'a> {
    /// The function.
    pub function: &'static Function,
    /// `namespace::name`, or `type.name` of a method.
    pub name: &'a str,
    /// The run's host.
    pub host: &'a Arc<Host>,
    /// The branch that calls.
    pub scope: &'a Context,
    /// Rhai's context.
    pub context: &'a NativeCallContext<'a>,
    /// The arguments, the object first where it is a method; shared values are copied.
    pub arguments: Vec<Dynamic>,
}

impl Call<'_> {
    /// Where the call stands.
    pub fn place(&self) -> Place {
        let position = self.context.call_position();
        Place {
            file: self.host.called_in(self.context, self.function.name),
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0),
            excerpt: None,
            label: String::new(),
        }
    }

    /// An argument that is a string; the empty one where it was left out.
    pub fn string(&self, index: usize) -> String {
        self.arguments.get(index).and_then(|value| value.clone().into_string().ok()).unwrap_or_default()
    }

    /// An argument, if it was given.
    pub fn get(&self, index: usize) -> Option<&Dynamic> {
        self.arguments.get(index)
    }

    /// An argument as JSON; null where it was left out.
    ///
    /// # Errors
    /// `argument.invalid` for what JSON cannot hold.
    pub fn json(&self, index: usize) -> Result<Value> {
        let offset = usize::from(self.function.on.is_some());
        let name = index
            .checked_sub(offset)
            .and_then(|index| self.function.parameters.get(index))
            .map_or("this", |parameter| parameter.name);
        self.arguments.get(index).map_or(Ok(Value::Null), |value| to_json(value, &format!("{}: `{name}`", self.name)))
    }
}

/// `namespace::name`, or `type.name` of a method.
pub fn full_name(namespace: &str, function: &Function) -> String {
    match function.on {
        Some(kind) => format!("{}.{}", kind.name(), function.name),
        None => format!("{namespace}::{}", function.name),
    }
}

/// Registers the functions of a namespace: its own in `module`, methods and properties in `global`.
pub fn register(namespace: &'static Namespace, module: &mut Module, global: &mut Module) {
    for function in namespace.functions {
        let name: Arc<str> = full_name(namespace.name, function).into();
        let least = function.parameters.iter().filter(|parameter| !parameter.optional).count();
        for arity in least..=function.parameters.len() {
            let mut types: Vec<TypeId> = function.on.iter().map(|kind| kind.type_id()).collect();
            types.extend((0..arity).map(|_| TypeId::of::<Dynamic>()));
            let registration = if function.property {
                FuncRegistration::new_getter(function.name)
            } else {
                FuncRegistration::new(function.name)
            };
            let registration = registration.with_namespace(if function.on.is_some() {
                FnNamespace::Global
            } else {
                FnNamespace::Internal
            });
            let name = name.clone();
            let body = RhaiFunc::Method {
                func: Shared::new(move |context, arguments| {
                    let context = context.ok_or("a host function was called without its context")?;
                    dispatch(function, &name, &context, arguments)
                }),
                has_context: true,
                is_pure: true,
                is_volatile: true,
            };
            let target = if function.on.is_some() { &mut *global } else { &mut *module };
            registration.set_into_module_raw(target, &types, body);
        }
    }
}

fn dispatch(
    function: &'static Function,
    name: &str,
    context: &NativeCallContext<'_>,
    arguments: &mut [&mut Dynamic],
) -> Thrown<Dynamic> {
    let scope = Context::of(context).ok_or_else(|| {
        let error = Error::new(&code::EFFECT_FORBIDDEN, format!("`{name}` cannot be called while a file is imported"))
            .hint("call it from a function, or from the script itself");
        raise(context, error)
    })?;
    scope.check_goes_on(context)?;
    let host = scope.host.clone();
    let fatal = host.fatal.clone();
    let arguments: Vec<Dynamic> = arguments.iter().map(|value| (**value).clone().flatten()).collect();
    let mut call = Call { function, name, host: &host, scope: &scope, context, arguments };
    let checked = check_arguments(&call);
    into_rhai(checked, context, &fatal)?;
    match function.body {
        Body::Pure(body) => into_rhai(body(&mut call), context, &fatal),
        Body::Journaled(body) => {
            let result = match &host.planner {
                Some(planner) => planner::planned(&mut call, planner, body),
                None => journaled(&mut call, &mut |call, acting| body(call, acting)),
            };
            into_rhai(result.map(|value| from_json(&value)), context, &fatal)
        }
        Body::Scope(body) => {
            let mut answer = None;
            // A scope is entered on replay too: what it does is recorded step by step, not its result.
            let result = super::scope::perform(&mut call, |call, acting| answer = Some(body(call, acting)));
            into_rhai(result, context, &fatal)?;
            answer.unwrap_or(Ok(Dynamic::UNIT))
        }
    }
}

fn check_arguments(call: &Call<'_>) -> Result<()> {
    if call.host.is_listing && call.function.class != Class::Pure {
        return Err(Error::new(
            &code::EFFECT_FORBIDDEN,
            format!("`{}` cannot be called while parameters are listed", call.name),
        )
        .hint("`fn options()` may only declare parameters"));
    }
    let offset = usize::from(call.function.on.is_some());
    for (index, parameter) in call.function.parameters.iter().enumerate() {
        if let Some(value) = call.arguments.get(index + offset)
            && !parameter.kind.accepts(value)
            && !(parameter.optional && value.is_unit())
        {
            return Err(Error::new(
                &code::ARGUMENT_INVALID,
                format!(
                    "{}: `{}` must be {}, and is {}",
                    call.name,
                    parameter.name,
                    parameter.kind.article(),
                    type_name(value)
                ),
            ));
        }
        // Before anything is recorded: a password in a URL is not to be kept.
        if parameter.kind == Type::Repository && super::git::is_url(&call.string(index + offset)) {
            Address::parse(&call.string(index + offset))?;
        }
    }
    Ok(())
}

/// Passes a call through the journal.
///
/// # Errors
/// What the journal and the body give.
pub fn journaled(call: &mut Call<'_>, body: &mut dyn FnMut(&mut Call<'_>, &Acting) -> Result<Value>) -> Result<Value> {
    let arguments = (0..call.arguments.len())
        // A closure is known by the place where it is passed.
        .map(|index| if call.arguments[index].is_fnptr() { Ok(Value::Null) } else { call.json(index) })
        .collect::<Result<Vec<_>>>()?;
    let position = call.context.call_position();
    let host = call.host.clone();
    let scope = call.scope.clone();
    if host.planner.is_some() {
        let key = StepKey { run: 0, path: scope.path.to_string(), sequence: scope.next() };
        let result = body(call, &Acting { key, recovering: false, begun_at: 0 });
        return commands::in_result(&host.services, &host.environment.name, result);
    }
    if let Some(confirm) = &host.confirm
        && matches!(call.function.class, Class::Set | Class::Keyed | Class::Tagged | Class::Opaque)
    {
        confirm.confirm(call.name, &arguments)?;
        // Somebody took his time.
        computing::begin();
    }
    let arguments = Value::Array(arguments);
    let file = host.called_in(call.context, call.function.name);
    let name = call.name.to_owned();
    let effect = EffectCall {
        function: &name,
        class: call.function.class,
        arguments: &arguments,
        file: &file,
        line: position.line().unwrap_or(0),
        column: position.position().unwrap_or(0),
    };
    let sequence = scope.next();
    let result = host.journal()?.perform(&scope.path, sequence, &effect, |acting| {
        commands::in_result(&host.services, &host.environment.name, body(call, acting))
    });
    // A script that goes on looking and acting is no endless computation.
    computing::begin();
    result
}
