//! The reading of traces, against real answers.

use std::path::Path;

use super::*;

/// A captured answer, with the marker of the runner that was used then replaced by ours.
fn answer(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/flink-answers").join(format!("{name}.json"));
    ours(&std::fs::read_to_string(path).unwrap())
}

fn ours(text: &str) -> String {
    let mut parts = text.split("SQLRUNNER_STATEMENT_ERROR statement=");
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(" sql=<<").unwrap();
        whole.push_str(&format!("TIDEGATE_STATEMENT {number}{}", rest.split_once(">>").unwrap().1));
    }
    whole
}

/// The root cause on 1.20 and on 2.3 alike.
const ROOTS: &[(&str, &str)] = &[
    (
        "missingconn",
        "could not find any factory for identifier 'kafka' (available: blackhole, datagen, filesystem, print)",
    ),
    ("missingopt", "One or more required options are missing (missing: format, path)"),
    ("badopt", "Unsupported options found for 'blackhole' (unsupported: foo)"),
    ("syntax", "Non-query expression encountered in illegal context"),
    ("column", "Column 'idd' not found in any table"),
    ("notable", "Object 'nope' not found"),
    ("plan-bad", "Column 'idd' not found in any table"),
    ("wrongclass", "The program's entry point class 'no.such.Main' was not found in the jar file"),
    ("nojob", "No jobs included in application"),
    ("emptybody", "IllegalArgumentException: no SQL statement given"),
    (
        "badjobid",
        "Cannot parse JobID from \"my-job\". The expected format is [0-9a-fA-F]{32}, e.g. fd72014d4c864993a2e5a9287b4a9c5d",
    ),
    ("cpmiss", "class `ext.MyUpper` was not found"),
    ("ext-8", "Could not find a file system implementation for scheme 'http'"),
    (
        "savepointmissing",
        "Cannot find checkpoint or savepoint file/directory 'file:///lab/nope/savepoint-xyz' on file system 'file'",
    ),
    (
        "exc-initfailed",
        "Cannot find checkpoint or savepoint file/directory 'file:///lab/nope/savepoint-xyz' on file system 'file'",
    ),
    ("exc-noslots", "Could not acquire the minimum required resources"),
];

#[test]
fn the_main_mistakes_have_the_root_cause_that_a_reader_wants() {
    for (case, expected) in ROOTS {
        let new = expected.replace("filesystem, print", "filesystem, legacy-csv, print");
        assert_eq!(diagnose(&answer(&format!("{case}-h120"))).root_cause, *expected, "{case} on 1.20");
        assert_eq!(diagnose(&answer(&format!("{case}-h23"))).root_cause, new, "{case} on 2.3");
    }
    for (case, expected) in [
        ("old-col-h113", "Column 'idd' not found in any table"),
        ("old-dup-h115", "Job has already been submitted"),
        ("reusecanceled-h120", "Job has already been submitted"),
        ("reusecanceled-h23", "Application has already been submitted"),
        ("two-h120", "Cannot have more than one execute() or executeAsync() call in a single environment"),
        ("two-h23", "Cannot have more than 1 streaming jobs in a single environment"),
        ("pargs-h120", "IllegalStateException: boom in main()"),
        ("badjar-h120", "Jar file /lab/run/h120/upload/flink-web-upload/nope_x.jar does not exist"),
    ] {
        assert_eq!(diagnose(&answer(case)).root_cause, expected, "{case}");
    }
}

#[test]
fn every_captured_failure_has_a_cause_on_one_line() {
    let mut failures = 0;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/flink-answers");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_error = text.starts_with("{\"errors\"") || text.contains("\"stacktrace\"");
        if !is_error {
            continue;
        }
        failures += 1;
        let name = path.display();
        let found = diagnose(&ours(&text));
        let lines = found.chain.iter().chain([&found.root_cause]);
        for line in lines {
            assert!(!line.trim().is_empty(), "{name}: {found:?}");
            assert!(!line.contains('\n') && !line.contains("\tat "), "{name}: {line}");
            for noise in [
                "RestHandlerException",
                "CompletionException",
                "Could not execute application",
                "TIDEGATE_STATEMENT",
                "TIDEGATE_EXECUTE",
                "Table options",
            ] {
                assert!(!line.contains(noise), "{name}: {line}");
            }
        }
        assert_ne!(found.root_cause, "no cause was given", "{name}");
        assert!(found.chain.contains(&found.root_cause), "{name}: {found:?}");
        let mut sorted = found.chain.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), found.chain.len(), "{name}: {:?}", found.chain);
    }
    assert!(failures > 80, "only {failures} captured failures");
}

#[test]
fn kinds_places_and_hints_are_told() {
    for version in ["h120", "h23"] {
        let of = |case: &str| diagnose(&answer(&format!("{case}-{version}")));
        let column = of("column");
        assert_eq!((column.kind, column.statement, column.position), (Kind::SqlValidation, Some(3), Some((1, 23))));
        assert_eq!(column.exception, "org.apache.calcite.sql.validate.SqlValidatorException");
        let syntax = of("syntaxddl");
        assert_eq!((syntax.kind, syntax.statement, syntax.position), (Kind::SqlParse, Some(1), Some((1, 8))));
        assert!(
            syntax.root_cause.starts_with("Encountered \"TABEL\" at line 1, column 8 (expected one of: "),
            "{}",
            syntax.root_cause
        );
        let connector = of("missingconn");
        assert!(matches!(&connector.kind, Kind::MissingConnector { identifier, available }
            if identifier == "kafka" && available.contains(&"datagen".to_owned())));
        assert_eq!(connector.table.as_deref(), Some("default_catalog.default_database.k"));
        assert!(connector.hint.unwrap().contains("`org.apache.flink:flink-connector-kafka`"));
        let options = of("missingopt");
        assert_eq!(options.kind, Kind::MissingOptions { missing: vec!["format".to_owned(), "path".to_owned()] });
        assert_eq!(
            options.hint.as_deref(),
            Some("add `format` and `path` to the `WITH` options of table `default_catalog.default_database.k`")
        );
        assert!(matches!(of("badopt").kind, Kind::UnsupportedOptions { unsupported, supported }
            if unsupported == ["foo"] && supported.contains(&"connector".to_owned())));
        for (case, kind) in [
            ("reusecanceled", Kind::Duplicate),
            ("reusefailedinit", Kind::Duplicate),
            ("wrongclass", Kind::EntryClass),
            ("exc-noslots", Kind::NoSlots),
            ("savepointmissing", Kind::SavepointMissing),
            ("exc-initfailed", Kind::SavepointMissing),
            ("cpmiss", Kind::ClassNotFound),
            ("job2-exceptions", Kind::UserCode),
            ("job3-exceptions", Kind::UserCode),
            ("emptybody", Kind::UserCode),
            ("badjobid", Kind::Other),
            ("two", Kind::Other),
        ] {
            assert_eq!(of(case).kind, kind, "{case}");
        }
        let cast = of("job2-exceptions");
        assert!(cast.root_cause.starts_with("NumberFormatException: For input string: '"), "{}", cast.root_cause);
        assert_eq!(cast.exception, "java.lang.NumberFormatException");
    }
    assert_eq!(diagnose(&answer("rc3-h120")).kind, Kind::StateIncompatible);
    assert_eq!(diagnose(&answer("old-nest-h113")).kind, Kind::ClassVersion);
}

#[test]
fn the_chain_says_each_thing_once() {
    let found = diagnose(&answer("missingconn-h120"));
    assert_eq!(
        found.chain,
        [
            "Unable to create a sink for writing table 'default_catalog.default_database.k'",
            "Cannot discover a connector using option: 'connector'='kafka'",
            "could not find any factory for identifier 'kafka' (available: blackhole, datagen, filesystem, print)",
        ]
    );
    assert_eq!(diagnose(&answer("column-h23")).chain, ["Column 'idd' not found in any table"]);
    assert_eq!(diagnose(&answer("savepointmissing-h23")).chain.first().unwrap(), "Could not start the JobMaster");
}

/// Captured on 1.20, where the files of these cases hold only the chain.
#[test]
fn configuration_and_checkpoint_failures_say_what_was_configured() {
    let set = diagnose(
        "org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: Could not parse value 'abc' for key 'execution.checkpointing.interval'.\n\
         Caused by: java.lang.IllegalArgumentException: Could not parse value 'abc' for key 'execution.checkpointing.interval'.\n\
         Caused by: java.lang.NumberFormatException: text does not start with a number\n",
    );
    assert_eq!(set.root_cause, "Could not parse value 'abc' for key 'execution.checkpointing.interval'");
    let storage = diagnose(
        "org.apache.flink.runtime.client.JobInitializationException: Could not start the JobMaster.\n\
         Caused by: java.util.concurrent.CompletionException: org.apache.flink.util.FlinkRuntimeException: Failed to create checkpoint storage at checkpoint coordinator side.\n\
         Caused by: org.apache.flink.util.FlinkRuntimeException: Failed to create checkpoint storage at checkpoint coordinator side.\n\
         Caused by: java.io.IOException: Failed to create directory for shared state: file:/proc/nope/0ccc/shared\n",
    );
    assert_eq!(storage.kind, Kind::CheckpointStorage);
    assert_eq!(storage.root_cause, "Failed to create directory for shared state: file:/proc/nope/0ccc/shared");
    let sink = diagnose(
        "org.apache.flink.table.api.ValidationException: Column types of query result and sink for 'c.d.bh' do not match.\n\
         Cause: Incompatible types for sink column 'id' at position 0.\n\nQuery schema: [name: STRING]\nSink schema:  [id: INT]\n",
    );
    assert_eq!((sink.kind, sink.table.as_deref()), (Kind::SqlValidation, Some("c.d.bh")));
    assert!(sink.root_cause.contains("Incompatible types for sink column 'id' at position 0."), "{}", sink.root_cause);
}

#[test]
fn values_of_options_are_never_shown() {
    let found = diagnose(
        "org.apache.flink.table.api.ValidationException: Unable to create a sink for writing table 'a.b.c'.\n\nTable options are:\n\n\
         'connector'='jdbc'\n'password'='hunter2\nmore of hunter2'\n\
         Caused by: org.apache.flink.table.api.ValidationException: Could not parse value 'hunter2' for key 'password'.\n\
         Caused by: org.apache.flink.table.api.TableException: Could not execute CREATE TABLE: (catalogTable: [{options={password=hunter2}}])\n",
    );
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    assert!(found.root_cause.contains("for key 'password'"), "{}", found.root_cause);
}

#[test]
fn a_main_method_that_meets_a_duplicate_elsewhere_is_not_a_duplicate() {
    let found = diagnose(
        "x.MyException: org.apache.flink.runtime.client.DuplicateJobSubmissionException\n\
         Caused by: org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.\n\
         Caused by: java.lang.IllegalStateException: other\n",
    );
    assert_ne!(found.kind, Kind::Duplicate);
}

#[test]
fn nothing_at_all_is_said_plainly() {
    assert_eq!(diagnose("").root_cause, "no cause was given");
    assert_eq!(diagnose(&answer("job1-exceptions-h23")).root_cause, "no cause was given");
    assert_eq!(diagnose(r#"{"errors":[]}"#).root_cause, "no cause was given");
}

#[test]
fn the_missing_class_is_not_taken_for_the_exception() {
    for (wrapper, class) in [
        ("com.example.Ordres", "java.lang.ClassNotFoundException"),
        ("com/example/Ordres", "java.lang.NoClassDefFoundError"),
    ] {
        let trace = format!(
            "org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: {wrapper}\n\tat a.B.c(B.java:1)\n\
             Caused by: {class}: {wrapper}\n\tat java.base/java.net.URLClassLoader.findClass(Unknown Source)\n"
        );
        let diagnosis = diagnose(&trace);
        assert_eq!(diagnosis.root_cause, "class `com.example.Ordres` was not found");
        assert_eq!((diagnosis.exception.as_str(), &diagnosis.kind), (class, &Kind::ClassNotFound));
        assert_eq!(diagnosis.chain, std::slice::from_ref(&diagnosis.root_cause));
        assert_eq!(diagnosis.missing_class(), Some("com.example.Ordres"));
    }
    // A wrapper that repeats its cause still gives way to it.
    let wrapped =
        diagnose("java.lang.RuntimeException: java.lang.ClassNotFoundException: a.b.Foo\n\tat a.B.c(B.java:1)\n");
    assert_eq!(wrapped.root_cause, "class `a.b.Foo` was not found");
}

#[test]
fn a_class_for_a_newer_java_is_told_as_that() {
    let trace = "org.apache.flink.client.program.ProgramInvocationException: The program's entry point class 'com.acme.Main' could not be loaded due to a linkage failure.\n\
         \tat org.apache.flink.client.program.PackagedProgram.loadMainClass(PackagedProgram.java:520)\n\
         Caused by: java.lang.UnsupportedClassVersionError: com/acme/Main has been compiled by a more recent version of the Java Runtime (class file version 65.0), this version of the Java Runtime only recognizes class file versions up to 61.0\n\
         \tat java.base/java.lang.ClassLoader.defineClass1(Native Method)\n";
    let diagnosis = diagnose(trace);
    assert_eq!(diagnosis.kind, Kind::JavaTooOld { needs: 21, has: 17 });
    let hint = diagnosis.hint.unwrap();
    assert!(
        hint.contains("built for Java 21, and the cluster runs Java 17") && hint.contains("`--release 17`"),
        "{hint}"
    );
}
