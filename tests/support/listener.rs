//! A server on loopback that answers what a test says, half of it, or nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What a connection gets.
pub(crate) enum Answer {
    /// This, and then the end.
    Whole(String),
    /// This, and then nothing more, until the client goes away.
    Begun(Vec<u8>),
}

/// The server. It ends with the test.
pub(crate) struct Listener {
    place: String,
    heard: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
}

impl Listener {
    /// Hears the head of each HTTP request, and answers it.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(answer, true)
    }

    /// Says this to whoever comes, unasked, and then nothing more.
    pub(crate) fn that_says(greeting: &[u8]) -> Self {
        let greeting = greeting.to_owned();
        Self::serve(move |_| Answer::Begun(greeting.clone()), false)
    }

    fn serve(answer: impl Fn(&str) -> Answer + Send + Sync + 'static, listens: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let (heard, stop): (Arc<Mutex<Vec<String>>>, Arc<AtomicBool>) = Default::default();
        let (seen, stopped, answer) = (heard.clone(), stop.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, answer) = (seen.clone(), answer.clone());
                // A connection that breaks is the client's to tell.
                std::thread::spawn(move || talk(stream, &seen, &*answer, listens));
            }
        });
        Self { place, heard, stop }
    }

    /// Its host and port.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// What came so far: the heads of requests, or empty texts where it does not listen.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, which ends then.
        let _ = TcpStream::connect(&self.place);
    }
}

fn talk(
    stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str) -> Answer + Send + Sync),
    listens: bool,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while listens && !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        seen.lock().unwrap().push(head.clone());
        match answer(&head) {
            Answer::Whole(text) => writer.write_all(text.as_bytes()).ok()?,
            Answer::Begun(bytes) => {
                writer.write_all(&bytes).ok()?;
                // Until the client goes away.
                let _ = reader.read_to_end(&mut Vec::new());
                return None;
            }
        }
    }
}
