//! What the documents say is there: scripts in them parse, commands in them exist, links lead somewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use tidegate::cli::args::Arguments;
use tidegate::script::library::interpreter;

struct Document {
    path: PathBuf,
    text: String,
}

/// A fenced block: its language, the line of its first line, its text.
struct Block {
    language: String,
    line: usize,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<Document> {
    let mut paths = Vec::new();
    for folder in ["", "docs", "docs/reference"] {
        for entry in root().join(folder).read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "md") {
                paths.push(path);
            }
        }
    }
    assert!(paths.len() > 10, "documents are missing: {paths:?}");
    paths.sort();
    paths.into_iter().map(|path| Document { text: std::fs::read_to_string(&path).unwrap(), path }).collect()
}

impl Document {
    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.strip_prefix(root()).unwrap().display())
    }

    fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = false;
        for (index, line) in self.text.lines().enumerate() {
            match line.strip_prefix("```") {
                Some(_) if open => open = false,
                Some(language) => {
                    open = true;
                    blocks.push(Block { language: language.to_owned(), line: index + 2, text: String::new() });
                }
                None if open => blocks.last_mut().unwrap().text.push_str(&format!("{line}\n")),
                None => {}
            }
        }
        assert!(!open, "{} has a block without an end", self.place(1));
        blocks
    }
}

/// The blocks of a language with their documents; there must be some.
fn blocks_of(language: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for document in documents() {
        for block in document.blocks().into_iter().filter(|block| block.language == language) {
            found.push((document.place(block.line), block.text));
        }
    }
    assert!(!found.is_empty(), "no block of {language}");
    found
}

#[test]
fn scripts_parse() {
    let mut wrong = Vec::new();
    for (place, text) in blocks_of("rhai") {
        if let Err(error) = interpreter().compile("document.rhai", &text) {
            wrong.push(format!("{place}: {error:?}\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(interpreter().compile("document.rhai", "let x = jobb::sql();").is_err(), "anything parses");
}

/// The commands of console blocks, without what follows a `#`.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut commands = Vec::new();
    for (place, text) in blocks_of("console") {
        for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let line = line.split(" # ").next().unwrap_or(line);
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            commands.push((place.clone(), words));
        }
    }
    commands
}

#[test]
fn commands_are_understood() {
    let mut count = 0;
    for (place, words) in commands() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let arguments = match words.as_slice() {
            ["tidegate", rest @ ..] => rest,
            ["cargo", "run", "--release", "--", rest @ ..] => rest,
            _ => continue,
        };
        count += 1;
        let parsed = Arguments::try_parse_from(std::iter::once(&"tidegate").chain(arguments));
        assert!(parsed.is_ok(), "{place}: {}: {}", words.join(" "), parsed.unwrap_err());
    }
    assert!(count > 10, "only {count} commands were found");
    assert!(Arguments::try_parse_from(["tidegate", "runn"]).is_err());
}

/// In running text a command is `` `tidegate WORD ...` ``: its first words must be subcommands, its options must be theirs.
#[test]
fn commands_in_the_text_exist() {
    let whole = Arguments::command();
    let mut count = 0;
    for document in documents() {
        for (index, line) in document.text.lines().enumerate() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let Some(rest) = quoted.strip_prefix("tidegate ") else { continue };
                let place = document.place(index + 1);
                let mut command = &whole;
                // `tidegate COMMAND --help` stands for any of them.
                let words =
                    rest.split_whitespace().filter(|word| !word.chars().all(|letter| letter.is_ascii_uppercase()));
                for word in words {
                    if let Some(option) = word.strip_prefix("--") {
                        let name = option.split('=').next().unwrap();
                        let known = |command: &clap::Command| {
                            command.get_arguments().any(|argument| argument.get_long() == Some(name))
                        };
                        assert!(
                            known(command) || known(&whole) || name == "help",
                            "{place}: `{quoted}` has no --{name}"
                        );
                    } else if let Some(sub) = command.find_subcommand(word) {
                        command = sub;
                    } else {
                        assert!(!std::ptr::eq(command, &whole), "{place}: there is no `tidegate {word}`");
                    }
                }
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} commands were found");
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for document in documents() {
        let folder = document.path.parent().unwrap();
        for (index, line) in document.text.lines().enumerate() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if link.starts_with("https://") {
                    continue;
                }
                let (file, heading) = link.split_once('#').unwrap_or((link, ""));
                let place = document.place(index + 1);
                let target = if file.is_empty() { document.path.clone() } else { folder.join(file) };
                assert!(target.exists(), "{place}: `{link}` is not there");
                if !heading.is_empty() {
                    let text = std::fs::read_to_string(&target).unwrap().to_lowercase();
                    let wanted = heading.replace('-', " ");
                    let found =
                        text.lines().any(|line| line.trim_start_matches('#').trim() == wanted && line.starts_with('#'));
                    assert!(found, "{place}: `{link}` has no such heading");
                }
                count += 1;
            }
        }
    }
    assert!(count > 20, "only {count} links were found");
}

#[test]
fn the_readme_shows_the_shipped_script() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let script = std::fs::read_to_string(root().join("scripts/quickstart.rhai")).unwrap();
    assert!(readme.contains(&format!("```rhai\n{script}```\n")), "scripts/quickstart.rhai and the README differ");
}

#[test]
fn the_configuration_shown_is_valid() {
    for (place, text) in blocks_of("yaml") {
        let read = tidegate::workspace::file::parse(&text);
        assert!(read.is_ok(), "{place}: {:?}", read.unwrap_err());
    }
}
