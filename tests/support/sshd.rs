//! A real SSH server on loopback: Debian's `sshd` with a configuration of its own, as the user who runs the tests.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = "/usr/sbin/sshd";

/// The server, and the keys that it knows.
pub(crate) struct Sshd {
    process: Child,
    folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) user: String,
}

/// Whether there is a server here. Where not, says by name what does not run; on the build machine that is a failure.
pub(crate) fn is_there(test: &str) -> bool {
    if Path::new(PROGRAM).exists() {
        return true;
    }
    let why = format!("{PROGRAM} is missing (Debian: openssh-server)");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
    eprintln!("NOT RUN: {test}: {why}");
    false
}

impl Sshd {
    /// Starts it in a folder, with one user key (`key`), one with a passphrase (`locked`), and one that it does not know
    /// (`stranger`).
    pub(crate) fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        keygen(&folder.join("host"), "");
        keygen(&folder.join("key"), "");
        keygen(&folder.join("locked"), "open sesame");
        keygen(&folder.join("stranger"), "");
        let public = |name: &str| std::fs::read_to_string(folder.join(format!("{name}.pub"))).unwrap();
        std::fs::write(folder.join("authorized"), [public("key"), public("locked")].concat()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             SetEnv GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=*\n",
            folder.display()
        );
        std::fs::write(folder.join("sshd_config"), configuration).unwrap();
        if rustix::process::getuid().is_root() {
            // Started by root it wants this folder, which the package's service would make.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(PROGRAM)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned();
        let mut sshd = Self { process, folder: folder.to_owned(), port, user };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(sshd.process.try_wait().unwrap().is_none() && Instant::now() < deadline, "{}", sshd.log());
            std::thread::park_timeout(Duration::from_millis(10));
        }
        sshd
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub(crate) fn url(&self, path: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, path.display())
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The fingerprint of its own key.
    pub(crate) fn fingerprint(&self) -> String {
        let output = Command::new("ssh-keygen").arg("-lf").arg(self.folder.join("host.pub")).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').nth(1).unwrap().to_owned()
    }

    /// Writes the `known_hosts` of a home: with its key, or with another one.
    pub(crate) fn make_known(&self, home: &Path, key: &str) {
        let folder = home.join(".ssh");
        std::fs::create_dir_all(&folder).unwrap();
        let public = std::fs::read_to_string(self.folder.join(format!("{key}.pub"))).unwrap();
        let mut file = std::fs::File::create(folder.join("known_hosts")).unwrap();
        writeln!(file, "[127.0.0.1]:{} {}", self.port, public.trim()).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn keygen(path: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
}

/// An SSH agent with one key.
pub(crate) struct Agent {
    process: Child,
    pub(crate) socket: PathBuf,
}

impl Agent {
    pub(crate) fn start(folder: &Path, key: Option<&Path>) -> Self {
        let socket = folder.join("agent");
        let process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { process, socket };
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::os::unix::net::UnixStream::connect(&agent.socket).is_err() {
            assert!(Instant::now() < deadline, "the agent does not answer");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        if let Some(key) = key {
            let output = Command::new("ssh-add").arg(key).env("SSH_AUTH_SOCK", &agent.socket).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
