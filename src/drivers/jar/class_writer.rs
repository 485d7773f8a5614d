//! Writes small class files for tests. Tests of the command line have it by its path, so it uses nothing of this crate.

/// A class to write.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClassWriter {
    name: String,
    superclass: String,
    access: u16,
    interfaces: Vec<String>,
    annotations: Vec<String>,
    main: bool,
    /// A method without parameters and the text that it gives.
    text: Option<(String, Gives)>,
    /// The major version.
    version: u16,
    /// A constant of a kind that nobody knows.
    newer: bool,
    /// The flags of its constructor, and what it takes: `()V`.
    constructor: (u16, String),
    /// The flags that the class around it declares.
    inner: Option<u16>,
}

/// How a method comes by its text.
#[derive(Debug, Clone)]
pub(crate) enum Gives {
    /// `ldc`.
    Literal(String),
    /// `getstatic` of a constant of the same class.
    Constant(String),
    /// In some other way.
    Computed,
}

#[derive(Default)]
struct Pool {
    bytes: Vec<u8>,
    count: u16,
}

impl Pool {
    fn add(&mut self, tag: u8, body: &[u8]) -> [u8; 2] {
        self.bytes.push(tag);
        self.bytes.extend(body);
        self.count += 1;
        self.count.to_be_bytes()
    }

    fn utf8(&mut self, text: &str) -> [u8; 2] {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        self.add(1, &[&length, text.as_bytes()].concat())
    }

    fn class(&mut self, name: &str) -> [u8; 2] {
        let name = self.utf8(&name.replace('.', "/"));
        self.add(7, &name)
    }
}

impl ClassWriter {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            superclass: "java.lang.Object".into(),
            access: 0x21,
            version: 52,
            constructor: (1, "()V".into()),
            ..Self::default()
        }
    }

    pub(crate) fn extends(mut self, name: &str) -> Self {
        self.superclass = name.to_owned();
        self
    }

    pub(crate) fn implements(mut self, name: &str) -> Self {
        self.interfaces.push(name.to_owned());
        self
    }

    pub(crate) fn annotated(mut self, name: &str) -> Self {
        self.annotations.push(name.to_owned());
        self
    }

    pub(crate) fn access(mut self, access: u16) -> Self {
        self.access = access;
        self
    }

    pub(crate) fn main(mut self) -> Self {
        self.main = true;
        self
    }

    pub(crate) fn text(mut self, method: &str, gives: Gives) -> Self {
        self.text = Some((method.to_owned(), gives));
        self
    }

    pub(crate) fn version(mut self, version: u16) -> Self {
        self.version = version;
        self
    }

    pub(crate) fn newer(mut self) -> Self {
        self.newer = true;
        self
    }

    /// With these flags, and these parameters.
    pub(crate) fn constructor(mut self, access: u16, takes: &str) -> Self {
        self.constructor = (access, format!("({takes})V"));
        self
    }

    /// Declared with these flags inside of another class.
    pub(crate) fn inner(mut self, access: u16) -> Self {
        self.inner = Some(access);
        self
    }

    /// The name of its entry, and its bytes.
    pub(crate) fn entry(&self) -> (String, Vec<u8>) {
        (format!("{}.class", self.name.replace('.', "/")), self.bytes())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut pool = Pool::default();
        // A constant of two slots, so that counting is under test.
        pool.add(5, &[0; 8]);
        pool.count += 1;
        if self.newer {
            pool.add(99, &[1, 2, 3]);
        }
        let mut body = self.access.to_be_bytes().to_vec();
        body.extend(pool.class(&self.name));
        body.extend(pool.class(&self.superclass));
        body.extend(u16::try_from(self.interfaces.len()).unwrap().to_be_bytes());
        for name in &self.interfaces {
            body.extend(pool.class(name));
        }
        let (mut fields, mut methods) = (Vec::new(), Vec::new());
        if self.access & 0x200 == 0 {
            let (name, descriptor) = (pool.utf8("<init>"), pool.utf8(&self.constructor.1));
            let access = self.constructor.0.to_be_bytes();
            methods.push([&access[..], &name, &descriptor, &[0, 1], &code(&mut pool, &[0xB1])].concat());
        }
        if self.main {
            let (name, descriptor) = (pool.utf8("main"), pool.utf8("([Ljava/lang/String;)V"));
            methods.push([&[0, 9], &name[..], &descriptor, &[0, 1], &code(&mut pool, &[0xB1])].concat());
        }
        if let Some((method, gives)) = &self.text {
            let string = |pool: &mut Pool, text: &str| {
                let text = pool.utf8(text);
                pool.add(8, &text)
            };
            let instructions = match gives {
                Gives::Literal(text) => {
                    let [high, low] = string(&mut pool, text);
                    vec![0x13, high, low, 0xB0]
                }
                Gives::Constant(text) => {
                    let value = string(&mut pool, text);
                    let (name, descriptor) = (pool.utf8("IDENTIFIER"), pool.utf8("Ljava/lang/String;"));
                    let attribute = pool.utf8("ConstantValue");
                    fields.push(
                        [&[0, 0x19], &name[..], &descriptor, &[0, 1], &attribute, &[0, 0, 0, 2], &value].concat(),
                    );
                    let class = pool.class(&self.name);
                    let name_and_type = pool.add(12, &[name, descriptor].concat());
                    let [high, low] = pool.add(9, &[class, name_and_type].concat());
                    vec![0xB2, high, low, 0xB0]
                }
                Gives::Computed => vec![0x2A, 0x57, 0x01, 0xB0],
            };
            let (name, descriptor) = (pool.utf8(method), pool.utf8("()Ljava/lang/String;"));
            methods.push([&[0, 1], &name[..], &descriptor, &[0, 1], &code(&mut pool, &instructions)].concat());
        }
        for members in [&fields, &methods] {
            body.extend(u16::try_from(members.len()).unwrap().to_be_bytes());
            body.extend(members.concat());
        }
        body.extend((u16::from(!self.annotations.is_empty()) + u16::from(self.inner.is_some())).to_be_bytes());
        if let Some(access) = self.inner {
            let (attribute, class) = (pool.utf8("InnerClasses"), pool.class(&self.name));
            // One of another class that this file names, and then this one.
            let other = pool.class("a.Other$In");
            body.extend(
                [&attribute[..], &[0, 0, 0, 18, 0, 2], &other, &[0, 0, 0, 0, 0, 2], &class, &[0, 0, 0, 0]].concat(),
            );
            body.extend(access.to_be_bytes());
        }
        if !self.annotations.is_empty() {
            let attribute = pool.utf8("RuntimeVisibleAnnotations");
            let mut inner = u16::try_from(self.annotations.len()).unwrap().to_be_bytes().to_vec();
            for name in &self.annotations {
                inner.extend(pool.utf8(&format!("L{};", name.replace('.', "/"))));
                // One element: an array of two numbers.
                inner.extend([0, 1, 0, 1, b'[', 0, 2, b'I', 0, 1, b'I', 0, 1]);
            }
            body.extend(attribute);
            body.extend(u32::try_from(inner.len()).unwrap().to_be_bytes());
            body.extend(inner);
        }
        let mut bytes = 0xCAFE_BABE_u32.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(self.version.to_be_bytes());
        bytes.extend((pool.count + 1).to_be_bytes());
        bytes.extend(pool.bytes);
        bytes.extend(body);
        bytes
    }
}

fn code(pool: &mut Pool, instructions: &[u8]) -> Vec<u8> {
    let attribute = pool.utf8("Code");
    let length = u32::try_from(instructions.len()).unwrap();
    let body = [&[0, 1, 0, 1], &length.to_be_bytes()[..], instructions, &[0, 0, 0, 0]].concat();
    [&attribute[..], &u32::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
}
