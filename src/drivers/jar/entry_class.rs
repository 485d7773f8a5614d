//! The main class that a jar is started with: named or by its manifest, there, and with a `main`.

use std::path::Path;

use super::archive::open;
use super::classes::{Found, class, classes};
use super::manifest::main_class_of;
use crate::base::{Error, Result, code, suggest};

/// How many classes a hint names.
const MOST_NAMED: usize = 3;

/// The main class to start a jar with: the one that was `wanted`, else the manifest's. It is looked for in the jar and
/// in the extra `jars`, and must have a `public static void main(String[])`, its own or one of a superclass. What extends
/// a class that no jar holds is left to Flink.
///
/// # Errors
/// `flink.entry_class`, `file.not_found`, `file.invalid`.
pub fn entry_class(jar: &Path, jars: &[&Path], wanted: Option<&str>) -> Result<String> {
    let name = match wanted {
        Some(name) => name.to_owned(),
        None => main_class_of(jar)?.ok_or_else(|| {
            Error::new(&code::FLINK_ENTRY_CLASS, format!("`{}` names no main class", jar.display()))
                .hint("say which class has the main method, or build the jar with a `Main-Class` in its manifest")
        })?,
    };
    if name.contains('/') || name.ends_with(".class") {
        let dotted = name.trim_end_matches(".class").trim_matches('/').replace('/', ".");
        let message =
            format!("the main class `{name}` of `{}` is the path of a class file, and not its name", jar.display());
        return Err(Error::new(&code::FLINK_ENTRY_CLASS, message).hint(format!("write it with dots: `{dotted}`")));
    }
    let places: Vec<&Path> = std::iter::once(jar).chain(jars.iter().copied()).collect();
    let mut seen: Vec<String> = Vec::new();
    let mut next = name.clone();
    loop {
        match find(&places, &next)? {
            // Flink asks this of the class that is named, and not of the one that has the method.
            Some(Found::Known(class)) if seen.is_empty() && !class.is_public() && class.has_main => {
                return Err(not_public(jar, &name));
            }
            Some(Found::Known(class)) if class.has_main => return Ok(name),
            Some(Found::Known(class)) => match class.superclass {
                Some(superclass) if superclass != "java.lang.Object" && !seen.contains(&superclass) => {
                    seen.push(superclass.clone());
                    next = superclass;
                }
                _ => return Err(no_main(jar, &name)),
            },
            Some(Found::Newer(_)) => return Ok(name),
            Some(Found::Broken) => {
                let message = format!("`{next}` in `{}` is not a class file", jar.display());
                return Err(Error::new(&code::FLINK_ENTRY_CLASS, message).hint("build the jar again"));
            }
            // A superclass that Flink brings, or does not.
            None if !seen.is_empty() => return Ok(name),
            None => return Err(not_there(jar, jars, &name)?),
        }
    }
}

fn find(places: &[&Path], name: &str) -> Result<Option<Found>> {
    for place in places {
        if let Some(found) = class(&mut open(place)?, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The newest Java that a class was built for, or one of its superclasses; and which class that is. None where it is not there.
///
/// # Errors
/// `file.not_found`, `file.invalid`.
pub fn java_needed(jar: &Path, jars: &[&Path], name: &str) -> Result<Option<(u16, String)>> {
    let places: Vec<&Path> = std::iter::once(jar).chain(jars.iter().copied()).collect();
    let mut found: Vec<(u16, String)> = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next.filter(|name| !found.iter().any(|(_, seen)| seen == name)) {
        next = match find(&places, &name)? {
            Some(Found::Known(class)) => {
                found.push((class.java, name));
                class.superclass.filter(|superclass| superclass != "java.lang.Object")
            }
            Some(Found::Newer(java)) => {
                found.push((java, name));
                None
            }
            Some(Found::Broken) | None => None,
        };
    }
    // Of equal ones the first: it is the one that was named.
    Ok(found.into_iter().rev().max_by_key(|(java, _)| *java))
}

fn not_public(jar: &Path, name: &str) -> Error {
    let message = format!("the class `{name}` of `{}` has a main method and is not public", jar.display());
    Error::new(&code::FLINK_ENTRY_CLASS, message)
        .hint("Flink starts public classes alone: declare it `public`, and the class that it lies in need not be")
}

fn no_main(jar: &Path, name: &str) -> Error {
    let message = format!("the class `{name}` of `{}` has no `public static void main(String[])`", jar.display());
    let error = Error::new(&code::FLINK_ENTRY_CLASS, message);
    match mains(jar, name).as_slice() {
        [] => error.hint("no class of the jar has one: is it the jar of the job?"),
        [one] => error.hint(format!("`{one}` has one")),
        some => {
            let named: Vec<&str> = some.iter().take(MOST_NAMED).map(String::as_str).collect();
            let more = some.len() - named.len();
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            error.hint(format!("these have one: {}{more}", suggest::list(&named)))
        }
    }
}

/// The classes with a main, near ones first. What cannot be read makes no second error out of the first.
fn mains(jar: &Path, name: &str) -> Vec<String> {
    let classes = classes(jar).unwrap_or_default();
    classes.with_main(name).into_iter().map(str::to_owned).collect()
}

/// The name without its package.
fn simple(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn not_there(jar: &Path, jars: &[&Path], name: &str) -> Result<Error> {
    let archive = open(jar)?;
    let mut classes: Vec<String> = archive
        .names()
        .filter_map(|entry| entry.strip_suffix(".class").map(|entry| entry.replace('/', ".")))
        .filter(|entry| !entry.contains('$') && !entry.starts_with("META-INF."))
        .collect();
    classes.sort();
    let beside = match jars.len() {
        0 => String::new(),
        1 => format!(", nor in `{}`", jars[0].display()),
        many => format!(", nor in any of the {many} jars beside it"),
    };
    let missing =
        Error::new(&code::FLINK_ENTRY_CLASS, format!("the main class `{name}` is not in `{}`{beside}", jar.display()));
    // Where the class loaders of application servers look, and no other.
    let entry = format!("{}.class", name.replace('.', "/"));
    let nested = ["BOOT-INF/classes/", "WEB-INF/classes/"];
    if let Some(folder) = nested.into_iter().find(|folder| archive.names().any(|one| one == format!("{folder}{entry}")))
    {
        let made = if folder.starts_with("BOOT") { "the jar that Spring Boot repackaged" } else { "a web archive" };
        return Ok(missing
            .caused_by(format!("it is there as `{folder}{entry}`: this is {made}, and Flink does not look below `{folder}`"))
            .hint("use the plain jar of the module (Spring Boot keeps it as `*.jar.original`), or one that the shade plugin makes"));
    }
    if classes.is_empty() {
        return Ok(missing.hint("the jar holds no classes at all: was it built?"));
    }
    let mains = mains(jar, name);
    // One that could be started is meant sooner than one that could not.
    let groups = [&mains, &classes];
    let same = groups.iter().find_map(|group| group.iter().find(|one| simple(one) == simple(name)));
    let by_simple_name = || {
        groups.iter().find_map(|group| {
            let meant = suggest::nearest(simple(name), group.iter().map(|one| simple(one)))?;
            group.iter().find(|one| simple(one) == meant).map(String::as_str)
        })
    };
    // A long package makes all of its classes near: only what can be started is meant then.
    let near = || by_simple_name().or_else(|| suggest::nearest(name, mains.iter().map(String::as_str)));
    Ok(match same.map(String::as_str).or_else(near) {
        Some(meant) => missing.hint(format!("did you mean `{meant}`?")),
        None => missing.hint(
            "the name must be whole, with its package; where another module of the project has the class, name what that \
             module is built to in `jars`",
        ),
    })
}
