//! Removes a job: it is stopped with a savepoint, and no longer desired. What is recorded of it stays.

use serde_json::Value;

use super::effect::Acting;
use super::services::Services;
use super::stop;
use crate::base::Result;
use crate::model::run::Run;

/// Stops a job where it runs, and records that it should be `absent`. A deploy brings it back with its state.
///
/// # Errors
/// Those of [`stop::stop`]: then it is desired as before.
pub async fn remove(services: &Services, run: &Run, acting: &Acting, environment: &str, name: &str) -> Result<Value> {
    let facts = stop::stop(services, run, acting, environment, name).await?;
    if let Some(job) = services.store.job(environment, name)? {
        services.store.set_desired(run, job.id, "absent")?;
    }
    Ok(facts)
}
