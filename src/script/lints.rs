//! What Rhai would let pass and then do wrongly without a word, refused when a script is loaded.

use rhai::{ASTFlags, ASTNode, Expr, Position, Stmt};

use super::resolver::{Book, Unit};
use crate::base::{Error, Result, code};

/// Whether a function is a closure: Rhai names those after a hash of their body and position.
pub(super) fn is_anonymous(function: &str) -> bool {
    function.starts_with("anon$")
}

/// What can be judged from one file alone.
pub(super) fn within(unit: &Unit) -> Result<()> {
    let mut found = None;
    unit.ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(statement)) = path.last() {
            found = match statement {
                Stmt::Import(import, _) if !matches!(import.0, Expr::StringConstant(..)) => Some((
                    "an import needs its path as a text in quotes".to_owned(),
                    "a run pins everything that it imports before it starts",
                    import.0.start_position(),
                )),
                Stmt::Return(Some(value), flags, position) if flags.contains(ASTFlags::BREAK) => missing_keys(value)
                    .map(|keys| {
                        (
                            format!("a thrown map needs {keys}"),
                            "errors have `code` and `message`, so that every `catch` can read them",
                            *position,
                        )
                    }),
                _ => None,
            };
        }
        found.is_none()
    });
    if let Some((message, hint, position)) = found {
        return Err(Error::new(&code::SCRIPT_SYNTAX, message).hint(hint).at(unit.place(position, "")));
    }
    // Inside a closure Rhai takes the file that happens to run it for the file it stands in.
    match closure_nodes(unit, &mut |node| match node {
        ASTNode::Stmt(Stmt::Import(_, position)) => Some(*position),
        _ => None,
    }) {
        Some(position) => Err(Error::new(&code::SCRIPT_SYNTAX, "an import cannot stand in a closure")
            .hint("put it at the top of the file, or into a function")
            .at(unit.place(position, ""))),
        None => Ok(()),
    }
}

/// The keys that a map literal lacks to be an error; `None` for what is no map literal, or lacks nothing.
fn missing_keys(value: &Expr) -> Option<String> {
    let has = |key: &str| match value {
        Expr::Map(map, _) => map.0.iter().any(|(name, _)| name.name == key),
        Expr::DynamicConstant(value, _) => value.as_map_ref().is_ok_and(|map| map.contains_key(key)),
        _ => true,
    };
    match (has("code"), has("message")) {
        (true, true) => None,
        (false, true) => Some("`code`".to_owned()),
        (true, false) => Some("`message`".to_owned()),
        (false, false) => Some("`code` and `message`".to_owned()),
    }
}

/// A closure that calls `f`, run by a file that also defines `f`, calls that one (Rhai 1.26 and later).
pub(super) fn names_that_imports_take_over(unit: &Unit, book: &Book) -> Result<()> {
    let imported: Vec<_> = book.reached_from(unit).iter().filter_map(|name| book.unit(name)).collect();
    let taken = |name: &str, arguments: usize| {
        imported.iter().find(|other| {
            other.ast.iter_functions().any(|function| function.name == name && function.params.len() == arguments)
        })
    };
    let found = closure_nodes(unit, &mut |node| {
        let (call, position) = match node {
            ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))
            | ASTNode::Stmt(Stmt::FnCall(call, position)) => (call, position),
            _ => return None,
        };
        if call.is_qualified() || call.is_operator_call() {
            return None;
        }
        taken(&call.name, call.args.len()).map(|other| (call.name.to_string(), other.name.clone(), *position))
    });
    match found {
        None => Ok(()),
        Some((name, other, position)) => Err(Error::new(
            &code::SCRIPT_SYNTAX,
            format!("a closure calls `{name}`, and the imported `{other}` has a function of that name too"),
        )
        .caused_by(format!("where `{other}` runs the closure, Rhai would call its `{name}` and not the one meant here"))
        .hint("give one of the two another name")
        .at(unit.place(position, ""))),
    }
}

/// Two files with the same closure at the same line and column: Rhai holds them for one.
pub(super) fn same_closure(unit: &Unit, position: Position, home: &str) -> Error {
    Error::new(&code::SCRIPT_SYNTAX, format!("the same closure stands at the same line and column of `{home}`"))
        .caused_by("Rhai names closures after their text and position, and would run one of the two for both")
        .hint("move one of them to another line")
        .at(unit.place(position, ""))
}

/// The first answer of `look` for a node inside one of the script's closures.
fn closure_nodes<T>(unit: &Unit, look: &mut dyn FnMut(&ASTNode) -> Option<T>) -> Option<T> {
    // `clone_functions_only_filtered` of Rhai 1.27 does not filter at all.
    let mut closures = unit.ast.clone_functions_only();
    closures.retain_functions(|_, _, name, _| is_anonymous(name));
    let mut found = None;
    closures.walk(&mut |path| {
        if let Some(node) = path.last() {
            found = look(node);
        }
        found.is_none()
    });
    found
}
