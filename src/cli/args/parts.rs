//! The arguments that several commands have, and the subcommands.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Logs {
    /// The job
    pub job: String,
    /// The environment
    #[arg(long, short = 'e')]
    pub env: Option<String>,
    /// One source: jobmanager, taskmanager, stdout or exceptions
    #[arg(long)]
    pub source: Option<String>,
    /// How many of the last lines of each source
    #[arg(long, short = 'n', default_value_t = 100)]
    pub lines: usize,
    /// Go on showing what is written
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "follow")]
    pub json: bool,
}

/// A listing of what is recorded of one job.
#[derive(Debug, Args)]
pub struct OfJob {
    /// The job
    pub job: String,
    /// The environment
    #[arg(long, short = 'e')]
    pub env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What the dependencies of jobs come to.
#[derive(Debug, Args)]
pub struct Deps {
    /// The job, or a script with .rhai at its end; else what tidegate.lock has
    #[arg(value_name = "JOB|SCRIPT.rhai")]
    pub of: Option<String>,
    /// The environment
    #[arg(long, short = 'e')]
    pub env: Option<String>,
    /// A parameter of the script
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", requires = "of")]
    pub parameters: Vec<String>,
    /// Fail where the job was deployed with other dependencies than tidegate.lock has, or the script would change it
    #[arg(long, requires = "of")]
    pub locked: bool,
    /// Drop from tidegate.lock what no recorded job has
    #[arg(long, conflicts_with_all = ["of", "json"])]
    pub prune: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum ArtifactsCommand {
    /// Delete the jars that no revision, open run, build or tidegate.lock needs
    Prune {
        /// Tell what would go, and delete nothing
        #[arg(long)]
        dry_run: bool,
        /// Delete only what was not used for so long
        #[arg(long, value_name = "DURATION", default_value = "1h")]
        older_than: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A job that is to run again.
#[derive(Debug, Args)]
pub struct Again {
    /// The job
    pub job: String,
    /// The environment
    #[arg(long, short = 'e')]
    pub env: Option<String>,
    /// How a job that runs is ended: savepoint, last_state or stateless
    #[arg(long, value_name = "MODE", default_value = "savepoint")]
    pub upgrade: String,
    /// Abandon the state of an attempt: attempt-3
    #[arg(long, value_name = "ATTEMPT")]
    pub allow_state_loss: Option<String>,
    /// Let state of operators that the program does not have be left behind
    #[arg(long)]
    pub allow_non_restored_state: bool,
}

#[derive(Debug, Subcommand)]
pub enum SavepointsCommand {
    /// Have Flink delete savepoints that nobody needs; never the newest, never a checkpoint
    Prune {
        /// The job; all of the environment if not given
        job: Option<String>,
        /// The environment
        #[arg(long, short = 'e')]
        env: Option<String>,
        /// Keep so many of the newest of each job
        #[arg(long, value_name = "N", default_value_t = 5)]
        keep: usize,
        /// Delete only what is older
        #[arg(long, value_name = "DURATION", default_value = "7d")]
        older_than: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum BuildsCommand {
    /// Show the log of a build
    Log {
        /// The number of the build
        number: i64,
    },
}

#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Start a local cluster, or repair what is missing of it
    Up {
        /// The cluster; else the default environment's
        name: Option<String>,
    },
    /// Stop a local cluster
    Down {
        /// The cluster; else the default environment's
        name: Option<String>,
    },
    /// Show the clusters of the workspace
    Status {
        /// One cluster; else all of them
        name: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum FlinkCommand {
    /// Install a Flink version into the user's cache
    Install {
        /// 1.20, or an exact version
        #[arg(default_value = "1.20")]
        version: String,
    },
    /// List the installed versions
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
