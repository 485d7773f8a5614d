//! A proxy on loopback that hands everything on to a cluster, and records what was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The proxy; it ends with the value.
pub(crate) struct Recorder {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
}

impl Recorder {
    /// A proxy in front of `http://host:port`.
    pub(crate) fn before(url: &str) -> Self {
        let target = url.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Self { address: listener.local_addr().unwrap(), asked: Arc::default(), ends: Arc::default() };
        let (asked, ends) = (Arc::clone(&recorder.asked), Arc::clone(&recorder.ends));
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (asked, target) = (Arc::clone(&asked), target.clone());
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || hand_on(&connection, &target, &asked).ok());
            }
        });
        recorder
    }

    /// Its own address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked since the last time: `GET /jobs/overview`.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

/// One request a connection: both sides are told to close after it, so none is missed.
fn hand_on(client: &TcpStream, target: &str, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_ascii_whitespace();
    let request = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
    asked.lock().unwrap().push(request);
    let mut head = line.clone();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        if !line.to_ascii_lowercase().starts_with("connection:") {
            head.push_str(&line);
        }
    }
    head.push_str("connection: close\r\n\r\n");
    let server = TcpStream::connect(target)?;
    (&server).write_all(head.as_bytes())?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if (&server).write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
        });
        std::io::copy(&mut &server, &mut &*client).ok();
        client.shutdown(Shutdown::Both).ok();
    });
    Ok(())
}
