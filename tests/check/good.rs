//! Scripts that are right, and what only a run can tell of them.

use std::path::Path;

use tidegate::script::catalog::chapters;

use super::{checked, workspace, write};

const GOOD: &[&str] = &[
    "let s = \"a\"; s.trim(); print(s.len);",
    "let list = [3, 1]; list.sort(|a, b| a - b); list.push(1); print(list.len());",
    "let list = [1, 2].map(|x| x * 2).filter(|x| x > 2); print(list[0]);",
    "let m = #{ f: |x| x + 1 }; print(m.f.call(1)); m.f(1);",
    "fn f(job) { job.anything }  f(#{ anything: 1 });",
    "fn f(x) { x.deploy() } f(job::sql(\"a\", #{ template: \"hello.sql\" }));",
    "let f = Fn(\"twice\"); fn twice(x) { x * 2 } print(f.call(2));",
    "fn twice(x) { x * 2 } let f = twice; print(f.call(2));",
    "let x = 5; x = \"now a text\"; print(x.to_upper());",
    "let job = (); for j in job::find() { job = j; } if job != () { job.cancel(); }",
    "let options = #{ template: \"hello.sql\" }; options.parallelism = 2; job::sql(\"a\", options);",
    "let options = #{}; options[\"template\"] = \"hello.sql\"; job::sql(\"a\", options);",
    "job::sql(\"a\", opts::merge(#{ template: \"hello.sql\" }, #{ parallelism: 2 }));",
    "job::sql(\"a\", #{ template: \"orders.sql\", vars: #{ connector: \"x\" } });",
    "job::sql(\"a\", #{ template: \"orders.sql\", vars: #{ connector: time::now() } });",
    "let v = #{}; v.connector = \"x\"; job::sql(\"a\", #{ template: \"orders.sql\", vars: v });",
    "for n in 0..3 { job::sql(`a${n}`, #{ template: \"hello.sql\" }).deploy(); }",
    "let name = if env::name() == \"local\" { \"hello.sql\" } else { \"report.sql\" }; sql::render(name);",
    "env::var(\"only_local\", \"otherwise\");",
    "if env::name() == \"local\" { print(env::var(\"only_local\")); }",
    "if env::name() != \"staging\" { return; } print(env::var(\"only_staging\"));",
    "let x = \"only_local\" in env::vars() && env::var(\"only_local\") == \"x\"; print(x);",
    "switch env::name() { \"staging\" => print(env::var(\"only_staging\")), _ => () }",
    "fn staging() { env::var(\"only_staging\") } if env::name() == \"staging\" { print(staging()); }",
    "let v = try_it(); fn try_it() { try { return env::var(\"nowhere\"); } catch { return 1; } }",
    "try { job::sql(\"a\", #{ template: \"perhaps.sql\" }).deploy(); } catch (e) { print(e.code); }",
    "if env::name() == \"staging\" { job::sql(\"a\", #{ sql: \"INSERT INTO t SELECT {{ only_staging }}\" }); }",
    "print(env::var(\"topic\").to_upper());",
    "let secret = env::secret(\"SOMETHING_ELSE\"); print(\"x\" + secret);",
    "try { flink::overview(); } catch (e) { print(e.code); print(e.message); print(e.hint); throw e; }",
    "import \"lib/util\" as u; print(u::twice(2));",
    "import \"std/jobs\" as jobs; jobs::deploy_and_wait(job::sql(\"a\", #{ template: \"hello.sql\" }), \"1m\");",
    "switch env::name() { \"local\" => print(1), \"prod\" => print(2), _ => () }",
    "let text = `${env::name()}-${1 + 1}`; print(text);",
    "const TTL = \"36h\"; fn f() { global::TTL } print(f());",
    "let a = [1, [2, 3]]; print(a[1][0]); let m = #{ a: [#{ b: 1 }] }; print(m.a[0].b);",
    "let rows = files::csv(\"data/*.csv\"); rows.sort(|a, b| b.days - a.days); table::show(rows, [\"city\"]);",
    "let done = job::sql(\"a\", #{ template: \"hello.sql\", mode: \"batch\" }).execute(#{ timeout: \"1h30m\" }); print(done.state);",
    "run::parallel_map([\"a\"], |name| job::sql(name, #{ template: \"hello.sql\" }).deploy(), #{ max: 2 });",
    "let v = run::retry(#{ attempts: 2, delay: \"1s\", on: [\"flink.unreachable\"] }, || flink::overview()); print(v[\"slots-total\"]);",
    "fn options() { let all = #{ a: params::int(1) }; all } print(params::get(\"a\") + 1);",
    "fn options() { #{ \"a\": params::int(1) } } print(params::get(\"a\"));",
    "job::sql(\"a\", #{ template: \"hello.sql\", checkpointing: (), tags: [], options: #{ x: 1, y: true, z: \"s\" } });",
    "let x = job::get(\"a\"); let x = \"a text\"; print(x.to_upper());",
    "fn on(job) { switch job.state { \"FAILED\" => job.exceptions(), _ => [] } }",
    "let total = 0; for (item, index) in [1, 2] { total += item * index; } print(total);",
    "loop { if true { break; } } do { } while false;",
    "job::jar(\"a\", #{ jar: \"jars/count.jar\", main_class: \"X\", args: [\"--rate\", 10, env::secret(\"P\")] });",
    "let list = [\"b\"]; list.insert(0, \"a\"); print(list.contains(\"a\") || \"a\" in list);",
    "let x = #{ a: 1 }; print(x.get(\"b\") ?? 2); print(x.keys().len()); print(\"a\" in x);",
    "let blob = blob(4, 0); blob.push(1); print(blob.len());",
    "print(1.5.floor()); print((2.0).to_int()); print(\"5\".parse_int() + parse_int(\"6\"));",
    "let p = |x| x; print(p.call(1)); print(call(p, 1));",
    "fn this_is() { this.x } let m = #{ x: 1 }; print(m.this_is());",
    "debug(1); print(type_of(1)); print(is_def_fn(\"f\", 1));",
    "let s = \"a,b\"; let parts = s.split(\",\"); print(parts.len()); print(s[0]); print(s[0..1]); print(s.sub_string(0, 1));",
    "assert::equal([1], [1]); assert::that(true); log::info(\"x\");",
    "let text = files::read(\"data/days.csv\"); for line in text.split(\"\\n\") { print(line); }",
];

#[test]
fn good_scripts_give_no_alarm() {
    let folder = workspace();
    for script in GOOD {
        quiet(folder.path(), "it", script);
    }
    assert!(GOOD.len() >= 50);
}

#[test]
fn every_example_and_every_shipped_script_gives_no_alarm() {
    let folder = workspace();
    let mut count = 0;
    for entry in chapters().unwrap().into_iter().flat_map(|chapter| chapter.entries) {
        for example in &entry.examples {
            count += 1;
            // The examples use variables of the library's file.
            let script = example.replace("orders.sql", "hello.sql");
            let report_of = |script: &str| {
                write(folder.path(), "scripts/it.rhai", script);
                checked(folder.path(), &["it"])
            };
            let report = report_of(&script);
            assert!(report.findings.is_empty(), "{}: {script}\n{:?}", entry.name, report.findings);
        }
    }
    assert!(count > 50, "{count}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["scripts/quickstart.rhai", "scripts/streaming.rhai"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        for template in ["quickstart.sql", "streaming.sql"] {
            let text = std::fs::read_to_string(root.join("templates").join(template)).unwrap();
            write(folder.path(), &format!("templates/{template}"), &text);
        }
        write(folder.path(), "scripts/it.rhai", &text.replace("env::var(\"first_year\")", "2012"));
        let report = checked(folder.path(), &["it"]);
        assert!(report.findings.is_empty(), "{name}: {:?}", report.findings);
    }
    for name in tidegate::script::stdlib::names() {
        quiet(folder.path(), "copy", tidegate::script::stdlib::text(name).unwrap());
    }
}

#[test]
fn what_only_a_run_can_tell_is_said() {
    let folder = workspace();
    for (script, reason) in [
        ("sql::render(time::now());", "names of templates that are computed"),
        ("env::var(time::now());", "names of variables that are computed"),
        (
            "job::sql(\"a\", #{ template: \"hello.sql\", vars: env::vars() });",
            "variables of templates that are computed",
        ),
        ("job::sql(\"a\", env::vars());", "options that are computed"),
        ("job::sql(\"a\", #{ sql: time::now() });", "SQL texts that are computed"),
    ] {
        write(folder.path(), "scripts/it.rhai", script);
        let report = checked(folder.path(), &["it"]);
        assert!(report.findings.is_empty(), "{script}: {:?}", report.findings);
        assert!(report.not_checked.contains_key(reason), "{script}: {:?}", report.not_checked);
    }
}

#[track_caller]
fn quiet(folder: &Path, name: &str, script: &str) {
    write(folder, &format!("scripts/{name}.rhai"), script);
    let report = checked(folder, &[name]);
    assert!(report.findings.is_empty(), "{script}\n{:?}", report.findings);
}
