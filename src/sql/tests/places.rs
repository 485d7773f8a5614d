//! Every rendered line, and every statement's, back to its template line.

use serde_json::json;

use super::{render_files, variables};
use crate::base::secret::SecretText;
use crate::sql::{Rendered, split};

fn lines(files: &[(&str, &str)]) -> Vec<(String, String, usize)> {
    let rendered = render_files(files, &variables(json!({ "v": "a\nb", "n": 1, "list": [1, 2], "on": true }))).unwrap();
    let text = rendered.text().to_string();
    let origins = rendered.lines();
    assert_eq!(text.split('\n').count(), origins.len());
    text.split('\n').zip(origins).map(|(text, origin)| (text.to_owned(), origin.file, origin.line)).collect()
}

fn main_lines(template: &str) -> Vec<(String, usize)> {
    lines(&[("main.sql", template)]).into_iter().map(|(text, _, line)| (text, line)).collect()
}

fn expect(template: &str, expected: &[(&str, usize)]) {
    let expected: Vec<_> = expected.iter().map(|(text, line)| ((*text).to_owned(), *line)).collect();
    assert_eq!(main_lines(template), expected, "{template}");
}

#[test]
fn plain_lines_values_and_strings_over_lines() {
    expect("a\nb {{ n }}\n\nc 'd\ne'\n-- f\n", &[("a", 1), ("b 1", 2), ("", 3), ("c 'd", 4), ("e'", 5), ("-- f", 6)]);
    expect("x\n{{ v }} y\nz", &[("x", 1), ("'a", 2), ("b' y", 2), ("z", 3)]);
}

#[test]
fn loops_conditions_and_white_space_control() {
    expect("{% for i in list %}\n{{ i }}\n{% endfor %}\nx", &[("", 1), ("1", 2), ("", 1), ("2", 2), ("", 3), ("x", 4)]);
    expect("{% for i in list -%}\n  {{ i }},\n{% endfor -%}\nx", &[("1,", 2), ("2,", 2), ("x", 4)]);
    expect("a\n\n  {{- n }}\nb", &[("a1", 1), ("b", 4)]);
    expect("{%- if on -%}\n\n {{ n }} c\n{%- else %}d\n{% endif %}\ne", &[("1 c", 3), ("e", 6)]);
    expect("{{ n }}\n{{ n }}", &[("1", 1), ("1", 2)]);
}

#[test]
fn multi_line_tags_comments_and_raw_blocks() {
    expect("a {{\n n\n}} b\nc {# x\ny #} d\ne", &[("a 1 b", 1), ("c  d", 4), ("e", 6)]);
    expect("{% set x = [\n1,\n2] %}{{ x }}\nb", &[("1, 2", 3), ("b", 4)]);
    expect("{% raw %}a\n{{ b }}\n{% endraw %}c\nd", &[("a", 1), ("{{ b }}", 2), ("c", 3), ("d", 4)]);
    expect("{% raw -%}\n a\n b {%- endraw %}\nd", &[("a", 2), (" b", 3), ("d", 4)]);
    expect("a\r\nb\r\n{{ n }}\r\n", &[("a\r", 1), ("b\r", 2), ("1", 3)]);
}

#[test]
fn macros_includes_and_blocks() {
    let files = [
        (
            "main.sql",
            "{% from 'm.sql' import m, s %}\nx\n{{ m(n) }}\n{% include 'i.sql' %}\ny {{ s(n) }}\n{% set t %}p\n{{ n }}{% endset %}{{ t }}",
        ),
        ("m.sql", "\n{% macro m(a) -%}\nf(\n  {{ a }})\n{%- endmacro %}\n{% macro s(a) %}s{{ a }}{% endmacro %}"),
        ("i.sql", "i1\n{{ n }}\n"),
    ];
    let expected = [
        ("", "main.sql", 1),
        ("x", "main.sql", 2),
        ("f(", "m.sql", 3),
        ("  1)", "m.sql", 4),
        ("i1", "i.sql", 1),
        ("1", "i.sql", 2),
        ("y s1", "main.sql", 5),
        ("p", "main.sql", 6),
        ("1", "main.sql", 7),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(text, file, line)| ((*text).to_owned(), (*file).to_owned(), *line)).collect();
    assert_eq!(lines(&files), expected);
}

#[test]
fn columns_are_those_of_the_template() {
    let template = "-- head\nSET 'a' = 'b'; INSERT INTO t\n  SELECT {{ v }}, x FROM y";
    let rendered = render_files(&[("main.sql", template)], &variables(json!({ "v": "long text" }))).unwrap();
    let statements = split(&rendered).unwrap();
    let insert = &statements[1];
    assert_eq!(insert.text.to_string(), "INSERT INTO t\n  SELECT 'long text', x FROM y");
    for (line, column, place) in [
        (1, 1, (2, 16)),
        (1, 13, (2, 28)),
        (2, 3, (3, 3)),
        (2, 10, (3, 10)),
        (2, 15, (3, 10)),
        (2, 21, (3, 17)),
        (2, 23, (3, 19)),
        (2, 0, (3, 0)),
        (9, 4, (3, 0)),
    ] {
        let found = insert.place(line, column);
        assert_eq!((found.line, found.column), place, "{line}:{column}");
        assert_eq!(found.file, "main.sql");
    }
    assert_eq!(insert.place(2, 1).excerpt.as_deref(), Some("  SELECT {{ v }}, x FROM y"));
}

#[test]
fn an_include_in_the_middle_of_a_line_has_its_own_places() {
    let files = [("main.sql", "INSERT INTO t SELECT {% include 'c.sql' %} FROM y"), ("c.sql", "a, b,\nc")];
    let rendered = render_files(&files, &variables(json!({}))).unwrap();
    let statement = &split(&rendered).unwrap()[0];
    assert_eq!(statement.text.to_string(), "INSERT INTO t SELECT a, b,\nc FROM y");
    let place = |line, column| {
        let place = statement.place(line, column);
        (place.file, place.line, place.column, place.excerpt.unwrap())
    };
    assert_eq!(place(1, 1), ("main.sql".to_owned(), 1, 1, files[0].1.to_owned()));
    assert_eq!(place(1, 25), ("c.sql".to_owned(), 1, 4, "a, b,".to_owned()));
    assert_eq!(place(2, 1), ("c.sql".to_owned(), 2, 1, "c".to_owned()));
    assert_eq!(place(2, 3), ("main.sql".to_owned(), 1, 44, files[0].1.to_owned()));
}

#[test]
fn behind_a_secret_only_the_line_is_known() {
    let text = SecretText::plain("INSERT INTO t\nSELECT '")
        .concat(SecretText::secret("S"))
        .concat(SecretText::plain("', x\nFROM y"));
    let statement = &split(&Rendered::verbatim("inline", &text)).unwrap()[0];
    let place = |line, column| {
        let place = statement.place(line, column);
        (place.line, place.column)
    };
    assert_eq!(place(2, 3), (2, 3));
    assert_eq!(place(2, 9), (2, 9));
    assert_eq!(place(2, 20), (2, 0));
    assert_eq!(place(3, 2), (3, 2));
}
