//! Stanzas and what they mean. Pure: no socket, no clock.

pub mod error;
pub mod incoming;
pub mod outgoing;
pub mod passing;
mod plain;
mod stamp;
mod styling;
mod xhtml;
