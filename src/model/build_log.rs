//! What of a build's log says why it failed.

use crate::base::wording::without_colors;

/// Lines, at most.
const MOST: usize = 12;

/// What Maven adds to every failure.
const BOILERPLATE: [&str; 10] = [
    "To see the full stack trace",
    "Re-run Maven",
    "For more information about the errors",
    "After correcting the problems",
    "[Help ",
    "-> [Help",
    "COMPILATION ERROR",
    "mvn <args> -rf",
    "mvn <goals> -rf",
    "Please refer to ",
];

/// The lines that say why a build failed: Maven's errors without what it always adds, the compiler's and Gradle's "What went
/// wrong", else the last lines. `folder` is where it ran, which is cut out of paths.
pub fn telling(log: &str, folder: &str) -> Vec<String> {
    let folder = format!("{}/", folder.trim_end_matches('/'));
    let log = without_colors(log);
    let mut lines: Vec<String> = Vec::new();
    let mut add = |line: &str| {
        let line = line.replace(&folder, "").trim_end().to_owned();
        if !line.trim().is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    };
    let errors: Vec<&str> = log
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("[ERROR]"))
        .map(str::trim)
        .filter(|line| !line.is_empty() && !BOILERPLATE.iter().any(|one| line.starts_with(one)))
        .collect();
    let gradle = log.find("* What went wrong:").map(|at| &log[at..]);
    if !errors.is_empty() {
        // The first ones are the causes; the summary comes last and is told by the first ones too.
        errors.into_iter().take(MOST).for_each(|line| add(line.trim_end_matches("-> [Help 1]")));
    } else if let Some(text) = gradle {
        // It says that the compiler failed; what the compiler said stands before it.
        let of_compiler = log.lines().filter(|line| line.contains(": error: "));
        of_compiler.take(MOST).for_each(&mut add);
        text.lines().skip(1).take_while(|line| !line.starts_with("* ")).take(MOST).for_each(add);
    } else {
        // What threw an exception says more than the way to it.
        let is_frame = |line: &str| {
            let line = line.trim();
            line.starts_with("at ") && line.ends_with(')') || line.starts_with("... ") && line.ends_with(" more")
        };
        let last = log.lines().rev().filter(|line| !line.trim().is_empty() && !is_frame(line));
        let last: Vec<&str> = last.take(MOST).collect();
        last.into_iter().rev().for_each(add);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maven_is_told_without_its_boilerplate() {
        let log = "[ERROR] COMPILATION ERROR : \n[ERROR] /w/7/jobs/src/A.java:[5,8] cannot find symbol\n  symbol: class X\n\
                   [ERROR] Failed to execute goal compile (default-compile) on project jobs: Compilation failure\n\
                   [ERROR] /w/7/jobs/src/A.java:[5,8] cannot find symbol\n[ERROR] \n[ERROR] -> [Help 1]\n[ERROR] \n\
                   [ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch.\n\
                   [ERROR] For more information about the errors and possible solutions\n[ERROR] [Help 1] http://x\n";
        assert_eq!(
            telling(log, "/w/7"),
            [
                "jobs/src/A.java:[5,8] cannot find symbol",
                "Failed to execute goal compile (default-compile) on project jobs: Compilation failure"
            ]
        );
    }

    #[test]
    fn gradle_and_others_are_told() {
        let log = "FAILURE: Build failed with an exception.\n\n* What went wrong:\nExecution failed for task ':compileJava'.\n> no\n\n* Try:\n> x\n";
        assert_eq!(telling(log, "/w"), ["Execution failed for task ':compileJava'.", "> no"]);
        let compiler = format!("/w/A.java:2: error: <identifier> expected\nclass A {{ int }}\n1 error\n\n{log}");
        assert_eq!(telling(&compiler, "/w")[..1], ["A.java:2: error: <identifier> expected"]);
        let thrown =
            "Exception in thread \"main\" java.io.IOException: no\n\tat java.base/a.B.c(B.java:1)\n\t... 4 more\n";
        assert_eq!(telling(thrown, "/w"), ["Exception in thread \"main\" java.io.IOException: no"]);
        let log = (0..40).map(|number| format!("line {number}\n\n")).collect::<String>();
        assert_eq!(telling(&log, "/w").last().map(String::as_str), Some("line 39"));
        assert!(telling("", "/w").is_empty());
    }
}
