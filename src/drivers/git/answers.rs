//! What we answer while libgit2 talks to a server: who we are, once, and whether we believe who it is.

use std::cell::RefCell;
use std::rc::Rc;

use git2::{CertificateCheckStatus, Cred, CredentialType, RemoteCallbacks};

use super::host_key::Shown;
use super::{Access, Proof, host_key};
use crate::model::git_address::{Address, Scheme, masked};

/// Why we ended the talk, which says more than libgit2's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody cancelled, or nobody waits.
    Cancelled,
    /// The server asks who is there, and nothing was given that it takes.
    NothingToSay(&'static str),
    /// What was sent was refused.
    Refused(&'static str),
    /// The key cannot be used: it is none, or its passphrase is another.
    BadKey(String),
    /// There is no agent, or it gave no key that the server takes.
    Agent(String),
    /// Somebody else asks than who was meant: the server sent us on, or git's own configuration did.
    OtherHost(String),
    /// Who asks cannot be told from the address, which has no password in it any more.
    Unreadable(String),
    /// The SSH server's key is not the one of `host_key`.
    OtherKey(Shown),
}

/// What is known after the talk.
#[derive(Default)]
pub(super) struct Noted {
    pub(super) reason: Option<Reason>,
    /// The key that the SSH server showed.
    pub(super) key: Option<Shown>,
    sent: bool,
}

/// The callbacks of one talk; they note in `noted` what happened.
pub(super) fn callbacks<'a>(access: &'a Access, noted: &Rc<RefCell<Noted>>) -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    let notes = noted.clone();
    callbacks.credentials(move |url, user, allowed| {
        access.progress.hear();
        let answer = if access.cancel.is_cancelled() {
            Err(Reason::Cancelled)
        } else {
            answer(access, url, user, allowed, &mut notes.borrow_mut())
        };
        answer.map_err(|reason| {
            notes.borrow_mut().reason.get_or_insert(reason);
            // Not `Auth`: libgit2 would ask again.
            git2::Error::new(git2::ErrorCode::User, git2::ErrorClass::Callback, "refused by tidegate")
        })
    });
    let notes = noted.clone();
    callbacks.certificate_check(move |certificate, _| {
        access.progress.hear();
        let Some(key) = certificate.as_hostkey() else { return Ok(CertificateCheckStatus::CertificatePassthrough) };
        let shown = Shown::of(key);
        let mut notes = notes.borrow_mut();
        notes.key.clone_from(&shown);
        match (&access.host_key, shown) {
            (None, _) | (_, None) => Ok(CertificateCheckStatus::CertificatePassthrough),
            (Some(wanted), Some(shown)) if host_key::is(&shown, wanted) => Ok(CertificateCheckStatus::CertificateOk),
            (Some(_), Some(shown)) => {
                notes.reason.get_or_insert(Reason::OtherKey(shown));
                Err(git2::Error::new(git2::ErrorCode::Certificate, git2::ErrorClass::Ssh, "another host key"))
            }
        }
    });
    let notes = noted.clone();
    callbacks.transfer_progress(move |progress| {
        access.progress.count(progress.received_objects(), progress.total_objects(), progress.received_bytes());
        goes_on(access, &notes)
    });
    let notes = noted.clone();
    callbacks.sideband_progress(move |_| {
        access.progress.hear();
        goes_on(access, &notes)
    });
    callbacks
}

fn goes_on(access: &Access, notes: &RefCell<Noted>) -> bool {
    let is_cancelled = access.cancel.is_cancelled();
    if is_cancelled {
        notes.borrow_mut().reason.get_or_insert(Reason::Cancelled);
    }
    !is_cancelled
}

fn answer(
    access: &Access,
    url: &str,
    user: Option<&str>,
    allowed: CredentialType,
    noted: &mut Noted,
) -> Result<Cred, Reason> {
    // After a redirect, or where `url.*.insteadOf` names another: what was given for one host is not for another, and not
    // for one that nobody can tell.
    let asks = Address::parse(url).map_err(|_| Reason::Unreadable(masked(url)))?;
    if !asks.is_same_host(&access.address) {
        return Err(Reason::OtherHost(asks.origin()));
    }
    let login = &access.login;
    let user = user.or(login.user.as_deref());
    let failed = |error: git2::Error| Reason::BadKey(error.message().to_owned());
    if allowed.contains(CredentialType::USERNAME) {
        return Cred::username(user.unwrap_or("git")).map_err(failed);
    }
    let is_ssh = access.address.scheme == Scheme::Ssh;
    let kind = match &login.proof {
        Proof::Nothing if is_ssh => "the SSH agent",
        Proof::Nothing => "nothing",
        Proof::Password(_) => "the password",
        Proof::Token(_) => "the token",
        Proof::Key { .. } => "the key",
        Proof::Agent => "the SSH agent",
    };
    if std::mem::replace(&mut noted.sent, true) {
        return Err(match login.proof {
            Proof::Agent => Reason::Agent("it has no key that the server takes".to_owned()),
            Proof::Nothing if is_ssh => Reason::Agent("it has no key that the server takes".to_owned()),
            _ => Reason::Refused(kind),
        });
    }
    let takes_key = allowed.contains(CredentialType::SSH_KEY) || allowed.contains(CredentialType::SSH_MEMORY);
    match &login.proof {
        Proof::Password(password) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
            Cred::userpass_plaintext(user.unwrap_or_default(), password).map_err(failed)
        }
        Proof::Token(token) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
            // Servers look at the token alone; they want some user beside it.
            Cred::userpass_plaintext(user.unwrap_or("oauth2"), token).map_err(failed)
        }
        Proof::Key { text, passphrase } if takes_key => {
            Cred::ssh_key_from_memory(user.unwrap_or("git"), None, text, passphrase.as_deref()).map_err(failed)
        }
        Proof::Agent | Proof::Nothing if takes_key => {
            if std::env::var_os("SSH_AUTH_SOCK").is_none_or(|socket| socket.is_empty()) {
                return Err(match login.proof {
                    Proof::Nothing => Reason::NothingToSay("a key"),
                    _ => Reason::Agent("no agent runs: SSH_AUTH_SOCK is not set".to_owned()),
                });
            }
            Cred::ssh_key_from_agent(user.unwrap_or("git")).map_err(|error| Reason::Agent(error.message().to_owned()))
        }
        _ if takes_key => Err(Reason::NothingToSay("a key")),
        _ => Err(Reason::NothingToSay("user and password, or a token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::git::Login;

    fn asked(own: &str, url: &str) -> Result<(), Reason> {
        let login = Login { user: Some("ada".to_owned()), proof: Proof::Password("hunter2".to_owned()) };
        let access = Access {
            address: Address::parse(own).unwrap(),
            login,
            host_key: None,
            cancel: Default::default(),
            progress: Default::default(),
        };
        let allowed = CredentialType::USER_PASS_PLAINTEXT | CredentialType::USERNAME;
        answer(&access, url, None, allowed, &mut Noted::default()).map(drop)
    }

    #[test]
    fn only_the_one_that_was_meant_is_answered() {
        let own = "https://git.example.com/jobs.git";
        for url in
            [own, "https://git.example.com/moved.git", "https://GIT.example.com:443/jobs.git/info/refs?service=x"]
        {
            assert_eq!(asked(own, url), Ok(()), "{url}");
        }
        for (url, seen) in [
            ("http://git.example.com/jobs.git", "http://git.example.com"),
            ("https://git.example.com:8443/jobs.git", "https://git.example.com:8443"),
            ("https://evil.example/jobs.git", "https://evil.example"),
            ("https://git.example.com@evil.example/jobs.git", "https://evil.example"),
            ("git@git.example.com:jobs.git", "ssh://git.example.com"),
        ] {
            assert_eq!(asked(own, url), Err(Reason::OtherHost(seen.to_owned())), "{url}");
        }
    }

    #[test]
    fn who_cannot_be_told_is_not_answered() {
        for (url, seen) in [
            ("https://evil.example", "https://evil.example"),
            ("https://x:s3cret@git.example.com/jobs.git", "https://x:***@git.example.com/jobs.git"),
            ("https://evil.example?@git.example.com/jobs.git", "https://evil.example?@git.example.com/jobs.git"),
            ("https://evil.example\\@git.example.com/jobs.git", "https://evil.example\\@git.example.com/jobs.git"),
            ("evil.example:jobs.git", "evil.example:jobs.git"),
            ("", ""),
        ] {
            for own in ["https://git.example.com/jobs.git", "git@git.example.com:jobs.git"] {
                assert_eq!(asked(own, url), Err(Reason::Unreadable(seen.to_owned())), "{url}");
            }
        }
    }
}
