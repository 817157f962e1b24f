//! What becomes of the part of a mail that is not shown.

use serde::Deserialize;

/// How people get at the untouched mail behind a message that leaves something out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FullMessage {
    /// As a file below every such message. Nearly every answer quotes something, so that half of what a room shows would
    /// be files.
    Attach,
    /// When somebody asks for it.
    #[default]
    OnDemand,
}
