//! `job::`: what jobs are, and what is done with them.

mod desired;
mod logs;
mod planning;
mod specs;

use std::sync::Arc;
use std::time::Duration;

use rhai::Dynamic;
use serde_json::{Value, json};

use super::convert::MARK;
use super::declare::{Body, Call, Function, Namespace, Planning, Type, optional, required};
use super::handle::Job;
use super::job_options::{JAR_OPTIONS, SQL_OPTIONS, read};
use super::spec::Spec;
use super::types::{Receives, options};
use crate::base::{Error, Result, code, duration, suggest};
use crate::model::class::Class;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::STATES;
use crate::ops::effect::Acting;
use crate::ops::{deploy, execute, observe, plan, validate, wait};

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "job",
    summary: "Jobs: what they are, and what is done with them.",
    functions: &[
        Function::new("sql", Class::Pure, &[required("name", Type::String), required("options", SQL_OPTIONS)], Type::Spec, Body::Pure(specs::sql))
            .docs(
                "A SQL job from a template, rendered at once for the environment. Nothing is sent.",
                "let spec = job::sql(\"hello\", #{ sql: \"CREATE TABLE s (i INT) WITH ('connector' = 'datagen');\\n\
                 CREATE TABLE t (i INT) WITH ('connector' = 'blackhole');\\nINSERT INTO t SELECT i FROM s\" });\n\
                 assert::equal(spec.name, \"hello\");",
            )
            .errors(&[&code::TEMPLATE_NOT_FOUND, &code::TEMPLATE_INVALID, &code::SQL_INVALID, &code::ARGUMENT_INVALID]),
        Function::new("jar", Class::Pure, &[required("name", Type::String), required("options", JAR_OPTIONS)], Type::Spec, Body::Pure(specs::jar))
            .docs(
                "A job from a jar of the workspace: main class and arguments. Nothing is sent.",
                "let spec = job::jar(\"count\", #{ jar: \"jars/count.jar\", main_class: \"com.example.CountJob\", args: [\"--rate\", 10] });",
            )
            .errors(&[&code::FILE_NOT_FOUND, &code::FILE_INVALID, &code::FLINK_ENTRY_CLASS, &code::ARGUMENT_INVALID]),
        Function::new("get", Class::Read, &[required("name", Type::String)], Type::Job, Body::Journaled(get)).planning(Planning::With(planning::get))
            .docs("A recorded job of this environment, with what its cluster says now.", "let job = job::get(\"orders\");\nlog::info(job.state);")
            .errors(&[&code::JOB_NOT_FOUND]),
        Function::new("find", Class::Read, &[optional("options", FindOptions::KIND)], Type::Array, Body::Journaled(find))
            .planning(Planning::Stale)
            .docs(
            "The recorded jobs of this environment: all, or those with a `state`, a `tag`, or a `name` that holds a text.",
            "for job in job::find(#{ state: \"FAILED\" }) { log::warn(job.name); }",
        ),
        Function::new("deploy", Class::Keyed, &[optional("options", desired::DeployOptions::KIND)], Type::Job, Body::Journaled(desired::do_deploy)).planning(Planning::With(planning::deploy))
            .on(Type::Spec)
            .docs(
                "Brings the job to its spec and is idempotent: an unchanged job that runs is left alone. One that runs with another spec is \
                 upgraded: `upgrade: \"savepoint\"` stops it with a savepoint and starts the new spec from that, `\"last_state\"` cancels it and \
                 goes on from its newest checkpoint, `\"stateless\"` starts from nothing. Never starts a second execution.",
                "let deployed = job::sql(\"hello\", #{ template: \"hello.sql\" }).deploy();\ndeployed.wait_for(\"RUNNING\", \"2m\");",
            )
            .errors(&[
                &code::JOB_EXISTS_UNMANAGED,
                &code::JOB_TWIN,
                &code::JOB_UPGRADE_BLOCKED,
                &code::JOB_UNSTABLE,
                &code::SAVEPOINT_FAILED,
                &code::SAVEPOINT_GONE,
                &code::SAVEPOINT_NO_FOLDER,
                &code::JOB_STATE_UNKNOWN,
                &code::FLINK_SQL_REFUSED,
                &code::FLINK_MAIN_FAILED,
                &code::FLINK_START_FAILED,
                &code::FLINK_UNREACHABLE,
            ]),
        Function::new("execute", Class::Keyed, &[optional("options", ExecuteOptions::KIND)], Type::Job, Body::Journaled(do_execute)).planning(Planning::With(planning::execute))
            .on(Type::Spec)
            .docs(
                "Starts one new execution of a bounded job and waits until it is FINISHED; `timeout` is `1h` if not given.",
                "let done = job::sql(\"report\", #{ template: \"report.sql\", mode: \"batch\" }).execute(#{ timeout: \"10m\" });",
            )
            .errors(&[&code::FLINK_JOB_FAILED, &code::JOB_TIMEOUT, &code::JOB_TWIN, &code::FLINK_SQL_REFUSED]),
        Function::new("plan", Class::Read, &[], Type::Map, Body::Journaled(do_plan))
            .on(Type::Spec)
            .planning(Planning::Stale)
            .docs(
                "What `deploy` would do now, without doing it: `action` (`CREATE`, `NOOP`, `RECORD`, `RESTART` or `UPGRADE`), \
                 `notes`, `differences`, and `blocked`, the reason why it would be refused, or `()`.",
                "let plan = job::sql(\"hello\", #{ template: \"hello.sql\" }).plan();\nassert::equal(plan.action, \"CREATE\");",
            ),
        Function::new("validate", Class::Read, &[optional("options", ValidateOptions::KIND)], Type::Unit, Body::Journaled(do_validate))
            .on(Type::Spec)
            .docs(
                "Asks the cluster's own planner about a SQL job; what it refuses is an error at the template line. Nothing is submitted.",
                "job::sql(\"hello\", #{ template: \"hello.sql\" }).validate();",
            )
            .errors(&[&code::FLINK_SQL_REFUSED, &code::VALIDATE_IMPOSSIBLE, &code::FLINK_UNREACHABLE, &code::CLUSTER_DOWN]),
        Function::new("wait_for", Class::Read, &[required("state", Type::Word(&STATES)), optional("timeout", Type::Duration)], Type::Job, Body::Journaled(wait_for)).planning(Planning::With(planning::wait_for))
            .on(Type::Job)
            .docs(
                "Waits until the job is in a state, Flink's word; RUNNING means that all tasks run. `timeout` is `5m` if not given.",
                "job::get(\"orders\").wait_for(\"RUNNING\", \"2m\");",
            )
            .errors(&[&code::JOB_TIMEOUT, &code::FLINK_JOB_FAILED, &code::JOB_ENDED, &code::FLINK_JOB_NOT_FOUND]),
        Function::new("refresh", Class::Read, &[], Type::Job, Body::Journaled(refresh)).planning(Planning::With(planning::refresh))
            .on(Type::Job)
            .docs("The job as its cluster sees it now. A handle itself never changes.", "let job = job::get(\"orders\").refresh();"),
        Function::new("cancel", Class::Set, &[], Type::Job, Body::Journaled(desired::do_cancel)).planning(Planning::With(planning::cancel))
            .on(Type::Job)
            .docs("Cancels the job and waits until it has ended; the pointer to its newest checkpoint is kept.", "job::get(\"orders\").cancel();")
            .errors(&[&code::JOB_TIMEOUT]),
        Function::new("stop", Class::Keyed, &[], Type::Job, Body::Journaled(desired::do_stop)).planning(Planning::With(planning::stop))
            .on(Type::Job)
            .docs(
                "Stops the job with a savepoint, waits until it has ended, and leaves it stopped; a deploy starts it from that savepoint. \
                 `checkpoint` of the handle is its path. Where no savepoint can be taken the job runs on.",
                "let stopped = job::get(\"orders\").stop();\nprint(stopped.checkpoint);",
            )
            .errors(&[&code::SAVEPOINT_FAILED, &code::SAVEPOINT_NO_FOLDER, &code::FLINK_JOB_NOT_FOUND]),
        Function::new("start", Class::Keyed, &[optional("options", desired::StartOptions::KIND)], Type::Job, Body::Journaled(desired::do_wish)).planning(Planning::With(planning::wish))
            .on(Type::Job)
            .docs(
                "Starts the job with the spec that was deployed last, from its newest state. One that runs is left alone.",
                "job::get(\"orders\").start();",
            )
            .errors(&[&code::JOB_NO_REVISION, &code::JOB_STATE_UNKNOWN]),
        Function::new("restart", Class::Keyed, &[optional("options", desired::StartOptions::KIND)], Type::Job, Body::Journaled(desired::do_wish)).planning(Planning::With(planning::wish))
            .on(Type::Job)
            .docs(
                "Ends the job as `upgrade` says, with a savepoint if not given, and starts the same spec from there as a new attempt.",
                "job::get(\"orders\").restart();",
            )
            .errors(&[&code::JOB_UPGRADE_BLOCKED, &code::SAVEPOINT_FAILED, &code::JOB_STATE_UNKNOWN]),
        Function::new("rollback", Class::Keyed, &[optional("options", desired::RollbackOptions::KIND)], Type::Job, Body::Journaled(desired::do_wish)).planning(Planning::With(planning::wish))
            .on(Type::Job)
            .docs(
                "Goes back to an earlier revision, the one before if `to` names none, from the newest state: nothing is processed twice.                  With `state: \"matching\"` the state goes back, too, to the newest that the earlier revision had.",
                "job::get(\"orders\").rollback(#{ to: 1 });",
            )
            .errors(&[&code::JOB_NO_REVISION, &code::JOB_UPGRADE_BLOCKED, &code::SAVEPOINT_FAILED, &code::JOB_STATE_UNKNOWN, &code::SAVEPOINT_GONE]),
        Function::new("rescale", Class::Keyed, &[required("parallelism", Type::Integer), optional("options", desired::StartOptions::KIND)], Type::Job, Body::Journaled(desired::do_wish)).planning(Planning::With(planning::wish))
            .on(Type::Job)
            .docs(
                "Changes the parallelism: without a restart where the cluster has Flink's adaptive scheduler (since 1.18), else by an                  upgrade. Makes a revision; a deploy with another parallelism changes it again.",
                "job::get(\"orders\").rescale(4);",
            )
            .errors(&[&code::JOB_TIMEOUT, &code::JOB_UPGRADE_BLOCKED, &code::SAVEPOINT_FAILED]),
        Function::new("remove", Class::Keyed, &[], Type::Job, Body::Journaled(desired::do_remove)).planning(Planning::With(planning::remove))
            .on(Type::Job)
            .docs(
                "Stops the job with a savepoint where it runs, and does not list it any more. What is recorded stays: a deploy brings                  it back from its newest state.",
                "job::get(\"orders\").remove();",
            )
            .errors(&[&code::SAVEPOINT_FAILED, &code::SAVEPOINT_NO_FOLDER]),
        Function::new("logs", Class::Read, &[optional("options", logs::LogsOptions::KIND)], Type::Array, Body::Journaled(logs::do_logs)).planning(Planning::With(planning::logs))
            .on(Type::Job)
            .docs(
                "The last lines of the logs that the job wrote to: a map with `source` and `lines` each. `source` picks one, \
                 `lines` says how many (100), `grep` keeps the lines that hold a text.",
                "for part in job::get(\"orders\").logs(#{ lines: 20 }) { print(part.source); }",
            ),
        Function::new("exceptions", Class::Read, &[], Type::Array, Body::Journaled(logs::exceptions)).planning(Planning::With(planning::exceptions))
            .on(Type::Job)
            .docs("What went wrong: root cause, chain and trace.", "for e in job::get(\"orders\").exceptions() { print(e.root_cause); }"),
        Function::new("name", Class::Pure, &[], Type::String, Body::Pure(specs::spec_name)).property(Type::Spec).docs("The job's name.", ""),
        Function::new("environment", Class::Pure, &[], Type::String, Body::Pure(specs::spec_environment)).property(Type::Spec).docs("The environment.", ""),
        Function::new("cluster", Class::Pure, &[], Type::String, Body::Pure(specs::spec_cluster)).property(Type::Spec).docs("The cluster's name.", ""),
        Function::new("statements", Class::Pure, &[], Type::Array, Body::Pure(specs::statements))
            .property(Type::Spec)
            .docs("The statements of a SQL job, secrets as `***`.", ""),
        fact("name", "The job's name."),
        fact("environment", "The environment."),
        fact("cluster", "The cluster's name."),
        fact("url", "The address of the JobManager."),
        fact("attempt", "The attempt's number, from 1."),
        fact("id", "The Flink job id."),
        fact("state", "Flink's state of the job when the handle was made."),
        fact("tasks_running", "How many of its tasks ran or had finished when the handle was made."),
        fact("tasks_total", "How many tasks it has; 0 where that was not known yet."),
        fact("action", "What a deploy did: `created`, `unchanged`, `finished` or `rescaled`."),
        fact("restored_from", "The checkpoint that the attempt was started from; `()` where there was none."),
        fact("checkpoint", "Its newest checkpoint or savepoint, where the handle comes of `stop` or `cancel`; else `()`."),
        fact("at", "When the facts were seen."),
    ],
};

const fn fact(name: &'static str, summary: &'static str) -> Function {
    Function::new(name, Class::Pure, &[], Type::Any, Body::Pure(read_fact)).property(Type::Job).docs(summary, "")
}

fn read_fact(call: &mut Call<'_>) -> Result<Dynamic> {
    super::planner::fact(&this_job(call)?, call.function.name)
}

pub(super) fn this_job(call: &Call<'_>) -> Result<Job> {
    call.arguments[0]
        .clone()
        .try_cast::<Job>()
        .ok_or_else(|| Error::new(&code::ARGUMENT_INVALID, format!("{}: not a job", call.name)))
}

pub(super) fn this_spec(call: &Call<'_>) -> Result<Arc<JobSpec>> {
    let spec = call.arguments[0].clone().try_cast::<Spec>();
    spec.map(|spec| spec.0).ok_or_else(|| Error::new(&code::ARGUMENT_INVALID, format!("{}: not a job spec", call.name)))
}

options! {
    /// The options of `spec.execute`.
    struct ExecuteOptions {
        /// how long to wait for FINISHED; `1h` if not given
        timeout: Option<String> => Type::Duration,
    }
}

fn execute_timeout(call: &Call<'_>) -> Result<Duration> {
    let options: ExecuteOptions = read(call.name, call.json(1)?)?;
    options.timeout.as_deref().map_or(Ok(Duration::from_secs(3600)), duration::parse)
}

fn do_execute(call: &mut Call<'_>, acting: &Acting) -> Result<Value> {
    let timeout = execute_timeout(call)?;
    let spec = this_spec(call)?;
    let services = &call.host.services;
    let run = call.host.journal()?.run();
    let facts = call.host.wait(async {
        let attempt = execute::start(services, run, acting, &spec).await?;
        let identity = &spec.identity;
        wait::wait_for(services, &identity.environment, &identity.job, attempt.number, "FINISHED", timeout).await
    })?;
    Ok(handle(facts))
}

fn do_plan(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let spec = this_spec(call)?;
    let planned = call.host.wait(plan::deploy(
        &call.host.services,
        &spec,
        &deploy::Options::default(),
        &deploy::Intent::DEPLOY,
    ))?;
    let change = planned.change;
    Ok(json!({
        "action": change.action, "notes": change.notes, "differences": change.differences,
        "blocked": change.blocked.map(|error| error.to_string()),
    }))
}

options! {
    /// The options of `spec.validate`.
    struct ValidateOptions {
        /// external catalogs whose definitions may be executed, since planning executes them
        #[serde(default)]
        catalogs: Vec<String>,
    }
}

fn do_validate(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let options: ValidateOptions = read(call.name, call.json(1)?)?;
    let spec = this_spec(call)?;
    call.host.wait(validate::validate(&call.host.services, &spec, &options.catalogs))?;
    Ok(Value::Null)
}

/// The state that a call waits for, and how long.
fn waited_for(call: &Call<'_>) -> Result<(String, Duration)> {
    let state = call.string(1);
    if !STATES.contains(&state.as_str()) {
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("{}: Flink has no job state `{state}`", call.name))
            .hint(suggest::hint(&state, STATES)));
    }
    let timeout = if call.get(2).is_some() { duration::parse(&call.string(2))? } else { Duration::from_secs(300) };
    Ok((state, timeout))
}

fn wait_for(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    let (state, timeout) = waited_for(call)?;
    let services = &call.host.services;
    call.host.wait(wait::wait_for(services, job.environment(), job.name(), job.attempt(), &state, timeout)).map(handle)
}

fn get(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let name = call.string(0);
    look(call, &call.host.environment.name, &name)
}

fn refresh(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let job = this_job(call)?;
    look(call, job.environment(), job.name())
}

fn look(call: &Call<'_>, environment: &str, name: &str) -> Result<Value> {
    let services = &call.host.services;
    let facts = call.host.wait(observe::job(services, environment, name))?;
    facts.map(handle).ok_or_else(|| wait::job_not_found(services, environment, name))
}

options! {
    /// The options of `job::find`.
    struct FindOptions {
        /// Flink's state
        state: Option<String>,
        /// a part of the name
        name: Option<String>,
        /// a tag
        tag: Option<String>,
    }
}

fn find(call: &mut Call<'_>, _: &Acting) -> Result<Value> {
    let options: FindOptions = read(call.name, call.json(0)?)?;
    let environment = call.host.environment.name.clone();
    let jobs = call.host.wait(observe::jobs(&call.host.services, Some(&environment)))?;
    let fits = |facts: &Value| {
        let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
        options.state.as_deref().is_none_or(|state| text("state") == state)
            && options.name.as_deref().is_none_or(|part| text("name").contains(part))
            && options.tag.as_deref().is_none_or(|tag| {
                facts.get("tags").and_then(Value::as_array).is_some_and(|tags| tags.iter().any(|one| one == tag))
            })
    };
    Ok(jobs.into_iter().filter(fits).map(handle).collect())
}

/// Marks facts as a handle, for the journal and for scripts.
pub(super) fn handle(mut facts: Value) -> Value {
    if let Some(map) = facts.as_object_mut() {
        map.insert(MARK.to_owned(), "job/1".into());
    }
    facts
}
