//! Copies of what a closure captures: branches share nothing, and a write to a copy is found.

use rhai::{Dynamic, FnPtr};

/// A closure whose captured variables are copies.
pub(super) struct Copies {
    closure: FnPtr,
    /// The values before, in the order of the closure's first parameters.
    before: Vec<Dynamic>,
}

impl Copies {
    pub(super) fn of(closure: &FnPtr) -> Self {
        Self { closure: with_own_cells(closure), before: closure.curry().iter().map(copy).collect() }
    }

    pub(super) fn closure(&self) -> &FnPtr {
        &self.closure
    }

    /// The first captured variable that was changed; `names` are the closure's parameters. Empty where Rhai gives no name.
    pub(super) fn changed(&self, names: &[String]) -> Option<String> {
        let pairs = self.before.iter().zip(self.closure.curry());
        let index = pairs.enumerate().find(|(_, (before, after))| !same(before, after)).map(|(index, _)| index)?;
        Some(names.get(index).cloned().unwrap_or_default())
    }
}

/// The closure with cells of its own for what it shares with its surroundings.
fn with_own_cells(closure: &FnPtr) -> FnPtr {
    let mut own = closure.clone();
    let cells: Vec<Dynamic> = closure
        .curry()
        .iter()
        .map(|captured| if captured.is_shared() { copy(captured).into_shared() } else { copy(captured) })
        .collect();
    own.set_curry(cells);
    own
}

/// A value that shares nothing with this one. Rhai panics over shared cells in arrays and maps where sizes are limited.
pub(super) fn copy(value: &Dynamic) -> Dynamic {
    let flat = value.clone().flatten();
    if let Ok(items) = flat.as_array_ref() {
        return Dynamic::from_array(items.iter().map(copy).collect());
    }
    if let Ok(map) = flat.as_map_ref() {
        return Dynamic::from_map(map.iter().map(|(key, value)| (key.clone(), copy(value))).collect());
    }
    if let Some(closure) = flat.read_lock::<FnPtr>() {
        return Dynamic::from(with_own_cells(&closure));
    }
    flat
}

fn same(one: &Dynamic, other: &Dynamic) -> bool {
    let (one, other) = (one.clone().flatten(), other.clone().flatten());
    if let (Ok(one), Ok(other)) = (one.as_array_ref(), other.as_array_ref()) {
        return one.len() == other.len() && one.iter().zip(other.iter()).all(|(one, other)| same(one, other));
    }
    if let (Ok(one), Ok(other)) = (one.as_map_ref(), other.as_map_ref()) {
        let pairs = || one.iter().zip(other.iter());
        return one.len() == other.len() && pairs().all(|((a, one), (b, other))| a == b && same(one, other));
    }
    if let (Some(one), Some(other)) = (one.read_lock::<FnPtr>(), other.read_lock::<FnPtr>()) {
        let pairs = || one.curry().iter().zip(other.curry());
        return one.fn_name() == other.fn_name()
            && one.curry().len() == other.curry().len()
            && pairs().all(|(one, other)| same(one, other));
    }
    if one.type_id() != other.type_id() {
        return false;
    }
    // Handles and specs cannot be changed by a script: what prints alike is alike.
    format!("{one:?}") == format!("{other:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(script: &str) -> Dynamic {
        rhai::Engine::new().eval(script).unwrap()
    }

    #[test]
    fn a_copy_is_the_same_and_shares_nothing() {
        let script = "let k = [1, #{ a: 2.5 }]; let f = || k; [f, k, \"x\", 'c', (), 3]";
        let one = value(script);
        let two = copy(&one);
        assert!(same(&one, &two));
        let cell = |value: &Dynamic| value.as_array_ref().unwrap()[0].clone().cast::<FnPtr>().curry()[0].clone();
        *cell(&two).write_lock::<rhai::Array>().unwrap() = Vec::new();
        assert_eq!(cell(&one).read_lock::<rhai::Array>().unwrap().len(), 2);
        assert!(!same(&one, &two));
    }

    #[test]
    fn a_change_is_found_by_its_variable() {
        let engine = rhai::Engine::new();
        let closure: FnPtr = engine.eval("let a = 1; let b = [1]; || a + b.len()").unwrap();
        let copies = Copies::of(&closure);
        assert_eq!(copies.changed(&[]), None);
        let mut cell = copies.closure().curry()[1].clone();
        cell.write_lock::<rhai::Array>().unwrap().push(2.into());
        assert_eq!(copies.changed(&["a".to_owned(), "b".to_owned()]), Some("b".to_owned()));
        assert_eq!(copies.changed(&[]), Some(String::new()));
    }
}
