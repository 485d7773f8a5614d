//! `table::`: rows as a table for people.

use rhai::Dynamic;
use serde_json::Value;

use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use crate::base::{Error, Result, code};
use crate::model::class::Class;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "table",
    summary: "Rows as a table for people.",
    functions: &[
        Function::new(
            "show",
            Class::Pure,
            &[required("rows", Type::Array), optional("columns", Type::Array)],
            Type::Unit,
            Body::Pure(show),
        )
        .docs(
            "Prints rows, which are maps, as a table: the columns named, or all of them.",
            "table::show([#{ city: \"Seattle\", days: 1461 }], [\"city\", \"days\"]);",
        ),
        Function::new(
            "render",
            Class::Pure,
            &[required("rows", Type::Array), optional("columns", Type::Array)],
            Type::String,
            Body::Pure(render),
        )
        .docs("The table as a text.", "let text = table::render([#{ a: 1 }]);\nassert::equal(text, \"a\\n-\\n1\\n\");"),
    ],
};

fn show(call: &mut Call<'_>) -> Result<Dynamic> {
    let text = text(call)?;
    if !call.scope.is_replaying() {
        let text = call.host.services.secrets.mask(&text);
        text.lines().for_each(|line| call.host.output.print(line));
    }
    Ok(Dynamic::UNIT)
}

fn render(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(text(call)?.into())
}

fn text(call: &Call<'_>) -> Result<String> {
    let Value::Array(rows) = call.json(0)? else { return Ok(String::new()) };
    let mut columns: Vec<String> = match call.json(1)? {
        Value::Array(names) => names.iter().map(text_of).collect(),
        _ => Vec::new(),
    };
    let given = !columns.is_empty();
    for (index, row) in rows.iter().enumerate() {
        let Value::Object(row) = row else {
            return Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: row {} is not a map", call.name, index + 1)));
        };
        for name in row.keys().filter(|_| !given) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
    }
    let cells: Vec<Vec<&Value>> =
        rows.iter().map(|row| columns.iter().map(|name| row.get(name).unwrap_or(&Value::Null)).collect()).collect();
    Ok(layout(&columns, &cells))
}

/// Lays out cells under headings: numbers to the right, all else to the left.
pub fn layout(columns: &[String], rows: &[Vec<&Value>]) -> String {
    let texts: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|value| text_of(value)).collect()).collect();
    let width = |column: usize| {
        texts.iter().map(|row| row[column].chars().count()).chain([columns[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let numeric: Vec<bool> = (0..columns.len())
        .map(|column| !rows.is_empty() && rows.iter().all(|row| row[column].is_number() || row[column].is_null()))
        .collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let gap = " ".repeat(widths[column] - cell.chars().count());
                if numeric[column] { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
            })
            .collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut text = format!("{}{}", line(columns), line(&rule));
    texts.iter().for_each(|row| text += &line(row));
    text
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace(['\n', '\r', '\t'], " "),
        Value::Null => String::new(),
        value => value.to_string(),
    }
}
