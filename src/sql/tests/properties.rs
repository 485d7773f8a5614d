//! Whatever a value is, the statements stay the same in number and kind, and other values stay what they were.

use std::mem::discriminant;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{render_files, variables};
use crate::base::Result;
use crate::base::secret::SecretText;
use crate::sql::{Kind, Rendered, Statement, ident, quote, split, statements};

/// Each holds `v` in other contexts. A value that has no meaning in one of them is refused, never written.
const TEMPLATES: &[&str] = &[
    "INSERT INTO t SELECT {{ v }} FROM x WHERE a = {{ v }} AND b -{{ v }} > 0;\nINSERT INTO u SELECT 1",
    "SET 'k' = 'x{{ v }}y';\nINSERT INTO t SELECT '{{ v }}', 'a''{{ v }}', ';' || '{{ v }}{{ v }}' FROM x; INSERT INTO u SELECT 1",
    "INSERT INTO `t` SELECT `x{{ v }}`, `{{ v }}y` FROM z; INSERT INTO u SELECT 1",
    "-- {{ v }}\nINSERT INTO t SELECT 1 -- '{{ v }}\n; /* {{ v }} */ INSERT INTO u /*{{ v }}*/ SELECT /* *{{ v }}/ */ 2 // {{ v }}\n",
    "{% macro m(x) %}f({{ x }}, '{{ x }}') /* {{ x }} */{% endmacro %}INSERT INTO t SELECT {{ m(v) }}; INSERT INTO u SELECT 1",
    "{% for i in [v, 'a', v] %}INSERT INTO t SELECT {{ i }}, '{{ i }}' FROM x -- {{ i }}\n;{% endfor %}",
    "{% include 'i.sql' %}; {% set b %}SELECT {{ v }}, '{{ v }}'{% endset %}INSERT INTO u {{ b }}; INSERT INTO w {{ b }}",
    "INSERT INTO t /*+ OPTIONS('k'='{{ v }}', 'l'={{ v }}) */ SELECT {{ [v, 'x', v] }}, {{ v }}{{ v }}'q' FROM y; INSERT INTO u SELECT 1",
    "INSERT INTO {{ v | ident }} SELECT {{ [v, v] | map('ident') | join(', ') }} FROM {{ [v, 'x'] | ident }}; INSERT INTO u SELECT \"{{ v }}\"",
    "INSERT INTO t SELECT '{{ v }}'{{ v }}, {{ v ~ 'x' }}, {{ v | literal }}/{{ v }}*{{ v }}; INSERT INTO u SELECT 1",
];

fn parse(template: &str, value: &Value) -> Result<Vec<Statement>> {
    let files = [("main.sql", template), ("i.sql", "INSERT INTO i SELECT {{ v }}, '{{ v }}' -- {{ v }}")];
    statements(&render_files(&files, &variables(json!({ "v": value })))?)
}

fn shape(statements: &[Statement]) -> Vec<(std::mem::Discriminant<Kind>, usize)> {
    // The hints and quoted texts of a statement count as well: none may appear or vanish.
    statements
        .iter()
        .map(|statement| {
            let text = statement.text.to_string();
            (discriminant(&statement.kind), crate::sql::lexer::tokens(&text).unwrap().len())
        })
        .collect()
}

/// Texts made of what SQL and templates are made of.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'"),
        Just("''"),
        Just("`"),
        Just("\""),
        Just(";"),
        Just("--"),
        Just("/*"),
        Just("*/"),
        Just("/*+"),
        Just("*"),
        Just("/"),
        Just("-"),
        Just("+"),
        Just("\\"),
        Just("\\'"),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("//"),
        Just(" "),
        Just("{{"),
        Just("}}"),
        Just("{% raw %}"),
        Just("{#"),
        Just("END;"),
        Just("INSERT INTO x SELECT 1"),
        Just("E'"),
        Just("U&'"),
        Just("\u{0}"),
        Just("\u{85}"),
        Just("\u{2028}"),
        Just("é"),
        Just("😀"),
        Just("\u{F8FF}"),
        Just("\u{FFFFD}"),
        Just("a"),
        Just("9"),
    ];
    prop_oneof![prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()), any::<String>()]
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => hostile().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        1 => prop_oneof![Just(json!(true)), Just(json!(null))],
    ]
}

/// A value of the same kind that is beyond suspicion.
fn benign(value: &Value) -> Value {
    match value {
        Value::String(_) => json!("x"),
        Value::Number(number) if number.is_f64() => {
            json!(if number.as_f64().unwrap_or(0.0).is_sign_negative() { -1.5 } else { 1.5 })
        }
        Value::Number(number) => json!(if number.as_i64().is_some_and(i64::is_negative) { -1 } else { 1 }),
        value => value.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_never_changes_the_statements(value in values()) {
        for template in TEMPLATES {
            let expected = parse(template, &benign(&value)).map(|statements| shape(&statements));
            match (parse(template, &value), expected) {
                (Ok(statements), Ok(expected)) => {
                    let found = shape(&statements);
                    let kinds = |shape: &[(_, usize)]| shape.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
                    prop_assert_eq!(kinds(&found), kinds(&expected), "{}", template);
                    if !value.is_f64() {
                        prop_assert_eq!(found, expected, "{}", template);
                    }
                }
                // Refused by the template, never found out by the splitter.
                (Err(error), _) => prop_assert!(error.is(&crate::base::code::TEMPLATE_INVALID), "{}: {}", template, error),
                (Ok(_), Err(error)) => prop_assert!(false, "only the benign value is refused: {}: {}", template, error),
            }
        }
    }

    #[test]
    fn a_text_is_refused_in_no_place_that_can_hold_it(text in hostile()) {
        prop_assume!(!text.contains(['\n', '\r']) && !text.is_empty() && !text.contains(|letter| letter >= '\u{100000}'));
        for template in TEMPLATES {
            if let Err(error) = parse(template, &json!(text)) {
                prop_assert!(false, "{}: {}", template, error);
            }
        }
    }

    #[test]
    fn a_quoted_text_reads_back(text in hostile()) {
        prop_assume!(!text.contains(|letter| letter >= '\u{100000}'));
        let literal = quote(&json!(text)).unwrap();
        let set = split(&Rendered::verbatim("a", &SecretText::plain(format!("SET 'k' = {literal}")))).unwrap();
        prop_assert_eq!(&set[0].kind, &Kind::Set { key: "k".to_owned(), value: SecretText::plain(text.as_str()) });
        if !text.is_empty() && !text.contains(['\n', '\r']) {
            let insert = split(&Rendered::verbatim("a", &SecretText::plain(format!("INSERT INTO {} SELECT 1", ident(&text))))).unwrap();
            prop_assert_eq!(insert[0].table.as_deref(), Some(text.as_str()));
        }
    }

    #[test]
    fn what_was_split_and_joined_splits_the_same(value in values(), end in prop_oneof![Just(";"), Just(" ;\n-- c ;\n"), Just("; ;")]) {
        for template in TEMPLATES {
            let Ok(first) = parse(template, &value) else { continue };
            let joined: String = first.iter().map(|statement| format!("{}\n{end}", statement.text)).collect();
            let again = split(&Rendered::verbatim("a", &SecretText::plain(joined))).unwrap();
            let plain = |statements: &[Statement]| {
                statements.iter().map(|one| (one.text.to_string(), one.kind.clone(), one.table.clone())).collect::<Vec<_>>()
            };
            prop_assert_eq!(plain(&again), plain(&first));
        }
    }

    #[test]
    fn every_line_has_an_origin(value in values(), count in 0_usize..4) {
        let template = "a {{ v }}\n{% for i in range(n) -%}\n  {{ v }} {{ i }}\n{% endfor %}'{{ v }}'\nlast";
        let variables = variables(json!({ "v": value, "n": count }));
        let Ok(rendered) = render_files(&[("main.sql", template)], &variables) else { return Ok(()) };
        let lines = rendered.lines();
        let text = rendered.text().to_string();
        prop_assert_eq!(lines.len(), text.split('\n').count());
        prop_assert_eq!(lines.last().map(|origin| origin.line), Some(5));
        for origin in &lines {
            prop_assert_eq!(Some(origin.text.as_str()), template.split('\n').nth(origin.line - 1));
        }
        for (line, text) in lines.iter().zip(text.split('\n')) {
            for column in 0..=text.chars().count() {
                let place = line.place(column);
                prop_assert!((1..=5).contains(&place.line) && place.column <= place.excerpt.unwrap().chars().count() + 1);
            }
        }
    }
}
