//! What belongs to no namespace: how secrets behave in expressions, and how values print.

use rhai::{FuncRegistration, Module};

use super::artifact::Artifact;
use super::build::Build;
use super::git::Project;
use super::handle::Job;
use super::jar::Jar;
use super::params::Declaration;
use super::spec::Spec;
use crate::base::secret::SecretText;

/// Registers the types of the script surface, and `+` for secrets: a text joined with a secret is a secret.
pub fn register(module: &mut Module) {
    module.set_custom_type::<SecretText>("secret");
    module.set_custom_type::<Job>("job");
    module.set_custom_type::<Spec>("spec");
    module.set_custom_type::<Declaration>("declaration");
    let add = || FuncRegistration::new("+").in_global_namespace().with_purity(true);
    add().set_into_module(module, |left: SecretText, right: SecretText| left.concat(right));
    add().set_into_module(module, |left: SecretText, right: &str| left.concat(SecretText::plain(right)));
    add().set_into_module(module, |left: &str, right: SecretText| SecretText::plain(left).concat(right));
    for name in ["to_string", "to_debug"] {
        let show = || FuncRegistration::new(name).in_global_namespace().with_purity(true);
        show().set_into_module(module, |secret: &mut SecretText| secret.to_string());
        show().set_into_module(module, |job: &mut Job| format!("job `{}` attempt {}", job.name(), job.attempt()));
        show().set_into_module(module, |spec: &mut Spec| format!("job spec `{}`", spec.0.identity.job));
        show().set_into_module(module, |artifact: &mut Artifact| artifact.to_string());
        show().set_into_module(module, |jar: &mut Jar| jar.to_string());
        show().set_into_module(module, |project: &mut Project| project.to_string());
        show().set_into_module(module, |build: &mut Build| build.to_string());
        show().set_into_module(module, |declaration: &mut Declaration| {
            format!("parameter of type {}", declaration.kind.name())
        });
    }
}
