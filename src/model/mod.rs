//! Pure data and pure functions: what a workspace, a job, an attempt, a run and an observation are. Nothing here reads a
//! clock, a file or a network.

pub mod attempt;
pub mod build;
pub mod build_log;
pub mod built_for;
pub mod class;
pub mod class_path;
pub mod connectors;
pub mod coordinates;
pub mod dependency;
pub mod dependency_lock;
pub mod dependency_tree;
pub mod diagnosis;
pub mod dropped_operators;
pub mod git_address;
pub mod git_project;
pub mod identity;
pub mod java_class;
pub mod java_home;
pub mod job_spec;
pub mod job_status;
pub mod plan;
pub mod provided;
pub mod rescale;
pub mod retention;
pub mod revision;
pub mod run;
pub mod running_configuration;
pub mod snapshot;
pub mod spec_difference;
pub mod sql_form;
pub mod stability;
pub mod statement;
pub mod trace;
pub mod upgrade;
pub mod workspace_file;
