//! What a check found, and what it could not know.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::base::error::Place;
use crate::base::{Error, counted};

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong, in the order of files and lines.
    pub findings: Vec<Error>,
    /// What only a run can tell: places by reason.
    pub not_checked: BTreeMap<String, Vec<Place>>,
    /// How many scripts were looked at.
    pub scripts: usize,
    /// How many templates were looked at.
    pub templates: usize,
}

impl Report {
    /// Adds what is wrong somewhere; what was told of the same place already is left out.
    pub(super) fn find(&mut self, error: Error) {
        let place = |error: &Error| error.places().first().map(|place| (place.file.clone(), place.line, place.column));
        let known = self
            .findings
            .iter()
            .any(|other| other.is(error.code()) && other.message() == error.message() && place(other) == place(&error));
        if !known {
            self.findings.push(error);
        }
    }

    /// Adds what only a run can tell.
    pub(super) fn leave(&mut self, reason: impl Into<String>, place: Place) {
        let places = self.not_checked.entry(reason.into()).or_default();
        if !places.contains(&place) {
            places.push(place);
        }
    }

    /// Brings both lists into the order of files and lines.
    pub(super) fn sort(&mut self) {
        let key = |place: Option<&Place>| place.map(|place| (place.file.clone(), place.line, place.column));
        self.findings.sort_by_key(|error| key(error.places().first()));
        for places in self.not_checked.values_mut() {
            places.sort_by_key(|place| key(Some(place)));
        }
    }

    /// How much was checked and found, in a line.
    pub fn summary(&self) -> String {
        let checked = match (self.scripts, self.templates) {
            (scripts, 0) => counted(scripts, "script"),
            (scripts, templates) => format!("{} and {}", counted(scripts, "script"), counted(templates, "template")),
        };
        match self.findings.len() {
            0 => format!("checked {checked}: nothing wrong"),
            found => format!("checked {checked}: {} wrong", counted(found, "thing")),
        }
    }

    /// The report as `--json` prints it.
    pub fn to_json(&self) -> Value {
        let findings: Vec<Value> = self.findings.iter().map(finding).collect();
        let not_checked: Vec<Value> = self
            .not_checked
            .iter()
            .flat_map(|(reason, places)| places.iter().map(move |place| (reason, place)))
            .map(|(reason, place)| {
                json!({ "reason": reason, "file": place.file, "line": place.line, "column": place.column })
            })
            .collect();
        json!({
            "findings": findings,
            "not_checked": not_checked,
            "scripts": self.scripts,
            "templates": self.templates,
        })
    }
}

fn finding(error: &Error) -> Value {
    let place = error.places().first();
    json!({
        "code": error.code().name,
        "message": error.message(),
        "causes": error.causes(),
        "hint": error.hint_text(),
        "file": place.map(|place| place.file.as_str()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "severity": "error",
    })
}
