//! A fake JobManager on loopback, with the faults that a network and a dying process have.
//!
//! It keeps what a real one keeps (`cluster`), speaks enough HTTP (`wire`), and knows the truth that a client does not:
//! every execution that ever began, so that a test can say whether two of one job lived at once.
//!
//! ```ignore
//! let flink = FakeFlink::start();
//! flink.fault("POST", "/run", 1, Fault::DropAfter);    // the job starts, the answer is lost
//! // ... submit ...
//! flink.wait_for_processed("POST", "/run", 1);
//! assert!(flink.twins().is_empty());
//! ```

mod cluster;
mod job;
mod trace;
mod wire;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::port;

pub use cluster::{Cluster, Execution};
pub use wire::Reply;

/// How long the waits of this file last before they panic.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Waits, then processes and answers: the effect comes after a client has given up.
    DelayBefore(Duration),
    /// Processes, waits, then answers.
    DelayAfter(Duration),
    /// Is not processed until [`FakeFlink::release`], then answered.
    HoldBefore,
    /// Is processed at once and answered after [`FakeFlink::release`].
    HoldAfter,
    /// Closes the connection without processing.
    DropBefore,
    /// Processes, then closes the connection without an answer.
    DropAfter,
    /// Resets the connection after the head of the request, whose body is not read.
    Reset,
    /// Gives this answer without processing.
    AnswerBefore(Reply),
    /// Processes, then gives this answer instead of its own.
    AnswerAfter(Reply),
    /// Processes, and closes the connection after half of the answer's body.
    HalfBody,
    /// Is never processed nor answered.
    Hang,
}

/// A request as it was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    /// As text, where it is not an upload.
    pub body: String,
    /// Whether its effect has taken place.
    pub processed: bool,
    /// Whether the whole answer was written.
    pub answered: bool,
}

impl Seen {
    fn matches(&self, method: &str, path_part: &str) -> bool {
        (method == "*" || self.method == method) && self.path.contains(path_part)
    }
}

struct Planned {
    method: String,
    path_part: String,
    times: usize,
    fault: Fault,
}

struct State {
    cluster: Cluster,
    requests: Vec<Seen>,
    faults: Vec<Planned>,
    /// Counts [`FakeFlink::release`]: what is held waits for the next one.
    releases: u64,
    /// Counts the deaths of the process; a request of an earlier life has no effect any more.
    life: u64,
    /// Open ones, by number.
    connections: BTreeMap<u64, TcpStream>,
    accepted: u64,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a time, or for a condition; false when the process died meanwhile.
    fn pause(&self, life: u64, until: Option<Instant>, released: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        loop {
            if state.life != life {
                return false;
            }
            let now = Instant::now();
            if released(&state) || until.is_some_and(|until| now >= until) {
                return true;
            }
            let wait = until.map_or(PATIENCE, |until| until - now);
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The fake. Stops and closes everything when it is dropped.
pub struct FakeFlink {
    shared: Arc<Shared>,
    address: SocketAddr,
    listener: Mutex<Listener>,
}

struct Listener {
    /// While nothing listens it keeps the port from others: bound, but refusing.
    socket: TcpListener,
    thread: Option<JoinHandle<()>>,
}

impl FakeFlink {
    /// A JobManager of Flink 1.20 without jobs.
    pub fn start() -> Self {
        Self::start_version("1.20.5")
    }

    /// A JobManager of this version; from 2.0 on its answers differ.
    pub fn start_version(version: &str) -> Self {
        let socket = port::listener();
        let address = socket.local_addr().unwrap();
        let state = State {
            cluster: Cluster::new(version, address.port()),
            requests: Vec::new(),
            faults: Vec::new(),
            releases: 0,
            life: 0,
            connections: BTreeMap::new(),
            accepted: 0,
            threads: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let thread = Some(accept(&shared, &socket));
        Self { shared, address, listener: Mutex::new(Listener { socket, thread }) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`, as messages name it.
    pub fn place(&self) -> String {
        self.address.to_string()
    }

    /// Looks at, or changes, what the JobManager holds: settings, jobs, jars, logs.
    pub fn with<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut state = self.shared.lock();
        state.cluster.settle();
        let result = change(&mut state.cluster);
        self.shared.changed.notify_all();
        result
    }

    /// Lets the next `times` requests of this method (`*` for any), whose path contains `path_part`, meet a fault.
    /// Of several that match, the one that was set first comes first.
    pub fn fault(&self, method: &str, path_part: &str, times: usize, fault: Fault) {
        let planned = Planned { method: method.to_owned(), path_part: path_part.to_owned(), times, fault };
        self.shared.lock().faults.push(planned);
    }

    /// How many requests have faults before them yet.
    pub fn faults_left(&self) -> usize {
        self.shared.lock().faults.iter().map(|planned| planned.times).sum()
    }

    /// Forgets all faults that have not happened yet.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Lets go on what [`Fault::HoldBefore`] and [`Fault::HoldAfter`] hold now.
    pub fn release(&self) {
        self.shared.lock().releases += 1;
        self.shared.changed.notify_all();
    }

    /// Refuses connections; what is connected stays. [`FakeFlink::listen`] ends that, on the same port.
    pub fn refuse(&self) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(thread) = listener.thread.take() else { return };
        port::refuse(&listener.socket);
        thread.join().unwrap();
    }

    /// Listens again.
    pub fn listen(&self) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.thread.is_none() {
            listener.socket = port::listen_again(&listener.socket);
            listener.thread = Some(accept(&self.shared, &listener.socket));
        }
    }

    /// Dies as under SIGKILL: connections break, nothing that was not processed ever is, and connections are refused.
    pub fn kill(&self) {
        self.refuse();
        let mut state = self.shared.lock();
        state.life += 1;
        state.cluster.die();
        for connection in std::mem::take(&mut state.connections).into_values() {
            // It can be closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
    }

    /// Dies and comes back as a new incarnation, which knows no job and no job id; jars only when `keep_jars`
    /// (`web.upload.dir` is set).
    pub fn restart(&self, keep_jars: bool) {
        self.kill();
        self.shared.lock().cluster.come_back(keep_jars);
        self.listen();
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.lock().requests.clone()
    }

    /// How many requests so far were of this method (`*` for any) and to such a path.
    pub fn count(&self, method: &str, path_part: &str) -> usize {
        self.shared.lock().requests.iter().filter(|seen| seen.matches(method, path_part)).count()
    }

    /// Waits until the `nth` such request (from 1) has arrived as a whole.
    pub fn wait_for_request(&self, method: &str, path_part: &str, nth: usize) -> Seen {
        self.wait_for("arrive", method, path_part, nth, |_| true)
    }

    /// Waits until `nth` such requests have taken effect.
    pub fn wait_for_processed(&self, method: &str, path_part: &str, nth: usize) -> Seen {
        self.wait_for("be processed", method, path_part, nth, |seen| seen.processed)
    }

    /// Waits until `nth` such requests were answered whole.
    pub fn wait_for_answered(&self, method: &str, path_part: &str, nth: usize) -> Seen {
        self.wait_for("be answered", method, path_part, nth, |seen| seen.answered)
    }

    fn wait_for(&self, what: &str, method: &str, path_part: &str, nth: usize, holds: impl Fn(&Seen) -> bool) -> Seen {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shared.lock();
        loop {
            let mut found = state.requests.iter().filter(|seen| seen.matches(method, path_part) && holds(seen));
            if let Some(seen) = found.nth(nth - 1) {
                return seen.clone();
            }
            let left = until.saturating_duration_since(Instant::now());
            let seen: Vec<String> =
                state.requests.iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
            assert!(!left.is_zero(), "request {nth} of `{method} {path_part}` did not {what}; there were {seen:?}");
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Every execution that ever began, on every incarnation.
    pub fn executions(&self) -> Vec<Execution> {
        self.with(|cluster| cluster.executions.clone())
    }

    /// How many submissions of this job id were accepted, over all incarnations.
    pub fn accepted(&self, job_id: &str) -> usize {
        self.executions().iter().filter(|execution| execution.job_id == job_id).count()
    }

    /// Executions of one job, by the first 16 digits of their ids, that lived at the same time: always a defect.
    pub fn twins(&self) -> Vec<(Execution, Execution)> {
        let executions = self.executions();
        let mut twins = Vec::new();
        for (index, one) in executions.iter().enumerate() {
            for other in &executions[index + 1..] {
                let same_job = one.job_id.get(..16) == other.job_id.get(..16);
                if same_job && one.overlaps(other) {
                    twins.push((one.clone(), other.clone()));
                }
            }
        }
        twins
    }
}

impl Drop for FakeFlink {
    fn drop(&mut self) {
        self.kill();
        let threads = std::mem::take(&mut self.shared.lock().threads);
        for thread in threads {
            // A panic of the fake shows in the test's output; a second one here would abort the test binary.
            let _ = thread.join();
        }
    }
}

fn accept(shared: &Arc<Shared>, socket: &TcpListener) -> JoinHandle<()> {
    let socket = socket.try_clone().unwrap();
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        while let Ok((connection, _)) = socket.accept() {
            let mut state = shared.lock();
            state.accepted += 1;
            let number = state.accepted;
            state.connections.insert(number, connection.try_clone().unwrap());
            state.threads.retain(|thread| !thread.is_finished());
            let life = state.life;
            let theirs = Arc::clone(&shared);
            state.threads.push(std::thread::spawn(move || {
                // A client that goes away is no failure of the fake.
                let _ = serve(&theirs, &connection, life);
                let _ = connection.shutdown(Shutdown::Both);
                theirs.lock().connections.remove(&number);
            }));
        }
    })
}

fn serve(shared: &Shared, connection: &TcpStream, life: u64) -> std::io::Result<()> {
    let mut reader = std::io::BufReader::new(connection);
    let Some(mut request) = wire::read_head(&mut reader)? else { return Ok(()) };
    let mut seen = Seen {
        at: Instant::now(),
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: String::new(),
        processed: false,
        answered: false,
    };
    let fault = take_fault(&mut shared.lock(), &seen);
    let resets = matches!(fault, Some(Fault::Reset));
    if !resets {
        wire::read_body(&mut reader, &mut request)?;
        if !request.is_upload() {
            seen.body = String::from_utf8_lossy(&request.body).into_owned();
        }
    }
    let (number, releases) = {
        let mut state = shared.lock();
        state.requests.push(seen);
        shared.changed.notify_all();
        (state.requests.len() - 1, state.releases)
    };
    let goes_on = match &fault {
        Some(Fault::DelayBefore(time)) => shared.pause(life, Some(Instant::now() + *time), |_| false),
        Some(Fault::HoldBefore) => shared.pause(life, None, |state| state.releases > releases),
        Some(Fault::Hang) => shared.pause(life, None, |_| false),
        Some(Fault::DropBefore | Fault::Reset) => false,
        Some(Fault::AnswerBefore(reply)) => {
            return answer(shared, connection, number, reply);
        }
        _ => true,
    };
    if !goes_on {
        return Ok(());
    }
    let (own, releases) = {
        let mut state = shared.lock();
        if state.life != life {
            return Ok(());
        }
        state.cluster.settle();
        let own = state.cluster.answer(&request);
        state.requests[number].processed = true;
        shared.changed.notify_all();
        (own, state.releases)
    };
    let answers = match &fault {
        Some(Fault::DelayAfter(time)) => shared.pause(life, Some(Instant::now() + *time), |_| false),
        Some(Fault::HoldAfter) => shared.pause(life, None, |state| state.releases > releases),
        Some(Fault::DropAfter) => false,
        _ => true,
    };
    match fault {
        _ if !answers => Ok(()),
        Some(Fault::AnswerAfter(reply)) => answer(shared, connection, number, &reply),
        Some(Fault::HalfBody) => {
            let mut connection = connection;
            connection.write_all(&own.head())?;
            connection.write_all(&own.body[..own.body.len() / 2])
        }
        _ => answer(shared, connection, number, &own),
    }
}

fn answer(shared: &Shared, mut connection: &TcpStream, number: usize, reply: &Reply) -> std::io::Result<()> {
    connection.write_all(&reply.head())?;
    connection.write_all(&reply.body)?;
    shared.lock().requests[number].answered = true;
    shared.changed.notify_all();
    Ok(())
}

fn take_fault(state: &mut State, seen: &Seen) -> Option<Fault> {
    let index = state.faults.iter().position(|planned| seen.matches(&planned.method, &planned.path_part))?;
    let planned = &mut state.faults[index];
    let fault = planned.fault.clone();
    planned.times -= 1;
    if planned.times == 0 {
        state.faults.remove(index);
    }
    Some(fault)
}
