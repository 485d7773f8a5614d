//! `raw`, `ident`, `literal`, `join`, `trim`, and filters on what is SQL already.

use serde_json::json;

use super::{error, rendered};
use crate::base::code;

#[test]
fn raw_is_verbatim_and_counts_as_sql() {
    assert_eq!(rendered("SELECT {{ v | raw }}", json!({ "v": "a, 'b'" })), "SELECT a, 'b'");
    assert_eq!(rendered("t_{{ v | raw }}_x", json!({ "v": "a" })), "t_a_x");
    assert_eq!(rendered("{{ v | safe }}", json!({ "v": "a" })), "a");
    assert_eq!(rendered("{{ 3 | raw }}", json!({})), "3");
    // What is written raw opens a string, and the next value stands inside of it.
    assert_eq!(rendered("{{ q | raw }}{{ v }}'", json!({ "q": "'", "v": "a'b" })), "'a''b'");
    assert_eq!(rendered("{% macro m(x) %}{{ x }}{% endmacro %}{{ m(v | raw) }}", json!({ "v": "a'" })), "a'");
}

#[test]
fn ident_is_a_name_in_backticks() {
    assert_eq!(rendered("{{ v | ident }}", json!({ "v": "a`b.c" })), "`a``b.c`");
    assert_eq!(rendered("{{ v | ident }}", json!({ "v": ["db", "t`"] })), "`db`.`t```");
    assert_eq!(rendered("{{ v | ident }}", json!({ "v": 2024 })), "`2024`");
    assert_eq!(rendered("{{ v | ident | ident }}", json!({ "v": "a" })), "`a`");
    assert_eq!(rendered("'{{ v | ident }}'", json!({ "v": "a'`" })), "'`a''```'");
}

#[test]
fn a_list_of_names_is_joined_as_sql() {
    let vars = json!({ "c": ["a`", "b"], "o": [{ "n": "x" }, { "n": "y" }] });
    assert_eq!(rendered("{{ c | map('ident') | join(', ') }}", vars.clone()), "`a```, `b`");
    assert_eq!(rendered("{{ c | map('ident') }}", vars.clone()), "`a```, `b`");
    assert_eq!(rendered("{{ o | map(attribute='n') | map('ident') | join(' + ') }}", vars.clone()), "`x` + `y`");
    assert_eq!(rendered("{{ o | join(',', attribute='n') }}", vars.clone()), "'x,y'");
    assert_eq!(
        rendered("{% macro m(x) %}f({{ x }}){% endmacro %}{{ [m(1), m('a')] | join(' AND ') }}", vars.clone()),
        "f(1) AND f('a')"
    );
    assert_eq!(rendered("{{ c | map('literal') | join(' || ') }}", vars.clone()), "'a`' || 'b'");
    assert_eq!(rendered("{{ c | map('ident') | join(' /* */ ' | raw) }}", vars.clone()), "`a``` /* */ `b`");
    assert!(error("{{ c | map('ident') | join('; DROP') }}", vars).is(&code::TEMPLATE_INVALID));
}

#[test]
fn literal_is_a_literal_wherever_it_stands() {
    assert_eq!(rendered("{{ v | literal }}", json!({ "v": "a'" })), "'a'''");
    assert_eq!(rendered("'{{ v | literal }}'", json!({ "v": "a'" })), "'''a'''''''");
    assert_eq!(rendered("-- {{ v | literal }}", json!({ "v": ["a", null] })), "-- 'a', NULL");
}

#[test]
fn trim_and_indent_keep_sql_sql() {
    let macros = "{% macro m(x) %}\n\n   f({{ x }})\n \n{% endmacro %}";
    assert_eq!(rendered(&format!("{macros}[{{{{ m('a') | trim }}}}]"), json!({})), "[f('a')]");
    assert_eq!(rendered("{% set x %}a,\n{{ 'b' }}{% endset %}{{ x | indent(2) }}", json!({})), "a,\n  'b'");
    assert_eq!(rendered("{{ ' a ' | trim }}", json!({})), "'a'");
}

#[test]
fn a_filter_cannot_change_what_is_sql_already() {
    let macros = "{% macro m(x) %}f({{ x }}){% endmacro %}";
    for template in [
        "{{ m(1) | upper }}",
        "{{ m(1) ~ 'x' }}",
        "{{ m(1) | length }}",
        "{{ (1 | ident) ~ '.' }}",
        "{{ [1 | raw] }}",
        "{{ 'a' | raw | upper }}",
    ] {
        let error = error(&format!("{macros}{template}"), json!({}));
        assert!(error.is(&code::TEMPLATE_INVALID), "{template}");
        assert!(error.message().contains("SQL"), "{template}: {error}");
    }
}
