//! Goes through the syntax tree of one script, from top to bottom, with the variables that are in sight.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{ASTNode, Engine, Expr, FlowControl, Position, Stmt};

use super::Knowledge;
use super::catalog::Catalog;
use super::findings::Report;
use super::kinds::Kind;
use super::load::Loaded;
use super::scope::{Changes, Scope, Variable};
use crate::base::Error;
use crate::base::error::Place;
use crate::ops::texts::Texts;
use crate::script::lints;
use crate::script::resolver::{Unit, resolve};

/// Goes through one script.
pub(super) struct Walker<'a> {
    pub(super) files: &'a Texts,
    pub(super) knowledge: &'a Knowledge,
    pub(super) engine: &'a Engine,
    pub(super) catalog: &'static Catalog,
    pub(super) unit: &'a Unit,
    /// What the script imports, by the name that it has here; none where it could not be loaded.
    pub(super) imports: BTreeMap<String, Option<Arc<Unit>>>,
    /// The functions of the script: how many parameters.
    pub(super) own: BTreeMap<String, BTreeSet<usize>>,
    /// The parameters that the script declares, where a check can know.
    pub(super) parameters: Option<Vec<String>>,
    pub(super) scope: Scope,
    pub(super) changes: Changes,
    /// Whether what stands here may not run in every environment: under a condition, in a function, in a closure.
    pub(super) conditional: bool,
    /// Whether the script may mean to catch what fails here.
    pub(super) caught: bool,
    pub(super) report: &'a mut Report,
}

impl<'a> Walker<'a> {
    pub(super) fn new(
        files: &'a Texts,
        knowledge: &'a Knowledge,
        engine: &'a Engine,
        loaded: &'a Loaded,
        reached: &[Arc<Loaded>],
        is_main: bool,
        report: &'a mut Report,
    ) -> Self {
        let unit: &Unit = &loaded.unit;
        let mut own: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for function in unit.ast.iter_functions().filter(|function| !lints::is_anonymous(function.name)) {
            own.entry(function.name.to_owned()).or_default().insert(function.params.len());
        }
        Self {
            files,
            knowledge,
            engine,
            catalog: Catalog::get(engine),
            unit,
            imports: imports(unit, reached),
            own,
            parameters: is_main.then(|| declared(unit)).flatten(),
            scope: Scope::default(),
            changes: Changes::of(&unit.ast),
            conditional: !is_main,
            caught: false,
            report,
        }
    }

    pub(super) fn walk(mut self) {
        let unit = self.unit;
        self.statements(unit.ast.statements());
        for function in unit.ast.iter_functions() {
            self.scope.rewind(0);
            self.conditional = true;
            for parameter in &function.params {
                self.scope.declare(Variable::unknown(&(*parameter).into()));
            }
            body(unit, function.name, function.params.len(), &mut |statement| self.statement(statement));
        }
    }

    pub(super) fn place(&self, position: Position) -> Place {
        self.unit.place(position, "")
    }

    pub(super) fn find(&mut self, error: Error, position: Position) {
        let place = self.place(position);
        self.report.find(error.at(place));
    }

    pub(super) fn leave(&mut self, reason: &str, position: Position) {
        let place = self.place(position);
        self.report.leave(reason, place);
    }

    fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn block(&mut self, statements: &[Stmt]) {
        let len = self.scope.len();
        self.statements(statements);
        self.scope.rewind(len);
    }

    /// Looks at what may not run in every environment.
    fn under_condition(&mut self, look: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.conditional, true);
        look(self);
        self.conditional = before;
    }

    fn flow(&mut self, flow: &FlowControl) {
        self.expression(&flow.expr);
        self.under_condition(|walker| {
            walker.block(flow.body.statements());
            walker.block(flow.branch.statements());
        });
        // What follows an early end may not be reached.
        self.conditional |= [&flow.body, &flow.branch].into_iter().any(|block| block.iter().any(leaves));
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::If(flow, _) | Stmt::While(flow, _) | Stmt::Do(flow, ..) => self.flow(flow),
            Stmt::TryCatch(flow, _) => {
                let before = std::mem::replace(&mut self.caught, true);
                self.block(flow.body.statements());
                self.caught = before;
                let len = self.scope.len();
                if let Expr::Variable(variable, ..) = &flow.expr {
                    self.scope.declare(Variable::unknown(&variable.1));
                }
                self.statements(flow.branch.statements());
                self.scope.rewind(len);
            }
            Stmt::Switch(switch, _) => {
                self.expression(&switch.0);
                self.under_condition(|walker| {
                    for case in &switch.1.expressions {
                        walker.expression(&case.lhs);
                        walker.expression(&case.rhs);
                    }
                });
            }
            Stmt::For(each, _) => {
                let (item, counter, flow) = &**each;
                self.expression(&flow.expr);
                let len = self.scope.len();
                self.scope.declare(Variable::unknown(&item.name));
                if let Some(counter) = counter {
                    self.scope.declare(Variable::unknown(&counter.name));
                }
                self.under_condition(|walker| walker.statements(flow.body.statements()));
                self.scope.rewind(len);
            }
            Stmt::Var(declaration, ..) => {
                let (name, value, _) = &**declaration;
                let kind = self.expression(value);
                let constant = self.changes.is_constant(&name.name);
                let values = if constant { self.values(value) } else { None };
                let literal = (constant && matches!(value, Expr::Map(..))).then(|| Rc::new(value.clone()));
                let kind = self.changes.kind(&name.name, kind);
                self.scope.declare(Variable { name: name.name.clone(), kind, values, literal });
            }
            Stmt::Assignment(assignment) => {
                self.expression(&assignment.1.lhs);
                self.expression(&assignment.1.rhs);
            }
            Stmt::FnCall(call, position) => {
                self.call(call, *position);
            }
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::Expr(expression) => {
                self.expression(expression);
            }
            Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => {
                self.expression(value);
            }
            Stmt::Noop(_) | Stmt::BreakLoop(None, ..) | Stmt::Return(None, ..) => {}
            Stmt::Import(..) | Stmt::Export(..) | Stmt::Share(..) => {}
            _ => {}
        }
    }

    /// Looks at an expression, and tells what is known of its type.
    pub(super) fn expression(&mut self, expression: &Expr) -> Kind {
        match expression {
            Expr::DynamicConstant(value, _) => Kind::of_value(value),
            Expr::BoolConstant(..) => Kind::Bool,
            Expr::IntegerConstant(..) => Kind::Integer,
            Expr::FloatConstant(..) => Kind::Float,
            Expr::CharConstant(..) => Kind::Character,
            Expr::StringConstant(..) => Kind::String,
            Expr::Unit(_) => Kind::Unit,
            Expr::InterpolatedString(parts, _) => {
                self.each(parts);
                Kind::String
            }
            Expr::Array(items, _) => {
                self.each(items);
                Kind::Array
            }
            Expr::Map(map, _) => {
                for (_, value) in &map.0 {
                    self.expression(value);
                }
                Kind::Map
            }
            Expr::Variable(variable, ..) if variable.2.is_empty() => {
                self.scope.get(&variable.1).map_or(Kind::Unknown, |known| known.kind)
            }
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::Dot(pair, ..) => {
                let on = self.expression(&pair.lhs);
                self.chain(on, &pair.rhs)
            }
            Expr::Index(pair, ..) => {
                self.expression(&pair.lhs);
                self.index(&pair.rhs)
            }
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                self.under_condition(|walker| walker.each(parts));
                Kind::Bool
            }
            Expr::Coalesce(parts, _) => {
                self.under_condition(|walker| walker.each(parts));
                Kind::Unknown
            }
            Expr::Stmt(block) => {
                self.block(block.statements());
                Kind::Unknown
            }
            _ => Kind::Unknown,
        }
    }

    fn each(&mut self, parts: &[Expr]) {
        for part in parts {
            self.expression(part);
        }
    }

    /// What stands in the brackets of an index, and what follows them.
    fn index(&mut self, part: &Expr) -> Kind {
        match part {
            // `a[0].b`: what follows the index hangs below it.
            Expr::Dot(inner, ..) | Expr::Index(inner, ..) => {
                self.expression(&inner.lhs);
                self.chain(Kind::Unknown, &inner.rhs)
            }
            index => {
                self.expression(index);
                Kind::Unknown
            }
        }
    }

    /// What follows a dot: a property, a method, or a longer chain.
    fn chain(&mut self, on: Kind, part: &Expr) -> Kind {
        match part {
            Expr::Property(property, position) => self.property(on, &property.2, *position),
            Expr::MethodCall(call, position) => self.method(on, call, *position),
            Expr::Dot(pair, ..) => {
                let on = self.chain(on, &pair.lhs);
                self.chain(on, &pair.rhs)
            }
            Expr::Index(pair, ..) => {
                self.chain(on, &pair.lhs);
                self.index(&pair.rhs)
            }
            other => {
                self.expression(other);
                Kind::Unknown
            }
        }
    }
}

/// Whether a statement ends what it stands in.
fn leaves(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Return(..) | Stmt::BreakLoop(..))
}

/// The files that a script imports, by the names that they have in it.
fn imports(unit: &Unit, reached: &[Arc<Loaded>]) -> BTreeMap<String, Option<Arc<Unit>>> {
    let mut found = BTreeMap::new();
    unit.ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(path, _) = &import.0
        {
            let target = resolve(&unit.name, path).ok();
            let loaded = reached.iter().find(|loaded| Some(&loaded.unit.name) == target.as_ref());
            found.insert(import.1.name.to_string(), loaded.map(|loaded| loaded.unit.clone()));
        }
        true
    });
    found
}

/// The names of the parameters that `fn options()` declares; nothing where only a run can tell.
fn declared(unit: &Unit) -> Option<Vec<String>> {
    let Some(function) =
        unit.ast.iter_functions().find(|function| function.name == "options" && function.params.is_empty())
    else {
        return Some(Vec::new());
    };
    let mut found = Vec::new();
    body(unit, function.name, 0, &mut |statement| {
        found.push(match statement {
            Stmt::Expr(value) | Stmt::Return(Some(value), ..) => match &**value {
                Expr::Map(map, _) => Some(map.0.iter().map(|(key, _)| key.name.to_string()).collect()),
                _ => None,
            },
            _ => None,
        });
    });
    match found.as_mut_slice() {
        [only] => only.take(),
        _ => None,
    }
}

/// The statements of a function. Rhai hands out the body of one only within its tree.
fn body(unit: &Unit, name: &str, parameters: usize, see: &mut dyn FnMut(&Stmt)) {
    let mut alone = unit.ast.clone_functions_only();
    alone.retain_functions(|_, _, other, count| other == name && count == parameters);
    alone.walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            see(statement);
        }
        true
    });
}
