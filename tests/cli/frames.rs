//! Errors that went a long way: through functions, files, closures, scopes and templates. Every place on the way is shown.

use insta::assert_snapshot;

use super::Workspace;

#[test]
fn errors_name_every_place_on_their_way() {
    let workspace = Workspace::idle();
    workspace.write(
        "scripts/lib/inner.rhai",
        "fn find(name) {\n    job::get(name)\n}\nfn each(names) {\n    names.map(|name| job::get(name))\n}\nfn apply(work) {\n    work.call()\n}\n",
    );
    workspace.write(
        "scripts/lib/outer.rhai",
        "import \"./inner\" as inner;\nfn newest(name) {\n    let found = inner::find(name);\n    found\n}\nfn tolerant(name) {\n    try {\n        inner::find(name);\n    } catch (e) {\n        log::warn(e.message);\n        throw e;\n    }\n}\nfn renamed(name) {\n    try {\n        inner::find(name);\n    } catch (e) {\n        throw `there is no such job: ${e.message}`;\n    }\n}\n",
    );
    // Waits until all have begun: a branch that has not begun when another one fails is left out.
    workspace.write(
        "scripts/lib/meet.rhai",
        "fn all(name, names) {\n    state::set(`begun/${name}`, true);\n    for other in names {\n        while state::get(`begun/${other}`) == () { time::sleep(\"5ms\"); }\n    }\n}\n",
    );
    workspace.write("templates/outer.sql", "CREATE TABLE a (x INT);\n{% include \"inner.sql\" %}\n");
    workspace.write("templates/inner.sql", "-- one line\nINSERT INTO a SELECT {{ missing }};\n");
    workspace.write(
        "templates/macro.sql",
        "{% macro column(name) %}\n  {{ name }} {{ nothing }}\n{% endmacro %}\nCREATE TABLE a (\n{{ column(\"x\") }}\n);\n",
    );
    workspace.write("templates/absent.sql", "SELECT 1;\n{% include \"nowhere.sql\" %}\n");
    let outer = "import \"lib/outer\" as outer;\n";
    let inner = "import \"lib/inner\" as inner;\n";
    for (name, script) in [
        (
            "frames_host_error",
            format!("{outer}\nfn deploy(name) {{\n    outer::newest(name)\n}}\ndeploy(\"orders\");\n"),
        ),
        ("frames_closure_of_a_module", format!("{inner}inner::each([\"orders\"]);\n")),
        ("frames_closure_given_to_a_module", format!("{inner}inner::apply(|| job::get(\"orders\"));\n")),
        ("frames_rethrown", format!("{outer}outer::tolerant(\"orders\");\n")),
        ("frames_thrown_anew", format!("{outer}outer::renamed(\"orders\");\n")),
        ("frames_step", format!("{outer}run::step(\"look\", || outer::newest(\"orders\"));\n")),
        ("frames_parallel", format!("{outer}run::parallel([\n    || 1,\n    || outer::newest(\"orders\"),\n]);\n")),
        (
            "frames_parallel_two",
            format!(
                "{outer}import \"lib/meet\" as meet;\nlet names = [\"orders\", \"clicks\"];\nrun::parallel_map(names, |name| {{\n    meet::all(name, names);\n    outer::newest(name)\n}});\n"
            ),
        ),
        (
            "frames_retry",
            format!("{outer}run::retry(#{{ attempts: 2, delay: \"1ms\" }}, || outer::newest(\"orders\"));\n"),
        ),
        ("frames_defer", format!("{outer}run::defer(|| outer::newest(\"orders\"));\nprint(\"done\");\n")),
        ("frames_template_include", "sql::render(\"outer.sql\", #{});\n".to_owned()),
        ("frames_template_macro", "sql::render(\"macro.sql\", #{});\n".to_owned()),
        ("frames_template_absent", "sql::render(\"absent.sql\", #{});\n".to_owned()),
        // What is known before anything runs is found by the check; the same at run time:
        (
            "frames_template_at_run_time",
            "let vars = #{};\nvars.other = 1;\nsql::render(\"outer.sql\", vars);\n".to_owned(),
        ),
    ] {
        assert_snapshot!(name, workspace.script(&script));
    }
}
