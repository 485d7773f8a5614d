//! A real MariaDB on loopback, in a folder of its own; it ends with its value.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// A database server with the database `shop`, and a user `shop` who has a password.
pub(crate) struct Database {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    folder: TempDir,
}

impl Database {
    /// Starts one, and returns when it answers.
    pub(crate) fn start(password: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let installed = Command::new("mariadb-install-db")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db", "--user=root"])
            .output()
            .unwrap();
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("mariadbd")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.path().join("socket").display()))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .arg(format!("--port={port}"))
            .args(["--bind-address=127.0.0.1", "--user=root", "--innodb-buffer-pool-size=32M"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut database = Self { child, address: format!("127.0.0.1:{port}"), folder };
        database.wait_until_it_answers();
        database.query(&format!(
            "CREATE DATABASE shop; CREATE USER shop@'127.0.0.1' IDENTIFIED BY '{password}'; GRANT ALL ON shop.* TO shop@'127.0.0.1'"
        ));
        database
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.client("SELECT 1").output().unwrap().status.success() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(self.child.try_wait().unwrap().is_none(), "the database ended: {}", log());
            assert!(Instant::now() < deadline, "the database does not answer: {}", log());
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    fn client(&self, statements: &str) -> Command {
        let mut client = Command::new("mariadb");
        client.arg("--no-defaults").arg(format!("--socket={}", self.folder.path().join("socket").display()));
        client.args(["--user=root", "--batch", "--skip-column-names", "-e", statements]);
        client
    }

    /// The rows that a statement gives, each with its columns.
    pub(crate) fn query(&self, statements: &str) -> Vec<Vec<String>> {
        let output = self.client(statements).output().unwrap();
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Its data goes with its folder.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
