//! What the tables of a job ask the class path for: the connectors and formats in the `WITH` of their definitions.

use super::lexer::{Token, TokenKind, tokens};
use super::position;
use crate::model::connectors::{Asked, Asks};
use crate::model::statement::{Kind, Statement};

/// The keys that name a format.
const FORMATS: [&str; 3] = ["format", "key.format", "value.format"];

/// The catalogs whose tables live in the session.
const IN_SESSION: &str = "default_catalog";

/// A definition taken apart.
struct Words<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let mut tokens = tokens(text).unwrap_or_default();
        tokens.retain(|token| token.kind != TokenKind::Comment);
        Self { text, tokens }
    }

    fn get(&self, index: usize) -> Option<&'a str> {
        self.tokens.get(index).map(|token| &self.text[token.range.clone()])
    }

    fn is(&self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|own| own.eq_ignore_ascii_case(word))
    }

    fn is_symbol(&self, index: usize, symbol: char) -> bool {
        self.tokens.get(index).is_some_and(|token| token.kind == TokenKind::Symbol(symbol))
    }

    /// The text of a literal in single quotes.
    fn literal(&self, index: usize) -> Option<String> {
        let token = self.tokens.get(index).filter(|token| token.kind == TokenKind::Text)?;
        let inner = self.text[token.range.clone()].strip_prefix('\'')?.strip_suffix('\'')?;
        Some(inner.replace("''", "'"))
    }

    /// A name without its quotes.
    fn name(&self, index: usize) -> Option<String> {
        let token = self.tokens.get(index)?;
        let text = &self.text[token.range.clone()];
        match token.kind {
            TokenKind::Backticks => Some(text.trim_matches('`').replace("``", "`")),
            TokenKind::Word => Some(text.to_owned()),
            _ => None,
        }
    }

    fn skip(&self, index: usize, words: &[&str]) -> usize {
        if words.iter().enumerate().all(|(at, word)| self.is(index + at, word)) { index + words.len() } else { index }
    }

    fn mentions(&self, name: &str) -> bool {
        (0..self.tokens.len()).any(|index| self.name(index).as_deref() == Some(name))
    }

    /// The options behind `WITH`, outside of all parentheses: key, value, and the token of the value.
    fn options(&self) -> Vec<(String, String, usize)> {
        let mut depth = 0_usize;
        for index in 0..self.tokens.len() {
            match self.tokens[index].kind {
                TokenKind::Symbol('(') => depth += 1,
                TokenKind::Symbol(')') => depth = depth.saturating_sub(1),
                TokenKind::Word if depth == 0 && self.is(index, "WITH") && self.is_symbol(index + 1, '(') => {
                    return self.pairs(index + 2);
                }
                _ => {}
            }
        }
        Vec::new()
    }

    fn pairs(&self, mut index: usize) -> Vec<(String, String, usize)> {
        let mut found = Vec::new();
        while let (Some(key), true, Some(value)) =
            (self.literal(index), self.is_symbol(index + 1, '='), self.literal(index + 2))
        {
            found.push((key, value, index + 2));
            if !self.is_symbol(index + 3, ',') {
                break;
            }
            index += 4;
        }
        found
    }
}

/// What the tables of a job ask for, in the order of the text. Tables of catalogs that live elsewhere, of which nothing is
/// known here, are left out, and so are tables that nothing of the job uses: Flink does not look for their connectors.
pub fn asked(statements: &[Statement]) -> Vec<Asked> {
    let texts: Vec<String> = statements.iter().map(|statement| statement.text.to_string()).collect();
    let words: Vec<Words<'_>> = texts.iter().map(|text| Words::of(text)).collect();
    let mut found = Vec::new();
    let mut own = vec![IN_SESSION.to_owned()];
    let mut current = IN_SESSION.to_owned();
    for (index, (statement, text)) in statements.iter().zip(&words).enumerate() {
        if !matches!(statement.kind, Kind::Definition | Kind::CreateTableAs) {
            continue;
        }
        if text.is(0, "USE") && text.is(1, "CATALOG") {
            current = text.name(2).unwrap_or_default();
        }
        if text.is(0, "CREATE") && text.is(1, "CATALOG") {
            let in_memory = |(key, value, _): &(String, String, usize)| key == "type" && value == "generic_in_memory";
            if text.options().iter().any(in_memory) {
                own.extend(text.name(text.skip(2, &["IF", "NOT", "EXISTS"])));
            }
        }
        let Some((table, catalog, is_temporary)) = created(text) else { continue };
        let lives_here = is_temporary || own.contains(catalog.as_ref().unwrap_or(&current));
        let is_used = statement.kind == Kind::CreateTableAs
            || words.iter().enumerate().any(|(other, words)| other != index && words.mentions(&table));
        if lives_here && is_used {
            found.extend(asks(index, &table, text));
        }
    }
    found
}

/// The table that a statement creates: its last name, its catalog where that is named, and whether it is temporary.
fn created(text: &Words<'_>) -> Option<(String, Option<String>, bool)> {
    let start = text.skip(usize::from(text.is(0, "CREATE")), &["OR", "REPLACE"]);
    let behind = text.skip(start, &["TEMPORARY"]);
    (start > 0 && text.is(behind, "TABLE")).then_some(())?;
    let mut at = text.skip(behind + 1, &["IF", "NOT", "EXISTS"]);
    let mut parts = vec![text.name(at)?];
    while text.is_symbol(at + 1, '.') {
        at += 2;
        parts.push(text.name(at)?);
    }
    let catalog = (parts.len() == 3).then(|| parts[0].clone());
    Some((parts.pop()?, catalog, behind > start))
}

fn asks(statement: usize, table: &str, text: &Words<'_>) -> Vec<Asked> {
    let options = text.options();
    let option = |key: &str| options.iter().find(|(own, ..)| own == key).map(|(_, value, _)| value.clone());
    let Some(connector) = option("connector") else { return Vec::new() };
    let wanted = options.iter().filter_map(|(key, value, token)| {
        let asks = match key.as_str() {
            "connector" => Asks::Connector,
            key if FORMATS.contains(&key) => Asks::Format,
            _ => return None,
        };
        let (line, column) = position::of(text.text, text.tokens[*token].range.start);
        Some(Asked {
            statement,
            table: table.to_owned(),
            asks,
            identifier: value.clone(),
            connector: connector.clone(),
            url: option("url").filter(|_| asks == Asks::Connector),
            names_driver: option("driver").is_some(),
            line,
            column,
        })
    });
    // What a secret names is not known here.
    wanted.filter(|asked| !asked.identifier.contains("***")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{render_text, statements};

    fn found(sql: &str) -> Vec<(String, String, usize, usize)> {
        let rendered = render_text("t.sql", sql, &|_| Ok(None), &std::collections::BTreeMap::new()).unwrap();
        let all = statements(&rendered).unwrap();
        asked(&all).into_iter().map(|one| (one.table, one.identifier, one.line, one.column)).collect()
    }

    fn names(sql: &str) -> Vec<String> {
        found(sql).into_iter().map(|(_, identifier, ..)| identifier).collect()
    }

    #[test]
    fn connectors_and_formats_are_found_with_their_places() {
        let sql = "CREATE TABLE `a``b` (i INT COMMENT 'WITH (''connector'' = ''no'')') -- with ('connector' = 'no')\n\
                   WITH ('connector' = 'kafka',\n  'value.format' = 'avro', 'topic' = 'it''s');\n\
                   INSERT INTO x SELECT * FROM `a``b`";
        assert_eq!(
            found(sql),
            [("a`b".to_owned(), "kafka".to_owned(), 2, 21), ("a`b".to_owned(), "avro".to_owned(), 3, 20)]
        );
    }

    #[test]
    fn what_cannot_be_judged_is_left_out() {
        let table = |create: &str| format!("{create} (i INT) WITH ('connector' = 'x')");
        let used = "; INSERT INTO s SELECT * FROM t";
        assert_eq!(names(&(table("CREATE TABLE t") + used)), ["x"]);
        assert_eq!(names(&(table("create temporary table if not exists a.b.t") + used)), ["x"]);
        assert_eq!(names(&(table("CREATE TABLE default_catalog.d.t") + used)), ["x"]);
        assert_eq!(names(&(table("CREATE TABLE lake.d.t") + used)), [""; 0]);
        assert_eq!(names(&format!("USE CATALOG lake; {}{used}", table("CREATE TABLE t"))), [""; 0]);
        let own = "CREATE CATALOG m WITH ('type' = 'generic_in_memory'); USE CATALOG m; ";
        assert_eq!(names(&format!("{own}{}{used}", table("CREATE TABLE t"))), ["x"]);
        // Flink does not look for the connector of a table that nobody uses.
        assert_eq!(names(&format!("{}; INSERT INTO s SELECT 1", table("CREATE TABLE t"))), [""; 0]);
        assert_eq!(names("CREATE TABLE t WITH ('connector' = 'x') AS SELECT 1"), ["x"]);
        assert_eq!(names("CREATE VIEW t AS SELECT 1; INSERT INTO s SELECT * FROM t"), [""; 0]);
    }
}
