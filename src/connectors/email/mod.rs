//! E-mail: SMTP out, LMTP and IMAP in.
mod address;
mod arrival;
mod compose;
mod parse;
mod smtp;
mod tls;
use crate::{
    connector::{Connector, Kind},
    yaml::{self, Document},
};
use std::sync::Arc;

pub const KIND: Kind = Kind { name: "email", build };

fn build(document: &Document, _env: yaml::Env<'_>) -> Result<Arc<dyn Connector>, yaml::Error> {
    Err(document.error("connectors.email", "stub"))
}
