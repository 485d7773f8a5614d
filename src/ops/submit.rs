//! One submission under one key, driven until its outcome is known: the heart of "never twice".
//!
//! The key is our own Flink job id. Within one JobManager incarnation the Dispatcher takes an id once, so an ambiguous
//! answer is settled by sending the same request again: "duplicate" means that it had arrived. A new incarnation has
//! forgotten, and then nothing is guessed.

use std::time::{Duration, Instant};

use base64::Engine as _;

use super::cluster::Connection;
use super::refusal;
use super::services::Services;
use super::upload;
use crate::base::clock;
use crate::base::{Error, Result, code};
use crate::drivers::flink::{ClaimMode, RunRequest, Submission as Answer, Version};
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::{JobSpec, Program};
use crate::model::statement::Kind;

/// How long an unanswered submission is pursued before the run stops and waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// The class that runs SQL.
const SQL_RUNNER: &str = "dev.tidegate.runner.SqlRunner";

/// Whether the request of an attempt may have left this machine before.
#[derive(Debug, Clone)]
pub enum Sent {
    /// Its intent was recorded just now; the jar is uploaded under this id.
    Never {
        /// Flink's id of the jar.
        jar: String,
    },
    /// An earlier process may have sent it.
    Perhaps,
}

/// Sends an open attempt and records what came of it.
///
/// # Errors
/// * the refusal, mapped to the template line (`flink.sql_refused`, `flink.main_failed`, ...), recorded as refused
/// * `flink.unreachable` where nothing was sent at all, recorded as refused
/// * `job.unknown_outcome` where the JobManager restarted and does not know it: the attempt stays open
/// * `run.unknown_outcome` where it was sent and nobody answers any more: the attempt stays open
pub async fn drive(
    services: &Services,
    connection: &Connection,
    attempt: &Attempt,
    spec: &JobSpec,
    sent: Sent,
) -> Result<()> {
    let client = &connection.client;
    let payload = upload::payload(services, spec)?;
    let version = Version::parse(&client.overview().await?.flink_version)?;
    let request = request(services, version, attempt, spec)?;
    let (mut uploaded, mut ambiguous) = match sent {
        Sent::Never { jar } => (Some(jar), None),
        Sent::Perhaps => (None, Some("an earlier process may have sent it".to_owned())),
    };
    let mut deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(100);
    let mut uploads = 0;
    loop {
        if let Some(why) = &ambiguous {
            match connection.incarnation().await {
                Ok(incarnation) if incarnation == attempt.incarnation => {}
                Ok(_) => {
                    // With high availability the new JobManager has recovered the job under its id.
                    if connection.job(&attempt.flink_id).await?.is_some() {
                        return services.store.settle_attempt(attempt, Submission::Accepted, None);
                    }
                    return Err(forgotten(attempt, spec, connection));
                }
                Err(error) if Instant::now() >= deadline => return Err(unanswered(attempt, spec, why, &error)),
                Err(_) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                    continue;
                }
            }
        }
        let jar = match uploaded.take() {
            Some(jar) => Ok(jar),
            None => upload::ensure(client, &payload, uploads > 0).await,
        };
        let jar = match jar {
            Ok(jar) => jar,
            // Before the first request to run nothing can have started.
            Err(error) if ambiguous.is_none() => return Err(refuse(services, attempt, error)?),
            Err(error) if Instant::now() >= deadline => {
                return Err(unanswered(attempt, spec, ambiguous.as_deref().unwrap_or_default(), &error));
            }
            Err(_) => {
                tokio::time::sleep(pause).await;
                continue;
            }
        };
        let answer = match client.run_jar(&jar, &request).await {
            Ok(answer) => answer,
            // Nothing was sent.
            Err(error) if ambiguous.is_none() => return Err(refuse(services, attempt, error)?),
            Err(error) if Instant::now() >= deadline => {
                return Err(unanswered(attempt, spec, ambiguous.as_deref().unwrap_or_default(), &error));
            }
            Err(_) => {
                tokio::time::sleep(pause).await;
                continue;
            }
        };
        match answer {
            Answer::Accepted { .. } => return services.store.settle_attempt(attempt, Submission::Accepted, None),
            Answer::Duplicate if ambiguous.is_some() => {
                return services.store.settle_attempt(attempt, Submission::Accepted, None);
            }
            Answer::Duplicate => {
                // Our first request, and the id is taken: a successor has settled this very attempt while this process
                // was stopped, or the state file is a copy.
                let now = services.store.attempt(attempt.job, attempt.number)?;
                if now.is_some_and(|now| now.submission == Submission::Accepted) {
                    return Ok(());
                }
                return Err(refuse(services, attempt, duplicate(attempt, spec))?);
            }
            Answer::JarMissing if uploads < 3 => uploads += 1,
            Answer::JarMissing => {
                let error = Error::new(&code::FLINK_REFUSED, "the JobManager forgets uploaded jars at once")
                    .hint("set `web.upload.dir` of the cluster to a folder that stays, and look at its disk");
                return Err(refuse(services, attempt, error)?);
            }
            Answer::Refused { status, body } => match connection.job(&attempt.flink_id).await {
                // main() may submit and then fail: the job is there all the same.
                Ok(Some(_)) => return services.store.settle_attempt(attempt, Submission::Accepted, None),
                Ok(None) => {
                    let error = refusal::explain(spec, status, &services.secrets.mask(&body), connection);
                    return Err(refuse(services, attempt, error)?);
                }
                Err(error) => ambiguous = Some(error.to_string()),
            },
            Answer::Ambiguous { why } => {
                if ambiguous.is_none() {
                    // The answer itself may have been waited for longer than that: what is unclear is asked again.
                    deadline = Instant::now() + PATIENCE;
                }
                if Instant::now() >= deadline {
                    let error = Error::new(&code::FLINK_UNREACHABLE, why.clone());
                    return Err(unanswered(attempt, spec, &why, &error));
                }
                ambiguous = Some(why);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}

/// Records a refusal and hands the error back.
fn refuse(services: &Services, attempt: &Attempt, error: Error) -> Result<Error> {
    let error = error.map_texts(&|text| services.secrets.mask(text));
    services.store.settle_attempt(attempt, Submission::Refused, Some(&error.to_json().to_string()))?;
    Ok(error)
}

fn request(services: &Services, version: Version, attempt: &Attempt, spec: &JobSpec) -> Result<RunRequest> {
    let (entry_class, program_args) = match &spec.program {
        Program::Sql { statements, .. } => {
            let mut arguments = Vec::new();
            if let Some(mode) = spec.configuration.get("execution.runtime-mode") {
                arguments.extend(["--mode".to_owned(), mode.to_lowercase()]);
            }
            for statement in statements {
                let (kind, text) = match &statement.kind {
                    Kind::Set { key, value } => ("set", format!("{key}\0{}", services.secrets.reveal(value)?)),
                    Kind::Reset { key } => ("reset", key.clone().unwrap_or_default()),
                    Kind::Definition => ("define", services.secrets.reveal(&statement.text)?),
                    Kind::Insert => ("insert", services.secrets.reveal(&statement.text)?),
                    Kind::CreateTableAs | Kind::ExecutePlan => ("execute", services.secrets.reveal(&statement.text)?),
                };
                let encoded = base64::engine::general_purpose::URL_SAFE.encode(text);
                arguments.extend(["--statement".to_owned(), kind.to_owned(), encoded]);
            }
            (Some(SQL_RUNNER.to_owned()), arguments)
        }
        Program::Jar { main_class, arguments, .. } => {
            let arguments = arguments.iter().map(|argument| services.secrets.reveal(argument));
            (main_class.clone(), arguments.collect::<Result<_>>()?)
        }
    };
    Ok(RunRequest {
        version,
        job_id: attempt.flink_id.clone(),
        entry_class,
        program_args,
        parallelism: spec.parallelism,
        savepoint_path: attempt.restored_from.clone(),
        allow_non_restored_state: false,
        claim_mode: attempt.restored_from.as_ref().map(|_| ClaimMode::NoClaim),
        configuration: spec.configuration.clone(),
    })
}

fn forgotten(attempt: &Attempt, spec: &JobSpec, connection: &Connection) -> Error {
    Error::new(
        &code::JOB_UNKNOWN_OUTCOME,
        format!(
            "whether attempt {} of `{}` was started is not known: it was sent at {}, no answer came, and the JobManager of `{}` has restarted since",
            attempt.number,
            spec.identity.job,
            clock::short(attempt.created_at),
            connection.name,
        ),
    )
    .with("attempt", attempt.number)
    .with("flink_id", attempt.flink_id.clone())
    .hint(format!(
        "look for {} in the cluster's and the job's own outputs; then `tidegate resume RUN --step N=retry` starts a new attempt",
        attempt.flink_id
    ))
}

fn unanswered(attempt: &Attempt, spec: &JobSpec, why: &str, last: &Error) -> Error {
    Error::new(
        &code::RUN_UNKNOWN_OUTCOME,
        format!(
            "attempt {} of `{}` was sent at {}, and nobody has answered since",
            attempt.number,
            spec.identity.job,
            clock::short(attempt.created_at)
        ),
    )
    .caused_by(why)
    .caused_by(last)
    .with("attempt", attempt.number)
    .with("flink_id", attempt.flink_id.clone())
    .hint("when the JobManager answers again, `tidegate resume RUN` settles it: the same request under the same id starts nothing twice")
}

fn duplicate(attempt: &Attempt, spec: &JobSpec) -> Error {
    Error::new(
        &code::JOB_DUPLICATE_ID,
        format!("the JobManager knows the id {} of `{}` already, although this attempt was never sent", attempt.flink_id, spec.identity.job),
    )
    .hint("`state.db` seems to be a copy, or restored from an older one; run the script again: the next attempt gets a new id")
}
