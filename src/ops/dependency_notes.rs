//! What is said of dependencies when Maven has resolved them: what is left out, what keeps nothing out, what will not stay.

use super::services::Services;
use crate::base::suggest;
use crate::drivers::maven::{Ask, Maven};
use crate::model::coordinates::Coordinates;
use crate::model::dependency::{ClosureFile, Dependency, LeftOut};
use crate::model::provided;

/// Says what is left out, and why.
pub(super) fn left_out(services: &Services, of: &[LeftOut]) {
    for reason in ["Flink has it", "only compilers need it"] {
        let of_it = of.iter().filter(|one| provided::reason(&one.coordinates) == Some(reason));
        let names: Vec<String> = of_it.map(|one| one.coordinates.to_string()).collect();
        if !names.is_empty() {
            services.clusters.progress(&format!("left out, since {reason}: {}", names.join(", ")));
        }
    }
}

/// A SNAPSHOT is one file here, by its hash, and another one in its repository tomorrow.
pub(super) fn snapshots(services: &Services, files: &[ClosureFile]) {
    let snapshots = files.iter().filter(|file| is_snapshot(&file.coordinates));
    let names: Vec<String> = snapshots.map(|file| file.coordinates.to_string()).collect();
    if !names.is_empty() {
        services.clusters.progress(&format!(
            "warning: {} is locked as the file of now; when its repository has another one, who has not got this one cannot fetch it: \
             release what is deployed",
            names.join(", ")
        ));
    }
}

/// Whether a version is one that its repository changes.
pub(super) fn is_snapshot(coordinates: &Coordinates) -> bool {
    coordinates.version.ends_with("-SNAPSHOT")
}

/// Says which exclusions exclude nothing: a misspelt one leaves in what it was to keep out. Only Maven knows what there would be
/// without them.
pub(super) async fn idle_exclusions(services: &Services, maven: &Maven<'_>, asked: &[Dependency]) {
    if asked.iter().all(|one| one.exclude.is_empty()) {
        return;
    }
    let whole: Vec<Dependency> = asked.iter().map(|one| Dependency { exclude: Vec::new(), ..one.clone() }).collect();
    let all = match maven.resolve(Ask::Closure(&whole, &[])).await {
        Ok(all) => all,
        Err(error) => {
            let text = format!("whether each `exclude` keeps something out could not be looked at: {error}");
            return services.clusters.progress(&text);
        }
    };
    let names: Vec<String> =
        all.iter().map(|one| format!("{}:{}", one.coordinates.group, one.coordinates.artifact)).collect();
    for one in asked {
        for exclusion in one.exclude.iter().filter(|exclusion| !all.iter().any(|one| exclusion.fits(&one.coordinates)))
        {
            let near = suggest::nearest(&exclusion.to_string(), names.iter().map(String::as_str));
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            services.clusters.progress(&format!(
                "warning: `exclude: [\"{exclusion}\"]` of `{}` keeps nothing out: no dependency brings it{near}",
                one.coordinates
            ));
        }
    }
}
