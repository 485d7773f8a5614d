//! Reads `tidegate.yaml`: unknown keys are refused with line, excerpt and "did you mean".

use std::path::{Component, Path};

use crate::base::error::Place;
use crate::base::{Error, Result, code, suggest};
use crate::model::git_address::Address;
use crate::model::workspace_file::{Cluster, WORKSPACE, WorkspaceFile, split_host};

use super::locate::FILE;

/// Reads and checks the file of a workspace folder.
///
/// # Errors
/// `workspace.invalid` with the place.
pub fn read(folder: &Path) -> Result<WorkspaceFile> {
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::new(&code::WORKSPACE_INVALID, format!("{} cannot be read", path.display())).caused_by(error)
    })?;
    parse(&text)
}

/// Reads and checks the text of a `tidegate.yaml`.
///
/// # Errors
/// `workspace.invalid` with the place.
pub fn parse(text: &str) -> Result<WorkspaceFile> {
    // `yes` stays a text and `012` stays `012`: both are names more often than not.
    let options = serde_yaml::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    let file: WorkspaceFile =
        serde_yaml::from_str_with_options(text, options).map_err(|error| not_yaml(text, &error))?;
    check(text, &file)?;
    Ok(file)
}

fn not_yaml(text: &str, error: &serde_yaml::Error) -> Error {
    let whole = error.to_string();
    // The crate appends a rendered excerpt; ours is drawn once, by cli::report.
    let message = whole.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let message = match message.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, message)) => message.to_owned(),
        None => message,
    };
    let result = Error::new(&code::WORKSPACE_INVALID, message.clone());
    let result = match error.location() {
        Some(location) => {
            let (line, column) =
                (usize::try_from(location.line()).unwrap_or(0), usize::try_from(location.column()).unwrap_or(0));
            result.at(Place {
                file: FILE.to_owned(),
                line,
                column,
                excerpt: text.lines().nth(line.saturating_sub(1)).map(str::to_owned),
                label: String::new(),
            })
        }
        None => result,
    };
    // "unknown field `flnk`, expected one of flink, slots", or "expected `local` or `session`"
    let word = message.split('`').nth(1).unwrap_or_default();
    let expected = message.split_once("expected ").map_or("", |(_, expected)| expected.trim_start_matches("one of "));
    let candidates: Vec<&str> =
        expected.split([',', ' ', '`']).filter(|word| !word.is_empty() && *word != "or").collect();
    if message.starts_with("unknown ") { result.hint(suggest::hint(word, candidates)) } else { result }
}

fn check(text: &str, file: &WorkspaceFile) -> Result<()> {
    let invalid =
        |needle: &str, message: String| Error::new(&code::WORKSPACE_INVALID, message).at(place_of(text, needle));
    let fits = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    for name in std::iter::once(&file.name).chain(file.clusters.keys()).chain(file.environments.keys()) {
        if !fits(name) {
            return Err(invalid(name, format!("`{name}` cannot be a name")).hint("letters, digits, `-`, `_` and `.`"));
        }
    }
    for (name, cluster) in &file.clusters {
        if let Cluster::Session { url } = cluster
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(invalid(url, format!("the cluster `{name}`: `{url}` is not an http address"))
                .hint("url: \"http://flink.example:8081\""));
        }
    }
    for (name, environment) in &file.environments {
        if !file.clusters.contains_key(&environment.cluster) {
            return Err(invalid(
                &format!("cluster: {}", environment.cluster),
                format!("the environment `{name}` names the cluster `{}`, which is not there", environment.cluster),
            )
            .hint(suggest::hint(&environment.cluster, file.clusters.keys().map(String::as_str))));
        }
    }
    for host in &file.allow.http {
        let (name, port) = split_host(host);
        let fits = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._[]:".contains(c))
            && (name.starts_with('[') || !name.contains(':'))
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !fits {
            return Err(invalid(host, format!("`allow: http:` names `{host}`, which is no host"))
                .hint("a host, or a host and a port: `api.example.com`, `localhost:8080`; no scheme, path or `*`"));
        }
    }
    for folder in &file.allow.files {
        if !folder.starts_with('/') || Path::new(folder).components().any(|part| part == Component::ParentDir) {
            return Err(invalid(folder, format!("`allow: files:` names `{folder}`, which is no absolute folder"))
                .hint("files: [\"/data/landing\"]"));
        }
    }
    for (name, project) in &file.projects {
        if !fits(name) || name == WORKSPACE {
            return Err(invalid(name, format!("`{name}` cannot be a name")).hint("letters, digits, `-`, `_` and `.`"));
        }
        super::projects::project(name, project).map_err(|error| {
            let mut place = place_of(text, &format!("{name}:"));
            // What should not stand there is not shown either.
            place.excerpt = None;
            error.at(place)
        })?;
    }
    for name in &file.allow_builds {
        if name != WORKSPACE && !file.projects.contains_key(name) && Address::parse(name).is_err() {
            return Err(invalid(
                "allow_builds",
                format!("`allow_builds` names `{name}`, which is no project and no URL"),
            )
            .hint(suggest::hint(name, file.projects.keys().map(String::as_str))));
        }
    }
    if file.environments.is_empty() {
        return Err(invalid("environments", "there is no environment".to_owned())
            .hint("environments: { local: { cluster: NAME } }"));
    }
    if let Some(default) = &file.default_environment
        && !file.environments.contains_key(default)
    {
        return Err(invalid(
            "default_environment",
            format!("`default_environment` names `{default}`, which is not there"),
        )
        .hint(suggest::hint(default, file.environments.keys().map(String::as_str))));
    }
    Ok(())
}

/// The first line that holds a text; the first line of the file where none does.
fn place_of(text: &str, needle: &str) -> Place {
    let found = text.lines().enumerate().find_map(|(index, line)| line.find(needle).map(|at| (index, line, at)));
    let (index, line, at) = found.unwrap_or((0, text.lines().next().unwrap_or_default(), 0));
    Place {
        file: FILE.to_owned(),
        line: index + 1,
        column: line[..at].chars().count() + 1,
        excerpt: Some(line.to_owned()),
        label: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name: orders\nclusters:\n  laptop: { kind: local, flink: \"1.20\" }\nenvironments:\n  local: { cluster: laptop, vars: { yes: no } }\n";

    #[test]
    fn a_good_file_is_read() {
        let file = parse(GOOD).unwrap();
        assert_eq!(file.name, "orders");
        assert_eq!(file.environments["local"].vars["yes"], "no");
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for credentials in ["user: ada, password: hunter2", "token: hunter2", "key: a, passphrase: hunter2"] {
            let project = format!("projects:\n  jobs: {{ url: \"https://h/x\", credentials: {{ {credentials} }} }}\n");
            let error = parse(&format!("{GOOD}{project}")).unwrap_err();
            assert!(error.to_string().contains("must be a secret"), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line, message, hint) in [
            (GOOD.replace("flink:", "flnk:"), 3, "unknown field", Some("did you mean `flink`?")),
            (GOOD.replace("clusters:", "cluster:"), 2, "unknown field", Some("did you mean `clusters`?")),
            (
                GOOD.replace("cluster: laptop", "cluster: lapto"),
                5,
                "names the cluster `lapto`",
                Some("did you mean `laptop`?"),
            ),
            (GOOD.replace("kind: local", "kind: locl"), 3, "unknown variant", Some("did you mean `local`?")),
            (format!("{GOOD}default_environment: prod\n"), 6, "names `prod`", Some("there is `local`")),
            (GOOD.replace("  laptop", "\tlaptop"), 3, "", None),
            (format!("{GOOD}allow: {{ shel: true }}\n"), 6, "unknown field", Some("did you mean `shell`?")),
            (format!("{GOOD}allow: {{ shell: yes }}\n"), 6, "", None),
            (format!("{GOOD}allow:\n  http: [\"https://a.example\"]\n"), 7, "is no host", None),
            (format!("{GOOD}allow:\n  http: [\"*.example\"]\n"), 7, "is no host", None),
            (format!("{GOOD}allow:\n  http: [\"a.example:99999\"]\n"), 7, "is no host", None),
            (
                format!("{GOOD}allow: {{ files: [data] }}\n"),
                6,
                "is no absolute folder",
                Some("files: [\"/data/landing\"]"),
            ),
            (format!("{GOOD}allow: {{ files: [\"/a/../b\"] }}\n"), 6, "is no absolute folder", None),
            (format!("{GOOD}projects:\n  jobs: {{ ur: x }}\n"), 7, "unknown field", Some("did you mean `url`?")),
            (format!("{GOOD}projects:\n  jobs: {{ url: x }}\n"), 7, "the project `jobs`", None),
            (
                format!("{GOOD}projects:\n  jobs: {{ url: \"https://h/x\", branch: a, tag: b }}\n"),
                7,
                "one of `branch`, `tag` and `commit`",
                None,
            ),
            (
                format!("{GOOD}projects:\n  jobs:\n    url: \"https://h/x\"\n    credentials: {{ usr: a }}\n"),
                9,
                "unknown field",
                Some("did you mean `user`?"),
            ),
            (format!("{GOOD}projects:\n  j: {{ url: \"https://h/x\", timeout: soon }}\n"), 7, "`soon`", None),
            (format!("{GOOD}allow_builds: [jobs]\n"), 6, "names `jobs`", Some("there are none yet")),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.to_string().contains(message), "{error:?}");
            assert_eq!(error.places().first().map(|place| place.line), Some(line), "{error:?}");
            if hint.is_some() {
                assert_eq!(error.hint_text(), hint, "{error:?}");
            }
        }
    }
}
