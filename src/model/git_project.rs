//! A git project: where it is, which commit of it is wanted, and who asks for it.

use serde::{Deserialize, Serialize};

use crate::base::secret::SecretText;

/// Which commit of a repository is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// The newest of the branch that the repository names as its own.
    #[default]
    Default,
    /// The newest of a branch.
    Branch(String),
    /// The one of a tag.
    Tag(String),
    /// This one: the whole hash, or its first digits.
    Commit(String),
}

impl Wanted {
    /// The one that is given of `branch`, `tag` and `commit`; none where several are.
    pub fn one_of(branch: Option<String>, tag: Option<String>, commit: Option<String>) -> Option<Self> {
        Some(match (branch, tag, commit) {
            (None, None, None) => Self::Default,
            (Some(branch), None, None) => Self::Branch(branch),
            (None, Some(tag), None) => Self::Tag(tag),
            (None, None, Some(commit)) => Self::Commit(commit),
            _ => return None,
        })
    }

    /// How it is shown: `branch main`.
    pub fn text(&self) -> String {
        match self {
            Self::Default => "its own branch".to_owned(),
            Self::Branch(name) => format!("branch {name}"),
            Self::Tag(name) => format!("tag {name}"),
            Self::Commit(hash) => format!("commit {hash}"),
        }
    }

    /// What is wrong with it, if anything: names are given to git, and hashes are looked up.
    pub fn mistake(&self) -> Option<String> {
        match self {
            Self::Default => None,
            Self::Branch(name) | Self::Tag(name) => {
                let is_bad = name.is_empty()
                    || name.starts_with(['-', '/'])
                    || name.contains("..")
                    || name.contains(|c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c));
                is_bad.then(|| format!("`{name}` cannot be the name of a branch or tag"))
            }
            Self::Commit(hash) => {
                let fits = (4..=40).contains(&hash.len()) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
                (!fits).then(|| format!("`{hash}` is no hash of a commit: 4 to 40 hexadecimal digits"))
            }
        }
    }
}

/// An SSH key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Key {
    /// The path of its file: relative to the workspace, absolute, or with `~/`.
    Path(String),
    /// The key itself, as a secret.
    Secret(SecretText),
}

/// Who asks. All that is secret is a reference, resolved when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// The user; for SSH the one of the URL, else `git`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<SecretText>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// A token, sent in place of a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretText>,
    /// An SSH key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The passphrase of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretText>,
    /// Whether the SSH agent is asked.
    pub agent: bool,
}

impl Credentials {
    /// What is wrong with them, if anything.
    pub fn mistake(&self) -> Option<&'static str> {
        let ways = [self.password.is_some(), self.token.is_some(), self.key.is_some(), self.agent];
        let ways = ways.into_iter().filter(|given| *given).count();
        if ways > 1 {
            return Some("give one of `password`, `token`, `key` and `agent`");
        }
        if self.password.is_some() && self.user.is_none() {
            return Some("a `password` needs a `user`");
        }
        if self.passphrase.is_some() && self.key.is_none() {
            return Some("a `passphrase` needs a `key`");
        }
        None
    }
}

/// Where a project is and how it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitProject {
    /// Its name in `tidegate.yaml`; none where a script gave its URL.
    pub name: Option<String>,
    /// Its URL, without any password.
    pub url: String,
    /// Which commit.
    pub wanted: Wanted,
    /// Who asks.
    #[serde(default)]
    pub credentials: Credentials,
    /// The only key that its SSH server may show: `SHA256:...`, or `ssh-ed25519 AAAA...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// How long nothing may come, in milliseconds.
    pub timeout: u64,
}

/// How long nothing may come, where nothing is said of it.
pub const TIMEOUT: u64 = 60_000;

impl GitProject {
    /// How it is shown: its name, or its URL.
    pub fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_to_a_commit() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(Wanted::one_of(None, None, None), Some(Wanted::Default));
        assert_eq!(Wanted::one_of(text("a"), text("b"), None), None);
        for (wanted, is_good) in [
            (Wanted::Branch("feature/x".into()), true),
            (Wanted::Branch("-x".into()), false),
            (Wanted::Tag("a..b".into()), false),
            (Wanted::Commit("abc1".into()), true),
            (Wanted::Commit("abc".into()), false),
            (Wanted::Commit("HEAD".into()), false),
        ] {
            assert_eq!(wanted.mistake().is_none(), is_good, "{wanted:?}");
        }
    }

    #[test]
    fn one_way_to_say_who_asks() {
        let secret = || Some(SecretText::secret("S"));
        let good = Credentials { user: Some(SecretText::plain("ada")), password: secret(), ..Credentials::default() };
        assert_eq!(good.mistake(), None);
        assert!(Credentials { token: secret(), ..good.clone() }.mistake().is_some());
        assert!(Credentials { user: None, ..good }.mistake().is_some());
    }
}
