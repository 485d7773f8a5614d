//! What a class in a jar is, and which classes of a jar somebody asks for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use crate::base::suggest;

const PUBLIC: u16 = 0x0001;
const PRIVATE: u16 = 0x0002;
const INTERFACE: u16 = 0x0200;
const ABSTRACT: u16 = 0x0400;
const SYNTHETIC: u16 = 0x1000;
const ENUM: u16 = 0x4000;

/// What the interfaces and base classes of Flink that jobs and connectors are made of extend, a line each, as Flink 1.20 has
/// it: the name, the superclass, the interfaces. No jar of a job holds them.
const OF_FLINK: &str = include_str!("flink_types.txt");

static FLINK: LazyLock<Vec<JavaClass>> = LazyLock::new(|| {
    let full = |name: &str| format!("org.apache.flink.{name}");
    let class = |line: &str| {
        let mut words = line.split(' ');
        let (name, superclass, interfaces) = (words.next()?, words.next()?, words.next()?);
        Some(JavaClass {
            name: full(name),
            superclass: (superclass != "-").then(|| full(superclass)),
            interfaces: interfaces.split(',').filter(|one| *one != "-").map(full).collect(),
            ..JavaClass::default()
        })
    };
    OF_FLINK.lines().filter_map(class).collect()
});

/// A class, an interface, an enum or an annotation of a jar.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JavaClass {
    /// The full name, with dots; inner classes as `com.acme.Outer$Inner`.
    pub name: String,
    /// What it extends.
    pub superclass: Option<String>,
    /// What it implements, or extends where it is an interface.
    pub interfaces: Vec<String>,
    /// The annotations that it carries itself.
    pub annotations: Vec<String>,
    /// Its access flags, as reflection gives them: those of an inner class are what its outer one declares.
    pub access: u16,
    /// Whether it belongs to an object of the class that it lies in: an inner class that is not static.
    pub is_bound: bool,
    /// The access flags of its constructor without arguments; none where it has none.
    pub constructor: Option<u16>,
    /// The Java that it was built for: 17.
    pub java: u16,
    /// Whether it has a `public static void main(String[])` itself.
    pub has_main: bool,
}

impl JavaClass {
    /// Why no object can be made of it by reflection, without arguments: "it is abstract"; none where one can.
    pub fn obstacle(&self) -> Option<&'static str> {
        let is = |flag: u16| self.access & flag != 0;
        match self.constructor {
            _ if is(INTERFACE) => Some("it is an interface"),
            // Before `abstract`: an enum whose constants have bodies is both.
            _ if is(ENUM) => Some("it is an enum"),
            _ if is(ABSTRACT) => Some("it is abstract"),
            _ if self.is_bound => Some("it is an inner class that is not static"),
            _ if is(PRIVATE) => Some("it is private"),
            None => Some("it has no constructor without arguments"),
            Some(access) if access & PRIVATE != 0 => Some("its constructor without arguments is private"),
            Some(_) => None,
        }
    }

    /// Whether it is public, and may be started from anywhere.
    pub fn is_public(&self) -> bool {
        self.access & PUBLIC != 0
    }

    /// Whether a source names it: anonymous classes, and those of a compiler, have no name to speak of.
    fn is_named(&self) -> bool {
        self.access & SYNTHETIC == 0
            && !self.name.split('$').skip(1).any(|part| part.starts_with(|c: char| c.is_ascii_digit()))
    }
}

/// Which classes are asked for: all keys must hold. Names are full or short.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// An interface, also one of a superclass or of an interface.
    pub implements: Option<String>,
    /// A superclass, direct or not.
    pub extends: Option<String>,
    /// An annotation of the class itself.
    pub annotated_with: Option<String>,
    /// A package, with those below it.
    pub in_package: Option<String>,
    /// All, those too of which no object can be made.
    pub with_abstract: bool,
}

/// The classes of a jar.
#[derive(Debug, Clone, Default)]
pub struct Classes {
    /// Sorted by name, each name once.
    sorted: Vec<JavaClass>,
    /// Those of other jars, which tell what the own ones extend, and are not asked for.
    beyond: Vec<JavaClass>,
}

impl Classes {
    /// These classes; of two of one name the first, as a class loader does.
    pub fn new(classes: impl IntoIterator<Item = JavaClass>) -> Self {
        let mut sorted: Vec<JavaClass> = classes.into_iter().collect();
        // In jars they are nearly sorted: a stable sort is quick at that, and leaves the first in front.
        sorted.sort_by(|one, other| one.name.cmp(&other.name));
        sorted.dedup_by(|later, earlier| later.name == earlier.name);
        Self { sorted, beyond: Vec::new() }
    }

    /// These classes, whose superclasses and interfaces are followed into those of other jars.
    #[must_use]
    pub fn beside(mut self, others: impl IntoIterator<Item = Self>) -> Self {
        self.beyond.extend(others.into_iter().flat_map(|other| other.sorted));
        self
    }

    /// All classes that tell what extends what: the own ones, those of other jars, and Flink's.
    fn telling(&self) -> impl Iterator<Item = &JavaClass> {
        self.sorted.iter().chain(&self.beyond).chain(FLINK.iter())
    }

    /// One class, by its full name.
    pub fn get(&self, name: &str) -> Option<&JavaClass> {
        let index = self.sorted.binary_search_by(|class| class.name.as_str().cmp(name)).ok()?;
        self.sorted.get(index)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &JavaClass> {
        self.sorted.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether a class is public and has a `main`, its own or one of a superclass in the jar.
    pub fn has_main(&self, name: &str) -> bool {
        let Some(class) = self.get(name).filter(|class| class.is_public()) else { return false };
        class.has_main
            || self.superclasses(name).into_iter().any(|name| self.get(name).is_some_and(|class| class.has_main))
    }

    /// The superclasses of a class, as far as they are in the jar, and the first that is not.
    pub fn superclasses<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        let mut next = self.get(name).and_then(|class| class.superclass.as_deref());
        while let Some(name) = next {
            // A file can claim anything, circles too.
            if found.contains(&name) {
                break;
            }
            found.push(name);
            next = self.get(name).and_then(|class| class.superclass.as_deref());
        }
        found
    }

    /// The classes of which `is_one` holds, and those below them: what extends one of them, or implements or extends it
    /// as an interface.
    fn and_below(&self, is_one: impl Fn(&JavaClass) -> bool) -> HashSet<&str> {
        let mut below: HashMap<&str, Vec<&JavaClass>> = HashMap::new();
        for class in self.telling() {
            for above in class.superclass.iter().chain(&class.interfaces) {
                below.entry(above).or_default().push(class);
            }
        }
        let mut open: Vec<&JavaClass> = self.telling().filter(|class| is_one(class)).collect();
        let mut found = HashSet::new();
        while let Some(class) = open.pop() {
            // A file can claim anything, circles too.
            if found.insert(class.name.as_str()) {
                open.extend(below.get(class.name.as_str()).into_iter().flatten());
            }
        }
        found
    }

    /// The full names of the classes that are asked for, sorted.
    pub fn find(&self, filter: &Filter) -> Vec<String> {
        let below = |wanted: &Option<String>, above: fn(&JavaClass) -> &[String]| {
            let wanted = wanted.as_deref()?;
            Some(self.and_below(|class| above(class).iter().any(|name| is_named(name, wanted))))
        };
        let implementing = below(&filter.implements, |class| &class.interfaces);
        let extending = below(&filter.extends, |class| class.superclass.as_slice());
        let is_in = |found: &Option<HashSet<&str>>, name: &str| found.as_ref().is_none_or(|found| found.contains(name));
        let carries = |class: &JavaClass, wanted: &str| class.annotations.iter().any(|name| is_named(name, wanted));
        let fits = |class: &&JavaClass| {
            class.is_named()
                && (filter.with_abstract || class.obstacle().is_none())
                && filter.in_package.as_ref().is_none_or(|package| lies_in(&class.name, package))
                && filter.annotated_with.as_ref().is_none_or(|wanted| carries(class, wanted))
                && is_in(&extending, &class.name)
                && is_in(&implementing, &class.name)
        };
        self.iter().filter(fits).map(|class| class.name.clone()).collect()
    }

    /// The package that was meant by one in which, and below which, nothing lies; none where something does, or none is near.
    pub fn package_meant_by(&self, package: &str) -> Option<String> {
        if self.iter().any(|class| lies_in(&class.name, package)) {
            return None;
        }
        let mut known = BTreeSet::new();
        for class in self.iter() {
            let mut rest = class.name.as_str();
            while let Some((above, _)) = rest.rsplit_once('.') {
                known.insert(above);
                rest = above;
            }
        }
        suggest::nearest(package, known).map(str::to_owned)
    }

    /// The name that was meant by one that stands nowhere in the jar, neither as a class nor as what a class extends,
    /// implements or carries, and is none of Flink's that are known; none where it stands there, or none is near.
    pub fn meant_by(&self, name: &str) -> Option<String> {
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for class in self.iter() {
            known.insert(&class.name);
            known
                .extend(class.superclass.iter().chain(&class.interfaces).chain(&class.annotations).map(String::as_str));
        }
        let beyond = self.beyond.iter().chain(FLINK.iter());
        let mut names = beyond.flat_map(|class| {
            let above = class.superclass.iter().chain(&class.interfaces).chain(&class.annotations);
            std::iter::once(&class.name).chain(above).map(String::as_str)
        });
        if known.iter().any(|one| is_named(one, name)) || names.any(|one| is_named(one, name)) {
            return None;
        }
        let is_short = !name.contains('.');
        suggest::nearest(name, known.into_iter().map(|one| if is_short { short(one) } else { one })).map(str::to_owned)
    }

    /// The class that was meant by the full name of one that is not there: one of that short name, else one whose short name
    /// is near, in the same package first.
    pub fn near(&self, name: &str) -> Option<&str> {
        let package = |name: &str| name.len() - short(name).len();
        let named = || self.iter().filter(|class| class.is_named()).map(|class| class.name.as_str());
        let of_short = |wanted: &str, only: &dyn Fn(&str) -> bool| {
            named().filter(|one| only(one)).find(|one| short(one) == wanted)
        };
        let nearest = |only: &dyn Fn(&str) -> bool| {
            let meant = suggest::nearest(short(name), named().filter(|one| only(one)).map(short))?;
            of_short(meant, only)
        };
        let beside = |one: &str| one[..package(one)] == name[..package(name)];
        of_short(short(name), &|_| true).or_else(|| nearest(&beside)).or_else(|| nearest(&|_| true))
    }

    /// The classes with a `main`, those first whose name is near to `name`.
    pub fn with_main(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<&JavaClass> =
            self.iter().filter(|class| class.is_named() && self.has_main(&class.name)).collect();
        found.sort_by_cached_key(|class| {
            (
                strsim::damerau_levenshtein(&short(&class.name).to_lowercase(), &short(name).to_lowercase()),
                class.name.clone(),
            )
        });
        found.into_iter().map(|class| class.name.as_str()).collect()
    }
}

/// Whether a class lies in a package, or in one below it.
fn lies_in(name: &str, package: &str) -> bool {
    name.strip_prefix(package).is_some_and(|rest| rest.starts_with('.'))
}

/// The name without its package and the classes that it lies in.
fn short(name: &str) -> &str {
    name.rsplit(['.', '$']).next().unwrap_or(name)
}

/// Whether a class is the one that somebody wrote: in full, by its short name, or an inner one with dots.
fn is_named(name: &str, wanted: &str) -> bool {
    name == wanted
        || !wanted.contains(['.', '$']) && short(name) == wanted
        || name.contains('$') && name.len() == wanted.len() && name.replace('$', ".") == wanted.replace('$', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, superclass: &str, interfaces: &[&str]) -> JavaClass {
        JavaClass {
            name: name.to_owned(),
            superclass: Some(superclass.to_owned()),
            interfaces: interfaces.iter().map(ToString::to_string).collect(),
            access: PUBLIC,
            constructor: Some(PUBLIC),
            ..JavaClass::default()
        }
    }

    #[test]
    fn objects_are_made_of_what_reflection_can_make_them_of() {
        let obstacle = |access: u16, is_bound: bool, constructor: Option<u16>| {
            JavaClass { access, is_bound, constructor, ..class("a.A", "java.lang.Object", &[]) }.obstacle()
        };
        for access in [PUBLIC, 0, 0x10] {
            assert_eq!(obstacle(access, false, Some(PUBLIC)), None);
            assert_eq!(obstacle(access, false, Some(0)), None);
        }
        assert_eq!(obstacle(INTERFACE | ABSTRACT, false, None), Some("it is an interface"));
        assert_eq!(obstacle(ABSTRACT, false, Some(PUBLIC)), Some("it is abstract"));
        assert_eq!(obstacle(ENUM | ABSTRACT, false, None), Some("it is an enum"));
        assert_eq!(obstacle(PUBLIC, true, Some(PUBLIC)), Some("it is an inner class that is not static"));
        assert_eq!(obstacle(PRIVATE, false, Some(0)), Some("it is private"));
        assert_eq!(obstacle(PUBLIC, false, None), Some("it has no constructor without arguments"));
        assert_eq!(obstacle(PUBLIC, false, Some(PRIVATE)), Some("its constructor without arguments is private"));
    }

    fn jar() -> Classes {
        Classes::new([
            JavaClass { access: PUBLIC | INTERFACE | ABSTRACT, ..class("a.Job", "java.lang.Object", &[]) },
            JavaClass { access: PUBLIC | INTERFACE | ABSTRACT, ..class("a.TimedJob", "java.lang.Object", &["a.Job"]) },
            JavaClass {
                access: PUBLIC | ABSTRACT,
                has_main: true,
                ..class("a.Base", "java.lang.Object", &["a.TimedJob"])
            },
            class("a.b.One", "a.Base", &[]),
            JavaClass { annotations: vec!["x.Nightly".into()], ..class("a.b.Two", "java.lang.Object", &["a.Job"]) },
            class("a.b.Two$1", "java.lang.Object", &["a.Job"]),
            class("a.b.Two$Inner", "a.b.One", &[]),
            class("ab.Other", "ab.Other", &[]),
        ])
    }

    fn find(filter: Filter) -> Vec<String> {
        jar().find(&filter)
    }

    #[test]
    fn filters_follow_superclasses_and_interfaces() {
        let implements = |name: &str| Filter { implements: Some(name.to_owned()), ..Filter::default() };
        assert_eq!(find(implements("Job")), ["a.b.One", "a.b.Two", "a.b.Two$Inner"]);
        assert_eq!(find(implements("a.TimedJob")), ["a.b.One", "a.b.Two$Inner"]);
        assert_eq!(
            find(Filter { with_abstract: true, ..implements("a.TimedJob") }),
            ["a.Base", "a.b.One", "a.b.Two$Inner"]
        );
        assert_eq!(find(Filter { extends: Some("Base".into()), ..Filter::default() }), ["a.b.One", "a.b.Two$Inner"]);
        assert_eq!(find(Filter { extends: Some("Base".into()), ..implements("Nothing") }), [""; 0]);
        assert_eq!(find(Filter { annotated_with: Some("Nightly".into()), ..implements("Job") }), ["a.b.Two"]);
        assert_eq!(find(Filter { in_package: Some("a".into()), ..Filter::default() }).len(), 3);
        // It claims to extend itself.
        assert_eq!(find(Filter { extends: Some("ab.Other".into()), ..Filter::default() }), ["ab.Other"]);
    }

    #[test]
    fn superclasses_are_followed_beyond_the_jar() {
        let factories = "org.apache.flink.table.factories";
        let source = format!("{factories}.DynamicTableSourceFactory");
        let kafka = || Classes::new([class("k.Kafka", "a.Base", &[source.as_str()]), class("k.Other", "a.Base", &[])]);
        let implements = |name: &str| Filter { implements: Some(name.to_owned()), ..Filter::default() };
        for name in ["DynamicTableFactory", "Factory", "org.apache.flink.table.factories.DynamicTableFactory"] {
            assert_eq!(kafka().find(&implements(name)), ["k.Kafka"], "{name}");
            assert_eq!(kafka().meant_by(name), None);
        }
        assert_eq!(kafka().find(&implements("DynamicTableSinkFactory")), [""; 0]);
        // What only another jar tells is known when it is given, and its classes are not among what is found.
        assert_eq!(kafka().find(&implements("Job")), [""; 0]);
        assert_eq!(kafka().beside([jar()]).find(&implements("Job")), ["k.Kafka", "k.Other"]);
        assert_eq!(kafka().beside([jar()]).meant_by("Job"), None);
        assert!(
            FLINK.len() > 100 && FLINK.iter().all(|class| class.superclass.is_some() || !class.interfaces.is_empty())
        );
    }

    #[test]
    fn a_misspelt_package_has_a_near_name() {
        for (package, near) in [("a.c", Some("a.b")), ("a", None), ("a.b", None), ("org.apache", None)] {
            assert_eq!(jar().package_meant_by(package).as_deref(), near, "{package}");
        }
    }

    #[test]
    fn a_main_can_be_inherited() {
        assert!(jar().has_main("a.b.One") && jar().has_main("a.b.Two$Inner"));
        assert!(!jar().has_main("a.b.Two") && !jar().has_main("ab.Other") && !jar().has_main("none"));
        assert_eq!(jar().with_main("a.b.Onne")[0], "a.b.One");
    }

    #[test]
    fn what_stands_nowhere_has_a_near_name() {
        assert_eq!(jar().meant_by("TimdJob").as_deref(), Some("TimedJob"));
        assert_eq!(jar().meant_by("a.TimdJob").as_deref(), Some("a.TimedJob"));
        assert_eq!(jar().meant_by("Nightly"), None);
        assert_eq!(jar().meant_by("org.apache.flink.Something"), None);
        for (name, near) in [
            ("a.b.Oen", Some("a.b.One")),
            ("x.y.One", Some("a.b.One")),
            ("x.y.Bsae", Some("a.Base")),
            ("a.b.Far", None),
        ] {
            assert_eq!(jar().near(name), near, "{name}");
        }
        assert!(is_named("a.b.Two$Inner", "a.b.Two.Inner") && is_named("a.b.Two$Inner", "Inner"));
    }
}
