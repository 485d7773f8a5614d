//! What is desired of a job: that it is at a spec, runs, has stopped, or is gone.

use std::time::Duration;

use serde_json::Value;

use super::specs::{can_be_typed, no_name};
use super::{Call, this_job, this_spec};
use crate::api::handle::as_handle;
use crate::api::job_options::read;
use crate::api::types::{Receives, Type, options};
use crate::base::{Error, Result, code, duration};
use crate::model::stability::{Gate, Otherwise};
use crate::model::upgrade::Mode;
use crate::ops::effect::Acting;
use crate::ops::wish::{self, Wish};
use crate::ops::{adopt, cancel, deploy, deployed_twice, prune, remove, stability, stop, take_savepoint};

impl Receives for Mode {
    const KIND: Type = Type::Word(&Self::WORDS);
}

impl Receives for Otherwise {
    const KIND: Type = Type::Word(&Self::WORDS);
}

options! {
    /// The option `stable` of `spec.deploy`.
    pub(super) struct StableOptions {
        /// how many checkpoints of its own the new attempt has to complete; 1 if not given. With 0 it has to run all the time
        checkpoints: Option<usize>,
        /// how much time it has; `5m` if not given
        within: Option<String> => Type::Duration,
        /// how many restarts by Flink are allowed; none if not given
        max_restarts: Option<usize>,
        /// what is done where it does not become stable; `rollback` if not given
        otherwise: Option<Otherwise>,
    }
}

options! {
    /// The options of `spec.deploy`.
    pub(super) struct DeployOptions {
        /// abandons the state of the attempt that is named: `attempt-3`
        allow_state_loss: Option<String>,
        /// what becomes of the state where the job runs with another spec; `savepoint` if not given
        upgrade: Option<Mode>,
        /// state of operators that the new program does not have may be left behind
        allow_non_restored_state: Option<bool>,
        /// watches the new attempt until it is stable, and goes back where it does not become so
        stable: Option<StableOptions>,
        /// this run has deployed the job before, and upgrades it on purpose; without it two specs of one name in one run are refused
        again: Option<bool>,
    }
}

options! {
    /// The options of `job.start`, `job.restart` and `job.rescale`.
    pub(super) struct StartOptions {
        /// abandons the state of the attempt that is named: `attempt-3`
        allow_state_loss: Option<String>,
        /// how a job that runs is ended; `savepoint` if not given
        upgrade: Option<Mode>,
        /// state of operators that the program does not have may be left behind
        allow_non_restored_state: Option<bool>,
    }
}

options! {
    /// The options of `job.rollback`.
    pub(super) struct RollbackOptions {
        /// the revision to go back to; the one before if not given
        to: Option<u32>,
        /// `newest`: the old spec goes on from the newest state. `matching`: the state goes back, too
        state: Option<StateWord>,
        /// abandons the state of the attempt that is named: `attempt-3`
        allow_state_loss: Option<String>,
        /// how a job that runs is ended; `savepoint` if not given
        upgrade: Option<Mode>,
        /// state of operators that the old program does not have may be left behind
        allow_non_restored_state: Option<bool>,
    }
}

crate::api::types::words! {
    /// Which state a rollback starts from.
    pub(super) enum StateWord {
        Newest = "newest",
        Matching = "matching",
    }
}

pub(super) fn deploy_options(call: &Call<'_>) -> Result<deploy::Options> {
    let options: DeployOptions = read(call.name, call.json(1)?)?;
    let gate = |stable: StableOptions| -> Result<Gate> {
        Ok(Gate {
            checkpoints: stable.checkpoints.unwrap_or(1) as u64,
            within: stable.within.as_deref().map_or(Ok(Duration::from_secs(300)), duration::parse)?,
            max_restarts: stable.max_restarts.unwrap_or(0) as u64,
            otherwise: stable.otherwise.unwrap_or_default(),
        })
    };
    let stable = options.stable.map(gate).transpose()?;
    let common = starting(options.allow_state_loss, options.upgrade, options.allow_non_restored_state);
    Ok(deploy::Options { stable, ..common })
}

/// Whether a script says that it deploys a job once more with another spec.
pub(super) fn is_meant_again(call: &Call<'_>) -> Result<bool> {
    let options: DeployOptions = read(call.name, call.json(1)?)?;
    Ok(options.again.unwrap_or_default())
}

/// What all that starts a job has in common.
fn starting(allow_state_loss: Option<String>, upgrade: Option<Mode>, non_restored: Option<bool>) -> deploy::Options {
    deploy::Options {
        allow_state_loss,
        upgrade: upgrade.unwrap_or_default(),
        allow_non_restored_state: non_restored.unwrap_or_default(),
        stable: None,
    }
}

/// What a call wishes of a job, and with which options.
pub(super) fn wished(call: &Call<'_>) -> Result<(Wish, deploy::Options)> {
    let start = |index: usize| -> Result<deploy::Options> {
        let options: StartOptions = read(call.name, call.json(index)?)?;
        Ok(starting(options.allow_state_loss, options.upgrade, options.allow_non_restored_state))
    };
    Ok(match call.function.name {
        "start" => (Wish::Start, start(1)?),
        "restart" => (Wish::Restart, start(1)?),
        "rescale" => {
            let wanted =
                call.json(1)?.as_u64().and_then(|wanted| u32::try_from(wanted).ok()).filter(|wanted| *wanted > 0);
            let wanted = wanted.ok_or_else(|| {
                Error::new(&code::ARGUMENT_INVALID, format!("{}: the parallelism must be at least 1", call.name))
            })?;
            (Wish::Rescale(wanted), start(2)?)
        }
        _ => {
            let options: RollbackOptions = read(call.name, call.json(1)?)?;
            let matching = matches!(options.state, Some(StateWord::Matching));
            let others = starting(options.allow_state_loss, options.upgrade, options.allow_non_restored_state);
            (Wish::Rollback { to: options.to, matching }, others)
        }
    })
}

pub(super) fn do_deploy(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let options = deploy_options(call)?;
    let spec = this_spec(call)?;
    // In a session somebody brings a job from spec to spec by hand.
    if call.host.confirm.is_none() && !is_meant_again(call)? {
        deployed_twice::refuse(&call.host.services, acting, &spec, call.place())?;
    }
    let run = call.host.journal()?.run();
    let facts = call.host.wait(stability::deploy(&call.host.services, run, acting, &spec, &options))?;
    Ok(as_handle(facts))
}

/// `start`, `restart`, `rollback` and `rescale`.
pub(super) fn do_wish(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let (wish, options) = wished(call)?;
    let job = this_job(call)?;
    let run = call.host.journal()?.run();
    let named = (job.environment(), job.name());
    call.host.wait(wish::perform(&call.host.services, run, acting, named, wish, &options)).map(as_handle)
}

options! {
    /// The options of `job::adopt`.
    pub(super) struct AdoptOptions {
        /// the Flink job id
        id: String,
        /// the cluster that it runs on; the environment's if not given
        cluster: Option<String>,
    }
}

/// Name, id and cluster of a job that is to be adopted.
pub(super) fn adopted(call: &Call<'_>) -> Result<(String, String, String)> {
    let options: AdoptOptions = read(call.name, call.json(1)?)?;
    // Otherwise Flink lets a job have any name, and here it has that of the one that somebody started.
    if !can_be_typed(&call.string(0)) {
        return Err(no_name(call.name, &call.string(0)));
    }
    let cluster = options.cluster.unwrap_or_else(|| call.host.environment.cluster.clone());
    Ok((call.string(0), options.id, cluster))
}

pub(super) fn do_adopt(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let (name, id, cluster) = adopted(call)?;
    let run = call.host.journal()?.run();
    let named = (call.host.environment.name.as_str(), name.as_str());
    call.host.wait(adopt::adopt(&call.host.services, run, acting, named, &cluster, &id)).map(as_handle)
}

pub(super) fn do_savepoint(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let run = call.host.journal()?.run();
    let work = take_savepoint::take(&call.host.services, run, acting, job.environment(), job.name());
    call.host.wait(work).map(as_handle)
}

options! {
    /// The options of `job.prune_savepoints`.
    pub(super) struct PruneOptions {
        /// so many of the newest are kept; 5 if not given
        keep: Option<usize>,
        /// only older ones go; `7d` if not given
        older_than: Option<String> => Type::Duration,
    }
}

/// How many are kept, and how old the others have to be.
pub(super) fn pruned(call: &Call<'_>) -> Result<(usize, Duration)> {
    let options: PruneOptions = read(call.name, call.json(1)?)?;
    let age = options.older_than.as_deref().map_or(Ok(Duration::from_secs(7 * 24 * 3600)), duration::parse)?;
    Ok((options.keep.unwrap_or(5), age))
}

pub(super) fn do_prune(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let (count, age) = pruned(call)?;
    let work = prune::prune(&call.host.services, job.environment(), job.name(), count, age);
    call.host.wait(work).map(Value::Array)
}

pub(super) fn do_remove(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let run = call.host.journal()?.run();
    call.host.wait(remove::remove(&call.host.services, run, acting, job.environment(), job.name())).map(as_handle)
}

pub(super) fn do_stop(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let run = call.host.journal()?.run();
    call.host.wait(stop::stop(&call.host.services, run, acting, job.environment(), job.name())).map(as_handle)
}

pub(super) fn do_cancel(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let run = call.host.journal()?.run();
    call.host.wait(cancel::cancel(&call.host.services, run, acting, job.environment(), job.name())).map(as_handle)
}
