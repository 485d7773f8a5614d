//! What reading jars costs: the classes of one of 100 MB, and the class path of a job with 50.
//! `cargo bench --bench jars`; the jars are made out of an installed Flink.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]
#![allow(dead_code, reason = "the support is shared with benchmarks that use more of it")]

mod support;

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Instant;

use support::{Figures, line};
use tidegate::drivers::jar::{all_kept, classes};
use tidegate::drivers::local::{cache_dir, install};
use tidegate::model::class_path::{Named, Provided, clashes, two_versions};
use tidegate::model::connectors::Asks;
use tidegate::model::java_class::Filter;
use zip::{ZipArchive, ZipWriter};

const LARGE: u64 = 100 << 20;
const JARS: usize = 50;
/// How many classes each of the 50 has beside its factories: as many as a connector with what it needs.
const CLASSES: usize = 500;

type Reader = ZipArchive<BufReader<File>>;
type Writer = ZipWriter<BufWriter<File>>;

fn main() {
    let installed = install::list(&cache_dir().unwrap()).unwrap();
    let Some(flink) = installed.last() else {
        println!("NOT RUN: no Flink is installed; `tidegate quickstart` installs one");
        return;
    };
    let mut jars: Vec<PathBuf> =
        std::fs::read_dir(flink.path.join("lib")).unwrap().flatten().map(|entry| entry.path()).collect();
    jars.sort();
    let folder = tempfile::tempdir().unwrap();
    large(&jars, folder.path());
    many(&jars, folder.path());
}

fn open(path: &Path) -> Reader {
    ZipArchive::new(BufReader::new(File::open(path).unwrap())).unwrap()
}

fn writer(path: &Path) -> Writer {
    ZipWriter::new(BufWriter::new(File::create(path).unwrap()))
}

/// Copies the classes from `start` on, at most `most` of them, below a folder; gives how many bytes they take.
fn copy(from: &mut Reader, to: &mut Writer, below: &str, start: usize, most: usize) -> u64 {
    let (mut copied, mut bytes) = (0, 0);
    for index in start..from.len() {
        let entry = from.by_index_raw(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        if !name.ends_with(".class") || name.starts_with("META-INF") {
            continue;
        }
        bytes += entry.compressed_size();
        to.raw_copy_file_rename(entry, format!("{below}{name}")).unwrap();
        copied += 1;
        if copied == most || bytes >= LARGE / 4 {
            break;
        }
    }
    bytes
}

/// The classes of a jar of 100 MB.
fn large(jars: &[PathBuf], folder: &Path) {
    let path = folder.join("large.jar");
    let mut to = writer(&path);
    let mut bytes = 0;
    for round in 0.. {
        for (number, jar) in jars.iter().enumerate() {
            if bytes < LARGE {
                bytes += copy(&mut open(jar), &mut to, &format!("r{round}/j{number}/"), 0, usize::MAX);
            }
        }
        if bytes >= LARGE {
            break;
        }
    }
    to.finish().unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let mut figures = Figures::default();
    let mut count = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let found = classes(&path).unwrap();
        found.find(&Filter { implements: Some("Serializable".to_owned()), ..Filter::default() });
        figures.add_time(start.elapsed());
        count = found.len();
    }
    line(
        &format!("the classes of a jar of {} MB, {count} of other names", length >> 20),
        &figures,
        "ms",
        "at most 500 ms",
    );
}

/// The class path of a job with 50 jars, each with factories of its own.
fn many(jars: &[PathBuf], folder: &Path) {
    let named = |part: &str| jars.iter().find(|jar| jar.to_string_lossy().contains(part)).unwrap();
    let mut classes = open(named("flink-dist"));
    let mut factories = open(named("flink-json"));
    let files: Vec<(PathBuf, PathBuf)> = (0..JARS)
        .map(|number| {
            let path = folder.join(format!("connector{number}-1.{number}.jar"));
            let mut to = writer(&path);
            for index in 0..factories.len() {
                let entry = factories.by_index_raw(index).unwrap();
                if !entry.name().unwrap().ends_with('/') {
                    to.raw_copy_file(entry).unwrap();
                }
            }
            copy(&mut classes, &mut to, &format!("c{number}/"), number * 100, CLASSES);
            to.finish().unwrap();
            (path, folder.join(format!("{number}.facts")))
        })
        .collect();
    let check = || {
        let start = Instant::now();
        let facts = all_kept(&files).unwrap();
        let named: Vec<Named<'_>> = facts.iter().map(|facts| Named { path: "jars/x.jar", facts }).collect();
        let found = (clashes(&named).len(), two_versions(&named).len());
        let provided = Provided::by(&named);
        assert!(provided.has(Asks::Format, "debezium-json") && !provided.has(Asks::Connector, "kafka"));
        assert_eq!(found, (0, 0));
        start.elapsed()
    };
    let (mut cold, mut kept) = (Figures::default(), Figures::default());
    for _ in 0..5 {
        for (_, file) in &files {
            let _ = std::fs::remove_file(file);
        }
        cold.add_time(check());
        for _ in 0..10 {
            kept.add_time(check());
        }
    }
    line(&format!("the class path of {JARS} jars, read for the first time"), &cold, "ms", "at most 300 ms");
    line("the same again", &kept, "ms", "at most 5 ms");
}
