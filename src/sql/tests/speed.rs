//! How long a rendering takes: `cargo test --lib sql::tests::speed -- --ignored --nocapture`.

use serde_json::json;

use super::{render_files, variables};
use crate::sql::statements;

#[test]
#[ignore = "prints a time, asserts nothing about it"]
fn a_thousand_renders_of_a_template_of_sixty_lines() {
    let column = "  {{ 'c' | ident }} STRING, -- {{ name }}\n";
    let template = format!(
        "CREATE TABLE {{{{ name | ident }}}} (\n{}) WITH ('topic' = '{{{{ name }}}}', 'password' = {{{{ secret('P') }}}});\n{}INSERT INTO t SELECT {{{{ name }}}};\n",
        column.repeat(50),
        "SET 'a.b' = '{{ name }}';\n".repeat(7),
    );
    let variables = variables(json!({ "name": "orders" }));
    let start = std::time::Instant::now();
    for _ in 0..1000 {
        let rendered = render_files(&[("main.sql", &template)], &variables).unwrap();
        assert_eq!(statements(&rendered).unwrap().len(), 9);
    }
    #[allow(clippy::print_stderr)]
    {
        eprintln!("{} lines, 1000 renders and splits: {:?}", template.lines().count(), start.elapsed());
    }
}

#[test]
#[ignore = "prints a time, asserts nothing about it"]
fn a_template_of_ten_thousand_lines() {
    let template = format!("INSERT INTO t SELECT\n{}0 FROM x;\n", "  {{ name }}, -- a column\n".repeat(10_000));
    let start = std::time::Instant::now();
    let rendered = render_files(&[("main.sql", &template)], &variables(json!({ "name": "orders" }))).unwrap();
    assert_eq!(statements(&rendered).unwrap()[0].place(9_000, 3).line, 9_000);
    #[allow(clippy::print_stderr)]
    {
        eprintln!("10000 lines, one render and split: {:?}", start.elapsed());
    }
}
