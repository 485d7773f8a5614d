//! Values by context, the template language, secrets, errors.

use serde_json::json;

use super::{error, render_files, rendered, secret, try_render, variables};
use crate::base::secret::{Piece, SecretText, Within};
use crate::base::{Error, Result, code};
use crate::sql::{Rendered, render_text};

#[test]
fn a_bare_value_is_a_literal() {
    for (value, literal) in [
        (json!("O'Brien"), "'O''Brien'"),
        (json!(""), "''"),
        (json!("a\nb"), "'a\nb'"),
        (json!(7), "7"),
        (json!(-7), "-7"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(1.0), "1.0"),
        (json!(1e300), "1e300"),
        (json!(true), "TRUE"),
        (json!(false), "FALSE"),
        (json!(null), "NULL"),
        (json!([1, "a'b", null, false]), "1, 'a''b', NULL, FALSE"),
    ] {
        assert_eq!(rendered("x IN ({{ v }})", json!({ "v": value })), format!("x IN ({literal})"));
        assert_eq!(rendered("x IN ({{ v | literal }})", json!({ "v": value })), format!("x IN ({literal})"));
    }
}

#[test]
fn a_value_is_escaped_for_what_it_stands_inside() {
    let value = json!({ "v": "a'b`c\"d" });
    assert_eq!(rendered("'jdbc://{{ v }}/{{ v }}'", value.clone()), "'jdbc://a''b`c\"d/a''b`c\"d'");
    assert_eq!(rendered("`x_{{ v }}`", value.clone()), "`x_a'b``c\"d`");
    assert_eq!(rendered("\"{{ v }}\"", value.clone()), "\"a'b`c\"\"d\"");
    assert_eq!(rendered("'it''s {{ v }}' {{ v }}", value), "'it''s a''b`c\"d' 'a''b`c\"d'");
    assert_eq!(rendered("'{{ a }} {{ b }} {{ c }}'", json!({ "a": 1, "b": true, "c": 1.5 })), "'1 true 1.5'");
    assert_eq!(
        rendered("/*+ OPTIONS('k'='{{ v }}', x={{ v }}) */", json!({ "v": "*/'" })),
        "/*+ OPTIONS('k'='*/''', x='*/''') */"
    );
}

#[test]
fn a_value_cannot_end_a_comment() {
    let all = json!({ "v": "a\nb\r; DROP */ /* -- '" });
    assert_eq!(rendered("-- {{ v }}\nx", all.clone()), "-- a b ; DROP */ /* -- '\nx");
    assert_eq!(rendered("// {{ v }}\nx", all), "// a b ; DROP */ /* -- '\nx");
    assert_eq!(rendered("/* {{ v }} */", json!({ "v": "*/ x" })), "/* * / x */");
    assert_eq!(rendered("/* *{{ v }} */", json!({ "v": "/x" })), "/* * /x */");
    assert_eq!(rendered("/* {{ v }}/ */", json!({ "v": "*" })), "/* * / */");
    assert_eq!(rendered("/* *{{ v }}/ */", json!({ "v": "" })), "/* * / */");
    assert_eq!(rendered("/*{{ v }} */", json!({ "v": "+ OPTIONS('a'='b')" })), "/* + OPTIONS('a'='b') */");
}

#[test]
fn a_literal_does_not_melt_into_what_stands_beside_it() {
    assert_eq!(rendered("a -{{ v }}", json!({ "v": -1 })), "a - -1");
    assert_eq!(rendered("a -{{ v }}", json!({ "v": 1 })), "a -1");
    assert_eq!(rendered("'a'{{ v }}'b'", json!({ "v": "x" })), "'a' 'x' 'b'");
    assert_eq!(rendered("{{ v }}{{ v }}", json!({ "v": "x" })), "'x' 'x'");
    assert_eq!(rendered("`a`{{ v | ident }}`b`", json!({ "v": "x" })), "`a` `x` `b`");
    assert_eq!(rendered("t_{{ v }}", json!({ "v": 3 })), "t_3");
    for (template, value) in [
        ("t_{{ v }}", json!("x")),
        ("{{ v }}_t", json!("x")),
        ("{{ v }}.t", json!("x")),
        ("db.{{ v }}", json!("x")),
        ("U&{{ v }}", json!("x")),
        ("X{{ v }}", json!("ab")),
        ("t{{ v }}", json!(null)),
        ("t_{{ v }}", json!(-1)),
    ] {
        let error = error(template, json!({ "v": value }));
        assert_eq!(error.message(), "a value inside of a name", "{template}");
        assert!(error.is(&code::TEMPLATE_INVALID));
    }
    assert_eq!(rendered("{{ d | ident }}.{{ t | ident }}", json!({ "d": "a", "t": "b" })), "`a`.`b`");
}

#[test]
fn a_value_that_has_no_meaning_in_its_place_is_refused() {
    for (template, value, message) in [
        ("{{ v }}", json!([]), "an empty list has no SQL literal"),
        ("{{ v }}", json!([[1]]), "a list in a list has no SQL literal"),
        ("{{ v }}", json!({ "a": 1 }), "a map has no SQL literal; write its values one by one"),
        ("'{{ v }}'", json!(null), "null inside of quotes"),
        ("'{{ v }}'", json!([1]), "a list inside of quotes"),
        ("`{{ v }}`", json!(null), "inside of backticks only a text or a number can stand"),
        ("`{{ v }}`", json!("a\nb"), "a name cannot hold the end of a line"),
        ("{{ v | ident }}", json!(""), "an empty text is no name"),
        ("{{ v | ident }}", json!("a\nb"), "a name cannot hold the end of a line"),
        ("{{ v | ident }}", json!([]), "an empty list is no name"),
        ("{{ v | raw }}", json!(null), "`| raw` takes a text, not null"),
        ("E'{{ v }}'", json!("x"), "a value inside of `E'...'`"),
        (
            "{{ v }}",
            json!("\u{10FFFF}"),
            "the variable `v` holds a character of Unicode's private plane 16 (U+100000 and above)",
        ),
        ("{{ 1e308 * 1e308 + v }}", json!(1.0), "inf is not a number that SQL can write"),
    ] {
        let error = error(template, json!({ "v": value }));
        assert_eq!(error.message(), message, "{template}");
        assert!(error.is(&code::TEMPLATE_INVALID), "{template}");
    }
    assert!(error("\u{100000}", json!({})).message().contains("private plane 16"));
}

#[test]
fn the_language_works_on_values_not_on_sql() {
    let vars = json!({ "a": "x'", "n": 2, "list": ["p", "q'"], "on": true, "none": null });
    for (template, expected) in [
        ("{% if a == \"x'\" and on and not none %}{{ a ~ '-' ~ n }}{% endif %}", "'x''-2'"),
        ("{% for i in list %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}", "'p', 'q'''"),
        (
            "{{ a | upper }} {{ a | replace(\"'\", '') }} {{ list | join('/') }} {{ list | length }}",
            "'X''' 'x' 'p/q''' 2",
        ),
        ("{{ n + 1 }} {{ n / 4 }} {{ a if on else n }} {{ none | default('d', true) }}", "3 0.5 'x''' 'd'"),
        ("{% set x = a ~ n %}{{ x }} '{{ x }}'", "'x''2' 'x''2'"),
        ("{% set x %}SELECT {{ a }}{% endset %}{{ x }}; {{ x }}", "SELECT 'x'''; SELECT 'x'''"),
        ("{% set x %}abc{% endset %}{% if x == 'abc' %}{{ x | length }}{% endif %}", "3"),
        (
            "{% macro m(v, w='d') %}f({{ v }}, '{{ w }}'){% endmacro %}{{ m(a) }} {{ m(n, w=a) }}",
            "f('x''', 'd') f(2, 'x''')",
        ),
        ("{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}{{ a }}{% endcall %}", "['x''']"),
        ("{% raw %}{{ a }}{% endraw %}", "{{ a }}"),
        ("{{ '%}' }}{# {{ a }} #}", "'%}'"),
        ("a {{- n -}} b", "a2b"),
        ("{{ range(3) | list }}", "0, 1, 2"),
    ] {
        assert_eq!(rendered(template, vars.clone()), expected, "{template}");
    }
}

#[test]
fn includes_and_imports_are_loaded_once_each() {
    let asked = std::sync::Mutex::new(Vec::new());
    let files = [
        (
            "main.sql",
            "{% import 'm.sql' as m %}{% from 'm.sql' import t %}{% include 'i.sql' %}|{{ m.f(v) }}|{{ t() }}|{% include 'i.sql' %}{% include 'none.sql' ignore missing %}{% include 'none.sql' ignore missing %}",
        ),
        ("m.sql", "{% macro f(x) %}f({{ x }}){% endmacro %}{% macro t() %}t{% endmacro %}"),
        ("i.sql", "-- {{ v }}\n{{ v }}\n"),
    ];
    let load = |name: &str| {
        asked.lock().unwrap().push(name.to_owned());
        Ok(files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()))
    };
    let variables = variables(json!({ "v": "a'" }));
    let rendered = crate::sql::render(&crate::sql::Request { name: "main.sql", load: &load, variables: &variables });
    assert_eq!(rendered.unwrap().text().to_string(), "-- a'\n'a'''|f('a''')|t|-- a'\n'a'''");
    let mut asked = asked.into_inner().unwrap();
    asked.sort();
    assert_eq!(asked, ["i.sql", "m.sql", "main.sql", "none.sql"]);
}

#[test]
fn a_template_that_does_not_end_is_stopped() {
    let error = error("{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}", json!({}));
    assert_eq!(error.message(), "the template took more than 5000000 steps");
    let again = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    assert!(try_render(again, json!({})).unwrap_err().is(&code::TEMPLATE_INVALID));
}

fn pieces(rendered: &Rendered) -> Vec<Piece> {
    rendered.text().pieces().to_vec()
}

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

fn named(name: &str, within: Within) -> Piece {
    Piece::Secret { name: name.to_owned(), within }
}

#[test]
fn secrets_keep_their_name_and_what_they_stand_inside() {
    let render = |template: &str| render_text("main.sql", template, &|_| Ok(None), &secret()).unwrap();
    use Within::{SqlBackticks, SqlDoubleQuotes, SqlString};
    for (template, expected) in [
        ("a {{ password }};", vec![text("a '"), named("DB", SqlString), text("';")]),
        ("a {{ secret('N') }};", vec![text("a '"), named("N", SqlString), text("';")]),
        ("'x={{ secret('N') }}&'", vec![text("'x="), named("N", SqlString), text("&'")]),
        ("`{{ password }}`", vec![text("`"), named("DB", SqlBackticks), text("`")]),
        ("{{ password | ident }}", vec![text("`"), named("DB", SqlBackticks), text("`")]),
        ("\"{{ password }}\"", vec![text("\""), named("DB", SqlDoubleQuotes), text("\"")]),
        ("{{ mixed }}", vec![text("'it''s:"), named("MIXED", SqlString), text("'")]),
        ("{{ map.inner }}", vec![text("'it''s:"), named("MIXED", SqlString), text("'")]),
        ("{{ list }}", vec![text("'a', '"), named("L", SqlString), text("'")]),
        ("{{ 'p' ~ password ~ \"'\" }}", vec![text("'p"), named("DB", SqlString), text("'''")]),
        ("{{ list | join('/') }}", vec![text("'a/"), named("L", SqlString), text("'")]),
        (
            "{% macro m(x) %}f({{ x }}){% endmacro %}{{ m(password) }}",
            vec![text("f('"), named("DB", SqlString), text("')")],
        ),
        ("-- {{ password }}\n/* {{ mixed }} */", vec![text("-- ***\n/* it's:* * *  */")]),
    ] {
        assert_eq!(pieces(&render(template)), expected, "{template}");
    }
    assert!(!render("{{ password }} {{ secret('N') }}").text().to_string().contains("DB"));
}

#[test]
fn what_cannot_be_done_with_a_secret_is_refused() {
    for template in [
        "{{ password | raw }}",
        "{{ ('x' ~ password) | raw }}",
        "{{ password | upper }}",
        "{{ ('x' ~ password) | upper }}",
        "{{ password | length }}",
        "{{ list | tojson }}",
        "{{ map | tojson }}",
        "{{ secret('') }}",
        "'{{ password | literal }}'",
        "{{ 'x' if password is eq('x') }}",
    ] {
        let error = render_text("main.sql", template, &|_| Ok(None), &secret()).unwrap_err();
        assert!(error.is(&code::TEMPLATE_INVALID), "{template}: {error}");
        assert_eq!(error.places().len(), 1, "{template}");
    }
}

#[test]
fn a_revealed_secret_cannot_leave_its_quotes() {
    use crate::base::secret::{Secrets, Source};
    let secrets = Secrets::new(
        [("DB".to_owned(), Source::Command(vec!["printf".into(), "%s".into(), "a'; DROP`\"".into()]))].into(),
    );
    let render = |template: &str| render_text("main.sql", template, &|_| Ok(None), &secret()).unwrap().text();
    let reveal = |text: &SecretText| secrets.reveal(text).unwrap();
    assert_eq!(reveal(&render("x = {{ password }}")), "x = 'a''; DROP`\"'");
    assert_eq!(reveal(&render("'a{{ password }}'")), "'aa''; DROP`\"'");
    assert_eq!(reveal(&render("{{ password | ident }}")), "`a'; DROP``\"`");
}

#[test]
fn an_undefined_variable_names_its_place_and_a_near_name() {
    let error = error("SELECT 1;\n  SELECT {{ tpic }}", json!({ "topic": 1, "other": 2 }));
    assert!(error.is(&code::TEMPLATE_INVALID));
    assert_eq!(error.message(), "`tpic` is undefined");
    assert_eq!(error.hint_text(), Some("did you mean `topic`?"));
    let place = &error.places()[0];
    assert_eq!((place.file.as_str(), place.line, place.column), ("main.sql", 2, 13));
    assert_eq!(place.excerpt.as_deref(), Some("  SELECT {{ tpic }}"));
}

#[test]
fn every_use_of_an_undefined_value_is_an_error() {
    for template in [
        "{{ nope }}",
        "'{{ nope }}'",
        "{% if nope %}{% endif %}",
        "{% for x in nope %}{% endfor %}",
        "{{ nope ~ 'x' }}",
        "{{ m.nope }}",
        "{{ m.nope.deep }}",
        "{{ [nope] | join(',') }}",
        "{{ [nope] }}",
        "{{ nope | ident }}",
        "{{ nope | raw }}",
        "{{ nope | literal }}",
        "{{ nope | upper }}",
        "{{ nope | trim }}",
    ] {
        let error = error(template, json!({ "m": { "none": 1 } }));
        assert!(error.is(&code::TEMPLATE_INVALID), "{template}: {error}");
        assert_eq!(error.places()[0].line, 1, "{template}");
    }
    assert_eq!(rendered("{{ nope | default('x') }}{% if nope is defined %}y{% endif %}", json!({})), "'x'");
    let error = error("{{ m.nope }}", json!({ "m": { "none": 1 } }));
    assert_eq!((error.message(), error.hint_text()), ("`m.nope` is undefined", Some("did you mean `none`?")));
}

#[test]
fn a_syntax_error_names_its_place() {
    for (template, line, column) in [
        ("a\n{% if x %}", 2, 0),
        ("a\n{% endif %}", 2, 4),
        ("a\n  {{ x y }}", 2, 8),
        ("a {{ b }}\n'{{ b + }}'", 2, 9),
        ("{# open", 1, 0),
        ("a\n{{ b | nope }}", 2, 0),
    ] {
        let error = error(template, json!({ "b": 1 }));
        assert!(error.is(&code::TEMPLATE_INVALID), "{template}: {error}");
        let place = &error.places()[0];
        assert_eq!(place.line, line, "{template}: {error}");
        if column > 0 {
            assert_eq!(place.column, column, "{template}: {error}");
        }
        assert_eq!(place.excerpt.as_deref(), template.split('\n').nth(line - 1), "{template}");
    }
}

fn failing(files: &[(&str, &str)]) -> (Error, Vec<(String, usize)>) {
    let error = render_files(files, &variables(json!({ "v": 1 }))).unwrap_err();
    let places = error.places().iter().map(|place| (place.file.clone(), place.line)).collect();
    (error, places)
}

fn at(file: &str, line: usize) -> (String, usize) {
    (file.to_owned(), line)
}

#[test]
fn an_error_in_an_include_names_the_includes_that_led_there() {
    let (error, places) = failing(&[
        ("main.sql", "a\n{% include 'b.sql' %}"),
        ("b.sql", "\n\n{% include 'c.sql' %}"),
        ("c.sql", "\nx {{ vv }}"),
    ]);
    assert_eq!(error.message(), "`vv` is undefined");
    assert_eq!(places, [at("c.sql", 2), at("b.sql", 3), at("main.sql", 2)]);
    assert_eq!(error.places()[1].label, "`c.sql` is included here");
    assert_eq!(error.places()[0].label, "");

    let (error, places) = failing(&[("main.sql", "\n{% include 'b.sql' %}"), ("b.sql", "x\n{{ 1 + }}")]);
    assert!(error.is(&code::TEMPLATE_INVALID), "{error}");
    assert_eq!(places, [at("b.sql", 2), at("main.sql", 2)]);

    let (error, places) = failing(&[
        ("main.sql", "{% import 'b.sql' as b %}\n{{ b.m(v) }}"),
        ("b.sql", "{% macro m(x) %}\n{{ y }}\n{% endmacro %}"),
    ]);
    assert_eq!(error.message(), "`y` is undefined");
    assert_eq!(places[0], at("b.sql", 2));
}

#[test]
fn a_template_that_is_not_there_is_named() {
    let missing: Result<Rendered> = render_files(&[], &variables(json!({})));
    let error = missing.unwrap_err();
    assert!(error.is(&code::TEMPLATE_NOT_FOUND));
    assert_eq!(error.message(), "template `main.sql` not found");
    let (error, places) = failing(&[("main.sql", "a\n{% include 'gone.sql' %}")]);
    assert!(error.is(&code::TEMPLATE_NOT_FOUND));
    assert_eq!(error.message(), "template `gone.sql` not found");
    assert_eq!(places, [at("main.sql", 2)]);
}

#[test]
fn what_the_loader_says_is_passed_on() {
    let load = |_: &str| Err(Error::new(&code::FILE_OUTSIDE, "out"));
    let error = render_text("main.sql", "{% include '../x' %}", &load, &variables(json!({}))).unwrap_err();
    assert!(error.is(&code::FILE_OUTSIDE));
}
