//! What is said where a script does not do what its run recorded: both lines, the recorded one as it was then.

use crate::base::error::Place;
use crate::base::{Error, code};
use crate::model::run::{Run, Step};
use crate::store::Store;

/// A call that is another one than was recorded. `arguments` are those of now, masked, where the function is the same.
pub(super) fn another_call(
    store: &Store,
    run: &Run,
    step: &Step,
    now: Place,
    function: &str,
    arguments: &str,
) -> Error {
    let number = step.number();
    let error = if step.function == function {
        let (recorded, now) = differing(&step.arguments, arguments);
        Error::new(
            &code::RUN_DIVERGED,
            format!(
                "the script calls `{function}` with other arguments at step {number} than run r{} recorded",
                run.id
            ),
        )
        .caused_by(format!("recorded arguments: {recorded}"))
        .caused_by(format!("arguments now: {now}"))
    } else {
        Error::new(
            &code::RUN_DIVERGED,
            format!(
                "the script calls `{function}` at step {number}, where run r{} recorded `{}`",
                run.id, step.function
            ),
        )
    };
    error
        .at(Place { label: "now".to_owned(), ..now })
        .at(recorded_place(store, run, step, "recorded: this line"))
        .hint(hint(run))
}

/// A recorded step that the script did not come to, at the end of it or of one of its scopes.
pub(super) fn left_out(store: &Store, run: &Run, step: &Step, more: usize, end: &str) -> Error {
    let error = Error::new(
        &code::RUN_DIVERGED,
        format!("{end} without step {} that run r{} recorded: `{}`", step.number(), run.id, step.function),
    )
    .caused_by(format!("its arguments: {}", shortened(&step.arguments)));
    let error = match more {
        0 => error,
        1 => error.caused_by("and one more recorded step is left out after it"),
        more => error.caused_by(format!("and {more} more recorded steps are left out after it")),
    };
    error.at(recorded_place(store, run, step, "recorded: this line")).hint(hint(run))
}

fn hint(run: &Run) -> String {
    format!(
        "nothing was done. Resume with the recorded scripts (without --with-current-scripts), or `tidegate abandon r{}`",
        run.id
    )
}

/// Where the step was called from, with the text that the line had.
fn recorded_place(store: &Store, run: &Run, step: &Step, label: &str) -> Place {
    let number = |value: i64| usize::try_from(value).unwrap_or(0);
    let line = number(step.line);
    let name = step.file.strip_prefix("scripts/").unwrap_or(&step.file);
    let text = store.pinned(run.id, "script", name).ok().flatten();
    let excerpt = text
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .and_then(|text| text.lines().nth(line.checked_sub(1)?).map(str::to_owned))
        // An earlier `--with-current-scripts` may have recorded the step from a text that is not kept.
        .filter(|line| called_in(&step.function, line));
    Place { file: step.file.clone(), line, column: number(step.column), excerpt, label: label.to_owned() }
}

fn called_in(function: &str, line: &str) -> bool {
    let name = function.rsplit([':', '.', ' ']).next().unwrap_or(function);
    line.contains(name)
}

/// Both texts, without what they have in common at the front where they are long.
fn differing(one: &str, other: &str) -> (String, String) {
    const SHORT: usize = 120;
    const BEFORE: usize = 30;
    if one.chars().count() <= SHORT && other.chars().count() <= SHORT {
        return (one.to_owned(), other.to_owned());
    }
    let common = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let skip = common.saturating_sub(BEFORE);
    let cut = |text: &str| {
        let start = if skip > 0 { "…" } else { "" };
        let rest: String = text.chars().skip(skip).collect();
        format!("{start}{}", shortened(&rest))
    };
    (cut(one), cut(other))
}

pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_where_they_begin_to_differ() {
        let same = "x".repeat(500);
        let (one, other) = differing(&format!("{same}a"), &format!("{same}b"));
        assert_eq!(one, format!("…{}a", "x".repeat(30)));
        assert_eq!(other, format!("…{}b", "x".repeat(30)));
        assert_eq!(differing("[1]", "[2]"), ("[1]".to_owned(), "[2]".to_owned()));
    }

    #[test]
    fn a_line_that_does_not_call_the_function_is_not_shown_as_if_it_did() {
        assert!(called_in("job.deploy", "let d = job.deploy();"));
        assert!(called_in("time::now", "time::now()"));
        assert!(!called_in("time::now", "let x = 1;"));
    }
}
