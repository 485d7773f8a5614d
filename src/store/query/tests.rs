//! What `state::query` admits, refuses and ends.

use serde_json::json;

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let run = store.begin_run("a.rhai", "local", "{\"n\":1}").unwrap();
    store.set_value(&run, "hidden", "\"value\"").unwrap();
    store.begin_run("b.rhai", "prod", "{}").unwrap();
    (directory, store)
}

fn ask(store: &Store, text: &str, arguments: Value) -> Result<Vec<Value>> {
    let arguments = match arguments {
        Value::Object(map) => Arguments::Named(map),
        Value::Array(values) => Arguments::Positional(values),
        _ => Arguments::Positional(Vec::new()),
    };
    store.query(text, &arguments, &Cancel::default())
}

#[test]
fn the_views_answer() {
    let (_directory, store) = store();
    for (text, arguments, rows) in [
        (
            "SELECT id, script FROM runs ORDER BY id",
            json!(null),
            json!([{"id": 1, "script": "a.rhai"}, {"id": 2, "script": "b.rhai"}]),
        ),
        ("SELECT count(*) AS n FROM RUNS", json!(null), json!([{"n": 2}])),
        ("SELECT r.id AS run FROM runs AS r WHERE script = ?", json!(["b.rhai"]), json!([{"run": 2}])),
        ("SELECT id FROM runs WHERE script = :s AND id > :n", json!({"s": "b.rhai", "n": 1}), json!([{"id": 2}])),
        ("WITH x AS (SELECT * FROM runs) SELECT max(id) AS m FROM x", json!(null), json!([{"m": 2}])),
        ("SELECT parameters ->> 'n' AS n FROM runs WHERE id = 1", json!(null), json!([{"n": 1}])),
        ("SELECT j.value AS v FROM runs, json_each(runs.parameters) AS j", json!(null), json!([{"v": 1}])),
        (
            "SELECT (SELECT count(*) FROM steps) AS s, (SELECT count(*) FROM jobs) AS j, (SELECT count(*) FROM attempts) AS a, (SELECT count(*) FROM events) AS e",
            json!(null),
            json!([{"s": 0, "j": 0, "a": 0, "e": 0}]),
        ),
        (
            "SELECT r.id, s.step FROM runs r LEFT JOIN steps s ON s.run = r.id WHERE r.id = 1",
            json!(null),
            json!([{"id": 1, "step": null}]),
        ),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) AS s FROM n",
            json!(null),
            json!([{"s": 6}]),
        ),
    ] {
        assert_eq!(
            ask(&store, text, arguments).map(Value::Array).unwrap_or_else(|error| panic!("{text}: {error:?}")),
            rows,
            "{text}"
        );
    }
}

#[test]
fn nothing_else_is_reached() {
    let (directory, store) = store();
    let elsewhere = directory.path().join("elsewhere.db");
    let elsewhere = elsewhere.display();
    for text in [
        "SELECT * FROM meta".to_owned(),
        "SELECT * FROM run_rows".to_owned(),
        "SELECT count(*) AS n FROM meta".to_owned(),
        "SELECT 1 FROM value_rows".to_owned(),
        "SELECT count(*) AS n FROM Main.Meta".to_owned(),
        "SELECT count(*) AS n FROM sqlite_master".to_owned(),
        "SELECT count(*) AS n FROM pragma_table_list".to_owned(),
        "SELECT count(*) AS n FROM dbstat".to_owned(),
        "WITH x AS (SELECT 1 FROM main.content_rows) SELECT count(*) AS n FROM x".to_owned(),
        "SELECT value FROM value_rows".to_owned(),
        "SELECT bytes FROM content_rows".to_owned(),
        "SELECT * FROM sqlite_master".to_owned(),
        "SELECT * FROM sqlite_schema".to_owned(),
        "SELECT * FROM pragma_table_info('meta')".to_owned(),
        "SELECT * FROM dbstat".to_owned(),
        "PRAGMA table_info(meta)".to_owned(),
        "PRAGMA writable_schema = 1".to_owned(),
        format!("ATTACH '{elsewhere}' AS other"),
        format!("VACUUM INTO '{elsewhere}'"),
        "VACUUM".to_owned(),
        "DELETE FROM runs".to_owned(),
        "UPDATE run_rows SET status = 'done'".to_owned(),
        "INSERT INTO run_rows SELECT * FROM run_rows".to_owned(),
        "CREATE TEMP TABLE t AS SELECT * FROM runs".to_owned(),
        "CREATE VIEW mine AS SELECT * FROM meta".to_owned(),
        "DROP VIEW runs".to_owned(),
        "BEGIN".to_owned(),
        "SELECT load_extension('x')".to_owned(),
        "SELECT readfile('/etc/passwd')".to_owned(),
        "SELECT writefile('/tmp/x', 'y')".to_owned(),
        "SELECT randomblob(1000000000)".to_owned(),
        "SELECT hex(zeroblob(1000000000))".to_owned(),
        "SELECT fts3_tokenizer('simple')".to_owned(),
        "SELECT sqlite_compileoption_get(1)".to_owned(),
        // A name of ours does not open what the view of that name does not read.
        "WITH runs AS (SELECT * FROM meta) SELECT * FROM runs".to_owned(),
        "WITH runs AS (SELECT * FROM value_rows) SELECT * FROM runs".to_owned(),
        "WITH steps AS (SELECT arguments_hash FROM step_rows) SELECT * FROM steps".to_owned(),
        "SELECT * FROM (SELECT value FROM meta) AS runs".to_owned(),
        "SELECT (SELECT value FROM meta) AS id FROM runs".to_owned(),
        "SELECT id FROM runs WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'salt')".to_owned(),
        "SELECT id FROM runs UNION SELECT value FROM meta".to_owned(),
    ] {
        let error = ask(&store, &text, json!(null)).expect_err(&text);
        assert!(error.is(&code::STATE_QUERY_REFUSED) || error.is(&code::STATE_QUERY_INVALID), "{text}: {error:?}");
        assert!(!format!("{error:?}").contains("salt ="), "{error:?}");
    }
    assert!(!directory.path().join("elsewhere.db").exists());
}

#[test]
fn bombs_are_ended() {
    let (_directory, store) = store();
    for text in [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        "WITH RECURSIVE n(t) AS (SELECT 'x' UNION ALL SELECT t || t FROM n) SELECT length(t) AS l FROM n",
        "SELECT printf('%1000000000d', 1) AS t",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT group_concat(printf('%100000d', i)) AS t FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT printf('%100000d', i) AS t FROM n",
    ] {
        let error = ask(&store, text, json!(null)).expect_err(text);
        assert!(error.is(&code::STATE_QUERY_LIMIT), "{text}: {error:?}");
    }
}

#[test]
fn mistakes_are_said() {
    let (_directory, store) = store();
    for (text, arguments, message) in [
        ("SELEC 1", json!(null), "syntax error"),
        ("SELECT nme FROM jobs", json!(null), "no such column: nme"),
        ("SELECT 1 AS a; SELECT 2 AS b", json!(null), ""),
        ("", json!(null), "asks nothing"),
        ("SELECT id FROM runs WHERE id = ?", json!([]), "has 1 placeholders"),
        ("SELECT id FROM runs WHERE id = :id", json!({"ID": 1}), "no value for `:id`"),
        ("SELECT id FROM runs WHERE id = :id", json!({"id": 1, "more": 2}), "no placeholder `:more`"),
        ("SELECT id FROM runs WHERE id = ?", json!([[1]]), "must be plain"),
        ("SELECT 1 AS a, 2 AS a", json!(null), "two columns"),
        ("SELECT x'00' AS a", json!(null), "is a blob"),
    ] {
        let error = ask(&store, text, arguments).expect_err(text);
        assert!(error.to_string().contains(message), "{text}: {error:?}");
        assert!(error.is(&code::STATE_QUERY_INVALID) || error.is(&code::ARGUMENT_INVALID), "{text}: {error:?}");
    }
}
