//! The class of a host function: what it does to the world, and so what may be done after a crash.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The effect class of a host function (`design.md`, "Effects").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Depends on its arguments and the pinned inputs alone; not journaled, runs again.
    Pure,
    /// Looks at the world; its result is journaled, an open one runs again.
    Read,
    /// Brings the world to a state; an open one runs again.
    Set,
    /// Carries a key of ours that the target deduplicates; an open one is sent again under the same key.
    Keyed,
    /// Starts processes that carry a mark of ours: of an open one they are found by it and ended, then it is done again.
    Tagged,
    /// Nobody can tell afterwards whether it happened: an open one waits until somebody says how to go on.
    Opaque,
    /// A named scope of other effects; has no effect of its own.
    Scope,
    /// Waits for a time or for somebody, from the moment at which it was first asked for; an open one waits for the rest.
    Wait,
}

impl Class {
    /// The word for it in the journal and in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Read => "read",
            Self::Set => "set",
            Self::Keyed => "keyed",
            Self::Tagged => "tagged",
            Self::Opaque => "opaque",
            Self::Scope => "scope",
            Self::Wait => "wait",
        }
    }

    /// Whether intent and result must be on the disk (`synchronous=FULL`) before going on.
    pub const fn is_effect(self) -> bool {
        matches!(self, Self::Set | Self::Keyed | Self::Tagged | Self::Opaque | Self::Wait)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
