//! Which Flink an artifact of Flink's own projects was built for, by its version.

/// Projects of the group `org.apache.flink` that have versions of their own.
const OTHERS: [&str; 5] = ["flink-shaded", "flink-ml", "flink-statefun", "flink-kubernetes-operator", "flink-cdc"];

/// The minor version of Flink that an artifact of the group `org.apache.flink` was built for: what stands behind the dash of a
/// connector's version (`3.2.0-1.19`), else the version itself, where that is one of Flink (`1.14.6`).
pub fn built_for(artifact: &str, version: &str) -> Option<String> {
    if !artifact.starts_with("flink-")
        || artifact.ends_with("-cdc")
        || OTHERS.iter().any(|other| artifact.starts_with(other))
    {
        return None;
    }
    match version.rsplit_once('-') {
        Some((_, flink)) => minor(flink, 2..=2),
        None => minor(version, 3..=3),
    }
}

/// `1.19` of `1.19` or `1.19.2`, with so many parts, where Flink has such a version.
fn minor(text: &str, parts: std::ops::RangeInclusive<usize>) -> Option<String> {
    let numbers: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (major, minor) = (numbers.first()?, numbers.get(1)?);
    (parts.contains(&numbers.len()) && (1..=2).contains(major)).then(|| format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_says_for_which_flink_it_was_built() {
        for (artifact, version, flink) in [
            ("flink-connector-kafka", "3.2.0-1.19", Some("1.19")),
            ("flink-connector-kafka_2.12", "1.14.6", Some("1.14")),
            ("flink-sql-avro", "2.0.0", Some("2.0")),
            ("flink-connector-mongodb", "1.2.0-1.20", Some("1.20")),
            ("flink-shaded-guava", "31.1-jre-17.0", None),
            ("flink-shaded-force-shading", "1.2.3", None),
            ("flink-sql-connector-mysql-cdc", "2.4.2", None),
            ("flink-connector-kafka", "3.0.0", None),
            ("kafka-clients", "1.0.0", None),
        ] {
            assert_eq!(built_for(artifact, version).as_deref(), flink, "{artifact}:{version}");
        }
    }
}
