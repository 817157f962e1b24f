//! Stanzas and what they mean. Pure: no socket, no clock.

pub mod error;
pub mod incoming;
pub mod outgoing;
mod plain;
mod styling;
mod xhtml;
