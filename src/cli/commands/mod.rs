//! The commands, a file each.

mod approve;
mod builds;
mod check;
mod cluster;
mod completions;
mod deps;
mod docs;
mod drift;
mod flink;
mod init;
mod jobs;
mod plan;
mod plan_file;
mod quickstart;
mod repl;
mod run;
mod runs;
mod states;
mod verbs;

use std::path::Path;
use std::sync::Arc;

use super::Outcome;
use super::args::{Arguments, BuildsCommand, Command, SavepointsCommand};
use super::terminal::Terminal;
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code, process, suggest};
use crate::ops::cluster::Told;
use crate::script::Limits;
use crate::script::runner::Setting;
use crate::workspace::Workspace;

/// What every command works with.
pub(super) struct Session<'a> {
    pub(super) terminal: &'a Arc<Terminal>,
    pub(super) cancel: Cancel,
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) folder: Option<&'a Path>,
}

impl Session<'_> {
    pub(super) fn open(&self) -> Result<Workspace> {
        Workspace::open(self.folder, &self.cancel, self.progress())
    }

    pub(super) fn progress(&self) -> crate::ops::cluster::Progress {
        let terminal = self.terminal.clone();
        Arc::new(move |told: &Told| match told {
            Told::Word(text) => terminal.progress(text),
            Told::Bytes { what, done, total } => terminal.bytes(what, *done, *total),
        })
    }

    /// Waits for asynchronous work; Ctrl-C ends it.
    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime.block_on(self.cancel.select(work))
    }

    pub(super) fn setting(&self, workspace: &Workspace) -> Setting {
        Setting {
            services: workspace.services.clone(),
            cancel: self.cancel.clone(),
            runtime: self.runtime.handle().clone(),
            output: self.terminal.clone(),
            limits: Limits::configured(&workspace.file.limits),
            confirm: None,
        }
    }
}

/// Performs a command.
pub(super) fn perform(arguments: Arguments, terminal: &Arc<Terminal>) -> Result<Outcome> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|error| {
            Error::new(&code::INTERNAL, "the asynchronous runtime cannot be started").caused_by(error)
        })?;
    let cancel = Cancel::default();
    listen(&runtime, &cancel, terminal)?;
    let session = Session { terminal, cancel, runtime, folder: arguments.workspace.as_deref() };
    let outcome = match arguments.command {
        Command::Init { folder, example } => init::init(&session, &folder, example.as_deref()),
        Command::Quickstart { env } => quickstart::quickstart(&session, env.as_deref()),
        Command::Run(arguments) => run::run(&session, &arguments),
        Command::Repl { env, yes } => repl::repl(&session, env.as_deref(), yes),
        Command::Check(arguments) => check::check(&session, &arguments),
        Command::Plan(arguments) => plan::plan(&session, &arguments),
        Command::Resume { run, step, with_current_scripts } => run::resume(&session, &run, &step, with_current_scripts),
        Command::Approve { run, name, reject, reason, step, with_current_scripts } => {
            let verdict = approve::verdict(name, !reject, reason)?;
            approve::approve(&session, &run, step.as_deref(), &verdict, with_current_scripts)
        }
        Command::Abandon { run } => runs::abandon(&session, &run),
        Command::Runs { command, limit, json } => runs::runs(&session, command.as_ref(), limit, json),
        Command::Ps { env, json } => jobs::ps(&session, env.as_deref(), json),
        Command::Logs(arguments) => jobs::logs(&session, &arguments),
        Command::Cancel { job, env } => verbs::cancel(&session, &job, env.as_deref()),
        Command::Stop { job, env } => verbs::stop(&session, &job, env.as_deref()),
        Command::Remove { job, env } => verbs::remove(&session, &job, env.as_deref()),
        Command::Start(again) => verbs::again(&session, "start", &again, &[]),
        Command::Restart(again) => verbs::again(&session, "restart", &again, &[]),
        Command::Rollback { again, to, rewind } => verbs::rollback(&session, &again, to, rewind),
        Command::Rescale { again, parallelism } => verbs::rescale(&session, &again, parallelism),
        Command::Diff { job, from, to, env } => states::diff(&session, &job, (from, to), env.as_deref()),
        Command::History(of) => states::history(&session, &of),
        Command::Savepoints { command: Some(SavepointsCommand::Prune { job, env, keep, older_than }), .. } => {
            verbs::prune(&session, job.as_deref(), env.as_deref(), keep, &older_than)
        }
        Command::Savepoints { command: None, of } => states::savepoints(&session, of.as_ref()),
        Command::Deps(arguments) => deps::deps(&session, &arguments),
        Command::Artifacts { command, json } => deps::artifacts(&session, command.as_ref(), json),
        Command::Savepoint { job, env } => verbs::savepoint(&session, &job, env.as_deref()),
        Command::Adopt { job, id, cluster, env } => verbs::adopt(&session, (&job, &id), cluster, env.as_deref()),
        Command::Drift { env, json } => drift::drift(&session, env.as_deref(), json),
        Command::Builds { command: Some(BuildsCommand::Log { number }), .. } => builds::log(&session, number),
        Command::Builds { command: None, project, limit, json } => {
            builds::list(&session, project.as_deref(), limit, json)
        }
        Command::Apply { file } => plan_file::apply(&session, &file),
        Command::Cluster { command } => cluster::cluster(&session, &command),
        Command::Flink { command } => flink::flink(&session, &command),
        Command::Completions { shell } => Ok(completions::completions(&session, shell)),
        Command::CompleteWords { words } => Ok(completions::words(&session, &words)),
        Command::Explain { code } => explain(&session, &code),
        Command::Docs { definitions: Some(folder), .. } => docs::definitions(&session, folder.as_deref()),
        Command::Docs { name, json, definitions: None } => docs::docs(&session, name.as_deref(), json),
    };
    // A blocked connection must not hold up the end of the process.
    session.runtime.shutdown_background();
    outcome
}

/// The first Ctrl-C or SIGTERM asks to stop, the second one quits at once. A closed terminal or ssh session asks to stop, too, and says so
/// more than once: it never quits. Under `nohup`, which has SIGHUP ignored, it stays ignored.
fn listen(runtime: &tokio::runtime::Runtime, cancel: &Cancel, terminal: &Arc<Terminal>) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    let failed = |error: std::io::Error| Error::new(&code::INTERNAL, "signals cannot be received").caused_by(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = match process::ignores(rustix::process::Signal::HUP) {
        true => None,
        false => Some(signal(SignalKind::hangup()).map_err(failed)?),
    };
    let cancel = cancel.clone();
    let terminal = terminal.clone();
    runtime.spawn(async move {
        loop {
            let hung_up = async {
                match &mut hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                }
            };
            let may_quit = tokio::select! {
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
                () = hung_up => false,
            };
            if cancel.is_cancelled() {
                if may_quit {
                    quit();
                }
                continue;
            }
            cancel.cancel();
            terminal.progress("stopping; once more quits at once");
        }
    });
    Ok(())
}

#[allow(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "the user asked twice: whatever still runs is not waited for"
)]
fn quit() -> ! {
    std::process::exit(130)
}

fn explain(session: &Session<'_>, name: &str) -> Result<Outcome> {
    let code = code::find(name).ok_or_else(|| {
        Error::new(&code::USAGE, format!("there is no error code `{name}`")).hint(
            suggest::nearest(name, code::ALL.iter().map(|code| code.name)).map_or_else(
                || "an error shows its code in brackets: error[flink.unreachable]".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        )
    })?;
    session.terminal.data(&format!("{}\n\n{}\n", code.name, code.explanation));
    Ok(Outcome::Done)
}
