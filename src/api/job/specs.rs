//! Job specs as scripts make and read them.

use std::sync::Arc;

use rhai::Dynamic;

use super::{Call, this_spec};
use crate::api::artifact;
use crate::api::convert::secret_text;
use crate::api::job_options::{Common, JarOptions, Mode, SqlOptions, read_job};
use crate::api::spec::Spec;
use crate::base::{Error, Result, code};
use crate::model::dependency::Closure;
use crate::model::job_spec::{Artifact, JobSpec, Program};
use crate::ops::{dependencies, render, upload};

pub(super) fn spec_name(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(this_spec(call)?.identity.job.clone().into())
}

pub(super) fn spec_environment(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(this_spec(call)?.identity.environment.clone().into())
}

pub(super) fn spec_cluster(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(this_spec(call)?.cluster.clone().into())
}

pub(super) fn statements(call: &mut Call<'_>) -> Result<Dynamic> {
    match &this_spec(call)?.program {
        Program::Sql { statements, .. } => {
            Ok(Dynamic::from_array(statements.iter().map(|one| one.text.to_string().into()).collect()))
        }
        Program::Jar { .. } | Program::Adopted { .. } => Ok(Dynamic::from_array(Vec::new())),
    }
}

pub(super) fn sql(call: &mut Call<'_>) -> Result<Dynamic> {
    let (options, common): (SqlOptions, Common) = read_job(call.name, call.json(1)?)?;
    let rendered = crate::api::sql::rendered(call, options.template.as_deref(), options.sql.as_deref(), &options.vars)?;
    let statements = render::statements(&rendered)?;
    let source = options.template.unwrap_or_else(|| render::INLINE.to_owned());
    let mut spec = spec(call, Program::Sql { source, statements }, &common)?;
    if let Some(mode) = options.mode {
        let mode = match mode {
            Mode::Batch => "BATCH",
            Mode::Streaming => "STREAMING",
        };
        spec.configuration.insert("execution.runtime-mode".to_owned(), mode.to_owned());
    }
    Ok(Dynamic::from(Spec(Arc::new(spec))))
}

pub(super) fn jar(call: &mut Call<'_>) -> Result<Dynamic> {
    let (options, common): (JarOptions, Common) = read_job(call.name, call.json(1)?)?;
    let jar = artifact::given(call, "option `jar`", &options.jar)?;
    let arguments = options.args.iter().enumerate().map(|(index, value)| {
        secret_text(value).ok_or_else(|| {
            Error::new(
                &code::ARGUMENT_INVALID,
                format!("{}: option `args[{index}]` must be a text, a number or a boolean", call.name),
            )
        })
    });
    let program = Program::Jar { jar, main_class: options.main_class, arguments: arguments.collect::<Result<_>>()? };
    let mut spec = spec(call, program, &common)?;
    let found = upload::main_class(&call.host.services, &spec)?;
    if let Program::Jar { main_class, .. } = &mut spec.program {
        *main_class = found;
    }
    Ok(Dynamic::from(Spec(Arc::new(spec))))
}

fn spec(call: &Call<'_>, program: Program, common: &Common) -> Result<JobSpec> {
    let name = call.string(0);
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.len() > 100 || !name.chars().all(fits) || !can_be_typed(&name) {
        return Err(no_name(call.name, &name));
    }
    let environment = &call.host.environment;
    let cluster = common.cluster.clone().unwrap_or_else(|| environment.cluster.clone());
    call.host.services.clusters.definition(&cluster)?;
    let jars = jars(call, common)?;
    let configuration = common.configuration(call.name, &name, environment)?;
    Ok(JobSpec {
        identity: call.host.services.identity(&environment.name, &name),
        cluster,
        program,
        parallelism: common.parallelism,
        configuration,
        jars,
        // Last: what is wrong with the rest is said without waiting for Maven.
        dependencies: resolved(call, common)?,
        tags: common.tags.clone(),
        owner: common.owner.clone(),
    })
}

/// Whether commands take a name for one: not for an option, and not for a folder.
pub(super) fn can_be_typed(name: &str) -> bool {
    !name.starts_with('-') && !matches!(name, "" | "." | "..")
}

pub(super) fn no_name(function: &str, name: &str) -> Error {
    Error::new(&code::ARGUMENT_INVALID, format!("{function}: `{name}` cannot be a job's name"))
        .hint("letters, digits, `-`, `_` and `.`, at most 100 of them, no `-` at the beginning, and neither `.` nor `..` alone")
}

fn jars(call: &Call<'_>, common: &Common) -> Result<Vec<Artifact>> {
    let each = common.jars.iter().enumerate();
    each.map(|(index, jar)| artifact::given(call, &format!("option `jars[{index}]`"), jar)).collect()
}

/// What the dependencies of a job come to. A plan is told in what the lock would change.
fn resolved(call: &Call<'_>, common: &Common) -> Result<Closure> {
    let declared = common.dependencies(call.name)?;
    if declared.is_empty() {
        return Ok(Closure::default());
    }
    let host = &call.host;
    if host.is_listing {
        return Err(Error::new(&code::EFFECT_FORBIDDEN, "dependencies are not resolved while parameters are listed")
            .hint("make the job outside of `fn options()`"));
    }
    let resolution = host.wait(dependencies::resolve(&host.services, &host.inputs, declared))?;
    if let Some(planner) = &host.planner {
        planner.tell_lock(resolution.lock_changes);
    }
    Ok(resolution.closure)
}
