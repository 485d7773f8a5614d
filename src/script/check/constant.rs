//! The values that expressions have in each environment, where a check can know them without running anything.

use std::rc::Rc;

use rhai::{Dynamic, Expr, FnCallExpr, Map};

use super::scope::Values;
use super::walk::Walker;
use crate::api::env::variable;
use crate::base::secret::SecretText;

impl Walker<'_> {
    /// The value of an expression in each environment; nothing where none is known.
    pub(super) fn values(&self, expression: &Expr) -> Option<Values> {
        let values: Vec<Option<Dynamic>> =
            (0..self.knowledge.environments.len()).map(|index| self.value(expression, index)).collect();
        values.iter().any(Option::is_some).then(|| Rc::new(values))
    }

    /// The value of an expression in one environment.
    pub(super) fn value(&self, expression: &Expr, environment: usize) -> Option<Dynamic> {
        let all = |parts: &[Expr]| parts.iter().map(|part| self.value(part, environment)).collect::<Option<Vec<_>>>();
        match expression {
            Expr::DynamicConstant(value, _) if !value.is_fnptr() => Some((**value).clone()),
            Expr::BoolConstant(value, _) => Some((*value).into()),
            Expr::IntegerConstant(value, _) => Some((*value).into()),
            Expr::FloatConstant(value, _) => Some(Dynamic::from_float(**value)),
            Expr::CharConstant(value, _) => Some((*value).into()),
            Expr::StringConstant(text, _) => Some(text.clone().into()),
            Expr::Unit(_) => Some(Dynamic::UNIT),
            Expr::InterpolatedString(parts, _) => {
                let parts = all(parts)?;
                let plain = |part: &Dynamic| part.is_string() || part.is_int() || part.is_bool();
                parts.iter().all(plain).then(|| parts.iter().map(ToString::to_string).collect::<String>().into())
            }
            Expr::Array(items, _) => all(items).map(Dynamic::from_array),
            Expr::Map(map, _) => {
                let entries =
                    map.0.iter().map(|(key, value)| Some((key.name.as_str().into(), self.value(value, environment)?)));
                entries.collect::<Option<Map>>().map(Dynamic::from_map)
            }
            Expr::Variable(variable, ..) if variable.2.is_empty() => {
                self.scope.get(&variable.1)?.values.as_ref()?.get(environment)?.clone()
            }
            Expr::FnCall(call, _) => self.called(call, environment),
            _ => None,
        }
    }

    /// What a function gives whose answer is known before a run.
    fn called(&self, call: &FnCallExpr, environment: usize) -> Option<Dynamic> {
        let environment = (self.knowledge.environments.get(environment)?, environment);
        let [namespace] = call.namespace.path.as_slice() else { return None };
        let text = |index: usize| self.value(call.args.get(index)?, environment.1)?.into_string().ok();
        match (namespace.name.as_str(), call.name.as_str(), call.args.len()) {
            ("env", "name", 0) => Some(environment.0.name.clone().into()),
            ("env", "var", 1) => environment.0.vars.get(&text(0)?).map(variable),
            ("env", "secret", 1) => Some(Dynamic::from(SecretText::secret(text(0)?))),
            ("files", "path", 1) => self.files.absolute(&text(0)?).ok().map(Dynamic::from),
            _ => None,
        }
    }
}
