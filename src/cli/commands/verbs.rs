//! `tidegate cancel`, `stop`, `start`, `restart`, `rollback`, `rescale` and `remove`: each is a run, and can be resumed.

use std::collections::BTreeMap;

use super::Session;
use crate::base::Result;
use crate::cli::Outcome;
use crate::cli::args::Again;
use crate::ops::commands;
use crate::script::runner::{self, Script};

/// In the text of a command: the job as a command line names it.
const WORDS: &str = "WORDS";

/// What is said of a job that no cluster knows any more: what was recorded of its state before may be old.
const GONE: &str = r#"log::info(which + " is gone, and it should be stopped from now on; `tidegate start " + WORDS
    + "` goes on from its newest state, where that can be found");"#;

const STOP: &str = r#"fn options() { #{ job: params::string("the job") } }
let job = job::get(params::get("job")).stop();
let which = "`" + job.name + "` (attempt " + job.attempt + ")";
if job.state == "VANISHED" || job.state == "ENDED UNSEEN" { GONE } else {
    log::info(if job.action == "stopped" { which + " is stopped" } else { which + " was " + job.state + " already" });
    if job.checkpoint != () { log::info("its newest state: " + job.checkpoint); }
}
"#;

const CANCEL: &str = r#"fn options() { #{ job: params::string("the job") } }
let job = job::get(params::get("job")).cancel();
let which = "`" + job.name + "` (attempt " + job.attempt + ")";
if job.state == "VANISHED" || job.state == "ENDED UNSEEN" { GONE } else {
    log::info(if job.action == "cancelled" { which + " is " + job.state } else { which + " was " + job.state + " already" });
    if job.checkpoint != () && job.checkpoint != job.restored_from { log::info("its newest checkpoint stays: " + job.checkpoint); }
}
"#;

const REMOVE: &str = r#"fn options() { #{ job: params::string("the job") } }
let job = job::get(params::get("job")).remove();
log::info("`" + job.name + "` is removed; what is recorded of it stays");
if job.checkpoint != () { log::info("its newest state: " + job.checkpoint); }
"#;

/// What the verbs that start a job have in common: `CALL` is the call of one of them.
const AGAIN: &str = r#"fn options() { #{
    job: params::string("the job"), upgrade: params::string("how it is ended"), allow_state_loss: params::string(""),
    allow_non_restored_state: params::bool(false), to: params::int(0), rewind: params::bool(false), parallelism: params::int(0),
} }
let options = #{ upgrade: params::get("upgrade"), allow_non_restored_state: params::get("allow_non_restored_state") };
if params::get("allow_state_loss") != "" { options.allow_state_loss = params::get("allow_state_loss"); }
let job = job::get(params::get("job"));
let again = CALL;
let which = "`" + again.name + "` (attempt " + again.attempt + ")";
if again.action == "unchanged" { log::info(which + " runs already"); }
else if again.action == "finished" { log::info(which + " has FINISHED; `tidegate restart " + WORDS + "` runs it again"); }
else if again.action == "rescaled" { log::info(which + " runs with another parallelism, and was not restarted"); }
else {
    let how = if again.back_to == () { "" } else { " as revision " + again.back_to + " was," };
    log::info(which + " is started" + how + " from " + if again.restored_from == () { "nothing" } else { again.restored_from });
    try { again.wait_for("RUNNING", "2m"); log::info(which + " is RUNNING"); }
    catch (e) { if e.code != "job.ended" || e.data.state != "FINISHED" { throw e; } log::info(which + " has FINISHED"); }
}
"#;

fn run(session: &Session<'_>, verb: &str, text: &str, env: Option<&str>, given: &[(&str, String)]) -> Result<Outcome> {
    let workspace = session.open()?;
    let environment = workspace.environment(env)?;
    let parameters: BTreeMap<String, String> =
        given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let job = parameters.get("job").map_or("", String::as_str);
    let words = serde_json::Value::from(commands::words(&workspace.services, &environment.name, job));
    let script = Script::of_command(verb, &text.replace(WORDS, &words.to_string()));
    let report = runner::start(&session.setting(&workspace), &script, &environment, &parameters)?;
    Ok(super::run::tell(session, report))
}

pub(super) fn cancel(session: &Session<'_>, job: &str, environment: Option<&str>) -> Result<Outcome> {
    run(session, "cancel", &CANCEL.replace("GONE", GONE), environment, &[("job", job.to_owned())])
}

pub(super) fn stop(session: &Session<'_>, job: &str, environment: Option<&str>) -> Result<Outcome> {
    run(session, "stop", &STOP.replace("GONE", GONE), environment, &[("job", job.to_owned())])
}

pub(super) fn remove(session: &Session<'_>, job: &str, environment: Option<&str>) -> Result<Outcome> {
    run(session, "remove", REMOVE, environment, &[("job", job.to_owned())])
}

const SAVEPOINT: &str = r#"fn options() { #{ job: params::string("the job") } }
let job = job::get(params::get("job")).savepoint();
log::info("`" + job.name + "` (attempt " + job.attempt + ") goes on; its savepoint: " + job.checkpoint);
"#;

const ADOPT: &str = r#"fn options() { #{ job: params::string("the job"), id: params::string("its id"), cluster: params::string("") } }
let options = #{ id: params::get("id") };
if params::get("cluster") != "" { options.cluster = params::get("cluster"); }
let job = job::adopt(params::get("job"), options);
log::info("`" + job.name + "` is " + job.id + " on `" + job.cluster + "` (attempt " + job.attempt + ", " + job.state + "); nothing was restarted");
"#;

const PRUNE: &str = r#"fn options() { #{ job: params::string(""), keep: params::int(5), older_than: params::string("7d") } }
let jobs = if params::get("job") == "" { job::find() } else { [job::get(params::get("job"))] };
let gone = 0;
for job in jobs {
    // Each that is deleted is told by it.
    gone += job.prune_savepoints(#{ keep: params::get("keep"), older_than: params::get("older_than") }).len();
}
if gone == 0 { log::info("no savepoint may go"); }
"#;

pub(super) fn savepoint(session: &Session<'_>, job: &str, environment: Option<&str>) -> Result<Outcome> {
    run(session, "savepoint", SAVEPOINT, environment, &[("job", job.to_owned())])
}

pub(super) fn adopt(
    session: &Session<'_>,
    (job, id): (&str, &str),
    cluster: Option<String>,
    environment: Option<&str>,
) -> Result<Outcome> {
    let mut given = vec![("job", job.to_owned()), ("id", id.to_owned())];
    given.extend(cluster.map(|cluster| ("cluster", cluster)));
    run(session, "adopt", ADOPT, environment, &given)
}

pub(super) fn prune(
    session: &Session<'_>,
    job: Option<&str>,
    environment: Option<&str>,
    keep: usize,
    older_than: &str,
) -> Result<Outcome> {
    let mut given = vec![("keep", keep.to_string()), ("older_than", older_than.to_owned())];
    given.extend(job.map(|job| ("job", job.to_owned())));
    run(session, "prune", PRUNE, environment, &given)
}

/// Runs `VERB` of a job with its options.
pub(super) fn again(session: &Session<'_>, verb: &str, again: &Again, more: &[(&str, String)]) -> Result<Outcome> {
    let call = match verb {
        "rollback" => {
            "{ if params::get(\"to\") > 0 { options.to = params::get(\"to\"); } \
             if params::get(\"rewind\") { options.state = \"matching\"; } job.rollback(options) }"
        }
        "rescale" => "job.rescale(params::get(\"parallelism\"), options)",
        "restart" => "job.restart(options)",
        _ => "job.start(options)",
    };
    let mut given = vec![
        ("job", again.job.clone()),
        ("upgrade", again.upgrade.clone()),
        ("allow_non_restored_state", again.allow_non_restored_state.to_string()),
    ];
    if let Some(attempt) = &again.allow_state_loss {
        given.push(("allow_state_loss", attempt.clone()));
    }
    given.extend_from_slice(more);
    run(session, verb, &AGAIN.replace("CALL", call), again.env.as_deref(), &given)
}

pub(super) fn rollback(session: &Session<'_>, wish: &Again, to: Option<u32>, rewind: bool) -> Result<Outcome> {
    let more = [("to", to.unwrap_or(0).to_string()), ("rewind", rewind.to_string())];
    again(session, "rollback", wish, &more)
}

pub(super) fn rescale(session: &Session<'_>, wish: &Again, parallelism: u32) -> Result<Outcome> {
    again(session, "rescale", wish, &[("parallelism", parallelism.to_string())])
}
