//! stub, replaced when merging
#![allow(dead_code)]
use super::address::Identity;
use crate::{
    ids::{LocalUser, SourceId},
    message::RawArrival,
};
use bytes::Bytes;

pub fn arrival(to: LocalUser, raw: Bytes) -> RawArrival {
    RawArrival { source: SourceId::new(format!("{to} {}", raw.len())), lane: "stub".into(), to, raw }
}

pub fn recipients(identity: &Identity, raw: &[u8]) -> Vec<LocalUser> {
    String::from_utf8_lossy(raw)
        .lines()
        .filter_map(|line| line.strip_prefix("To: "))
        .filter_map(|address| identity.user_of(address))
        .collect()
}
