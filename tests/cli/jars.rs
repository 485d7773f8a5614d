//! What somebody gets who looks into a jar, and whose jars do not go together.

use insta::assert_snapshot;
use tidegate::drivers::payload::stored_jar;

use super::Workspace;
use super::class_writer::{ClassWriter, Gives};
use super::support::fake_flink::FakeFlink;

const FACTORIES: &str = "META-INF/services/org.apache.flink.table.factories.Factory";

fn jar(workspace: &Workspace, name: &str, classes: &[ClassWriter], others: &[(&str, &str)]) {
    let mut entries: Vec<(String, Vec<u8>)> = classes.iter().map(ClassWriter::entry).collect();
    entries.extend(others.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())));
    let path = workspace.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, stored_jar(&entries).unwrap()).unwrap();
}

/// A table factory, for reading and writing.
fn factory(class: &str, identifier: &str) -> ClassWriter {
    ClassWriter::new(class)
        .implements("org.apache.flink.table.factories.DynamicTableSourceFactory")
        .implements("org.apache.flink.table.factories.DynamicTableSinkFactory")
        .text("factoryIdentifier", Gives::Literal(identifier.to_owned()))
}

fn jobs() -> Vec<ClassWriter> {
    vec![
        ClassWriter::new("com.acme.jobs.UserBehavior").access(0x601),
        ClassWriter::new("com.acme.jobs.Clicks").implements("com.acme.jobs.UserBehavior").main(),
        ClassWriter::new("com.acme.jobs.LateClicks").extends("com.acme.jobs.Clicks").annotated("com.acme.Nightly"),
        ClassWriter::new("com.acme.jobs.Quiet"),
    ]
}

#[test]
fn a_jar_is_looked_into() {
    let workspace = Workspace::idle();
    let manifest = "Manifest-Version: 1.0\r\nMain-Class: com.acme.jobs.Clicks\r\nBuilt-By: ci\r\n\r\n";
    let services = "# ours\ncom.acme.One # first\ncom.acme.Two\n";
    jar(
        &workspace,
        "jars/jobs.jar",
        &jobs(),
        &[("META-INF/MANIFEST.MF", manifest), ("META-INF/services/a.Service", services)],
    );
    assert_snapshot!(
        "jar_open",
        workspace.script(
            "let jar = jar::open(\"jars/jobs.jar\");\nprint(jar.path);\nprint(jar.sha256.len());\nprint(jar.main_class);\n\
             print(jar.manifest[\"Built-By\"]);\nprint(jar.classes());\nprint(jar.classes(#{ implements: \"UserBehavior\" }));\n\
             print(jar.classes(#{ implements: \"com.acme.jobs.UserBehavior\", annotated_with: \"Nightly\" }));\n\
             print(jar.classes(#{ extends: \"Clicks\" }));\nprint(jar.classes(#{ in_package: \"com.acme\", abstract: true }).len());\n\
             print(jar.has_main(\"com.acme.jobs.LateClicks\"));\nprint(jar.has_main(\"com.acme.jobs.Quiet\"));\n\
             print(jar.services(\"a.Service\"));\n\
             let job = job::jar(\"clicks\", #{ jar: jar, jars: [jar] });\nprint(job.name);\n"
        )
    );
    let classes =
        |options: &str| workspace.script(&format!("print(jar::open(\"jars/jobs.jar\").classes(#{{ {options} }}));"));
    assert_snapshot!("jar_unknown_option", classes("implement: \"UserBehavior\""));
    assert_snapshot!("jar_misspelt_class", classes("implements: \"UserBehaviour\""));
    assert_snapshot!("jar_misspelt_package", classes("in_package: \"com.acem.jobs\""));
    jar(&workspace, "jars/other.jar", &[ClassWriter::new("com.other.Late").extends("com.acme.jobs.Clicks")], &[]);
    let other = |more: &str| {
        workspace.script(&format!(
            "print(jar::open(\"jars/other.jar\").classes(#{{ implements: \"UserBehavior\"{more} }}));"
        ))
    };
    assert!(other("").contains("\n[]\n"), "{}", other(""));
    let found = other(", class_path: [\"jars/jobs.jar\"]");
    assert!(found.contains("[\"com.other.Late\"]"), "{found}");
    jar(&workspace, "jars/kafka.jar", &[factory("a.Kafka", "kafka")], &[]);
    let found =
        workspace.script("print(jar::open(\"jars/kafka.jar\").classes(#{ implements: \"DynamicTableFactory\" }));");
    assert!(found.contains("[\"a.Kafka\"]"), "{found}");
    assert_snapshot!(
        "jar_no_main",
        workspace.script("job::jar(\"quiet\", #{ jar: \"jars/jobs.jar\", main_class: \"com.acme.jobs.Quiet\" });")
    );
    for (name, given) in [
        ("launcher_misspelt", "\"com.acme.jobs.Clikcs\", #{}, #{ jar: \"jars/jobs.jar\" }"),
        ("launcher_other_package", "\"com.acme.Quiet\", #{}, #{ jar: \"jars/jobs.jar\" }"),
        ("launcher_option", "\"com.acme.jobs.Quiet\", #{}, #{ jars: [] }"),
    ] {
        let script = format!(
            "launch();\n\nfn launch() {{\n    import \"std/launcher\" as launcher;\n    launcher::reflective(\"com.acme.Start\", {given});\n}}\n"
        );
        assert_snapshot!(name, workspace.script(&script));
    }
    let printed = workspace.script("let jar = jar::open(\"jars/jobs.jar\");\nprint(jar);\nprint([jar]);");
    assert!(
        printed.contains("\njar `jars/jobs.jar` of ") && printed.contains("\n[jar `jars/jobs.jar` of "),
        "{printed}"
    );
    let help = workspace.tidegate(&["help"]);
    assert!(help.contains("exit code: 0") && help.contains("Usage: tidegate"), "{help}");
    assert_snapshot!("thrown_code", workspace.script("throw #{ code: \"orders.stale\", message: \"data is old\" };"));
    assert!(workspace.tidegate(&["explain", "launcher.class"]).contains("exit code: 0"));
    workspace.write("jars/page.jar", "<html>404</html>");
    assert_snapshot!("jar_is_a_page", workspace.script("jar::open(\"jars/page.jar\");"));
    assert_snapshot!("jar_wrong_value", workspace.script("job::jar(\"x\", #{ jar: 12 });"));
    let gone = "fn gone(hash) {\n    let gone = #{ path: \"jobs/target/jobs.jar\", sha256: hash, bytes: 12 };\n    gone[\"$tidegate\"] = \"artifact/1\";\n    gone\n}\n";
    let gone = format!("{gone}job::jar(\"x\", #{{ jar: gone(\"{}\") }});\n", "0".repeat(64));
    assert_snapshot!("artifact_was_pruned", workspace.script(&gone));
}

#[test]
fn a_resumed_run_keeps_to_the_jar_that_it_opened() {
    let workspace = Workspace::idle();
    jar(&workspace, "jars/jobs.jar", &jobs(), &[]);
    let script = "let jar = jar::open(\"jars/jobs.jar\");\nrun::approve(\"go on?\");\nprint(jar.classes(#{ extends: \"Clicks\" }));\n";
    assert!(workspace.script(script).contains("exit code: 3"));
    jar(&workspace, "jars/jobs.jar", &jobs()[..2], &[]);
    let resumed = workspace.tidegate(&["approve", "r1", "--as", "Ann"]);
    assert!(resumed.contains("[\"com.acme.jobs.LateClicks\"]"), "{resumed}");
    let anew = workspace.script("print(jar::open(\"jars/jobs.jar\").classes(#{ extends: \"Clicks\" }));");
    assert!(anew.contains("\n[]\n"), "{anew}");
}

/// A workspace with a SQL job of these tables, and what a plan and a deploy of it say.
fn staged(flink: &FakeFlink, connector: &str) -> Workspace {
    let workspace = Workspace::on(&flink.url());
    workspace.write(
        "templates/orders.sql",
        &format!(
            "CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\n\nCREATE TABLE k (i INT) WITH (\n  {connector}\n);\nINSERT INTO k SELECT i FROM s;\n"
        ),
    );
    workspace
}

const KAFKA: &str = "'connector' = 'kafka',\n  'value.format' = 'avro'";

const JDBC: &str = "'connector' = 'jdbc',\n  'url' = 'jdbc:mysql://db/orders'";

fn deploy(workspace: &Workspace, jars: &str) -> String {
    workspace.script(&format!("job::sql(\"orders\", #{{ template: \"orders.sql\", jars: [{jars}] }}).deploy();"))
}

#[test]
fn a_connector_that_nobody_brings() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink, KAFKA);
    assert_snapshot!("connector_missing", deploy(&workspace, ""));
    assert_snapshot!("connector_missing_in_a_plan", workspace.tidegate(&["plan", "it"]));
    assert_snapshot!("connector_misspelt", deploy(&staged(&flink, "'connector' = 'blackhol'"), ""));
    let workspace = staged(&flink, JDBC);
    jar(&workspace, "jars/jdbc.jar", &[factory("a.Jdbc", "jdbc")], &[(FACTORIES, "a.Jdbc\n")]);
    assert_snapshot!("driver_missing", deploy(&workspace, "\"jars/jdbc.jar\""));
    // Nothing was sent.
    assert!(flink.executions().is_empty());
    assert_eq!(flink.count("POST", "/jars"), 0);
}

#[test]
fn a_connector_that_a_jar_or_the_cluster_brings() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink, KAFKA);
    let avro = ClassWriter::new("a.Avro")
        .implements("org.apache.flink.table.factories.DeserializationFormatFactory")
        .text("factoryIdentifier", Gives::Constant("avro".to_owned()));
    let classes = [factory("a.Kafka", "kafka"), avro];
    jar(&workspace, "jars/kafka.jar", &classes, &[(FACTORIES, "a.Kafka\na.Avro\n")]);
    let said = deploy(&workspace, "\"jars/kafka.jar\"");
    assert!(said.contains("exit code: 0") && !said.contains("warning"), "{said}");
    // What was read of the jar is kept beside it.
    let kept = std::fs::read_dir(workspace.path().join(".tidegate/artifacts")).unwrap();
    assert!(kept.flatten().any(|entry| entry.path().extension().is_some_and(|end| end == "facts")));

    let lib = |names: &[&str]| Some(names.iter().map(|name| format!("/opt/flink/lib/{name}")).collect());
    let said = |connector: &str, class_path: Option<Vec<String>>| {
        let flink = FakeFlink::start();
        flink.with(|cluster| cluster.class_path = class_path);
        deploy(&staged(&flink, connector), "")
    };
    let foreign = lib(&["flink-dist-1.20.5.jar", "acme-1.0.jar"]);
    assert_snapshot!("connector_may_be_in_a_jar_of_the_cluster", said(KAFKA, foreign));
    assert_snapshot!("connector_of_a_cluster_that_does_not_tell", said(KAFKA, None));
    let silent = |connector: &str, names: &[&str]| {
        let said = said(connector, lib(names));
        assert!(said.contains("exit code: 0") && !said.contains("warning"), "{said}");
    };
    silent(KAFKA, &["flink-sql-connector-kafka-3.4.0-1.20.jar", "flink-sql-avro-1.20.5.jar"]);
    silent(JDBC, &["flink-connector-jdbc-3.3.0-1.20.jar", "mysql-connector-j-8.4.0.jar"]);
}

#[test]
fn two_factories_of_one_name() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink, "'connector' = 'kafka'");
    jar(&workspace, "jars/one.jar", &[factory("a.Kafka", "kafka")], &[(FACTORIES, "a.Kafka\n")]);
    jar(&workspace, "jars/two.jar", &[factory("b.Kafka", "kafka")], &[(FACTORIES, "b.Kafka\n")]);
    assert_snapshot!("connector_ambiguous", deploy(&workspace, "\"jars/one.jar\", \"jars/two.jar\""));
    assert!(flink.executions().is_empty());
}

#[test]
fn jars_that_do_not_go_together() {
    let flink = FakeFlink::start();
    let workspace = staged(&flink, "'connector' = 'print'");
    let pom = |version: &str| format!("groupId=com.acme\nartifactId=udf\nversion={version}\n");
    let classes = |version: u16| {
        [
            ClassWriter::new("a.Udf").version(version),
            ClassWriter::new("a.Other").version(version),
            ClassWriter::new("a.Same"),
        ]
    };
    let entry = "META-INF/maven/com.acme/udf/pom.properties";
    jar(&workspace, "jars/udf-1.0.jar", &classes(52), &[(entry, &pom("1.0"))]);
    jar(&workspace, "jars/udf-1.1.jar", &classes(55), &[(entry, &pom("1.1"))]);
    let jars = "\"jars/udf-1.0.jar\", \"jars/udf-1.1.jar\"";
    assert_snapshot!("jars_clash", deploy(&workspace, jars));
    // Nothing is sent, so nothing is said.
    let again = deploy(&workspace, jars);
    assert!(!again.contains("warning"), "{again}");
    let flink = FakeFlink::start();
    let other = staged(&flink, "'connector' = 'print'");
    jar(&other, "jars/udf-1.0.jar", &classes(52), &[(entry, &pom("1.0"))]);
    jar(&other, "jars/udf-1.1.jar", &classes(55), &[(entry, &pom("1.1"))]);
    other.write(
        "scripts/it.rhai",
        &format!("job::sql(\"orders\", #{{ template: \"orders.sql\", jars: [{jars}] }}).deploy();"),
    );
    assert_snapshot!("jars_clash_in_a_plan", other.tidegate(&["plan", "it"]));
}

/// The cluster runs Java 17: a jar for a newer one costs the running job nothing, and neither does it start anything.
#[test]
fn a_jar_for_a_newer_java_than_the_clusters_takes_no_job_down() {
    let flink = FakeFlink::start();
    let workspace = Workspace::on(&flink.url());
    let built = |main: u16, job: u16| {
        let classes =
            [ClassWriter::new("com.acme.Start").version(main).main(), ClassWriter::new("com.acme.Orders").version(job)];
        // Never loaded by Java 17.
        let newer = ClassWriter::new("com.acme.Start").version(67).main().bytes();
        let path = workspace.path().join("jars/up.jar");
        let mut entries: Vec<(String, Vec<u8>)> = classes.iter().map(ClassWriter::entry).collect();
        entries.push(("META-INF/versions/23/com/acme/Start.class".to_owned(), newer));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, stored_jar(&entries).unwrap()).unwrap();
    };
    let script = "job::jar(\"up\", #{ jar: \"jars/up.jar\", main_class: \"com.acme.Start\", args: [\"com.acme.Orders\", \"1.5\"] }).deploy();\n";
    built(61, 55);
    assert!(workspace.script(script).contains("exit code: 0"));
    for (main, job, class) in [(65, 52, "com.acme.Start"), (52, 65, "com.acme.Orders")] {
        built(main, job);
        let planned = workspace.tidegate(&["plan", "it"]);
        assert!(planned.contains("BLOCKED") && planned.contains("error[java.too_old]"), "{planned}");
        let ended = workspace.script(script);
        let message =
            format!("error[java.too_old]: `up`: the class `{class}` was built for Java 21, and `shared` runs Java 17");
        assert!(ended.contains(&message), "{ended}");
        assert!(ended.contains("compile with `--release 17`") && ended.contains("Java 21 or newer"), "{ended}");
    }
    assert_eq!((flink.count("POST", "/run"), flink.count("POST", "/stop")), (1, 0));
    // A cluster that does not tell its Java refuses nothing, and one with a newer Java nothing either.
    flink.with(|cluster| cluster.class_path = None);
    assert!(workspace.tidegate(&["plan", "it"]).contains("UPGRADE"));
    flink.with(|cluster| {
        cluster.class_path = Some(Vec::new());
        cluster.java = 21;
    });
    let planned = workspace.tidegate(&["plan", "it"]);
    assert!(planned.contains("UPGRADE") && !planned.contains("BLOCKED"), "{planned}");
}

/// A launcher that is given a class of which it can never make an object.
#[test]
fn a_launcher_is_told_why_its_class_will_not_do() {
    let workspace = Workspace::idle();
    jar(
        &workspace,
        "jars/jobs.jar",
        &[
            ClassWriter::new("com.acme.jobs.Job").access(0x601),
            ClassWriter::new("com.acme.jobs.Abst").access(0x421).implements("com.acme.jobs.Job"),
            ClassWriter::new("com.acme.jobs.Real").extends("com.acme.jobs.Abst"),
            ClassWriter::new("com.acme.jobs.Takes").constructor(1, "I"),
        ],
        &[],
    );
    let launch = |class: &str| {
        workspace.script(&format!(
            "import \"std/launcher\" as launcher;\nprint(launcher::reflective(\"com.acme.Start\", \"com.acme.jobs.{class}\", #{{}}, #{{ jar: \"jars/jobs.jar\" }}).args);\n"
        ))
    };
    let said = launch("Abst");
    assert!(said.contains("no job can be made of `com.acme.jobs.Abst` in `jars/jobs.jar`: it is abstract"), "{said}");
    assert!(said.contains("hint: name one that extends it: com.acme.jobs.Real"), "{said}");
    let said = launch("Job");
    assert!(said.contains("`com.acme.jobs.Job` in `jars/jobs.jar`: it is an interface"), "{said}");
    assert!(said.contains("hint: name one that implements it: com.acme.jobs.Real"), "{said}");
    // Its launcher may give it what its constructor takes.
    assert!(launch("Takes").contains("[\"com.acme.jobs.Takes\"]"));
    let obstacles = workspace.script(
        "let jar = jar::open(\"jars/jobs.jar\");\nprint(jar.obstacle(\"com.acme.jobs.Takes\"));\nassert::that(jar.obstacle(\"com.acme.jobs.Real\") == ());\nprint(jar.classes());\n",
    );
    assert!(obstacles.contains("it has no constructor without arguments\n[\"com.acme.jobs.Real\"]"), "{obstacles}");
}
