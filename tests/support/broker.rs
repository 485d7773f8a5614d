//! A real Kafka broker on loopback, from Maven Central, in a folder of its own; it ends with its value.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const VERSION: &str = "3.9.1";
const PATIENCE: Duration = Duration::from_secs(120);

/// A broker in KRaft mode: one process, no ZooKeeper.
pub(crate) struct Broker {
    child: Child,
    libraries: PathBuf,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    folder: TempDir,
}

impl Broker {
    /// Starts one, and returns when it answers.
    pub(crate) fn start() -> Self {
        let libraries = libraries();
        let folder = tempfile::tempdir().unwrap();
        let (port, controller) = (free_port(), free_port());
        let address = format!("127.0.0.1:{port}");
        let settings = folder.path().join("broker.properties");
        let text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://{address},CONTROLLER://127.0.0.1:{controller}\nadvertised.listeners=PLAINTEXT://{address}\n\
             controller.listener.names=CONTROLLER\nlog.dirs={}\nnum.partitions=1\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\nauto.create.topics.enable=true\n",
            folder.path().join("log").display()
        );
        std::fs::write(&settings, text).unwrap();
        let formatted = java(&libraries, "kafka.tools.StorageTool")
            .args(["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
            .arg(&settings)
            .output()
            .unwrap();
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let log = std::fs::File::create(folder.path().join("broker.log")).unwrap();
        let child = java(&libraries, "kafka.Kafka")
            .arg(&settings)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut broker = Self { child, libraries, address, folder };
        broker.wait_until_it_answers();
        broker
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(&self.address).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("broker.log")).unwrap_or_default();
            assert!(self.child.try_wait().unwrap().is_none(), "the broker ended: {}", log());
            assert!(Instant::now() < deadline, "the broker does not answer: {}", log());
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Sends lines to a topic, which it makes where there is none, and returns when all of them are there.
    pub(crate) fn produce(&self, topic: &str, lines: &[String]) {
        let mut producer = java(&self.libraries, "kafka.tools.ConsoleProducer")
            .args(["--bootstrap-server", &self.address, "--topic", topic, "--request-required-acks", "all"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = producer.stdin.take().unwrap();
        for line in lines {
            writeln!(input, "{line}").unwrap();
        }
        drop(input);
        let ended = producer.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Its data goes with its folder.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A free port of the loopback address.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn java(libraries: &Path, class: &str) -> Command {
    let mut command = Command::new("java");
    command
        .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp"])
        .arg(format!("{}/*", libraries.display()))
        .arg(class)
        .stdin(Stdio::null());
    command
}

/// The broker's jars, fetched once for all tests of this build.
fn libraries() -> PathBuf {
    static ONCE: Mutex<()> = Mutex::new(());
    let _one = ONCE.lock().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kafka-{VERSION}"));
    if folder.exists() {
        return folder;
    }
    let fetching = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion><groupId>test</groupId>\
         <artifactId>broker</artifactId><version>1</version><packaging>pom</packaging><dependencies><dependency>\
         <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version>\
         </dependency></dependencies></project>"
    );
    std::fs::write(fetching.path().join("pom.xml"), pom).unwrap();
    let fetched = Command::new("mvn")
        .current_dir(fetching.path())
        .args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"])
        .output()
        .unwrap();
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stdout));
    std::fs::rename(fetching.path().join("lib"), &folder).unwrap();
    folder
}
