//! The tests of the layer as a whole: templates in, statements out.

mod filters;
mod places;
mod properties;
mod speed;
mod statements;
mod templates;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Rendered, Variable, render_text};
use crate::base::secret::SecretText;
use crate::base::{Error, Result};

/// Variables from a JSON map.
fn variables(json: Value) -> BTreeMap<String, Variable> {
    let Value::Object(map) = json else { panic!("a map") };
    map.into_iter().map(|(name, value)| (name, Variable::Json(value))).collect()
}

/// Renders `main.sql` of some templates.
fn render_files(files: &[(&str, &str)], variables: &BTreeMap<String, Variable>) -> Result<Rendered> {
    let load = |name: &str| Ok(files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned()));
    super::render(&super::Request { name: "main.sql", load: &load, variables })
}

fn try_render(template: &str, json: Value) -> Result<Rendered> {
    render_text("main.sql", template, &|_| Ok(None), &variables(json))
}

fn rendered(template: &str, json: Value) -> String {
    try_render(template, json).unwrap_or_else(|error| panic!("{template}: {error}")).text().to_string()
}

fn error(template: &str, json: Value) -> Error {
    match try_render(template, json) {
        Ok(rendered) => panic!("{template} gave {}", rendered.text()),
        Err(error) => error,
    }
}

fn secret() -> BTreeMap<String, Variable> {
    let mixed = SecretText::plain("it's:").concat(SecretText::secret("MIXED"));
    BTreeMap::from([
        ("password".to_owned(), Variable::Secret(SecretText::secret("DB"))),
        ("mixed".to_owned(), Variable::Secret(mixed.clone())),
        ("map".to_owned(), Variable::Map(BTreeMap::from([("inner".to_owned(), Variable::Secret(mixed))]))),
        ("list".to_owned(), Variable::List(vec![json!("a").into(), Variable::Secret(SecretText::secret("L"))])),
    ])
}
