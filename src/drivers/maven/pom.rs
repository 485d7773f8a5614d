//! The pom that Maven is asked with.

use std::fmt::Write as _;

use super::Ask;
use crate::model::coordinates::{Coordinates, Exclusion};

/// The pom's text. Nothing has to be escaped: coordinates have no character that XML knows.
pub(super) fn text(ask: Ask<'_>) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n\
         <modelVersion>4.0.0</modelVersion>\n\
         <groupId>tidegate</groupId><artifactId>dependencies</artifactId><version>1</version>\n\
         <packaging>pom</packaging>\n\
         <dependencies>\n",
    );
    match ask {
        Ask::Closure(declared, excluded) => {
            for one in declared {
                dependency(&mut text, &one.coordinates, one.exclude.iter().chain(excluded));
            }
        }
        Ask::Files(files) => {
            let all = Exclusion { group: "*".to_owned(), artifact: "*".to_owned() };
            for one in files {
                dependency(&mut text, one, [&all].into_iter());
            }
        }
    }
    text.push_str("</dependencies>\n</project>\n");
    text
}

fn dependency<'a>(text: &mut String, coordinates: &Coordinates, excluded: impl Iterator<Item = &'a Exclusion>) {
    let Coordinates { group, artifact, extension, classifier, version } = coordinates;
    let _ = write!(
        text,
        "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version><type>{extension}</type>"
    );
    if let Some(classifier) = classifier {
        let _ = write!(text, "<classifier>{classifier}</classifier>");
    }
    text.push_str("<exclusions>");
    for Exclusion { group, artifact } in excluded {
        let _ = write!(text, "<exclusion><groupId>{group}</groupId><artifactId>{artifact}</artifactId></exclusion>");
    }
    text.push_str("</exclusions></dependency>\n");
}
