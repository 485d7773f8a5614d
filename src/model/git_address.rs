//! Addresses of git repositories: which host they name, what a relative one means, and that none holds a password.

use crate::base::{Error, Result, code};

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `https://`.
    Https,
    /// `http://`.
    Http,
    /// `ssh://`, or `user@host:path`.
    Ssh,
    /// `file://`, or an absolute path.
    File,
}

/// The address of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    /// How it is reached.
    pub scheme: Scheme,
    /// The user that it names.
    pub user: Option<String>,
    /// Its host; empty for a path.
    pub host: String,
    /// Its port, where one is given.
    pub port: Option<u16>,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// `git.url_invalid`, `git.password_in_url`, neither of which shows a password.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(invalid(text, "has spaces, or nothing in it"));
        }
        if text.starts_with('/') {
            let (scheme, host) = (Scheme::File, String::new());
            return Ok(Self { text: text.to_owned(), scheme, user: None, host, port: None });
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Self::short(text) };
        let scheme = match scheme {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" | "git+ssh" => Scheme::Ssh,
            "file" if rest.starts_with('/') => {
                return Ok(Self {
                    text: text.to_owned(),
                    scheme: Scheme::File,
                    user: None,
                    host: String::new(),
                    port: None,
                });
            }
            "file" => {
                let path = rest.split_once('/').map_or("PATH", |(_, path)| path);
                return Err(invalid(text, "names a host, and a folder of this machine has none")
                    .hint(format!("write `file:///{path}` with three slashes, or `/{path}`")));
            }
            "git" => return Err(invalid(text, "is not encrypted, and anybody could change what comes")),
            _ => return Err(invalid(text, "has a scheme that tidegate does not know")),
        };
        let (authority, path) = rest.split_once('/').ok_or_else(|| invalid(text, "names no repository on its host"))?;
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(Error::new(&code::GIT_PASSWORD_IN_URL, format!("the URL `{}` holds a password", masked(text)))
                .hint(
                    "take it out, and name a secret: `credentials: { user: NAME, password: { secret: GIT_PASSWORD } }`",
                ));
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !place.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| invalid(text, "has a port that is no number"))?))
            }
            _ => (place, None),
        };
        if host.is_empty() || path.is_empty() {
            return Err(invalid(text, "names no repository on a host"));
        }
        if !is_host(host) || user.is_some_and(|user| user.contains(['?', '#', '\\', '@', '[', ']'])) {
            return Err(invalid(text, "has a host that cannot be one"));
        }
        let user = user.filter(|user| !user.is_empty()).map(str::to_owned);
        Ok(Self { text: text.to_owned(), scheme, user, host: host.to_ascii_lowercase(), port })
    }

    /// `user@host:path`, as `scp` writes it.
    fn short(text: &str) -> Result<Self> {
        let parts = text.split_once(':').and_then(|(place, path)| Some((place.split_once('@')?, path)));
        match parts {
            Some(((user, host), path))
                if !user.is_empty() && !user.contains(['/', '[']) && is_host(host) && !path.is_empty() =>
            {
                let (user, host) = (Some(user.to_owned()), host.to_ascii_lowercase());
                Ok(Self { text: text.to_owned(), scheme: Scheme::Ssh, user, host, port: None })
            }
            _ => Err(invalid(text, "is no URL of a repository")),
        }
    }

    /// The address as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The host, with the port where one is given.
    pub fn place(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// How it is reached, and where: what credentials are for.
    pub fn origin(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Https => "https",
            Scheme::Http => "http",
            Scheme::Ssh => "ssh",
            Scheme::File => return self.text.clone(),
        };
        format!("{scheme}://{}", self.place())
    }

    /// Whether credentials for one may be sent to the other: the same host by the same scheme at the same port.
    pub fn is_same_host(&self, other: &Self) -> bool {
        let port = |address: &Self| {
            address.port.unwrap_or(match address.scheme {
                Scheme::Https => 443,
                Scheme::Http => 80,
                Scheme::Ssh => 22,
                Scheme::File => 0,
            })
        };
        self.scheme == other.scheme && self.host == other.host && port(self) == port(other)
    }

    /// The address of a submodule: `../other.git` is meant from this one.
    ///
    /// # Errors
    /// As [`Address::parse`]; `git.url_invalid` where it leaves the host, or is a path of this machine.
    pub fn join(&self, text: &str) -> Result<Self> {
        if !(text.starts_with("./") || text.starts_with("../")) {
            let address = Self::parse(text)?;
            if address.scheme == Scheme::File && self.scheme != Scheme::File {
                return Err(invalid(text, "is a folder of this machine, and the project is not"));
            }
            return Ok(address);
        }
        // What of the text may not be climbed out of.
        let fixed = match self.text.split_once("://") {
            Some((scheme, rest)) => scheme.len() + 3 + rest.find('/').unwrap_or(rest.len()),
            None => self.text.find(':').map_or(0, |colon| colon + 1),
        };
        let (root, path) = self.text.split_at(fixed);
        let mut parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
        let mut rest = text;
        loop {
            if let Some(after) = rest.strip_prefix("../") {
                if parts.pop().is_none_or(str::is_empty) {
                    return Err(invalid(text, "leaves the host of the project"));
                }
                rest = after;
            } else if let Some(after) = rest.strip_prefix("./") {
                rest = after;
            } else {
                break;
            }
        }
        parts.push(rest);
        Self::parse(&format!("{root}{}", parts.join("/")))
    }
}

fn invalid(text: &str, why: &str) -> Error {
    Error::new(&code::GIT_URL_INVALID, format!("`{}` {why}", masked(text)))
        .hint("write `https://host/path.git`, `ssh://user@host/path.git`, `user@host:path.git`, or an absolute path")
}

/// Whether a text names one host, to whoever reads it: what separates the parts of an address is not in it.
fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)),
    }
}

/// An address without the password that somebody wrote into it. One that cannot be read loses more than that.
pub fn masked(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    // A password may hold what ends it for others: what stands before the last `@` counts.
    match (rest.find(':'), rest.rfind('@')) {
        (Some(colon), Some(at)) if colon < at => format!("{scheme}{}:***{}", &rest[..colon], &rest[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_host_is_told_how_it_is_written() {
        let error = Address::parse("file://localhost/srv/jobs.git").unwrap_err();
        assert!(error.is(&code::GIT_URL_INVALID) && error.message().contains("names a host"), "{error:?}");
        assert!(error.hint_text().unwrap().contains("`file:///srv/jobs.git`"), "{error:?}");
    }

    #[test]
    fn addresses_are_read() {
        for (text, scheme, user, host, port) in [
            ("https://git.example.com/team/jobs.git", Scheme::Https, None, "git.example.com", None),
            ("http://ada@Git.example.com:8080/jobs", Scheme::Http, Some("ada"), "git.example.com", Some(8080)),
            ("ssh://git@git.example.com:2222/jobs.git", Scheme::Ssh, Some("git"), "git.example.com", Some(2222)),
            ("git@git.example.com:team/jobs.git", Scheme::Ssh, Some("git"), "git.example.com", None),
            ("https://[::1]:8443/jobs.git", Scheme::Https, None, "[::1]", Some(8443)),
            ("/srv/git/jobs.git", Scheme::File, None, "", None),
            ("file:///srv/git/jobs.git", Scheme::File, None, "", None),
        ] {
            let address = Address::parse(text).unwrap();
            let found = (address.scheme, address.user.as_deref(), address.host.as_str(), address.port);
            assert_eq!(found, (scheme, user, host, port), "{text}");
        }
        for text in [
            "",
            "jobs",
            "git://h/x",
            "ftp://h/x",
            "https://h",
            "https:///x",
            "https://h:x/y",
            "a b",
            "h:x",
            "@h:x",
            "https://h?@other/x",
            "https://h#@other/x",
            "https://h\\@other/x",
            "https://::1/x",
            "https://[::1]2/x",
            "https://[::1]:1:2/x",
            "https://a@b@h:1:2/x",
            "[git@h:22]:x",
            "git@[::1]:x",
            "x/y@h:z",
            "-oProxyCommand=x",
        ] {
            assert!(Address::parse(text).unwrap_err().is(&code::GIT_URL_INVALID), "{text}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in ["https://ada:hunter2@git.example.com/jobs.git", "ssh://ada:hunter2@h/jobs", "http://:hunter2@h/j"]
        {
            let error = Address::parse(text).unwrap_err();
            assert!(error.is(&code::GIT_PASSWORD_IN_URL), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        for text in ["https://ada:/hunter2@h/j", "ada:hunter2@h:j", "https://ada:a@hunter2@h", "ftp://ada:hunter2@h/j"]
        {
            let error = Address::parse(text).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn relative_addresses_stay_on_their_host() {
        for (base, text, whole) in [
            ("https://h/team/jobs.git", "../core.git", "https://h/team/core.git"),
            ("https://h/team/jobs.git/", "../../other/core.git", "https://h/other/core.git"),
            ("git@h:team/jobs.git", "../core.git", "git@h:team/core.git"),
            ("ssh://git@h:22/jobs.git", "./sub.git", "ssh://git@h:22/jobs.git/sub.git"),
            ("/srv/git/jobs.git", "../core.git", "/srv/git/core.git"),
            ("https://h/jobs.git", "https://other/core.git", "https://other/core.git"),
        ] {
            assert_eq!(Address::parse(base).unwrap().join(text).unwrap().text(), whole, "{base} + {text}");
        }
        let base = Address::parse("https://h/jobs.git").unwrap();
        for text in ["../../x", "/etc", "file:///etc"] {
            assert!(base.join(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_stay_with_their_host() {
        let of = |text| Address::parse(text).unwrap();
        assert!(of("https://h/a").is_same_host(&of("https://H:443/b")));
        assert!(of("git@h:a").is_same_host(&of("ssh://ada@h:22/b")));
        for other in ["http://h/a", "http://h:443/a", "https://h:444/a", "https://h.evil/a", "https://h./a", "git@h:a"]
        {
            assert!(!of("https://h/a").is_same_host(&of(other)), "{other}");
        }
    }
}
