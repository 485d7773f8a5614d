//! The client: where the JobManager is, how it is asked, and what it says of itself.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{self, Asked};
use super::types::{Environment, Incarnation, KeyValue, Overview};
use crate::base::secret::{SecretText, Secrets};
use crate::base::{Error, Result, boundary, code};
use crate::drivers::http::{self, Answer, Body, Failure, Keep, Method, Url};

/// How long an answer to a plain question may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the JobManager may take to run a `main()`: a cold one needs 3 to 8 s for the first SQL job.
const SUBMIT_TIMEOUT: Duration = Duration::from_secs(180);

/// What to do where no answer comes.
const REMEDY: &str = "check that the cluster is up and that its `url:` is right";

/// Asks one JobManager. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    authorization: Option<(SecretText, Secrets)>,
    answer_timeout: Duration,
    submit_timeout: Duration,
    /// What to do where no answer comes.
    remedy: String,
}

impl Client {
    /// A client for the JobManager at `http://host:port`, or behind a proxy at `http://host:port/prefix`.
    ///
    /// # Errors
    /// `argument.invalid` where this is no HTTP URL, or holds a user and password.
    pub fn new(base_url: &str) -> Result<Self> {
        // The text itself is not repeated: what stands before an `@` can be a password.
        let invalid = |why: &str| {
            Error::new(&code::ARGUMENT_INVALID, format!("the URL of a Flink cluster {why}"))
                .hint("write it as `http://host:8081`")
        };
        let base =
            Url::parse(base_url.trim_end_matches('/')).map_err(|error| invalid(&format!("is no URL: {error}")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(invalid("must start with `http://` or `https://`"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(invalid("must not hold a user or a password"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(invalid("must end after its path"));
        }
        let submit_timeout = boundary::timeout(SUBMIT_TIMEOUT);
        Ok(Self {
            base,
            authorization: None,
            answer_timeout: ANSWER_TIMEOUT,
            submit_timeout,
            remedy: REMEDY.to_owned(),
        })
    }

    /// Says this where no answer comes: a cluster that tidegate starts has no `url:` that somebody wrote.
    #[must_use]
    pub fn with_remedy(mut self, remedy: String) -> Self {
        self.remedy = remedy;
        self
    }

    /// Sends this `Authorization` header; it is resolved at each request.
    #[must_use]
    pub fn with_authorization(mut self, value: SecretText, secrets: Secrets) -> Self {
        self.authorization = Some((value, secrets));
        self
    }

    /// Sets how long an answer may take, and how long one to an upload, a plan or a run.
    #[must_use]
    pub fn with_timeouts(mut self, answer: Duration, submit: Duration) -> Self {
        self.answer_timeout = answer;
        self.submit_timeout = submit;
        self
    }

    /// Host and port, as messages name the cluster.
    pub fn place(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port_or_known_default().unwrap_or_default();
        format!("{host}:{port}")
    }

    /// The URL that it was made with, without a slash at the end.
    pub fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Version, slots and job counts.
    ///
    /// # Errors
    /// `flink.unreachable`, `flink.unexpected_answer`, `flink.refused`; so too for every other call here.
    pub async fn overview(&self) -> Result<Overview> {
        self.read(&["overview"]).await
    }

    /// What the web UI is configured with: version, time zone, whether jars may be submitted.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn config(&self) -> Result<Value> {
        self.read(&["config"]).await
    }

    /// Which start of the JobManager answers.
    ///
    /// Each start makes itself a directory `web.tmpdir` of its own, even where the configuration names one
    /// (`ClusterEntrypoint.generateClusterConfiguration`).
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn incarnation(&self) -> Result<Incarnation> {
        let asked = self.asked(&Method::GET, "/jobmanager/config");
        let answer = self.get_answer(&asked, &["jobmanager", "config"]).await?;
        let entries: Vec<KeyValue> = asked.json(&answer)?;
        entries
            .into_iter()
            .find(|entry| entry.key == "web.tmpdir")
            .map(|entry| Incarnation(entry.value))
            .ok_or_else(|| asked.unexpected(&answer, "it does not name `web.tmpdir`"))
    }

    /// The class path of the JobManager's JVM, entry by entry; none where it does not tell, as before Flink 1.17.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn class_path(&self) -> Result<Option<Vec<String>>> {
        let environment: Option<Environment> = self.read_if_there(&["jobmanager", "environment"]).await?;
        Ok(environment.map(|environment| environment.classpath).filter(|entries| !entries.is_empty()))
    }

    /// The Java that the JobManager runs on; none where it does not tell, as before Flink 1.17.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn java(&self) -> Result<Option<u16>> {
        let environment: Option<Environment> = self.read_if_there(&["jobmanager", "environment"]).await?;
        Ok(environment.and_then(|environment| environment.jvm.java()))
    }

    /// What the JobManager is configured with for an option; none where that is Flink's default.
    ///
    /// # Errors
    /// As [`Client::overview`].
    pub async fn setting(&self, key: &str) -> Result<Option<String>> {
        let entries: Vec<KeyValue> = self.read(&["jobmanager", "config"]).await?;
        Ok(entries.into_iter().find(|entry| entry.key == key).map(|entry| entry.value))
    }

    /// Whatever the JobManager answers to a GET of `path`, which starts with `/` and may hold a query.
    ///
    /// # Errors
    /// As [`Client::overview`], and `argument.invalid` where the path leads elsewhere.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let elsewhere = || {
            Error::new(&code::ARGUMENT_INVALID, format!("`{path}` is no path below `{}`", self.base_url()))
                .hint("start it with `/`, without a host: `/jobs/overview`")
        };
        if !path.starts_with('/') || path.starts_with("//") || path.contains('\\') {
            return Err(elsewhere());
        }
        let url = Url::parse(&format!("{}{path}", self.base_url())).map_err(|_| elsewhere())?;
        let prefix = self.base.path().trim_end_matches('/');
        let below = url.path().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        if url.origin() != self.base.origin() || !below {
            return Err(elsewhere());
        }
        let asked = self.asked(&Method::GET, path);
        let answer = self.exchange(Method::GET, url, Body::Empty, self.answer_timeout, Keep::Whole).await?;
        asked.json(&answer.map_err(|failure| asked.unreachable(&failure))?)
    }

    /// The JSON below these path segments.
    pub(super) async fn read<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T> {
        let asked = self.asked(&Method::GET, &shown(segments));
        let answer = self.get_answer(&asked, segments).await?;
        asked.json(&answer)
    }

    /// The JSON below these path segments, or nothing where Flink says that it is not there.
    pub(super) async fn read_if_there<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<Option<T>> {
        let asked = self.asked(&Method::GET, &shown(segments));
        let answer = self.get_answer(&asked, segments).await?;
        if answer::is_not_found(&answer) { Ok(None) } else { asked.json(&answer).map(Some) }
    }

    async fn get_answer(&self, asked: &Asked, segments: &[&str]) -> Result<Answer> {
        let answer =
            self.exchange(Method::GET, self.url(segments), Body::Empty, self.answer_timeout, Keep::Whole).await?;
        answer.map_err(|failure| asked.unreachable(&failure))
    }

    /// One request. The outer error means that nothing was sent: a secret is missing.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: Url,
        body: Body,
        timeout: Duration,
        keep: Keep,
    ) -> Result<Result<Answer, Failure>> {
        let authorization = self.authorization().await?;
        Ok(http::send(http::Request { method, url, body, authorization, headers: Vec::new(), timeout, keep }).await)
    }

    /// A source of a secret can be a command, which blocks.
    async fn authorization(&self) -> Result<Option<String>> {
        let Some((text, secrets)) = self.authorization.clone() else { return Ok(None) };
        tokio::task::spawn_blocking(move || secrets.reveal(&text))
            .await
            .map_err(|error| Error::new(&code::INTERNAL, "resolving a secret broke off").caused_by_chain(&error))?
            .map(Some)
    }

    pub(super) fn asked(&self, method: &Method, path: &str) -> Asked {
        Asked { place: self.place(), request: format!("{method} {path}"), remedy: self.remedy.clone() }
    }

    /// The URL below the base, each segment escaped.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        self.answer_timeout
    }

    pub(super) fn submit_timeout(&self) -> Duration {
        self.submit_timeout
    }
}

/// Path segments as messages show them.
pub(super) fn shown(segments: &[&str]) -> String {
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_and_passwords_not_repeated() {
        for url in ["flink:8081", "not a url", "ftp://flink", "http://u:hunter2@flink:8081", "http://flink?x=1"] {
            let error = Client::new(url).unwrap_err();
            assert!(error.is(&code::ARGUMENT_INVALID), "{url}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let client = Client::new("http://flink.example/proxy/app/").unwrap();
        assert_eq!(client.place(), "flink.example:80");
        assert_eq!(
            client.url(&["jars", "a b/c.jar", "run"]).as_str(),
            "http://flink.example/proxy/app/jars/a%20b%2Fc.jar/run"
        );
        assert_eq!(Client::new("http://[::1]:8081").unwrap().url(&["overview"]).as_str(), "http://[::1]:8081/overview");
    }

    #[tokio::test]
    async fn a_raw_path_stays_on_the_cluster() {
        let client = Client::new("http://127.0.0.1:1/proxy/app").unwrap();
        for path in ["overview", "//evil.example/x", "/../other", "/\\evil", "http://evil.example/", "/%2e%2e/%2e%2e/x"]
        {
            assert!(client.get(path).await.unwrap_err().is(&code::ARGUMENT_INVALID), "{path}");
        }
    }
}
