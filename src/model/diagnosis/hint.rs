//! What to do about a failure, in one line.

use super::Kind;
use crate::base::suggest;
use crate::model::connectors;

/// What to do about this sort of failure; `table` is the one that it is about, where that is known.
pub(super) fn of(kind: &Kind, table: Option<&str>) -> Option<String> {
    let of_table = table.map(|table| format!(" of table `{table}`")).unwrap_or_default();
    let words = |names: &[String]| suggest::list(&names.iter().map(String::as_str).collect::<Vec<_>>());
    Some(match kind {
        Kind::MissingConnector { identifier, available } => {
            let near = suggest::nearest(identifier, available.iter().map(String::as_str));
            match (connectors::artifact(identifier, None), near) {
                (Some(artifact), _) => {
                    format!("it comes with {artifact}: name that in `dependencies`, or its jars in `jars`")
                }
                (None, Some(near)) => {
                    format!("did you mean `{near}`? Else add the jar that brings `{identifier}`: `jars: [...]`")
                }
                (None, None) => {
                    format!("add the jar that brings `{identifier}` to the job: `jars: [...]`")
                }
            }
        }
        Kind::MissingOptions { missing } if !missing.is_empty() => {
            format!("add {} to the `WITH` options{of_table}", words(missing))
        }
        Kind::UnsupportedOptions { unsupported, supported } if !unsupported.is_empty() => {
            let near = unsupported.iter().find_map(|name| suggest::nearest(name, supported.iter().map(String::as_str)));
            match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove {} from the `WITH` options{of_table}", words(unsupported)),
            }
        }
        Kind::EntryClass => "name a class that is in the jar and has `public static void main(String[])`".to_owned(),
        Kind::JavaTooOld { needs, has } => format!(
            "the class was built for Java {needs}, and the cluster runs Java {has}: compile with `--release {has}` (Maven: \
             `maven.compiler.release`), or run the cluster with Java {needs} or newer"
        ),
        Kind::NoSlots => "free task slots, add TaskManagers, or lower `parallelism`".to_owned(),
        Kind::CheckpointStorage => {
            "let the JobManager and the TaskManagers write to the checkpoint directory, and give Flink its file system"
                .to_owned()
        }
        Kind::SavepointMissing => {
            "check that the path is there, on a file system that the JobManager sees under the same name".to_owned()
        }
        Kind::StateIncompatible => {
            "keep the operators that hold state as they were, or leave the state of those that are gone behind: `allow_non_restored_state: true`; `tidegate rollback` goes back".to_owned()
        }
        Kind::ClassNotFound => "add the jar that holds the class to the job: `jars: [...]`".to_owned(),
        Kind::ClassVersion => {
            "a jar of the job was built for another Flink version: use the one for this cluster".to_owned()
        }
        _ => return None,
    })
}
