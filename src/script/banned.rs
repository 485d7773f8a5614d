//! What Rhai has and a run that can be replayed must not use, and what to use instead.

use rhai::{Dynamic, FuncRegistration, Module, NativeCallContext, Shared};

use crate::api::throw::{Thrown, raise};
use crate::base::{Error, code};

/// Symbols that do not even parse, with the hint.
pub(super) const SYMBOLS: &[(&str, &str)] = &[(
    "eval",
    "write the code into a function, or into a file and `import` it: a run pins every text before it starts",
)];

const TIMESTAMP: (&str, &str) = ("timestamp", "use `time::now()`, which is recorded and so the same on replay");
const SLEEP: (&str, &str) = ("sleep", "use `time::sleep(\"1s\")`, which can be cancelled and is recorded");
const EXIT: (&str, &str) = ("exit", "use `return` at the top level, or `throw` to fail");

/// Functions that raise `script.banned`. Registered in front of Rhai's own of the same name and types.
pub(super) fn module() -> Shared<Module> {
    let mut module = Module::new();
    FuncRegistration::new(TIMESTAMP.0)
        .set_into_module(&mut module, |context: NativeCallContext| refuse(&context, TIMESTAMP));
    // One for every type that Rhai's own take: the better match would win.
    FuncRegistration::new(SLEEP.0)
        .set_into_module(&mut module, |context: NativeCallContext, _seconds: i64| refuse(&context, SLEEP));
    FuncRegistration::new(SLEEP.0)
        .set_into_module(&mut module, |context: NativeCallContext, _seconds: f64| refuse(&context, SLEEP));
    FuncRegistration::new(SLEEP.0)
        .set_into_module(&mut module, |context: NativeCallContext, _seconds: Dynamic| refuse(&context, SLEEP));
    FuncRegistration::new(EXIT.0).set_into_module(&mut module, |context: NativeCallContext| refuse(&context, EXIT));
    FuncRegistration::new(EXIT.0)
        .set_into_module(&mut module, |context: NativeCallContext, _value: Dynamic| refuse(&context, EXIT));
    module.into()
}

/// The error for a call of such a function; nothing for any other.
pub(super) fn refused(function: &str) -> Option<Error> {
    let found = [TIMESTAMP, SLEEP, EXIT].into_iter().find(|(name, _)| *name == function);
    found.map(|(name, hint)| error(name, hint))
}

/// Whether the function only raises `script.banned`: such a one is never suggested.
pub(super) fn is_banned(function: &str) -> bool {
    [TIMESTAMP, SLEEP, EXIT].iter().any(|(name, _)| *name == function)
}

pub(super) fn error(name: &str, hint: &str) -> Error {
    Error::new(&code::SCRIPT_BANNED, format!("`{name}` is not available in scripts")).hint(hint)
}

fn refuse(context: &NativeCallContext, (name, hint): (&str, &str)) -> Thrown<Dynamic> {
    Err(raise(context, error(name, hint)))
}
