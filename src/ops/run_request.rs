//! The request that starts a job: what a spec comes to for one version of Flink.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::services::Services;
use super::upload;
use crate::base::Result;
use crate::drivers::flink::{ClaimMode, RunRequest, Version};
use crate::drivers::payload::RUNNER_CLASS;
use crate::model::job_spec::{JobSpec, Program};
use crate::model::renamed_options;
use crate::model::statement::{Kind, Statement};

/// The option that keeps the checkpoints of a job that is cancelled, and its value.
pub(super) const RETENTION: &str = "execution.checkpointing.externalized-checkpoint-retention";
pub(super) const RETAIN: &str = "RETAIN_ON_CANCELLATION";

/// The request that starts, or plans, a job under an id.
///
/// # Errors
/// `secret.missing`.
pub(super) fn request(
    services: &Services,
    version: Version,
    retains: bool,
    job_id: &str,
    restored_from: Option<&str>,
    allow_non_restored_state: bool,
    spec: &JobSpec,
) -> Result<RunRequest> {
    // A new name that the cluster sets wins over an old one of the job, and an old Flink does not know the new ones.
    let current = |key: &str| renamed_options::name(key, version >= Version::new(1, 20)).to_owned();
    let mut configuration: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in &spec.configuration {
        let name = current(key);
        // Where a job gives both, the one that needs no translation holds.
        if name == *key || !spec.configuration.contains_key(&name) {
            configuration.insert(name, value.clone());
        }
    }
    let (entry_class, program_args) = match &spec.program {
        Program::Sql { statements, .. } => {
            let mut arguments = Vec::new();
            if let Some(mode) = spec.configuration.get("execution.runtime-mode") {
                arguments.extend(["--mode".to_owned(), mode.to_lowercase()]);
            }
            for statement in statements {
                let (kind, text) = match &statement.kind {
                    Kind::Set { key, value } => {
                        ("set", format!("{}\0{}", current(key), services.secrets.reveal(value)?))
                    }
                    Kind::Reset { key } => ("reset", key.clone().unwrap_or_default()),
                    Kind::Definition => ("define", services.secrets.reveal(&statement.text)?),
                    Kind::Insert => ("insert", services.secrets.reveal(&statement.text)?),
                    Kind::CreateTableAs | Kind::ExecutePlan => ("execute", services.secrets.reveal(&statement.text)?),
                };
                let encoded = base64::engine::general_purpose::URL_SAFE.encode(text);
                arguments.extend(["--statement".to_owned(), kind.to_owned(), encoded]);
            }
            let submits_itself =
                |statement: &Statement| matches!(statement.kind, Kind::CreateTableAs | Kind::ExecutePlan);
            if !version.takes_options() && !statements.iter().any(submits_itself) {
                // The inserts are submitted when all statements are done, so options may come last: the numbers of the
                // statements, which errors name, stay. What the SQL sets itself wins.
                let own = |key: &str| {
                    statements.iter().any(|one| matches!(&one.kind, Kind::Set { key: set, .. } if current(set) == key))
                };
                for (key, value) in std::mem::take(&mut configuration) {
                    if !own(&key) && key != "execution.runtime-mode" {
                        let encoded = base64::engine::general_purpose::URL_SAFE.encode(format!("{key}\0{value}"));
                        arguments.extend(["--statement".to_owned(), "set".to_owned(), encoded]);
                    }
                }
            }
            (Some(RUNNER_CLASS.to_owned()), arguments)
        }
        Program::Jar { main_class, arguments, .. } => {
            if !version.takes_options() && retains {
                configuration.remove("pipeline.name");
                configuration.remove(RETENTION);
            }
            let arguments = arguments.iter().map(|argument| services.secrets.reveal(argument));
            (main_class.clone(), arguments.collect::<Result<_>>()?)
        }
        Program::Adopted { id, .. } => return Err(upload::adopted(&spec.identity.job, id)),
    };
    Ok(RunRequest {
        version,
        job_id: job_id.to_owned(),
        entry_class,
        program_args,
        parallelism: spec.parallelism,
        savepoint_path: restored_from.map(str::to_owned),
        allow_non_restored_state,
        claim_mode: restored_from.map(|_| ClaimMode::NoClaim),
        configuration,
    })
}
