//! `docs/versions.md`: what was seen on each version, as a table.

use std::path::Path;

/// What was seen on one version.
pub(crate) struct Row {
    cells: Vec<(&'static str, String)>,
}

impl Row {
    pub(crate) fn new(flink: &str, java: &str) -> Self {
        Self { cells: vec![("Flink", flink.to_owned()), ("Java", java.to_owned())] }
    }

    pub(crate) fn see(&mut self, column: &'static str, seen: String) {
        self.cells.push((column, seen));
    }

    fn line(&self) -> String {
        line(self.cells.iter().map(|(_, cell)| cell.as_str()))
    }
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// Between these the document is ours; the words round it are written by hand.
const BEGIN: &str = "<!-- seen: UPDATE=1 VERSIONS=all cargo test --test versions -- --ignored -->\n";
const END: &str = "<!-- end of what was seen -->\n";

/// Compares what was seen with what is written; `UPDATE=1` writes it, where `whole` says that nothing is missing.
pub(crate) fn compare(rows: &[Row], whole: bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/versions.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (is, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        assert!(whole, "the table is written from a run over all versions: VERSIONS=all");
        let columns: Vec<&str> = rows[0].cells.iter().map(|(column, _)| *column).collect();
        let mut table = line(columns.iter().copied());
        table.push_str(&format!("|{}\n", "---|".repeat(columns.len())));
        rows.iter().for_each(|row| table.push_str(&row.line()));
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    for row in rows {
        let line = row.line();
        assert!(is.contains(&line), "docs/versions.md does not say what was seen:\n{line}in\n{is}");
    }
}
