//! Keyed hashes of secrets: whether one has changed between two revisions is known, and its value is not kept.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::services::Services;
use crate::base::Result;
use crate::base::hash::hex;
use crate::model::job_spec::{JobSpec, Program};
use crate::model::revision::SecretMarks;
use crate::model::statement::Kind;

/// How many bytes of a hash are kept: enough to tell two values apart.
const BYTES: usize = 16;

/// The marks of the secrets that a spec refers to. One that cannot be resolved now has none: it is missed only where the
/// job has to be started.
///
/// # Errors
/// `state.*` where the key cannot be read or made.
pub(super) fn of(services: &Services, spec: &JobSpec) -> Result<SecretMarks> {
    let mut marks = SecretMarks::new();
    let names = names(spec);
    if names.is_empty() {
        return Ok(marks);
    }
    let key = services.store.secret_key()?;
    for name in names {
        let Ok(value) = services.secrets.resolve(&name) else { continue };
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { continue };
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        marks.insert(name, hex(&mac.finalize().into_bytes()[..BYTES]));
    }
    Ok(marks)
}

fn names(spec: &JobSpec) -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    match &spec.program {
        Program::Sql { statements, .. } => {
            for statement in statements {
                names.extend(statement.text.secrets().map(str::to_owned));
                if let Kind::Set { value, .. } = &statement.kind {
                    names.extend(value.secrets().map(str::to_owned));
                }
            }
        }
        Program::Adopted { .. } => {}
        Program::Jar { arguments, .. } => {
            names.extend(arguments.iter().flat_map(|argument| argument.secrets()).map(str::to_owned));
        }
    }
    names
}
