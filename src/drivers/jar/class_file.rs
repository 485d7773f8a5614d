//! A class file, as far as it says what a class is: its names, flags, annotations, methods and constants.
//!
//! Source: the Java Virtual Machine Specification (SE 21), chapter 4. Newer files may hold constants that are not known
//! here: such a file cannot be read further, and [`ClassFile::read`] gives nothing.

use std::borrow::Cow;

/// What every class file starts with.
const MAGIC: u32 = 0xCAFE_BABE;

const PUBLIC: u16 = 0x0001;
const STATIC: u16 = 0x0008;
const FINAL: u16 = 0x0010;

/// Instructions (chapter 6.5).
const LDC: u8 = 0x12;
const LDC_W: u8 = 0x13;
const GETSTATIC: u8 = 0xB2;
const ARETURN: u8 = 0xB0;

/// A class file taken apart; nothing is copied.
#[derive(Debug)]
pub(super) struct ClassFile<'a> {
    bytes: &'a [u8],
    /// Where each constant begins, its tag included; 0 where there is none.
    pool: Vec<u32>,
    access: u16,
    this: u16,
    superclass: u16,
    interfaces: Vec<u16>,
    fields: Vec<Member>,
    methods: Vec<Member>,
    annotations: Vec<u16>,
    /// The major version.
    pub(super) version: u16,
    /// What the class that it lies in says of it, where it is an inner one.
    inner: Option<u16>,
}

#[derive(Debug)]
struct Member {
    access: u16,
    name: u16,
    descriptor: u16,
    /// The instructions of a method, by where they begin and end.
    code: Option<(usize, usize)>,
    /// The constant of a field.
    constant: u16,
}

/// The text that a method gives, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// This one.
    Constant(String),
    /// What a static field of another class holds: class and field.
    Field(String, String),
    /// It is computed.
    Computed,
}

/// Whether bytes start as a class file does.
pub(super) fn is_class_file(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC.to_be_bytes())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.u32()?).ok()
    }
}

impl<'a> ClassFile<'a> {
    /// Takes a class file apart; none where it is none, is cut off, or is newer than what is known here.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.u32()? != MAGIC {
            return None;
        }
        reader.take(2)?;
        // Whatever the version: what is not known shows itself.
        let version = reader.u16()?;
        let pool = pool(&mut reader)?;
        let access = reader.u16()?;
        let (this, superclass) = (reader.u16()?, reader.u16()?);
        let count = reader.u16()?;
        let interfaces = (0..count).map(|_| reader.u16()).collect::<Option<_>>()?;
        let mut file = Self {
            bytes,
            pool,
            access,
            this,
            superclass,
            interfaces,
            fields: Vec::new(),
            methods: Vec::new(),
            annotations: Vec::new(),
            version,
            inner: None,
        };
        file.fields = file.members(&mut reader)?;
        file.methods = file.members(&mut reader)?;
        file.attributes(&mut reader)?;
        Some(file)
    }

    fn members(&self, reader: &mut Reader<'a>) -> Option<Vec<Member>> {
        let count = reader.u16()?;
        let mut members = Vec::new();
        for _ in 0..count {
            let (access, name, descriptor) = (reader.u16()?, reader.u16()?, reader.u16()?);
            let mut member = Member { access, name, descriptor, code: None, constant: 0 };
            for _ in 0..reader.u16()? {
                let (attribute, length) = (reader.u16()?, reader.length()?);
                let start = reader.at;
                reader.take(length)?;
                match self.utf8(attribute) {
                    // max_stack, max_locals, code_length, code
                    Some(b"Code") => {
                        let mut code = Reader { bytes: self.bytes, at: start };
                        code.take(4)?;
                        let length = code.length()?;
                        let end = code.at.checked_add(length).filter(|end| *end <= reader.at)?;
                        member.code = Some((code.at, end));
                    }
                    Some(b"ConstantValue") => member.constant = Reader { bytes: self.bytes, at: start }.u16()?,
                    _ => {}
                }
            }
            members.push(member);
        }
        Some(members)
    }

    /// The types of the annotations that the class itself carries, and what it is inside of another class.
    fn attributes(&mut self, reader: &mut Reader<'a>) -> Option<()> {
        for _ in 0..reader.u16()? {
            let (attribute, length) = (reader.u16()?, reader.length()?);
            let mut body = Reader { bytes: reader.take(length)?, at: 0 };
            match self.utf8(attribute) {
                Some(b"RuntimeVisibleAnnotations" | b"RuntimeInvisibleAnnotations") => {
                    for _ in 0..body.u16()? {
                        self.annotations.push(body.u16()?);
                        for _ in 0..body.u16()? {
                            body.u16()?;
                            skip_value(&mut body, 0)?;
                        }
                    }
                }
                // It lists every inner class that this file names, this one among them.
                Some(b"InnerClasses") => {
                    for _ in 0..body.u16()? {
                        let (class, _outer, _name, access) = (body.u16()?, body.u16()?, body.u16()?, body.u16()?);
                        if class == self.this || self.class(class).is_some_and(|class| Some(class) == self.name()) {
                            self.inner = Some(access);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(())
    }

    fn constant(&self, index: u16) -> Option<(u8, Reader<'a>)> {
        let at = usize::try_from(*self.pool.get(usize::from(index))?).ok().filter(|at| *at > 0)?;
        Some((*self.bytes.get(at)?, Reader { bytes: self.bytes, at: at + 1 }))
    }

    fn utf8(&self, index: u16) -> Option<&'a [u8]> {
        let (tag, mut reader) = self.constant(index)?;
        let length = (tag == 1).then(|| reader.u16()).flatten()?;
        reader.take(length.into())
    }

    fn text(&self, index: u16) -> Option<Cow<'a, str>> {
        self.utf8(index).map(String::from_utf8_lossy)
    }

    /// The name of a class constant, with dots.
    fn class(&self, index: u16) -> Option<String> {
        let (tag, mut reader) = self.constant(index)?;
        let name = (tag == 7).then(|| reader.u16()).flatten()?;
        self.text(name).map(|name| name.replace('/', "."))
    }

    /// The flags as reflection gives them: an inner class is as its outer one declares it.
    pub(super) fn access(&self) -> u16 {
        self.inner.unwrap_or(self.access)
    }

    /// Whether it belongs to an object of the class that it lies in.
    pub(super) fn is_bound(&self) -> bool {
        self.inner.is_some_and(|access| access & STATIC == 0)
    }

    /// The flags of the constructor without arguments; none where there is none.
    pub(super) fn constructor(&self) -> Option<u16> {
        let is_it = |method: &&Member| {
            self.utf8(method.name) == Some(b"<init>") && self.utf8(method.descriptor) == Some(b"()V")
        };
        self.methods.iter().find(is_it).map(|method| method.access)
    }

    /// The full name, with dots.
    pub(super) fn name(&self) -> Option<String> {
        self.class(self.this)
    }

    /// What it extends; none for `Object` and modules.
    pub(super) fn superclass(&self) -> Option<String> {
        self.class(self.superclass)
    }

    /// What it implements, or extends where it is an interface itself.
    pub(super) fn interfaces(&self) -> Vec<String> {
        self.interfaces.iter().filter_map(|index| self.class(*index)).collect()
    }

    /// The names of its annotations.
    pub(super) fn annotations(&self) -> Vec<String> {
        let names = self.annotations.iter().filter_map(|index| self.text(*index));
        names.filter_map(|name| Some(name.strip_prefix('L')?.strip_suffix(';')?.replace('/', "."))).collect()
    }

    /// Whether it has a `public static void main(String[])` itself.
    pub(super) fn has_main(&self) -> bool {
        self.methods.iter().any(|method| {
            method.access & (PUBLIC | STATIC) == PUBLIC | STATIC
                && self.utf8(method.name) == Some(b"main")
                && self.utf8(method.descriptor) == Some(b"([Ljava/lang/String;)V")
        })
    }

    /// What a method without parameters gives where it gives a text; none where it has no such method.
    pub(super) fn text_of_method(&self, name: &str) -> Option<Text> {
        let method = self.methods.iter().find(|method| {
            self.utf8(method.name) == Some(name.as_bytes())
                && self.utf8(method.descriptor) == Some(b"()Ljava/lang/String;")
                && method.code.is_some()
        })?;
        let (start, end) = method.code?;
        let text = match self.bytes.get(start..end)? {
            [LDC, index, ARETURN] => self.string(u16::from(*index)).map(Text::Constant),
            [LDC_W, high, low, ARETURN] => self.string(u16::from_be_bytes([*high, *low])).map(Text::Constant),
            [GETSTATIC, high, low, ARETURN] => self.field(u16::from_be_bytes([*high, *low])),
            _ => None,
        };
        Some(text.unwrap_or(Text::Computed))
    }

    fn string(&self, index: u16) -> Option<String> {
        let (tag, mut reader) = self.constant(index)?;
        let text = (tag == 8).then(|| reader.u16()).flatten()?;
        self.text(text).map(Cow::into_owned)
    }

    /// What a field of this class holds, or which one of another class it is.
    fn field(&self, index: u16) -> Option<Text> {
        let (tag, mut reader) = self.constant(index)?;
        (tag == 9).then_some(())?;
        let (class, name_and_type) = (self.class(reader.u16()?)?, reader.u16()?);
        let (_, mut reader) = self.constant(name_and_type)?;
        let name = self.text(reader.u16()?)?.into_owned();
        if Some(&class) == self.name().as_ref() {
            return Some(self.text_of_field(&name).map_or(Text::Computed, Text::Constant));
        }
        Some(Text::Field(class, name))
    }

    /// The text of a `static final String` whose value stands in the class file.
    pub(super) fn text_of_field(&self, name: &str) -> Option<String> {
        let field = self.fields.iter().find(|field| {
            field.access & (STATIC | FINAL) == STATIC | FINAL && self.utf8(field.name) == Some(name.as_bytes())
        })?;
        self.string(field.constant)
    }
}

/// Where each constant of the pool begins.
fn pool(reader: &mut Reader<'_>) -> Option<Vec<u32>> {
    let count = usize::from(reader.u16()?);
    let mut pool = vec![0; count];
    let mut index = 1;
    while index < count {
        pool[index] = u32::try_from(reader.at).ok()?;
        let (length, slots) = match reader.u8()? {
            1 => (usize::from(reader.u16()?), 1),
            7 | 8 | 16 | 19 | 20 => (2, 1),
            15 => (3, 1),
            3 | 4 | 9..=12 | 17 | 18 => (4, 1),
            // Long and Double take two numbers.
            5 | 6 => (8, 2),
            _ => return None,
        };
        reader.take(length)?;
        index += slots;
    }
    Some(pool)
}

/// Steps over the value of an annotation's element. Values can lie in each other; no compiler makes a hundred.
fn skip_value(reader: &mut Reader<'_>, depth: usize) -> Option<()> {
    if depth > 100 {
        return None;
    }
    match reader.u8()? {
        b'e' => reader.take(4).map(drop),
        b'@' => {
            reader.u16()?;
            for _ in 0..reader.u16()? {
                reader.u16()?;
                skip_value(reader, depth + 1)?;
            }
            Some(())
        }
        b'[' => {
            for _ in 0..reader.u16()? {
                skip_value(reader, depth + 1)?;
            }
            Some(())
        }
        _ => reader.u16().map(drop),
    }
}
