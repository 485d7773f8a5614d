//! One submission under one key, driven until its outcome is known: the heart of "never twice".
//!
//! The key is our own Flink job id. Within one JobManager incarnation the Dispatcher takes an id once, so an ambiguous
//! answer is settled by sending the same request again: "duplicate" means that it had arrived. A new incarnation has
//! forgotten, and then nothing is guessed.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::refusal;
use super::run_request::{self, RETAIN, RETENTION};
use super::services::Services;
use super::standing::none_lives;
use super::upload;
use crate::base::clock;
use crate::base::{Error, Result, code};
use crate::drivers::flink::Submission as Answer;
use crate::model::attempt::{Attempt, Submission};
use crate::model::job_spec::{JobSpec, Program};

/// How long an unanswered submission is pursued before the run stops and waits.
const PATIENCE: Duration = Duration::from_secs(60);

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
    let (mut uploaded, doubt) = match sent {
        Sent::Never { jar } => (Some(jar), None),
        Sent::Perhaps => (None, Some("an earlier process may have sent it".to_owned())),
    };
    let mut pursuit = Pursuit {
        services,
        connection,
        attempt,
        spec,
        doubt,
        deadline: Instant::now() + PATIENCE,
        pause: Duration::from_millis(100),
    };
    let payload = match upload::payload(services, spec) {
        Ok(payload) => payload,
        Err(error) => return Err(pursuit.stuck(error)?),
    };
    let mut request = None;
    let mut uploads = 0;
    loop {
        match pursuit.incarnation().await? {
            Incarnation::Same => {}
            Incarnation::Other => return pursuit.after_restart().await,
            Incarnation::Silent => continue,
        }
        let ready = async {
            let version = connection.version(&attempt.incarnation).await?;
            let jar = match uploaded.take() {
                Some(jar) => jar,
                None => upload::ensure(&connection.client, &payload, uploads > 0).await?,
            };
            // Where a job's own options do not travel with it, the cluster's have to keep its checkpoints.
            let retains =
                version.takes_options() || connection.client.setting(RETENTION).await?.as_deref() == Some(RETAIN);
            Ok((version, jar, retains))
        };
        let (version, jar, retains) = match ready.await {
            Ok(ready) => ready,
            Err(error) => {
                pursuit.setback(error).await?;
                continue;
            }
        };
        let request = match &mut request {
            Some(request) => request,
            // Secrets are resolved once: the request that is sent again is the same.
            none => match run_request::request(
                services,
                version,
                retains,
                &attempt.flink_id,
                attempt.restored_from.as_deref(),
                attempt.allow_non_restored,
                spec,
            ) {
                Ok(request) => none.insert(request),
                Err(error) => return Err(pursuit.stuck(error)?),
            },
        };
        match pursuit.is_alone().await? {
            Alone::Yes => {}
            Alone::Silent => continue,
        }
        match connection.client.run_jar(&jar, request).await {
            Ok(Answer::Accepted { .. }) => return pursuit.accepted().await,
            // It had arrived before.
            Ok(Answer::Duplicate) if pursuit.doubt.is_some() => return pursuit.accepted().await,
            Ok(Answer::Duplicate) => return pursuit.id_is_taken(),
            Ok(Answer::JarMissing) if uploads < 3 => uploads += 1,
            Ok(Answer::JarMissing) => return Err(pursuit.refused(upload::forgotten())?),
            Ok(Answer::Refused { status, body }) => match connection.job(&attempt.flink_id).await {
                // main() may submit and then fail: the job is there all the same.
                Ok(Some(_)) => return pursuit.accepted().await,
                Ok(None) if pursuit.doubt.is_some() => {
                    let error = refusal::explain(services, spec, status, &services.secrets.mask(&body), connection);
                    return pursuit.refused_in_doubt(error).await;
                }
                Ok(None) => {
                    let error = refusal::explain(services, spec, status, &services.secrets.mask(&body), connection);
                    return Err(pursuit.refused(error)?);
                }
                Err(error) => pursuit.in_doubt(error.to_string()),
            },
            Ok(Answer::Ambiguous { why }) => {
                pursuit.in_doubt(why.clone());
                pursuit.setback(Error::new(&code::FLINK_UNREACHABLE, why)).await?;
            }
            // Nothing was sent.
            Err(error) => pursuit.setback(error).await?,
        }
    }
}

/// One attempt on its way to a known outcome.
struct Pursuit<'a> {
    services: &'a Services,
    connection: &'a Connection,
    attempt: &'a Attempt,
    spec: &'a JobSpec,
    /// Why a request may have arrived without our knowing; none while none can have left.
    doubt: Option<String>,
    deadline: Instant,
    pause: Duration,
}

enum Alone {
    /// Nothing else of the job lives.
    Yes,
    /// Nobody tells; a while was waited.
    Silent,
}

enum Incarnation {
    /// The JobManager is the one the attempt is meant for, or nothing was sent yet.
    Same,
    /// Another one answers.
    Other,
    /// None answers; a while was waited.
    Silent,
}

impl Pursuit<'_> {
    /// Directly before each request: somebody may have started the job by hand since it was looked for, and what is sent would be a
    /// second execution beside it. Before the first request that refuses the attempt; what may have arrived stays open.
    async fn is_alone(&mut self) -> Result<Alone> {
        let listed = match self.connection.jobs().await {
            Ok(listed) => listed,
            Err(error) => {
                self.setback(error).await?;
                return Ok(Alone::Silent);
            }
        };
        if listed.iter().any(|listing| listing.id == self.attempt.flink_id) {
            // It has arrived, or a successor has sent it while this process stood still: to ask for it again starts nothing.
            return Ok(Alone::Yes);
        }
        match none_lives(self.services, &self.spec.identity, &self.connection.name, &listed) {
            Ok(()) => Ok(Alone::Yes),
            Err(error) if self.doubt.is_some() => Err(beside(self.attempt, self.spec, &error)),
            Err(error) => Err(self.refused(error)?),
        }
    }

    async fn incarnation(&mut self) -> Result<Incarnation> {
        if self.doubt.is_none() {
            return Ok(Incarnation::Same);
        }
        match self.connection.incarnation().await {
            Ok(incarnation) if incarnation == self.attempt.incarnation => Ok(Incarnation::Same),
            Ok(_) => Ok(Incarnation::Other),
            Err(error) => {
                self.setback(error).await?;
                Ok(Incarnation::Silent)
            }
        }
    }

    /// From now on a request may have arrived.
    fn in_doubt(&mut self, why: String) {
        if self.doubt.is_none() {
            // The answer itself may have been waited for longer than that: what is unclear is asked again.
            self.deadline = Instant::now() + PATIENCE;
        }
        self.doubt = Some(why);
    }

    /// With high availability a new JobManager has recovered the job under its id; else nobody knows.
    async fn after_restart(&self) -> Result<()> {
        match self.connection.job(&self.attempt.flink_id).await? {
            Some(_) => self.accepted().await,
            None => Err(forgotten(self.attempt, self.spec, self.connection)),
        }
    }

    /// A failure that says nothing of the job. Before the first request it refuses the attempt; afterwards it is waited
    /// out as long as patience lasts.
    async fn setback(&mut self, error: Error) -> Result<()> {
        let Some(doubt) = &self.doubt else { return Err(self.refused(error)?) };
        if Instant::now() >= self.deadline {
            return Err(unanswered(self.attempt, self.spec, doubt, &error));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(2));
        Ok(())
    }

    /// This request was refused, and an earlier one of the same attempt may be under way still: its `main()` runs until it submits
    /// or fails, whoever waits for it. What it starts is looked for as long as patience lasts; after that nobody can tell.
    async fn refused_in_doubt(&mut self, error: Error) -> Result<()> {
        self.services.clusters.progress(&format!(
            "`{}` was refused, and an earlier request of attempt {} may be under way: looking for what it starts",
            self.spec.identity.job, self.attempt.number
        ));
        let first_sent = Duration::from_millis(clock::now().saturating_sub(self.attempt.created_at).unsigned_abs());
        let deadline = Instant::now() + PATIENCE.saturating_sub(first_sent);
        loop {
            match self.connection.listed(&self.attempt.flink_id).await {
                Ok(Some(_)) => return self.accepted().await,
                Ok(None) if self.connection.incarnation().await.is_ok_and(|now| now != self.attempt.incarnation) => {
                    return self.after_restart().await;
                }
                Ok(None) => {}
                Err(error) if error.is(&code::FLINK_UNREACHABLE) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() >= deadline {
                // Our own runner plans in seconds. How long somebody's `main()` takes nobody knows.
                if let (Program::Jar { .. }, Some(doubt)) = (&self.spec.program, &self.doubt) {
                    return Err(unanswered(self.attempt, self.spec, doubt, &error));
                }
                return Err(self.refused(error)?);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// A failure on our side: a secret or a jar is missing. Before the first request it refuses the attempt; afterwards
    /// the attempt stays open until it can be sent again.
    fn stuck(&self, error: Error) -> Result<Error> {
        match &self.doubt {
            None => self.refused(error),
            Some(doubt) => Ok(unanswered(self.attempt, self.spec, doubt, &error)),
        }
    }

    async fn accepted(&self) -> Result<()> {
        self.services.store.settle_attempt(self.attempt, Submission::Accepted, None)?;
        let now = self.services.store.attempt(self.attempt.job, self.attempt.number)?;
        if now.is_none_or(|now| now.submission != Submission::GivenUp) {
            return Ok(());
        }
        // This process was stopped before it sent, and somebody declared meanwhile that the attempt does not run.
        self.connection.client.cancel(&self.attempt.flink_id).await?;
        Err(Error::new(
            &code::RUN_SUPERSEDED,
            format!(
                "attempt {} of `{}` was given up while this process stood still",
                self.attempt.number, self.spec.identity.job
            ),
        )
        .hint(format!("what it started late was cancelled at once: {}", self.attempt.flink_id)))
    }

    /// Records a refusal and hands the error back.
    fn refused(&self, error: Error) -> Result<Error> {
        let error = error.map_texts(&|text| self.services.secrets.mask(text));
        self.services.store.settle_attempt(self.attempt, Submission::Refused, Some(&error.to_json().to_string()))?;
        Ok(error)
    }

    /// Our first request, and the id is taken: a successor has settled this very attempt while this process was stopped,
    /// or the state file is a copy.
    fn id_is_taken(&self) -> Result<()> {
        let now = self.services.store.attempt(self.attempt.job, self.attempt.number)?;
        if now.is_some_and(|now| now.submission == Submission::Accepted) {
            return Ok(());
        }
        Err(self.refused(duplicate(self.attempt, self.spec))?)
    }
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

fn beside(attempt: &Attempt, spec: &JobSpec, other: &Error) -> Error {
    let error = Error::new(
        &code::JOB_UNKNOWN_OUTCOME,
        format!(
            "whether attempt {} of `{}` was started is not known, and it is not sent again beside what runs",
            attempt.number, spec.identity.job
        ),
    );
    other
        .causes()
        .iter()
        .fold(error.caused_by(other.message()), |error, cause| error.caused_by(cause))
        .with("attempt", attempt.number)
        .with("flink_id", attempt.flink_id.clone())
        .hint(format!(
            "where {} is not on the cluster and nothing can start it any more, `tidegate resume RUN --step N=retry` gives it up; \
             then `tidegate adopt` takes over what runs",
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
