//! What a Flink cluster has already, and what no running program needs: a job that brings it again gains nothing, and a
//! second copy of Flink's own classes breaks it.

use super::coordinates::Coordinates;

/// Flink's own artifacts in `flink-dist` and the other jars of `lib/`, without the Scala version in their names. The
/// Scala table API, the formats but CSV and JSON, and the shaded Hadoop are not among them.
///
/// Source: `META-INF/NOTICE` of `flink-dist` 1.20.5, and `lib/` of the distributions 1.17.2, 1.20.5 and 2.3.0. What is in one Flink
/// and not in another is left out for all of them.
const FLINK: &[&str] = &[
    "flink-annotations",
    "flink-cep",
    "flink-clients",
    "flink-connector-base",
    "flink-connector-datagen",
    "flink-connector-files",
    "flink-container",
    "flink-core",
    "flink-core-api",
    "flink-csv",
    "flink-datastream",
    "flink-datastream-api",
    "flink-dist",
    "flink-dstl-dfs",
    "flink-file-sink-common",
    "flink-format-common",
    "flink-hadoop-fs",
    "flink-java",
    "flink-json",
    "flink-kubernetes",
    "flink-metrics-core",
    "flink-optimizer",
    "flink-rpc-akka",
    "flink-rpc-akka-loader",
    "flink-rpc-core",
    "flink-runtime",
    "flink-runtime-web",
    "flink-scala",
    "flink-sql-gateway-api",
    "flink-sql-parser",
    "flink-statebackend-changelog",
    "flink-statebackend-common",
    "flink-statebackend-rocksdb",
    "flink-streaming-java",
    "flink-streaming-scala",
    "flink-table-api-bridge-base",
    "flink-table-api-java",
    "flink-table-api-java-bridge",
    "flink-table-api-java-uber",
    "flink-table-calcite-bridge",
    "flink-table-code-splitter",
    "flink-table-common",
    "flink-table-planner",
    "flink-table-planner-loader",
    "flink-table-runtime",
    "flink-table-type-utils",
    "flink-yarn",
];

/// Flink's repackaged libraries: all but Hadoop lie in `flink-dist`.
const SHADED: &str = "flink-shaded-";
const SHADED_HADOOP: &str = "flink-shaded-hadoop";

/// Logging: loaded from Flink's `lib/` first, whatever a job brings.
const LOGGING: &[(&str, &str)] = &[
    ("log4j", "log4j"),
    ("org.apache.logging.log4j", "log4j-1.2-api"),
    ("org.apache.logging.log4j", "log4j-api"),
    ("org.apache.logging.log4j", "log4j-core"),
    ("org.apache.logging.log4j", "log4j-slf4j-impl"),
    ("org.slf4j", "slf4j-api"),
];

/// Annotations that compilers read: the Java virtual machine ignores those that are missing.
const ANNOTATIONS: &[(&str, &str)] = &[
    ("com.github.spotbugs", "spotbugs-annotations"),
    ("com.google.code.findbugs", "jsr305"),
    ("com.google.errorprone", "error_prone_annotations"),
    ("com.google.j2objc", "j2objc-annotations"),
    ("org.checkerframework", "checker-qual"),
    ("org.codehaus.mojo", "animal-sniffer-annotations"),
    ("org.jetbrains", "annotations"),
];

/// Why a jar is left out of what travels with a job; none where it has to travel.
pub fn reason(coordinates: &Coordinates) -> Option<&'static str> {
    // The tests of an artifact, or its native parts, are another file than the one that Flink has.
    if !coordinates.is_jar() || coordinates.classifier.is_some() {
        return None;
    }
    let named = (coordinates.group.as_str(), coordinates.artifact.as_str());
    let is_flinks = coordinates.group == "org.apache.flink" && {
        let name = without_scala(&coordinates.artifact);
        FLINK.contains(&name) || (name.starts_with(SHADED) && !name.starts_with(SHADED_HADOOP))
    };
    if is_flinks || LOGGING.contains(&named) {
        Some("Flink has it")
    } else if ANNOTATIONS.contains(&named) {
        Some("only compilers need it")
    } else {
        None
    }
}

/// `flink-clients_2.12` is `flink-clients`.
fn without_scala(artifact: &str) -> &str {
    match artifact.rsplit_once("_2.") {
        Some((name, minor)) if !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => artifact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flink_has_is_left_out_and_nothing_else() {
        for (text, left_out) in [
            ("org.apache.flink:flink-connector-base:1.20.0", true),
            ("org.apache.flink:flink-clients_2.12:1.14.6", true),
            ("org.apache.flink:flink-table-planner_2.12:1.20.0", true),
            ("org.apache.flink:flink-shaded-guava:31.1-jre-17.0", true),
            ("org.slf4j:slf4j-api:2.0.9", true),
            ("com.google.code.findbugs:jsr305:3.0.2", true),
            ("org.apache.flink:flink-connector-kafka:3.4.0-1.20", false),
            ("org.apache.flink:flink-table-api-scala-bridge_2.12:1.20.0", false),
            ("org.apache.flink:flink-shaded-hadoop-2-uber:2.8.3-10.0", false),
            ("org.apache.flink:flink-streaming-java:jar:tests:1.20.0", false),
            ("org.apache.flink:flink-avro:1.20.0", false),
            ("org.scala-lang:scala-library:2.13.12", false),
            ("com.acme:flink-core:1", false),
        ] {
            assert_eq!(reason(&text.parse().unwrap()).is_some(), left_out, "{text}");
        }
    }

    #[test]
    fn the_lists_are_sorted_so_that_one_finds_what_is_there() {
        assert!(FLINK.is_sorted() && LOGGING.is_sorted() && ANNOTATIONS.is_sorted());
    }
}
