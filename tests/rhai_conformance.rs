//! What Rhai 1.27.0 does with our settings and our resolver. An upgrade of Rhai shows here what it changes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rhai::{Dynamic, FuncRegistration, Map, Module, NativeCallContext, Position, Scope, Shared};
use tidegate::api::throw::{Fatal, Thrown, raise};
use tidegate::base::cancel::Cancel;
use tidegate::base::{Error, Result, code};
use tidegate::cli::report::render;
use tidegate::script::{Folder, Interpreter, Limits, Setup, Sources, functions, imports};

/// Scripts in memory: `std/` names are the embedded library.
#[derive(Default, Clone)]
struct Texts(BTreeMap<String, &'static str>);

impl Sources for Texts {
    fn load(&self, name: &str) -> Result<Option<String>> {
        Ok(self.0.get(name).map(|text| (*text).to_owned()))
    }

    fn std(&self, name: &str) -> Option<&'static str> {
        self.0.get(&format!("std/{name}")).copied()
    }
}

type Printed = Arc<Mutex<Vec<String>>>;

struct Bench {
    cancel: Cancel,
    fatal: Fatal,
    printed: Printed,
    interpreter: Interpreter,
}

fn limits() -> Limits {
    Limits { operations: 2_000_000, ..Limits::default() }
}

fn bench(sources: impl Sources + 'static, limits: Limits) -> Bench {
    let cancel = Cancel::default();
    let fatal = Fatal::default();
    let printed = Printed::default();
    let lines = printed.clone();
    let interpreter = Interpreter::new(Setup {
        modules: vec![("job".to_owned(), job(fatal.clone())), ("flink".to_owned(), flink())],
        global: Module::new().into(),
        sources: Arc::new(sources),
        cancel: cancel.clone(),
        fatal: fatal.clone(),
        limits,
        print: Box::new(move |text, source, position: Position| {
            lines.lock().unwrap().push(match position.line() {
                Some(line) => format!("{}:{line}: {text}", source.unwrap_or("?")),
                None => text.to_owned(),
            });
        }),
        tag: Dynamic::from("run 1"),
    });
    Bench { cancel, fatal, printed, interpreter }
}

#[derive(Clone)]
struct JobSpec;

fn job(fatal: Fatal) -> Shared<Module> {
    let mut module = Module::new();
    module.set_custom_type::<JobSpec>("JobSpec");
    FuncRegistration::new("sql")
        .with_params_info(["name: string", "options: map", "JobSpec"])
        .set_into_module(&mut module, |_name: &str, _options: Map| JobSpec);
    FuncRegistration::new("deploy")
        .with_namespace(rhai::FnNamespace::Global)
        .with_params_info(["spec: JobSpec", "string"])
        .set_into_module(&mut module, |_: &mut JobSpec| "r1".to_owned());
    FuncRegistration::new_getter("name")
        .with_namespace(rhai::FnNamespace::Global)
        .with_params_info(["spec: JobSpec", "string"])
        .set_into_module(&mut module, |_: &mut JobSpec| "orders".to_owned());
    FuncRegistration::new("tag")
        .with_params_info(["string"])
        .set_into_module(&mut module, |context: NativeCallContext| {
            context.tag().map(Dynamic::to_string).unwrap_or_default()
        });
    FuncRegistration::new("diverge").set_into_module(&mut module, move |context: NativeCallContext| -> Thrown<()> {
        Err(fatal.stop(context.call_position(), Error::new(&code::RUN_DIVERGED, "step 3 is another one")))
    });
    FuncRegistration::new("nested").set_into_module(&mut module, |depth: i64| {
        (0..depth).fold(Dynamic::from(1_i64), |value, _| Dynamic::from_array(vec![value]))
    });
    FuncRegistration::new("crash").set_into_module(&mut module, || -> i64 { panic!("the gear broke") });
    module.into()
}

fn flink() -> Shared<Module> {
    let mut module = Module::new();
    FuncRegistration::new("submit").with_params_info(["name: string", "string"]).set_into_module(
        &mut module,
        |context: NativeCallContext, name: &str| -> Thrown<String> {
            Err(raise(
                &context,
                Error::new(&code::FLINK_REFUSED, format!("the JobManager refused `{name}`"))
                    .caused_by("no main class")
                    .hint("check the jar's entry class")
                    .with("status", 400),
            ))
        },
    );
    FuncRegistration::new("run")
        .with_params_info(["f: function", "any"])
        .set_into_module(&mut module, |context: NativeCallContext, f: rhai::FnPtr| {
            f.call_within_context::<Dynamic>(&context, ())
        });
    module.into()
}

/// The value of `main.rhai` among the files.
fn run(files: &[(&str, &'static str)]) -> Result<Dynamic> {
    run_limited(files, limits())
}

fn run_limited(files: &[(&str, &'static str)], limits: Limits) -> Result<Dynamic> {
    let texts = Texts(files.iter().map(|(name, text)| ((*name).to_owned(), *text)).collect());
    let main = texts.0["main.rhai"];
    let bench = bench(texts, limits);
    let ast = bench.interpreter.compile("main.rhai", main)?;
    bench.interpreter.execute(&ast, &mut Scope::new())
}

fn main_of(text: &'static str) -> Result<Dynamic> {
    run(&[("main.rhai", text)])
}

fn int(result: Result<Dynamic>) -> i64 {
    result.map_err(|error| render(&error, false)).unwrap().as_int().unwrap()
}

fn text(result: Result<Dynamic>) -> String {
    result.map_err(|error| render(&error, false)).unwrap().to_string()
}

fn report(result: Result<Dynamic>) -> String {
    render(&result.map(|value| value.to_string()).unwrap_err(), false)
}

mod version_table {
    use super::*;

    #[test]
    fn a_closure_made_in_a_module_runs_outside() {
        let util = "const N = 40; fn helper(x) { x + global::N } fn make() { |x| helper(x) + 1 }";
        assert_eq!(int(run(&[("u.rhai", util), ("main.rhai", r#"import "u" as u; u::make().call(1)"#)])), 42);
    }

    #[test]
    fn a_closure_in_a_map_of_a_module_uses_private_functions() {
        let util = "private fn helper(x) { x * 2 } fn policy() { #{ on_fail: |x| helper(x) } }";
        let main = r#"import "u" as u; let p = u::policy(); p.on_fail.call(21)"#;
        assert_eq!(int(run(&[("u.rhai", util), ("main.rhai", main)])), 42);
        let main = r#"import "u" as u; let p = u::policy(); p.on_fail(21)"#;
        assert_eq!(int(run(&[("u.rhai", util), ("main.rhai", main)])), 42);
    }

    #[test]
    fn a_closure_of_a_module_that_was_imported_in_a_function_is_lost_loudly() {
        let util = "fn make() { |x| x + 1 }";
        let main = r#"fn f() { import "u" as u; u::make() } f().call(1)"#;
        let error = run(&[("u.rhai", util), ("main.rhai", main)]).unwrap_err();
        assert!(error.is(&code::FUNCTION_UNKNOWN), "{error:?}");
        insta::assert_snapshot!(render(&error, false), @r#"
        error[function.unknown]: the closure cannot be reached from here
         --> scripts/main.rhai:1:43
          |
        1 | fn f() { import "u" as u; u::make() } f().call(1)
          |                                           ^^^^
          |
          = hint: it was made by a file that a function imports: import that file at the top, and pass what it needs
        "#);
    }

    #[test]
    fn a_closure_of_a_module_reads_the_imports_of_its_module() {
        let files = [
            ("lib/deep.rhai", "fn two() { 2 }"),
            ("lib/u.rhai", r#"import "./deep" as deep; fn make() { || deep::two() }"#),
            ("main.rhai", r#"import "lib/u" as u; u::make().call()"#),
        ];
        assert_eq!(int(run(&files)), 2);
    }

    #[test]
    fn a_name_that_an_imported_file_has_too_is_refused_in_a_closure() {
        let util = "fn same(x) { 1 } fn apply(f) { f.call(1) }";
        let main = r#"import "u" as u;
fn same(x) { 42 }
u::apply(|x| same(x))"#;
        insta::assert_snapshot!(report(run(&[("u.rhai", util), ("main.rhai", main)])), @r"
        error[script.syntax]: a closure calls `same`, and the imported `scripts/u.rhai` has a function of that name too
         --> scripts/main.rhai:3:14
          |
        3 | u::apply(|x| same(x))
          |              ^^^^
          |
          = caused by: where `scripts/u.rhai` runs the closure, Rhai would call its `same` and not the one meant here
          = hint: give one of the two another name
        ");
        // Without the lint the module's function would have run: the closure alone is not refused.
        let util = "fn apply(f) { f.call(1) }";
        assert_eq!(int(run(&[("u.rhai", util), ("main.rhai", main)])), 42);
    }

    #[test]
    fn the_same_closure_at_the_same_place_of_two_files_is_refused() {
        let files = [
            ("a.rhai", "fn helper() { 1 } fn make() { || helper() }"),
            ("b.rhai", "fn helper() { 2 } fn make() { || helper() }"),
            ("main.rhai", r#"import "a" as a; import "b" as b; a::make().call()"#),
        ];
        insta::assert_snapshot!(report(run(&files)), @r#"
        error[script.syntax]: the same closure stands at the same line and column of `scripts/a.rhai`
         --> scripts/b.rhai:1:34
          |
        1 | fn helper() { 2 } fn make() { || helper() }
          |                                  ^^^^^^
          |
         ::: scripts/main.rhai:1:25
          |
        1 | import "a" as a; import "b" as b; a::make().call()
          |                         --- imported here
          |
          = caused by: Rhai names closures after their text and position, and would run one of the two for both
          = hint: move one of them to another line
        "#);
    }

    /// What the two lints guard against, in Rhai as it comes. Where this fails, Rhai has mended it and a lint can go.
    #[test]
    fn rhai_itself_takes_the_wrong_function_without_a_word() {
        let plain = |modules: &[(&str, &str)], main: &str| {
            let mut engine = rhai::Engine::new();
            let mut resolver = rhai::module_resolvers::StaticModuleResolver::new();
            for (name, text) in modules {
                let ast = engine.compile(text).unwrap();
                resolver.insert(*name, Module::eval_ast_as_new(Scope::new(), &ast, &engine).unwrap());
            }
            engine.set_module_resolver(resolver);
            engine.eval::<i64>(main)
        };
        let util = "fn same(x) { 1 } fn apply(f) { f.call(1) }";
        let main = r#"import "u" as u; fn same(x) { 42 } u::apply(|x| same(x))"#;
        assert_eq!(plain(&[("u", util)], main).unwrap(), 1);
        let error = plain(&[("u", "fn make() { |x| x }")], r#"import "u" as u; u::make().call(1)"#).unwrap_err();
        assert!(error.to_string().starts_with("Function not found: anon$"), "{error}");
        let names = |text: &str| {
            let ast = rhai::Engine::new().compile(text).unwrap();
            ast.iter_functions().map(|f| f.name.to_owned()).filter(|name| name.starts_with("anon$")).collect::<Vec<_>>()
        };
        let one = names("fn helper() { 1 } fn make() { || helper() }");
        assert_eq!((one.len(), one), (1, names("fn helper() { 2 } fn make() { || helper() }")));
    }

    #[test]
    fn an_error_in_a_main_closure_run_by_a_module_names_the_main_file() {
        let files = [
            ("u.rhai", "\n\n\nfn apply(f) { f.call(1) }"),
            ("main.rhai", "import \"u\" as u;\nu::apply(|x|\n  [][x])"),
        ];
        insta::assert_snapshot!(report(run(&files)), @r"
        error[script.failed]: array index 1 out of bounds: array is empty
         --> scripts/main.rhai:3:6
          |
        3 |   [][x])
          |      ^
          |
         ::: scripts/u.rhai:4:17
          |
        4 | fn apply(f) { f.call(1) }
          |                 ---- in call to a closure
          |
         ::: scripts/main.rhai:2:4
          |
        2 | u::apply(|x|
          |    ----- in call to `apply`
        ");
    }

    #[test]
    fn switch_on_a_captured_variable_finds_its_case() {
        assert_eq!(text(main_of(r#"let n = 2; let f = || n; switch n { 2 => "two", _ => "other" }"#)), "two");
    }

    #[test]
    fn a_switch_case_with_a_false_condition_falls_to_the_range() {
        assert_eq!(
            text(main_of(r#"let n = 5; switch n { 5 if false => "no", 0..9 => "range", _ => "other" }"#)),
            "range"
        );
    }

    #[test]
    fn arithmetic_errors_have_a_place() {
        for (script, column) in
            [("let x = 0;\n  100 / x", 7), ("let x = 9223372036854775807;\n x + 1", 4), ("let x = -1;\n 2 ** x", 4)]
        {
            let error = main_of(script).unwrap_err();
            assert_eq!((error.places()[0].line, error.places()[0].column), (2, column), "{error:?}");
        }
    }

    #[test]
    fn a_constant_map_cannot_be_changed_and_nothing_panics() {
        let error = main_of("const X = #{ a: 1 }; X.a = 2;").unwrap_err();
        assert!(error.is(&code::SCRIPT_FAILED), "{error:?}");
        let error = main_of("const X = #{ a: 1 }; X.a += 2;").unwrap_err();
        assert!(error.is(&code::SCRIPT_FAILED), "{error:?}");
    }
}

mod settings {
    use super::*;

    #[test]
    fn depths_are_the_same_in_debug_and_release() {
        assert_eq!(int(main_of("fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } f(60)")), 60);
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        let bench = bench(Texts::default(), limits());
        bench.interpreter.compile("a.rhai", &nested(30)).unwrap();
        let error = bench.interpreter.compile("a.rhai", &nested(5000)).unwrap_err();
        assert!(error.is(&code::SCRIPT_LIMIT), "{error:?}");
        let engine = bench.interpreter.engine();
        assert_eq!((engine.max_call_levels(), engine.max_expr_depth(), engine.max_function_expr_depth()), (64, 64, 64));
    }

    #[test]
    fn a_misspelt_key_is_an_error_and_asking_is_not() {
        insta::assert_snapshot!(report(main_of("let m = #{ kind: 1 };\nm.knid")), @r#"
        error[script.failed]: the map has no `knid`
         --> scripts/main.rhai:2:3
          |
        2 | m.knid
          |   ^^^^
          |
          = hint: `map.get("knid")` gives `()` where there is none
        "#);
        assert_eq!(int(main_of(r#"let m = #{}; if "a" in m { 1 } else { m.get("a") ?? 2 }"#)), 2);
        assert_eq!(int(main_of("let m = #{}; m.a = 1; m[\"b\"] = 2; m.a + m.b")), 3);
    }

    #[test]
    fn the_run_is_seen_from_everywhere_but_imports() {
        let files = [
            ("u.rhai", "let t = job::tag(); export t; fn tag() { job::tag() }"),
            (
                "main.rhai",
                r#"import "u" as u;
let all = [u::t, job::tag(), u::tag(), (|| job::tag()).call()];
all += [1].map(|x| job::tag());
all"#,
            ),
        ];
        assert_eq!(text(run(&files)), r#"["", "run 1", "run 1", "run 1", "run 1"]"#);
    }

    #[test]
    fn print_and_debug_come_out() {
        let bench = bench(Texts::default(), limits());
        let ast = bench.interpreter.compile("a.rhai", "print(\"x\");\ndebug(1);").unwrap();
        drop(bench.interpreter.execute(&ast, &mut Scope::new()).unwrap());
        assert_eq!(*bench.printed.lock().unwrap(), ["x", "scripts/a.rhai:2: 1"]);
    }

    #[test]
    fn a_function_is_called_with_the_imports_of_its_file() {
        let texts = Texts([("u.rhai".to_owned(), "fn two() { 2 }")].into());
        let bench = bench(texts, limits());
        let ast = bench
            .interpreter
            .compile("p.rhai", r#"import "u" as u; fn on_event(e, o) { e.n + u::two() + o }"#)
            .unwrap();
        let event = Dynamic::from_map([("n".into(), 1_i64.into())].into());
        let result = bench.interpreter.call(&ast, &mut Scope::new(), "on_event", vec![event, 39_i64.into()]);
        assert_eq!(int(result), 42);
    }

    #[test]
    fn functions_and_imports_are_listed() {
        let script = r#"import "lib/a" as a;
/// Says how.
///
/// More.
fn options() { #{} }
private fn on_event(event, options) { import "./b" as b; let f = |x| x; }"#;
        let texts = Texts([("lib/a.rhai".to_owned(), ""), ("b.rhai".to_owned(), "")].into());
        let bench = bench(texts, limits());
        let ast = bench.interpreter.compile("main.rhai", script).unwrap();
        let found: Vec<_> = imports(&ast).into_iter().map(|import| (import.path, import.position.line())).collect();
        assert_eq!(found, [("lib/a".to_owned(), Some(1)), ("./b".to_owned(), Some(6))]);
        let found: Vec<_> = functions(&ast, script)
            .into_iter()
            .map(|f| (f.name, f.parameters.join(","), f.private, f.documentation, f.line))
            .collect();
        assert_eq!(
            found,
            [
                ("options".to_owned(), String::new(), false, "Says how.\n\nMore.".to_owned(), 5),
                ("on_event".to_owned(), "event,options".to_owned(), true, String::new(), 6)
            ]
        );
        let names: Vec<_> = bench.interpreter.loaded().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["scripts/b.rhai", "scripts/lib/a.rhai", "scripts/main.rhai"]);
    }

    #[test]
    fn a_module_is_evaluated_once_a_run() {
        let files = [
            ("u.rhai", "print(\"loaded\"); fn one() { 1 }"),
            ("v.rhai", "import \"u\" as u; fn one() { u::one() }"),
            ("main.rhai", ""),
        ];
        let bench = bench(Texts(files.map(|(name, text)| (name.to_owned(), text)).into()), limits());
        let ast =
            bench.interpreter.compile("main.rhai", r#"import "u" as u; import "v" as v; u::one() + v::one()"#).unwrap();
        assert_eq!(int(bench.interpreter.execute(&ast, &mut Scope::new())), 2);
        assert_eq!(*bench.printed.lock().unwrap(), ["loaded"]);
    }

    #[test]
    fn the_embedded_library_imports_its_own() {
        let files = [
            ("std/policies/rate.rhai", r#"import "./base" as base; fn n() { base::n() + 1 }"#),
            ("std/policies/base.rhai", "fn n() { 1 }"),
            ("main.rhai", r#"import "std/policies/rate" as rate; rate::n()"#),
        ];
        assert_eq!(int(run(&files)), 2);
    }

    #[test]
    fn an_import_in_a_function_of_a_module_counts_from_the_module() {
        let files = [
            ("lib/u.rhai", r#"fn two() { import "./deep" as d; d::two() }"#),
            ("lib/deep.rhai", "fn two() { 2 }"),
            ("main.rhai", r#"import "lib/u" as u; u::two()"#),
        ];
        assert_eq!(int(run(&files)), 2);
    }

    #[test]
    fn a_scope_keeps_its_variables_from_one_input_to_the_next() {
        let bench = bench(Texts::default(), limits());
        let mut scope = Scope::new();
        scope.push("given", 1_i64);
        let engine = &bench.interpreter;
        let ast = engine.compile_with_scope("<shell>", "let x = given + 1;", &scope).unwrap();
        drop(engine.execute(&ast, &mut scope).unwrap());
        let ast = engine.compile_with_scope("<shell>", "x + given", &scope).unwrap();
        assert_eq!(int(engine.execute(&ast, &mut scope)), 3);
    }
}

/// What the documentation tells authors of scripts.
mod pitfalls {
    use super::*;

    #[test]
    fn some_methods_change_in_place_and_give_nothing() {
        assert_eq!(text(main_of(r#"let s = " a "; let t = s.trim(); `${s}|${t}|${type_of(t)}`"#)), "a||()");
        assert_eq!(text(main_of(r#"let s = "a"; let t = s.to_upper(); s + t"#)), "aA");
        assert_eq!(text(main_of("let a = [2, 1]; let b = a.sort(); `${a}${b}`")), "[1, 2]");
    }

    #[test]
    fn values_are_copied_and_closures_capture_by_reference() {
        assert_eq!(text(main_of("let a = #{ n: 1 }; let b = a; b.n = 2; `${a.n}${b.n}`")), "12");
        assert_eq!(text(main_of("let fs = []; for i in 0..3 { fs.push(|| i); } fs.map(|f| f.call())")), "[2, 2, 2]");
        assert_eq!(int(main_of("let n = 1; let f = || n += 1; f.call(); n")), 2);
    }

    #[test]
    fn functions_see_constants_only_through_global() {
        assert_eq!(int(main_of("const X = 42; fn f() { global::X } f()")), 42);
        insta::assert_snapshot!(report(main_of("const X = 42;\nfn f() { X }\nf()")), @r"
        error[script.syntax]: no variable `X`
         --> scripts/main.rhai:2:10
          |
        2 | fn f() { X }
          |          ^
          |
          = hint: functions see their parameters only: pass it, or make it a `const` and read `global::NAME`
        ");
    }

    #[test]
    fn numbers_and_texts() {
        assert_eq!(int(main_of("10 / 4")), 2);
        assert_eq!(text(main_of(r#""3" + 4 * 2"#)), "38");
        assert_eq!(text(main_of(r#"[1 == 1.0, "1" == 1]"#)), "[true, false]");
        assert_eq!(text(main_of("`a${()}b`")), "ab");
        assert_eq!(text(main_of(r#""abc"[0..2]"#)), "ab");
        assert_eq!(text(main_of("[1, 2, 3].extract(0..2)")), "[1, 2]");
        assert!(main_of("[1, 2, 3][0..2]").is_err());
    }

    #[test]
    fn loops_over_maps_and_with_counters() {
        assert_eq!(text(main_of("let m = #{ b: 2, a: 1 }; let t = \"\"; for k in m.keys() { t += k; } t")), "ab");
        assert_eq!(text(main_of("let t = \"\"; for (x, i) in [\"a\", \"b\"] { t += `${i}${x}`; } t")), "0a1b");
        insta::assert_snapshot!(report(main_of("for x in #{ a: 1 } { }")), @r"
        error[script.syntax]: expecting an iterable value, not an object map
         --> scripts/main.rhai:1:10
          |
        1 | for x in #{ a: 1 } { }
          |          ^
          |
          = hint: arrays, ranges, texts; of a map, `map.keys()`
        ");
    }

    #[test]
    fn an_empty_value_is_no_condition() {
        insta::assert_snapshot!(report(main_of("if () { 1 }")), @r"
        error[script.syntax]: expecting a boolean expression, not ()
         --> scripts/main.rhai:1:4
          |
        1 | if () { 1 }
          |    ^
        ");
        insta::assert_snapshot!(report(main_of("let r = try { 1 } catch { 2 };")), @r"
        error[script.syntax]: unexpected `try`
         --> scripts/main.rhai:1:9
          |
        1 | let r = try { 1 } catch { 2 };
          |         ^^^
          |
          = hint: `try` is a statement and gives no value: `return` from it in a function
        ");
    }

    #[test]
    fn reserved_words_are_explained() {
        for (script, hint) in [
            ("let x = #{ default: 1 };", "quote it as a key"),
            ("let match = 1;", "switch"),
            ("let m = #{}; m.default", "quote it as a key"),
            ("flink::new()", "without `new`"),
            ("let x = null;", "`()`"),
            ("var x = 1;", "`let`"),
            ("fn sync() { }", "reserved"),
        ] {
            let error = main_of(script).unwrap_err();
            assert!(error.is(&code::SCRIPT_SYNTAX), "{script}: {error:?}");
            assert!(
                error.hint_text().unwrap_or_default().contains(hint),
                "{script}: {error:?} {:?}",
                error.hint_text()
            );
        }
        assert_eq!(int(main_of(r#"let m = #{ "default": 1 }; m["default"]"#)), 1);
    }

    #[test]
    fn increments_do_not_exist() {
        insta::assert_snapshot!(report(main_of("let x = 1;\nx++;")), @r"
        error[script.syntax]: `++` is no operator of Rhai
         --> scripts/main.rhai:2:2
          |
        2 | x++;
          |  ^
          |
          = hint: use `x += 1` and `x -= 1`
        ");
    }
}

mod catching {
    use super::*;

    #[test]
    fn host_errors() {
        let script = r#"let r = []; try { flink::submit("x") } catch (e) {
    r = [e.code, e.message, e.hint, e.data.status, e.causes, `${e}`];
} r"#;
        insta::assert_snapshot!(text(main_of(script)), @r#"["flink.refused", "the JobManager refused `x`", "check the jar's entry class", 400, ["no main class"], "the JobManager refused `x`"]"#);
    }

    #[test]
    fn texts_maps_and_errors_of_rhai() {
        let caught = |body: &'static str| {
            let script = format!("let r = []; try {{ {body} }} catch (e) {{ r = [e.code, e.message]; }} r");
            text(main_of(Box::leak(script.into_boxed_str())))
        };
        assert_eq!(caught("throw \"no\""), r#"["script.failed", "no"]"#);
        assert_eq!(caught("throw #{ code: \"orders.stale\", message: \"old\" }"), r#"["orders.stale", "old"]"#);
        assert_eq!(caught("submitt(1)"), r#"["function.unknown", "no function `submitt`"]"#);
        assert_eq!(caught("1 / 0"), r#"["script.failed", "division by zero: 1 / 0"]"#);
        assert_eq!(caught("#{}.x"), r#"["script.failed", "property not found: x"]"#);
        assert_eq!(caught("timestamp()"), r#"["script.banned", "`timestamp` is not available in scripts"]"#);
    }

    #[test]
    fn rhai_errors_have_the_same_properties_in_functions_and_closures() {
        let script = r#"fn ask() { try { nothing(1); } catch (err) { return [err.code, err.hint, err.data, err.causes, err.line]; } }
let r = ask();
try { [][1]; } catch (e) { r += [1].map(|x| e.code); }
r"#;
        assert_eq!(text(main_of(script)), r#"["function.unknown", (), #{}, [], 1, "script.failed"]"#);
    }

    #[test]
    fn a_thrown_map_is_caught_with_all_that_an_error_has() {
        let script = r#"fn stale() { throw #{ code: "orders.stale", message: "old" }; }
let r = [];
try { stale(); } catch (e) { r += [e.code, e.hint, e.causes, e.data]; }
try { try { stale(); } catch (e) { e.hint = "look"; throw e; } } catch (again) { r += [again.hint, again.data]; }
try { stale(); } catch (e) { r += [1].map(|x| e.causes); }
let own = #{ code: "orders.stale", message: "no error" };
r += [own.len()];
r"#;
        assert_eq!(text(main_of(script)), r#"["orders.stale", (), [], #{}, "look", #{}, [], 2]"#);
    }

    #[test]
    fn a_map_that_was_caught_and_thrown_again_is_shown_as_it_was_thrown() {
        let thrown = "throw #{ code: \"orders.stale\", message: \"old\" };";
        let again = format!("try {{ {thrown} }} catch (e) {{ if e.hint == () {{ throw e; }} }}");
        let error = main_of(Box::leak(again.into_boxed_str())).unwrap_err();
        assert_eq!((error.code_name(), error.hint_text(), error.data().len()), ("orders.stale", None, 0));
    }

    #[test]
    fn a_thrown_map_needs_what_a_catch_reads() {
        insta::assert_snapshot!(report(main_of("throw #{ reason: 1 };")), @r"
        error[script.syntax]: a thrown map needs `code` and `message`
         --> scripts/main.rhai:1:1
          |
        1 | throw #{ reason: 1 };
          | ^^^^^
          |
          = hint: errors have `code` and `message`, so that every `catch` can read them
        ");
    }

    #[test]
    fn an_error_thrown_again_keeps_its_first_place() {
        let script = r#"fn f() { flink::submit("x") }
try { f() } catch (e) {
    throw e;
}"#;
        insta::assert_snapshot!(report(main_of(script)), @r#"
        error[flink.refused]: the JobManager refused `x`
         --> scripts/main.rhai:1:17
          |
        1 | fn f() { flink::submit("x") }
          |                 ^^^^^^
          |
         ::: scripts/main.rhai:3:5
          |
        3 |     throw e;
          |     ----- thrown again here
          |
          = caused by: no main class
          = hint: check the jar's entry class
        "#);
        let script = "try { f() } catch (e) {\n    throw e;\n}";
        insta::assert_snapshot!(report(main_of(script)), @r"
        error[function.unknown]: no function `f`
         --> scripts/main.rhai:2:5
          |
        2 |     throw e;
          |     ^^^^^
        ");
    }

    #[test]
    fn what_cannot_be_caught() {
        for script in [
            "try { loop { } } catch (e) { 1 }",
            "try { job::diverge() } catch (e) { 1 }",
            "fn f() { f() } try { f() } catch (e) { 1 }",
            r#"let s = "x"; try { loop { s += s; } } catch (e) { 1 }"#,
        ] {
            assert!(main_of(script).is_err(), "{script}");
        }
    }
}

mod diagnostics {
    use super::*;

    #[test]
    fn a_syntax_error() {
        insta::assert_snapshot!(report(main_of("let x = 1\nlet y = 2;")), @r"
        error[script.syntax]: expecting `;` to terminate this statement
         --> scripts/main.rhai:2:1
          |
        2 | let y = 2;
          | ^^^
          |
          = hint: the statement before has no `;` at its end
        ");
        insta::assert_snapshot!(report(main_of("fn f() {\n  1")), @r"
        error[script.syntax]: expecting `;` to terminate this statement
         --> scripts/main.rhai:2:4
          |
        2 |   1
          |    ^
        ");
        insta::assert_snapshot!(report(main_of("let x = \"abc;\n1")), @r#"
        error[script.syntax]: open string is not terminated
         --> scripts/main.rhai:1:9
          |
        1 | let x = "abc;
          |         ^
        "#);
    }

    #[test]
    fn a_syntax_error_in_an_imported_file() {
        let files = [("u.rhai", "\nfn f( { }"), ("main.rhai", "import \"u\" as u;")];
        insta::assert_snapshot!(report(run(&files)), @r#"
        error[script.syntax]: expecting `)` to close the parameters list of function `f`
         --> scripts/u.rhai:2:7
          |
        2 | fn f( { }
          |       ^
          |
         ::: scripts/main.rhai:1:8
          |
        1 | import "u" as u;
          |        --- imported here
        "#);
    }

    #[test]
    fn an_unknown_function() {
        insta::assert_snapshot!(report(main_of("let spec = job::sqll(\"orders\", #{});")), @r#"
        error[function.unknown]: no function `job::sqll`
         --> scripts/main.rhai:1:17
          |
        1 | let spec = job::sqll("orders", #{});
          |                 ^^^^
          |
          = hint: did you mean `job::sql`?
        "#);
        insta::assert_snapshot!(report(main_of("let spec = job::sql(\"orders\", #{});\nspec.deplyo();")), @r"
        error[function.unknown]: no function `deplyo`
         --> scripts/main.rhai:2:6
          |
        2 | spec.deplyo();
          |      ^^^^^^
          |
          = hint: did you mean `deploy`?
        ");
        insta::assert_snapshot!(report(main_of("fn restart_all(x) { }\nrestrat_all(1);")), @r"
        error[function.unknown]: no function `restrat_all`
         --> scripts/main.rhai:2:1
          |
        2 | restrat_all(1);
          | ^^^^^^^^^^^
          |
          = hint: did you mean `restart_all`?
        ");
        insta::assert_snapshot!(report(main_of("sql(\"x\", #{})")), @r#"
        error[function.unknown]: `sql` does not take a string and a map
         --> scripts/main.rhai:1:1
          |
        1 | sql("x", #{})
          | ^^^
          |
          = hint: there is `job::sql(name: string, options: map)`
        "#);
        insta::assert_snapshot!(report(main_of("flnk::submit(1)")), @r"
        error[function.unknown]: no namespace `flnk`
         --> scripts/main.rhai:1:1
          |
        1 | flnk::submit(1)
          | ^^^^^^^^^^^^
          |
          = hint: did you mean `flink`?
        ");
        insta::assert_snapshot!(report(main_of("job::sql(\"orders\", #{}).nam")), @r#"
        error[script.failed]: a JobSpec has no property `nam`
         --> scripts/main.rhai:1:25
          |
        1 | job::sql("orders", #{}).nam
          |                         ^^^
          |
          = hint: did you mean `name`?
        "#);
    }

    #[test]
    fn a_wrong_type() {
        insta::assert_snapshot!(report(main_of("job::sql(\"orders\", 3)")), @r#"
        error[function.unknown]: `job::sql` does not take a string and an integer
         --> scripts/main.rhai:1:6
          |
        1 | job::sql("orders", 3)
          |      ^^^
          |
          = hint: there is `job::sql(name: string, options: map)`
        "#);
        insta::assert_snapshot!(report(main_of("#{} + 1")), @r"
        error[function.unknown]: `+` does not work on a map and an integer
         --> scripts/main.rhai:1:5
          |
        1 | #{} + 1
          |     ^
        ");
        insta::assert_snapshot!(report(main_of("let x = [1];\nx[\"a\"]")), @r#"
        error[script.failed]: an integer was expected here, not a string
         --> scripts/main.rhai:2:3
          |
        2 | x["a"]
          |   ^^^
        "#);
    }

    #[test]
    fn calls_over_two_files() {
        let files = [
            ("lib/util.rhai", "// helpers\nfn boom(n) {\n    flink::submit(`job ${n}`)\n}"),
            (
                "main.rhai",
                "import \"lib/util\" as u;\nfn deploy(n) {\n    u::boom(n)\n}\n[21].for_each(|| deploy(this));",
            ),
        ];
        insta::assert_snapshot!(report(run(&files)), @r"
        error[flink.refused]: the JobManager refused `job 21`
         --> scripts/lib/util.rhai:3:12
          |
        3 |     flink::submit(`job ${n}`)
          |            ^^^^^^
          |
         ::: scripts/main.rhai:3:8
          |
        3 |     u::boom(n)
          |        ---- in call to `boom`
          |
         ::: scripts/main.rhai:5:18
          |
        5 | [21].for_each(|| deploy(this));
          |                  ------ in call to `deploy`
          |
         ::: scripts/main.rhai:5:6
          |
        5 | [21].for_each(|| deploy(this));
          |      -------- in call to `for_each`
          |
          = caused by: no main class
          = hint: check the jar's entry class
        ");
    }

    #[test]
    fn a_closure_of_a_module() {
        let files = [
            ("lib/util.rhai", "private fn check(n) {\n    throw `bad ${n}`\n}\nfn make() {\n    |n| check(n)\n}"),
            ("main.rhai", "import \"lib/util\" as u;\nlet f = u::make();\nf.call(21);"),
        ];
        insta::assert_snapshot!(report(run(&files)), @r"
        error[script.failed]: bad 21
         --> scripts/lib/util.rhai:2:5
          |
        2 |     throw `bad ${n}`
          |     ^^^^^
          |
         ::: scripts/lib/util.rhai:5:9
          |
        5 |     |n| check(n)
          |         ----- in call to `check`
          |
         ::: scripts/main.rhai:3:3
          |
        3 | f.call(21);
          |   ---- in call to a closure
        ");
    }

    #[test]
    fn thrown_texts_and_maps() {
        insta::assert_snapshot!(report(main_of("throw \"not today\";")), @r#"
        error[script.failed]: not today
         --> scripts/main.rhai:1:1
          |
        1 | throw "not today";
          | ^^^^^
        "#);
        insta::assert_snapshot!(
            report(main_of("throw #{ code: \"orders.stale\", message: \"data is old\", hint: \"reload\", causes: [\"lag\"] };")),
            @r#"
        error[orders.stale]: data is old
         --> scripts/main.rhai:1:1
          |
        1 | throw #{ code: "orders.stale", message: "data is old", hint: "reload", causes: ["lag"] };
          | ^^^^^
          |
          = caused by: lag
          = hint: reload
        "#
        );
        insta::assert_snapshot!(report(main_of("throw;")), @r"
        error[script.failed]: the script raised an error without a text
         --> scripts/main.rhai:1:1
          |
        1 | throw;
          | ^^^^^
        ");
        let error = main_of("throw #{ code: \"flink.refused\", message: \"m\", age: 3 };").unwrap_err();
        assert!(error.is(&code::FLINK_REFUSED) && error.data()["age"] == 3, "{:?}", error.data());
    }

    #[test]
    fn a_function_that_is_not_for_scripts() {
        insta::assert_snapshot!(report(main_of("eval(\"1\")")), @r#"
        error[script.banned]: `eval` is not available in scripts
         --> scripts/main.rhai:1:1
          |
        1 | eval("1")
          | ^^^^
          |
          = hint: write the code into a function, or into a file and `import` it: a run pins every text before it starts
        "#);
        insta::assert_snapshot!(report(main_of("let t = timestamp();")), @r"
        error[script.banned]: `timestamp` is not available in scripts
         --> scripts/main.rhai:1:9
          |
        1 | let t = timestamp();
          |         ^^^^^^^^^
          |
          = hint: use `time::now()`, which is recorded and so the same on replay
        ");
        for script in ["sleep(1)", "sleep(0.5)", "sleep(\"1s\")", "exit()", "exit(1)"] {
            assert!(main_of(script).unwrap_err().is(&code::SCRIPT_BANNED), "{script}");
        }
    }

    #[test]
    fn a_host_function_that_panics() {
        let error = main_of("let x = 1;\njob::crash()").unwrap_err();
        insta::assert_snapshot!(render(&error, false), @r"
        error[script.panic]: a host function crashed
        caused by: the gear broke
        hint: nothing was lost: the run can be resumed; please report this with the output under --verbose
        ");
        assert!(error.detail_text().unwrap().contains("rhai_conformance.rs"), "{:?}", error.detail_text());
    }

    #[test]
    fn a_fatal_error_is_the_hosts_own() {
        insta::assert_snapshot!(report(main_of("fn f() {\n  job::diverge()\n}\ntry { f() } catch { }")), @r"
        error[run.diverged]: step 3 is another one
         --> scripts/main.rhai:4:7
          |
        4 | try { f() } catch { }
          |       ^
        ");
        let bench = bench(Texts::default(), limits());
        let ast = bench.interpreter.compile("a.rhai", "loop { }").unwrap();
        drop(bench.fatal.stop(Position::NONE, Error::new(&code::RUN_SUPERSEDED, "another process went on")));
        assert!(bench.interpreter.execute(&ast, &mut Scope::new()).unwrap_err().is(&code::RUN_SUPERSEDED));
    }
}

mod imports_stay_inside {
    use super::*;

    #[test]
    fn a_circle() {
        let files = [
            ("a.rhai", "import \"b\" as b;"),
            ("b.rhai", "\nimport \"./a\" as a;"),
            ("main.rhai", "import \"a\" as a;"),
        ];
        insta::assert_snapshot!(report(run(&files)), @r#"
        error[script.import]: import circle: a.rhai -> b.rhai -> a.rhai
         --> scripts/b.rhai:2:8
          |
        2 | import "./a" as a;
          |        ^^^^^
          |
          = hint: move what both need into a third file
        "#);
        assert!(
            run(&[("main.rhai", "import \"main\" as m;")]).unwrap_err().message().ends_with("main.rhai -> main.rhai")
        );
    }

    #[test]
    fn a_path_that_leaves() {
        insta::assert_snapshot!(report(main_of("import \"../secret\" as s;")), @r#"
        error[script.import]: import of `../secret` leaves `scripts/`
         --> scripts/main.rhai:1:8
          |
        1 | import "../secret" as s;
          |        ^^^^^^^^^^^
          |
          = hint: paths count from `scripts/` (`"lib/util"`) or from this file (`"./util"`); `std/...` is tidegate's own library
        "#);
        insta::assert_snapshot!(report(main_of("import \"/etc/passwd\" as s;")), @r#"
        error[script.import]: import of `/etc/passwd` is an absolute path, or not a path of this workspace
         --> scripts/main.rhai:1:8
          |
        1 | import "/etc/passwd" as s;
          |        ^^^^^^^^^^^^^
          |
          = hint: paths count from `scripts/` (`"lib/util"`) or from this file (`"./util"`); `std/...` is tidegate's own library
        "#);
    }

    #[test]
    fn a_file_that_is_not_there_and_a_path_that_is_no_literal() {
        insta::assert_snapshot!(report(main_of("import \"scripts/lib/u\" as u;")), @r#"
        error[script.import]: there is no `scripts/scripts/lib/u.rhai`
         --> scripts/main.rhai:1:8
          |
        1 | import "scripts/lib/u" as u;
          |        ^^^^^^^^^^^^^^^
          |
          = hint: paths count from `scripts/` already: leave it out
        "#);
        insta::assert_snapshot!(report(main_of("import \"lib/u\" as u;")), @r#"
        error[script.import]: there is no `scripts/lib/u.rhai`
         --> scripts/main.rhai:1:8
          |
        1 | import "lib/u" as u;
          |        ^^^^^^^
          |
          = hint: paths count from `scripts/`; `./` in front makes them count from this file
        "#);
        insta::assert_snapshot!(report(main_of("let p = \"u\";\nimport p as u;")), @r"
        error[script.syntax]: an import needs its path as a text in quotes
         --> scripts/main.rhai:2:8
          |
        2 | import p as u;
          |        ^
          |
          = hint: a run pins everything that it imports before it starts
        ");
        assert!(run(&[("main.rhai", "let f = || { import \"u\" as u; };"), ("u.rhai", "")]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_on_disk_and_links_out_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("scripts");
        std::fs::create_dir_all(root.join("lib")).unwrap();
        std::fs::write(dir.path().join("secret.rhai"), "fn s() { 1 }").unwrap();
        std::fs::write(root.join("lib/u.rhai"), "fn two() { 2 }").unwrap();
        std::fs::write(root.join("large.rhai"), "// ".repeat(400_000)).unwrap();
        std::fs::write(root.join("binary.rhai"), [0xff, 0xfe]).unwrap();
        std::os::unix::fs::symlink("../secret.rhai", root.join("leak.rhai")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        std::os::unix::fs::symlink("lib/u.rhai", root.join("inner.rhai")).unwrap();
        let bench = bench(Folder { root }, limits());
        let result = |import: &str| {
            let ast = bench.interpreter.compile("main.rhai", &format!("import \"{import}\" as m; m::two()"))?;
            bench.interpreter.execute(&ast, &mut Scope::new())
        };
        assert_eq!(int(result("lib/u")), 2);
        assert_eq!(int(result("inner")), 2);
        for (path, expected) in [
            ("leak", &code::SCRIPT_IMPORT),
            ("up/secret", &code::SCRIPT_IMPORT),
            ("large", &code::SCRIPT_IMPORT),
            ("lib", &code::SCRIPT_IMPORT),
            ("missing", &code::SCRIPT_IMPORT),
            ("binary", &code::FILE_INVALID),
        ] {
            let error = result(path).unwrap_err();
            assert!(error.is(expected) && error.places()[0].file == "scripts/main.rhai", "{path}: {error:?}");
        }
    }
}

mod limits_hold {
    use super::*;

    #[test]
    fn endless_loops_by_operations_whoever_calls() {
        let small = Limits { operations: 10_000, ..limits() };
        insta::assert_snapshot!(report(run_limited(&[("main.rhai", "let x = 1;\nloop { x = 2; }")], small.clone())), @r#"
        error[script.limit]: the script ran 10000 operations and was not done
         --> scripts/main.rhai:2:12
          |
        2 | loop { x = 2; }
          |            ^
          |
          = hint: a loop without end? to wait, use `wait_for` or `time::sleep("1s")`; `limits: { operations: ... }` in tidegate.yaml allows more
        "#);
        // Rhai's own count starts anew in every closure that a native function calls.
        let script = "let a = []; a.pad(1000, 0); loop { a.map(|x| x + 1); }";
        let error = run_limited(&[("main.rhai", script)], small.clone()).unwrap_err();
        assert!(error.is(&code::SCRIPT_LIMIT), "{error:?}");
        let script = "loop { try { throw 1; } catch { } }";
        assert!(run_limited(&[("main.rhai", script)], small).unwrap_err().is(&code::SCRIPT_LIMIT));
    }

    #[test]
    fn deep_recursion() {
        insta::assert_snapshot!(report(main_of("fn f(n) {\n  f(n + 1)\n}\nf(0)")), @r"
        error[script.limit]: more than 64 functions call each other
         --> scripts/main.rhai:4:1
          |
        4 | f(0)
          | ^
          |
          = hint: a recursion without end? use a loop
        ");
        assert!(main_of("fn f(n) { [n].map(|x| f(x)) } f(0)").unwrap_err().is(&code::SCRIPT_LIMIT));
    }

    #[test]
    fn growing_texts_arrays_and_maps() {
        insta::assert_snapshot!(report(main_of("let s = \"x\";\nloop { s += s; }")), @r"
        error[script.limit]: a string grew beyond 16777216 bytes
         --> scripts/main.rhai:2:10
          |
        2 | loop { s += s; }
          |          ^
        ");
        insta::assert_snapshot!(report(main_of("let a = [1];\nloop { a += a; }")), @r"
        error[script.limit]: an array grew beyond 100000 items, those of nested arrays included
         --> scripts/main.rhai:2:10
          |
        2 | loop { a += a; }
          |          ^
        ");
        let error = main_of("let a = []; a.pad(1000000, 0);").unwrap_err();
        assert!(error.is(&code::SCRIPT_LIMIT), "{error:?}");
    }

    #[test]
    fn arrays_in_arrays_do_not_end_the_process() {
        // `a = [a]` copies and measures, so that a script needs a minute for what the host builds at once.
        for script in [
            "job::nested(20000)",
            "let a = job::nested(20000); a = [a]; 1",
            "let a = job::nested(20000); a = #{ a: a }; `${a}`.len()",
            "let a = job::nested(10000); a == job::nested(10000)",
            "throw job::nested(20000)",
            "let a = []; for i in 0..1000 { a = [a]; } a",
        ] {
            assert!(run(&[("main.rhai", Box::leak(script.to_owned().into_boxed_str()))]).is_err(), "{script}");
        }
        insta::assert_snapshot!(report(main_of("job::nested(20000)")), @"error[script.limit]: the result of the script is nested more than 64 levels deep");
        insta::assert_snapshot!(report(main_of("throw job::nested(20000)")), @r"
        error[script.failed]: an array that is nested deeply
         --> scripts/main.rhai:1:1
          |
        1 | throw job::nested(20000)
          | ^^^^^
        ");
        let script = "let a = []; for i in 0..1000 { a = [a]; } a";
        let error = run_limited(&[("main.rhai", script)], Limits { array_items: 500, ..limits() }).unwrap_err();
        assert!(error.message().contains("500 items"), "{error:?}");
    }

    /// Rhai 1.27 does not measure a map that grows by `m[k] = v`, only where it is passed to a function: what ends this loop
    /// is the limit of operations.
    #[test]
    fn a_map_that_grows_by_its_index_meets_the_limit_of_operations_only() {
        let small = Limits { map_entries: 100, operations: 50_000, ..limits() };
        let script = "let m = #{}; let n = 0; for i in 0..1000 { m[`k${i}`] = i; n += 1; } n";
        assert_eq!(int(run_limited(&[("main.rhai", script)], Limits { operations: 500_000, ..small.clone() })), 1000);
        let script = "let m = #{}; let i = 0; loop { i += 1; m[`k${i}`] = i; }";
        assert!(run_limited(&[("main.rhai", script)], small).unwrap_err().is(&code::SCRIPT_LIMIT));
    }

    #[test]
    fn cancellation_ends_a_busy_loop_at_once() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let cancel = Cancel::default();
        let seen = Mutex::new(Some(sender));
        let interpreter = Interpreter::new(Setup {
            modules: Vec::new(),
            global: Module::new().into(),
            sources: Arc::new(Texts::default()),
            cancel: cancel.clone(),
            fatal: Fatal::default(),
            limits: Limits::default(),
            print: Box::new(move |_, _, _| seen.lock().unwrap().take().unwrap().send(()).unwrap()),
            tag: Dynamic::UNIT,
        });
        let ast = interpreter.compile("main.rhai", "print(\"here\"); try { loop { } } catch { }").unwrap();
        std::thread::scope(|threads| {
            let running = threads.spawn(|| interpreter.execute(&ast, &mut Scope::new()).map(|_| ()).unwrap_err());
            receiver.recv().unwrap();
            let start = std::time::Instant::now();
            cancel.cancel();
            let error = running.join().unwrap();
            assert!(start.elapsed() < std::time::Duration::from_millis(100), "{:?}", start.elapsed());
            assert!(error.is(&code::CANCELLED), "{error:?}");
        });
    }

    #[test]
    fn a_cancelled_run_does_not_begin() {
        let bench = bench(Texts::default(), limits());
        let ast = bench.interpreter.compile("a.rhai", "let x = 1; x").unwrap();
        bench.cancel.cancel();
        assert!(bench.interpreter.execute(&ast, &mut Scope::new()).unwrap_err().is(&code::CANCELLED));
    }
}
