//! A real git over http: `git http-backend`, called as CGI by a small server on loopback that asks for user and password.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;

/// What the server asks for and has seen.
#[derive(Default)]
struct Known {
    /// `user:password`; anybody may come where there is none.
    login: Option<String>,
    /// The logins that were wrong, in order.
    refused: Vec<String>,
    /// The requests, `GET /jobs.git/info/refs`.
    requests: Vec<String>,
    /// Whether nothing is answered any more.
    hangs: bool,
    /// Whether the next request alone gets no answer.
    hangs_once: bool,
    /// After how many bytes of an answer nothing more comes.
    stops_after: Option<usize>,
    /// What is somewhere else now.
    moved: Option<(String, String)>,
}

/// The server. It ends with the test.
pub(crate) struct GitHttp {
    place: String,
    known: Arc<Mutex<Known>>,
    stop: Arc<AtomicBool>,
}

impl GitHttp {
    /// Serves the repositories below a folder.
    pub(crate) fn start(root: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let (known, stop): (Arc<Mutex<Known>>, Arc<AtomicBool>) = Default::default();
        let root = root.to_owned();
        let (seen, stopped) = (known.clone(), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (root, seen) = (root.clone(), seen.clone());
                // A connection that breaks is the client's to tell.
                std::thread::spawn(move || serve(stream, &root, &seen));
            }
        });
        Self { place, known, stop }
    }

    /// Its host and port.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.place)
    }

    /// Asks for this user and password from now on.
    pub(crate) fn rotate(&self, user: &str, password: &str) {
        let mut known = self.known.lock().unwrap();
        known.login = Some(format!("{user}:{password}"));
        known.refused.clear();
    }

    /// The wrong logins since the password was set.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.known.lock().unwrap().refused.clone()
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.known.lock().unwrap().requests.clone()
    }

    /// Takes connections and answers nothing.
    pub(crate) fn hang(&self, hangs: bool) {
        self.known.lock().unwrap().hangs = hangs;
    }

    /// Answers everything but the next request.
    pub(crate) fn hang_once(&self) {
        self.known.lock().unwrap().hangs_once = true;
    }

    /// Of an answer sends so many bytes at most, and holds the connection then; all of it where none is given.
    pub(crate) fn stop_after(&self, bytes: Option<usize>) {
        self.known.lock().unwrap().stops_after = bytes;
    }

    /// Sends whoever asks for paths below `from` to the same below `to`.
    pub(crate) fn moved(&self, from: &str, to: &str) {
        self.known.lock().unwrap().moved = Some((from.to_owned(), to.to_owned()));
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, which ends then.
        let _ = TcpStream::connect(&self.place);
    }
}

fn serve(stream: TcpStream, root: &PathBuf, known: &Mutex<Known>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (method, target) = line.trim().split_once(' ')?;
    let target = target.split(' ').next()?.to_owned();
    let method = method.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let header = |name: &str| headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    {
        let mut known = known.lock().unwrap();
        known.requests.push(format!("{method} {path}"));
        if known.hangs || std::mem::take(&mut known.hangs_once) {
            drop(known);
            // Until the client goes away.
            let _ = reader.read(&mut [0]);
            return None;
        }
        if let Some((from, to)) = known.moved.clone()
            && let Some(rest) = target.strip_prefix(&from)
        {
            drop(known);
            let host = header("host").unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 301 Moved Permanently\r\nLocation: http://{host}{to}{rest}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            return writer.write_all(answer.as_bytes()).ok();
        }
        if let Some(login) = known.login.clone() {
            let given = header("authorization").and_then(|value| value.strip_prefix("Basic "));
            let given = given.and_then(|given| base64::engine::general_purpose::STANDARD.decode(given).ok());
            let given = given.map(|given| String::from_utf8_lossy(&given).into_owned());
            if given.as_deref() != Some(&login) {
                known.refused.extend(given);
                drop(known);
                let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                return writer.write_all(answer.as_bytes()).ok();
            }
        }
    }
    if header("expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut body = Vec::new();
    if header("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = u64::from_str_radix(size.trim(), 16).ok()?;
            reader.by_ref().take(size).read_to_end(&mut body).ok()?;
            reader.read_line(&mut String::new()).ok()?;
            if size == 0 {
                break;
            }
        }
    } else {
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        reader.by_ref().take(length).read_to_end(&mut body).ok()?;
    }
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &method)
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default())
        .env("REMOTE_USER", "ada")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A backend that does not read it all has answered already.
    let _ = backend.stdin.take().map(|mut stdin| stdin.write_all(&body));
    let output = backend.wait_with_output().ok()?.stdout;
    let split = output.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&output[..split]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let rest: Vec<&str> = head.lines().filter(|line| !line.starts_with("Status: ")).collect();
    let body = &output[split + 4..];
    let answer = format!(
        "HTTP/1.1 {status}\r\n{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        rest.join("\r\n"),
        body.len()
    );
    writer.write_all(answer.as_bytes()).ok()?;
    let stops_after = known.lock().unwrap().stops_after.filter(|most| *most < body.len());
    writer.write_all(&body[..stops_after.unwrap_or(body.len())]).ok()?;
    if stops_after.is_some() {
        // Until the client goes away.
        let _ = reader.read(&mut [0]);
    }
    Some(())
}
