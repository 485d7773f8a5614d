//! What host functions ask of the closures of the scripts that a run has loaded.

use crate::api::host::Closures;

use super::resolver::Book;

impl Closures for Book {
    fn home(&self, closure: &str) -> Option<String> {
        Self::home(self, closure)
    }

    fn parameters(&self, closure: &str) -> Option<Vec<String>> {
        let unit = self.unit(&Self::home(self, closure)?)?;
        let found = unit.ast.iter_fn_def().find(|function| function.name == closure)?;
        Some(found.params.iter().map(ToString::to_string).collect())
    }
}
