//! Repositories that fall silent while Maven asks them. Maven waits a minute for each file, says nothing meanwhile, and asks the
//! next repository then: a closure of thirty files would take half an hour, and nobody would know why.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long a repository may say nothing, before Maven gives up a file.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// After how long it is told.
const TELL: Duration = Duration::from_secs(15);
/// How many files Maven may give up on one repository, before it is ended.
const MOST: u32 = 3;

/// Of a longer line the beginning counts.
const LONGEST_LINE: usize = 64 << 10;

/// A file that Maven asks for: `Downloading from nexus: https://nexus.example/maven/a/b.pom`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The repository's name in Maven's settings.
    pub(super) repository: String,
    /// The file.
    pub(super) url: String,
}

/// What is to be done about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Fine,
    /// Say that this is waited for, for so long.
    Tell(Asked, Duration),
    /// This repository is not worth waiting for.
    GiveUp(Asked),
}

/// What was seen of an output so far.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// The line that is not whole yet.
    rest: Vec<u8>,
    asked: Option<Asked>,
    since: Duration,
    told: Duration,
    given_up: BTreeMap<String, u32>,
}

impl Silence {
    /// Looks at what has come of an output since the last look, so long after its program was started.
    pub(super) fn look(&mut self, fresh: &[u8], now: Duration) -> Verdict {
        self.rest.extend_from_slice(fresh);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let whole: Vec<u8> = self.rest.drain(..whole).collect();
        self.rest.truncate(LONGEST_LINE);
        let text = String::from_utf8_lossy(&whole);
        let mut lines = text.lines();
        if let Some(next) = lines.next() {
            let gave_up = self.asked.take().filter(|_| {
                // It may have been long, and came.
                now.saturating_sub(self.since) + TELL >= ANSWER && !next.contains("Downloaded from ")
            });
            self.asked = asked(lines.next_back().unwrap_or(next));
            (self.since, self.told) = (now, now);
            if let Some(asked) = gave_up {
                let count = self.given_up.entry(asked.repository.clone()).or_default();
                *count += 1;
                if *count == MOST {
                    return Verdict::GiveUp(asked);
                }
            }
            return Verdict::Fine;
        }
        match &self.asked {
            Some(asked) if now.saturating_sub(self.told) >= TELL => {
                self.told = now;
                Verdict::Tell(asked.clone(), now.saturating_sub(self.since))
            }
            _ => Verdict::Fine,
        }
    }
}

fn asked(line: &str) -> Option<Asked> {
    let (_, rest) = line.split_once("Downloading from ")?;
    let (repository, url) = rest.split_once(": ")?;
    Some(Asked { repository: repository.to_owned(), url: url.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn file(repository: &str, name: &str) -> Asked {
        Asked { repository: repository.to_owned(), url: format!("https://h/{name}.pom") }
    }

    fn line(word: &str, repository: &str, name: &str) -> String {
        format!("[INFO] {word} from {repository}: https://h/{name}.pom\n")
    }

    #[test]
    fn what_is_waited_for_is_told_and_the_third_time_is_the_last() {
        let (mut silence, mut now) = (Silence::default(), 0);
        for (number, name) in ["a", "b", "c"].iter().enumerate() {
            assert_eq!(silence.look(line("Downloading", "nexus", name).as_bytes(), at(now)), Verdict::Fine);
            assert_eq!(silence.look(b"", at(now + 14)), Verdict::Fine);
            assert_eq!(silence.look(b"", at(now + 15)), Verdict::Tell(file("nexus", name), at(15)));
            assert_eq!(silence.look(b"", at(now + 31)), Verdict::Tell(file("nexus", name), at(31)));
            // The next one has it.
            let verdict = if number == 2 { Verdict::GiveUp(file("nexus", name)) } else { Verdict::Fine };
            assert_eq!(silence.look(line("Downloading", "central", name).as_bytes(), at(now + 60)), verdict);
            assert_eq!(silence.look(line("Downloaded", "central", name).as_bytes(), at(now + 61)), Verdict::Fine);
            now += 70;
        }
    }

    #[test]
    fn long_files_quick_refusals_and_work_without_downloads_are_fine() {
        let mut silence = Silence::default();
        for number in 0..5 {
            let begun = if number == 0 { "" } else { "m nowhere\n" };
            let long = format!("{begun}{}", line("Downloading", "central", "long"));
            assert_eq!(silence.look(long.as_bytes(), at(number * 200)), Verdict::Fine);
            let came = line("Downloaded", "central", "long");
            assert_eq!(silence.look(came.as_bytes(), at(number * 200 + 100)), Verdict::Fine);
            silence.look(line("Downloading", "nexus", "absent").as_bytes(), at(number * 200 + 101));
            let mut rest = line("Downloading", "central", "absent");
            rest += "[INFO] Building dependencies 1\n[INFO] Downloading fro";
            assert_eq!(silence.look(rest.as_bytes(), at(number * 200 + 102)), Verdict::Fine);
            assert_eq!(silence.look(b"", at(number * 200 + 190)), Verdict::Fine);
        }
        assert!(silence.given_up.is_empty());
    }

    /// A line comes in pieces, and one that never ends is no reason to keep all of it.
    #[test]
    fn a_line_counts_when_it_is_whole() {
        let mut silence = Silence::default();
        assert_eq!(silence.look(b"[INFO] Downloading from nexus: https://h/", at(0)), Verdict::Fine);
        assert_eq!(silence.look(b"", at(100)), Verdict::Fine);
        assert_eq!(silence.look(b"a.pom\n", at(101)), Verdict::Fine);
        assert_eq!(silence.look(b"", at(116)), Verdict::Tell(file("nexus", "a"), at(15)));
        for _ in 0..100 {
            silence.look(&[b'x'; 10_000], at(117));
        }
        assert!(silence.rest.len() <= LONGEST_LINE + 10_000);
    }
}
