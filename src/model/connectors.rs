//! Which connectors and formats there are for Flink's SQL, which Flink has itself, and which artifact brings the others.
//!
//! Each version was looked up with Maven by its name. Where none is given, none was: the artifact is named alone.

/// What a table asks the class path for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The number of the statement.
    pub statement: usize,
    /// The table's last name.
    pub table: String,
    /// Whether it is a connector or a format.
    pub asks: Asks,
    /// What it is called.
    pub identifier: String,
    /// The connector of the table.
    pub connector: String,
    /// The `url` of the table, beside its connector.
    pub url: Option<String>,
    /// Whether the table names the class of its JDBC driver itself.
    pub names_driver: bool,
    /// The line of the value in the statement, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
}

/// Connector or format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// `'connector' = ...`.
    Connector,
    /// `'format' = ...` and its like.
    Format,
}

impl Asks {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connector => "connector",
            Self::Format => "format",
        }
    }
}

/// What Flink has itself, from 1.17 to 2.3.
pub const OF_FLINK: &[&str] = &[
    "blackhole",
    "canal-json",
    "csv",
    "datagen",
    "debezium-json",
    "filesystem",
    "json",
    "maxwell-json",
    "ogg-json",
    "print",
    "python-input-format",
    "raw",
];

/// Where versions come from.
enum Versions {
    /// For each minor version of Flink.
    Of(&'static [(&'static str, &'static str)]),
    /// One for all.
    Any(&'static str),
    /// That of Flink itself.
    Flinks,
    /// Not known here.
    Unknown,
}

struct Known {
    identifiers: &'static [&'static str],
    /// `group:artifact`.
    artifact: &'static str,
    versions: Versions,
    /// Whether `format` names one of Flink's formats.
    formats: bool,
}

const fn connector(
    identifiers: &'static [&'static str],
    artifact: &'static str,
    versions: Versions,
    formats: bool,
) -> Known {
    Known { identifiers, artifact, versions, formats }
}

const KAFKA: Versions = Versions::Of(&[
    ("1.17", "3.1.0-1.17"),
    ("1.18", "3.2.0-1.18"),
    ("1.19", "3.3.0-1.19"),
    ("1.20", "3.4.0-1.20"),
    ("2.0", "4.0.1-2.0"),
    ("2.1", "5.0.0-2.1"),
    ("2.2", "5.0.0-2.2"),
]);

const JDBC: Versions =
    Versions::Of(&[("1.17", "3.1.2-1.17"), ("1.18", "3.2.0-1.18"), ("1.19", "3.2.0-1.19"), ("1.20", "3.3.0-1.20")]);

const KNOWN: &[Known] = &[
    connector(&["kafka", "upsert-kafka"], "org.apache.flink:flink-connector-kafka", KAFKA, true),
    connector(&["jdbc"], "org.apache.flink:flink-connector-jdbc", JDBC, false),
    connector(&["elasticsearch-6"], "org.apache.flink:flink-sql-connector-elasticsearch6", Versions::Unknown, true),
    connector(
        &["elasticsearch-7"],
        "org.apache.flink:flink-connector-elasticsearch7",
        Versions::Of(&[("1.17", "3.0.1-1.17")]),
        true,
    ),
    connector(&["opensearch"], "org.apache.flink:flink-connector-opensearch", Versions::Unknown, true),
    connector(&["opensearch-2"], "org.apache.flink:flink-connector-opensearch2", Versions::Unknown, true),
    connector(&["hbase-2.2"], "org.apache.flink:flink-sql-connector-hbase-2.2", Versions::Unknown, false),
    connector(&["mongodb"], "org.apache.flink:flink-connector-mongodb", Versions::Unknown, false),
    connector(
        &["kinesis", "kinesis-legacy"],
        "org.apache.flink:flink-sql-connector-aws-kinesis-streams",
        Versions::Unknown,
        true,
    ),
    connector(&["firehose"], "org.apache.flink:flink-sql-connector-aws-kinesis-firehose", Versions::Unknown, true),
    connector(&["dynamodb"], "org.apache.flink:flink-sql-connector-dynamodb", Versions::Unknown, false),
    connector(&["pulsar"], "org.apache.flink:flink-connector-pulsar", Versions::Of(&[("1.18", "4.1.0-1.18")]), true),
    connector(
        &["rabbitmq"],
        "org.apache.flink:flink-connector-rabbitmq",
        Versions::Of(&[("1.17", "3.0.1-1.17")]),
        true,
    ),
    connector(&["mysql-cdc"], "org.apache.flink:flink-sql-connector-mysql-cdc", CDC, false),
    connector(&["postgres-cdc"], "org.apache.flink:flink-sql-connector-postgres-cdc", CDC, false),
    connector(&["oracle-cdc"], "org.apache.flink:flink-sql-connector-oracle-cdc", Versions::Unknown, false),
    connector(&["sqlserver-cdc"], "org.apache.flink:flink-sql-connector-sqlserver-cdc", Versions::Unknown, false),
    connector(&["mongodb-cdc"], "org.apache.flink:flink-sql-connector-mongodb-cdc", Versions::Unknown, false),
    connector(&["db2-cdc"], "org.apache.flink:flink-sql-connector-db2-cdc", Versions::Unknown, false),
    connector(&["tidb-cdc"], "org.apache.flink:flink-sql-connector-tidb-cdc", Versions::Unknown, false),
    connector(&["oceanbase-cdc"], "org.apache.flink:flink-sql-connector-oceanbase-cdc", Versions::Unknown, false),
    connector(&["iceberg"], "org.apache.iceberg:iceberg-flink-runtime-{flink}", Versions::Unknown, false),
    connector(&["hudi"], "org.apache.hudi:hudi-flink{flink}-bundle", Versions::Unknown, false),
    connector(&["paimon"], "org.apache.paimon:paimon-flink-{flink}", Versions::Unknown, false),
    connector(&["doris"], "org.apache.doris:flink-doris-connector-{flink}", Versions::Unknown, false),
    connector(&["starrocks"], "com.starrocks:flink-connector-starrocks", Versions::Unknown, false),
    connector(&["filesystem"], "", Versions::Flinks, true),
    connector(&["avro"], "org.apache.flink:flink-sql-avro", Versions::Flinks, false),
    connector(
        &["avro-confluent", "debezium-avro-confluent"],
        "org.apache.flink:flink-sql-avro-confluent-registry",
        Versions::Flinks,
        false,
    ),
    connector(&["parquet"], "org.apache.flink:flink-sql-parquet", Versions::Flinks, false),
    connector(&["orc"], "org.apache.flink:flink-sql-orc", Versions::Flinks, false),
    connector(&["protobuf"], "org.apache.flink:flink-sql-protobuf", Versions::Flinks, false),
];

/// Flink CDC, whose jars go with Flink 1.17 to 1.20.
const CDC: Versions = Versions::Of(&[("1.17", "3.2.1"), ("1.18", "3.2.1"), ("1.19", "3.2.1"), ("1.20", "3.2.1")]);

/// A JDBC driver: how its URLs begin, the package of its classes, its artifact.
struct Driver {
    url: &'static str,
    package: &'static str,
    artifact: &'static str,
    versions: Versions,
}

const DRIVERS: &[Driver] = &[
    driver("jdbc:mysql:", "com.mysql.", "com.mysql:mysql-connector-j", Versions::Any("8.4.0")),
    driver("jdbc:postgresql:", "org.postgresql.", "org.postgresql:postgresql", Versions::Any("42.7.4")),
    driver("jdbc:oracle:", "oracle.jdbc.", "com.oracle.database.jdbc:ojdbc8", Versions::Unknown),
    driver("jdbc:sqlserver:", "com.microsoft.sqlserver.", "com.microsoft.sqlserver:mssql-jdbc", Versions::Unknown),
    driver("jdbc:mariadb:", "org.mariadb.", "org.mariadb.jdbc:mariadb-java-client", Versions::Unknown),
];

const fn driver(url: &'static str, package: &'static str, artifact: &'static str, versions: Versions) -> Driver {
    Driver { url, package, artifact, versions }
}

fn known(identifier: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.identifiers.contains(&identifier) && !known.artifact.is_empty())
}

/// The identifiers that something is known of.
pub fn identifiers() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().flat_map(|known| known.identifiers).copied().chain(OF_FLINK.iter().copied())
}

/// Whether the `format` of a connector's tables names one of Flink's formats, for all that is known here.
pub fn takes_formats(connector: &str) -> bool {
    KNOWN.iter().any(|known| known.formats && known.identifiers.contains(&connector))
}

/// The artifact that brings a connector or a format, with the version for this minor version of Flink, as a sentence has it.
pub fn artifact(identifier: &str, flink: Option<&str>) -> Option<String> {
    known(identifier).map(|known| with_version(known.artifact, &known.versions, flink))
}

/// Whether a jar of this file name may bring it.
pub fn may_be_in(identifier: &str, file_name: &str) -> bool {
    let Some(known) = known(identifier) else { return false };
    let artifact = known.artifact.rsplit(':').next().unwrap_or_default();
    let artifact = artifact.split('{').next().unwrap_or_default().trim_end_matches('-');
    let stem = artifact.strip_prefix("flink-sql-").or_else(|| artifact.strip_prefix("flink-")).unwrap_or(artifact);
    file_name.contains(stem)
}

/// What is known of the driver for a JDBC URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverOf {
    /// What its classes begin with.
    pub package: &'static str,
    /// What the name of its jar begins with.
    pub file: &'static str,
    /// The artifact that brings it, as a sentence has it.
    pub artifact: String,
}

/// The driver for a JDBC URL.
pub fn driver_of(url: &str) -> Option<DriverOf> {
    let driver = DRIVERS.iter().find(|driver| url.starts_with(driver.url))?;
    Some(DriverOf {
        package: driver.package,
        file: driver.artifact.rsplit(':').next().unwrap_or(driver.artifact),
        artifact: with_version(driver.artifact, &driver.versions, None),
    })
}

fn with_version(artifact: &str, versions: &Versions, flink: Option<&str>) -> String {
    let named = artifact.replace("{flink}", flink.unwrap_or("VERSION"));
    match (versions, flink) {
        (Versions::Any(version), _) => format!("`{named}:{version}`"),
        (Versions::Flinks, Some(flink)) => format!("`{named}` in the version of the cluster's Flink ({flink})"),
        (Versions::Flinks, None) => format!("`{named}` in the version of the cluster's Flink"),
        (Versions::Of(all), Some(flink)) => match all.iter().find(|(minor, _)| *minor == flink) {
            Some((_, version)) => format!("`{named}:{version}`"),
            None => format!("`{named}`, in a version for Flink {flink}"),
        },
        (Versions::Unknown, Some(flink)) => format!("`{named}`, in a version for Flink {flink}"),
        (_, None) => format!("`{named}`, in a version for the cluster's Flink"),
    }
}

/// Whether a jar on the class path of a cluster is one of Flink's own distribution, by its file name.
pub fn is_of_flink(file_name: &str) -> bool {
    const OWN: &[&str] = &[
        "flink-dist",
        "flink-scala",
        "flink-table-",
        "flink-csv-",
        "flink-json-",
        "flink-connector-files-",
        "flink-connector-datagen-",
        "flink-cep-",
        "flink-python",
        "flink-sql-client",
        "flink-shaded-",
        "flink-rpc-",
        "flink-sql-gateway",
        "flink-queryable-state",
        "flink-state-processor",
        "log4j-",
        "slf4j-",
        "logback-",
    ];
    OWN.iter().any(|prefix| file_name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_fits_the_clusters_flink_or_none_is_named() {
        let kafka = "org.apache.flink:flink-connector-kafka";
        assert_eq!(artifact("upsert-kafka", Some("1.20")).unwrap(), format!("`{kafka}:3.4.0-1.20`"));
        assert_eq!(artifact("kafka", Some("2.9")).unwrap(), format!("`{kafka}`, in a version for Flink 2.9"));
        assert_eq!(artifact("kafka", None).unwrap(), format!("`{kafka}`, in a version for the cluster's Flink"));
        assert!(artifact("avro", Some("1.19")).unwrap().ends_with("in the version of the cluster's Flink (1.19)"));
        assert!(
            artifact("iceberg", Some("1.20")).unwrap().starts_with("`org.apache.iceberg:iceberg-flink-runtime-1.20`")
        );
        assert_eq!(artifact("filesystem", None), None);
        assert_eq!(driver_of("jdbc:mysql://h/d").unwrap().artifact, "`com.mysql:mysql-connector-j:8.4.0`");
        assert!(takes_formats("kafka") && takes_formats("filesystem") && !takes_formats("jdbc"));
    }

    #[test]
    fn jars_of_a_cluster_are_told_by_their_names() {
        assert!(may_be_in("kafka", "flink-sql-connector-kafka-3.4.0-1.20.jar"));
        assert!(may_be_in("paimon", "paimon-flink-1.20-1.0.jar") && !may_be_in("kafka", "udf.jar"));
        assert!(is_of_flink("flink-dist-1.20.5.jar") && !is_of_flink("flink-sql-connector-kafka-3.4.0-1.20.jar"));
    }
}
