//! As much HTTP/1.1 as a client of Flink uses: one request a connection, bodies with a length.

use std::io::{BufRead, Error, ErrorKind, Read};

use serde_json::{Value, json};

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json; charset=UTF-8", body: body.to_string().into_bytes() }
    }

    /// A body that is JSON already: a captured answer.
    pub fn captured(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: "application/json; charset=UTF-8", body: body.into() }
    }

    pub fn html(status: u16, text: &str) -> Self {
        let body = format!("<html><head><title>{text}</title></head><body>{text}</body></html>").into_bytes();
        Self { status, content_type: "text/html", body }
    }

    pub fn text(body: &[u8]) -> Self {
        Self { status: 200, content_type: "text/plain; charset=UTF-8", body: body.to_vec() }
    }

    /// Flink's refusal.
    pub fn errors(status: u16, trace: &str) -> Self {
        Self::json(status, &json!({ "errors": [trace] }))
    }

    /// Flink's answer when it failed itself.
    pub fn server_error(trace: &str) -> Self {
        let wrapped = format!("<Exception on server side:\n{trace}\n\nEnd of exception on server side>");
        Self::json(500, &json!({ "errors": ["Internal server error.", wrapped] }))
    }

    pub(super) fn head(&self) -> Vec<u8> {
        format!(
            "HTTP/1.1 {} x\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.status,
            self.content_type,
            self.body.len()
        )
        .into_bytes()
    }
}

/// A request.
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query, unescaped.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_upload(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("multipart/"))
    }

    /// Name and content of the first file of an upload.
    pub(super) fn file(&self) -> Option<(String, Vec<u8>)> {
        let boundary = self.header("content-type")?.split_once("boundary=")?.1.trim_matches('"').to_owned();
        let head_end = find(&self.body, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&self.body[..head_end]).into_owned();
        let name = head.split_once("filename=\"")?.1.split_once('"')?.0.to_owned();
        let content = &self.body[head_end + 4..];
        let end = find(content, format!("\r\n--{boundary}").as_bytes())?;
        Some((name, content[..end].to_vec()))
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The head of a request; nothing where the connection closes before one.
pub(super) fn read_head(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(Error::new(ErrorKind::InvalidData, line));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: unescape(path),
        query: unescape(query),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(Some(request)) };
        request.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
}

pub(super) fn read_body(reader: &mut impl Read, request: &mut Request) -> std::io::Result<()> {
    assert!(request.header("transfer-encoding").is_none(), "the fake reads only bodies with a length");
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
