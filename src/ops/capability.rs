//! What scripts may reach beside the workspace and its clusters: nothing, unless `allow:` in `tidegate.yaml` grants it.

use crate::base::{Error, Result, code};
use crate::drivers::http::Url;
use crate::model::git_project::GitProject;
use crate::model::workspace_file::{Allow, WORKSPACE, split_host};
use crate::ops::projects::Projects;

/// Checks that programs may be run.
///
/// # Errors
/// `capability.denied`.
pub fn shell(allow: &Allow) -> Result<()> {
    if allow.shell {
        return Ok(());
    }
    Err(denied("run programs", &Allow { shell: true, ..allow.clone() }))
}

/// Checks that the host of an address may be talked to.
///
/// # Errors
/// `capability.denied`.
pub fn http(allow: &Allow, url: &Url) -> Result<()> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default();
    let is_granted = allow.http.iter().any(|granted| {
        let (name, given) = split_host(granted);
        name.eq_ignore_ascii_case(host)
            && match given {
                Some(given) => given.parse().ok() == port,
                None => url.port().is_none(),
            }
    });
    if is_granted {
        return Ok(());
    }
    let host = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let mut wanted = allow.clone();
    wanted.http.push(host.clone());
    Err(denied(&format!("talk to `{host}`"), &wanted))
}

/// Checks that the code of a project may be run.
///
/// # Errors
/// `capability.denied`.
pub fn build(projects: &Projects, project: &GitProject) -> Result<()> {
    if projects.may_build(project) {
        return Ok(());
    }
    let shown = project.shown();
    Err(Error::new(
        &code::CAPABILITY_DENIED,
        format!("scripts of this workspace may not build `{shown}`, which runs code of it"),
    )
    .hint(format!("if they should, write this line in tidegate.yaml: {}", builds_line(projects, shown))))
}

/// Checks that the workspace's own `mvnw` may be run to resolve dependencies: whoever wrote the workspace wrote it.
///
/// # Errors
/// `capability.denied`.
pub fn wrapper(projects: &Projects) -> Result<()> {
    if projects.allowed.iter().any(|allowed| allowed == WORKSPACE) {
        return Ok(());
    }
    Err(Error::new(
        &code::CAPABILITY_DENIED,
        "the dependencies of a job have to be fetched, and the only Maven is `mvnw` of this workspace, which may not be run",
    )
    .caused_by("no `mvn` on the PATH, and none below MAVEN_HOME or M2_HOME")
    .hint(format!(
        "install Maven; or, if `mvnw` may run its code here, write this line in tidegate.yaml: {}",
        builds_line(projects, WORKSPACE)
    )))
}

/// The line of `tidegate.yaml` that allows one more to run its code.
fn builds_line(projects: &Projects, one: &str) -> String {
    let plain = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let items = projects.allowed.iter().map(String::as_str).chain([one]);
    let items: Vec<String> =
        items.map(|name| if plain(name) { name.to_owned() } else { format!("{name:?}") }).collect();
    format!("allow_builds: [{}]", items.join(", "))
}

/// A folder outside of the workspace that was not granted.
pub fn folder_denied(allow: &Allow, path: &str) -> Error {
    let folder = match path.trim_end_matches('/').rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder,
        _ => path,
    };
    let mut wanted = allow.clone();
    wanted.files.push(folder.to_owned());
    denied(&format!("read `{path}`, which is outside of the workspace"), &wanted)
}

fn denied(what: &str, wanted: &Allow) -> Error {
    Error::new(&code::CAPABILITY_DENIED, format!("scripts of this workspace may not {what}"))
        .hint(format!("if they should, write this line in tidegate.yaml: {}", line(wanted)))
}

/// The line of `tidegate.yaml` that grants all this.
fn line(allow: &Allow) -> String {
    let list = |items: &[String]| items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if allow.shell {
        parts.push("shell: true".to_owned());
    }
    if !allow.http.is_empty() {
        parts.push(format!("http: [{}]", list(&allow.http)));
    }
    if !allow.files.is_empty() {
        parts.push(format!("files: [{}]", list(&allow.files)));
    }
    format!("allow: {{ {} }}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_whole() {
        let granted = ["api.example.com", "localhost:8080", "[::1]:9"].map(str::to_owned).to_vec();
        let allow = Allow { http: granted, ..Allow::default() };
        for (url, fits) in [
            ("https://api.example.com/x", true),
            ("http://api.example.com", true),
            ("https://API.example.com:443/", true),
            ("http://localhost:8080/x?y", true),
            ("http://[::1]:9/", true),
            ("https://api.example.com:8443/", false),
            ("http://localhost/", false),
            ("http://localhost:80801/", false),
            ("http://x.api.example.com/", false),
            ("http://api.example.com.evil/", false),
            ("http://api.example.com@evil/", false),
            ("http://[::1]/", false),
        ] {
            let Ok(url) = Url::parse(url) else {
                assert!(!fits, "{url}");
                continue;
            };
            assert_eq!(http(&allow, &url).is_ok(), fits, "{url}");
        }
    }

    #[test]
    fn a_refusal_shows_the_whole_line() {
        let allow = Allow { shell: true, ..Allow::default() };
        let error = http(&allow, &Url::parse("http://h:81/").unwrap()).unwrap_err();
        assert!(error.is(&code::CAPABILITY_DENIED));
        let hint = error.hint_text().unwrap();
        assert!(hint.ends_with("allow: { shell: true, http: [\"h:81\"] }"), "{hint}");
        let hint = folder_denied(&Allow::default(), "/data/in/x.csv");
        assert!(hint.hint_text().unwrap().ends_with("allow: { files: [\"/data/in\"] }"), "{hint:?}");
    }
}
