//! Ports of the loopback address that refuse for a while, and that nobody else can get meanwhile.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;

/// A listener whose port stays its own when it is closed by [`refuse`].
pub fn listener() -> TcpListener {
    loop {
        // Linux gives the port of a closed socket away unless it was bound to it by its number.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        match TcpListener::bind(free) {
            Ok(listener) => return listener,
            // Somebody was faster.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse, "{error}"),
        }
    }
}

/// Ends the listening, and `accept()`. The port stays taken as long as the socket lives.
pub fn refuse(listener: &TcpListener) {
    let socket = listener.try_clone().unwrap();
    TcpStream::from(OwnedFd::from(socket)).shutdown(Shutdown::Both).unwrap();
    // As it was bound, two that do not listen may share a port.
    set_socket_reuseaddr(listener, false).unwrap();
}

/// Listens again where [`refuse`] ended it.
pub fn listen_again(refusing: &TcpListener) -> TcpListener {
    set_socket_reuseaddr(refusing, true).unwrap();
    TcpListener::bind(refusing.local_addr().unwrap()).unwrap()
}

/// A port that refuses as long as this lives.
pub struct Refusing(TcpListener);

impl Refusing {
    pub fn new() -> Self {
        let listener = listener();
        refuse(&listener);
        Self(listener)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }
}
