//! Pure data and pure functions: what a workspace, a job, an attempt, a run and an observation are.

pub mod attempt;
pub mod class;
pub mod identity;
pub mod job_spec;
pub mod job_status;
pub mod run;
pub mod statement;
pub mod workspace_file;
