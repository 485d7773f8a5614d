//! Asks the documented views of the state.

use std::time::Duration;

use serde_json::Value;

use super::services::Services;
use crate::base::cancel::Cancel;
use crate::base::{Error, Result, code};
pub use crate::store::Arguments;
use crate::store::{QUERY_TIME, too_slow};

/// How much longer than its time a query may take to stop by itself.
const GRACE: Duration = Duration::from_millis(250);

/// Asks the views.
///
/// SQLite stops between two instructions, and a single `replace` of two long texts can take minutes: the query has a
/// thread of its own, which is left behind then.
///
/// # Errors
/// `state.query_invalid`, `state.query_refused`, `state.query_limit`, `cancelled`, `state.*`.
pub async fn query(services: &Services, text: String, arguments: Arguments, cancel: Cancel) -> Result<Vec<Value>> {
    let store = services.store.clone();
    let work = tokio::task::spawn_blocking(move || store.query(&text, &arguments, &cancel));
    match tokio::time::timeout(QUERY_TIME + GRACE, work).await {
        Err(_) => Err(too_slow()),
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Err(Error::new(&code::INTERNAL, "the query crashed").caused_by(error)),
    }
}
