//! The networks that Fehmarn was built with.

pub mod email;

use crate::connector::Kind;

/// One line per network.
pub const KINDS: &[Kind] = &[email::KIND];
