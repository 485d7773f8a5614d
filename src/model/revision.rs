//! A revision: what was desired of a job from one time on. A deploy that changes anything makes one.

use std::collections::BTreeMap;

use super::attempt::{Attempt, StepKey, Submission};
use super::stability::UNSTABLE;
use crate::base::clock::Millis;

/// How a revision came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionKind {
    /// A script deployed it.
    Deploy,
    /// It is an earlier revision again.
    Rollback,
    /// It is the one before with another parallelism.
    Rescale,
    /// Somebody else had started the job, and we took it over.
    Adopt,
}

impl RevisionKind {
    /// The word in the database and in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Rescale => "rescale",
            Self::Adopt => "adopt",
        }
    }

    /// The reverse of [`RevisionKind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Deploy, Self::Rollback, Self::Rescale, Self::Adopt].into_iter().find(|kind| kind.name() == name)
    }
}

/// Keyed hashes of the values of secrets, by name: they tell that one has changed, and nothing else.
pub type SecretMarks = BTreeMap<String, String>;

/// One revision, as recorded.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The job's row; 0 before it is recorded.
    pub job: i64,
    /// Counts from 1 for each job; 0 before it is recorded.
    pub number: u32,
    /// How it came to be.
    pub kind: RevisionKind,
    /// The revision that a rollback went back to.
    pub origin: Option<u32>,
    /// The spec, as JSON.
    pub spec: String,
    /// The hash of what a running job has of it.
    pub spec_hash: String,
    /// What is known of its secrets.
    pub secrets: SecretMarks,
    /// The step that made it.
    pub step: StepKey,
    /// When.
    pub created_at: Millis,
}

/// The names of the secrets whose values differ. One that only one side knows, since it could not be resolved at that
/// time, is not known to differ.
pub fn changed_secrets<'a>(old: &SecretMarks, new: &'a SecretMarks) -> Vec<&'a str> {
    let differs = |(name, mark): &(&'a String, &String)| old.get(*name).is_some_and(|before| before != *mark);
    new.iter().filter(differs).map(|(name, _)| name.as_str()).collect()
}

/// The revision that a rollback goes back to: the newest before the one that is desired now, whose job differs from it, ran, and
/// was not found unstable each time. A rollback counts as the revision that it went back to, so that the next one goes back further.
pub fn before<'a>(revisions: &'a [Revision], attempts: &[Attempt]) -> Option<&'a Revision> {
    let newest = revisions.last()?;
    let mut current = newest;
    while let Some(origin) = current.origin.filter(|_| current.kind == RevisionKind::Rollback) {
        current = revisions.iter().find(|revision| revision.number == origin)?;
    }
    let differs = |one: &&Revision| one.number < current.number && one.spec_hash != newest.spec_hash;
    let is_fit = |one: &&Revision| ran(one, revisions, attempts) && !is_unstable(one, revisions, attempts);
    revisions.iter().rev().filter(differs).find(is_fit)
}

/// Whether the job of a revision ran, and was found unstable each time.
pub fn is_unstable(revision: &Revision, revisions: &[Revision], attempts: &[Attempt]) -> bool {
    let mut runs = runs(revision, revisions, attempts).peekable();
    runs.peek().is_some() && runs.all(|attempt| attempt.verdict.as_deref() == Some(UNSTABLE))
}

/// Whether the job of a revision ever ran: an attempt at it was accepted, or one at another revision of the same job.
pub fn ran(revision: &Revision, revisions: &[Revision], attempts: &[Attempt]) -> bool {
    runs(revision, revisions, attempts).next().is_some()
}

fn runs<'a>(
    revision: &'a Revision,
    revisions: &'a [Revision],
    attempts: &'a [Attempt],
) -> impl Iterator<Item = &'a Attempt> {
    attempts.iter().filter(|attempt| attempt.submission == Submission::Accepted).filter(|attempt| {
        // One that was rescaled while it ran has a later revision now than it began with.
        let begun = revisions.iter().rfind(|one| one.created_at <= attempt.created_at).map(|one| one.number);
        let begun = begun.unwrap_or(attempt.revision).min(attempt.revision);
        (begun..=attempt.revision).contains(&revision.number) || attempt.spec_hash == revision.spec_hash
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u32, hash: &str, origin: Option<u32>) -> Revision {
        Revision {
            job: 1,
            number,
            kind: if origin.is_some() { RevisionKind::Rollback } else { RevisionKind::Deploy },
            origin,
            spec: String::new(),
            spec_hash: hash.to_owned(),
            secrets: SecretMarks::new(),
            step: StepKey { run: 1, path: String::new(), sequence: 0 },
            created_at: number.into(),
        }
    }

    fn attempt(revision: &Revision, submission: Submission) -> Attempt {
        let attempt = Attempt::new(revision, revision.number, String::new(), String::new(), String::new());
        Attempt { submission, ..attempt }
    }

    fn all_ran(revisions: &[Revision]) -> Vec<Attempt> {
        revisions.iter().map(|revision| attempt(revision, Submission::Accepted)).collect()
    }

    /// A rollback after [`all_ran`] goes to this one.
    fn back(revisions: &[Revision]) -> Option<u32> {
        before(revisions, &all_ran(revisions)).map(|revision| revision.number)
    }

    #[test]
    fn what_never_ran_is_nothing_to_go_back_to() {
        let all = [revision(1, "a", None), revision(2, "b", None), revision(3, "c", None)];
        let with = |first, second| {
            let attempts = [attempt(&all[0], first), attempt(&all[1], second), attempt(&all[2], Submission::Accepted)];
            before(&all, &attempts).map(|revision| revision.number)
        };
        assert_eq!(with(Submission::Accepted, Submission::Refused), Some(1));
        assert_eq!(with(Submission::Refused, Submission::GivenUp), None);
        assert_eq!(with(Submission::Open, Submission::Accepted), Some(2));
        // Labels that were changed while it ran have no attempt of their own.
        let labelled = [revision(1, "a", None), revision(2, "a", None), revision(3, "c", None)];
        let attempts = [attempt(&labelled[0], Submission::Accepted), attempt(&labelled[2], Submission::Accepted)];
        assert_eq!(before(&labelled, &attempts).map(|revision| revision.number), Some(2));
    }

    #[test]
    fn what_was_found_unstable_is_passed_over_unless_it_held_another_time() {
        let all = [revision(1, "a", None), revision(2, "b", None), revision(3, "c", None)];
        let mut attempts = all_ran(&all);
        attempts[1].verdict = Some(UNSTABLE.to_owned());
        assert_eq!(before(&all, &attempts).map(|revision| revision.number), Some(1));
        assert!(ran(&all[1], &all, &attempts), "it can be named");
        attempts.push(attempt(&all[1], Submission::Accepted));
        assert_eq!(before(&all, &attempts).map(|revision| revision.number), Some(2));
    }

    #[test]
    fn what_was_rescaled_while_it_ran_had_run_before() {
        let all = [revision(1, "a", None), revision(2, "b", None)];
        let rescaled = Attempt { created_at: 1, ..attempt(&all[1], Submission::Accepted) };
        assert_eq!(before(&all, &[rescaled]).map(|revision| revision.number), Some(1));
    }

    #[test]
    fn a_rollback_goes_back_further_each_time_and_skips_what_is_the_same_job() {
        let mut all = vec![revision(1, "a", None)];
        assert_eq!(back(&all), None);
        all.push(revision(2, "b", None));
        // Labels only.
        all.push(revision(3, "b", None));
        all.push(revision(4, "c", None));
        assert_eq!(back(&all), Some(3));
        all.push(revision(5, "b", Some(3)));
        assert_eq!(back(&all), Some(1));
        all.push(revision(6, "a", Some(1)));
        assert_eq!(back(&all), None);
    }

    #[test]
    fn a_secret_that_could_not_be_resolved_is_not_known_to_differ() {
        let marks = |pairs: &[(&str, &str)]| -> SecretMarks {
            pairs.iter().map(|(name, mark)| ((*name).to_owned(), (*mark).to_owned())).collect()
        };
        let old = marks(&[("A", "1"), ("B", "1")]);
        assert_eq!(changed_secrets(&old, &marks(&[("A", "1"), ("B", "2"), ("C", "3")])), ["B"]);
        assert!(changed_secrets(&old, &marks(&[])).is_empty());
    }
}
