//! Jars: upload, and the submission of a job, whose answer is read with more care than any other.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::said;
use super::client::{Client, shown};
use super::version::Version;
use crate::base::clock::Millis;
use crate::base::{Error, Result, code};
use crate::drivers::http::{Answer, Body, Content, Keep, Method};
use crate::model::diagnosis::{self, Kind};
use crate::model::trace;

/// A jar on the JobManager.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Jar {
    /// `<uuid>_<name>`: each upload makes a new one.
    pub id: String,
    /// The name that it was uploaded with.
    pub name: String,
    /// When.
    pub uploaded: Millis,
}

/// What becomes of the snapshot that a job is restored from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClaimMode {
    /// It stays its owner's; the job's first checkpoint is a whole one.
    NoClaim,
    /// It becomes Flink's, which deletes it when it is not needed any more.
    Claim,
}

/// What a job is started with. Its `Debug` shows no argument and no value: they can hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct RunRequest {
    /// The version that the JobManager has: the fields differ.
    pub version: Version,
    /// Our own id for the execution, 32 hexadecimal digits: Flink takes each once.
    pub job_id: String,
    /// The main class; none takes the one of the jar's manifest.
    pub entry_class: Option<String>,
    /// What `main()` gets.
    pub program_args: Vec<String>,
    /// The default parallelism.
    pub parallelism: Option<u32>,
    /// The savepoint or retained checkpoint to restore from.
    pub savepoint_path: Option<String>,
    /// Whether state that no operator claims may be dropped.
    pub allow_non_restored_state: bool,
    /// What becomes of the snapshot; left out without one.
    pub claim_mode: Option<ClaimMode>,
    /// Options of the job, by Flink's names.
    pub configuration: BTreeMap<String, String>,
}

impl RunRequest {
    /// A request that asks for nothing but the id.
    pub fn new(version: Version, job_id: impl Into<String>) -> Self {
        Self {
            version,
            job_id: job_id.into(),
            entry_class: None,
            program_args: Vec::new(),
            parallelism: None,
            savepoint_path: None,
            allow_non_restored_state: false,
            claim_mode: None,
            configuration: BTreeMap::new(),
        }
    }

    /// The body for this version. Flink up to 1.16 refuses a field that it does not know, and later ones ignore it
    /// without a word, so each gets only its own.
    ///
    /// # Errors
    /// `flink.version` where something asked for has no field in this version.
    pub fn to_json(&self) -> Result<Value> {
        let cannot = |what: &str, since: Version| {
            Error::new(
                &code::FLINK_VERSION,
                format!("Flink {} cannot take {what} with a submission: that came with Flink {since}", self.version),
            )
        };
        let mut body = Map::new();
        body.insert("jobId".to_owned(), json!(self.job_id));
        if let Some(class) = &self.entry_class {
            body.insert("entryClass".to_owned(), json!(class));
        }
        if !self.program_args.is_empty() {
            body.insert("programArgsList".to_owned(), json!(self.program_args));
        }
        if let Some(parallelism) = self.parallelism {
            body.insert("parallelism".to_owned(), json!(parallelism));
        }
        if let Some(path) = &self.savepoint_path {
            body.insert("savepointPath".to_owned(), json!(path));
            body.insert("allowNonRestoredState".to_owned(), json!(self.allow_non_restored_state));
            match self.claim_mode {
                Some(mode) if self.version >= Version::new(1, 20) => {
                    body.insert("claimMode".to_owned(), json!(mode));
                }
                Some(mode) if self.version >= Version::new(1, 15) => {
                    body.insert("restoreMode".to_owned(), json!(mode));
                }
                Some(ClaimMode::Claim) => return Err(cannot("the claim mode `CLAIM`", Version::new(1, 15))),
                // What Flink did before it could be asked comes closest to it.
                Some(ClaimMode::NoClaim) | None => {}
            }
        }
        if !self.configuration.is_empty() {
            if !self.version.takes_options() {
                let names: Vec<&str> = self.configuration.keys().map(String::as_str).collect();
                return Err(cannot(&format!("options (`{}`)", names.join("`, `")), Version::new(1, 17)).hint(
                    "set them in the cluster's own configuration, \
                     `execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION` among them, or in main()",
                ));
            }
            body.insert("flinkConfiguration".to_owned(), json!(self.configuration));
        }
        Ok(Value::Object(body))
    }
}

impl fmt::Debug for RunRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RunRequest")
            .field("version", &self.version)
            .field("job_id", &self.job_id)
            .field("entry_class", &self.entry_class)
            .field("program_args", &self.program_args.len())
            .field("parallelism", &self.parallelism)
            .field("savepoint_path", &self.savepoint_path)
            .field("configuration", &self.configuration.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// What became of a submission that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// The job was started under this id.
    Accepted {
        /// The id that was asked for.
        job_id: String,
    },
    /// The id was used before on this incarnation of the JobManager: an earlier request had arrived.
    Duplicate,
    /// Flink says no. That does not prove that nothing runs: a `main()` can have started its job and failed after it,
    /// and a job whose JobMaster cannot start is listed as FAILED. Look at `GET /jobs/:id`.
    Refused {
        /// What Flink said, for `model::diagnosis`.
        body: String,
        /// The HTTP status.
        status: u16,
    },
    /// The jar is not there any more; `main()` did not run.
    JarMissing,
    /// It cannot be told whether the request arrived, nor whether its `main()` still runs.
    Ambiguous {
        /// What was seen.
        why: String,
    },
}

/// What became of the wish to plan a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Planning {
    /// The plan: `jid`, `name`, `type`, `nodes`.
    Planned(Value),
    /// Flink refused it.
    Refused {
        /// What Flink said, for `model::diagnosis`.
        body: String,
        /// The HTTP status.
        status: u16,
    },
    /// The jar is not there any more.
    JarMissing,
}

impl Client {
    /// The jars on the JobManager.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn jars(&self) -> Result<Vec<Jar>> {
        #[derive(Deserialize)]
        struct Jars {
            files: Vec<Jar>,
        }
        Ok(self.read::<Jars>(&["jars"]).await?.files)
    }

    /// Uploads a jar under a name that ends with `.jar`, and returns its id. Twice makes two.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn upload(&self, name: &str, content: impl Into<Content>) -> Result<String> {
        #[derive(Deserialize)]
        struct Uploaded {
            filename: String,
        }
        let segments = ["jars", "upload"];
        let asked = self.asked(&Method::POST, &shown(&segments));
        let body = Body::File {
            field: "jarfile",
            name: name.to_owned(),
            media_type: "application/x-java-archive",
            content: content.into(),
        };
        let answer = self.exchange(Method::POST, self.url(&segments), body, self.submit_timeout(), Keep::Whole).await?;
        let answer = answer.map_err(|failure| asked.unreachable(&failure))?;
        let uploaded: Uploaded = asked.json(&answer)?;
        match uploaded.filename.rsplit(['/', '\\']).next() {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err(asked.unexpected(&answer, "it does not name the file")),
        }
    }

    /// Deletes a jar; false where it was not there. Running jobs keep their own copy.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn delete_jar(&self, id: &str) -> Result<bool> {
        let segments = ["jars", id];
        let asked = self.asked(&Method::DELETE, &shown(&segments));
        let answer =
            self.exchange(Method::DELETE, self.url(&segments), Body::Empty, self.answer_timeout(), Keep::Whole).await?;
        let answer = answer.map_err(|failure| asked.unreachable(&failure))?;
        let body = answer.text();
        if answer.status == 400 && trace::is_flink_error(&body) && body.contains("does not exist in") {
            return Ok(false);
        }
        asked.json::<Value>(&answer).map(|_| true)
    }

    /// Submits a job. The JobManager runs its `main()` before it answers.
    ///
    /// # Errors
    /// An error means that nothing was sent: `flink.version`, `secret.missing`, and `flink.unreachable` where no
    /// connection came about. Everything after that is a [`Submission`].
    pub async fn run_jar(&self, id: &str, request: &RunRequest) -> Result<Submission> {
        let segments = ["jars", id, "run"];
        let asked = self.asked(&Method::POST, &shown(&segments));
        let body = Body::Json(request.to_json()?);
        match self.exchange(Method::POST, self.url(&segments), body, self.submit_timeout(), Keep::Whole).await? {
            Ok(answer) => Ok(match classify(&answer, &request.job_id) {
                Submission::Ambiguous { why } => Submission::Ambiguous { why: format!("`{}`: {why}", asked.place) },
                told => told,
            }),
            Err(failure) if failure.maybe_sent => {
                Ok(Submission::Ambiguous { why: format!("`{}`: {}", asked.place, failure.causes.join(": ")) })
            }
            Err(failure) => Err(asked.unreachable(&failure)),
        }
    }

    /// Plans a job without running it. Its `main()` runs up to `execute()`: DDL on external catalogs is executed.
    ///
    /// # Errors
    /// As [`Client::overview`], and `flink.version`.
    pub async fn plan_jar(&self, id: &str, request: &RunRequest) -> Result<Planning> {
        #[derive(Deserialize)]
        struct Planned {
            plan: Value,
        }
        let segments = ["jars", id, "plan"];
        let asked = self.asked(&Method::POST, &shown(&segments));
        let body = Body::Json(request.to_json()?);
        let answer = self.exchange(Method::POST, self.url(&segments), body, self.submit_timeout(), Keep::Whole).await?;
        let answer = answer.map_err(|failure| asked.unreachable(&failure))?;
        let body = answer.text();
        if matches!(answer.status, 400 | 500) && trace::is_flink_error(&body) {
            if is_jar_missing(&body) {
                return Ok(Planning::JarMissing);
            }
            return Ok(Planning::Refused { body, status: answer.status });
        }
        Ok(Planning::Planned(asked.json::<Planned>(&answer)?.plan))
    }
}

/// Reads the answer to a submission. Whatever is not known to be Flink's own final word is ambiguous.
fn classify(answer: &Answer, job_id: &str) -> Submission {
    let body = answer.text();
    let ambiguous =
        |why: &str| Submission::Ambiguous { why: format!("HTTP {}, {}: {why}", answer.status, said(answer)) };
    if answer.status == 200 {
        let accepted = serde_json::from_str::<Value>(&body).ok();
        return match accepted.as_ref().and_then(|value| value.get("jobid")).and_then(Value::as_str) {
            Some(accepted) if accepted.eq_ignore_ascii_case(job_id) => {
                Submission::Accepted { job_id: job_id.to_owned() }
            }
            Some(_) => ambiguous("that is another job than the one that was submitted"),
            None => ambiguous("that does not name a job"),
        };
    }
    if !trace::is_flink_error(&body) {
        return ambiguous("that is no answer of Flink");
    }
    match answer.status {
        400 if diagnosis::diagnose(&body).kind == Kind::Duplicate => Submission::Duplicate,
        408 | 429 => ambiguous("that is no answer of Flink"),
        400..=499 => Submission::Refused { body, status: answer.status },
        500 if is_jar_missing(&body) => Submission::JarMissing,
        // The class is looked up before main() can run.
        500 if is_entry_class(&body) => Submission::Refused { body, status: answer.status },
        _ => ambiguous("the JobManager failed"),
    }
}

fn is_jar_missing(body: &str) -> bool {
    trace::causes(body).last().is_some_and(|last| {
        last.class.ends_with(".RestHandlerException")
            && last.message.starts_with("Jar file ")
            && last.message.ends_with(" does not exist")
    })
}

fn is_entry_class(body: &str) -> bool {
    let refused = |cause: &trace::Cause| {
        cause.class.ends_with(".ProgramInvocationException")
            && !cause.message.starts_with("The main method caused an error")
    };
    matches!(diagnosis::diagnose(body).kind, Kind::EntryClass | Kind::JavaTooOld { .. })
        && trace::causes(body).iter().any(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0000000000000000000000000000f001";

    fn answer(status: u16, body: &str) -> Answer {
        let content_type = if body.starts_with('<') { "text/html" } else { "application/json" };
        Answer {
            status,
            content_type: content_type.to_owned(),
            location: None,
            headers: std::collections::BTreeMap::new(),
            body: body.as_bytes().to_vec(),
            length: body.len() as u64,
        }
    }

    fn captured(name: &str) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/flink-answers");
        std::fs::read_to_string(path.join(format!("{name}.json"))).unwrap()
    }

    #[test]
    fn captured_answers_are_read_as_what_they_were() {
        for version in ["h120", "h23"] {
            let of = |status, name: &str| classify(&answer(status, &captured(&format!("{name}-{version}"))), ID);
            assert_eq!(of(200, "j-run"), Submission::Accepted { job_id: ID.to_owned() });
            assert_eq!(of(400, "reusecanceled"), Submission::Duplicate);
            assert_eq!(of(400, "reusefailedinit"), Submission::Duplicate);
            assert_eq!(of(500, "badjar"), Submission::JarMissing);
            for (status, name) in
                [(400, "column"), (400, "two"), (400, "savepointmissing"), (400, "badjobid"), (500, "wrongclass")]
            {
                let told = of(status, name);
                assert!(matches!(told, Submission::Refused { status: seen, .. } if seen == status), "{name}: {told:?}");
            }
            // A trace of main() with status 500 is not how Flink answers a run: it proves nothing.
            assert!(matches!(of(500, "column"), Submission::Ambiguous { .. }));
            assert!(matches!(of(200, "j-finished"), Submission::Ambiguous { .. }), "another job's id");
        }
        for name in ["old-dup-h113", "old-dup-h115", "old-dup-h117"] {
            assert_eq!(classify(&answer(400, &captured(name)), ID), Submission::Duplicate);
        }
    }

    #[test]
    fn whatever_is_not_flinks_final_word_is_ambiguous() {
        for (status, body) in [
            (200, "<html>please log in</html>"),
            (200, "{}"),
            (200, ""),
            (202, "{\"jobid\":\"0000000000000000000000000000f001\"}"),
            (302, ""),
            (400, "<html>Bad Request</html>"),
            (404, "<html>no route</html>"),
            (408, "{\"errors\":[\"x\"]}"),
            (429, "{\"errors\":[\"x\"]}"),
            (500, "{\"errors\":[\"Internal server error.\",\"java.lang.OutOfMemoryError: Metaspace\"]}"),
            (500, "x"),
            (502, "<html>Bad Gateway</html>"),
            (
                503,
                "{\"errors\":[\"Service temporarily unavailable due to an ongoing leader election. Please refresh.\"]}",
            ),
            (504, "<html>Gateway Timeout</html>"),
        ] {
            let told = classify(&answer(status, body), ID);
            assert!(matches!(told, Submission::Ambiguous { .. }), "{status} {body}: {told:?}");
        }
        assert!(matches!(
            classify(&answer(404, "{\"errors\":[\"Unable to load requested file /jars/x/run.\"]}"), ID),
            Submission::Refused { status: 404, .. }
        ));
    }

    #[test]
    fn each_version_gets_the_fields_that_it_knows() {
        let mut request = RunRequest::new(Version::new(1, 20), ID);
        request.entry_class = Some("a.Main".to_owned());
        request.program_args = vec!["--x".to_owned()];
        request.parallelism = Some(2);
        request.savepoint_path = Some("file:/sp".to_owned());
        request.claim_mode = Some(ClaimMode::NoClaim);
        request.configuration.insert("pipeline.name".to_owned(), "n".to_owned());
        assert_eq!(
            request.to_json().unwrap(),
            json!({"jobId": ID, "entryClass": "a.Main", "programArgsList": ["--x"], "parallelism": 2,
                   "savepointPath": "file:/sp", "allowNonRestoredState": false, "claimMode": "NO_CLAIM",
                   "flinkConfiguration": {"pipeline.name": "n"}})
        );
        request.version = Version::new(1, 17);
        let body = request.to_json().unwrap();
        assert_eq!((&body["restoreMode"], body.get("claimMode")), (&json!("NO_CLAIM"), None));
        request.version = Version::new(1, 16);
        let error = request.to_json().unwrap_err();
        assert!(
            error.is(&code::FLINK_VERSION)
                && error.message().contains("1.16")
                && error.message().contains("pipeline.name")
        );
        request.configuration.clear();
        request.version = Version::new(1, 14);
        let body = request.to_json().unwrap();
        assert_eq!(
            (body.get("restoreMode"), body.get("claimMode"), body.get("flinkConfiguration")),
            (None, None, None)
        );
        request.claim_mode = Some(ClaimMode::Claim);
        assert!(request.to_json().is_err());
        assert_eq!(RunRequest::new(Version::new(1, 13), ID).to_json().unwrap(), json!({"jobId": ID}));
    }

    #[test]
    fn a_request_does_not_print_what_it_carries() {
        let mut request = RunRequest::new(Version::new(2, 3), ID);
        request.program_args = vec!["hunter2".to_owned()];
        request.configuration.insert("s3.secret-key".to_owned(), "hunter2".to_owned());
        let shown = format!("{request:?}");
        assert!(!shown.contains("hunter2") && shown.contains("s3.secret-key"), "{shown}");
    }
}
