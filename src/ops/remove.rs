//! Removes a job: it is stopped with a savepoint, and no longer desired. What is recorded of it stays.

use serde_json::Value;

use super::effect::Acting;
use super::services::Services;
use super::standing::lock;
use super::stop;
use super::wait::job_not_found;
use crate::base::Result;
use crate::model::run::Run;

/// Stops a job where it runs, and records that it should be `absent`. A deploy brings it back with its state.
///
/// # Errors
/// Those of [`stop::stop`]: then it is desired as before.
pub async fn remove(services: &Services, run: &Run, acting: &Acting, environment: &str, name: &str) -> Result<Value> {
    let job = services.store.job(environment, name)?.ok_or_else(|| job_not_found(services, environment, name))?;
    // Held until the end: a deploy in between would leave a job running that is desired to be absent.
    let _lock = lock(services, &services.identity(environment, name)).await?;
    let facts = stop::locked(services, run, acting, &job).await?;
    services.store.set_desired(run, job.id, "absent")?;
    Ok(facts)
}
