//! What the functions of `job::` do in a plan.

use serde_json::{Value, json};

use super::desired::{adopted, deploy_options, is_meant_again, pruned, wished};
use super::looks::{execute_timeout, waited_for};
use super::{Call, this_job, this_spec};
use crate::api::planner::{Planner, ends};
use crate::base::Result;
use crate::model::plan::{Action, Change};
use crate::ops::deploy::Intent;
use crate::ops::{deployed_twice, plan, prune};

pub(super) fn deploy(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let options = deploy_options(call)?;
    let spec = this_spec(call)?;
    let name = &spec.identity.job;
    if let Some((earlier, place)) = planner.deployed(name).filter(|_| call.host.confirm.is_none())
        && earlier.running_hash() != spec.running_hash()
        && !is_meant_again(call)?
    {
        return Err(deployed_twice::error(name, "the plan deploys the other one", call.place(), place));
    }
    if planner.job(name).is_some() {
        return Err(ends(format!("`{}` was planned before: how it stands then is not known", spec.identity.job)));
    }
    let planned = call.host.wait(plan::deploy(&call.host.services, &spec, &options, &Intent::DEPLOY))?;
    Ok(planner.tell_job(call, planned, Some(spec)))
}

pub(super) fn execute(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    execute_timeout(call)?;
    let spec = this_spec(call)?;
    let planned = call.host.wait(plan::execute(&call.host.services, &spec))?;
    Ok(planner.tell_job(call, planned, Some(spec)))
}

/// A plan does not wait: that the state is reached is taken for granted.
pub(super) fn wait_for(call: &mut Call<'_>, _: &Planner) -> Result<Value> {
    let (state, _) = waited_for(call)?;
    let mut facts = this_job(call)?.to_json();
    if let Some(map) = facts.as_object_mut() {
        if map.get("state").is_none_or(|before| *before != state) {
            map.insert("planned".to_owned(), true.into());
            map.remove("tasks_running");
            map.remove("tasks_total");
        }
        map.insert("state".to_owned(), state.into());
        map.insert("action".to_owned(), "observed".into());
    }
    Ok(facts)
}

pub(super) fn get(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let name = call.string(0);
    match planner.job(&name) {
        Some(facts) => Ok(facts),
        None => super::looks::look(call, &call.host.environment.name, &name),
    }
}

pub(super) fn refresh(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let job = this_job(call)?;
    match planner.job(job.name()) {
        Some(_) => Err(ends(format!("how `{}` stands then is known only when it runs", job.name()))),
        None => super::looks::look(call, job.environment(), job.name()),
    }
}

pub(super) fn cancel(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    end(call, planner, Action::Cancel)
}

pub(super) fn stop(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    end(call, planner, Action::Stop)
}

pub(super) fn remove(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    end(call, planner, Action::Remove)
}

/// The records change, and the job does not.
pub(super) fn adopt(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let (name, id, cluster) = adopted(call)?;
    let note = format!("{id} on `{cluster}` is taken over as it runs");
    let environment = &call.host.environment.name;
    let change = call.host.wait(plan::aside(&call.host.services, environment, &name, Action::Adopt, note))?;
    let facts = json!({ "name": name, "environment": call.host.environment.name, "cluster": cluster, "id": id, "planned": true });
    Ok(planner.tell_job(call, plan::Planned { change, facts }, None))
}

pub(super) fn savepoint(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let job = this_job(call)?;
    let mut facts = job.to_json();
    if let Some(map) = facts.as_object_mut() {
        map.insert("planned".to_owned(), true.into());
        map.remove("checkpoint");
    }
    let note = "it goes on".to_owned();
    let named = (job.environment(), job.name());
    let change = match planner.job(job.name()) {
        Some(_) => Change::new(Action::Savepoint, job.name(), vec![note]),
        None => call.host.wait(plan::aside(&call.host.services, named.0, named.1, Action::Savepoint, note))?,
    };
    Ok(planner.tell_job(call, plan::Planned { change, facts }, None))
}

pub(super) fn prune(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let job = this_job(call)?;
    let (count, age) = pruned(call)?;
    let found = prune::candidates(&call.host.services, job.environment(), job.name(), count, age)?;
    let paths: Vec<String> = found.into_iter().filter_map(|snapshot| snapshot.path).collect();
    if !paths.is_empty() {
        let notes = paths.iter().map(|path| format!("deletes {path}")).collect();
        let change = Change { basis: paths.join(", "), ..Change::new(Action::Call, call.name, notes) };
        planner.tell(call, change, None);
    }
    Ok(paths.into_iter().map(|path| json!({ "job": job.name(), "path": path })).collect())
}

/// `start`, `restart`, `rollback` and `rescale`.
pub(super) fn wish(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    let (wish, options) = wished(call)?;
    let job = this_job(call)?;
    if planner.job(job.name()).is_some() {
        return Err(ends(format!("`{}` was planned before: how it stands then is not known", job.name())));
    }
    let (planned, spec) =
        call.host.wait(plan::wish(&call.host.services, (job.environment(), job.name()), wish, &options))?;
    Ok(planner.tell_job(call, planned, Some(spec.into())))
}

fn end(call: &mut Call<'_>, planner: &Planner, action: Action) -> Result<Value> {
    let job = this_job(call)?;
    let started = planner.job(job.name()).is_some();
    let planned = call.host.wait(plan::end(&call.host.services, job.environment(), job.name(), started, action))?;
    Ok(planner.tell_job(call, planned, None))
}

pub(super) fn logs(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    not_planned(call, planner)?;
    super::logs::look_at_logs(call)
}

pub(super) fn exceptions(call: &mut Call<'_>, planner: &Planner) -> Result<Value> {
    not_planned(call, planner)?;
    super::logs::look_at_exceptions(call)
}

/// What a job writes and meets is not known before it runs.
fn not_planned(call: &Call<'_>, planner: &Planner) -> Result<()> {
    let job = this_job(call)?;
    match planner.job(job.name()) {
        Some(_) => Err(ends(format!("`{}` needs what `{}` writes when it runs", call.name, job.name()))),
        None => Ok(()),
    }
}
