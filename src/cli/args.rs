//! The arguments of every command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod parts;

pub use parts::{
    Again, ArtifactsCommand, BuildsCommand, ClusterCommand, Deps, FlinkCommand, Logs, OfJob, SavepointsCommand,
};

/// Deploys and operates Flink jobs with scripts: never twice, never lost.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, arg_required_else_help = true)]
pub struct Arguments {
    /// The workspace's folder; else the nearest one with a tidegate.yaml
    #[arg(long, short = 'w', global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Show whole traces with errors
    #[arg(long, short = 'v', global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a working workspace into a folder
    Init {
        /// The folder; it may exist and must not have the files
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// One example in place of the first steps: orders (Kafka to a database)
        #[arg(long, value_name = "NAME")]
        example: Option<String>,
    },
    /// Install Flink, start it here, and run the first job
    Quickstart {
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
    },
    /// Run a script
    #[command(disable_help_flag = true)]
    Run(Run),
    /// Try the script API line by line; effects ask first
    Repl {
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
        /// Let effects act without asking
        #[arg(long)]
        yes: bool,
    },
    /// Check scripts and templates without running anything
    Check(Check),
    /// Tell what a script would do, without doing it
    Plan(Plan),
    /// List the jobs and what their clusters say of them
    Ps {
        /// Only this environment; all of them if not given
        #[arg(long, short = 'e')]
        env: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the logs that a job wrote to
    Logs(Logs),
    /// Cancel a job; the pointer to its newest checkpoint is kept
    Cancel {
        /// The job
        job: String,
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
    },
    /// Stop a job with a savepoint; a deploy starts it from there
    Stop {
        /// The job
        job: String,
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
    },
    /// Start a job with the spec that was deployed last, from its newest state
    Start(Again),
    /// End a job and start it anew with the same spec, from its newest state
    Restart(Again),
    /// Go back to an earlier revision of a job, from the newest state
    Rollback {
        #[command(flatten)]
        again: Again,
        /// The revision; the one before if not given
        #[arg(long, value_name = "REVISION")]
        to: Option<u32>,
        /// Let the state go back, too: what was processed since is processed again
        #[arg(long)]
        rewind: bool,
    },
    /// Change the parallelism of a job, without a restart where its cluster can do that
    Rescale {
        #[command(flatten)]
        again: Again,
        /// The parallelism
        parallelism: u32,
    },
    /// Stop a job with a savepoint, and do not list it any more
    Remove {
        /// The job
        job: String,
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
    },
    /// List the revisions and attempts of a job: what changed, from which state, how each ended
    History(OfJob),
    /// Show in what two revisions of a job differ
    Diff {
        /// The job
        job: String,
        /// The older revision
        from: u32,
        /// The newer revision
        to: u32,
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
    },
    /// List the savepoints of a job that were asked for, and its checkpoints that were seen
    #[command(args_conflicts_with_subcommands = true)]
    Savepoints {
        #[command(subcommand)]
        command: Option<SavepointsCommand>,
        #[command(flatten)]
        of: Option<OfJob>,
    },
    /// Show what the dependencies of a job, or of the jobs of a script, come to and who brought what; else what tidegate.lock has
    Deps(Deps),
    /// List the jars that are kept, and who needs them
    Artifacts {
        #[command(subcommand)]
        command: Option<ArtifactsCommand>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a savepoint of a job, which goes on
    Savepoint {
        /// The job
        job: String,
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
    },
    /// Take over a job that somebody else started, without touching it
    Adopt {
        /// The name that it gets here
        job: String,
        /// Its Flink job id
        #[arg(long)]
        id: String,
        /// The cluster that it runs on; the environment's if not given
        #[arg(long)]
        cluster: Option<String>,
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
    },
    /// Tell where clusters differ from what is recorded; exit code 4 where they do
    Drift {
        /// Only this environment; all of them if not given
        #[arg(long, short = 'e')]
        env: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run the script of a plan that was written with plan -o, where nothing has changed since
    Apply {
        /// The plan
        file: PathBuf,
    },
    /// List the builds of git projects, or show the log of one
    #[command(args_conflicts_with_subcommands = true)]
    Builds {
        #[command(subcommand)]
        command: Option<BuildsCommand>,
        /// Only of this project, by its name or URL
        project: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the runs of scripts, or show one
    Runs {
        #[command(subcommand)]
        command: Option<RunsCommand>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Go on with a run that was interrupted, killed, or waits
    Resume {
        /// The run: r12
        run: String,
        /// Say what became of a step whose outcome is unknown: N=retry or N=done:JSON
        #[arg(long, value_name = "N=retry|N=done:JSON")]
        step: Vec<String>,
        /// Use the scripts as they are now, not as they were when the run began
        #[arg(long)]
        with_current_scripts: bool,
    },
    /// Approve, or reject, what a run waits for, and go on with it
    Approve {
        /// The run: r12
        run: String,
        /// Who approves; else the user who is logged in
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Reject it: the script gets an error that it can catch
        #[arg(long)]
        reject: bool,
        /// Why; kept in the journal
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Which step, where several wait: 7.1/0
        #[arg(long, value_name = "N")]
        step: Option<String>,
        /// Go on with the scripts as they are now, not as they were when the run began
        #[arg(long)]
        with_current_scripts: bool,
    },
    /// Give a run up: it will not be resumed
    Abandon {
        /// The run: r12
        run: String,
    },
    /// Start, stop and look at local clusters
    Cluster {
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// Install Flink, or list what is installed
    Flink {
        #[command(subcommand)]
        command: FlinkCommand,
    },
    /// Print the completions of a shell: source <(tidegate completions bash)
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the words that may come next
    #[command(hide = true)]
    CompleteWords {
        /// The words so far
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// Explain an error code
    Explain {
        /// The code: flink.unreachable
        code: String,
    },
    /// Print the reference of the script API
    Docs {
        /// A namespace, a function or a file of the library: job, job::sql, spec.deploy, std/jobs; else a list of all
        name: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Write definition files for editors into a folder; else into the workspace's .rhai/definitions
        #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with_all = ["name", "json"])]
        definitions: Option<Option<PathBuf>>,
    },
}

/// The shells that completions are for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct Run {
    /// The script below scripts/, with or without .rhai; - takes it from standard input
    #[arg(required_unless_present = "help")]
    pub script: Option<String>,
    /// The environment
    #[arg(long, short = 'e')]
    pub env: Option<String>,
    /// A parameter of the script
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Refuse to change tidegate.lock
    #[arg(long)]
    pub locked: bool,
    /// List the parameters of the script without running it
    #[arg(long, short = 'h')]
    pub help: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    /// The scripts below scripts/; all of them, and all templates, if not given
    pub scripts: Vec<String>,
    /// Only for this environment; for all of them if not given
    #[arg(long, short = 'e')]
    pub env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Plan {
    /// The script below scripts/, with or without .rhai
    pub script: String,
    /// The environment
    #[arg(long, short = 'e')]
    pub env: Option<String>,
    /// A parameter of the script
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Refuse a plan that would change tidegate.lock
    #[arg(long)]
    pub locked: bool,
    /// Let each cluster's own planner look at the SQL of the jobs that would be started
    #[arg(long)]
    pub validate: bool,
    /// An external catalog whose definitions may be executed for that
    #[arg(long, value_name = "NAME", requires = "validate")]
    pub catalog: Vec<String>,
    /// Write the plan into a file that apply takes
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Show each step of a run with its script line, time and outcome
    Show {
        /// The run: r12
        run: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use crate::ops::commands;
    use clap::CommandFactory;

    /// Else a message names a command that acts in another environment.
    #[test]
    fn every_command_that_takes_a_job_of_an_environment_is_known_to_messages() {
        let has = |command: &clap::Command, name: &str| command.get_arguments().any(|one| one.get_id() == name);
        let of_job = |command: &&clap::Command| (has(command, "job") || has(command, "of")) && has(command, "env");
        let arguments = Arguments::command();
        let mut names: Vec<&str> = arguments.get_subcommands().filter(of_job).map(clap::Command::get_name).collect();
        names.sort_unstable();
        assert_eq!(names, commands::OF_JOB);
    }
}
