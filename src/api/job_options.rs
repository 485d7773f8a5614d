//! The options of `job::sql` and `job::jar`, checked before anything runs.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::convert::{has_secret, secret_text};
use super::host::Environment;
use super::types::{Field, OptionMap, Type, options, words};
use crate::base::{Error, Result, code, duration, suggest};
use crate::model::own_options;

/// Options that the design names and this version does not have yet: the answer is another than to a misspelt one.
const NOT_YET: [&str; 2] = ["on_failure", "alert"];

options! {
    /// The options of `job::sql`.
    pub struct SqlOptions {
        /// the template below `templates/`; either this or `sql`
        template: Option<String> => Type::Template,
        /// SQL text in place of a template, a template itself
        sql: Option<String> => Type::Sql,
        /// variables of the template, over those of the environment
        #[serde(default)]
        vars: BTreeMap<String, Value>,
        /// how Flink executes the job
        mode: Option<Mode>,
    }
}

options! {
    /// The options of `job::jar`.
    pub struct JarOptions {
        /// the jar: a path in the workspace, an artifact, or what `jar::open` gave
        jar: Value => Type::File,
        /// the main class; else the jar's manifest names it
        main_class: Option<String>,
        /// the program arguments
        #[serde(default)]
        args: Vec<Value> => Type::ListOf(&Type::Scalar),
    }
}

options! {
    /// What both kinds of job share.
    pub struct Common {
        /// another cluster of `tidegate.yaml` than the environment's
        cluster: Option<String> => Type::ClusterName,
        /// how many subtasks each operator has, at least 1: Flink's `parallelism.default`
        parallelism: Option<u32>,
        /// when and how Flink takes checkpoints
        checkpointing: Option<Checkpointing>,
        /// any Flink options, over those of the environment and over what the other keys set
        #[serde(default)]
        options: BTreeMap<String, Value> => Type::MapOf(&Type::Scalar),
        /// jars that the job needs: paths in the workspace, artifacts, opened jars; they travel with the job
        #[serde(default)]
        jars: Vec<Value> => Type::ListOf(&Type::File),
        /// what Maven has to fetch for the job, with all that it needs: `"group:artifact:version"`, or a map of `coordinates` and `exclude`
        #[serde(default)]
        dependencies: Vec<Value> => Type::ListOf(&Type::Dependency),
        /// Flink's own restart strategy, inside the job
        restart_strategy: Option<RestartStrategy>,
        /// labels of ours; changing them touches no job
        #[serde(default)]
        tags: Vec<String>,
        /// whom to ask
        owner: Option<String>,
    }
}

/// The keys of `job::sql`, in groups.
pub const SQL_OPTIONS: Type = Type::Options(&[SqlOptions::FIELDS, Common::FIELDS]);

/// The keys of `job::jar`, in groups.
pub const JAR_OPTIONS: Type = Type::Options(&[JarOptions::FIELDS, Common::FIELDS]);

words! {
    /// Batch or streaming.
    pub enum Mode {
        Batch = "batch",
        Streaming = "streaming",
    }
}

options! {
    /// `checkpointing: #{ ... }`.
    pub struct Checkpointing {
        /// how often
        interval: String => Type::Duration,
        /// what is guaranteed after a failure
        mode: Option<CheckpointingMode>,
        /// when a checkpoint that is not complete is given up
        timeout: Option<String> => Type::Duration,
        /// how long between the end of one and the start of the next
        min_pause: Option<String> => Type::Duration,
        /// whether checkpoint barriers may overtake records
        unaligned: Option<bool>,
        /// how many checkpoints may fail in a row before the job fails
        tolerable_failed_checkpoints: Option<u32>,
    }
}

words! {
    /// What is guaranteed after a failure.
    pub enum CheckpointingMode {
        ExactlyOnce = "exactly_once",
        AtLeastOnce = "at_least_once",
    }
}

options! {
    /// `restart_strategy: #{ type: ..., ... }`; which of the other keys may be given depends on the type.
    pub struct RestartStrategy {
        /// the strategy; the other keys belong to one or two of them
        r#type: RestartStrategyType,
        /// fixed-delay: how many restarts
        attempts: Option<Value> => Type::Integer,
        /// fixed-delay, failure-rate: how long to wait before a restart
        delay: Option<Value> => Type::Duration,
        /// exponential-delay: the first wait
        initial_backoff: Option<Value> => Type::Duration,
        /// exponential-delay: the longest wait
        max_backoff: Option<Value> => Type::Duration,
        /// exponential-delay: by how much each wait is longer than the one before
        backoff_multiplier: Option<Value> => Type::Number,
        /// exponential-delay: after how long without failure the wait is the first one again
        reset_backoff_threshold: Option<Value> => Type::Duration,
        /// exponential-delay: by which part a wait is longer or shorter at random
        jitter_factor: Option<Value> => Type::Number,
        /// exponential-delay: how many restarts before the job fails
        attempts_before_reset_backoff: Option<Value> => Type::Integer,
        /// failure-rate: how many failures in the interval
        max_failures_per_interval: Option<Value> => Type::Integer,
        /// failure-rate: the interval
        failure_rate_interval: Option<Value> => Type::Duration,
    }
}

words! {
    /// The kinds of Flink's restart strategies.
    pub enum RestartStrategyType {
        None = "none",
        FixedDelay = "fixed-delay",
        ExponentialDelay = "exponential-delay",
        FailureRate = "failure-rate",
    }
}

impl RestartStrategyType {
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FixedDelay => "fixed-delay",
            Self::ExponentialDelay => "exponential-delay",
            Self::FailureRate => "failure-rate",
        }
    }

    pub fn settings(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::FixedDelay => &["attempts", "delay"],
            Self::ExponentialDelay => &[
                "initial_backoff",
                "max_backoff",
                "backoff_multiplier",
                "reset_backoff_threshold",
                "jitter_factor",
                "attempts_before_reset_backoff",
            ],
            Self::FailureRate => &["max_failures_per_interval", "failure_rate_interval", "delay"],
        }
    }
}

/// Reads options strictly: an unknown key, a wrong type or a wrong word is an error by its path.
///
/// # Errors
/// `argument.invalid`.
pub fn read<T: DeserializeOwned + OptionMap>(function: &str, options: Value) -> Result<T> {
    let options = if options.is_null() { Value::Object(Map::new()) } else { options };
    known(function, &options, &[T::FIELDS])?;
    parse(function, options)
}

/// Reads the options of a job: its own ones, and those that all jobs share.
///
/// # Errors
/// `argument.invalid`.
pub fn read_job<T: DeserializeOwned + OptionMap>(function: &str, options: Value) -> Result<(T, Common)> {
    // What is misspelt is looked for among all of them.
    known(function, &options, &[T::FIELDS, Common::FIELDS])?;
    let (mut mine, mut shared) = (Map::new(), Map::new());
    for (key, value) in options.as_object().cloned().unwrap_or_default() {
        let is_shared = Common::FIELDS.iter().any(|field| field.name == key);
        if is_shared {
            shared.insert(key, value)
        } else {
            mine.insert(key, value)
        };
    }
    Ok((parse(function, Value::Object(mine))?, parse(function, Value::Object(shared))?))
}

fn known(function: &str, options: &Value, groups: &[&[Field]]) -> Result<()> {
    let names: Vec<&str> = groups.iter().flat_map(|group| group.iter()).map(|field| field.name).collect();
    let unknown = options.as_object().and_then(|map| map.keys().find(|key| !names.contains(&key.as_str())));
    match unknown {
        None => Ok(()),
        Some(key) => Err(unknown_option(function, key, &names)),
    }
}

/// The error for a key that an option map does not have.
pub fn unknown_option(function: &str, key: &str, names: &[&str]) -> Error {
    if NOT_YET.contains(&key) {
        let message = format!("{function}: the option `{key}` is not supported by this version yet");
        return Error::new(&code::ARGUMENT_INVALID, message);
    }
    Error::new(&code::ARGUMENT_INVALID, format!("{function}: there is no option `{key}`"))
        .hint(suggest::hint(key, names.iter().copied()))
}

fn parse<T: DeserializeOwned>(function: &str, options: Value) -> Result<T> {
    serde_path_to_error::deserialize(options).map_err(|error| {
        let path = error.path().to_string();
        // serde names Rust's types.
        let why = error
            .into_inner()
            .to_string()
            .replace("expected u32", "expected a whole number")
            .replace("expected usize", "expected a whole number");
        let place = if path == "." { String::new() } else { format!(" `{path}`") };
        // "unknown variant `exactly_onc`, expected `exactly_once` or `at_least_once`"
        let quoted: Vec<&str> = why.split('`').skip(1).step_by(2).collect();
        let near =
            quoted.split_first().and_then(|(word, candidates)| suggest::nearest(word, candidates.iter().copied()));
        let message = match (why.strip_prefix("unknown field `"), path.rsplit_once('.')) {
            (Some(_), Some((outer, key))) => format!("{function}: option `{outer}` has no key `{key}`"),
            _ if path == "." && why.starts_with("missing field `") => {
                format!("{function}: the option {} is missing", why.trim_start_matches("missing field "))
            }
            _ => format!("{function}: option{place}: {why}"),
        };
        let result = Error::new(&code::ARGUMENT_INVALID, message);
        match near {
            Some(near) => result.hint(format!("did you mean `{near}`?")),
            None => result,
        }
    })
}

impl Common {
    /// Flink's configuration for the job: the environment's options, then the job's.
    ///
    /// # Errors
    /// `argument.invalid`.
    pub fn configuration(
        &self,
        function: &str,
        name: &str,
        environment: &Environment,
    ) -> Result<BTreeMap<String, String>> {
        let mut configuration = environment.options.clone();
        configuration.insert("pipeline.name".to_owned(), name.to_owned());
        // Without it Flink deletes the newest checkpoint when a job is cancelled, and a restart would begin from nothing.
        configuration.insert(
            "execution.checkpointing.externalized-checkpoint-retention".to_owned(),
            "RETAIN_ON_CANCELLATION".to_owned(),
        );
        if let Some(checkpointing) = &self.checkpointing {
            checkpointing.write(function, &mut configuration)?;
        }
        if let Some(strategy) = &self.restart_strategy {
            strategy.write(function, &mut configuration)?;
        }
        for (key, value) in &self.options {
            let text = secret_text(value).ok_or_else(|| {
                Error::new(
                    &code::ARGUMENT_INVALID,
                    format!("{function}: option `options.{key}` must be a text, a number or a boolean"),
                )
            })?;
            if has_secret(&text) {
                return Err(Error::new(&code::ARGUMENT_INVALID, format!("{function}: option `options.{key}` holds a secret"))
                    .hint("Flink shows a job's configuration to everybody who sees its web interface; set it in the cluster's own configuration"));
            }
            configuration.insert(key.clone(), text.to_string());
        }
        for (key, value) in &configuration {
            if let Some(refusal) = own_options::refused(key, value) {
                let whose = if self.options.contains_key(key) { "option" } else { "the environment's option" };
                let message = format!("{function}: {whose} `options.{key}` {}", refusal.why);
                return Err(Error::new(&code::ARGUMENT_INVALID, message).hint(refusal.hint));
            }
        }
        if self.parallelism == Some(0) {
            return Err(Error::new(
                &code::ARGUMENT_INVALID,
                format!("{function}: option `parallelism` must be at least 1"),
            ));
        }
        Ok(configuration)
    }
}

impl Checkpointing {
    fn write(&self, function: &str, configuration: &mut BTreeMap<String, String>) -> Result<()> {
        let mut set = |key: &str, value: String| configuration.insert(format!("execution.checkpointing.{key}"), value);
        let millis = |name: &str, text: &str| {
            duration::parse(text).map(|duration| format!("{} ms", duration.as_millis())).map_err(|error| {
                Error::new(&code::ARGUMENT_INVALID, format!("{function}: option `checkpointing.{name}`: {error}"))
                    .hint(error.hint_text().unwrap_or_default())
            })
        };
        set("interval", millis("interval", &self.interval)?);
        if let Some(mode) = self.mode {
            let mode = match mode {
                CheckpointingMode::ExactlyOnce => "EXACTLY_ONCE",
                CheckpointingMode::AtLeastOnce => "AT_LEAST_ONCE",
            };
            set("mode", mode.to_owned());
        }
        if let Some(timeout) = &self.timeout {
            set("timeout", millis("timeout", timeout)?);
        }
        if let Some(pause) = &self.min_pause {
            set("min-pause", millis("min_pause", pause)?);
        }
        if let Some(unaligned) = self.unaligned {
            set("unaligned", unaligned.to_string());
        }
        if let Some(failures) = self.tolerable_failed_checkpoints {
            set("tolerable-failed-checkpoints", failures.to_string());
        }
        Ok(())
    }
}

impl RestartStrategy {
    fn settings(&self) -> [(&'static str, &Option<Value>); 10] {
        [
            ("attempts", &self.attempts),
            ("delay", &self.delay),
            ("initial_backoff", &self.initial_backoff),
            ("max_backoff", &self.max_backoff),
            ("backoff_multiplier", &self.backoff_multiplier),
            ("reset_backoff_threshold", &self.reset_backoff_threshold),
            ("jitter_factor", &self.jitter_factor),
            ("attempts_before_reset_backoff", &self.attempts_before_reset_backoff),
            ("max_failures_per_interval", &self.max_failures_per_interval),
            ("failure_rate_interval", &self.failure_rate_interval),
        ]
    }

    fn write(&self, function: &str, configuration: &mut BTreeMap<String, String>) -> Result<()> {
        let kind = self.r#type.name();
        configuration.insert("restart-strategy.type".to_owned(), kind.to_owned());
        for (key, value) in self.settings().into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
            if !self.r#type.settings().contains(&key) {
                return Err(Error::new(
                    &code::ARGUMENT_INVALID,
                    format!("{function}: the restart strategy `{kind}` has no setting `{key}`"),
                )
                .hint(match self.r#type.settings() {
                    [] => "leave it out, or choose another type".to_owned(),
                    settings => suggest::hint(key, settings.iter().copied()),
                }));
            }
            let text = match value {
                Value::String(text) => duration::parse(text)
                    .map_or_else(|_| text.clone(), |duration| format!("{} ms", duration.as_millis())),
                value => value.to_string(),
            };
            configuration.insert(format!("restart-strategy.{kind}.{}", key.replace('_', "-")), text);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn options(options: Value) -> Result<Common> {
        read_job::<SqlOptions>("job::sql", options).map(|(_, common)| common)
    }

    fn fails(options: Value) -> Error {
        let common = super::tests::options(options);
        let environment =
            Environment { name: "e".into(), cluster: "c".into(), vars: BTreeMap::new(), options: BTreeMap::new() };
        common.and_then(|common| common.configuration("job::sql", "n", &environment)).unwrap_err()
    }

    #[test]
    fn what_is_wrong_is_said_by_its_path() {
        for (options, message, hint) in [
            (
                json!({"paralelism": 2}),
                "job::sql: there is no option `paralelism`",
                Some("did you mean `parallelism`?"),
            ),
            (
                json!({"parallelism": "2"}),
                "job::sql: option `parallelism`: invalid type: string \"2\", expected a whole number",
                None,
            ),
            (json!({"parallelism": 0}), "job::sql: option `parallelism` must be at least 1", None),
            (
                json!({"checkpointing": {"interval": "60s", "mode": "exactly_onc"}}),
                "job::sql: option `checkpointing.mode`: unknown variant `exactly_onc`, expected `exactly_once` or `at_least_once`",
                Some("did you mean `exactly_once`?"),
            ),
            (
                json!({"checkpointing": {"interval": "often"}}),
                "job::sql: option `checkpointing.interval`: `often` is not a duration",
                Some("write a number and a unit: `500ms`, `90s`, `10m`, `36h`, `7d`"),
            ),
            (
                json!({"restart_strategy": {"type": "fixed-delay", "attempt": 3}}),
                "job::sql: option `restart_strategy` has no key `attempt`",
                Some("did you mean `attempts`?"),
            ),
            (
                json!({"restart_strategy": {"type": "none", "attempts": 3}}),
                "job::sql: the restart strategy `none` has no setting `attempts`",
                Some("leave it out, or choose another type"),
            ),
            (
                json!({"options": {"execution.checkpointing.externalized-checkpoint-retention": "DELETE_ON_CANCELLATION"}}),
                "job::sql: option `options.execution.checkpointing.externalized-checkpoint-retention` would have Flink delete the \
                 newest checkpoint when the job is cancelled",
                Some("leave it out: tidegate keeps it, and a restart goes on from there"),
            ),
            (json!({"on_failure": {}}), "job::sql: the option `on_failure` is not supported by this version yet", None),
        ] {
            let error = fails(options);
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint_text(), hint);
        }
    }

    #[test]
    fn options_become_flinks_configuration() {
        let common = options(json!({
            "checkpointing": {"interval": "1m", "unaligned": true},
            "restart_strategy": {"type": "fixed-delay", "attempts": 3, "delay": "10s"},
            "options": {"table.exec.state.ttl": "36h", "x.y": 5},
        }))
        .unwrap();
        let environment = Environment {
            name: "e".into(),
            cluster: "c".into(),
            vars: BTreeMap::new(),
            options: BTreeMap::from([("x.y".to_owned(), "4".to_owned()), ("z".to_owned(), "1".to_owned())]),
        };
        let configuration = common.configuration("job::sql", "orders", &environment).unwrap();
        let expected = [
            ("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"),
            ("execution.checkpointing.interval", "60000 ms"),
            ("execution.checkpointing.unaligned", "true"),
            ("pipeline.name", "orders"),
            ("restart-strategy.fixed-delay.attempts", "3"),
            ("restart-strategy.fixed-delay.delay", "10000 ms"),
            ("restart-strategy.type", "fixed-delay"),
            ("table.exec.state.ttl", "36h"),
            ("x.y", "5"),
            ("z", "1"),
        ];
        assert_eq!(
            configuration.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>(),
            expected
        );
    }
}
