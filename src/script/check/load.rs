//! Loads scripts and all that they import, and goes on after each mistake. A file is parsed once, however many import it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rhai::{AST, Engine, ParseErrorType, Scope};

use super::findings::Report;
use crate::base::error::Place;
use crate::base::{Error, Result};
use crate::ops::texts::Texts;
use crate::script::catching::CatchNames;
use crate::script::engine::engine;
use crate::script::resolver::{Book, ROOT, STD, Sources, Unit, circle, not_there};
use crate::script::runner::modules;
use crate::script::{Limits, lints, stdlib, syntax};

/// A script that could be read.
pub(super) struct Loaded {
    pub(super) unit: Arc<Unit>,
    /// Why Rhai would not have it: a variable or a namespace that is not there. The rest of it can still be looked at.
    pub(super) refused: Option<Error>,
}

/// Loads scripts.
pub(super) struct Loader<'a> {
    files: &'a Texts,
    engine: &'a Engine,
    /// An engine that lets unknown variables pass.
    lenient: OnceLock<Engine>,
    known: BTreeMap<String, Option<Arc<Loaded>>>,
}

impl<'a> Loader<'a> {
    pub(super) fn new(files: &'a Texts, engine: &'a Engine) -> Self {
        Self { files, engine, lenient: OnceLock::new(), known: BTreeMap::new() }
    }

    /// A script by its name with `scripts/` or `std/` in front; nothing where it cannot be read, which was told then.
    pub(super) fn load(&mut self, name: &str, text: &str, report: &mut Report) -> Option<Arc<Loaded>> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let loaded = match self.parse(name, text) {
            Ok((ast, refused)) => {
                let mut unit = Unit::new(name, text.to_owned(), ast);
                lints::within(&unit).err().into_iter().for_each(|error| report.find(error));
                unit.follow_imports().into_iter().for_each(|error| report.find(error));
                Some(Arc::new(Loaded { unit: Arc::new(unit), refused }))
            }
            Err(error) => {
                report.find(error);
                None
            }
        };
        self.known.insert(name.to_owned(), loaded.clone());
        loaded
    }

    fn parse(&self, name: &str, text: &str) -> Result<(AST, Option<Error>)> {
        let error = match self.engine.compile_with_scope(&Scope::new(), text) {
            Ok(ast) => return Ok((ast, None)),
            Err(error) => error,
        };
        let refused = syntax::syntax_error(self.engine, name, text, error.err_type(), error.position());
        if !matches!(error.err_type(), ParseErrorType::ModuleUndefined(_) | ParseErrorType::VariableUndefined(_)) {
            return Err(refused);
        }
        let lenient = self.lenient.get_or_init(|| {
            let (modules, global) = modules();
            let mut engine = engine(modules, global, &Limits::default(), CatchNames::default());
            engine.set_strict_variables(false);
            engine
        });
        match lenient.compile_with_scope(&Scope::new(), text) {
            Ok(ast) => Ok((ast, Some(refused))),
            // What is wrong besides comes later in the text.
            Err(_) => Err(refused),
        }
    }

    /// The script and all that it imports, each once, and what is wrong with them together.
    pub(super) fn reach(&mut self, main: &Arc<Loaded>, report: &mut Report) -> Vec<Arc<Loaded>> {
        let mut reached = vec![main.clone()];
        self.follow(main, &mut vec![main.unit.name.clone()], &mut reached, report);
        let book = Book::new(Arc::new(Nothing));
        for loaded in &reached {
            book.keep(loaded.unit.clone()).err().into_iter().for_each(|error| report.find(error));
        }
        for loaded in &reached {
            let checked = lints::names_that_imports_take_over(&loaded.unit, &book);
            checked.err().into_iter().for_each(|error| report.find(error));
        }
        reached
    }

    fn follow(
        &mut self,
        importer: &Arc<Loaded>,
        chain: &mut Vec<String>,
        reached: &mut Vec<Arc<Loaded>>,
        report: &mut Report,
    ) {
        for (target, import) in &importer.unit.imports {
            if let Some(start) = chain.iter().position(|name| name == target) {
                report.find(circle(&chain[start..], target, &importer.unit, import));
                continue;
            }
            if reached.iter().any(|loaded| loaded.unit.name == *target) {
                continue;
            }
            let imported = match self.known.get(target) {
                Some(known) => known.clone(),
                None => match self.text(target) {
                    Ok(Some(text)) => self.load(target, &text, report),
                    Ok(None) => {
                        report.find(not_there(target, &importer.unit, import));
                        None
                    }
                    Err(error) => {
                        report.find(error.at(importer.unit.place(import.position, "")));
                        None
                    }
                },
            };
            let Some(imported) = imported else { continue };
            reached.push(imported.clone());
            chain.push(target.clone());
            self.follow(&imported, chain, reached, report);
            chain.pop();
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match name.strip_prefix(STD) {
            Some(name) => Ok(stdlib::text(name).map(str::to_owned)),
            None => self.files.script(name.strip_prefix(ROOT).unwrap_or(name)),
        }
    }
}

/// Nothing is loaded through it: what is there was loaded before.
struct Nothing;

impl Sources for Nothing {
    fn load(&self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }
}

/// The place in a script of something inside a text literal that stands there, from the line and column within the text;
/// nothing where the literal has escapes, and so is not what stands in the file.
pub(super) fn inside_literal(unit: &Unit, start: &Place, text: &str, line: usize, column: usize) -> Option<Place> {
    let mut offset = unit.text.split_inclusive('\n').take(start.line.checked_sub(1)?).map(str::len).sum::<usize>();
    offset += unit.text[offset..].char_indices().nth(start.column.checked_sub(1)?)?.0;
    let quote = unit.text[offset..].chars().next().filter(|quote| matches!(quote, '"' | '`'))?;
    let mut begin = offset + quote.len_utf8();
    // Rhai leaves out the end of the line right behind a backtick.
    if quote == '`' && unit.text[begin..].starts_with('\n') {
        begin += 1;
    }
    unit.text[begin..].starts_with(text).then_some(())?;
    let before = &unit.text[..begin];
    let first = before.matches('\n').count() + 1;
    let shift = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let column = if line == 1 && column > 0 { column + shift } else { column };
    let line = first + line - 1;
    Some(Place {
        file: unit.name.clone(),
        line,
        column,
        excerpt: crate::script::excerpt(&unit.text, line),
        label: String::new(),
    })
}
