//! What a woken engineer wants to read of a Flink failure: one line that says why, where, and what to do.
//!
//! Made from the texts that Flink 1.13 to 2.3 answered to real mistakes; `tests/data/flink-answers` holds them.

use crate::base::wording::cut;
use serde::{Deserialize, Serialize};

use super::trace::{self, Cause};

mod fold;
mod hint;

/// The longest line that is shown, in characters.
const LONGEST: usize = 300;

/// A failure understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Why, in one line without a full stop.
    pub root_cause: String,
    /// The whole class name of the exception that says so; empty where Flink named none.
    pub exception: String,
    /// The causes, outermost first, one line each, without wrappers and repetitions.
    pub chain: Vec<String>,
    /// The statement of the script that failed, as our runner counted it.
    pub statement: Option<usize>,
    /// The table, as Flink names it: `catalog.database.table`.
    pub table: Option<String>,
    /// Line and column inside the statement, both from 1.
    pub position: Option<(usize, usize)>,
    /// What sort of failure it is.
    pub kind: Kind,
    /// What to do about it, in one line.
    pub hint: Option<String>,
}

/// The sorts of failures that tidegate can say something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Kind {
    /// A statement does not parse.
    SqlParse,
    /// A statement parses, but names what is not there or does not fit.
    SqlValidation,
    /// No factory on the classpath has this identifier.
    MissingConnector {
        /// What was asked for.
        identifier: String,
        /// What there is.
        available: Vec<String>,
    },
    /// A table lacks options that its connector requires.
    MissingOptions {
        /// Their names.
        missing: Vec<String>,
    },
    /// A table has options that its connector does not know.
    UnsupportedOptions {
        /// Their names.
        unsupported: Vec<String>,
        /// The names that the connector knows.
        supported: Vec<String>,
    },
    /// The job id was used before on this JobManager.
    Duplicate,
    /// The main class is not in the jar, or has no `main`.
    EntryClass,
    /// A class was built for a newer Java than the cluster's.
    JavaTooOld {
        /// The Java that the class was built for.
        needs: u16,
        /// The Java that loads classes at most.
        has: u16,
    },
    /// Too few task slots.
    NoSlots,
    /// The checkpoint directory cannot be used.
    CheckpointStorage,
    /// The savepoint or checkpoint to restore from is not there.
    SavepointMissing,
    /// The savepoint or checkpoint does not fit the job.
    StateIncompatible,
    /// Code of the job, or the data that it met, raised an error.
    UserCode,
    /// A class is missing.
    ClassNotFound,
    /// A class is there in a version that does not fit: it was built against another Flink.
    ClassVersion,
    /// Something else.
    Other,
}

/// One cause, made readable.
struct Link {
    class: String,
    /// The message on one line, without the prefixes that wrappers put before it.
    line: String,
}

impl Diagnosis {
    /// The class that is not there, where that is the failure.
    pub fn missing_class(&self) -> Option<&str> {
        let mut lines = std::iter::once(&self.root_cause).chain(self.chain.iter().rev());
        lines.find_map(|line| between(line, "class `", "` was not found"))
    }
}

/// Understands a Flink error body, an answer of `/jobs/:id/exceptions`, or a stack trace.
pub fn diagnose(text: &str) -> Diagnosis {
    let causes = trace::causes(text);
    let kind = kind(&causes);
    let links = links(&causes);
    let root = root(&links);
    let table = causes.iter().find_map(|cause| table(&cause.message));
    let root_cause = match root {
        None => "no cause was given".to_owned(),
        Some(link) => shown(link),
    };
    Diagnosis {
        root_cause,
        exception: root.map(|link| link.class.clone()).unwrap_or_default(),
        chain: links.iter().map(shown).collect(),
        statement: causes.iter().find_map(|cause| statement(&cause.message)),
        position: causes.iter().rev().find_map(|cause| position(&cause.message)),
        hint: hint::of(&kind, table.as_deref()),
        table,
        kind,
    }
}

/// The causes that say something, each once.
fn links(causes: &[Cause]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for cause in causes {
        let line = fold::plain(&fold::one_line(&cause.message));
        let mut class = cause.class.clone();
        // A wrapper made from nothing but its cause repeats it as `class: message`.
        // The message of one that says which class is missing is that class.
        if !is_missing_class(&class)
            && let Some((inner, _)) = trace::class_prefix(&fold::one_line(&cause.message))
        {
            class = inner.to_owned();
        }
        if statement(&cause.message).is_some() || is_noise(&class, &line) {
            continue;
        }
        let link = Link { class, line };
        match links.last_mut() {
            Some(last) if last.line == link.line && !link.line.is_empty() => *last = link,
            // The outer message ends with the inner one and says more: a path, a name.
            Some(last) if !link.line.is_empty() && last.line.ends_with(&link.line) => {}
            _ => links.push(link),
        }
    }
    let lines: Vec<String> = links.iter().map(|link| link.line.clone()).collect();
    let mut index = 0;
    links.retain(|link| {
        index += 1;
        link.line.is_empty() || !lines[index..].contains(&link.line)
    });
    if links.is_empty()
        && let Some(last) = causes.last()
    {
        links.push(Link { class: last.class.clone(), line: fold::plain(&fold::one_line(&last.message)) });
    }
    links
}

/// Whether an exception says that a class is not there.
fn is_missing_class(class: &str) -> bool {
    class.ends_with("ClassNotFoundException") || class.ends_with("NoClassDefFoundError")
}

/// What says only that something else failed.
fn is_noise(class: &str, line: &str) -> bool {
    const WRAPPERS: [&str; 6] = [
        "CompletionException",
        "ExecutionException",
        "RestHandlerException",
        "ProgramInvocationException",
        "InvocationTargetException",
        "RuntimeException",
    ];
    const LINES: [&str; 6] = [
        "Could not execute application",
        "Failed to execute sql",
        "Job execution failed",
        "Internal server error",
        "SQL validation failed",
        "SQL parse failed",
    ];
    LINES.contains(&line)
        || line.ends_with("TIDEGATE_EXECUTE")
        || line.starts_with("Recovery is suppressed by ")
        || line.starts_with("Failed to execute job '")
        || line.is_empty() && WRAPPERS.iter().any(|wrapper| class.ends_with(wrapper))
}

/// The link that says why: the innermost one, unless that only repeats a detail of what an outer one explains.
fn root(links: &[Link]) -> Option<&Link> {
    const TELLING: [&str; 6] = [
        "could not find any factory for identifier ",
        "could not find any factories",
        "Could not find a file system implementation for scheme ",
        "The program's entry point class ",
        "Could not parse value ",
        "Cannot parse ",
    ];
    let telling = links.iter().rev().find(|link| TELLING.iter().any(|start| link.line.starts_with(start)));
    telling.or(links.last())
}

/// A link as it is shown. Flink's and Calcite's messages speak for themselves; others need their class.
fn shown(link: &Link) -> String {
    let class = link.class.rsplit(['.', '$']).next().unwrap_or_default();
    let line = match class {
        "ClassNotFoundException" | "NoClassDefFoundError" if !link.line.contains(' ') => {
            format!("class `{}` was not found", link.line.replace('/', "."))
        }
        _ if link.line.is_empty() => class.to_owned(),
        _ if class.is_empty() || speaks_for_itself(&link.class, &link.line) => link.line.clone(),
        _ => format!("{class}: {}", link.line),
    };
    cut(&line, LONGEST)
}

fn speaks_for_itself(class: &str, line: &str) -> bool {
    class.starts_with("org.apache.flink.")
        || class.starts_with("org.apache.calcite.")
        || line.starts_with("Cannot find checkpoint or savepoint")
        || line.starts_with("Failed to ")
        || line.starts_with("Could not parse value ")
        || line.starts_with("Cannot parse ")
}

fn kind(causes: &[Cause]) -> Kind {
    let class = |end: &str| causes.iter().any(|cause| cause.class.ends_with(end));
    let says = |text: &str| causes.iter().any(|cause| cause.message.contains(text));
    let Some(last) = causes.last() else { return Kind::Other };
    if is_duplicate(last) {
        return Kind::Duplicate;
    }
    if let Some(kind) = causes.iter().rev().find_map(java_kind) {
        return kind;
    }
    if says("The program's entry point class '")
        || says("does not have a main(String[]) method")
        || says("Neither a 'Main-Class', nor a 'program-class' entry was found")
    {
        return Kind::EntryClass;
    }
    if let Some(kind) = causes.iter().rev().find_map(|cause| connector_kind(&cause.message)) {
        return kind;
    }
    if says("Cannot find checkpoint or savepoint") || says("Cannot find meta data file") {
        return Kind::SavepointMissing;
    }
    if says("Failed to rollback to checkpoint/savepoint") || class("StateMigrationException") {
        return Kind::StateIncompatible;
    }
    if says("Failed to create checkpoint storage") {
        return Kind::CheckpointStorage;
    }
    if class("NoResourceAvailableException") {
        return Kind::NoSlots;
    }
    if causes.iter().any(|cause| is_missing_class(&cause.class)) {
        return Kind::ClassNotFound;
    }
    if ["AbstractMethodError", "NoSuchMethodError", "NoSuchFieldError", "IncompatibleClassChangeError"]
        .iter()
        .any(|end| class(end))
    {
        return Kind::ClassVersion;
    }
    sql_or_user_code(causes)
}

/// "X has been compiled by a more recent version of the Java Runtime (class file version 65.0), this version of the Java Runtime only
/// recognizes class file versions up to 61.0". 52 is Java 8.
fn java_kind(cause: &Cause) -> Option<Kind> {
    cause.class.ends_with("UnsupportedClassVersionError").then_some(())?;
    let java = |after: &str| number(cause.message.split_once(after)?.1)?.checked_sub(44)?.try_into().ok();
    Some(Kind::JavaTooOld { needs: java("(class file version ")?, has: java("class file versions up to ")? })
}

fn sql_or_user_code(causes: &[Cause]) -> Kind {
    let class = |end: &str| causes.iter().any(|cause| cause.class.ends_with(end));
    if class("SqlParserException") || class("SqlParseException") || class("sql.parser.impl.ParseException") {
        return Kind::SqlParse;
    }
    if class("CalciteContextException") || class("table.api.ValidationException") {
        return Kind::SqlValidation;
    }
    let submitted = class("ProgramInvocationException");
    let planned = |cause: &Cause| cause.class.ends_with("TableException") && cause.message != "Failed to execute sql";
    if submitted && causes.iter().any(planned) {
        return Kind::SqlValidation;
    }
    let Some(last) = causes.last() else { return Kind::Other };
    let foreign = !last.class.is_empty() && !last.class.starts_with("org.apache.flink.");
    if foreign && !causes.iter().any(|cause| cause.message.starts_with("Request did not match expected format")) {
        return Kind::UserCode;
    }
    Kind::Other
}

/// Whether this exception says that the job id was used before. It counts only as the last cause: a main method can
/// meet others.
fn is_duplicate(last: &Cause) -> bool {
    let class = last.class.as_str();
    class.starts_with("org.apache.flink.")
        && (class.ends_with(".DuplicateJobSubmissionException")
            || class.ends_with(".DuplicateApplicationSubmissionException"))
}

fn connector_kind(message: &str) -> Option<Kind> {
    if let Some(identifier) = between(message, "Could not find any factory for identifier '", "'") {
        let available = fold::list_after(message, "Available factory identifiers are:");
        return Some(Kind::MissingConnector { identifier: identifier.to_owned(), available });
    }
    if message.contains("One or more required options are missing.") {
        return Some(Kind::MissingOptions { missing: fold::list_after(message, "Missing required options are:") });
    }
    message.contains("Unsupported options found for").then(|| Kind::UnsupportedOptions {
        unsupported: fold::list_after(message, "Unsupported options:"),
        supported: fold::list_after(message, "Supported options:"),
    })
}

/// `TIDEGATE_STATEMENT 3`, which our runner puts round an error of the third statement.
fn statement(message: &str) -> Option<usize> {
    let message = message.strip_prefix("The main method caused an error: ").unwrap_or(message);
    number(message.strip_prefix("TIDEGATE_STATEMENT ")?)
}

fn table(message: &str) -> Option<String> {
    ["Unable to create a sink for writing table '", "Unable to create a source for reading table '"]
        .iter()
        .find_map(|start| between(message, start, "'"))
        .or_else(|| between(message, "Column types of query result and sink for '", "' do not match"))
        .map(str::to_owned)
}

/// `From line 1, column 23 to line 1, column 25`, `at line 1, column 8`.
fn position(message: &str) -> Option<(usize, usize)> {
    let message = message.lines().next()?;
    let mut rest = message;
    while let Some(found) = rest.find("line ") {
        rest = &rest[found + "line ".len()..];
        if let Some((_, column)) = rest.split_once(", column ")
            && let (Some(line), Some(column)) = (number(rest), number(column))
        {
            return Some((line, column));
        }
    }
    None
}

fn number(text: &str) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

#[cfg(test)]
mod tests;
