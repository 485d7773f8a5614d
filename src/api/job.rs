//! `job::`: what jobs are, and what is done with them.

mod desired;
mod logs;
mod looks;
mod planning;
mod specs;

use std::sync::Arc;

use rhai::Dynamic;

use super::declare::{Body, Call, Function, Namespace, Planning, Type, optional, required};
use super::handle::Job;
use super::job_options::{JAR_OPTIONS, SQL_OPTIONS};
use super::spec::Spec;
use super::types::Receives;
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::model::job_spec::JobSpec;
use crate::model::job_status::STATES;

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
            .errors(&[
                &code::TEMPLATE_NOT_FOUND,
                &code::TEMPLATE_INVALID,
                &code::SQL_INVALID,
                &code::ARGUMENT_INVALID,
                &code::DEPENDENCY_INVALID,
                &code::DEPENDENCY_NOT_FOUND,
                &code::DEPENDENCY_UNREACHABLE,
                &code::DEPENDENCY_DENIED,
                &code::DEPENDENCY_CHECKSUM,
                &code::DEPENDENCY_LOCKED,
                &code::DEPENDENCY_LOCK_INVALID,
                &code::DEPENDENCY_FAILED,
                &code::MAVEN_NOT_FOUND,
                &code::CAPABILITY_DENIED,
            ]),
        Function::new("jar", Class::Pure, &[required("name", Type::String), required("options", JAR_OPTIONS)], Type::Spec, Body::Pure(specs::jar))
            .docs(
                "A job from a jar of the workspace: main class and arguments. Nothing is sent.",
                "let spec = job::jar(\"count\", #{ jar: \"jars/count.jar\", main_class: \"com.example.CountJob\", args: [\"--rate\", 10] });",
            )
            .errors(&[
                &code::FILE_NOT_FOUND,
                &code::FILE_INVALID,
                &code::FLINK_ENTRY_CLASS,
                &code::ARGUMENT_INVALID,
                &code::DEPENDENCY_INVALID,
                &code::DEPENDENCY_NOT_FOUND,
                &code::DEPENDENCY_UNREACHABLE,
                &code::DEPENDENCY_DENIED,
                &code::DEPENDENCY_CHECKSUM,
                &code::DEPENDENCY_LOCKED,
                &code::DEPENDENCY_LOCK_INVALID,
                &code::DEPENDENCY_FAILED,
                &code::MAVEN_NOT_FOUND,
                &code::CAPABILITY_DENIED,
            ]),
        Function::new("get", Class::Read, &[required("name", Type::String)], Type::Job, Body::Journaled(looks::get)).planning(Planning::With(planning::get))
            .docs("A recorded job of this environment, with what its cluster says now.", "let job = job::get(\"orders\");\nlog::info(job.state);")
            .errors(&[&code::JOB_NOT_FOUND]),
        Function::new("find", Class::Read, &[optional("options", looks::FindOptions::KIND)], Type::Array, Body::Journaled(looks::find))
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
        Function::new("execute", Class::Keyed, &[optional("options", looks::ExecuteOptions::KIND)], Type::Job, Body::Journaled(looks::do_execute)).planning(Planning::With(planning::execute))
            .on(Type::Spec)
            .docs(
                "Starts one new execution of a bounded job and waits until it is FINISHED; `timeout` is `1h` if not given.",
                "let done = job::sql(\"report\", #{ template: \"report.sql\", mode: \"batch\" }).execute(#{ timeout: \"10m\" });",
            )
            .errors(&[&code::FLINK_JOB_FAILED, &code::JOB_TIMEOUT, &code::JOB_TWIN, &code::FLINK_SQL_REFUSED]),
        Function::new("plan", Class::Read, &[], Type::Map, Body::Journaled(looks::do_plan))
            .on(Type::Spec)
            .planning(Planning::Stale)
            .docs(
                "What `deploy` would do now, without doing it: `action` (`CREATE`, `NOOP`, `RECORD`, `RESTART` or `UPGRADE`), \
                 `notes`, `differences`, and `blocked`, the reason why it would be refused, or `()`.",
                "let plan = job::sql(\"hello\", #{ template: \"hello.sql\" }).plan();\nassert::equal(plan.action, \"CREATE\");",
            ),
        Function::new("validate", Class::Read, &[optional("options", looks::ValidateOptions::KIND)], Type::Unit, Body::Journaled(looks::do_validate))
            .on(Type::Spec)
            .docs(
                "Asks the cluster's own planner about a SQL job; what it refuses is an error at the template line. Nothing is submitted.",
                "job::sql(\"hello\", #{ template: \"hello.sql\" }).validate();",
            )
            .errors(&[&code::FLINK_SQL_REFUSED, &code::VALIDATE_IMPOSSIBLE, &code::FLINK_UNREACHABLE, &code::CLUSTER_DOWN]),
        Function::new("wait_for", Class::Read, &[required("state", Type::Word(&STATES)), optional("timeout", Type::Duration)], Type::Job, Body::Journaled(looks::wait_for)).planning(Planning::With(planning::wait_for))
            .on(Type::Job)
            .docs(
                "Waits until the job is in a state, Flink's word; RUNNING means that all tasks run. `timeout` is `5m` if not given.",
                "job::get(\"orders\").wait_for(\"RUNNING\", \"2m\");",
            )
            .errors(&[&code::JOB_TIMEOUT, &code::FLINK_JOB_FAILED, &code::JOB_ENDED, &code::FLINK_JOB_NOT_FOUND]),
        Function::new("refresh", Class::Read, &[], Type::Job, Body::Journaled(looks::refresh)).planning(Planning::With(planning::refresh))
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
                "Changes the parallelism: without a restart where the cluster has Flink's adaptive scheduler (since 1.18), else by an \
                 upgrade. Operators that were given another parallelism than the job keep theirs. Makes a revision; a deploy with another parallelism changes it again.",
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
        Function::new("adopt", Class::Keyed, &[required("name", Type::String), required("options", desired::AdoptOptions::KIND)], Type::Job, Body::Journaled(desired::do_adopt)).planning(Planning::With(planning::adopt))
            .docs(
                "Takes over a job that somebody else started, by its Flink job id, without touching it: from then on it is looked at, stopped, \
                 and upgraded by a deploy, from a savepoint. What it runs is not known before that.",
                "let jobs = flink::jobs();\nif jobs.len() > 100 { job::adopt(\"orders\", #{ id: jobs[0].id }); }",
            )
            .errors(&[&code::FLINK_JOB_NOT_FOUND, &code::JOB_TWIN]),
        Function::new("drift", Class::Read, &[], Type::Array, Body::Journaled(looks::do_drift))
            .planning(Planning::Stale)
            .docs(
                "Where clusters differ from what is recorded and desired in this environment: maps with `job`, `cluster`, `kind` (`missing`, \
                 `unwanted`, `twin`, `orphan`, `foreign`, `parallelism`, `configuration`, `checkpoints`, `unknown`), `text` and `hint`. The \
                 environment's cluster is looked at and those that its jobs ever ran on; `job` is empty where one of them cannot be asked.",
                "for one in job::drift() { log::warn(one.job + \": \" + one.text); }",
            ),
        Function::new("savepoint", Class::Keyed, &[], Type::Job, Body::Journaled(desired::do_savepoint)).planning(Planning::With(planning::savepoint))
            .on(Type::Job)
            .docs(
                "Takes a savepoint of the job, which goes on. `checkpoint` of the handle is its path.",
                "let saved = job::get(\"orders\").savepoint();\nprint(saved.checkpoint);",
            )
            .errors(&[&code::SAVEPOINT_FAILED, &code::SAVEPOINT_NO_FOLDER, &code::JOB_ENDED]),
        Function::new("prune_savepoints", Class::Set, &[optional("options", desired::PruneOptions::KIND)], Type::Array, Body::Journaled(desired::do_prune)).planning(Planning::With(planning::prune))
            .on(Type::Job)
            .docs(
                "Has Flink delete savepoints that we made and nobody needs: all but the newest `keep` (5), and only those older than `older_than` \
                 (`7d`). Never the newest, nor the newest of the last three revisions, nor what runs was started from. Checkpoints are never touched.",
                "job::get(\"orders\").prune_savepoints(#{ keep: 3, older_than: \"2d\" });",
            )
            .errors(&[&code::SAVEPOINT_NOT_DISPOSED]),
        Function::new("savepoints", Class::Read, &[], Type::Array, Body::Journaled(looks::do_savepoints)).planning(Planning::Stale)
            .on(Type::Job)
            .docs("The savepoints that were asked for and the checkpoints that were seen, oldest first.", "for one in job::get(\"orders\").savepoints() { print(one.path); }"),
        Function::new("history", Class::Read, &[], Type::Array, Body::Journaled(looks::do_history)).planning(Planning::Stale)
            .on(Type::Job)
            .docs("The revisions and attempts, oldest first: what changed, by which run, from which state, and how each ended.", "for one in job::get(\"orders\").history() { print(one.revision); }"),
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
        fact("back_to", "After a rollback: the revision that it went back to; else `()`."),
        fact("dropped_operators", "After a deploy with `allow_non_restored_state`: the operators whose state was left behind, as Flink's log names them; else `()`."),
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
