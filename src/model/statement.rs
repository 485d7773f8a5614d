//! One statement of a SQL job, with the way back to the template that it came from.

use serde::{Deserialize, Serialize};

use crate::base::error::Place;
use crate::base::secret::{Piece, SecretText};

/// A statement, as it is sent to Flink and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The text from its first word to its last, without the `;`.
    pub text: SecretText,
    /// What it does.
    pub kind: Kind,
    /// Where each line of the text comes from.
    pub origin: Vec<Origin>,
    /// What it inserts into or creates, its parts with dots between and without backticks.
    pub table: Option<String>,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Kind {
    /// `SET 'key' = 'value'`.
    Set {
        /// The option.
        key: String,
        /// Its value, without quotes.
        value: SecretText,
    },
    /// `RESET`, of one option or of all.
    Reset {
        /// The option; all where there is none.
        key: Option<String>,
    },
    /// `INSERT INTO` or `INSERT OVERWRITE`: all of them are one job.
    Insert,
    /// `CREATE`, `DROP`, `ALTER`, `USE`, `LOAD`, `UNLOAD`, `ADD JAR`, `REMOVE JAR`: changes the session only.
    Definition,
    /// `CREATE TABLE ... AS SELECT`: a definition and a job in one.
    CreateTableAs,
    /// `EXECUTE PLAN` or `COMPILE AND EXECUTE PLAN`: a job.
    ExecutePlan,
}

impl Kind {
    /// Whether the statement makes a job.
    pub fn is_job(&self) -> bool {
        matches!(self, Self::Insert | Self::CreateTableAs | Self::ExecutePlan)
    }
}

impl Statement {
    /// The place in the template of a line and a column of the text, both from 1, as Flink's errors name them.
    ///
    /// Behind a secret in the same line the column is not known: Flink counts the secret's letters, which are not here.
    pub fn place(&self, line: usize, column: usize) -> Place {
        let index = line.clamp(1, self.origin.len().max(1)) - 1;
        let Some(origin) = self.origin.get(index) else {
            return Place { file: String::new(), line: 0, column: 0, excerpt: None, label: String::new() };
        };
        let known = index + 1 == line && self.secret_column(index).is_none_or(|secret| column <= secret);
        origin.place(if known { column } else { 0 })
    }

    /// The column, from 1, of the first secret in a line of the text.
    fn secret_column(&self, line: usize) -> Option<usize> {
        let (mut at, mut column) = (0, 1);
        for piece in self.text.pieces() {
            match piece {
                Piece::Secret { .. } if at == line => return Some(column),
                Piece::Secret { .. } => {}
                Piece::Text(text) => {
                    for letter in text.chars() {
                        if letter == '\n' {
                            (at, column) = (at + 1, 1);
                        } else {
                            column += 1;
                        }
                    }
                }
            }
        }
        None
    }
}

/// The statement that a Flink error about a table speaks of: the last that defines the table, or else inserts into it.
/// Errors about connectors name the table in full (`default_catalog.default_database.orders`) and no statement.
pub fn find_by_table(statements: &[Statement], table: &str) -> Option<usize> {
    let wanted: Vec<String> = table.split('.').map(|part| part.trim_matches('`').to_owned()).collect();
    statements
        .iter()
        .enumerate()
        .filter_map(|(index, statement)| {
            let name = statement.table.as_deref()?;
            let parts: Vec<&str> = name.split('.').collect();
            let fits = wanted.len() >= parts.len() && wanted[wanted.len() - parts.len()..].iter().eq(parts.iter());
            let defines = !matches!(statement.kind, Kind::Insert);
            fits.then_some(((defines, parts.len(), index), index))
        })
        .max()
        .map(|(_, index)| index)
}
/// Where a line of a statement comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The template, as its user knows it.
    pub file: String,
    /// The line in it, from 1, of the line's first character that is not white space.
    pub line: usize,
    /// The text of that template line.
    pub text: String,
    /// Where the pieces of the line come from, by the column where they begin.
    pub parts: Vec<Part>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The column in the rendered line, from 1, where it begins.
    pub from: usize,
    /// The column in the template line, from 1.
    pub column: usize,
    /// A value: all of it comes from that one column.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub value: bool,
    /// Another template line than the whole line's: a template included in the middle of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<OtherLine>,
}

/// A template line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherLine {
    /// The template.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

impl Origin {
    /// The place of a column of the line, both from 1; column 0 is the line.
    pub fn place(&self, column: usize) -> Place {
        let part = self.parts.iter().take_while(|part| part.from <= column).last();
        let (file, line, text) = match part.and_then(|part| part.other.as_ref()) {
            Some(other) => (&other.file, other.line, &other.text),
            None => (&self.file, self.line, &self.text),
        };
        let column = match part {
            None => 0,
            Some(part) if part.value => part.column,
            Some(part) => part.column + (column - part.from),
        };
        Place { file: file.clone(), line, column, excerpt: Some(text.clone()), label: String::new() }
    }
}
