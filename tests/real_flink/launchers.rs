//! Many jobs of one jar by class name: `std/launcher` on a real Flink.

use super::workspace::{Cluster, Workspace};

const STYLES: &str = r#"
import "std/launcher" as launcher;

let jobs = [
    ["orders", "com.example.Orders", #{ rate: 10, topic: "orders" }, "--key value"],
    ["clicks", "com.example.Clicks", [["window", "5m"], ["dry", true]], "--key=value"],
    ["users", "com.example.Users", #{ names: ["a", "b"] }, "key=value"],
    ["payments", "com.example.Payments", ["eu", 7], "positional"],
    ["audit", "com.example.Audit", #{ limits: #{ most: 5 } }, "json"],
];
for job in jobs {
    let started = launcher::reflective("com.example.Launcher", job[1], job[2], #{ style: job[3] });
    let spec = job::jar(job[0], opts::merge(started, #{ jar: "jars/launcher.jar", parallelism: 1 }));
    print(`${job[0]} ${spec.execute(#{ timeout: "2m" }).state}`);
}
"#;

pub(crate) fn the_class_that_was_named_ran_with_its_options(cluster: &Cluster) {
    let workspace = Workspace::session("launchers", &cluster.url);
    let ended = workspace.tidegate(&["run", "launcher"]).ok();
    assert_eq!(ended.out.matches(": FINISHED, [").count(), 5, "{ended}");
    operators(
        cluster,
        &workspace,
        &[
            ("orders", "Orders <--rate|10|--topic|orders>"),
            ("clicks", "Clicks <--dry-run|true|--window|5m>"),
            ("users", "Users <--country|de|--country|fr>"),
            ("payments", "Payments <--currency|EUR|--limit|99.5>"),
            ("audit", "Audit <>"),
        ],
    );
    workspace.script("styles", STYLES);
    let ended = workspace.tidegate(&["run", "styles"]).ok();
    assert_eq!(ended.out.matches(" FINISHED\n").count(), 5, "{ended}");
    operators(
        cluster,
        &workspace,
        &[
            ("orders", "Orders <--rate|10|--topic|orders>"),
            ("clicks", "Clicks <--window=5m|--dry=true>"),
            ("users", "Users <names=a|names=b>"),
            ("payments", "Payments <eu|7>"),
            ("audit", r#"Audit <{"limits":{"most":5}}>"#),
        ],
    );
}

/// Every class of the jar that is a job runs, and what came and went since the last time is told.
pub(crate) fn every_job_of_a_module_is_deployed(cluster: &Cluster) {
    let workspace = Workspace::session("module", &cluster.url);
    workspace.script("before", "state::set(\"module/classes\", [\"com.example.Audit\", \"com.example.Old\"]);\n");
    workspace.tidegate(&["run", "before"]).ok();
    let ended = workspace.tidegate(&["run", "module"]).ok();
    let told = ended.err.clone();
    assert_eq!(told.matches("new in the module: com.example.").count(), 4, "{ended}");
    assert!(told.contains("gone from the module: com.example.Old; "), "{ended}");
    assert!(told.contains("`tidegate remove old`") && !told.contains("Audit"), "{ended}");
    let names = ["audit", "clicks", "orders", "payments", "users"];
    let lines: Vec<&str> = ended.out.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(lines, names);
    operators(cluster, &workspace, &[("orders", "Orders <--rate|10|--topic|orders>"), ("users", "Users <>")]);
    // Nothing came or went since, and what has finished is left alone.
    let again = workspace.tidegate(&["run", "module"]).ok();
    assert!(!again.err.contains("the module") && again.out == ended.out, "{again}");
    let script = "import \"std/launcher\" as launcher;\n\
        launcher::reflective(\"com.example.Launcher\", \"com.exmaple.Orders\", #{}, #{ jar: \"jars/launcher.jar\" });\n";
    workspace.script("misspelt", script);
    let refused = workspace.tidegate(&["run", "misspelt"]);
    assert!(refused.err.contains("there is no class `com.exmaple.Orders`"), "{refused}");
    assert!(refused.err.contains("did you mean `com.example.Orders`?"), "{refused}");
}

/// Checks that each job has an operator of this name, which its class makes of its own name and its options.
fn operators(cluster: &Cluster, workspace: &Workspace, expected: &[(&str, &str)]) {
    for (name, operator) in expected {
        let id = workspace.job(name)["id"].as_str().unwrap().to_owned();
        let job = cluster.get(&format!("/jobs/{id}"));
        let names: Vec<&str> =
            job["vertices"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
        // Flink shows names escaped for HTML in its plan, and as they are here.
        let shown = names.join(" ").replace("&lt;", "<").replace("&gt;", ">");
        assert!(shown.contains(operator), "{name}: {operator} is not in {shown}");
    }
}
