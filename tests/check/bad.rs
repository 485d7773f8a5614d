//! Mistakes.

use super::{checked, workspace, write};

/// A script, the code of its only finding, the text at whose begin it stands, and a part of the hint.
type Case = (&'static str, &'static str, &'static str, &'static str);

const BAD: &[Case] = &[
    // Names.
    ("job::sqll(\"a\", #{});", "function.unknown", "sqll", "`job::sql`"),
    ("jobb::sql(\"a\", #{});", "function.unknown", "jobb", "`job`"),
    ("sql(\"a\");", "function.unknown", "sql", "::sql`"),
    ("flink::overveiw();", "function.unknown", "overveiw", "`flink::overview`"),
    ("env::vra(\"topic\");", "function.unknown", "vra", "`env::var`"),
    ("nothing_of_the_kind();", "function.unknown", "nothing_of_the_kind", ""),
    ("pint(1);", "function.unknown", "pint", ""),
    ("\"abc\".to_uper();", "function.unknown", "to_uper", "`to_upper`"),
    ("[1].pussh(2);", "function.unknown", "pussh", "`push`"),
    ("let a = [1]; a.lenn();", "function.unknown", "lenn", "`len`"),
    ("fn twice(x) { x } twise(1);", "function.unknown", "twise", "`twice`"),
    ("import \"lib/util\" as u; u::twise(1);", "function.unknown", "twise", "`twice`"),
    ("import \"lib/util\" as u; u::hidden();", "function.unknown", "hidden", "`twice`"),
    ("import \"std/jobs\" as jobs; jobs::deploy_al([], \"1m\");", "function.unknown", "deploy_al", "`deploy_all`"),
    ("let x = 1; print(y);", "script.syntax", "y", ""),
    ("fn f() { outer } let outer = 1; f();", "script.syntax", "outer }", ""),
    // Methods and properties.
    ("job::get(\"a\").wait_fro(\"RUNNING\");", "function.unknown", "wait_fro", "`wait_for`"),
    ("let job = job::get(\"a\"); job.cancle();", "function.unknown", "cancle", "`cancel`"),
    ("job::get(\"a\").refresh().restrat();", "function.unknown", "restrat", ""),
    ("fn f(job) { job.wait_fro(\"RUNNING\") }", "function.unknown", "wait_fro", "`wait_for`"),
    ("for job in job::find() { job.cancell(); }", "function.unknown", "cancell", "`cancel`"),
    ("job::get(\"a\").sate;", "script.failed", "sate", "`state`"),
    ("print(`${job::get(\"a\").sate}`);", "script.failed", "sate", "`state`"),
    ("job::get(\"a\").cancel;", "script.failed", "cancel;", "`cancel()`"),
    ("job::sql(\"a\", #{ template: \"hello.sql\" }).nmae;", "script.failed", "nmae", "`name`"),
    ("job::sql(\"a\", #{ template: \"hello.sql\" }).deploi();", "function.unknown", "deploi", "`deploy`"),
    ("switch 1 { 1 => job::get(\"a\").cancle(), _ => () }", "function.unknown", "cancle", "`cancel`"),
    ("run::step(\"x\", || job::get(\"a\").cancle());", "function.unknown", "cancle", "`cancel`"),
    ("try { job::get(\"a\").cancle(); } catch { }", "function.unknown", "cancle", "`cancel`"),
    ("if true { flink::jbos(); }", "function.unknown", "jbos", "`flink::jobs`"),
    ("while false { flink::jbos(); }", "function.unknown", "jbos", "`flink::jobs`"),
    ("let x = [1, flink::jbos()];", "function.unknown", "jbos", "`flink::jobs`"),
    ("let x = #{ a: flink::jbos() };", "function.unknown", "jbos", "`flink::jobs`"),
    ("let x = flink::jobs()[flink::jbos()];", "function.unknown", "jbos", "`flink::jobs`"),
    ("return flink::jbos();", "function.unknown", "jbos", "`flink::jobs`"),
    // How many arguments.
    ("job::get();", "function.unknown", "get", "job::get(name: string)"),
    ("job::get(\"a\", 1);", "function.unknown", "get", "job::get(name: string)"),
    ("env::var(\"topic\", 1, 2);", "function.unknown", "var", "otherwise?"),
    ("job::get(\"a\").wait_for();", "function.unknown", "wait_for", "timeout?"),
    ("fn f(a) { a } f();", "function.unknown", "f();", ""),
    ("import \"lib/util\" as u; u::twice();", "function.unknown", "twice", ""),
    ("\"a\".to_upper(1);", "function.unknown", "to_upper", ""),
    ("fn f(x) { x.deploy(1, 2) }", "function.unknown", "deploy", ""),
    // Types of arguments.
    ("job::get(1);", "argument.invalid", "1", ""),
    ("let name = 5; job::get(name);", "argument.invalid", "name);", ""),
    ("job::sql(\"a\", \"hello.sql\");", "argument.invalid", "\"hello.sql\"", ""),
    ("run::step(\"x\", 1);", "argument.invalid", "1", ""),
    ("flink::get(#{});", "argument.invalid", "#{}", ""),
    ("table::show(\"x\");", "argument.invalid", "\"x\"", ""),
    ("assert::that(1);", "argument.invalid", "1", ""),
    // Options.
    (
        "job::sql(\"a\", #{ template: \"hello.sql\", paralelism: 2 });",
        "argument.invalid",
        "paralelism",
        "`parallelism`",
    ),
    ("job::sql(\"a\", #{ template: \"hello.sql\", parallelism: \"2\" });", "argument.invalid", "\"2\"", ""),
    ("job::sql(\"a\", #{ template: \"hello.sql\", mode: \"bach\" });", "argument.invalid", "\"bach\"", "`batch`"),
    ("job::sql(\"a\", #{ template: \"hello.sql\", on_failure: #{} });", "argument.invalid", "on_failure", ""),
    (
        "job::sql(\"a\", #{ template: \"hello.sql\", checkpointing: #{ interval: \"1m\", mod: \"exactly_once\" } });",
        "argument.invalid",
        "mod:",
        "`mode`",
    ),
    (
        "job::sql(\"a\", #{ template: \"hello.sql\", checkpointing: #{ interval: \"often\" } });",
        "argument.invalid",
        "\"often\"",
        "a unit",
    ),
    (
        "job::sql(\"a\", #{ template: \"hello.sql\", checkpointing: #{ mode: \"exactly_once\" } });",
        "argument.invalid",
        "#{ mode",
        "",
    ),
    (
        "job::sql(\"a\", #{ template: \"hello.sql\", restart_strategy: #{ type: \"fixed\" } });",
        "argument.invalid",
        "\"fixed\"",
        "",
    ),
    (
        "job::sql(\"a\", #{ template: \"hello.sql\", restart_strategy: #{ attempts: 3 } });",
        "argument.invalid",
        "#{ attempts",
        "",
    ),
    ("job::sql(\"a\", #{ template: \"hello.sql\", tags: [1] });", "argument.invalid", "1", ""),
    ("job::sql(\"a\", #{ template: \"hello.sql\", tags: \"red\" });", "argument.invalid", "\"red\"", ""),
    ("job::sql(\"a\", #{ template: \"hello.sql\", options: #{ x: [1] } });", "argument.invalid", "[1]", ""),
    ("job::sql(\"a\", #{ template: \"hello.sql\", cluster: \"her\" });", "cluster.unknown", "\"her\"", "`here`"),
    ("job::sql(\"a\", #{});", "argument.invalid", "sql(", "template:"),
    ("job::sql(\"a\", #{ template: \"hello.sql\", sql: \"x\" });", "argument.invalid", "sql(", "keep one"),
    ("job::jar(\"a\", #{ main_class: \"X\" });", "argument.invalid", "#{ main", ""),
    ("job::jar(\"a\", #{ jar: \"jars/cuont.jar\" });", "file.not_found", "\"jars/cuont.jar\"", ""),
    ("job::jar(\"a\", #{ jar: \"../x.jar\" });", "file.outside", "\"../x.jar\"", ""),
    (
        "job::sql(\"a\", #{ template: \"hello.sql\" }).deploy(#{ alow_state_loss: \"x\" });",
        "argument.invalid",
        "alow_state_loss",
        "`allow_state_loss`",
    ),
    (
        "job::sql(\"a\", #{ template: \"hello.sql\" }).execute(#{ timeout: \"1 hour\" });",
        "argument.invalid",
        "\"1 hour\"",
        "a unit",
    ),
    (
        "let options = #{ template: \"hello.sql\", paralelism: 2 }; job::sql(\"a\", options);",
        "argument.invalid",
        "paralelism",
        "`parallelism`",
    ),
    ("job::find(#{ stat: \"FAILED\" });", "argument.invalid", "stat:", "`state`"),
    ("job::get(\"a\").logs(#{ source: \"jobmanger\" });", "argument.invalid", "\"jobmanger\"", "`jobmanager`"),
    ("job::get(\"a\").wait_for(\"RUNING\");", "argument.invalid", "\"RUNING\"", "`RUNNING`"),
    ("job::get(\"a\").wait_for(\"RUNNING\", \"soon\");", "argument.invalid", "\"soon\"", "a unit"),
    ("time::sleep(\"1 fortnight\");", "argument.invalid", "\"1 fortnight\"", "a unit"),
    ("run::parallel([], #{ maximum: 2 });", "argument.invalid", "maximum", ""),
    ("run::retry(#{ attempt: 2 }, || 1);", "argument.invalid", "attempt", "`attempts`"),
    ("run::approve(\"go?\", #{ timeout: \"x\" });", "argument.invalid", "\"x\"", "a unit"),
    // What the workspace has.
    ("env::var(\"topc\");", "env.variable_unknown", "\"topc\"", "`topic`"),
    ("const NAME = \"topc\"; env::var(NAME);", "env.variable_unknown", "NAME)", "`topic`"),
    ("env::var(\"only_local\");", "env.variable_unknown", "\"only_local\"", "prod"),
    ("env::secret(\"DATABASE_PASWORD\");", "secret.missing", "\"DATABASE_PASWORD\"", "`DATABASE_PASSWORD`"),
    (
        "fn options() { #{ city: params::string(\"x\") } } params::get(\"ctiy\");",
        "parameter.unknown",
        "\"ctiy\"",
        "`city`",
    ),
    ("params::get(\"city\");", "parameter.unknown", "\"city\"", "fn options()"),
    ("flink::overview(\"ther\");", "cluster.unknown", "\"ther\"", "`there`"),
    // Templates and SQL.
    ("job::sql(\"a\", #{ template: \"helo.sql\" });", "template.not_found", "\"helo.sql\"", "`hello.sql`"),
    ("job::sql(\"a\", #{ template: \"hel\" + \"lo.sql\", modde: 1 });", "argument.invalid", "modde", "`mode`"),
    ("sql::render(\"helo.sql\");", "template.not_found", "\"helo.sql\"", "`hello.sql`"),
    ("job::sql(\"a\", #{ sql: \"\" });", "sql.invalid", "\"\"", ""),
    ("job::sql(\"a\", #{ sql: \"SELECT 1\" });", "sql.invalid", "SELECT", "INSERT"),
    ("job::sql(\"a\", #{ sql: \"INSERT INTO t SELECT 'a\" });", "sql.invalid", "'a", ""),
    ("job::sql(\"a\", #{ sql: \"INSERT INTO t SELECT {{ topc }}\" });", "template.invalid", "topc", "`topic`"),
    (
        "job::sql(\"a\", #{ sql: \"INSERT INTO t SELECT {{ x }}\", vars: #{ y: time::now() } });",
        "template.invalid",
        "x }}",
        "",
    ),
    // What a run could not be replayed with, and imports.
    ("timestamp();", "script.banned", "timestamp", "time::now"),
    ("sleep(1);", "script.banned", "sleep", "time::sleep"),
    ("exit();", "script.banned", "exit", ""),
    ("eval(\"1\");", "script.banned", "eval", ""),
    ("import \"lib/utils\" as u;", "script.import", "\"lib/utils\"", ""),
    ("import \"../secret\" as u;", "script.import", "\"../secret\"", ""),
    ("import \"/etc/passwd\" as u;", "script.import", "\"/etc/passwd\"", ""),
    ("let p = \"lib/util\"; import p as u;", "script.syntax", "p as", ""),
    ("let f = || { import \"lib/util\" as u; u::twice(1) };", "script.syntax", "import", ""),
    ("import \"lib/util\" as u; fn twice(x) { x } let f = |x| twice(x);", "script.syntax", "twice(x);", ""),
    ("throw #{ code: \"x\" };", "script.syntax", "", ""),
    ("let x = 1 let y = 2;", "script.syntax", "let y", ""),
];

#[test]
fn each_mistake_is_found_once_with_its_place_and_what_was_meant() {
    let folder = workspace();
    let mut wrong = Vec::new();
    for (script, code, needle, hint) in BAD {
        write(folder.path(), "scripts/it.rhai", script);
        let report = checked(folder.path(), &["it"]);
        let [finding] = report.findings.as_slice() else {
            wrong.push(format!(
                "{script}\n  {} findings: {:?}",
                report.findings.len(),
                report.findings.iter().map(ToString::to_string).collect::<Vec<_>>()
            ));
            continue;
        };
        let column = finding.places().first().map_or(0, |place| place.column);
        let wanted = script.rfind(needle).map_or(0, |at| script[..at].chars().count() + 1);
        if finding.code().name != *code
            || (!needle.is_empty() && column != wanted)
            || !finding.hint_text().unwrap_or_default().contains(hint)
        {
            wrong.push(format!(
                "{script}\n  {} at {column} (wanted {code} at {wanted}): {finding}; {:?}",
                finding.code().name,
                finding.hint_text()
            ));
        }
    }
    assert!(BAD.len() >= 80);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn mistakes_in_templates_and_imports_stand_where_they_are() {
    let folder = workspace();
    for (script, code, file, line, column) in [
        ("job::sql(\"a\", #{ template: \"lone.sql\" });", "sql.invalid", "templates/lone.sql", 1, 1),
        ("job::sql(\"a\", #{ template: \"blank.sql\" });", "sql.invalid", "templates/blank.sql", 1, 0),
        ("job::sql(\"a\", #{ template: \"old.sql\" });", "sql.invalid", "templates/old.sql", 2, 9),
        ("job::sql(\"a\", #{ template: \"open.sql\" });", "sql.invalid", "templates/open.sql", 1, 22),
        ("job::sql(\"a\", #{ template: \"orders.sql\" });", "template.invalid", "templates/orders.sql", 1, 48),
        ("job::sql(\"a\", #{ template: \"outer.sql\" });", "template.invalid", "templates/orders.sql", 1, 48),
        ("job::sql(\"a\", #{ template: \"lost.sql\" });", "template.not_found", "templates/lost.sql", 1, 4),
        (
            "job::sql(\"a\", #{ template: \"orders.sql\", vars: #{ x: time::now() } });",
            "template.invalid",
            "templates/orders.sql",
            1,
            48,
        ),
        ("import \"lib/broken\" as b;", "script.syntax", "scripts/lib/broken.rhai", 1, 9),
        ("import \"lib/circle\" as c;", "script.import", "scripts/lib/circle.rhai", 1, 8),
        ("import \"lib/wrong\" as w;", "function.unknown", "scripts/lib/wrong.rhai", 1, 15),
        (
            "\n\njob::sql(\"a\", #{ sql: `\nINSERT INTO t\nSELECT {{ nowhere }}` });",
            "template.invalid",
            "scripts/it.rhai",
            5,
            11,
        ),
    ] {
        write(folder.path(), "scripts/it.rhai", script);
        let report = checked(folder.path(), &["it"]);
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|finding| {
                let place = finding.places()[0].clone();
                (finding.code().name, place.file, place.line, place.column)
            })
            .collect();
        assert_eq!(found, [(code, file.to_owned(), line, column)], "{script}");
    }
    write(folder.path(), "scripts/it.rhai", "job::sql(\"a\", #{ template: \"broken.sql\" });");
    let report = checked(folder.path(), &["it"]);
    assert_eq!(report.findings.len(), 1);
    assert_eq!(report.findings[0].places()[0].file, "templates/broken.sql");
}
