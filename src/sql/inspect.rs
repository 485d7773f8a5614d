//! Looks at a template without rendering it: whether it parses, whether what it includes is there, and which variables it
//! needs whatever their values are. What stands under a condition is not needed for certain, and is left alone.

use std::collections::BTreeSet;

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, Expr, Stmt};
use minijinja::machinery::{Span, parse};
use minijinja::syntax::SyntaxConfig;

use super::rendered::Source;
use super::template::{self, Load};
use super::{mark, position};
use crate::base::error::Place;
use crate::base::{Error, code};

/// What minijinja itself defines.
const GLOBALS: [&str; 8] = ["range", "dict", "debug", "namespace", "secret", "loop", "self", "caller"];

/// A variable that a template uses whatever happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name, without what is looked up in it.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// What was found without rendering.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// What is wrong whatever the variables are.
    pub errors: Vec<Error>,
    /// The variables that have to be there, each once, in the order of the text.
    pub needs: Vec<Need>,
}

/// Looks at a template, and at what it includes.
pub fn inspect(name: &str, text: &str, load: Load<'_>) -> Inspection {
    let mut inspection = Inspection::default();
    Inspector {
        load,
        source: Source::new(name, text),
        chain: vec![name.to_owned()],
        defined: vec![BTreeSet::new()],
        certain: true,
        found: &mut inspection,
    }
    .file(text);
    inspection
}

struct Inspector<'a> {
    load: Load<'a>,
    source: Source,
    /// The templates that led here, this one last.
    chain: Vec<String>,
    defined: Vec<BTreeSet<String>>,
    /// Whether what stands here is rendered in any case.
    certain: bool,
    found: &'a mut Inspection,
}

impl Inspector<'_> {
    fn file(&mut self, text: &str) {
        let name = self.source.name.clone();
        // What does not parse is read once more by the one who renders, so that both say the same.
        match (text.find(mark::is_reserved), parse(text, &name, SyntaxConfig::default())) {
            (None, Ok(Stmt::Template(template))) => {
                let inherits = template.children.iter().any(|child| matches!(child, Stmt::Extends(_)));
                self.under(!inherits, |inspector| inspector.all(&template.children));
            }
            _ => self.found.errors.extend(template::syntax_error(&name, text)),
        }
    }

    fn place(&self, span: Span) -> Place {
        let (line, column) = position::of(&self.source.text, span.start_offset as usize);
        self.source.place(line, column)
    }

    /// Looks at something that is rendered only if `certain`.
    fn under(&mut self, certain: bool, look: impl FnOnce(&mut Self)) {
        let before = self.certain;
        self.certain = before && certain;
        look(self);
        self.certain = before;
    }

    fn scoped(&mut self, look: impl FnOnce(&mut Self)) {
        self.defined.push(BTreeSet::new());
        look(self);
        self.defined.pop();
    }

    fn all(&mut self, statements: &[Stmt<'_>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(template) => self.all(&template.children),
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::ForLoop(each) => {
                self.expression(&each.iter);
                self.under(false, |inspector| {
                    inspector.scoped(|inspector| {
                        inspector.define(&each.target);
                        each.filter_expr.iter().for_each(|filter| inspector.expression(filter));
                        inspector.all(&each.body);
                    });
                    inspector.all(&each.else_body);
                });
            }
            Stmt::IfCond(branch) => {
                self.expression(&branch.expr);
                self.under(false, |inspector| {
                    inspector.all(&branch.true_body);
                    inspector.all(&branch.false_body);
                });
            }
            Stmt::WithBlock(with) => self.scoped(|inspector| {
                for (target, value) in &with.assignments {
                    inspector.expression(value);
                    inspector.define(target);
                }
                inspector.all(&with.body);
            }),
            Stmt::Set(set) => {
                self.expression(&set.expr);
                self.define(&set.target);
            }
            Stmt::SetBlock(set) => {
                self.all(&set.body);
                self.define(&set.target);
            }
            Stmt::AutoEscape(block) => self.all(&block.body),
            Stmt::FilterBlock(block) => self.under(false, |inspector| inspector.all(&block.body)),
            Stmt::Block(block) => self.all(&block.body),
            Stmt::Import(import) => {
                self.import(&import.expr);
                self.define(&import.name);
            }
            Stmt::FromImport(import) => {
                self.import(&import.expr);
                for (name, alias) in &import.names {
                    self.define(alias.as_ref().unwrap_or(name));
                }
            }
            Stmt::Extends(extends) => self.other(&extends.name, false),
            Stmt::Include(include) if include.ignore_missing => {}
            Stmt::Include(include) => self.other(&include.name, true),
            Stmt::Macro(made) => {
                self.define_name(made.name);
                self.under(false, |inspector| inspector.scoped(|inspector| inspector.all(&made.body)));
            }
            Stmt::CallBlock(block) => {
                self.arguments(&block.call);
                self.under(false, |inspector| inspector.all(&block.macro_decl.body));
            }
            Stmt::Do(call) => self.arguments(&call.call),
            _ => {}
        }
    }

    fn expression(&mut self, expression: &Expr<'_>) {
        match expression {
            Expr::Var(variable) => self.need(variable.id, variable.span()),
            Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                [&slice.start, &slice.stop, &slice.step].into_iter().flatten().for_each(|part| self.expression(part));
            }
            Expr::UnaryOp(one) => self.expression(&one.expr),
            Expr::BinOp(two) => {
                self.expression(&two.left);
                let always = !matches!(two.op, BinOpKind::ScAnd | BinOpKind::ScOr);
                self.under(always, |inspector| inspector.expression(&two.right));
            }
            Expr::Compare(compare) => {
                self.expression(&compare.expr);
                let mut operands = compare.ops.iter();
                operands.next().into_iter().for_each(|op| self.expression(&op.expr));
                self.under(false, |inspector| operands.for_each(|op| inspector.expression(&op.expr)));
            }
            Expr::IfExpr(branch) => {
                self.expression(&branch.test_expr);
                self.under(false, |inspector| {
                    inspector.expression(&branch.true_expr);
                    branch.false_expr.iter().for_each(|other| inspector.expression(other));
                });
            }
            Expr::Filter(filter) => {
                // What has a default may be absent.
                let always = !matches!(filter.name, "default" | "d");
                self.under(always, |inspector| {
                    filter.expr.iter().for_each(|value| inspector.expression(value));
                });
                self.each(&filter.args);
            }
            Expr::Test(test) => {
                let always = !matches!(test.name, "defined" | "undefined");
                self.under(always, |inspector| inspector.expression(&test.expr));
                self.each(&test.args);
            }
            Expr::GetAttr(get) => self.expression(&get.expr),
            Expr::GetItem(get) => {
                self.expression(&get.expr);
                self.expression(&get.subscript_expr);
            }
            Expr::Call(call) => self.arguments(call),
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.expression(item)),
        }
    }

    fn arguments(&mut self, call: &Call<'_>) {
        // The name of a function may be a macro's: which one is known only when it is rendered.
        match &call.expr {
            Expr::Var(_) => {}
            Expr::GetAttr(get) => self.expression(&get.expr),
            other => self.expression(other),
        }
        self.each(&call.args);
    }

    fn each(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }

    fn need(&mut self, name: &str, span: Span) {
        let known = GLOBALS.contains(&name) || self.defined.iter().any(|names| names.contains(name));
        if self.certain && !known && !self.found.needs.iter().any(|need| need.name == name) {
            let place = self.place(span);
            self.found.needs.push(Need { name: name.to_owned(), place });
        }
    }

    fn define(&mut self, target: &Expr<'_>) {
        match target {
            Expr::Var(variable) => self.define_name(variable.id),
            Expr::List(list) => list.items.iter().for_each(|item| self.define(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.define(item)),
            _ => {}
        }
    }

    fn define_name(&mut self, name: &str) {
        if let Some(names) = self.defined.last_mut() {
            names.insert(name.to_owned());
        }
    }

    /// A template whose macros are used: what they need is known only where they are called.
    fn import(&mut self, name: &Expr<'_>) {
        let defined = std::mem::replace(&mut self.defined, vec![BTreeSet::new()]);
        self.other(name, false);
        self.defined = defined;
    }

    fn other(&mut self, name: &Expr<'_>, certain: bool) {
        let constant = match name {
            Expr::Const(constant) => constant.value.as_str().map(str::to_owned),
            _ => None,
        };
        let Some(other) = constant else { return self.expression(name) };
        let place = self.place(name.span());
        if self.chain.contains(&other) {
            // Under a condition a circle may come to an end.
            if self.certain {
                let error = Error::new(&code::TEMPLATE_INVALID, format!("template `{other}` includes itself"));
                self.found.errors.push(error.at(place));
            }
            return;
        }
        let text = match (self.load)(&other) {
            Ok(Some(text)) => text,
            Ok(None) => {
                let error = Error::new(&code::TEMPLATE_NOT_FOUND, format!("template `{other}` not found"));
                let hint = "templates are named relative to `templates/` of the workspace";
                self.found.errors.push(error.hint(hint).at(place));
                return;
            }
            Err(error) => {
                self.found.errors.push(error.at(place));
                return;
            }
        };
        let outer = std::mem::replace(&mut self.source, Source::new(&other, text.as_str()));
        self.chain.push(other);
        self.under(certain, |inspector| inspector.file(&text));
        self.chain.pop();
        self.source = outer;
    }
}
