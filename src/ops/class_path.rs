//! Looks at the class path of a job before anything is sent: classes and artifacts that are there twice, and connectors
//! that are not there at all.

use std::path::{Path, PathBuf};

use super::cluster::Definition;
use super::connection::Connection;
use super::damaged;
use super::inputs::artifact_path;
use super::jar::{facts_name, facts_path};
use super::java_level;
use super::kept;
use super::services::Services;
use crate::base::{Error, Result, code, counted, suggest};
use crate::drivers::{flink::Version, jar};
use crate::model::class_path::{Clash, JarFacts, Named, Provided, built_for_flink, clashes, shown, two_versions};
use crate::model::connectors::{self, Asked, Asks, OF_FLINK};
use crate::model::job_spec::{Artifact, JobSpec, Program};
use crate::sql;

/// How many warnings of one kind are worth reading.
const MOST_WARNINGS: usize = 5;

/// What was found on the class path of a job.
#[derive(Debug, Default)]
pub struct Findings {
    /// What may go wrong.
    pub warnings: Vec<String>,
    /// What will go wrong: the job is not to be sent.
    pub refusal: Option<Error>,
}

/// What the cluster has on its class path beside Flink.
#[derive(Default)]
struct OfCluster {
    /// The jars of a cluster on this machine.
    facts: Vec<(String, JarFacts)>,
    /// The names of those of another one.
    names: Vec<String>,
    /// Why they are not known.
    unknown: Option<String>,
}

/// What a table lacks.
struct Lack {
    asked: Asked,
    /// "the connector `kafka`".
    what: String,
    /// Where it is, as a sentence has it.
    artifact: Option<String>,
    /// The file name that the jar of a JDBC driver begins with, where it is one that lacks.
    driver: Option<&'static str>,
}

impl Lack {
    /// Whether a jar of the cluster is named as what brings it.
    fn may_be_in(&self, file_name: &str) -> bool {
        match self.driver {
            Some(driver) => file_name.starts_with(driver),
            None => connectors::may_be_in(&self.asked.identifier, file_name),
        }
    }
}

/// Looks at the class path of a job; `connection` where the cluster can be asked.
///
/// # Errors
/// `file.not_found` and `file.invalid` for a jar that is not there or cannot be read. What does not go together is no
/// error here, but among the findings.
pub async fn check(services: &Services, spec: &JobSpec, connection: Option<&Connection>) -> Result<Findings> {
    kept::all_there(services, spec)?;
    let artifacts = spec.class_path();
    let facts = facts(services, &artifacts)?;
    let jars: Vec<Named<'_>> =
        artifacts.iter().zip(&facts).map(|(artifact, facts)| Named { path: &artifact.path, facts }).collect();
    let mut findings = Findings::default();
    let found = clashes(&jars).into_iter().filter_map(|clash| clash_warning(services, &artifacts, &jars, &clash));
    warn(&mut findings, found.collect(), "jars with other bytes for the same classes");
    warn(&mut findings, version_warnings(&jars), "artifacts in two versions");
    let built_for = built_for_flink(&jars);
    if !built_for.is_empty()
        && let Some(runs) = flink(services, spec, connection).await
    {
        let others = built_for.into_iter().filter(|(_, version)| *version != runs);
        let each = others.map(|(path, version)| {
            format!(
                "`{path}` is for Flink {version}, and `{}` runs {runs}: take its version for that one",
                spec.cluster
            )
        });
        warn(&mut findings, each.collect(), "artifacts for another Flink");
    }
    findings.refusal = java_level::too_new(services, spec, connection).await?;
    if findings.refusal.is_some() {
        return Ok(findings);
    }
    if let Program::Sql { statements, .. } = &spec.program {
        let asked = sql::asked(statements);
        let ambiguous = asked.iter().find_map(|asked| ambiguous(spec, &jars, asked));
        if ambiguous.is_some() {
            findings.refusal = ambiguous;
            return Ok(findings);
        }
        let lacking = lacking(&asked, &Provided::by(&jars), None);
        if !lacking.is_empty() {
            missing(services, spec, connection, &asked, &jars, &mut findings).await;
        }
    }
    Ok(findings)
}

/// [`check`], for those who go on: shows the warnings, and refuses what will fail.
///
/// # Errors
/// `connector.missing`, `connector.ambiguous`, and those of [`check`].
pub async fn ensure(services: &Services, spec: &JobSpec, connection: &Connection) -> Result<()> {
    let findings = check(services, spec, Some(connection)).await?;
    for warning in &findings.warnings {
        services.clusters.progress(&format!("warning: {warning}"));
    }
    findings.refusal.map_or(Ok(()), Err)
}

fn facts(services: &Services, artifacts: &[Artifact]) -> Result<Vec<JarFacts>> {
    let paths: Vec<(PathBuf, PathBuf)> = artifacts
        .iter()
        .map(|artifact| (artifact_path(&services.store, &artifact.sha256), facts_path(services, &artifact.sha256)))
        .collect();
    jar::all_kept(&paths).map_err(|error| damaged::explained(services, artifacts, error))
}

fn warn(findings: &mut Findings, mut warnings: Vec<String>, of: &str) {
    let more = warnings.len().saturating_sub(MOST_WARNINGS);
    warnings.truncate(MOST_WARNINGS);
    findings.warnings.extend(warnings);
    if more > 0 {
        findings.warnings.push(format!("and {more} more {of}"));
    }
}

fn clash_warning(services: &Services, artifacts: &[Artifact], jars: &[Named<'_>], clash: &Clash) -> Option<String> {
    let ((one, _), (other, _)) = clash.between;
    let name = |jar: usize, hash: u64| {
        jar::class_of_hash(&artifact_path(&services.store, &artifacts[jar].sha256), hash).ok().flatten()
    };
    // Two names with one hash are no clash.
    let class = clash
        .classes
        .iter()
        .find_map(|hash| name(one, *hash).filter(|class| name(other, *hash).as_ref() == Some(class)))?;
    let (left, right) = (shown(jars, clash.between.0), shown(jars, clash.between.1));
    let more = match clash.classes.len() - 1 {
        0 => String::new(),
        1 => ", and one more class".to_owned(),
        more => format!(", and {more} more classes"),
    };
    Some(format!(
        "the class `{class}` is in `{left}` and in `{right}` with different bytes{more}: which one is loaded is a matter of luck"
    ))
}

fn version_warnings(jars: &[Named<'_>]) -> Vec<String> {
    let each = two_versions(jars).into_iter().map(|two| {
        let ((first, here), (second, there)) = two.versions;
        let (here, there) = (shown(jars, here), shown(jars, there));
        format!("`{}` is there in two versions: {first} as `{here}` and {second} as `{there}`", two.artifact)
    });
    each.collect()
}

fn ambiguous(spec: &JobSpec, jars: &[Named<'_>], asked: &Asked) -> Option<Error> {
    let [(one, here), (other, there)] = Provided::by(jars).twins(asked.asks, &asked.identifier)?;
    let message = format!(
        "`{}`: two factories bring the {} `{}` of table `{}`",
        spec.identity.job,
        asked.asks.name(),
        asked.identifier,
        asked.table
    );
    let error = Error::new(&code::CONNECTOR_AMBIGUOUS, message)
        .caused_by(format!("`{}` in `{}`", one.class, shown(jars, here)))
        .caused_by(format!("`{}` in `{}`", other.class, shown(jars, there)))
        .hint("Flink refuses to choose between them: drop one of the jars");
    Some(at(error, spec, asked))
}

fn at(error: Error, spec: &JobSpec, asked: &Asked) -> Error {
    let Program::Sql { statements, .. } = &spec.program else { return error };
    match statements.get(asked.statement) {
        Some(statement) => error.at(statement.place(asked.line, asked.column)).with("statement", asked.statement),
        None => error,
    }
}

/// What is asked for and brought by nobody, each once.
fn lacking(asked: &[Asked], provided: &Provided<'_>, flink: Option<&str>) -> Vec<Lack> {
    let mut found: Vec<Lack> = Vec::new();
    for one in asked {
        let lack = if !provided.has(one.asks, &one.identifier) && !OF_FLINK.contains(&one.identifier.as_str()) {
            // What `format` means is a matter of the connector.
            if one.asks == Asks::Format && !connectors::takes_formats(&one.connector) {
                continue;
            }
            let what = format!("the {} `{}`", one.asks.name(), one.identifier);
            Lack { asked: one.clone(), what, artifact: connectors::artifact(&one.identifier, flink), driver: None }
        } else if one.asks == Asks::Connector && one.identifier == "jdbc" && !one.names_driver {
            let Some(driver) = one.url.as_deref().and_then(connectors::driver_of) else { continue };
            if provided.has_driver(driver.package) {
                continue;
            }
            let url = one.url.as_deref().unwrap_or_default();
            let scheme: Vec<&str> = url.splitn(3, ':').take(2).collect();
            let what = format!("a JDBC driver for `{}:`", scheme.join(":"));
            Lack { asked: one.clone(), what, artifact: Some(driver.artifact), driver: Some(driver.file) }
        } else {
            continue;
        };
        if !found.iter().any(|other| other.what == lack.what) {
            found.push(lack);
        }
    }
    found
}

/// Says what nobody brings: as a refusal where that is certain.
async fn missing(
    services: &Services,
    spec: &JobSpec,
    connection: Option<&Connection>,
    asked: &[Asked],
    jars: &[Named<'_>],
    findings: &mut Findings,
) {
    let of_cluster = of_cluster(services, spec, connection).await;
    let flink = flink(services, spec, connection).await;
    let own = of_cluster.facts.iter().map(|(path, facts)| Named { path, facts });
    let all: Vec<Named<'_>> = jars.iter().copied().chain(own).collect();
    let provided = Provided::by(&all);
    let mut lacking = lacking(asked, &provided, flink.as_deref());
    lacking.retain(|lack| !of_cluster.names.iter().any(|name| lack.may_be_in(name)));
    let Some(first) = lacking.first() else { return };
    if let Some(why) = uncertain(spec, &of_cluster, &provided, &all) {
        findings.warnings.push(warning(spec, &lacking, &why));
        return;
    }
    let message =
        format!("`{}`: no jar brings {}, which table `{}` needs", spec.identity.job, first.what, first.asked.table);
    let mut error = at(Error::new(&code::CONNECTOR_MISSING, message), spec, &first.asked)
        .with("identifier", first.asked.identifier.clone());
    for other in &lacking[1..] {
        let artifact = other.artifact.as_ref().map(|artifact| format!(": {artifact}")).unwrap_or_default();
        error = error.caused_by(format!("nor {}, which table `{}` needs{artifact}", other.what, other.asked.table));
    }
    findings.refusal = Some(error.hint(hint(first, &provided)));
}

/// One warning for all that is lacking.
fn warning(spec: &JobSpec, lacking: &[Lack], why: &str) -> String {
    let each: Vec<String> =
        lacking.iter().map(|lack| format!("{}, which table `{}` needs", lack.what, lack.asked.table)).collect();
    let artifacts: Vec<&str> = lacking.iter().filter_map(|lack| lack.artifact.as_deref()).collect();
    let comes = match artifacts.as_slice() {
        [] => String::new(),
        [one] => format!("; it comes with {one}"),
        several => format!("; they come with {}", several.join(" and ")),
    };
    format!("no jar of `{}` brings {}: {why}{comes}", spec.identity.job, each.join(", nor "))
}

fn hint(lack: &Lack, provided: &Provided<'_>) -> String {
    match &lack.artifact {
        Some(artifact) => format!("it comes with {artifact}: name that in `dependencies`, or its jars in `jars`"),
        None => {
            let names: Vec<String> = provided
                .identifiers(lack.asked.asks)
                .map(str::to_owned)
                .chain(connectors::identifiers().map(str::to_owned))
                .collect();
            match suggest::nearest(&lack.asked.identifier, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? Else name the jar that brings it in `jars`"),
                None => "name the jar that brings it in `jars`, or the artifact in `dependencies`".to_owned(),
            }
        }
    }
}

/// Why something may be there that is not seen here.
fn uncertain(spec: &JobSpec, of_cluster: &OfCluster, provided: &Provided<'_>, jars: &[Named<'_>]) -> Option<String> {
    if let Some(why) = &of_cluster.unknown {
        return Some(why.clone());
    }
    if let Some((factory, at)) = provided.unreadable.first() {
        return Some(format!(
            "what `{}` in `{}` is called cannot be read without running it",
            factory.class,
            shown(jars, *at)
        ));
    }
    let key = ["pipeline.jars", "pipeline.classpaths"].into_iter().find(|key| spec.setting(key).is_some());
    if let Some(key) = key {
        return Some(format!("`{key}` names jars that are not seen from here"));
    }
    let Program::Sql { statements, .. } = &spec.program else { return None };
    let adds = statements.iter().any(|statement| {
        let text = statement.text.to_string().to_uppercase();
        text.split_whitespace().take(2).eq(["ADD", "JAR"])
    });
    adds.then(|| "`ADD JAR` names one that is not seen from here".to_owned())
}

/// What the cluster has beside Flink.
async fn of_cluster(services: &Services, spec: &JobSpec, connection: Option<&Connection>) -> OfCluster {
    let name = &spec.cluster;
    if let Ok(Definition::Local(cluster)) = services.clusters.definition(name) {
        let libraries = cluster.libraries();
        let mut found = OfCluster::default();
        for path in libraries.iter().filter(|path| !connectors::is_of_flink(&file_name(path))) {
            let read = match facts_name(path) {
                Some(name) => jar::kept(path, &facts_path(services, &name)),
                None => jar::facts(path),
            };
            match read {
                Ok(facts) => found.facts.push((path.display().to_string(), facts)),
                Err(error) => found.unknown = Some(format!("a jar of `{name}` cannot be read: {error}")),
            }
        }
        return found;
    }
    let unknown = |why: String| OfCluster { unknown: Some(why), ..OfCluster::default() };
    let Some(connection) = connection else {
        return unknown(format!("what `{name}` has on its class path is not known"));
    };
    match connection.client.class_path().await {
        Ok(Some(entries)) => {
            let names = entries.iter().map(|entry| file_name(Path::new(entry)));
            let names: Vec<String> =
                names.filter(|name| name.ends_with(".jar") && !connectors::is_of_flink(name)).collect();
            let unknown = names.first().map(|first| {
                let more = match names.len() - 1 {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!(
                    "`{name}` has {} of its own on its class path, which may bring it: `{first}`{more}",
                    counted(names.len(), "jar")
                )
            });
            OfCluster { names, unknown, ..OfCluster::default() }
        }
        Ok(None) => unknown(format!("`{name}` does not tell what is on its class path")),
        Err(error) if error.is(&code::FLINK_REFUSED) => {
            unknown(format!("`{name}` does not tell what is on its class path"))
        }
        Err(error) => unknown(format!("`{name}` could not be asked what is on its class path: {error}")),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The minor version of the cluster's Flink.
async fn flink(services: &Services, spec: &JobSpec, connection: Option<&Connection>) -> Option<String> {
    let text = match (connection, services.clusters.definition(&spec.cluster)) {
        (Some(connection), _) => connection.client.overview().await.ok()?.flink_version,
        (None, Ok(Definition::Local(cluster))) => cluster.version.clone(),
        _ => return None,
    };
    let version = Version::parse(&text).ok()?;
    Some(format!("{}.{}", version.major, version.minor))
}
