//! In what the checkpoint configuration of a job that runs differs from the one that it was deployed with: its own program
//! may set another one, and so may its cluster.
//!
//! Source: Flink's REST API, `/jobs/:jobid/checkpoints/config`.

use std::time::Duration;

use serde_json::Value;

use super::job_spec::JobSpec;
use crate::base::duration;

/// Flink's word for "never" is the largest number.
const NEVER: u64 = i64::MAX as u64;

/// How an option of Flink stands in Flink's answer.
enum Kind {
    Duration,
    Word,
    Number,
    Flag,
}

/// Options of Flink, by their names in all versions, with their field in the answer.
const FIELDS: &[(&[&str], &str, Kind)] = &[
    (&["execution.checkpointing.interval"], "interval", Kind::Duration),
    (&["execution.checkpointing.mode"], "mode", Kind::Word),
    (&["execution.checkpointing.timeout"], "timeout", Kind::Duration),
    (&["execution.checkpointing.min-pause"], "min_pause", Kind::Duration),
    (&["execution.checkpointing.max-concurrent-checkpoints"], "max_concurrent", Kind::Number),
    (
        &["execution.checkpointing.unaligned.enabled", "execution.checkpointing.unaligned"],
        "unaligned_checkpoints",
        Kind::Flag,
    ),
    (&["execution.checkpointing.tolerable-failed-checkpoints"], "tolerable_failed_checkpoints", Kind::Number),
];

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The option of Flink.
    pub option: String,
    /// What was deployed.
    pub deployed: String,
    /// What runs.
    pub runs: String,
}

/// The interval of a job's checkpoints; none where it takes none by itself.
pub fn interval(configuration: &Value) -> Option<Duration> {
    let millis = configuration.get("interval").and_then(Value::as_u64).filter(|millis| *millis < NEVER);
    millis.map(Duration::from_millis)
}

/// Whether Flink keeps the newest checkpoint of a job that is cancelled.
pub fn keeps_checkpoints(configuration: &Value) -> bool {
    let flag = |name: &str| configuration.pointer(&format!("/externalization/{name}")).and_then(Value::as_bool);
    flag("enabled") != Some(false) && flag("delete_on_cancellation") != Some(true)
}

/// What was deployed and runs otherwise. What was not deployed, and what Flink does not tell, is no difference.
/// `configuration` is none where Flink says that the job takes no checkpoints at all.
pub fn differences(spec: &JobSpec, configuration: Option<&Value>) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |option: &str, deployed: String, runs: String| {
        found.push(Difference { option: option.to_owned(), deployed, runs });
    };
    let Some(configuration) = configuration else {
        if let Some(deployed) = spec.setting("execution.checkpointing.interval") {
            tell("execution.checkpointing.interval", deployed, "no checkpoints".to_owned());
        }
        return found;
    };
    for (names, field, kind) in FIELDS {
        let set = names.iter().find_map(|name| Some((*name, spec.setting(name)?)));
        let (Some((name, deployed)), Some(value)) = (set, configuration.get(field)) else { continue };
        let same = match kind {
            // A form that only Flink reads is not judged.
            Kind::Duration => duration::parse(&deployed)
                .ok()
                .is_none_or(|wanted| value.as_u64().is_some_and(|millis| u128::from(millis) == wanted.as_millis())),
            Kind::Word => {
                let words = |text: &str| text.to_ascii_lowercase().replace('-', "_");
                words(&deployed) == words(value.as_str().unwrap_or_default())
            }
            Kind::Number | Kind::Flag => deployed.trim().eq_ignore_ascii_case(&value.to_string()),
        };
        if !same {
            let runs = match (kind, value) {
                (Kind::Duration, value) if value.as_u64() == Some(NEVER) => "no checkpoints".to_owned(),
                (Kind::Duration, value) => format!("{value} ms"),
                (_, Value::String(text)) => text.clone(),
                (_, value) => value.to_string(),
            };
            tell(name, deployed, runs);
        }
    }
    let retention = "execution.checkpointing.externalized-checkpoint-retention";
    if let Some(deployed) =
        spec.setting(retention).filter(|deployed| deployed.eq_ignore_ascii_case("RETAIN_ON_CANCELLATION"))
        && !keeps_checkpoints(configuration)
    {
        tell(retention, deployed, "one that a cancel deletes".to_owned());
    }
    let backend = configuration.get("state_backend").and_then(Value::as_str);
    let set = ["state.backend.type", "state.backend"].iter().find_map(|name| Some((*name, spec.setting(name)?)));
    if let (Some(runs), Some((name, deployed))) = (backend, set)
        && let known @ ("rocksdb" | "hashmap" | "forst") = deployed.to_ascii_lowercase().as_str()
        && !runs.to_ascii_lowercase().contains(known)
    {
        tell(name, deployed.clone(), runs.to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::model::identity::Identity;
    use crate::model::job_spec::Program;

    fn spec(configuration: &[(&str, &str)]) -> JobSpec {
        JobSpec {
            identity: Identity { workspace: "w".to_owned(), environment: "e".to_owned(), job: "j".to_owned() },
            cluster: "c".to_owned(),
            program: Program::Sql { source: "<sql>".to_owned(), statements: Vec::new() },
            parallelism: None,
            configuration: configuration
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            jars: Vec::new(),
            tags: Vec::new(),
            owner: None,
        }
    }

    fn told(configuration: &[(&str, &str)], runs: Option<&Value>) -> Vec<String> {
        let found = differences(&spec(configuration), runs);
        found.into_iter().map(|one| format!("{}: {} | {}", one.option, one.deployed, one.runs)).collect()
    }

    /// As Flink 1.20 answered.
    fn captured() -> Value {
        json!({"mode":"exactly_once","interval":1000,"timeout":600_000,"min_pause":0,"max_concurrent":1,
            "externalization":{"enabled":true,"delete_on_cancellation":false},"state_backend":"HashMapStateBackend",
            "unaligned_checkpoints":false,"tolerable_failed_checkpoints":0})
    }

    #[test]
    fn what_runs_as_deployed_is_no_difference() {
        let deployed = [
            ("execution.checkpointing.interval", "1000 ms"),
            ("execution.checkpointing.mode", "EXACTLY_ONCE"),
            ("execution.checkpointing.timeout", "10m"),
            ("execution.checkpointing.unaligned", "false"),
            ("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"),
            ("execution.checkpointing.tolerable-failed-checkpoints", "0"),
            ("state.backend.type", "hashmap"),
            ("table.exec.state.ttl", "36h"),
        ];
        assert_eq!(told(&deployed, Some(&captured())), [""; 0]);
        assert_eq!(told(&[], None), [""; 0]);
        assert_eq!(interval(&captured()), Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_runs_otherwise_is_told_by_its_option() {
        let mut runs = captured();
        runs["externalization"]["delete_on_cancellation"] = true.into();
        runs["interval"] = i64::MAX.into();
        let deployed = [
            ("execution.checkpointing.interval", "1000 ms"),
            ("execution.checkpointing.mode", "AT_LEAST_ONCE"),
            ("execution.checkpointing.unaligned", "true"),
            ("execution.checkpointing.min-pause", "5 s"),
            ("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"),
            ("state.backend", "rocksdb"),
        ];
        assert_eq!(
            told(&deployed, Some(&runs)),
            [
                "execution.checkpointing.interval: 1000 ms | no checkpoints",
                "execution.checkpointing.mode: AT_LEAST_ONCE | exactly_once",
                "execution.checkpointing.min-pause: 5 s | 0 ms",
                "execution.checkpointing.unaligned: true | false",
                "execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION | one that a cancel deletes",
                "state.backend: rocksdb | HashMapStateBackend",
            ]
        );
        assert_eq!(interval(&runs), None);
        assert_eq!(told(&deployed[..1], None), ["execution.checkpointing.interval: 1000 ms | no checkpoints"]);
    }
}
