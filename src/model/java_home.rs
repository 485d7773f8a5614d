//! What Maven and Gradle say where they find no Java, and what to do about it.

use std::ffi::OsStr;

/// The sentence that names JAVA_HOME; none where there is none. It can go over two lines, of which the second does not name it.
pub fn complaint(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.contains("JAVA_HOME"))?;
    let rest = lines[at..].iter().take_while(|line| !line.is_empty()).take(2);
    Some(rest.copied().collect::<Vec<_>>().join(" "))
}

/// What to do; `java_home` as the environment has it.
pub fn hint(java_home: Option<&OsStr>) -> String {
    match java_home.filter(|home| !home.is_empty()) {
        Some(home) => format!(
            "JAVA_HOME is `{}`: set it to the folder of a JDK, the one that has `bin/java`, or unset it",
            home.display()
        ),
        None => "install a JDK (Debian: `apt install openjdk-17-jdk-headless`), or set JAVA_HOME to the folder of one"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_names_it_is_kept() {
        let maven = "The JAVA_HOME environment variable is not defined correctly,\nthis environment variable is needed to run this program.\n";
        assert_eq!(
            complaint(maven).as_deref(),
            Some(
                "The JAVA_HOME environment variable is not defined correctly, this environment variable is needed to run this program."
            )
        );
        let gradle = "\nERROR: JAVA_HOME is set to an invalid directory: /none\n\nPlease set the JAVA_HOME variable\n";
        assert_eq!(complaint(gradle).as_deref(), Some("ERROR: JAVA_HOME is set to an invalid directory: /none"));
        assert_eq!(complaint("no such file"), None);
        assert!(hint(Some(OsStr::new("/none"))).contains("`/none`") && hint(Some(OsStr::new(""))).contains("install"));
    }
}
