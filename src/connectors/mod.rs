//! The networks that Fehmarn was built with.

pub mod email;
pub mod xmpp;

use crate::connector::Kind;

/// One line per network.
pub const KINDS: &[Kind] = &[email::KIND, xmpp::KIND];
