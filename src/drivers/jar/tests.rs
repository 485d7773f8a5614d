//! Jars made here: what is read of them, and what is refused.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::class_file::{ClassFile, Text};
use super::class_writer::{ClassWriter, Gives};
use super::portions::look_into;
use super::source::{Bytes, Source};
use super::*;
use crate::base::code;
use crate::model::class_path::{Makes, MavenArtifact};
use crate::model::java_class::Filter;

/// A folder with jars in it.
struct Jars {
    folder: tempfile::TempDir,
}

impl Jars {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn add(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// A jar of classes and other entries.
fn jar(classes: &[ClassWriter], others: &[(&str, &[u8])]) -> Vec<u8> {
    let classes: Vec<(String, Vec<u8>)> = classes.iter().map(ClassWriter::entry).collect();
    let mut entries: Vec<(&str, &[u8])> =
        classes.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    entries.extend(others);
    deflated(&entries)
}

const FACTORIES: &str = "META-INF/services/org.apache.flink.table.factories.Factory";

#[test]
fn a_class_file_says_what_a_class_is() {
    for version in [45, 52, 65, 69, 999] {
        let written = ClassWriter::new("com.acme.Clicks$Late")
            .extends("com.acme.Base")
            .implements("com.acme.UserBehavior")
            .implements("java.io.Serializable")
            .annotated("com.acme.Nightly")
            .annotated("java.lang.Deprecated")
            .main()
            .version(version)
            .bytes();
        let file = ClassFile::read(&written).unwrap();
        assert_eq!(file.name().as_deref(), Some("com.acme.Clicks$Late"));
        assert_eq!(file.superclass().as_deref(), Some("com.acme.Base"));
        assert_eq!(file.interfaces(), ["com.acme.UserBehavior", "java.io.Serializable"]);
        assert_eq!(file.annotations(), ["com.acme.Nightly", "java.lang.Deprecated"]);
        assert!(file.has_main());
    }
    assert!(!ClassFile::read(&ClassWriter::new("A").bytes()).unwrap().has_main());
    assert!(ClassFile::read(&ClassWriter::new("A").newer().bytes()).is_none());
}

#[test]
fn the_text_of_a_method_is_read_where_it_is_constant() {
    let text = |gives| {
        let bytes = ClassWriter::new("a.F").text("factoryIdentifier", gives).bytes();
        ClassFile::read(&bytes).unwrap().text_of_method("factoryIdentifier")
    };
    let constant = |text: &str| Some(Text::Constant(text.to_owned()));
    assert_eq!(text(Gives::Literal("kafka".into())), constant("kafka"));
    assert_eq!(text(Gives::Constant("upsert-kafka".into())), constant("upsert-kafka"));
    assert_eq!(text(Gives::Computed), Some(Text::Computed));
    assert_eq!(ClassFile::read(&ClassWriter::new("a.F").bytes()).unwrap().text_of_method("factoryIdentifier"), None);
}

#[test]
fn the_main_class_is_read_by_flinks_rule() {
    let main = |manifest: &str| {
        let bytes = jar(&[], &[("meta-inf/manifest.mf", manifest.as_bytes())]);
        let mut archive = open_bytes(bytes, Path::new("m.jar")).unwrap();
        manifest_of(&mut archive)
    };
    assert_eq!(main("Manifest-Version: 1.0\r\nMain-Class: a.Main\r\n\r\n").as_deref(), Some("a.Main"));
    assert_eq!(main("main-class: a.Main\nprogram-class: b.Job\n").as_deref(), Some("b.Job"));
    assert_eq!(main("Main-Class: com.exam\r\n ple.Main\r\nX: y\r\n").as_deref(), Some("com.example.Main"));
    // A section of its own speaks of one entry, not of the jar.
    assert_eq!(main("Manifest-Version: 1.0\n\nName: x\nMain-Class: a.Main\n"), None);
    let mut none = open_bytes(jar(&[], &[("x", b"")]), Path::new("n.jar")).unwrap();
    assert_eq!(manifest_of(&mut none), None);
}

fn manifest_of<R: std::io::Read + std::io::Seek>(archive: &mut Archive<R>) -> Option<String> {
    manifest(archive).unwrap().main_class().map(str::to_owned)
}

#[test]
fn services_are_read_as_java_reads_them() {
    let nested = jar(&[], &[("META-INF/services/a.S", b"c.Three\nb.Two")]);
    let bytes =
        jar(&[], &[("META-INF/services/a.S", b"# two\r\n a.One # the first\n\nb.Two\n"), ("lib/n.jar", &nested)]);
    let mut archive = open_bytes(bytes, Path::new("s.jar")).unwrap();
    assert_eq!(services(&mut archive, "a.S").unwrap(), ["a.One", "b.Two", "c.Three"]);
    assert_eq!(services(&mut archive, "a.T").unwrap(), [""; 0]);
}

#[test]
fn classes_of_a_jar_and_of_those_inside_it() {
    let jars = Jars::new();
    let nested = jar(&[ClassWriter::new("lib.Base").implements("lib.Job").main()], &[]);
    let classes_in: Vec<ClassWriter> =
        (0..300).map(|number| ClassWriter::new(&format!("a.C{number:03}")).extends("lib.Base")).collect();
    let mut all = classes_in.clone();
    all.push(ClassWriter::new("a.Newer").newer());
    let path =
        jars.add("j.jar", &jar(&all, &[("lib/b.jar", &nested), ("lib/no.jar", b"no jar"), ("a/Broken.class", b"x")]));
    let classes = classes(&path).unwrap();
    assert_eq!(classes.len(), 301);
    let found =
        classes.find(&Filter { implements: Some("Job".into()), in_package: Some("a".into()), ..Filter::default() });
    assert_eq!((found.len(), found[0].as_str(), found[299].as_str()), (300, "a.C000", "a.C299"));
    assert!(classes.has_main("a.C007"));
}

#[test]
fn the_entry_class_is_checked_before_anything_is_sent() {
    let jars = Jars::new();
    let nested = jar(&[ClassWriter::new("com.example.Inner").main()], &[]);
    let job = jars.add(
        "job.jar",
        &jar(
            &[
                ClassWriter::new("com.example.CountJob").main(),
                ClassWriter::new("com.example.CountJob$Count"),
                ClassWriter::new("com.example.Quiet"),
                ClassWriter::new("com.example.Child").extends("com.other.Main"),
                ClassWriter::new("com.example.OfFlink").extends("org.apache.flink.Something"),
                ClassWriter::new("com.example.Newer").newer(),
            ],
            &[
                (MANIFEST, b"Main-Class: com.example.CountJob\n"),
                ("com/example/Broken.class", b"<html>"),
                ("lib/n.jar", &nested),
            ],
        ),
    );
    let extra = jars.add("extra.jar", &jar(&[ClassWriter::new("com.other.Main").main()], &[]));
    let found = |wanted: Option<&str>| entry_class(&job, &[&extra], wanted).unwrap();
    assert_eq!(found(None), "com.example.CountJob");
    for name in ["Inner", "Child", "OfFlink", "Newer"] {
        let name = format!("com.example.{name}");
        assert_eq!(found(Some(&name)), name);
    }
    assert_eq!(found(Some("com.other.Main")), "com.other.Main");
    let refused = |wanted: &str| {
        let error = entry_class(&job, &[], Some(wanted)).unwrap_err();
        assert!(error.is(&code::FLINK_ENTRY_CLASS), "{error:?}");
        (error.message().to_owned(), error.hint_text().unwrap_or_default().to_owned())
    };
    let meant = "did you mean `com.example.CountJob`?";
    assert_eq!(refused("com.example.CuontJob").1, meant);
    assert_eq!(refused("CountJob").1, meant);
    let (message, hint) = refused("org.apache.Nothing");
    assert!(hint.contains("with its package") && hint.contains("another module") && hint.contains("`jars`"), "{hint}");
    assert!(!message.contains("nor in"), "{message}");
    let beside = entry_class(&job, &[&extra], Some("com.acme.Launcher")).unwrap_err();
    assert!(beside.message().ends_with("extra.jar`") && beside.message().contains(", nor in `"), "{beside:?}");
    let (message, hint) = refused("com/example/CountJob");
    assert!(message.contains("is the path of a class file"), "{message}");
    assert_eq!(hint, "write it with dots: `com.example.CountJob`");
    assert_eq!(refused("com/example/CountJob.class").1, hint);
    let (message, hint) = refused("com.example.Quiet");
    assert!(message.contains("has no `public static void main(String[])`"), "{message}");
    assert_eq!(hint, "these have one: `com.example.Inner` and `com.example.CountJob`");
    assert!(refused("com.example.Broken").0.contains("is not a class file"));
    let bare = jars.add("bare.jar", &jar(&[], &[("pom.xml", b"")]));
    assert!(entry_class(&bare, &[], None).unwrap_err().hint_text().unwrap().contains("Main-Class"));
    assert!(entry_class(&bare, &[], Some("a.Main")).unwrap_err().hint_text().unwrap().contains("was it built"));
    let silent = jars.add("silent.jar", &jar(&[ClassWriter::new("a.A")], &[]));
    assert!(entry_class(&silent, &[], Some("a.A")).unwrap_err().hint_text().unwrap().contains("no class of the jar"));
}

#[test]
fn what_reflection_can_make_objects_of_is_told_by_the_class_files() {
    let jars = Jars::new();
    let path = jars.add(
        "j.jar",
        &jar(
            &[
                ClassWriter::new("a.Plain").implements("a.Job").annotated("a.Nightly"),
                ClassWriter::new("a.Plain$Static").implements("a.Job").inner(0x9),
                ClassWriter::new("a.Plain$Bound").implements("a.Job").inner(0x1),
                // A class file has no flag for private: only the list of inner classes says it.
                ClassWriter::new("a.Plain$Private").access(0x20).implements("a.Job").inner(0xA).annotated("a.Nightly"),
                ClassWriter::new("a.Kind").access(0x4031).implements("a.Job").constructor(2, "Ljava/lang/String;I"),
                ClassWriter::new("a.Takes").implements("a.Job").constructor(1, "I"),
                ClassWriter::new("a.Single").implements("a.Job").constructor(2, ""),
                ClassWriter::new("a.Main").main(),
                ClassWriter::new("a.Plain$Protected").inner(0xC).main(),
                ClassWriter::new("a.Package").access(0x20).main(),
            ],
            &[],
        ),
    );
    let classes = classes(&path).unwrap();
    let jobs =
        |with_abstract| classes.find(&Filter { implements: Some("Job".into()), with_abstract, ..Filter::default() });
    assert_eq!(jobs(false), ["a.Plain", "a.Plain$Static"]);
    assert_eq!(jobs(true).len(), 7);
    let nightly = Filter { annotated_with: Some("Nightly".into()), with_abstract: true, ..Filter::default() };
    assert_eq!(classes.find(&nightly), ["a.Plain", "a.Plain$Private"]);
    // Flink starts public classes alone, and an inner one is what its outer one declares.
    assert!(classes.has_main("a.Main") && !classes.has_main("a.Package") && !classes.has_main("a.Plain$Protected"));
    for name in ["a.Package", "a.Plain$Protected"] {
        let error = entry_class(&path, &[], Some(name)).unwrap_err();
        assert!(error.is(&code::FLINK_ENTRY_CLASS) && error.message().contains("is not public"), "{error:?}");
        assert!(error.hint_text().unwrap().contains("declare it `public`"), "{error:?}");
    }
}

#[test]
fn the_java_that_a_class_needs_is_that_of_its_newest_superclass() {
    let jars = Jars::new();
    let (_, newer) = ClassWriter::new("a.Old").version(65).entry();
    let path = jars.add(
        "j.jar",
        &jar(
            &[
                ClassWriter::new("a.Old").main(),
                ClassWriter::new("a.New").version(61).main(),
                ClassWriter::new("a.Below").extends("b.Base"),
                ClassWriter::new("a.Unknown").version(70).newer(),
                ClassWriter::new("a.Round").extends("a.Round"),
            ],
            // Of a multi-release jar: an older Java does not look at it.
            &[("META-INF/versions/21/a/Old.class", &newer)],
        ),
    );
    let other = jars.add("o.jar", &jar(&[ClassWriter::new("b.Base").version(65)], &[]));
    let needed = |name: &str| java_needed(&path, &[&other], name).unwrap();
    assert_eq!(needed("a.Old"), Some((8, "a.Old".to_owned())));
    assert_eq!(needed("a.New"), Some((17, "a.New".to_owned())));
    assert_eq!(needed("a.Below"), Some((21, "b.Base".to_owned())));
    assert_eq!(needed("a.Unknown"), Some((26, "a.Unknown".to_owned())));
    assert_eq!(needed("a.Round"), Some((8, "a.Round".to_owned())));
    assert_eq!(needed("a.None"), None);
}

#[test]
fn a_jar_that_spring_boot_repackaged_is_told_as_that() {
    let jars = Jars::new();
    let (_, launcher) = ClassWriter::new("com.acme.Launcher").main().entry();
    let loader = ClassWriter::new("org.springframework.boot.loader.JarLauncher").main();
    for (folder, made) in [("BOOT-INF", "Spring Boot repackaged"), ("WEB-INF", "a web archive")] {
        let entry = format!("{folder}/classes/com/acme/Launcher.class");
        let path = jars.add("boot.jar", &jar(std::slice::from_ref(&loader), &[(&entry, &launcher)]));
        let error = entry_class(&path, &[], Some("com.acme.Launcher")).unwrap_err();
        assert!(error.causes()[0].contains(&format!("`{entry}`")) && error.causes()[0].contains(made), "{error:?}");
        assert!(!error.hint_text().unwrap().contains("did you mean"), "{error:?}");
    }
}

#[test]
fn factories_are_known_by_what_their_class_files_say() {
    let jars = Jars::new();
    let flink = |name: &str| format!("org.apache.flink.table.factories.{name}");
    let base = ClassWriter::new("a.Base").implements("a.Both").text("factoryIdentifier", Gives::Literal("base".into()));
    let both = ClassWriter::new("a.Both")
        .access(0x601)
        .implements(&flink("DynamicTableSourceFactory"))
        .implements(&flink("DynamicTableSinkFactory"));
    let classes = [
        base,
        both,
        ClassWriter::new("a.Inherits").extends("a.Base"),
        ClassWriter::new("a.Named")
            .text("factoryIdentifier", Gives::Constant("named".into()))
            .implements(&flink("CatalogFactory")),
        ClassWriter::new("a.Computed").text("factoryIdentifier", Gives::Computed),
        ClassWriter::new("a.Away").extends("b.Base"),
    ];
    let services = b"a.Inherits\na.Named\na.Computed\na.Away\na.Missing\n";
    let pom = b"#made\nversion=1.2.3\ngroupId=com.acme\nartifactId=udf\n";
    let others: [(&str, &[u8]); 3] = [
        (FACTORIES, services),
        ("META-INF/maven/com.acme/udf/pom.properties", pom),
        ("META-INF/services/java.sql.Driver", b"com.mysql.cj.jdbc.Driver\n"),
    ];
    let path = jars.add("f.jar", &jar(&classes, &others));
    let facts = facts(&path).unwrap();
    let part = &facts.parts[0];
    let told: Vec<_> = part
        .factories
        .iter()
        .map(|one| (one.class.as_str(), one.identifier.as_deref(), one.makes.iter().copied().collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        told,
        [
            ("a.Inherits", Some("base"), vec![Makes::Source, Makes::Sink]),
            ("a.Named", Some("named"), vec![Makes::Catalog]),
            ("a.Computed", None, vec![Makes::Other]),
            ("a.Away", None, vec![Makes::Other]),
            ("a.Missing", None, vec![Makes::Other]),
        ]
    );
    let udf = MavenArtifact { group: "com.acme".into(), artifact: "udf".into(), version: "1.2.3".into() };
    assert_eq!(part.maven, Some(udf));
    assert_eq!(part.drivers, ["com.mysql.cj.jdbc.Driver"]);
    assert_eq!(part.classes.len(), classes.len());
}

#[test]
fn what_is_kept_is_what_was_read_and_nothing_else_is_believed() {
    let jars = Jars::new();
    let nested = jar(&[ClassWriter::new("n.N")], &[]);
    let path = jars.add("k.jar", &jar(&[ClassWriter::new("a.A"), ClassWriter::new("a.B")], &[("lib/n.jar", &nested)]));
    let file = jars.folder.path().join("k.facts");
    let first = kept(&path, &file).unwrap();
    assert_eq!(first.parts.len(), 2);
    assert_eq!(first.parts[1].inside, "lib/n.jar");
    assert_eq!(read_kept(&file), Some(first.clone()));
    // From now on the jar is not needed.
    std::fs::rename(&path, jars.folder.path().join("away.jar")).unwrap();
    assert_eq!(kept(&path, &file).unwrap(), first);
    let bytes = std::fs::read(&file).unwrap();
    for wrong in [&bytes[..bytes.len() - 1], &bytes[..3], b"{}\n", b""] {
        std::fs::write(&file, wrong).unwrap();
        assert_eq!(read_kept(&file), None);
    }
    assert!(kept(&path, &file).unwrap_err().is(&code::FILE_NOT_FOUND));
}

fn refusal(bytes: &[u8]) -> String {
    let jars = Jars::new();
    let path = jars.add("bad.jar", bytes);
    let mut errors = Vec::new();
    errors.extend(classes(&path).err());
    errors.extend(facts(&path).err());
    errors.extend(main_class_of(&path).err());
    for error in &errors {
        assert!(error.is(&code::FILE_INVALID), "{error:?}");
        assert!(error.message().contains("bad.jar"), "{error:?}");
    }
    errors.first().map(|error| format!("{error:?}")).unwrap_or_default()
}

fn deflated(entries: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::DEFAULT).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn bombs_are_refused_without_being_unpacked() {
    let zeros = vec![0; 17 << 20];
    assert!(refusal(&deflated(&[("A.class", &zeros)])).contains("of more than 16777216 bytes"));
    let part = vec![0; 10 << 20];
    let names: Vec<String> = (0..9).map(|number| format!("C{number}.class")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), part.as_slice())).collect();
    let bomb = deflated(&many);
    assert!(bomb.len() < 200_000);
    assert!(refusal(&bomb).contains("unpacks to far more"));
    // A bomb inside of a jar shares its allowance.
    assert!(refusal(&deflated(&[("lib/b.jar", &bomb)])).contains("unpacks to far more"));
}

/// A jar of so many classes, larger than what is read at a time, and their names; `extra` bytes stand before each.
fn many_classes(count: usize, method: zip::CompressionMethod, extra: u16) -> (Vec<u8>, Vec<String>) {
    use std::io::Write;
    let names: Vec<String> = (0..count).map(|number| format!("a.C{number:04}")).collect();
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in &names {
        let (entry, bytes) =
            ClassWriter::new(name).implements("a.Job").text(&format!("t{name}"), Gives::Computed).entry();
        let options = zip::write::SimpleFileOptions::DEFAULT.compression_method(method).with_alignment(extra);
        writer.start_file(entry, options).unwrap();
        writer.write_all(&bytes).unwrap();
    }
    (writer.finish().unwrap().into_inner(), names)
}

fn number(jar: &[u8], at: usize) -> usize {
    u32::from_le_bytes(jar[at..at + 4].try_into().unwrap()) as usize
}

/// Where the table of contents has each entry.
fn table(jar: &[u8]) -> Vec<usize> {
    let length = |at: usize| usize::from(u16::from_le_bytes([jar[at], jar[at + 1]]));
    let (mut at, mut found) = (number(jar, jar.len() - 22 + 16), Vec::new());
    while jar[at..].starts_with(b"PK\x01\x02") {
        found.push(at);
        at += 46 + length(at + 28) + length(at + 30) + length(at + 32);
    }
    found
}

#[test]
fn a_jar_is_read_in_portions_however_its_classes_lie_in_it() {
    use zip::CompressionMethod::{Deflated, Stored};
    let jars = Jars::new();
    let all = Filter { implements: Some("Job".into()), ..Filter::default() };
    // With 32 KiB before each, no class is where it is looked for first.
    for (count, method, extra) in [(3000, Deflated, 0), (2000, Stored, 0), (500, Stored, 4096), (50, Deflated, 32768)] {
        let (bytes, names) = many_classes(count, method, extra);
        assert!(bytes.len() > 400_000, "{}", bytes.len());
        let found = classes(&jars.add("many.jar", &bytes)).unwrap();
        assert_eq!(found.find(&all), names);
        let outer = deflated(&[("lib/many.jar", &bytes)]);
        assert_eq!(classes(&jars.add("outer.jar", &outer)).unwrap().find(&all), names);
    }
}

#[test]
fn of_two_classes_of_one_name_the_first_in_the_file_counts() {
    let jars = Jars::new();
    let (_, bytes) = ClassWriter::new("a.A").implements("a.First").entry();
    let (_, other) = ClassWriter::new("a.A").implements("a.Second").entry();
    let noise: Vec<u8> = (0..700_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let jar = deflated(&[("z/A.class", &bytes), ("noise", &noise), ("a/A.class", &other)]);
    for _ in 0..20 {
        let found = classes(&jars.add("two.jar", &jar)).unwrap();
        assert_eq!(found.get("a.A").unwrap().interfaces, ["a.First"]);
    }
}

#[test]
fn a_damaged_class_is_found_wherever_it_lies() {
    use zip::CompressionMethod::{Deflated, Stored};
    for method in [Deflated, Stored] {
        let (bytes, names) = many_classes(2500, method, 0);
        let table = table(&bytes);
        assert_eq!(table.len(), names.len());
        for index in [0, 1333, 2499] {
            let (at, name) = (table[index], &names[index]);
            let entry = format!("entry `{}.class` is damaged", name.replace('.', "/"));
            // Another checksum; a length that is one more, and one that is one less.
            for (at, change) in [(at + 16, 1_u8), (at + 24, 1), (at + 24, 255)] {
                let mut damaged = bytes.clone();
                damaged[at] = damaged[at].wrapping_add(change);
                assert!(refusal(&damaged).contains(&entry), "{method:?} {name} {at} {change}: {}", refusal(&damaged));
            }
            let mut damaged = bytes.clone();
            damaged[number(&bytes, at + 42) + 30 + 13 + 60] ^= 0x55;
            assert!(refusal(&damaged).contains(&entry), "{method:?} {name}: {}", refusal(&damaged));
        }
    }
}

/// A jar that counts how many bytes are read of it.
struct Counting(Bytes, AtomicU64);

impl Source for Counting {
    fn window<'a>(&'a self, range: std::ops::Range<u64>, buffer: &'a mut Vec<u8>) -> std::io::Result<&'a [u8]> {
        let window = self.0.window(range, buffer)?;
        self.1.fetch_add(window.len() as u64, Ordering::Relaxed);
        Ok(window)
    }
}

#[test]
fn entries_that_lie_in_each_other_are_not_read_for_each_of_them() {
    let (mut bytes, names) = many_classes(3000, zip::CompressionMethod::Deflated, 0);
    let table = table(&bytes);
    let read = |bytes: &[u8]| {
        let archive = open_bytes(bytes.to_vec(), Path::new("o.jar")).unwrap();
        let source = Counting(Bytes::new(bytes.to_vec()), AtomicU64::new(0));
        let found = look_into(archive, &source, |_| true, |class| ClassFile::read(class).and_then(|file| file.name()));
        assert_eq!(found.unwrap(), names);
        source.1.into_inner()
    };
    let length = bytes.len() as u64;
    assert!((length / 2..length).contains(&read(&bytes)));
    // Each claims all that comes after it: with its neighbours, that would be read 1,500 times.
    for at in &table {
        let packed = table[0] - number(&bytes, at + 42) - 43;
        bytes[at + 20..at + 24].copy_from_slice(&u32::try_from(packed).unwrap().to_le_bytes());
    }
    assert!(read(&bytes) < length);
}

#[test]
fn what_leaves_the_jar_is_refused() {
    for name in ["../../etc/cron.d/x", "a/../../b", "..\\x"] {
        let bytes = deflated(&[(name, b"")]);
        assert!(refusal(&bytes).contains("leaves it"), "{name}");
    }
    let fine = deflated(&[("a..b/c...class", b"")]);
    assert_eq!(refusal(&fine), "");
}

#[test]
fn a_jar_that_is_cut_off_is_refused() {
    let whole = deflated(&[
        ("a/A.class", &ClassWriter::new("a.A").main().bytes()),
        ("META-INF/MANIFEST.MF", b"Main-Class: a.A\n"),
    ]);
    for length in 0..whole.len() {
        assert!(!refusal(&whole[..length]).is_empty(), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_make_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        ClassFile::read(&bytes);
        let mut class = 0xCAFE_BABE_u32.to_be_bytes().to_vec();
        class.extend(&bytes);
        ClassFile::read(&class);
    }

    #[test]
    fn a_damaged_class_file_never_makes_a_panic(at in 0_usize..600, byte in any::<u8>(), cut in 0_usize..600) {
        let mut bytes = ClassWriter::new("a.F")
            .implements("a.I")
            .annotated("a.X")
            .main()
            .text("factoryIdentifier", Gives::Constant("x".into()))
            .bytes();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        if let Some(file) = ClassFile::read(&bytes) {
            let _ = (file.name(), file.superclass(), file.interfaces(), file.annotations(), file.has_main());
            let _ = (file.text_of_method("factoryIdentifier"), file.text_of_field("IDENTIFIER"));
        }
    }

    #[test]
    fn a_damaged_jar_is_read_or_refused(at in 0_usize..4000, byte in any::<u8>()) {
        let mut bytes = deflated(&[
            ("a/A.class", &ClassWriter::new("a.A").main().bytes()),
            (FACTORIES, b"a.A\n"),
            ("lib/n.jar", &jar(&[ClassWriter::new("n.N")], &[])),
        ]);
        let length = bytes.len();
        bytes[at % length] = byte;
        refusal(&bytes);
    }
}
