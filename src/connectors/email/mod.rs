//! E-mail: SMTP out, LMTP and IMAP in.
use crate::{
    connector::{Connector, Kind},
    yaml::{self, Document},
};
use std::sync::Arc;

pub mod address;
pub mod arrival;
pub mod attachment;
pub mod body;
pub mod charset;
pub mod clean;
pub mod compose;
#[cfg(test)]
mod fixture;
pub mod flowed;
pub mod headers;
pub mod html;
pub mod mime;
pub mod parameters;
pub mod parse;
pub mod quote;
pub mod quote_html;
pub mod report;
pub mod subject;

pub const KIND: Kind = Kind { name: "email", build };

fn build(document: &Document, _env: yaml::Env<'_>) -> Result<Arc<dyn Connector>, yaml::Error> {
    Err(document.error("connectors.email", "stub"))
}
