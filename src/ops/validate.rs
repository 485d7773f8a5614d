//! Asks a cluster's own planner about a SQL job. Nothing is submitted.

use super::class_path;
use super::cluster::Start;
use super::connection::Connection;
use super::refusal;
use super::run_request;
use super::services::Services;
use super::upload;
use crate::base::{Error, Result, code};
use crate::drivers::flink::{Planning, Version};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::statement::Kind;

/// Lets the cluster plan the job's SQL with its own connectors, and gives the error that a submission would meet.
///
/// # Errors
/// `flink.sql_refused` at the template line; `validate.impossible` for a jar, whose `main()` could do anything, and for SQL
/// that uses a catalog not among `catalogs`, since planning executes its DDL; `flink.*` and `cluster.down`.
pub async fn validate(services: &Services, spec: &JobSpec, catalogs: &[String]) -> Result<()> {
    if let Some(why) = would_act(spec, catalogs) {
        return Err(why);
    }
    let connection = services.clusters.connect(&spec.cluster, Start::No).await?;
    let version = Version::parse(&connection.client.overview().await?.flink_version)?;
    class_path::ensure(services, spec, &connection).await?;
    planned(services, &connection, spec, version).await.map(drop)
}

/// Why planning a job is not without consequences, where that is so: `validate.impossible`.
pub(super) fn would_act(spec: &JobSpec, catalogs: &[String]) -> Option<Error> {
    let name = &spec.identity.job;
    let Program::Sql { statements, .. } = &spec.program else {
        return Some(Error::new(
            &code::VALIDATE_IMPOSSIBLE,
            format!("`{name}` is a jar: planning it would run its main(), which could do anything"),
        ));
    };
    let definitions = statements.iter().filter(|statement| statement.kind == Kind::Definition);
    let used = external_catalogs(definitions.map(|statement| statement.text.to_string()));
    let catalog = used.into_iter().find(|catalog| !catalogs.contains(catalog))?;
    let message = format!("`{name}` uses the catalog `{catalog}`: planning it would execute its definitions there");
    Some(
        Error::new(&code::VALIDATE_IMPOSSIBLE, message).hint(format!("`--catalog {catalog}` says that this is wanted")),
    )
}

/// Has the cluster plan the job's SQL. Gives Flink's id of the jar, which is on the cluster then.
///
/// # Errors
/// `flink.sql_refused` at the template line; `secret.*`, `file.*`, `flink.*`.
pub(super) async fn planned(
    services: &Services,
    connection: &Connection,
    spec: &JobSpec,
    version: Version,
) -> Result<String> {
    let payload = upload::payload(services, spec)?;
    let request = run_request::request(services, version, false, &"0".repeat(32), None, false, spec)?;
    let mut again = false;
    loop {
        let jar = upload::ensure(&connection.client, &payload, again).await?;
        match connection.client.plan_jar(&jar, &request).await? {
            Planning::Planned(_) => return Ok(jar),
            Planning::Refused { status, body } => {
                return Err(refusal::explain(services, spec, status, &services.secrets.mask(&body), connection));
            }
            Planning::JarMissing if !again => again = true,
            Planning::JarMissing => return Err(upload::forgotten()),
        }
    }
}

/// The catalogs that definitions make or switch to, without those that live in the session alone.
fn external_catalogs(definitions: impl Iterator<Item = String>) -> Vec<String> {
    let mut own = vec!["default_catalog".to_owned()];
    let mut external = Vec::new();
    for text in definitions {
        let Some(name) = catalog(&text) else { continue };
        if text.contains("'generic_in_memory'") {
            own.push(name);
        } else if !own.contains(&name) && !external.contains(&name) {
            external.push(name);
        }
    }
    external
}

/// The catalog that a definition is about.
fn catalog(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let upper: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    let name = match upper.as_slice() {
        ["CREATE", "CATALOG", "IF", "NOT", "EXISTS", ..] => words.get(5),
        ["CREATE" | "USE" | "ALTER" | "DROP", "CATALOG", ..] => words.get(2),
        _ => None,
    }?;
    Some(name.split('(').next().unwrap_or(name).trim_matches('`').to_owned())
}

#[cfg(test)]
mod tests {
    use super::external_catalogs;

    #[test]
    fn external_catalogs_are_found() {
        for (texts, names) in [
            (vec!["CREATE CATALOG hive WITH ('type' = 'hive')", "USE CATALOG hive"], vec!["hive"]),
            (vec!["create catalog if not exists `lake` WITH ('type' = 'iceberg')"], vec!["lake"]),
            (vec!["USE CATALOG hive"], vec!["hive"]),
            (vec!["CREATE CATALOG mine WITH ('type' = 'generic_in_memory')", "USE CATALOG mine"], vec![]),
            (vec!["USE CATALOG default_catalog", "CREATE TABLE catalog (i INT)", "USE d"], vec![]),
        ] {
            assert_eq!(external_catalogs(texts.iter().map(ToString::to_string)), names, "{texts:?}");
        }
    }
}
