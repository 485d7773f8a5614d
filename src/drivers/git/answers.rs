//! What we answer while libgit2 talks to a server: who we are, once, and whether we believe who it is.

use std::cell::RefCell;
use std::rc::Rc;

use git2::{CertificateCheckStatus, Cred, CredentialType, RemoteCallbacks};

use super::host_key::Shown;
use super::{Access, Proof, host_key};
use crate::model::git_address::{Address, Scheme};

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
    /// The server sent us on to another host.
    OtherHost(String),
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
    // A redirect: what was given for one host is not for another.
    let asks = Address::parse(url).ok();
    if let Some(asks) = asks.filter(|asks| !asks.is_same_host(&access.address)) {
        return Err(Reason::OtherHost(asks.place()));
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
