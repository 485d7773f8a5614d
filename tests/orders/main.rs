//! The shipped example on real systems: orders from a real Kafka broker, summed on a real Flink with connectors from Maven, upserted
//! into a real MariaDB, and compared with a count that knows nothing of SQL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what cannot run is told by name")]
#![allow(dead_code, reason = "the support is shared with tests that use more of it")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[path = "../support/broker.rs"]
mod broker;
#[path = "../support/database.rs"]
mod database;
#[path = "../support/workspace.rs"]
mod workspace;

use broker::Broker;
use database::Database;
use workspace::{Cluster, Workspace, until};

/// With a quote and a backslash: it travels through SQL, JSON and the log of a cluster.
const PASSWORD: &str = "s3cret-'of\\the-shop";
const ORDERS: u64 = 10_000;

/// What cannot run here is said by name; on the build machine that is a failure.
fn can_run(test: &str) -> bool {
    let programs = ["mvn", "java", "mariadbd", "mariadb-install-db", "mariadb"];
    let missing: Vec<&str> =
        programs.into_iter().filter(|name| Command::new(name).arg("--version").output().is_err()).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: no {}", missing.join(", "));
    eprintln!("NOT RUN: {test}: no {}", missing.join(", "));
    false
}

/// How many orders of a product there are, with quantity and revenue in cents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sales {
    orders: u64,
    quantity: u64,
    cents: u64,
}

/// The orders as JSON, and their sums by product, counted one by one.
fn orders() -> (Vec<String>, BTreeMap<String, Sales>) {
    let products = ["ale", "bread", "caviar", "d'Anjou", "eggs", "figs", "grüne Soße"];
    let (mut lines, mut sums, mut seed) = (Vec::new(), BTreeMap::<String, Sales>::new(), 20_261_126_u64);
    for id in 1..=ORDERS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let product = products[usize::try_from((seed >> 33) % 7).unwrap()];
        let (quantity, cents) = (1 + (seed >> 40) % 9, 5 + (seed >> 45) % 9_995);
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        lines.push(format!(
            "{{\"id\": {id}, \"product\": \"{product}\", \"quantity\": {quantity}, \"price\": {price}}}"
        ));
        let sales = sums.entry(product.to_owned()).or_default();
        *sales = Sales {
            orders: sales.orders + 1,
            quantity: sales.quantity + quantity,
            cents: sales.cents + quantity * cents,
        };
    }
    (lines, sums)
}

fn table(database: &Database) -> BTreeMap<String, Sales> {
    let rows = database
        .query("SET NAMES utf8mb4; SELECT product, orders, quantity, CAST(revenue * 100 AS UNSIGNED) FROM shop.sales");
    let number = |text: &String| text.parse().unwrap();
    rows.iter()
        .map(|row| {
            (row[0].clone(), Sales { orders: number(&row[1]), quantity: number(&row[2]), cents: number(&row[3]) })
        })
        .collect()
}

#[test]
fn orders_from_kafka_are_summed_into_a_database() {
    if !can_run("orders_from_kafka_are_summed_into_a_database") {
        return;
    }
    let (broker, database) = (Broker::start(), Database::start(&PASSWORD.replace('\\', "\\\\").replace('\'', "\\'")));
    database.query(
        "CREATE TABLE shop.sales (product VARCHAR(100) PRIMARY KEY, orders BIGINT, quantity BIGINT, revenue DECIMAL(20, 2)) CHARACTER SET utf8mb4",
    );
    let (lines, sums) = orders();
    broker.produce("orders", &lines);

    let workspace = Workspace::example("orders");
    let yaml = std::fs::read_to_string(workspace.path("tidegate.yaml")).unwrap();
    let here = yaml.replace("localhost:9092", &broker.address).replace("localhost:3306", &database.address);
    assert_ne!(here, yaml);
    workspace.write("tidegate.yaml", &format!("{here}\nsecrets:\n  DATABASE_PASSWORD: {{ file: password }}\n"));
    workspace.write("password", PASSWORD);
    std::fs::set_permissions(workspace.path("password"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let cluster = Cluster::up(workspace);
    let workspace = &cluster.workspace;

    a_dependency_that_is_left_out_is_named(&cluster);

    let lock = || std::fs::read_to_string(workspace.path("tidegate.lock")).ok();
    assert_eq!(lock(), None, "what is refused locks nothing");
    let planned = workspace.tidegate(&["plan", "orders"]);
    assert_eq!(planned.code, Some(4), "{planned}");
    assert!(planned.out.contains("`tidegate.lock` would change:"), "{planned}");
    assert_eq!(lock(), None, "a plan writes nothing: {planned}");
    let ran = workspace.tidegate(&["run", "orders"]).ok();
    assert!(ran.out.contains("orders: RUNNING, attempt 1"), "{ran}");
    until("the sums of all orders", || {
        let found = table(&database);
        (found.values().map(|sales| sales.orders).sum::<u64>() == ORDERS).then_some(())
    });
    assert_eq!(table(&database), sums);

    let lock = lock().unwrap();
    for text in ["flink-connector-kafka", "kafka-clients", "mysql-connector-j"] {
        assert!(lock.contains(text), "{text} is not in {lock}");
    }
    let again = workspace.tidegate(&["run", "orders", "--locked"]).ok();
    assert_eq!(again.out, ran.out);
    assert_eq!(cluster.listed("orders").len(), 1);
    nothing_holds_the_password(workspace);
    workspace.tidegate(&["cancel", "orders"]).ok();
}

/// Without the connector nothing is sent, and the artifact that is missing is named with the version for this Flink.
fn a_dependency_that_is_left_out_is_named(cluster: &Cluster) {
    let workspace = &cluster.workspace;
    let script = std::fs::read_to_string(workspace.path("scripts/orders.rhai")).unwrap();
    for artifact in
        ["org.apache.flink:flink-connector-jdbc:3.3.0-1.20", "org.apache.flink:flink-connector-kafka:3.4.0-1.20"]
    {
        let without: Vec<&str> = script.lines().filter(|line| !line.contains(artifact)).collect();
        workspace.script("without", &without.join("\n"));
        let refused = workspace.tidegate(&["run", "without"]);
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.err.contains(artifact) && refused.err.contains("templates/orders.sql:"), "{refused}");
    }
    assert!(cluster.listed("orders").is_empty());
    assert!(cluster.get("/jars")["files"].as_array().unwrap().is_empty(), "nothing was sent");
}

/// The state, its journal and what was printed hold `***` in its place.
fn nothing_holds_the_password(workspace: &Workspace) {
    let mut folders = vec![workspace.path(".tidegate")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                // What Flink itself keeps is Flink's: docs/templates.md says what stays visible there.
                if entry.file_name() != "clusters" {
                    folders.push(entry.path());
                }
                continue;
            }
            files += 1;
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(14).any(|bytes| bytes == b"s3cret-'of\\the"), "{}", entry.path().display());
            assert!(!bytes.windows(15).any(|bytes| bytes == b"s3cret-''of\\the"), "{}", entry.path().display());
        }
    }
    assert!(files > 3);
}
