//! Splitting and what statements are.

use super::secret;
use crate::base::secret::{Piece, SecretText, Within};
use crate::base::{Error, code};
use crate::sql::{Kind, Rendered, Statement, find_by_table, render_text, split, statements};

fn parse(sql: &str) -> Vec<Statement> {
    split(&Rendered::verbatim("a.sql", &SecretText::plain(sql))).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn texts(sql: &str) -> Vec<String> {
    parse(sql).iter().map(|statement| statement.text.to_string()).collect()
}

fn refused(sql: &str) -> Error {
    match split(&Rendered::verbatim("a.sql", &SecretText::plain(sql))) {
        Ok(statements) => panic!("{sql} gave {statements:?}"),
        Err(error) => error,
    }
}

#[test]
fn only_a_semicolon_in_plain_sql_ends_a_statement() {
    let one =
        "INSERT INTO `a;b` SELECT ';', 'it''s;', \";\" /* ; ' */ -- ; '\n, // ;\n x /*+ OPTIONS('a'=';*/') */ FROM t";
    assert_eq!(texts(&format!("{one};{one}")), [one, one]);
    assert_eq!(texts(";;  ;\n-- nothing\n;/* none */"), Vec::<String>::new());
    assert_eq!(texts("-- head\n/* more */ USE a; -- tail\n"), ["USE a"]);
    assert_eq!(texts("DROP TABLE a -- tail"), ["DROP TABLE a"]);
}

#[test]
fn a_statement_set_is_its_inserts() {
    let inserts = ["INSERT INTO a SELECT CASE WHEN x THEN 1 END FROM y", "insert overwrite b select 2"];
    let [a, b] = inserts;
    for sql in [
        format!("{a};{b};"),
        format!("EXECUTE STATEMENT SET BEGIN {a};{b}; END;"),
        format!("execute /* x */ statement set\nbegin\n{a};\n{b};\nend"),
        format!("BEGIN STATEMENT SET;\n{a}; {b};\nEND;"),
        format!("EXECUTE {a}; EXECUTE {b};"),
    ] {
        assert_eq!(texts(&sql), inserts, "{sql}");
    }
    for (sql, message) in [
        (format!("BEGIN STATEMENT SET; {a};"), "the statement set has no `END`"),
        (format!("EXECUTE STATEMENT SET BEGIN {a}"), "the statement set has no `END`"),
        ("BEGIN STATEMENT SET; USE a; END;".to_owned(), "a statement set holds only INSERT statements"),
        (format!("BEGIN STATEMENT SET; {a}; END {b};"), "a `;` is missing behind `END`"),
        ("END;".to_owned(), "an `END` that ends nothing"),
        ("BEGIN; END;".to_owned(), "`BEGIN` without `STATEMENT SET;`"),
        (format!("EXECUTE STATEMENT SET {a}"), "`EXECUTE STATEMENT SET` without `BEGIN`"),
    ] {
        assert_eq!(refused(&sql).message(), message, "{sql}");
    }
}

#[test]
fn what_is_never_closed_is_found_where_it_opens() {
    for (sql, message, line, column) in [
        ("USE a;\n  DROP TABLE 'x", "the string is never closed", 2, 14),
        ("USE a;\nUSE `b;\n`;", "the name in backticks does not end in its line", 2, 5),
        ("/* a\n;", "the comment is never closed", 1, 1),
        ("USE \"a;", "the double quote is never closed", 1, 5),
        ("INSERT INTO t SELECT 1 FROM a /*+ OPTIONS('a'='b');\nUSE x", "the hint is never closed", 1, 31),
        ("INSERT INTO a SELECT E'\\'' FROM b", "an escape string `E'...'`", 1, 23),
    ] {
        let error = refused(sql);
        assert!(error.is(&code::SQL_INVALID));
        assert_eq!(error.message(), message, "{sql}");
        let place = &error.places()[0];
        assert_eq!((place.file.as_str(), place.line, place.column), ("a.sql", line, column), "{sql}");
        assert_eq!(place.excerpt.as_deref(), sql.split('\n').nth(line - 1));
    }
}

#[test]
fn what_a_job_cannot_be_made_of_is_refused_at_its_place() {
    for (statement, message) in [
        ("SELECT 1", "a lone SELECT is no job: its result goes nowhere"),
        ("with a as (select 1) select * from a", "a lone WITH is no job: its result goes nowhere"),
        ("VALUES (1)", "a lone VALUES is no job: its result goes nowhere"),
        ("SHOW TABLES", "SHOW is for the SQL client: a job cannot be made of it"),
        ("DESC t", "DESC is for the SQL client: a job cannot be made of it"),
        ("EXPLAIN INSERT INTO t SELECT 1", "EXPLAIN is for the SQL client: a job cannot be made of it"),
        ("DELETE FROM t", "DELETE is not supported in the SQL of a job"),
        ("UPDATE t SET a = 1", "UPDATE is not supported in the SQL of a job"),
        ("CALL p()", "CALL is not supported in the SQL of a job"),
        ("INSRT INTO t SELECT 1", "`INSRT` begins no statement that tidegate knows"),
        ("ADD FILE 'x'", "`ADD` begins no statement that tidegate knows"),
        ("(SELECT 1)", "a statement cannot begin with `(`"),
        ("'a'", "a statement cannot begin with `'a'`"),
        ("INSERT t SELECT 1", "INSERT without INTO or OVERWRITE"),
        ("EXECUTE SELECT 1", "EXECUTE of something that is no INSERT and no PLAN"),
        (
            "CREATE MATERIALIZED TABLE t AS SELECT 1",
            "a materialized table is made by Flink's SQL gateway, not by a job",
        ),
        ("SET", "SET without an option"),
        ("SET a", "SET without `=`"),
        ("SET a =", "SET of `a` without a value"),
        ("SET 'a' = 'b' c", "something stands behind the value of SET"),
        ("SET a b = c", "`a b` is no name of an option"),
        ("SET a = file:///tmp", "the value of SET holds `//`, which begins a comment"),
        ("SET a = file: //tmp\n", "the value of SET holds `//`, which begins a comment"),
        ("SET 'table.sql-dialect' = 'hive'", "only Flink's default SQL dialect is supported"),
        (
            "SET 'execution.state-recovery.path' = 'file:/old'",
            "`execution.state-recovery.path` would start the job from this state each time, however old it is",
        ),
        (
            "SET $internal.pipeline.job-id = 'aa'",
            "`$internal.pipeline.job-id` is Flink's own: the id under which tidegate finds the job again is one of them",
        ),
    ] {
        let error = refused(&format!("USE a;\n-- x\n {statement};\nUSE b"));
        assert!(error.is(&code::SQL_INVALID), "{statement}");
        assert_eq!(error.message(), message, "{statement}");
        assert_eq!(error.places()[0].line, 3, "{statement}");
    }
    assert_eq!(refused("SELECT 1").hint_text(), Some("write `INSERT INTO sink SELECT ...`"));
    assert!(refused("INSRT INTO a").hint_text().unwrap().contains("`INSERT`"));
}

fn kind(sql: &str) -> (Kind, Option<String>) {
    let mut statements = parse(sql);
    assert_eq!(statements.len(), 1, "{sql}");
    let statement = statements.remove(0);
    (statement.kind, statement.table)
}

#[test]
fn kinds_and_tables() {
    for (sql, expected, table) in [
        ("INSERT INTO a.`b``c`.d (x) SELECT 1", Kind::Insert, Some("a.b`c.d")),
        ("INSERT INTO `t` /*+ OPTIONS('a'='b') */ SELECT 1", Kind::Insert, Some("t")),
        ("CREATE TABLE t (a INT, b AS (a + 1), WATERMARK FOR c AS c) WITH ('x' = 'y')", Kind::Definition, Some("t")),
        ("CREATE TEMPORARY TABLE IF NOT EXISTS c.d.t LIKE u", Kind::Definition, Some("c.d.t")),
        ("CREATE TABLE t WITH ('x' = 'y') AS SELECT 1", Kind::CreateTableAs, Some("t")),
        ("CREATE OR REPLACE TABLE t AS SELECT 1", Kind::CreateTableAs, Some("t")),
        ("REPLACE TABLE t AS SELECT 1", Kind::CreateTableAs, Some("t")),
        ("CREATE VIEW v AS SELECT 1", Kind::Definition, None),
        ("CREATE TEMPORARY SYSTEM FUNCTION f AS 'x'", Kind::Definition, None),
        ("CREATE CATALOG c WITH ('type'='x')", Kind::Definition, None),
        ("DROP TABLE t", Kind::Definition, None),
        ("ALTER TABLE t SET ('a'='b')", Kind::Definition, None),
        ("USE CATALOG c", Kind::Definition, None),
        ("LOAD MODULE m", Kind::Definition, None),
        ("UNLOAD MODULE m", Kind::Definition, None),
        ("ADD JAR '/x.jar'", Kind::Definition, None),
        ("REMOVE JAR '/x.jar'", Kind::Definition, None),
        ("EXECUTE PLAN '/p'", Kind::ExecutePlan, None),
        ("COMPILE AND EXECUTE PLAN '/p' FOR INSERT INTO t SELECT 1", Kind::ExecutePlan, None),
        ("RESET", Kind::Reset { key: None }, None),
        ("RESET 'a.b'", Kind::Reset { key: Some("a.b".to_owned()) }, None),
        ("RESET a.b-c", Kind::Reset { key: Some("a.b-c".to_owned()) }, None),
    ] {
        assert_eq!(kind(sql), (expected, table.map(str::to_owned)), "{sql}");
    }
}

#[test]
fn options_with_and_without_quotes() {
    for (sql, key, value) in [
        ("SET 'a.b' = 'c'", "a.b", "c"),
        ("set a.b-c=d", "a.b-c", "d"),
        ("SET 'a' = 'it''s; = '", "a", "it's; = "),
        ("SET 'a' = ''", "a", ""),
        ("SET a = 10 s -- tail", "a", "10 s"),
        ("SET execution.checkpointing.interval = 10s", "execution.checkpointing.interval", "10s"),
        ("SET 'a' = 'file:///tmp'", "a", "file:///tmp"),
        ("SET 'a'='x' /* c */", "a", "x"),
        ("SET a = b=c", "a", "b=c"),
    ] {
        let (kind, _) = kind(sql);
        assert_eq!(kind, Kind::Set { key: key.to_owned(), value: SecretText::plain(value) }, "{sql}");
    }
}

#[test]
fn a_secret_in_an_option_stands_alone_again() {
    let set = |template: &str| {
        let rendered = render_text("a.sql", template, &|_| Ok(None), &secret()).unwrap();
        match split(&rendered).unwrap().remove(0).kind {
            Kind::Set { value, .. } => value.pieces().to_vec(),
            kind => panic!("{kind:?}"),
        }
    };
    let alone = Piece::Secret { name: "DB".to_owned(), within: Within::Nothing };
    assert_eq!(set("SET 'a' = {{ password }}"), [alone.clone()].as_slice());
    assert_eq!(set("SET 'a' = '{{ password }}'"), [alone.clone()].as_slice());
    let text = |text: &str| Piece::Text(text.to_owned());
    assert_eq!(set("SET 'a' = 'x''{{ password }}y'"), [text("x'"), alone, text("y")]);
}

#[test]
fn sql_that_makes_no_job_or_more_than_one_is_refused() {
    let check = |sql: &str| statements(&Rendered::verbatim("a.sql", &SecretText::plain(sql)));
    let insert = "INSERT INTO t SELECT 1";
    let select = "CREATE TABLE x AS SELECT 1";
    for sql in [
        insert.to_owned(),
        format!("{insert};{insert}"),
        select.to_owned(),
        format!("USE a; {select}"),
        "EXECUTE PLAN 'p'".to_owned(),
    ] {
        check(&sql).unwrap();
    }
    for sql in [String::new(), "-- x".to_owned(), "USE a".to_owned(), "SET 'a'='b'; CREATE TABLE t (a INT)".to_owned()]
    {
        let error = check(&sql).unwrap_err();
        assert!(error.is(&code::SQL_INVALID) && error.message().contains("makes no job"), "{sql}: {error}");
    }
    for sql in [format!("{insert};{select}"), format!("{select};{select}"), format!("EXECUTE PLAN 'p';{insert}")] {
        assert_eq!(check(&sql).unwrap_err().message(), "the SQL makes more than one job", "{sql}");
    }
}

#[test]
fn a_table_in_an_error_finds_its_statement() {
    let statements = parse(
        "CREATE TABLE k (a INT); CREATE TABLE db.k (a INT); CREATE VIEW v AS SELECT 1; INSERT INTO k SELECT 1; INSERT INTO only SELECT 1; CREATE TABLE x.y.`o.p` (a INT)",
    );
    let find = |table| find_by_table(&statements, table);
    assert_eq!(find("default_catalog.default_database.k"), Some(0));
    assert_eq!(find("default_catalog.db.k"), Some(1));
    assert_eq!(find("`c`.`d`.`only`"), Some(4));
    assert_eq!(find("default_catalog.default_database.kk"), None);
    assert_eq!(find("k"), Some(0));
}

#[test]
fn statements_are_stored_and_read_back_whole() {
    let rendered =
        render_text("a.sql", "SET 'a' = {{ password }};\nINSERT INTO t\nSELECT {{ mixed }}", &|_| Ok(None), &secret())
            .unwrap();
    let statements = split(&rendered).unwrap();
    let json = serde_json::to_string(&statements).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Statement>>(&json).unwrap(), statements);
}
