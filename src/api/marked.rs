//! Marked objects: how handles, specs and secrets stand in the journal, and are told from a script's own maps.

use serde_json::Value;

/// The key that marks an object as a handle, a spec or a secret; its value is the kind: `job/1`.
pub(super) const MARK: &str = "$tidegate";

/// Whether a value is an object of this kind.
pub(super) fn is(value: &Value, kind: &str) -> bool {
    value.get(MARK).and_then(Value::as_str) == Some(kind)
}

/// The facts of a handle, marked as of this kind.
pub(super) fn mark(mut facts: Value, kind: &str) -> Value {
    if let Some(map) = facts.as_object_mut() {
        map.insert(MARK.to_owned(), kind.into());
    }
    facts
}

/// The facts of a handle of this kind, without the mark; none in any other value.
pub(super) fn unmark(value: &Value, kind: &str) -> Option<Value> {
    is(value, kind).then_some(())?;
    let mut facts = value.clone();
    facts.as_object_mut()?.remove(MARK);
    Some(facts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_marked_is_of_its_kind_alone() {
        let facts = json!({ "name": "orders" });
        let marked = mark(facts.clone(), "job/1");
        assert_eq!(unmark(&marked, "job/1"), Some(facts.clone()));
        assert_eq!(unmark(&marked, "build/1"), None);
        assert_eq!(unmark(&facts, "job/1"), None);
        assert_eq!(unmark(&json!("job/1"), "job/1"), None);
    }
}
