//! Maven's failures in plain words.

use super::silence::{ANSWER, Asked};
use crate::base::code::Code;
use crate::base::{Error, code, duration};
use crate::drivers::child::LEFT_OUT;
use crate::model::java_home;

/// What to do about a repository that does not answer.
const SILENT: &str =
    "try again; where it stays silent ask who keeps the repository, or take it out of Maven's settings.xml";

/// How Maven names the pom that it was asked with.
const PROJECT: &str = "tidegate:dependencies:pom:1";

/// Whether Maven did not ask, since it remembers an earlier failure.
pub(super) fn is_remembered(output: &str) -> bool {
    output.contains("during a previous attempt")
}

/// What an output of a Maven that failed says.
pub(super) fn explained(out: &str, err: &str, exit: i32) -> Error {
    if let Some(complaint) = java_home::complaint(err).or_else(|| java_home::complaint(out)) {
        return Error::new(&code::DEPENDENCY_FAILED, "Maven finds no Java to run on")
            .caused_by(complaint)
            .hint(java_home::hint(std::env::var_os("JAVA_HOME").as_deref()));
    }
    let told = without_users(
        &told(of_the_end(out))
            .or_else(|| told(out))
            .or_else(|| last_line(err))
            .or_else(|| last_line(out))
            .unwrap_or_default(),
    );
    let of = |code: &'static Code, message: String| Error::new(code, message).caused_by(&told);
    let repository = repository(&told);
    let place = repository.clone().unwrap_or_else(|| "a repository".to_owned());
    let artifact = artifact(&told).unwrap_or_else(|| "a file".to_owned());
    if told.contains("Checksum validation failed") {
        return of(&code::DEPENDENCY_CHECKSUM, format!("{artifact} differs from the checksum that {place} has for it"))
            .hint(
                "the file was damaged on its way or in the repository: try again, then ask who keeps the repository",
            );
    }
    if has_status(&told, "401") || told.contains("authentication failed") || told.contains("Not authorized") {
        return of(
            &code::DEPENDENCY_DENIED,
            format!("{place} does not accept the credentials that Maven gave it, if it gave any"),
        )
        .hint("they stand below `servers` in Maven's settings.xml, under the id of the repository or mirror");
    }
    if has_status(&told, "403") || told.contains("authorization failed") {
        return of(&code::DEPENDENCY_DENIED, format!("{place} does not let this user read {artifact}"))
            .hint("ask who keeps the repository, or name another user below `servers` in Maven's settings.xml");
    }
    if told.contains("in offline mode") {
        return of(
            &code::DEPENDENCY_UNREACHABLE,
            format!("Maven is offline by its own settings, and {artifact} is not in its local repository"),
        )
        .hint("remove `<offline>` from Maven's settings.xml");
    }
    if told.contains("Could not find artifact") || told.contains("was not found in") {
        return of(&code::DEPENDENCY_NOT_FOUND, format!("{artifact} is not in {place}"))
            .hint("correct name and version as https://central.sonatype.com shows them; another repository goes into Maven's settings.xml");
    }
    if told.contains("Read timed out") || told.contains("read timed out") {
        let message = format!("{place} was asked for {artifact}, and said nothing for {}", duration::show(ANSWER));
        return of(&code::DEPENDENCY_UNREACHABLE, message).hint(SILENT);
    }
    if told.contains("Could not transfer") || told.contains("failed to transfer") {
        let error = of(&code::DEPENDENCY_UNREACHABLE, format!("{place} did not give {artifact}"));
        return if told.contains("Blocked mirror") {
            error.hint("Maven refuses repositories without https: use its https address in settings.xml")
        } else {
            error.hint("look at the address, the network and the proxy in Maven's settings.xml")
        };
    }
    of(&code::DEPENDENCY_FAILED, format!("Maven failed with code {exit}"))
        .hint("its output says more; `mvn -version` has to work, with a Java of its own")
}

/// The error where Maven was ended, since a repository fell silent again and again.
pub(super) fn fell_silent(asked: Option<&Asked>, mask: &dyn Fn(&str) -> String) -> Error {
    let place = asked.map_or_else(|| "a repository".to_owned(), |asked| format!("`{}`", asked.repository));
    let patience = duration::show(ANSWER);
    let message = format!("{place} takes questions and does not answer: Maven would wait {patience} for each file");
    let error = Error::new(&code::DEPENDENCY_UNREACHABLE, message).hint(SILENT);
    match asked {
        Some(asked) => error.caused_by(format!("the last was {}", mask(&without_users(&asked.url)))),
        None => error,
    }
}

/// What Maven says at its end, where that can be told from the rest: there it sums up what it failed over. What it calls an
/// error before that need not have ended it.
fn of_the_end(out: &str) -> &str {
    out.rsplit_once("BUILD FAILURE").or_else(|| out.rsplit_once(LEFT_OUT)).map_or(out, |(_, end)| end)
}

/// The first thing that Maven calls an error.
fn told(out: &str) -> Option<String> {
    let lines = out.lines().filter_map(|line| line.trim_start_matches("\u{1b}[0m").strip_prefix("[ERROR]"));
    let line = lines
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.ends_with("problems were encountered while processing the POMs:"))?;
    let line = line.split(" -> [Help").next().unwrap_or(line).trim_start_matches("[ERROR]").trim();
    // The project is the pom that we made: nobody knows it.
    let line = line.split_once(": Could not ").filter(|(_, rest)| rest.contains(PROJECT)).map_or(line, |(_, rest)| {
        rest.split_once(PROJECT).map_or(rest, |(_, rest)| rest.trim_start_matches([':', ' ']))
    });
    Some(line.to_owned())
}

fn last_line(text: &str) -> Option<String> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

fn has_status(told: &str, status: &str) -> bool {
    told.contains(&format!("status: {status}")) || told.contains(&format!("status code: {status}"))
}

/// The artifact that the failure is about, without the extension of a plain jar.
fn artifact(told: &str) -> Option<String> {
    let after = ["Could not find artifact ", "Could not transfer artifact ", "and the artifact "];
    let named = after.iter().find_map(|words| told.split_once(words)).map(|(_, rest)| rest);
    let named = match named {
        Some(rest) => rest.split(' ').next(),
        None => told.split(" was not found in ").next().and_then(|before| before.rsplit(' ').next()),
    }?;
    let parts: Vec<&str> = named.split(':').collect();
    match parts.as_slice() {
        [group, artifact, "jar" | "pom", version] => Some(format!("`{group}:{artifact}:{version}`")),
        [_, _, _, ..] => Some(format!("`{named}`")),
        _ => None,
    }
}

/// The repository that the failure is about: "`central` (https://...)".
fn repository(told: &str) -> Option<String> {
    if let Some((_, rest)) = told.split_once(" was not found in ") {
        return rest.split(' ').next().map(str::to_owned);
    }
    let (before, rest) = told.split_once(" (http").or_else(|| told.split_once(" (file"))?;
    let scheme = &told[before.len() + 2..told.len() - rest.len()];
    let (name, address) = (before.rsplit(' ').next()?, rest.split(')').next()?);
    Some(format!("`{name}` ({scheme}{address})"))
}

/// A text in which no address names a user: `https://user:password@host/` is `https://***@host/`.
pub(super) fn without_users(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || c == ')').unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(user) => {
                clean.push_str("***");
                &after[user..]
            }
            None => after,
        };
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(line: &str) -> Error {
        let out = format!(
            "[INFO] Scanning for projects...\n[INFO] BUILD FAILURE\n[ERROR] {line} -> [Help 1]\n[ERROR] \n[ERROR] To see the full\n"
        );
        explained(&out, "", 1)
    }

    #[test]
    fn each_failure_of_maven_3_8_is_told_plainly() {
        let begin = "Failed to execute goal on project dependencies: Could not resolve dependencies for project tidegate:dependencies:pom:1: ";
        let collect = "Failed to collect dependencies at com.acme:thing:jar:1.0: Failed to read artifact descriptor for com.acme:thing:jar:1.0: \
                       Could not transfer artifact com.acme:thing:pom:1.0 from/to private (http://user:secret@127.0.0.1:9/repo): ";
        for (line, code, message) in [
            (
                format!("{begin}Could not find artifact a.b:kafak:jar:3.4.0 in central (https://repo.maven.apache.org/maven2)"),
                &code::DEPENDENCY_NOT_FOUND,
                "`a.b:kafak:3.4.0` is not in `central` (https://repo.maven.apache.org/maven2)",
            ),
            (
                format!("{begin}a.b:kafak:jar:3.4.0 was not found in https://repo.maven.apache.org/maven2 during a previous attempt. This failure was cached"),
                &code::DEPENDENCY_NOT_FOUND,
                "`a.b:kafak:3.4.0` is not in https://repo.maven.apache.org/maven2",
            ),
            (
                format!("{begin}{collect}transfer failed for http://127.0.0.1:9/x.pom: Connect to 127.0.0.1:9 [/127.0.0.1] failed: Connection refused"),
                &code::DEPENDENCY_UNREACHABLE,
                "`private` (http://***@127.0.0.1:9/repo) did not give `com.acme:thing:1.0`",
            ),
            (
                format!("{begin}{collect}transfer failed for http://127.0.0.1:9/x.pom, status: 500 Internal Server Error"),
                &code::DEPENDENCY_UNREACHABLE,
                "`private` (http://***@127.0.0.1:9/repo) did not give `com.acme:thing:1.0`",
            ),
            (
                format!("{begin}{collect}GET request of: com/acme/thing/1.0/thing-1.0.pom from private failed: Read timed out"),
                &code::DEPENDENCY_UNREACHABLE,
                "`private` (http://***@127.0.0.1:9/repo) was asked for `com.acme:thing:1.0`, and said nothing for 1m00s",
            ),
            (
                format!("{begin}{collect}authentication failed for http://127.0.0.1:9/x.pom, status: 401 Unauthorized"),
                &code::DEPENDENCY_DENIED,
                "`private` (http://***@127.0.0.1:9/repo) does not accept the credentials that Maven gave it, if it gave any",
            ),
            (
                format!("{begin}{collect}authorization failed for http://127.0.0.1:9/x.pom, status: 403 Forbidden"),
                &code::DEPENDENCY_DENIED,
                "`private` (http://***@127.0.0.1:9/repo) does not let this user read `com.acme:thing:1.0`",
            ),
            (
                format!("{begin}{collect}Checksum validation failed, expected 00 but is ac"),
                &code::DEPENDENCY_CHECKSUM,
                "`com.acme:thing:1.0` differs from the checksum that `private` (http://***@127.0.0.1:9/repo) has for it",
            ),
            (
                "Plugin p:q:3.8.1 or one of its dependencies could not be resolved: Cannot access central (https://repo.maven.apache.org/maven2) \
                 in offline mode and the artifact p:q:jar:3.8.1 has not been downloaded from it before."
                    .to_owned(),
                &code::DEPENDENCY_UNREACHABLE,
                "Maven is offline by its own settings, and `p:q:3.8.1` is not in its local repository",
            ),
            ("1 problem was encountered while building the effective settings".to_owned(), &code::DEPENDENCY_FAILED, "Maven failed with code 1"),
        ] {
            let error = failed(&line);
            assert_eq!((error.code().name, error.message()), (code.name, message));
            assert!(!format!("{error:?}").contains("secret@"), "{error:?}");
        }
    }

    #[test]
    fn what_maven_says_before_it_starts_is_told() {
        let error = explained(
            "",
            "The JAVA_HOME environment variable is not defined correctly,\nthis environment variable is needed\n",
            1,
        );
        assert_eq!(
            error.causes(),
            ["The JAVA_HOME environment variable is not defined correctly, this environment variable is needed"]
        );
        let told = failed(
            "Failed to execute goal on project dependencies: Could not resolve dependencies for project tidegate:dependencies:pom:1: What it is",
        );
        assert_eq!(told.causes(), ["What it is"]);
    }

    #[test]
    fn users_are_taken_out_of_addresses() {
        for (text, clean) in [
            ("a https://u:p@h/x b http://h/x@y", "a https://***@h/x b http://h/x@y"),
            ("(http://u:p@ss@h:80)", "(http://***@h:80)"),
            ("none", "none"),
        ] {
            assert_eq!(without_users(text), clean);
        }
    }
}
