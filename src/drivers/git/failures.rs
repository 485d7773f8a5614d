//! What went wrong in the talk with a server, in words: libgit2's errors and our own reasons as errors of tidegate.

use git2::{ErrorClass, ErrorCode};

use super::answers::{Noted, Reason};
use super::{Access, Proof, host_key};
use crate::base::{Error, Result, code};
use crate::model::git_address::{Address, Scheme};

const ONE_PLACE: &str = "credentials are for one host, scheme and port";

/// The error of a talk that failed.
pub(super) fn of(access: &Access, noted: &Noted, error: &git2::Error) -> Error {
    let address = &access.address;
    let (url, place) = (address.text(), address.place());
    if let Some(reason) = &noted.reason {
        return of_reason(access, reason);
    }
    let said = error.message().trim().trim_end_matches(';').to_owned();
    let with = |code, message: String| Error::new(code, message).caused_by(&said);
    let lower = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if error.code() == ErrorCode::Certificate && address.scheme == Scheme::Ssh {
        return unknown_key(address, noted);
    }
    if error.code() == ErrorCode::Certificate || error.class() == ErrorClass::Ssl || has(&["ssl error", "certificate"])
    {
        return with(&code::GIT_TLS_FAILED, format!("no safe connection to {place}")).hint(
            "a certificate of your own authority: add it to the machine's CA files, or name them in SSL_CERT_FILE",
        );
    }
    if has(&[
        "status code: 404",
        "status code: 410",
        "not found",
        "does not appear to be a git repository",
        "no such file",
        "does not exist",
        "could not find repository",
        "failed to resolve path",
    ]) {
        return with(&code::GIT_NOT_FOUND, format!("there is no repository at `{url}`"))
            .hint("look at its path; some servers also say so to a user who may not see it");
    }
    if address.scheme == Scheme::Ssh && has(&["private key", "public key"]) && has(&["extract", "format", "passphrase"])
    {
        return of_reason(access, &Reason::BadKey(said.clone()));
    }
    if has(&["status code: 401", "status code: 403", "authenticat", "too many redirects or authentication"]) {
        return refused(access, "what was sent").caused_by(&said);
    }
    if has(&[
        "failed to resolve address",
        "failed to connect",
        "connection refused",
        "network is unreachable",
        "no route to host",
        "timed out",
        "connection reset",
    ]) || (matches!(error.class(), ErrorClass::Net | ErrorClass::Os)
        && address.scheme != Scheme::File
        && !has(&OF_FILES))
    {
        return with(&code::GIT_UNREACHABLE, format!("{place} cannot be reached"))
            .hint("look at the host, the port and the network; a proxy is taken from https_proxy");
    }
    let failed = with(&code::GIT_FAILED, format!("`{url}` cannot be fetched"));
    if error.code() == ErrorCode::Owner {
        return failed.hint("the folder belongs to another user: `git config --global --add safe.directory FOLDER`");
    }
    if has(&OF_FILES) {
        return failed
            .hint("a file or folder of this machine is the reason: look at its disk, and who may write there");
    }
    failed.hint("the causes are what libgit2 or the server said; `git ls-remote URL` may tell more")
}

/// How libgit2 begins to tell of files and folders of this machine, whatever the server did.
const OF_FILES: [&str; 8] = [
    "no space left",
    "read-only file system",
    "could not remove",
    "could not create",
    "could not write",
    "failed to create",
    "failed to write",
    "failed to open",
];

/// What fails when everything has come: references of the mirror that cannot be written.
pub(super) fn of_mirror(access: &Access, error: &git2::Error) -> Error {
    failed(&format!("the branches and tags of `{}` cannot be written to its mirror", access.address.text()), error)
        .hint("the mirror lies below the state's folder: look at its disk, and who may write there")
}

fn of_reason(access: &Access, reason: &Reason) -> Error {
    let address = &access.address;
    let (url, place) = (address.text(), address.place());
    match reason {
        Reason::Cancelled => Error::new(&code::CANCELLED, "cancelled"),
        Reason::NothingToSay(wanted) => Error::new(
            &code::GIT_CREDENTIALS_MISSING,
            format!("{place} wants {wanted} for `{url}`, and none was given"),
        )
        .hint(match address.scheme {
            Scheme::Ssh => "credentials: { key: ~/.ssh/id_ed25519 }, or { agent: true } with an agent that runs",
            _ => "credentials: { user: NAME, password: { secret: GIT_PASSWORD } }, or { token: { secret: GIT_TOKEN } }",
        }),
        Reason::Refused(what) => refused(access, what),
        Reason::BadKey(why) => {
            let hint = match &access.login.proof {
                Proof::Key { passphrase: None, .. } => "is it a private key, and does it need a `passphrase`?",
                _ => "is it a private key, and is the passphrase the right one?",
            };
            Error::new(&code::GIT_AUTH_FAILED, format!("the key for {place} cannot be used")).caused_by(why).hint(hint)
        }
        Reason::Agent(why) => Error::new(&code::GIT_AUTH_FAILED, format!("the SSH agent did not help with {place}"))
            .caused_by(why)
            .hint("`ssh-add -l` lists its keys; `credentials: { key: ... }` names one without it"),
        Reason::OtherHost(other) => Error::new(
            &code::GIT_AUTH_FAILED,
            format!("{} leads to {other}, which asks for credentials and gets none", address.origin()),
        )
        .hint(format!(
            "if the project moved there, write that URL; the server sends on, or `url.*.insteadOf` of `git config` does: {ONE_PLACE}"
        )),
        Reason::Unreadable(asking) => Error::new(
            &code::GIT_AUTH_FAILED,
            format!("{} leads to an address that cannot be read, and no credentials are sent there", address.origin()),
        )
        .caused_by(format!("it is `{asking}`"))
        .hint(format!("look where the server sends on to, and at `url.*.insteadOf` of `git config`: {ONE_PLACE}")),
        Reason::OtherKey(shown) => {
            Error::new(&code::GIT_HOST_KEY, format!("{place} showed another key than `host_key` names"))
                .caused_by(format!("it showed {}", shown.fingerprint))
                .hint("ask whoever runs the host for its fingerprint; nothing was sent to it")
        }
    }
}

fn refused(access: &Access, what: &str) -> Error {
    let place = access.address.place();
    let user = access.login.user.as_deref().or(access.address.user.as_deref());
    let whose = user.map(|user| format!(" of `{user}`")).unwrap_or_default();
    Error::new(&code::GIT_AUTH_FAILED, format!("{place} refused {what}{whose}")).hint(match access.login.proof {
        Proof::Password(_) | Proof::Token(_) => {
            "it was sent once; after a rotation change the secret in its source, and try again"
        }
        _ => "does the user exist there, and is the key among those that it may use?",
    })
}

fn unknown_key(address: &Address, noted: &Noted) -> Error {
    let place = address.place();
    let shown = noted.key.as_ref().map_or_else(|| "no key".to_owned(), |key| key.fingerprint.clone());
    let (message, hint) = match host_key::is_known_to(address) {
        Some(true) => (
            format!("{place} showed another key than `known_hosts` has"),
            "it may be another machine. Where its key was changed on purpose: `ssh-keygen -R HOST`, then `ssh-keyscan HOST`",
        ),
        Some(false) => (
            format!("the key of {place} is not in `known_hosts`"),
            "compare it with what whoever runs the host says; then `ssh-keyscan -p PORT HOST >> ~/.ssh/known_hosts`, or pin it: `host_key:`",
        ),
        None => (
            format!("the key of {place} is not in `known_hosts`, or another one is"),
            "`ssh-keygen -F HOST` tells which; compare the key with what whoever runs the host says",
        ),
    };
    Error::new(&code::GIT_HOST_KEY, message).caused_by(format!("it showed {shown}")).hint(hint)
}

/// Any other failure of libgit2.
pub(super) fn failed(what: &str, error: &git2::Error) -> Error {
    Error::new(&code::GIT_FAILED, what.to_owned()).caused_by(error.message())
}

/// A folder or file of ours that cannot be made, moved or removed.
pub(super) fn io<T>(path: &std::path::Path, result: std::io::Result<T>) -> Result<T> {
    result.map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => &code::STATE_DISK_FULL,
            _ => &code::STATE_IO,
        };
        Error::new(code, format!("{} cannot be written", path.display())).caused_by(error)
    })
}
