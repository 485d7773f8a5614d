//! Questions of scripts about the state: a read-only connection that sees the documented views and nothing else.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};
use serde_json::{Map, Number, Value};

use super::open::{Store, failed};
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code, process, suggest};

/// The views that are open to everybody; their names and columns stay.
pub const VIEWS: &[&str] = &["runs", "steps", "jobs", "attempts", "events", "savepoints", "revisions", "builds"];

/// How long a question may take.
pub const TIME: Duration = Duration::from_millis(1_500);

/// How many rows it may give.
const ROWS: usize = 100_000;

/// How many bytes of texts and names it may give.
const BYTES: usize = 16 << 20;

/// How much memory it may take beside that.
const MEMORY: u64 = 64 << 20;

/// Every how many instructions of SQLite's machine the limits are looked at. One instruction makes at most one value of
/// 4 MiB, so memory cannot run far ahead.
const LOOK: i32 = 20;

/// SQLite's own limits: what one value, one statement and one expression may be.
const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_LENGTH, 4 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 200),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1000),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Functions that compute; all others are refused, `load_extension`, `randomblob` and `zeroblob` among them.
const FUNCTIONS: &[&str] = &[
    "->",
    "->>",
    "abs",
    "avg",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "count",
    "cume_dist",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "format",
    "glob",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "json",
    "json_array",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_insert",
    "json_object",
    "json_patch",
    "json_pretty",
    "json_quote",
    "json_remove",
    "json_replace",
    "json_set",
    "json_type",
    "json_valid",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nth_value",
    "ntile",
    "nullif",
    "octet_length",
    "percent_rank",
    "printf",
    "quote",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "sign",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "timediff",
    "total",
    "trim",
    "typeof",
    "unicode",
    "unixepoch",
    "unlikely",
    "upper",
];

/// Tables that SQLite makes of a JSON text.
const TABLE_FUNCTIONS: &[&str] = &["json_each", "json_tree"];

/// What stands for the placeholders of a question.
#[derive(Debug, Clone)]
pub enum Arguments {
    /// `?`, `?1`: by position.
    Positional(Vec<Value>),
    /// `:name`, `@name`, `$name`: by name.
    Named(Map<String, Value>),
}

impl Store {
    /// Asks the views.
    ///
    /// # Errors
    /// `state.query_invalid`, `state.query_refused`, `state.query_limit`, `cancelled`, `state.*`.
    pub fn query(&self, text: &str, arguments: &Arguments, cancel: &Cancel) -> Result<Vec<Value>> {
        let path = self.directory().join("state.db");
        let sql = |error: rusqlite::Error| failed(&path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&path, flags).map_err(sql)?;
        connection.busy_timeout(TIME).map_err(sql)?;
        for (limit, most) in LIMITS {
            connection.set_limit(*limit, *most).map_err(sql)?;
        }
        let closed = names(&connection).map_err(sql)?;
        let admitted = admitted(&mut connection).map_err(sql)?;
        connection
            .authorizer(Some(move |context: AuthContext<'_>| authorize(&admitted, &closed, &context)))
            .map_err(sql)?;
        let stopped = Arc::new(AtomicU8::new(0));
        let guard = guard(stopped.clone(), cancel.clone());
        connection.progress_handler(LOOK, Some(guard)).map_err(sql)?;
        let explain = |error: rusqlite::Error| explain(&path, &error, stopped.load(Ordering::Relaxed));
        let mut statement = connection.prepare(text).map_err(explain)?;
        if statement.column_count() == 0 {
            return Err(Error::new(&code::STATE_QUERY_INVALID, "the SQL asks nothing")
                .hint("state::query(\"SELECT name, desired FROM jobs\")"));
        }
        bind(&mut statement, arguments, &explain)?;
        read(statement, &explain)
    }
}

/// What each view reads, as SQLite itself reports it: table and column, with the view in front.
///
/// SQLite names as accessor whatever a `FROM` names, so a `WITH runs AS (SELECT ... FROM other)` passes for the view
/// `runs`. Admitting, through a view, only what that view reads leaves such a trick nothing that the view would not show.
fn admitted(connection: &mut Connection) -> rusqlite::Result<BTreeSet<(String, String, String)>> {
    let seen: Arc<Mutex<BTreeSet<(String, String, String)>>> = Arc::default();
    let notes = seen.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if let (AuthAction::Read { table_name, column_name }, Some(view)) = (context.action, context.accessor) {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.insert((view.to_owned(), table_name.to_owned(), column_name.to_owned()));
        }
        Authorization::Allow
    }))?;
    for view in VIEWS {
        drop(connection.prepare(&format!("SELECT * FROM {view}"))?);
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(seen.clone())
}

/// The names of all tables, and of what SQLite can make tables of.
fn names(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement =
        connection.prepare("SELECT lower(name) FROM sqlite_schema UNION SELECT lower(name) FROM pragma_module_list")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

fn authorize(
    admitted: &BTreeSet<(String, String, String)>,
    closed: &BTreeSet<String>,
    context: &AuthContext<'_>,
) -> Authorization {
    let is_one_of = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    // A name that the query itself gave, by `WITH`: what is behind it is asked for separately.
    let is_given = |name: &str| {
        let name = name.to_ascii_lowercase();
        !closed.contains(&name) && !name.starts_with("sqlite_") && !name.starts_with("pragma_")
    };
    let allowed = match context.action {
        // A recursion that does not end is ended by time.
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => is_one_of(FUNCTIONS, function_name),
        AuthAction::Read { table_name, column_name } => {
            is_one_of(VIEWS, table_name)
                || is_one_of(TABLE_FUNCTIONS, table_name)
                || (column_name.is_empty() && is_given(table_name))
                // `count(*)` reads no column, and after SQLite has flattened a view it names the table itself. That
                // gives the number of rows, as the view does.
                || (column_name.is_empty() && admitted.iter().any(|(_, table, _)| table == table_name))
                || context.accessor.is_some_and(|view| {
                    let key = (view.to_ascii_lowercase(), table_name.to_owned(), column_name.to_owned());
                    admitted.contains(&key)
                })
        }
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

const STOPPED_TIME: u8 = 1;
const STOPPED_MEMORY: u8 = 2;
const STOPPED_CANCEL: u8 = 3;

fn guard(stopped: Arc<AtomicU8>, cancel: Cancel) -> impl FnMut() -> bool + Send + 'static {
    let deadline = Instant::now() + TIME;
    let before = process::memory_of_this().unwrap_or(0);
    move || {
        let why = if cancel.is_cancelled() {
            STOPPED_CANCEL
        } else if Instant::now() >= deadline {
            STOPPED_TIME
        } else if process::memory_of_this().is_some_and(|used| used > before.saturating_add(MEMORY)) {
            STOPPED_MEMORY
        } else {
            return false;
        };
        stopped.store(why, Ordering::Relaxed);
        true
    }
}

fn too_much(why: &str) -> Error {
    Error::new(&code::STATE_QUERY_LIMIT, why).hint("ask for less: add a `WHERE` or a `LIMIT`, and name the columns")
}

/// The question took longer than it may.
pub fn too_slow() -> Error {
    too_much(&format!("the query takes longer than {}", crate::base::duration::show(TIME)))
}

fn explain(path: &std::path::Path, error: &rusqlite::Error, stopped: u8) -> Error {
    let said = match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        error => error.to_string(),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => match stopped {
            STOPPED_CANCEL => Error::new(&code::CANCELLED, "cancelled"),
            STOPPED_MEMORY => too_much("the query takes more than 64 MiB of memory"),
            _ => too_slow(),
        },
        Some(ErrorCode::TooBig | ErrorCode::OutOfMemory) => too_much("the query makes a value of more than 4 MiB"),
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            Error::new(&code::STATE_QUERY_REFUSED, format!("the query is not allowed: {said}"))
                .hint(format!("there are the views {}; see docs/state-queries.md", suggest::list(VIEWS)))
        }
        Some(ErrorCode::Unknown | ErrorCode::ApiMisuse) | None => {
            Error::new(&code::STATE_QUERY_INVALID, format!("the query cannot be understood: {said}"))
                .hint("docs/state-queries.md lists the views and their columns")
        }
        // Also what an authorizer makes of a table that has to stay closed.
        Some(_) if said.contains("not authorized") || said.contains("prohibited") => {
            Error::new(&code::STATE_QUERY_REFUSED, format!("the query is not allowed: {said}"))
                .hint(format!("there are the views {}; see docs/state-queries.md", suggest::list(VIEWS)))
        }
        Some(_) => failed(path, error),
    }
}

fn bind(
    statement: &mut Statement<'_>,
    arguments: &Arguments,
    explain: &dyn Fn(rusqlite::Error) -> Error,
) -> Result<()> {
    let invalid = |message: String| Error::new(&code::STATE_QUERY_INVALID, message);
    let count = statement.parameter_count();
    match arguments {
        Arguments::Positional(values) => {
            if values.len() != count {
                return Err(invalid(format!(
                    "the query has {count} placeholders, and there are {} values",
                    values.len()
                )));
            }
            for (index, value) in values.iter().enumerate() {
                let value = to_sql(value).ok_or_else(|| unfit(&(index + 1).to_string()))?;
                statement.raw_bind_parameter(index + 1, value).map_err(explain)?;
            }
        }
        Arguments::Named(values) => {
            let mut used = BTreeSet::new();
            for index in 1..=count {
                let name = statement.parameter_name(index).map(|name| name[1..].to_owned()).ok_or_else(|| {
                    invalid("the query has a placeholder without a name".to_owned())
                        .hint("give an array for `?`, or write `:name`")
                })?;
                let value = values.get(&name).ok_or_else(|| {
                    invalid(format!("there is no value for `:{name}`"))
                        .hint(suggest::hint(&name, values.keys().map(String::as_str)))
                })?;
                let value = to_sql(value).ok_or_else(|| unfit(&name))?;
                statement.raw_bind_parameter(index, value).map_err(explain)?;
                used.insert(name);
            }
            if let Some(name) = values.keys().find(|name| !used.contains(*name)) {
                return Err(invalid(format!("the query has no placeholder `:{name}`")));
            }
        }
    }
    Ok(())
}

fn unfit(name: &str) -> Error {
    Error::new(&code::ARGUMENT_INVALID, format!("state::query: the value `{name}` must be plain"))
        .hint("a text, a number, a boolean or ()")
}

fn to_sql(value: &Value) -> Option<ToSqlOutput<'_>> {
    Some(match value {
        Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
        Value::Bool(value) => ToSqlOutput::from(*value),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => ToSqlOutput::from(integer),
            None => ToSqlOutput::from(number.as_f64()?),
        },
        Value::String(text) => ToSqlOutput::from(text.as_str()),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

fn read(mut statement: Statement<'_>, explain: &dyn Fn(rusqlite::Error) -> Error) -> Result<Vec<Value>> {
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    if let Some(twice) = names.iter().enumerate().find_map(|(at, name)| names[..at].contains(name).then_some(name)) {
        return Err(Error::new(&code::STATE_QUERY_INVALID, format!("two columns of the query are named `{twice}`"))
            .hint("give one of them another name: `SELECT a.name AS job`"));
    }
    let mut found = Vec::new();
    let mut bytes = 0;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(explain)? {
        if found.len() == ROWS {
            return Err(too_much("the query gives more than 100,000 rows"));
        }
        let mut map = Map::new();
        for (index, name) in names.iter().enumerate() {
            let value = match row.get_ref(index).map_err(explain)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(integer) => integer.into(),
                ValueRef::Real(float) => Number::from_f64(float).map_or(Value::Null, Value::Number),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                ValueRef::Blob(_) => {
                    return Err(Error::new(&code::STATE_QUERY_INVALID, format!("the column `{name}` is a blob"))
                        .hint("`hex(...)` makes a text of it"));
                }
            };
            bytes += name.len() + value.as_str().map_or(8, str::len);
            map.insert(name.clone(), value);
        }
        if bytes > BYTES {
            return Err(too_much("the query gives more than 16 MiB"));
        }
        found.push(Value::Object(map));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
