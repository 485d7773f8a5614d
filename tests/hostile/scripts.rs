//! The scripts, each with the codes of which one has to be told.

/// A name, a script, codes.
type Hostile = (&'static str, &'static str, &'static [&'static str]);

const LIMIT: &[&str] = &["script.limit"];

const REFUSED: &[&str] = &["state.query_refused"];

const INVALID: &[&str] = &["state.query_invalid"];

const QUERY_LIMIT: &[&str] = &["state.query_limit"];

const ARGUMENT: &[&str] = &["argument.invalid"];

pub(crate) const SCRIPTS: &[Hostile] = &[
    // Endless computations.
    ("loop", "loop { }", LIMIT),
    ("while", "let x = 0; while true { x += 1; }", LIMIT),
    ("loop in a function", "fn f() { loop { } } f();", LIMIT),
    ("loop in a closure", "let f = || { loop { } }; f.call();", LIMIT),
    ("loop in map", "[1].map(|x| { loop { } });", LIMIT),
    ("loop in filter", "[1].filter(|x| { loop { } });", LIMIT),
    ("loop in reduce", "[1, 2].reduce(|a, b| { loop { } });", LIMIT),
    ("loop in for_each", "[1].for_each(|| { loop { } });", LIMIT),
    ("loop in sort", "let a = [3, 2, 1]; a.sort(|x, y| { loop { } });", LIMIT),
    ("loop in retain", "let a = [3, 2, 1]; a.retain(|x| { loop { } });", LIMIT),
    ("loop in some", "[1].some(|x| { loop { } });", LIMIT),
    ("loop in a step", "run::step(\"x\", || { loop { } });", LIMIT),
    ("loop in branches", "run::parallel([|| { loop { } }, || { loop { } }, || { loop { } }]);", LIMIT),
    ("loop in a try", "try { loop { } } catch { }", LIMIT),
    ("loop that catches", "loop { try { throw 1; } catch { } }", LIMIT),
    ("loop in a retry", "run::retry(#{ attempts: 9, delay: \"0ms\" }, || { loop { } });", LIMIT),
    ("loop in what is deferred", "run::defer(|| { loop { } });", LIMIT),
    ("loop in an import", "import \"lib/loop\" as l; l::forever();", LIMIT),
    ("loop at the top of an import", "import \"lib/top\" as l;", LIMIT),
    ("loop in options", "fn options() { loop { } #{} } print(1);", LIMIT),
    ("nested ranges", "for a in 0..1000000 { for b in 0..1000000 { } }", LIMIT),
    ("many calls of closures", "let f = |x| x; for i in 0..100000000 { f.call(i); }", LIMIT),
    (
        "map over map",
        "let a = []; for i in 0..1000 { a.push(i); } a.map(|x| a.map(|y| a.map(|z| x + y + z)));",
        &["script.limit", "script.failed"],
    ),
    // Depth.
    ("recursion", "fn f(x) { f(x + 1) } f(0);", LIMIT),
    ("mutual recursion", "fn f(x) { g(x) } fn g(x) { f(x) } f(0);", LIMIT),
    ("recursion through closures", "fn f(x) { [x].map(|y| f(y)) } f(0);", LIMIT),
    ("recursion in catch", "fn f(x) { try { throw 1; } catch { f(x); } } f(0);", LIMIT),
    ("a deep array", "let a = []; for i in 0..50000 { a = [a]; } print(a.len());", LIMIT),
    ("a deep map", "let m = #{}; for i in 0..50000 { m = #{ m: m }; } print(m.len());", LIMIT),
    ("a deep array printed", "let a = []; for i in 0..20000 { a = [a]; } print(a);", LIMIT),
    // Much of little.
    ("doubling a text", "let s = \"xxxxxxxxxxxxxxxx\"; loop { s += s; }", LIMIT),
    ("padding a text", "let s = \"\"; s.pad(1000000000, 'x');", LIMIT),
    ("texts in an array", "let s = \"\"; s.pad(1000000, 'x'); let a = []; loop { a.push(s + a.len()); }", LIMIT),
    (
        "texts in a map",
        "let s = \"\"; s.pad(1000000, 'x'); let m = #{}; let i = 0; loop { m[`k${i}`] = s + i; i += 1; }",
        LIMIT,
    ),
    ("keys of a map", "let m = #{}; let i = 0; loop { m[`a key that is not short at all ${i}`] = i; i += 1; }", LIMIT),
    ("doubling an array", "let a = [1, 2, 3, 4]; loop { a += a; }", LIMIT),
    ("pushing for ever", "let a = []; loop { a.push(1); }", LIMIT),
    ("padding an array", "let a = []; a.pad(100000000, \"x\");", LIMIT),
    ("arrays in arrays", "let a = [1]; loop { a = [a, a]; }", LIMIT),
    ("maps in maps", "let m = #{ a: 1 }; loop { m = #{ a: m, b: m }; }", LIMIT),
    ("a blob", "let b = blob(2000000000, 1);", LIMIT),
    ("doubling a blob", "let b = blob(1000, 1); loop { b += b; }", LIMIT),
    ("interpolation", "let s = \"x\"; loop { s = `${s}${s}${s}`; }", LIMIT),
    ("replacing", "let s = \"\"; s.pad(1000000, 'x'); let t = s; s.replace(\"x\", t);", LIMIT),
    ("replacing a character", "let s = \"\"; s.pad(1000000, 'x'); let t = s; s.replace('x', t);", LIMIT),
    ("splitting", "let s = \"\"; s.pad(10000000, ','); s.split(\",\");", LIMIT),
    ("splitting at nothing", "let s = \"\"; s.pad(10000000, ','); s.split(\"\");", LIMIT),
    ("characters", "let s = \"\"; s.pad(10000000, 'x'); s.to_chars();", LIMIT),
    ("JSON", "let s = \"\"; s.pad(8000000, '['); parse_json(s);", LIMIT),
    ("printing without end", "let s = \"\"; s.pad(100000, 'x'); loop { print(s); }", LIMIT),
    (
        "captures of closures",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; loop { let t = s + a.len(); a.push(|| t); }",
        LIMIT,
    ),
    (
        "copies in branches",
        "let a = []; for i in 0..50000 { a.push(`text ${i}`); } run::parallel_map(a, |x| { let b = a; b.push(x); b }, #{ max: 200 });",
        LIMIT,
    ),
    // Source.
    (
        "deep brackets",
        "let x = ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))));",
        LIMIT,
    ),
    ("not Rhai", "\u{0}\u{1}\u{2}", &["script.syntax"]),
    ("eval", "eval(\"loop {}\");", &["script.banned"]),
    (
        "a function by its name",
        "let f = Fn(\"eval\"); f.call(\"1\");",
        &["function.unknown", "script.banned", "script.failed"],
    ),
    ("sleeping", "sleep(1000000);", &["script.banned"]),
    ("sleeping by its name", "let f = Fn(\"sleep\"); f.call(1000000);", &["script.banned"]),
    ("leaving", "exit();", &["script.banned"]),
    ("a tag", "let x = 1; x.set_tag(5); print(x.tag); throw \"done\";", &["script.failed"]),
    ("a reserved name", "let thread = 1;", &["script.syntax"]),
    ("a namespace of ours", "import \"std/jobs\" as job; job::sql(\"a\", #{});", &["function.unknown"]),
    // Imports.
    ("a circle", "import \"lib/a\" as a;", &["script.import"]),
    ("itself", "import \"lib/self\" as a;", &["script.import"]),
    ("the script itself", "import \"it\" as a;", &["script.import"]),
    ("outside", "import \"../../secret\" as a;", &["script.import"]),
    ("absolute", "import \"/etc/passwd\" as a;", &["script.import"]),
    ("a link", "import \"lib/link\" as a;", &["script.import", "file.outside"]),
    ("a computed one", "let p = \"lib/\" + \"loop\"; import p as a;", &["script.syntax"]),
    ("an effect while importing", "import \"lib/effect\" as a;", &["effect.forbidden"]),
    // Files.
    ("a file outside", "files::read(\"../secret.rhai\");", &["file.outside"]),
    ("an absolute file", "files::read(\"/etc/passwd\");", &["capability.denied"]),
    ("a link in the path", "files::read(\"out/passwd\");", &["file.outside"]),
    ("listing outside", "files::list(\"../*\");", &["file.outside"]),
    ("a jar outside", "job::jar(\"a\", #{ jar: \"../x.jar\", main_class: \"X\" });", &["file.outside"]),
    // Templates.
    ("an endless template", "sql::render(\"endless.sql\");", &["template.invalid"]),
    ("a template in itself", "sql::render(\"recursive.sql\");", &["template.invalid"]),
    ("a macro in itself", "sql::render(\"macro.sql\");", &["template.invalid"]),
    ("a template outside", "sql::render(\"outside.sql\");", &["template.not_found", "file.outside"]),
    ("a linked template", "sql::render(\"link.sql\");", &["file.outside"]),
    ("a big template", "sql::render(\"big.sql\");", &["template.invalid", "script.limit"]),
    (
        "values of templates",
        "let s = \"\"; s.pad(10000000, 'x'); sql::render(\"endless.sql\", #{ s: s });",
        &["template.invalid"],
    ),
    // What is not granted.
    ("a program", "shell::run(\"id\");", &["capability.denied"]),
    ("a host", "http::get(\"http://127.0.0.1:1/\");", &["capability.denied"]),
    ("a post", "http::post(\"http://127.0.0.1:1/\", #{ body: \"x\" });", &["capability.denied"]),
    ("an odd address", "http::get(\"file:///etc/passwd\");", &["capability.denied", "argument.invalid"]),
    (
        "a secret in what is shown",
        "let s = env::secret(\"HOSTILE_SECRET\"); print(s); print(`${s}`); print([s, #{ a: s }]); debug(s); log::info(`${s}`); print(table::render([#{ a: \"x\" + s }])); throw \"done\";",
        &["script.failed", "argument.invalid"],
    ),
    ("a secret in an error", "throw \"it is \" + env::secret(\"HOSTILE_SECRET\");", &["script.failed"]),
    // The state.
    ("attaching", "state::query(\"ATTACH DATABASE 'x.db' AS x\");", REFUSED),
    ("vacuum into a file", "state::query(\"VACUUM INTO 'x.db'\");", INVALID),
    ("deleting", "state::query(\"DELETE FROM run_rows\");", REFUSED),
    ("a table behind the views", "state::query(\"SELECT * FROM content_rows\");", REFUSED),
    ("the schema", "state::query(\"SELECT * FROM sqlite_master\");", REFUSED),
    ("a pragma", "state::query(\"PRAGMA writable_schema = 1\");", REFUSED),
    ("an extension", "state::query(\"SELECT load_extension('x.so')\");", INVALID),
    ("a temporary table", "state::query(\"CREATE TEMP TABLE t (i)\");", REFUSED),
    (
        "endless rows",
        "state::query(\"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n\");",
        QUERY_LIMIT,
    ),
    (
        "endless counting",
        "state::query(\"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n\");",
        QUERY_LIMIT,
    ),
    ("a huge blob", "state::query(\"SELECT hex(zeroblob(900000000))\");", INVALID),
    ("two statements", "state::query(\"SELECT 1; DELETE FROM run_rows\");", REFUSED),
    ("a large value", "let s = \"\"; s.pad(3000000, 'x'); state::set(\"k\", s);", ARGUMENT),
    ("a long key", "let s = \"\"; s.pad(3000, 'x'); state::set(s, 1);", ARGUMENT),
];
