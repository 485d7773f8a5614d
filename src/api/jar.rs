//! `jar::`: what is in a jar, read without a JVM.

use std::sync::{Arc, Mutex, PoisonError};

use rhai::Dynamic;
use serde_json::{Map, Value};

use super::artifact::{self, Artifact};
use super::convert::from_json;
use super::declare::{Body, Call, Function, Namespace, Type, optional, required};
use super::job_options::read;
use super::marked;
use super::types::{Receives, options};
use crate::base::{Error, Result, code};
use crate::model::class::Class;
use crate::model::java_class::{Classes, Filter, JavaClass};
use crate::model::job_spec;
use crate::ops::jar;

/// Marks it in the journal.
const KIND: &str = "jar/1";

pub(super) const NAMESPACE: Namespace = Namespace {
    name: "jar",
    summary: "What is in a jar, read without a JVM: its manifest, its classes, its services.",
    functions: &[
        Function::new("open", Class::Pure, &[required("file", Type::File)], Type::Jar, Body::Pure(open))
            .docs(
                "Opens a jar of the workspace, or an artifact. The run keeps to the bytes that it has now, also when it is resumed.",
                "let jar = jar::open(\"jars/count.jar\");\nprint(jar.main_class);",
            )
            .errors(&[&code::FILE_NOT_FOUND, &code::FILE_INVALID, &code::FILE_OUTSIDE]),
        fact("path", Type::String, "How it is shown: the path in the workspace, or that of the artifact."),
        fact("sha256", Type::String, "The SHA-256 of its bytes."),
        fact("bytes", Type::Integer, "How long it is, in bytes."),
        fact("main_class", Type::Any, "The class that its manifest names to be started, by Flink's rule; `()` where it names none."),
        fact("manifest", Type::Map, "The attributes of its manifest, by their names as they are written."),
        Function::new("classes", Class::Pure, &[optional("options", ClassesOptions::KIND)], Type::Array, Body::Pure(classes))
            .on(Type::Jar)
            .docs(
                "The full names of its classes, sorted, those of the jars in its `lib/` included: all that objects can be made of by reflection, \
                 with a constructor without arguments, and for which every key holds. Enums, abstract classes, inner classes that are not static, \
                 and private ones are not among them, but with `abstract: true`. Names are full or short; superclasses and interfaces are followed as far as they are in the jar, in those of `class_path`, or Flink's own.",
                "let jar = jar::open(\"jars/count.jar\");\nfor name in jar.classes(#{ in_package: \"com.example\" }) { print(name); }",
            )
            .errors(&[&code::ARGUMENT_INVALID, &code::FILE_NOT_FOUND, &code::FILE_INVALID]),
        Function::new("has_main", Class::Pure, &[required("name", Type::String)], Type::Bool, Body::Pure(has_main))
            .on(Type::Jar)
            .docs(
                "Whether a class, by its full name, is in the jar, is public and has a `public static void main(String[])`, its own or one of a superclass in the jar.",
                "assert::that(jar::open(\"jars/count.jar\").has_main(\"com.example.CountJob\"));",
            )
            .errors(&[&code::FILE_NOT_FOUND, &code::FILE_INVALID]),
        Function::new("near", Class::Pure, &[required("name", Type::String)], Type::Any, Body::Pure(near))
            .on(Type::Jar)
            .docs(
                "The class that was meant by the full name of one that is not there: one of that short name, else one whose short name is near; `()` where there is none.",
                "assert::equal(jar::open(\"jars/count.jar\").near(\"com.example.CuontJob\"), \"com.example.CountJob\");",
            )
            .errors(&[&code::FILE_NOT_FOUND, &code::FILE_INVALID]),
        Function::new("obstacle", Class::Pure, &[required("name", Type::String)], Type::Any, Body::Pure(obstacle))
            .on(Type::Jar)
            .docs(
                "Why no object can be made of a class of the jar by reflection, such as `\"it is abstract\"`; `()` where one can, and where the class is not there.",
                "let why = jar::open(\"jars/count.jar\").obstacle(\"com.example.CountJob\");\nassert::that(why == ());",
            )
            .errors(&[&code::FILE_NOT_FOUND, &code::FILE_INVALID]),
        Function::new("services", Class::Pure, &[required("name", Type::String)], Type::Array, Body::Pure(services))
            .on(Type::Jar)
            .docs(
                "The classes that it names as providers of a service below `META-INF/services`, in their order.",
                "let found = jar::open(\"jars/count.jar\").services(\"org.apache.flink.table.factories.Factory\");\nprint(found.len());",
            )
            .errors(&[&code::FILE_NOT_FOUND, &code::FILE_INVALID]),
        artifact::PATH,
        artifact::SHA256,
        artifact::BYTES,
        artifact::ORIGIN,
    ],
};

options! {
    /// The options of `jar.classes`.
    pub struct ClassesOptions {
        /// an interface, also one that a superclass or another interface has
        implements: Option<String>,
        /// a superclass, direct or not
        extends: Option<String>,
        /// an annotation that the class itself carries
        annotated_with: Option<String>,
        /// a package, with those below it
        in_package: Option<String>,
        /// other jars, which tell what superclasses and interfaces extend that are not in this one
        #[serde(default)]
        class_path: Vec<Value> => Type::ListOf(&Type::File),
        /// all of them, those too that no object can be made of: interfaces, abstract classes, enums, those without a constructor without arguments
        r#abstract: Option<bool>,
    }
}

const fn fact(name: &'static str, kind: Type, summary: &'static str) -> Function {
    Function::new(name, Class::Pure, &[], kind, Body::Pure(read_fact)).property(Type::Jar).docs(summary, "")
}

/// A jar whose classes can be asked for. Immutable.
#[derive(Debug, Clone)]
pub struct Jar {
    /// The file.
    pub file: Artifact,
    main_class: Option<String>,
    manifest: Map<String, Value>,
    /// Read when they are first asked for.
    classes: Arc<Mutex<Option<Arc<Classes>>>>,
}

impl Jar {
    /// The jar as the journal holds it.
    pub fn to_json(&self) -> Value {
        let mut value = marked::mark(self.file.to_json(), KIND);
        value["main_class"] = self.main_class.clone().into();
        value["manifest"] = self.manifest.clone().into();
        value
    }

    /// The jar in a marked object; none in any other value.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            file: facts_in(value)?,
            main_class: value.get("main_class")?.as_str().map(str::to_owned),
            manifest: value.get("manifest")?.as_object()?.clone(),
            classes: Arc::default(),
        })
    }

    fn artifact(&self) -> job_spec::Artifact {
        job_spec::Artifact {
            path: self.file.path.clone(),
            sha256: self.file.sha256.clone(),
            origin: self.file.origin.clone(),
        }
    }

    fn classes(&self, call: &Call<'_>) -> Result<Arc<Classes>> {
        let mut known = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(classes) = &*known {
            return Ok(classes.clone());
        }
        let artifact = call.host.inputs.stored(self.artifact())?;
        Ok(known.insert(Arc::new(jar::classes(&call.host.services, &artifact)?)).clone())
    }
}

impl std::fmt::Display for Jar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "jar `{}` of {} bytes", self.file.path, self.file.bytes)
    }
}

/// The file of the jar in a marked object; none in any other value.
pub(super) fn facts_in(value: &Value) -> Option<Artifact> {
    marked::is(value, KIND).then_some(())?;
    Artifact::of_facts(value)
}

fn open(call: &mut Call<'_>) -> Result<Dynamic> {
    let artifact = artifact::given(call, "`file`", &call.json(0)?)?;
    let about = jar::about(&call.host.services, &artifact)?;
    Ok(Dynamic::from(Jar {
        file: Artifact { path: artifact.path, sha256: artifact.sha256, bytes: about.bytes, origin: artifact.origin },
        main_class: about.main_class,
        manifest: about.manifest.into_iter().map(|(name, value)| (name, value.into())).collect(),
        classes: Arc::default(),
    }))
}

fn this(call: &Call<'_>) -> Result<Jar> {
    call.arguments[0]
        .clone()
        .try_cast::<Jar>()
        .ok_or_else(|| Error::new(&code::ARGUMENT_INVALID, format!("{}: not a jar", call.name)))
}

fn read_fact(call: &mut Call<'_>) -> Result<Dynamic> {
    Ok(from_json(&this(call)?.to_json()[call.function.name]))
}

fn classes(call: &mut Call<'_>) -> Result<Dynamic> {
    let jar = this(call)?;
    let options: ClassesOptions = read(call.name, call.json(1)?)?;
    let mut classes = jar.classes(call)?;
    if !options.class_path.is_empty() {
        let mut others = Vec::new();
        for file in &options.class_path {
            let file = artifact::given(call, "option `class_path`", file)?;
            others.push(jar::classes(&call.host.services, &file)?);
        }
        classes = Arc::new(Classes::clone(&classes).beside(others));
    }
    let filter = Filter {
        implements: options.implements,
        extends: options.extends,
        annotated_with: options.annotated_with,
        in_package: options.in_package,
        with_abstract: options.r#abstract.unwrap_or(false),
    };
    let found = classes.find(&filter);
    if found.is_empty() {
        // A misspelt name must not look like a jar that has none.
        let named = [
            ("implements", &filter.implements),
            ("extends", &filter.extends),
            ("annotated_with", &filter.annotated_with),
        ];
        for (key, name) in named.iter().filter_map(|(key, name)| Some((key, name.as_ref()?))) {
            if let Some(meant) = classes.meant_by(name) {
                let message =
                    format!("{}: `{key}` is `{name}`, which nothing in `{}` is named", call.name, jar.file.path);
                return Err(Error::new(&code::ARGUMENT_INVALID, message).hint(format!(
                    "did you mean `{meant}`? What lies in another jar is known when that is given: `class_path: [\"jars/...\"]`"
                )));
            }
        }
        if let Some(package) = &filter.in_package
            && let Some(meant) = classes.package_meant_by(package)
        {
            let message = format!("{}: nothing in `{}` lies in the package `{package}`", call.name, jar.file.path);
            return Err(Error::new(&code::ARGUMENT_INVALID, message).hint(format!("did you mean `{meant}`?")));
        }
    }
    Ok(Dynamic::from_array(found.into_iter().map(Dynamic::from).collect()))
}

fn has_main(call: &mut Call<'_>) -> Result<Dynamic> {
    let (jar, name) = (this(call)?, call.string(1));
    Ok(jar.classes(call)?.has_main(&name).into())
}

fn near(call: &mut Call<'_>) -> Result<Dynamic> {
    let (jar, name) = (this(call)?, call.string(1));
    Ok(jar.classes(call)?.near(&name).map_or(Dynamic::UNIT, |near| near.to_owned().into()))
}

fn obstacle(call: &mut Call<'_>) -> Result<Dynamic> {
    let (jar, name) = (this(call)?, call.string(1));
    let classes = jar.classes(call)?;
    Ok(classes.get(&name).and_then(JavaClass::obstacle).map_or(Dynamic::UNIT, Dynamic::from))
}

fn services(call: &mut Call<'_>) -> Result<Dynamic> {
    let (jar, name) = (this(call)?, call.string(1));
    let artifact = call.host.inputs.stored(jar.artifact())?;
    let found = jar::providers(&call.host.services, &artifact, &name)?;
    Ok(Dynamic::from_array(found.into_iter().map(Dynamic::from).collect()))
}
