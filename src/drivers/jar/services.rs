//! The providers that a jar names below `META-INF/services`, as `java.util.ServiceLoader` reads them.

use std::io::{Read, Seek};
use std::ops::ControlFlow;

use super::archive::Archive;
use crate::base::Result;

/// The providers of a service in a jar and in the jars below its `lib/`, each once, in their order.
///
/// # Errors
/// `file.invalid`.
pub fn services<R: Read + Seek>(archive: &mut Archive<R>, service: &str) -> Result<Vec<String>> {
    let mut found = own_services(archive, service)?;
    archive.each_library(|mut library| {
        found.extend(own_services(&mut library, service)?);
        Ok(ControlFlow::<()>::Continue(()))
    })?;
    let mut once = std::collections::BTreeSet::new();
    found.retain(|name| once.insert(name.clone()));
    Ok(found)
}

/// The providers that a jar names itself.
pub(super) fn own_services<R: Read + Seek>(archive: &mut Archive<R>, service: &str) -> Result<Vec<String>> {
    let Some(bytes) = archive.read(&format!("META-INF/services/{service}"))? else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
