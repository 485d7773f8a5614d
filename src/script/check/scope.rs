//! The variables that a place of a script sees, with what is known of them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rhai::{AST, ASTNode, BinaryExpr, Dynamic, Expr, ImmutableString, OpAssignment, Stmt};

use super::catalog;
use super::kinds::Kind;

/// Functions of Rhai that change what they are called on.
const CHANGING: [&str; 38] = [
    "append",
    "chop",
    "clear",
    "crop",
    "dedup",
    "drain",
    "extract",
    "fill_with",
    "insert",
    "make_lower",
    "make_upper",
    "merge",
    "mixin",
    "order",
    "order_by",
    "order_desc",
    "pad",
    "pop",
    "push",
    "remove",
    "replace",
    "retain",
    "reverse",
    "set",
    "set_tag",
    "set_bit",
    "set_bits",
    "shift",
    "sort",
    "sort_by",
    "sort_desc",
    "splice",
    "split",
    "trim",
    "truncate",
    "unshift",
    "rotate",
    "fill",
];

/// The value of a variable in each environment; nothing for what only a run can tell.
pub(super) type Values = Rc<Vec<Option<Dynamic>>>;

/// A variable.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) name: ImmutableString,
    pub(super) kind: Kind,
    pub(super) values: Option<Values>,
    /// The map literal that it holds and nothing changes.
    pub(super) literal: Option<Rc<Expr>>,
}

impl Variable {
    /// One of which nothing is known.
    pub(super) fn unknown(name: &ImmutableString) -> Self {
        Self { name: name.clone(), kind: Kind::Unknown, values: None, literal: None }
    }
}

/// The variables in sight, the innermost last.
#[derive(Default)]
pub(super) struct Scope {
    variables: Vec<Variable>,
}

impl Scope {
    pub(super) fn len(&self) -> usize {
        self.variables.len()
    }

    pub(super) fn rewind(&mut self, len: usize) {
        self.variables.truncate(len);
    }

    pub(super) fn declare(&mut self, variable: Variable) {
        self.variables.push(variable);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|variable| variable.name == name)
    }
}

/// What a script does to its variables, by name: a name that means two variables is judged by both.
#[derive(Default)]
pub(super) struct Changes {
    /// What is assigned after the declaration.
    assigned: BTreeMap<String, Kind>,
    /// Names whose value is changed in place.
    changed: BTreeSet<String>,
    /// Names that maps have as keys: a value of an unknown type may have a closure there.
    pub(super) keys: BTreeSet<String>,
}

impl Changes {
    /// Those of a script.
    pub(super) fn of(ast: &AST) -> Self {
        let mut changes = Self::default();
        let own: BTreeSet<&str> = ast.iter_functions().map(|function| function.name).collect();
        ast.walk(&mut |path| {
            if let Some(node) = path.last() {
                changes.see(node, &own);
            }
            true
        });
        changes
    }

    fn see(&mut self, node: &ASTNode<'_>, own: &BTreeSet<&str>) {
        match node {
            ASTNode::Stmt(Stmt::Assignment(assignment)) => self.assign(&assignment.0, &assignment.1),
            ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _))
                if changes(&call.name) && !call.is_qualified() =>
            {
                self.changed.extend(call.args.first().and_then(root).map(str::to_owned));
            }
            ASTNode::Expr(Expr::Dot(pair, ..) | Expr::Index(pair, ..)) => {
                let mut found = false;
                methods(&pair.rhs, &mut |name| found |= changes(name) || own.contains(name));
                if found {
                    self.changed.extend(root(&pair.lhs).map(str::to_owned));
                }
            }
            ASTNode::Expr(Expr::Map(map, _)) => self.keys.extend(map.0.iter().map(|(key, _)| key.name.to_string())),
            _ => {}
        }
    }

    fn assign(&mut self, operator: &OpAssignment, pair: &BinaryExpr) {
        match &pair.lhs {
            Expr::Variable(variable, ..) => {
                let kind = if operator.is_op_assignment() { Kind::Unknown } else { plain_kind(&pair.rhs) };
                let name = variable.1.to_string();
                let joined = self.assigned.get(&name).map_or(kind, |other| other.or(kind));
                self.assigned.insert(name, joined);
            }
            target => {
                self.changed.extend(root(target).map(str::to_owned));
                // `map.key = ...`, `map["key"] = ...`
                if let Expr::Dot(pair, ..) | Expr::Index(pair, ..) = target {
                    self.name_keys(&pair.rhs);
                }
            }
        }
    }

    fn name_keys(&mut self, part: &Expr) {
        match part {
            Expr::Property(property, _) => drop(self.keys.insert(property.2.to_string())),
            Expr::StringConstant(text, _) => drop(self.keys.insert(text.to_string())),
            Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
                self.name_keys(&pair.lhs);
                self.name_keys(&pair.rhs);
            }
            _ => {}
        }
    }

    /// What is known of a variable over its whole life, from the type that it is declared with.
    pub(super) fn kind(&self, name: &str, declared: Kind) -> Kind {
        self.assigned.get(name).map_or(declared, |assigned| declared.or(*assigned))
    }

    /// Whether the value of a name stays what it was declared as.
    pub(super) fn is_constant(&self, name: &str) -> bool {
        !self.assigned.contains_key(name) && !self.changed.contains(name)
    }
}

/// The methods that are called along a chain.
fn methods(part: &Expr, see: &mut dyn FnMut(&str)) {
    match part {
        Expr::MethodCall(call, _) => see(&call.name),
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
            methods(&pair.lhs, see);
            methods(&pair.rhs, see);
        }
        _ => {}
    }
}

/// The type of an expression, as far as it shows without looking at variables.
fn plain_kind(expression: &Expr) -> Kind {
    match expression {
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => Kind::String,
        Expr::IntegerConstant(..) => Kind::Integer,
        Expr::FloatConstant(..) => Kind::Float,
        Expr::BoolConstant(..) => Kind::Bool,
        Expr::Array(..) => Kind::Array,
        Expr::Map(..) => Kind::Map,
        Expr::FnCall(call, _) if call.namespace.path.len() == 1 => {
            let namespace = catalog::namespace(&call.namespace.path[0].name);
            let function = namespace.and_then(|namespace| catalog::function(namespace, &call.name));
            function.map_or(Kind::Unknown, |function| Kind::of(function.returns))
        }
        Expr::Dot(pair, ..) => {
            let mut last = &pair.rhs;
            while let Expr::Dot(pair, ..) = last {
                last = &pair.rhs;
            }
            let Expr::MethodCall(call, _) = last else { return Kind::Unknown };
            let mut kinds = catalog::methods_named(&call.name).map(|function| Kind::of(function.returns));
            let Some(one) = kinds.next() else { return Kind::Unknown };
            kinds.fold(one, Kind::or)
        }
        _ => Kind::Unknown,
    }
}

/// The variable at the root of `a`, `a.b.c`, `a[0].b`.
pub(super) fn root(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Variable(variable, ..) if variable.2.is_empty() => Some(&variable.1),
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => root(&pair.lhs),
        _ => None,
    }
}

/// Whether a function changes what it is called on.
pub(super) fn changes(function: &str) -> bool {
    CHANGING.contains(&function)
}
