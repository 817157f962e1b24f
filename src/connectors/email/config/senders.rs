//! The part `senders` of the section: how it is found out whether a mail is from whom it says.

use crate::connectors::email::{
    address::Identity,
    authentication::{Check, Own, Senders},
};
use crate::yaml::{self, Document};
use serde::Deserialize;
use std::net::SocketAddr;

const KEY: &str = "connectors.email.senders";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendersSection {
    /// Mail servers of our own whose `Authentication-Results` count, as they call themselves there.
    #[serde(default)]
    trust: Vec<String>,
    /// Whether Fehmarn checks SPF, DKIM and DMARC itself.
    #[serde(default)]
    check: bool,
    /// The mail server that takes mail from outside, as it calls itself in `Received`: for SPF.
    mx: Option<String>,
    /// The name server to ask; those of the system if not set.
    dns: Option<SocketAddr>,
}

pub fn read(section: Option<SendersSection>, identity: &Identity, document: &Document) -> Result<Senders, yaml::Error> {
    let own = Own::new(identity.domain());
    let Some(section) = section else { return Ok(Senders { own, trust: Vec::new(), check: None }) };
    let SendersSection { trust, check, mx, dns } = section;
    let is_name = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"();=".contains(&byte))
    };
    if let Some(name) = trust.iter().chain(&mx).find(|name| !is_name(name)) {
        return Err(document.error(KEY, format!("{name:?} is not the name of a server")));
    }
    if trust.is_empty() && !check {
        return Err(document.error(KEY, "has neither trust nor check: nothing would tell who a sender is"));
    }
    if !check && (mx.is_some() || dns.is_some()) {
        return Err(document.error(KEY, "has mx or dns, which need check: true"));
    }
    let lower = |name: String| name.to_ascii_lowercase();
    let check = check.then(|| Check::new(dns, mx.map(lower))).transpose();
    let check = check.map_err(|e| document.error(KEY, format!("{e}; name a server in dns")))?;
    Ok(Senders { own, trust: trust.into_iter().map(lower).collect(), check })
}
