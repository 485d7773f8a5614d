//! `files::`: files of the workspace, and results of local jobs.

use serde_json::{Map, Value};

use rhai::Dynamic;

use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::ops::effect::Acting;

/// The longest file that a script reads, in bytes.
const LONGEST: u64 = 16 << 20;

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "files",
    summary: "Files of the workspace, and results of local jobs. Beside them, only folders that `allow: files:` grants can be reached.",
    functions: &[
        Function::new("path", Class::Pure, &[required("path", Type::String)], Type::String, Body::Pure(path))
            .docs(
                "The absolute path of a workspace path, for a local cluster to read or write.",
                "assert::that(files::path(\"data\").starts_with(\"/\"));",
            )
            .errors(&[&code::FILE_OUTSIDE]),
        Function::new("read", Class::Read, &[required("path", Type::String)], Type::String, Body::Journaled(read))
            .docs(
                "The text of a file.",
                "let text = files::read(\"tidegate.yaml\");\nassert::that(text.contains(\"clusters\"));",
            )
            .errors(&[&code::FILE_NOT_FOUND, &code::FILE_OUTSIDE, &code::FILE_INVALID]),
        Function::new("list", Class::Read, &[required("pattern", Type::String)], Type::Array, Body::Journaled(list))
            .docs(
                "The files that match a pattern, sorted: `*` inside a name, `**` for folders.",
                "assert::that(files::list(\"scripts/*.rhai\").len() > 0);",
            )
            .errors(&[&code::FILE_OUTSIDE]),
        Function::new(
            "csv",
            Class::Read,
            &[required("pattern", Type::String), optional("header", Type::Array)],
            Type::Array,
            Body::Journaled(csv),
        )
        .docs(
            "The rows of all CSV files that match a pattern, as maps. The first line of each file names the columns, \
                 or `header` does, as for the part files that Flink writes. Numbers become numbers.",
            "let rows = files::csv(\"data/*.csv\");\nassert::that(rows.len() > 0);",
        )
        .errors(&[&code::FILE_NOT_FOUND, &code::FILE_INVALID]),
        Function::new("exists", Class::Read, &[required("path", Type::String)], Type::Bool, Body::Journaled(exists))
            .docs("Whether a file or folder is there.", "assert::that(files::exists(\"tidegate.yaml\"));"),
    ],
};

fn path(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(call.host.services.files.resolve(&call.string(0))?.to_string_lossy().into_owned().into())
}

fn read(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let path = call.string(0);
    let text = call.host.services.files.read_text(&path, LONGEST)?;
    text.map(Value::String).ok_or_else(|| not_found(&path))
}

fn list(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    Ok(call.host.services.files.list(&call.string(0))?.into())
}

fn exists(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    Ok(call.host.services.files.resolve(&call.string(0))?.exists().into())
}

fn csv(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let pattern = call.string(0);
    let header: Option<Vec<String>> = call.get(1).filter(|value| value.is_array()).map(|value| {
        value.as_array_ref().map(|names| names.iter().map(ToString::to_string).collect()).unwrap_or_default()
    });
    let folder = &call.host.services.files;
    let files = folder.list(&pattern)?;
    if files.is_empty() {
        return Err(not_found(&pattern));
    }
    let mut rows = Vec::new();
    for file in files {
        let text = folder.read_text(&file, LONGEST)?.ok_or_else(|| not_found(&file))?;
        let mut records = records(&text).into_iter().enumerate();
        let names = match &header {
            Some(names) => names.clone(),
            None => records.next().map(|(_, record)| record).unwrap_or_default(),
        };
        for (index, record) in records {
            if record.len() != names.len() {
                return Err(Error::new(
                    &code::FILE_INVALID,
                    format!(
                        "`{file}`, record {}: {} fields, and there are {} columns",
                        index + 1,
                        record.len(),
                        names.len()
                    ),
                ));
            }
            let row: Map<String, Value> = names.iter().cloned().zip(record.into_iter().map(value)).collect();
            rows.push(Value::Object(row));
        }
    }
    Ok(Value::Array(rows))
}

fn not_found(path: &str) -> Error {
    Error::new(&code::FILE_NOT_FOUND, format!("there is no file `{path}` in the workspace"))
}

fn value(field: String) -> Value {
    // `007` and `1e5` are names more often than numbers.
    let digits = field.strip_prefix('-').unwrap_or(&field);
    let is_plain = !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && (digits == "0" || !digits.starts_with('0') || digits.starts_with("0."));
    if is_plain {
        if let Ok(integer) = field.parse::<i64>() {
            return integer.into();
        }
        if let Ok(float) = field.parse::<f64>() {
            return float.into();
        }
    }
    Value::String(field)
}

/// The records of a CSV text (RFC 4180): quoted fields may hold commas, quotes and line ends. Empty lines are left out.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                if !(record.is_empty() && field.is_empty()) {
                    record.push(std::mem::take(&mut field));
                    records.push(std::mem::take(&mut record));
                }
            }
            character => field.push(character),
        }
    }
    if !(record.is_empty() && field.is_empty()) {
        record.push(field);
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_read() {
        assert_eq!(
            records("a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n,2"),
            [vec!["a", "b"], vec!["1", "x, \"y\"\nz"], vec!["", "2"]]
        );
    }

    #[test]
    fn numbers_become_numbers() {
        assert_eq!(value("12".into()), 12);
        assert_eq!(value("-0.5".into()), -0.5);
        assert_eq!(value("007".into()), "007");
        assert_eq!(value("1.2.3".into()), "1.2.3");
        assert_eq!(value(String::new()), "");
    }
}
