//! The Flink client against a JobManager that does everything wrong that one can.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::fake_flink::{FakeFlink, Fault, Reply};
use support::port;
use tidegate::base::code;
use tidegate::base::secret::{SecretText, Secrets};
use tidegate::drivers::flink::{Cancellation, Client, JobState, Planning, RunRequest, Submission, Tail, Version};
use tidegate::drivers::http::Content;
use tidegate::model::diagnosis::{Kind, diagnose};

const ID: &str = "aaaaaaaaaaaaaaaa0000000000000001";

fn client(flink: &FakeFlink) -> Client {
    Client::new(&flink.url()).unwrap()
}

/// A client that gives up soon, for faults that it has to wait for.
fn hasty(flink: &FakeFlink) -> Client {
    client(flink).with_timeouts(Duration::from_millis(300), Duration::from_millis(300))
}

fn run(name: &str) -> RunRequest {
    let mut request = RunRequest::new(Version::new(1, 20), ID);
    request.configuration.insert("pipeline.name".to_owned(), name.to_owned());
    request
}

async fn jar(flink: &FakeFlink) -> String {
    client(flink).upload("job.jar", b"PK".to_vec()).await.unwrap()
}

#[tokio::test]
async fn a_file_is_uploaded_from_its_first_byte_to_its_last() {
    use std::io::{Seek, Write};
    let flink = FakeFlink::start_version("1.20.5");
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    // Wherever somebody has read it to.
    file.seek(std::io::SeekFrom::Start(17)).unwrap();
    let jar = client(&flink).upload("job.jar", Content::File(file)).await.unwrap();
    assert!(flink.with(|cluster| cluster.jars[&jar] == bytes));
}

#[tokio::test]
async fn a_job_lives_through_its_states() {
    for version in ["1.17.2", "1.20.5", "2.3.0"] {
        let flink = FakeFlink::start_version(version);
        let client = client(&flink);
        assert_eq!(client.overview().await.unwrap().flink_version, version);
        assert_eq!(client.config().await.unwrap()["flink-version"], version);
        assert_eq!(client.incarnation().await.unwrap().0, flink.with(|cluster| cluster.tmpdir()));
        assert!(client.jobs().await.unwrap().is_empty());
        assert!(client.job(ID).await.unwrap().is_none());

        let jar = client.upload("job.jar", b"PK\r\n--x\r\n\0content".to_vec()).await.unwrap();
        assert_eq!(flink.with(|cluster| cluster.jars[&jar].clone()), b"PK\r\n--x\r\n\0content");
        assert_eq!(client.jars().await.unwrap()[0].name, "job.jar");
        let mut request = run("orders");
        request.version = Version::parse(version).unwrap();
        request.parallelism = Some(2);
        request.savepoint_path = Some("file:/sp-1".to_owned());
        assert!(matches!(client.plan_jar(&jar, &request).await.unwrap(), Planning::Planned(_)));
        let accepted = Submission::Accepted { job_id: ID.to_owned() };
        assert_eq!(client.run_jar(&jar, &request).await.unwrap(), accepted);
        assert_eq!(client.run_jar(&jar, &request).await.unwrap(), Submission::Duplicate);
        assert_eq!(flink.accepted(ID), 1);

        let job = client.job(ID).await.unwrap().unwrap();
        assert!(job.is_running() && job.tasks().running == 2 && job.end_time.is_none(), "{job:?}");
        let listed = client.jobs().await.unwrap();
        assert!(listed[0].is_running() && listed[0].name == "orders" && listed[0].id == ID, "{listed:?}");
        let path = flink.with(|cluster| cluster.complete_checkpoint(ID));
        let checkpoints = client.checkpoints(ID).await.unwrap().unwrap();
        assert_eq!(checkpoints.latest.completed.unwrap().external_path, Some(path));
        assert_eq!(checkpoints.latest.restored.unwrap().external_path.as_deref(), Some("file:/sp-1"));
        assert_eq!(checkpoints.counts.completed, 1);
        flink.with(|cluster| {
            cluster.restart_job(ID, "java.lang.IllegalStateException: bad row\n\tat a.B.c(B.java:1)\n")
        });
        assert_eq!(client.metrics(ID, &["numRestarts", "nope"]).await.unwrap()["numRestarts"], "1");
        let exceptions = client.exceptions(ID).await.unwrap().unwrap();
        assert_eq!(exceptions.diagnosis().unwrap().root_cause, "IllegalStateException: bad row");
        assert_eq!(client.plan(ID).await.unwrap().unwrap()["name"], "orders");
        assert_eq!(client.get(&format!("/jobs/{ID}/status")).await.unwrap()["status"], "RUNNING");

        assert_eq!(client.cancel(ID).await.unwrap(), Cancellation::Accepted);
        assert_eq!(client.cancel(ID).await.unwrap(), Cancellation::Accepted);
        assert_eq!(client.job(ID).await.unwrap().unwrap().state, JobState::Canceled);
        assert_eq!(client.run_jar(&jar, &request).await.unwrap(), Submission::Duplicate, "the id is burnt");
        assert!(client.delete_jar(&jar).await.unwrap());
        assert!(!client.delete_jar(&jar).await.unwrap());
        assert_eq!(client.run_jar(&jar, &request).await.unwrap(), Submission::JarMissing);
        assert_eq!(client.plan_jar(&jar, &request).await.unwrap(), Planning::JarMissing);
        assert_eq!(flink.executions().len(), 1);
        assert!(!flink.executions()[0].is_live());
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_cannot_be_asked() {
    let flink = FakeFlink::start();
    let client = client(&flink);
    assert_eq!(client.cancel(ID).await.unwrap(), Cancellation::NotFound);
    assert!(client.exceptions(ID).await.unwrap().is_none());
    assert!(client.checkpoints(ID).await.unwrap().is_none());
    assert!(client.metrics(ID, &["uptime"]).await.unwrap().is_empty());
    flink.with(|cluster| cluster.put_job(ID, "x"));
    flink.with(|cluster| cluster.finish_job(ID));
    let already = Cancellation::AlreadyTerminal { state: Some(JobState::Finished) };
    assert_eq!(client.cancel(ID).await.unwrap(), already);

    // A 404 that is not Flink's word on the job does not make it absent.
    flink.fault("GET", ID, 1, Fault::AnswerBefore(Reply::html(404, "no route")));
    assert!(client.job(ID).await.unwrap_err().is(&code::FLINK_UNEXPECTED_ANSWER));
    flink.fault("GET", ID, 1, Fault::AnswerBefore(Reply::errors(404, "Unable to load requested file /jobs.")));
    assert!(client.job(ID).await.unwrap_err().is(&code::FLINK_REFUSED));
    flink.fault("PATCH", ID, 1, Fault::AnswerBefore(Reply::html(404, "no route")));
    assert!(client.cancel(ID).await.unwrap_err().is(&code::FLINK_UNEXPECTED_ANSWER));
    let error = client.job("not-an-id").await.unwrap_err();
    assert!(error.is(&code::FLINK_REFUSED) && error.causes()[0].contains("Cannot resolve path parameter"), "{error:?}");
}

#[tokio::test]
async fn tasks_that_wait_for_slots_do_not_run_and_bounded_jobs_end() {
    let flink = FakeFlink::start();
    let client = client(&flink);
    let jar = jar(&flink).await;
    flink.with(|cluster| cluster.startup = Duration::from_secs(3600));
    client.run_jar(&jar, &run("orders")).await.unwrap();
    let job = client.job(ID).await.unwrap().unwrap();
    assert_eq!((job.state.clone(), job.is_running()), (JobState::Initializing, false));
    flink.with(|cluster| cluster.force_state(ID, Some("RESTARTING")));
    assert_eq!(client.job(ID).await.unwrap().unwrap().state, JobState::Restarting);
    flink.with(|cluster| {
        cluster.force_state(ID, None);
        cluster.cancel_takes = Duration::from_secs(3600);
    });
    assert_eq!(client.cancel(ID).await.unwrap(), Cancellation::Accepted);
    assert_eq!(client.job(ID).await.unwrap().unwrap().state, JobState::Cancelling);
    assert!(flink.executions()[0].is_live());
    flink.with(|cluster| {
        cluster.startup = Duration::ZERO;
        cluster.slots = 1;
    });
    let mut request = run("bounded-copy");
    request.job_id = "bbbbbbbbbbbbbbbb0000000000000001".to_owned();
    client.run_jar(&jar, &request).await.unwrap();
    let job = client.job(&request.job_id).await.unwrap().unwrap();
    assert!(job.state == JobState::Finished && job.state.is_terminal() && job.end_time.is_some(), "{job:?}");
    request.job_id = "bbbbbbbbbbbbbbbb0000000000000002".to_owned();
    request.parallelism = Some(2);
    client.run_jar(&jar, &request).await.unwrap();
    let exceptions = client.exceptions(&request.job_id).await.unwrap().unwrap();
    assert_eq!(exceptions.diagnosis().unwrap().kind, Kind::NoSlots);
    assert!(flink.twins().is_empty(), "{:?}", flink.twins());
}

#[tokio::test]
async fn a_savepoint_that_is_missing_burns_the_id() {
    let flink = FakeFlink::start();
    let jar = jar(&flink).await;
    let mut request = run("orders");
    request.savepoint_path = Some("file:/missing".to_owned());
    let told = client(&flink).run_jar(&jar, &request).await.unwrap();
    let Submission::Refused { body, status: 400 } = told else { panic!("{told:?}") };
    assert_eq!(diagnose(&body).kind, Kind::SavepointMissing);
    assert_eq!(client(&flink).job(ID).await.unwrap().unwrap().state, JobState::Failed);
    assert_eq!(client(&flink).run_jar(&jar, &request).await.unwrap(), Submission::Duplicate);
    assert!(flink.executions().is_empty(), "no task ever ran");
}

/// Each fault of the way back: the job runs, and the client must not say that it does not.
#[tokio::test]
async fn a_lost_answer_is_ambiguous_and_the_same_key_settles_it() {
    let gateway = || Reply::html(502, "Bad Gateway");
    for (what, fault) in [
        ("dropped", Fault::DropAfter),
        ("half a body", Fault::HalfBody),
        ("late", Fault::DelayAfter(Duration::from_secs(3600))),
        ("held", Fault::HoldAfter),
        ("502 HTML", Fault::AnswerAfter(gateway())),
        ("503 JSON", Fault::AnswerAfter(Reply::errors(503, "Service temporarily unavailable."))),
        ("500 JSON", Fault::AnswerAfter(Reply::server_error("java.lang.OutOfMemoryError: Metaspace"))),
        ("200 HTML", Fault::AnswerAfter(Reply::html(200, "please log in"))),
        ("200 cut JSON", Fault::AnswerAfter(Reply::captured(200, "{\"jobid\":\"aaa"))),
    ] {
        let flink = FakeFlink::start();
        let jar = jar(&flink).await;
        flink.fault("POST", "/run", 1, fault);
        let told = hasty(&flink).run_jar(&jar, &run("orders")).await.unwrap();
        let Submission::Ambiguous { why } = told else { panic!("{what}: {told:?}") };
        assert!(why.contains(&flink.place()), "{what}: {why}");
        flink.wait_for_processed("POST", "/run", 1);
        assert_eq!(client(&flink).run_jar(&jar, &run("orders")).await.unwrap(), Submission::Duplicate, "{what}");
        assert_eq!(flink.accepted(ID), 1, "{what}");
    }
}

/// Each fault of the way there, which looks the same from outside: nothing runs.
#[tokio::test]
async fn a_lost_request_is_ambiguous_too() {
    for (what, fault) in [
        ("dropped", Fault::DropBefore),
        ("reset", Fault::Reset),
        ("hanging", Fault::Hang),
        ("502 HTML", Fault::AnswerBefore(Reply::html(502, "Bad Gateway"))),
        ("503 JSON", Fault::AnswerBefore(Reply::errors(503, "Service temporarily unavailable."))),
        ("a login page", Fault::AnswerBefore(Reply::html(200, "please log in"))),
        ("a foreign 400", Fault::AnswerBefore(Reply::html(400, "Bad Request"))),
    ] {
        let flink = FakeFlink::start();
        let jar = jar(&flink).await;
        flink.fault("POST", "/run", 1, fault);
        let told = hasty(&flink).run_jar(&jar, &run("orders")).await.unwrap();
        assert!(matches!(told, Submission::Ambiguous { .. }), "{what}: {told:?}");
        assert!(flink.executions().is_empty(), "{what}");
        assert!(client(&flink).job(ID).await.unwrap().is_none(), "{what}");
    }
}

/// The trap of looking before submitting again: the first request lands after the look.
#[tokio::test]
async fn a_request_can_land_after_the_look() {
    let flink = FakeFlink::start();
    let jar = jar(&flink).await;
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let told = hasty(&flink).run_jar(&jar, &run("orders")).await.unwrap();
    assert!(matches!(told, Submission::Ambiguous { .. }));
    assert!(client(&flink).job(ID).await.unwrap().is_none());
    flink.release();
    flink.wait_for_processed("POST", "/run", 1);
    assert_eq!(client(&flink).run_jar(&jar, &run("orders")).await.unwrap(), Submission::Duplicate);
    flink.fault("POST", "/run", 1, Fault::DelayBefore(Duration::from_millis(400)));
    let mut other = run("orders");
    other.job_id = "aaaaaaaaaaaaaaaa0000000000000002".to_owned();
    assert!(matches!(hasty(&flink).run_jar(&jar, &other).await.unwrap(), Submission::Ambiguous { .. }));
    flink.wait_for_processed("POST", "/run", 3);
    assert_eq!(flink.twins().len(), 1, "the fake sees two executions of one job");
}

#[tokio::test]
async fn a_refused_connection_proves_that_nothing_was_sent() {
    let flink = FakeFlink::start();
    let jar = jar(&flink).await;
    flink.refuse();
    let error = client(&flink).run_jar(&jar, &run("orders")).await.unwrap_err();
    assert!(error.is(&code::FLINK_UNREACHABLE), "{error:?}");
    assert_eq!(error.data()["maybe_sent"], false);
    assert!(error.message().contains(&flink.place()), "{error}");
    assert!(error.causes().iter().any(|cause| cause.to_lowercase().contains("connection refused")), "{error:?}");
    assert!(error.hint_text().is_some());
    flink.listen();
    let told = client(&flink).run_jar(&jar, &run("orders")).await.unwrap();
    assert_eq!(told, Submission::Accepted { job_id: ID.to_owned() });
    let nowhere = Client::new("http://no-such-host.invalid:8081").unwrap();
    let error = nowhere.run_jar("x.jar", &run("orders")).await.unwrap_err();
    assert!(error.is(&code::FLINK_UNREACHABLE) && error.message().contains("no-such-host.invalid:8081"), "{error:?}");
}

#[tokio::test]
async fn a_restart_forgets_jobs_and_ids_and_shows_as_another_incarnation() {
    let flink = FakeFlink::start();
    let client = client(&flink);
    let jar = jar(&flink).await;
    let before = client.incarnation().await.unwrap();
    client.run_jar(&jar, &run("orders")).await.unwrap();
    flink.with(|cluster| cluster.tasks_outlive = Duration::from_secs(40));
    flink.restart(true);
    assert_ne!(client.incarnation().await.unwrap(), before);
    assert!(client.job(ID).await.unwrap().is_none() && client.jobs().await.unwrap().is_empty());
    let told = client.run_jar(&jar, &run("orders")).await.unwrap();
    assert_eq!(told, Submission::Accepted { job_id: ID.to_owned() }, "the id is free again");
    assert_eq!(flink.accepted(ID), 2);
    assert_eq!(flink.twins().len(), 1, "the tasks of the dead JobManager still write");
    flink.restart(false);
    assert_eq!(client.run_jar(&jar, &run("orders")).await.unwrap(), Submission::JarMissing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_death_in_the_middle_leaves_nothing_behind() {
    let flink = FakeFlink::start();
    let jar = jar(&flink).await;
    flink.fault("POST", "/run", 1, Fault::HoldBefore);
    let client = client(&flink);
    let submission = tokio::spawn({
        let (client, jar) = (client.clone(), jar.clone());
        async move { client.run_jar(&jar, &run("orders")).await }
    });
    tokio::task::block_in_place(|| flink.wait_for_request("POST", "/run", 1));
    flink.restart(true);
    let told = submission.await.unwrap().unwrap();
    assert!(matches!(told, Submission::Ambiguous { .. }), "{told:?}");
    flink.release();
    assert!(client.job(ID).await.unwrap().is_none());
    assert!(flink.executions().is_empty(), "a request of a former life has no effect");
}

#[tokio::test]
async fn reads_say_what_came_instead_of_an_answer() {
    let flink = FakeFlink::start();
    let client = hasty(&flink);
    for (fault, expected, said) in [
        (Fault::AnswerBefore(Reply::html(200, "please log in")), &code::FLINK_UNEXPECTED_ANSWER, "text/html, `<html>"),
        (Fault::AnswerBefore(Reply::captured(200, "[1]")), &code::FLINK_UNEXPECTED_ANSWER, "`[1]`"),
        (
            Fault::AnswerBefore(Reply::captured(200, "{\"jobs\":[{\"jid\":1}]}")),
            &code::FLINK_UNEXPECTED_ANSWER,
            "jobs[0].jid",
        ),
        (Fault::AnswerBefore(Reply::captured(200, "")), &code::FLINK_UNEXPECTED_ANSWER, "empty"),
        (Fault::AnswerBefore(Reply::html(401, "who are you")), &code::FLINK_UNEXPECTED_ANSWER, "HTTP 401"),
        (
            Fault::AnswerBefore(Reply::errors(400, "POST request not allowed")),
            &code::FLINK_REFUSED,
            "POST request not allowed",
        ),
        (Fault::AnswerBefore(Reply::html(502, "Bad Gateway")), &code::FLINK_UNREACHABLE, "HTTP 502"),
        (Fault::AnswerBefore(Reply::errors(503, "leader election")), &code::FLINK_UNREACHABLE, "leader election"),
        (Fault::DropBefore, &code::FLINK_UNREACHABLE, "connection closed"),
        (Fault::HalfBody, &code::FLINK_UNREACHABLE, "broke off after"),
        (Fault::Hang, &code::FLINK_UNREACHABLE, "no whole answer within 0.3 s"),
    ] {
        let what = format!("{fault:?}");
        flink.fault("GET", "/jobs/overview", 1, fault);
        let error = client.jobs().await.unwrap_err();
        assert!(error.is(expected), "{what}: {error:?}");
        assert!(error.message().contains(&flink.place()), "{what}: {error:?}");
        assert!(error.causes().join("\n").contains(said), "{what}: {error:?}");
        assert!(!error.causes().join("\n").contains("error sending request"), "{what}: {error:?}");
    }
    assert!(client.jobs().await.unwrap().is_empty());
}

#[tokio::test]
async fn logs_come_with_their_end() {
    let flink = FakeFlink::start();
    let client = client(&flink);
    let long: String = (0..20_000).map(|line| format!("line {line} ü\n")).collect();
    flink.with(|cluster| {
        cluster.logs.insert("/jobmanager/log".to_owned(), long.clone().into_bytes());
        cluster.logs.insert("/taskmanagers/tm-1/stdout".to_owned(), b"+I[1]\n".to_vec());
    });
    let log = client.jobmanager_log(Tail::Lines(2)).await.unwrap();
    assert_eq!((log.text.as_str(), log.length), ("line 19998 ü\nline 19999 ü\n", long.len() as u64));
    let end = client.jobmanager_log(Tail::Bytes(100_000)).await.unwrap().text;
    assert!(long.ends_with(&end) && (99_999..=100_000).contains(&end.len()), "{}", end.len());
    assert_eq!(client.jobmanager_log(Tail::All).await.unwrap().text, long);
    assert_eq!(client.taskmanager_stdout("tm-1", Tail::All).await.unwrap().text, "+I[1]\n");
    assert_eq!(client.taskmanagers().await.unwrap()[0].id, "tm-1");
    assert_eq!(client.jobmanager_logs().await.unwrap()[0].size, long.len() as u64);
    let error = client.taskmanager_log("tm-1", Tail::Lines(3)).await.unwrap_err();
    assert!(error.is(&code::LOG_NOT_FOUND) && error.message().contains(&flink.place()), "{error:?}");
}

#[tokio::test]
async fn the_authorization_is_sent_and_a_missing_secret_sends_nothing() {
    let flink = FakeFlink::start();
    let authorized = client(&flink).with_authorization(SecretText::plain("Basic eDp5"), Secrets::default());
    authorized.overview().await.unwrap();
    let seen = flink.wait_for_answered("GET", "/overview", 1);
    assert!(seen.headers.contains(&("authorization".to_owned(), "Basic eDp5".to_owned())), "{:?}", seen.headers);
    let missing = SecretText::secret("TIDEGATE_TEST_SURELY_NOT_SET");
    let error = client(&flink).with_authorization(missing, Secrets::default()).overview().await.unwrap_err();
    assert!(error.is(&code::SECRET_MISSING));
    assert_eq!(flink.count("*", ""), 1);
}

/// The kill sweep counts on a boundary on both sides of every request. The test above sends exactly one.
#[test]
fn every_request_has_a_boundary_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("boundaries");
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_authorization_is_sent_and_a_missing_secret_sends_nothing"])
        .env("TIDEGATE_HALT_LOG", &log)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(log).unwrap(), "request.before\nrequest.after\n");
}

#[test]
fn a_port_that_refuses_is_not_given_away() {
    let listening = port::listener();
    let address = listening.local_addr().unwrap();
    assert!(std::net::TcpStream::connect(address).is_ok());
    port::refuse(&listening);
    assert!(std::net::TcpStream::connect(address).is_err());
    assert!(std::net::TcpListener::bind(address).is_err());
    let again = port::listen_again(&listening);
    assert!(std::net::TcpStream::connect(again.local_addr().unwrap()).is_ok());
}
