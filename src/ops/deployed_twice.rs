//! One run, one job, two specs: two jobs of one name would replace each other, and one would start from the other's state.

use super::effect::Acting;
use super::services::Services;
use crate::base::error::Place;
use crate::base::{Error, Result, code};
use crate::model::job_spec::JobSpec;
use crate::model::run::Step;

/// Refuses to deploy a spec where this run has deployed another one of that name before. `now` is the place of the call.
///
/// A script that brings one job from spec to spec cannot be told from one that has two jobs of one name, a loop over classes among
/// them; the former says so with `again`. A step that failed has deployed nothing, and what the run removed is gone. A step that
/// has made an attempt passed here in an earlier process.
///
/// # Errors
/// `job.deployed_twice`, `state.*`.
pub fn refuse(services: &Services, acting: &Acting, spec: &JobSpec, now: Place) -> Result<()> {
    let (environment, name) = (&spec.identity.environment, &spec.identity.job);
    let Some(earlier) = services.store.last_deploy(&acting.key, environment, name)? else { return Ok(()) };
    if hash_in(&earlier).is_none_or(|hash| hash == spec.running_hash()) {
        return Ok(());
    }
    let is_gone = || Ok::<_, Error>(services.store.job(environment, name)?.is_some_and(|job| job.desired == "absent"));
    if services.store.attempt_of_step(&acting.key)?.is_some() || is_gone()? {
        return Ok(());
    }
    let number = |value: i64| usize::try_from(value).unwrap_or(0);
    let place = Place {
        file: earlier.file.clone(),
        line: number(earlier.line),
        column: number(earlier.column),
        excerpt: None,
        label: String::new(),
    };
    Err(error(name, &format!("step {} deployed the other one", earlier.number()), now, place))
}

/// The error, for a run and for a plan. `earlier` is the place that deployed the other spec.
pub fn error(name: &str, by: &str, now: Place, earlier: Place) -> Error {
    let at = format!("{by}, at {}:{}; this is {}:{}", earlier.file, earlier.line, now.file, now.line);
    let is_elsewhere = (&earlier.file, earlier.line, earlier.column) != (&now.file, now.line, now.column);
    let error = Error::new(
        &code::JOB_DEPLOYED_TWICE,
        format!("two specs of this run have one name: `{name}` was deployed before with another one"),
    )
    .caused_by(at)
    .at(now)
    .hint(format!(
        "two jobs need two names, or the second takes the place and the state of the first; if it is one job that this script \
         upgrades on purpose: `deploy(#{{ again: true }})`. Nothing was done, and `{name}` is left as it is"
    ));
    if is_elsewhere { error.at(Place { label: "deployed before".to_owned(), ..earlier }) } else { error }
}

/// The hash of the spec that a deploy was called with.
fn hash_in(step: &Step) -> Option<String> {
    let arguments: serde_json::Value = serde_json::from_str(&step.arguments).ok()?;
    Some(arguments.get(0)?.get("hash")?.as_str()?.to_owned())
}
