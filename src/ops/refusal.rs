//! Flink's refusals and failures in words: the root cause in one line, the statement, its template line.

use super::connection::Connection;
use super::jar;
use super::services::Services;
use crate::base::code::Code;
use crate::base::error::Place;
use crate::base::{Error, code};
use crate::model::diagnosis::{Diagnosis, Kind, diagnose};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::statement::{Kind as StatementKind, Statement, find_by_table};

/// The error for a request to run that Flink refused with this body.
pub fn explain(services: &Services, spec: &JobSpec, status: u16, body: &str, connection: &Connection) -> Error {
    let diagnosis = diagnose(body);
    let name = &spec.identity.job;
    let (code, message) = match (&diagnosis.kind, &spec.program) {
        (Kind::EntryClass, _) => (&code::FLINK_ENTRY_CLASS, format!("`{name}`: {}", diagnosis.root_cause)),
        (Kind::JavaTooOld { .. }, _) => (&code::JAVA_TOO_OLD, format!("`{name}`: {}", diagnosis.root_cause)),
        (Kind::CheckpointStorage | Kind::SavepointMissing | Kind::StateIncompatible, _) => {
            (&code::FLINK_START_FAILED, format!("`{name}` could not be started: {}", diagnosis.root_cause))
        }
        (_, Program::Sql { .. }) => (&code::FLINK_SQL_REFUSED, format!("`{name}`: {}", diagnosis.root_cause)),
        (_, Program::Jar { .. } | Program::Adopted { .. }) => {
            (&code::FLINK_MAIN_FAILED, format!("main() of `{name}` failed: {}", diagnosis.root_cause))
        }
    };
    with_diagnosis(services, Error::new(code, message), spec, &diagnosis)
        .with("status", status)
        .with("cluster", connection.name.clone())
        .detail(body.to_owned())
}

/// The error for a job that ended as FAILED, with Flink's exceptions where it still knows them.
pub fn failed(services: &Services, spec: &JobSpec, attempt: u32, trace: Option<&str>) -> Error {
    let name = &spec.identity.job;
    let Some(trace) = trace else {
        return Error::new(
            &code::FLINK_JOB_FAILED,
            format!("`{name}` (attempt {attempt}) is FAILED, and Flink does not say why"),
        )
        .hint(format!("`tidegate logs {name}` may tell more"));
    };
    let diagnosis = diagnose(trace);
    let code: &'static Code = match diagnosis.kind {
        Kind::NoSlots => &code::FLINK_NO_SLOTS,
        _ => &code::FLINK_JOB_FAILED,
    };
    let message = format!("`{name}` (attempt {attempt}) is FAILED: {}", diagnosis.root_cause);
    with_diagnosis(services, Error::new(code, message), spec, &diagnosis).detail(trace.to_owned())
}

fn with_diagnosis(services: &Services, mut error: Error, spec: &JobSpec, diagnosis: &Diagnosis) -> Error {
    if let Program::Sql { statements, .. } = &spec.program {
        // What a table's connector cannot do stands in its definition, wherever Flink came to need it.
        let defined = diagnosis.table.as_deref().filter(|_| is_of_definition(diagnosis));
        let index = defined
            .and_then(|table| find_by_table(statements, table))
            .or(diagnosis.statement)
            .or_else(|| setting(statements, diagnosis))
            .or_else(|| diagnosis.table.as_deref().and_then(|table| by_table(statements, diagnosis, table)))
            .filter(|index| *index < statements.len());
        if let Some(index) = index {
            let statement = &statements[index];
            error = error.at(place(statement, diagnosis.position)).with("statement", index);
        }
    }
    for cause in diagnosis.chain.iter().filter(|cause| **cause != diagnosis.root_cause) {
        error = error.caused_by(cause);
    }
    let near = diagnosis.missing_class().and_then(|missing| near_class(services, spec, missing));
    match near.as_ref().or(diagnosis.hint.as_ref()) {
        // Who read Flink's answer did not know whose it is.
        Some(hint) => {
            error.hint(hint.replace("`tidegate rollback`", &format!("`tidegate rollback {}`", spec.identity.job)))
        }
        None => error,
    }
}

/// What to say of a class that is missing, where one of the job's jars has one of a near name.
fn near_class(services: &Services, spec: &JobSpec, missing: &str) -> Option<String> {
    spec.class_path().iter().find_map(|artifact| {
        // A jar that cannot be read makes no second error out of the first.
        let classes = jar::classes(services, artifact).ok()?;
        let near = classes.near(missing)?;
        Some(format!(
            "did you mean `{near}`, which is in `{}`? Else add the jar that holds the class: `jars: [...]`",
            artifact.path
        ))
    })
}

/// Whether Flink could not make a table's source or sink from its definition.
fn is_of_definition(diagnosis: &Diagnosis) -> bool {
    let lines = diagnosis.chain.iter().chain([&diagnosis.root_cause]);
    lines
        .into_iter()
        .any(|line| line.starts_with("Unable to create a source") || line.starts_with("Unable to create a sink"))
}

/// The statement about a table. What does not fit into it was inserted; all else is said of its definition.
fn by_table(statements: &[Statement], diagnosis: &Diagnosis, table: &str) -> Option<usize> {
    if diagnosis.chain.iter().any(|line| line.starts_with("Column types of query result and sink for ")) {
        let inserts = statements.iter().enumerate().filter(|(_, statement)| statement.kind == StatementKind::Insert);
        let into: Vec<_> =
            inserts.filter(|(_, statement)| find_by_table(std::slice::from_ref(*statement), table).is_some()).collect();
        // Of several, Flink does not say which.
        if let [(index, _)] = into.as_slice() {
            return Some(*index);
        }
    }
    find_by_table(statements, table)
}

/// The `SET` of the option whose value Flink could not read.
fn setting(statements: &[Statement], diagnosis: &Diagnosis) -> Option<usize> {
    let lines = diagnosis.chain.iter().chain([&diagnosis.root_cause]);
    let key = lines.filter_map(|line| Some(line.split_once("for key '")?.1.split_once('\'')?.0)).next()?;
    statements
        .iter()
        .rposition(|statement| matches!(&statement.kind, StatementKind::Set { key: set, .. } if set == key))
}

/// The template line of a position inside a statement, or else of its first line.
fn place(statement: &Statement, position: Option<(usize, usize)>) -> Place {
    let (line, column) = position.unwrap_or((1, 0));
    statement.place(line, column)
}
