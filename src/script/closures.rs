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

    fn file_with(&self, file: &str, line: usize, column: usize, word: &str) -> Option<String> {
        let has = |text: &str| {
            let line = text.lines().nth(line.checked_sub(1)?)?;
            let (start, _) = line.char_indices().nth(column.checked_sub(1)?)?;
            line[start..].starts_with(word).then_some(())
        };
        if self.unit(file).is_some_and(|unit| has(&unit.text).is_some()) {
            return Some(file.to_owned());
        }
        let units = self.units();
        let mut others = units.iter().filter(|unit| has(&unit.text).is_some());
        let found = others.next()?;
        others.next().is_none().then(|| found.name.clone())
    }
}
