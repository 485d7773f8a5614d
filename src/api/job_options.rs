//! The options of `job::sql` and `job::jar`, checked before anything runs.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::convert::{has_secret, secret_text};
use super::host::Environment;
use crate::base::{Error, Result, code, duration, suggest};

/// Options that the design names and this version does not have yet: the answer is another than to a misspelt one.
const NOT_YET: [&str; 3] = ["dependencies", "on_failure", "alert"];

/// The options of `job::sql`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SqlOptions {
    /// The template below `templates/`.
    pub template: Option<String>,
    /// SQL text in place of a template.
    pub sql: Option<String>,
    /// Variables of the template, over those of the environment.
    pub vars: BTreeMap<String, Value>,
    /// `batch` or `streaming`.
    pub mode: Option<Mode>,
}

/// The options of `job::jar`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JarOptions {
    /// The jar, by its path in the workspace.
    pub jar: Option<String>,
    /// The main class; else the jar's manifest names it.
    pub main_class: Option<String>,
    /// The program arguments.
    pub args: Vec<Value>,
}

/// What both kinds of job share.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Common {
    /// Another cluster than the environment's.
    pub cluster: Option<String>,
    /// `parallelism.default`.
    pub parallelism: Option<u32>,
    /// Checkpointing.
    pub checkpointing: Option<Checkpointing>,
    /// Flink options.
    pub options: BTreeMap<String, Value>,
    /// Jars of the workspace that the job needs.
    pub jars: Vec<String>,
    /// Flink's own restart strategy, inside the job.
    pub restart_strategy: Option<RestartStrategy>,
    /// Labels.
    pub tags: Vec<String>,
    /// Whom to ask.
    pub owner: Option<String>,
}

/// Batch or streaming.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Batch,
    Streaming,
}

/// `checkpointing: #{ ... }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpointing {
    interval: String,
    mode: Option<CheckpointingMode>,
    timeout: Option<String>,
    min_pause: Option<String>,
    unaligned: Option<bool>,
    tolerable_failed_checkpoints: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CheckpointingMode {
    ExactlyOnce,
    AtLeastOnce,
}

/// `restart_strategy: #{ type: ..., ... }`.
#[derive(Debug, Deserialize)]
pub struct RestartStrategy {
    r#type: RestartStrategyType,
    #[serde(flatten)]
    settings: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RestartStrategyType {
    None,
    FixedDelay,
    ExponentialDelay,
    FailureRate,
}

impl RestartStrategyType {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FixedDelay => "fixed-delay",
            Self::ExponentialDelay => "exponential-delay",
            Self::FailureRate => "failure-rate",
        }
    }

    fn settings(self) -> &'static [&'static str] {
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
pub fn read<T: DeserializeOwned>(function: &str, options: Value, known: &[&str]) -> Result<T> {
    if let Value::Object(map) = &options
        && let Some(key) = map.keys().find(|key| !known.contains(&key.as_str()))
    {
        if NOT_YET.contains(&key.as_str()) {
            let message = format!("{function}: the option `{key}` is not supported by this version yet");
            return Err(Error::new(&code::ARGUMENT_INVALID, message));
        }
        return Err(Error::new(&code::ARGUMENT_INVALID, format!("{function}: there is no option `{key}`"))
            .hint(suggest::hint(key, known.iter().copied())));
    }
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
        let result = Error::new(&code::ARGUMENT_INVALID, format!("{function}: option{place}: {why}"));
        match near {
            Some(near) => result.hint(format!("did you mean `{near}`?")),
            None => result,
        }
    })
}

/// Reads the options of a job: its own ones, and those that all jobs share.
///
/// # Errors
/// `argument.invalid`.
pub fn read_job<T: DeserializeOwned>(function: &str, options: Value, own: &[&str]) -> Result<(T, Common)> {
    let known = [own, &COMMON].concat();
    let (mut mine, mut shared) = (Map::new(), Map::new());
    for (key, value) in options.as_object().cloned().unwrap_or_default() {
        if COMMON.contains(&key.as_str()) {
            shared.insert(key, value)
        } else {
            mine.insert(key, value)
        };
    }
    // What is misspelt is looked for among all of them.
    let mine = read(function, Value::Object(mine), &known)?;
    Ok((mine, read(function, Value::Object(shared), &known)?))
}

/// The names of the options that both kinds share.
pub const COMMON: [&str; 8] =
    ["cluster", "parallelism", "checkpointing", "options", "jars", "restart_strategy", "tags", "owner"];

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
    fn write(&self, function: &str, configuration: &mut BTreeMap<String, String>) -> Result<()> {
        let kind = self.r#type.name();
        configuration.insert("restart-strategy.type".to_owned(), kind.to_owned());
        for (key, value) in &self.settings {
            if !self.r#type.settings().contains(&key.as_str()) {
                return Err(Error::new(
                    &code::ARGUMENT_INVALID,
                    format!("{function}: the restart strategy `{kind}` has no setting `{key}`"),
                )
                .hint(suggest::hint(key, self.r#type.settings().iter().copied())));
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
        read_job::<SqlOptions>("job::sql", options, &["template", "sql", "vars", "mode"]).map(|(_, common)| common)
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
                "job::sql: the restart strategy `fixed-delay` has no setting `attempt`",
                Some("did you mean `attempts`?"),
            ),
            (
                json!({"dependencies": []}),
                "job::sql: the option `dependencies` is not supported by this version yet",
                None,
            ),
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
