//! stub, replaced when merging
#![allow(dead_code)]
use crate::ids::{LocalUser, RemoteUserId};

pub struct Identity {
    domain: String,
}

impl Identity {
    pub fn new(domain: &str, _from_template: &str) -> Result<Identity, String> {
        Ok(Self { domain: domain.to_owned() })
    }
    pub fn address_of(&self, user: &LocalUser) -> Option<String> {
        Some(format!("{user}@{}", self.domain))
    }
    pub fn user_of(&self, address: &str) -> Option<LocalUser> {
        let (local, domain) = address.rsplit_once('@')?;
        domain.eq_ignore_ascii_case(&self.domain).then(|| LocalUser::new(local.to_ascii_lowercase()))
    }
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

pub fn remote(text: &str) -> Option<RemoteUserId> {
    text.contains('@').then(|| RemoteUserId::new(text))
}
