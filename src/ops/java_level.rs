//! Classes that were built for a newer Java than the cluster runs: found before anything is stopped for them.

use std::path::PathBuf;

use super::connection::Connection;
use super::inputs::artifact_path;
use super::services::Services;
use super::upload;
use crate::base::{Error, Result, code};
use crate::drivers::jar;
use crate::model::job_spec::{JobSpec, Program};

/// What every Flink runs: classes of it need no look at the cluster.
const OLDEST: u16 = 8;

/// The refusal of a job whose main class, or a class that an argument names, as a launcher's does, the cluster's Java cannot load.
/// Other classes of the jar may never be loaded, and are not looked at. None where the cluster does not tell its Java.
///
/// # Errors
/// `flink.entry_class`, `file.not_found`, `file.invalid`.
pub(super) async fn too_new(
    services: &Services,
    spec: &JobSpec,
    connection: Option<&Connection>,
) -> Result<Option<Error>> {
    let Program::Jar { jar, arguments, .. } = &spec.program else { return Ok(None) };
    let Some(connection) = connection.filter(|connection| !connection.is_down()) else { return Ok(None) };
    let Some(main_class) = upload::main_class(services, spec)? else { return Ok(None) };
    let path = |sha256: &str| artifact_path(&services.store, sha256);
    let libraries: Vec<PathBuf> = spec.libraries().map(path).collect();
    let libraries: Vec<_> = libraries.iter().map(PathBuf::as_path).collect();
    let named = arguments.iter().map(ToString::to_string).filter(|argument| is_class_name(argument));
    let mut newest: Option<(u16, String)> = None;
    for class in std::iter::once(main_class).chain(named) {
        let needed = jar::java_needed(&path(&jar.sha256), &libraries, &class)?;
        if let Some(needed) = needed.filter(|(java, _)| newest.as_ref().is_none_or(|(newest, _)| newest < java)) {
            newest = Some(needed);
        }
    }
    let Some((needed, class)) = newest.filter(|(java, _)| *java > OLDEST) else { return Ok(None) };
    // A cluster that does not tell refuses nothing; one that cannot be asked is told by what comes next.
    let Ok(Some(runs)) = connection.client.java().await else { return Ok(None) };
    Ok((needed > runs).then(|| {
        let cluster = &spec.cluster;
        Error::new(
            &code::JAVA_TOO_OLD,
            format!("`{}`: the class `{class}` was built for Java {needed}, and `{cluster}` runs Java {runs}", spec.identity.job),
        )
        .hint(format!(
            "compile with `--release {runs}` (Maven: `maven.compiler.release`), or run `{cluster}` with Java {needed} or newer; \
             nothing was started or stopped"
        ))
    }))
}

/// Whether an argument may be the full name of a class.
fn is_class_name(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|part| {
            part.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
                && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$')
        })
}
