//! The git projects of `tidegate.yaml`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::secret::SecretText;
use crate::base::{Error, Result, code, duration};
use crate::model::git_address::Address;
use crate::model::git_project::{Credentials, GitProject, Key, TIMEOUT, Wanted};
use crate::model::workspace_file::{Project, ProjectCredentials, WorkspaceFile};

/// All of them, by name.
///
/// # Errors
/// `workspace.invalid`.
pub(super) fn all(file: &WorkspaceFile) -> Result<BTreeMap<String, GitProject>> {
    file.projects.iter().map(|(name, configured)| Ok((name.clone(), project(name, configured)?))).collect()
}

/// One of them, checked.
///
/// # Errors
/// `workspace.invalid`, which shows no password.
pub(super) fn project(name: &str, configured: &Project) -> Result<GitProject> {
    let invalid = |why: &str| Error::new(&code::WORKSPACE_INVALID, format!("the project `{name}`: {why}"));
    Address::parse(&configured.url)
        .map_err(|error| invalid(error.message()).hint(error.hint_text().unwrap_or_default()))?;
    let wanted = Wanted::one_of(configured.branch.clone(), configured.tag.clone(), configured.commit.clone())
        .ok_or_else(|| invalid("give one of `branch`, `tag` and `commit`"))?;
    if let Some(mistake) = wanted.mistake() {
        return Err(invalid(&mistake));
    }
    let credentials = match &configured.credentials {
        Some(given) => credentials(given).map_err(|(why, hint)| invalid(&why).hint(hint))?,
        None => Credentials::default(),
    };
    if let Some(mistake) = credentials.mistake() {
        return Err(invalid(mistake));
    }
    let timeout = match &configured.timeout {
        Some(text) => u64::try_from(duration::parse(text).map_err(|error| invalid(error.message()))?.as_millis())
            .unwrap_or(u64::MAX),
        None => TIMEOUT,
    };
    let url = configured.url.clone();
    Ok(GitProject {
        name: Some(name.to_owned()),
        url,
        wanted,
        credentials,
        host_key: configured.host_key.clone(),
        timeout,
    })
}

type Mistake = (String, &'static str);

fn credentials(given: &ProjectCredentials) -> Result<Credentials, Mistake> {
    let user = match &given.user {
        Some(Value::String(user)) => Some(SecretText::plain(user.clone())),
        other => secret("user", other.as_ref())?,
    };
    let key = match &given.key {
        Some(Value::String(path)) if path.contains("PRIVATE KEY") => return Err(no_secret("key")),
        Some(Value::String(path)) => Some(Key::Path(path.clone())),
        other => secret("key", other.as_ref())?.map(Key::Secret),
    };
    Ok(Credentials {
        user,
        password: secret("password", given.password.as_ref())?,
        token: secret("token", given.token.as_ref())?,
        key,
        passphrase: secret("passphrase", given.passphrase.as_ref())?,
        agent: given.agent,
    })
}

/// `{ secret: NAME }`.
fn secret(what: &str, given: Option<&Value>) -> Result<Option<SecretText>, Mistake> {
    let Some(given) = given.filter(|given| !given.is_null()) else { return Ok(None) };
    match given.as_object().map(|map| (map.len(), map.get("secret").and_then(Value::as_str))) {
        Some((1, Some(name))) if !name.is_empty() => Ok(Some(SecretText::secret(name))),
        _ => Err(no_secret(what)),
    }
}

fn no_secret(what: &str) -> Mistake {
    (
        format!("`{what}` must be a secret, `{{ secret: NAME }}`: whoever sees this file would read what stands in it"),
        "its value comes from the environment variable NAME, or from a source under `secrets:`",
    )
}
