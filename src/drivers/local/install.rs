//! A Flink of the wanted version: the one of `FLINK_HOME`, one installed before, or one from PyPI.
//!
//! The package `apache-flink-libraries` holds the `lib` and `plugins` of Flink's own distribution, byte for byte.

use std::path::{Path, PathBuf};

use super::package::{self, Package};
use super::{Report, Surroundings, word};
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code};

/// Minor version, the patch version that is taken for it, and the hash of its file on PyPI.
const KNOWN: &[(&str, &str, &str)] = &[
    ("1.13", "1.13.6", "2834e022cd64864d570021562aaf84412c69ca34f6731c17453e04bba3db3efc"),
    ("1.14", "1.14.6", "0b3afc482440c831c40f796db4cd71f177d9e7c2b67e6c932b8a33f01cc51ae9"),
    ("1.15", "1.15.4", "f4f622f55198073ee1be7db14ae2efe89af1a6fc9e4da8bc6e4759d7fa84f58a"),
    ("1.16", "1.16.3", "d15df4185e9c507836b031879b64e18f68955dd7e90cd7d39b450513ed64ebbe"),
    ("1.17", "1.17.2", "1d7f7de6d3288610d0fecb7b45235343e31d644d0eacbe5e560560ed9124dcdb"),
    ("1.18", "1.18.1", "369ce11ab33e5e15cdd349db2f5412dcc2fad163b6a87aa93b927a3631bcca7f"),
    ("1.19", "1.19.3", "4a58e3a1fb7d83340bc96b6c080624c6d792d69fae5d294b96224775204a9c60"),
    ("1.20", "1.20.5", "e6aee62ea1a1fe7b32e28894ad079f3f1a50a372a4caac3df52405267f4228c8"),
    ("2.0", "2.0.2", "64dced9d0324a5f23f84e9cdf444d3fd64632169e477f001c21b422f39b995ba"),
    ("2.1", "2.1.3", "b48d3944755b9303f99d205ea1a9bcb798fc563a872c782393fb466f16d4f91c"),
    ("2.2", "2.2.1", "74dc5546fbd9add8fbcdf1222a237e09491f9b80296241aef8676ec56f8e686e"),
    ("2.3", "2.3.0", "38ece876553286b3a285cf344c2d2038f8a7ca10da5df54d5107250386d64151"),
];

/// Where a Flink came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `FLINK_HOME`.
    Found,
    /// Installed by tidegate before.
    Installed,
    /// Downloaded just now.
    Downloaded,
}

/// A Flink on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlinkHome {
    /// The folder that has `lib/`.
    pub path: PathBuf,
    /// Its whole version, such as `1.20.5`.
    pub version: String,
    /// Where it came from.
    pub origin: Origin,
}

impl FlinkHome {
    /// The class path: every jar of `lib/`, `flink-dist` last as Flink's own scripts have it.
    ///
    /// # Errors
    /// `flink.install_failed` where `lib/` cannot be read.
    pub fn classpath(&self) -> Result<String> {
        classpath(&self.path)
    }
}

/// The class path of a Flink home.
pub(super) fn classpath(home: &Path) -> Result<String> {
    let mut jars = jars(home)?;
    jars.sort_by_key(|jar| (is_dist(jar), jar.clone()));
    Ok(jars.iter().map(|jar| jar.to_string_lossy()).collect::<Vec<_>>().join(":"))
}

/// A Flink in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Its whole version.
    pub version: String,
    /// The folder that has `lib/`.
    pub path: PathBuf,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// The Flinks that tidegate installed, oldest version first.
///
/// # Errors
/// `flink.install_failed` where the cache cannot be read.
pub fn list(cache: &Path) -> Result<Vec<Installed>> {
    let folder = cache.join("flink");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(
                Error::new(&code::FLINK_INSTALL, format!("{} cannot be read", folder.display())).caused_by(error)
            );
        }
    };
    let mut found: Vec<Installed> = entries
        .flatten()
        .filter(|entry| package::is_whole(&entry.path()))
        .map(|entry| Installed {
            version: entry.file_name().to_string_lossy().into_owned(),
            bytes: package::size(&entry.path()),
            path: entry.path(),
        })
        .collect();
    found.sort_by_key(|installed| numbers(&installed.version));
    Ok(found)
}

/// The minor versions that can be installed.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(minor, ..)| *minor)
}

/// A Flink of this version: `1.20` means any patch version that is there, or else the pinned one; `1.20.3` that one.
///
/// # Errors
/// `flink.install_failed`, with its cause and what to do; `flink.version` for a version that is not known; `cancelled`.
pub async fn find_or_install(
    version: &str,
    surroundings: &Surroundings,
    cancel: &Cancel,
    progress: Report<'_>,
) -> Result<FlinkHome> {
    let (minor, exact, sha256) = choose(version)?;
    if let Some(home) = &surroundings.flink_home {
        match version_of(home) {
            Ok(found) if matches(version, &found) => {
                return Ok(FlinkHome { path: home.clone(), version: found, origin: Origin::Found });
            }
            Ok(found) => word(
                progress,
                format!("passing over Flink {found} of FLINK_HOME ({}): {version} is wanted", home.display()),
            ),
            Err(error) => word(progress, format!("passing over FLINK_HOME ({}): {error}", home.display())),
        }
    }
    let installed = list(&surroundings.cache)?;
    let fits = |installed: &&Installed| {
        if version == minor { matches(minor, &installed.version) } else { installed.version == exact }
    };
    // The pinned one, or else the newest that is there: a new tidegate alone is no reason to download 200 MB.
    let best = installed.iter().find(|installed| installed.version == exact);
    if let Some(found) = best.or_else(|| installed.iter().rfind(fits)) {
        return Ok(FlinkHome { path: found.path.clone(), version: found.version.clone(), origin: Origin::Installed });
    }
    let target = surroundings.cache.join("flink").join(&exact);
    let package = Package {
        title: format!("Flink {exact}"),
        name: "apache-flink-libraries",
        version: &exact,
        sha256,
        anchor: "lib/flink-dist",
        prefixes: "lib/,plugins/",
        code: &code::FLINK_INSTALL,
        hint: "unpack a Flink yourself and set `FLINK_HOME` to its folder",
    };
    let check = |whole: &Path| check(whole, &exact, &package);
    let downloaded = package::install(&package, &target, surroundings, &check, cancel, progress).await?;
    let origin = if downloaded { Origin::Downloaded } else { Origin::Installed };
    Ok(FlinkHome { path: target, version: exact.clone(), origin })
}

/// Whether a whole version is what was asked for.
pub(super) fn matches(wanted: &str, version: &str) -> bool {
    wanted == version || version.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether a version is `least` (major, minor) or newer.
pub(super) fn at_least(version: &str, least: (u64, u64)) -> bool {
    let numbers = numbers(version);
    (numbers.first().copied().unwrap_or(0), numbers.get(1).copied().unwrap_or(0)) >= least
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// Minor version, whole version, pinned hash.
fn choose(version: &str) -> Result<(&'static str, String, Option<&'static str>)> {
    let found = KNOWN.iter().find(|(minor, ..)| *minor == version || matches(minor, version));
    let whole = version.split('.').count() <= 3
        && version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    match found {
        Some((minor, pinned, sha256)) if whole => Ok(match version {
            _ if version == *minor || version == *pinned => (minor, (*pinned).to_owned(), Some(sha256)),
            _ => (minor, version.to_owned(), None),
        }),
        _ => Err(Error::new(&code::FLINK_VERSION, format!("there is no Flink `{version}` to install")).hint(format!(
            "known are {}, or a patch version of them such as `1.20.3`; for another one set `FLINK_HOME` to it",
            known().map(|minor| format!("`{minor}`")).collect::<Vec<_>>().join(", ")
        ))),
    }
}

pub(super) fn jars(home: &Path) -> Result<Vec<PathBuf>> {
    let lib = home.join("lib");
    let entries = std::fs::read_dir(&lib).map_err(|error| {
        Error::new(&code::FLINK_INSTALL, format!("{} cannot be read", lib.display())).caused_by(error)
    })?;
    let mut jars: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "jar"))
        .collect();
    jars.sort();
    Ok(jars)
}

fn is_dist(jar: &Path) -> bool {
    jar.file_name().is_some_and(|name| name.to_string_lossy().starts_with("flink-dist"))
}

/// The version of a Flink home: that of its `lib/flink-dist-VERSION.jar` (`flink-dist_SCALA-VERSION.jar` before 1.15).
pub(super) fn version_of(home: &Path) -> Result<String> {
    jars(home)?
        .iter()
        .filter(|jar| is_dist(jar))
        .find_map(|jar| jar.file_stem()?.to_string_lossy().rsplit_once('-').map(|(_, version)| version.to_owned()))
        .ok_or_else(|| Error::new(&code::FLINK_INSTALL, "it has no `lib/flink-dist-*.jar`"))
}

/// Whether what was unpacked can be run: the jars that every cluster needs are there, and every jar opens.
fn check(home: &Path, version: &str, package: &Package<'_>) -> Result<()> {
    let wrong = |why: String| package.error().caused_by(why);
    let jars = jars(home)?;
    let found = version_of(home)?;
    if found != version {
        return Err(wrong(format!("the download holds Flink {found}")));
    }
    for wanted in ["flink-dist", "flink-table", "log4j-core", "log4j-api", "log4j-slf4j"] {
        if !jars.iter().any(|jar| jar.file_name().is_some_and(|name| name.to_string_lossy().starts_with(wanted))) {
            return Err(wrong(format!("the download holds no `lib/{wanted}*.jar`")));
        }
    }
    for jar in &jars {
        let opened = std::fs::File::open(jar).map_err(zip::result::ZipError::from).and_then(zip::ZipArchive::new);
        if let Err(error) = opened {
            return Err(wrong(format!("{}: {error}", jar.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_version_is_pinned_and_an_exact_one_is_kept() {
        assert_eq!(choose("1.20").unwrap().1, "1.20.5");
        assert!(choose("1.20.5").unwrap().2.is_some());
        assert_eq!(choose("1.20.3").unwrap(), ("1.20", "1.20.3".to_owned(), None));
        assert_eq!(choose("2.3").unwrap().1, "2.3.0");
    }

    #[test]
    fn an_unknown_version_lists_the_known_ones() {
        for version in ["1.2", "1.200", "3.0", "", "1.20.", "1.20.x", "1.20.3.4", "1.20.3/../../x", "latest"] {
            let error = choose(version).unwrap_err();
            assert!(error.is(&code::FLINK_VERSION), "{version}");
            assert!(error.hint_text().unwrap().contains("`1.20`"), "{version}");
        }
    }

    #[test]
    fn versions_match_by_whole_numbers() {
        assert!(matches("1.20", "1.20.5") && matches("1.20.5", "1.20.5"));
        assert!(!matches("1.2", "1.20.5") && !matches("1.20.5", "1.20.3"));
        assert!(at_least("1.19.0", (1, 19)) && at_least("2.0.1", (1, 19)) && !at_least("1.9.9", (1, 19)));
    }
}
