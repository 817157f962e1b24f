//! stub, replaced when merging
#![allow(dead_code)]
use super::address::Identity;
use crate::{
    failure::{Failure, Reason},
    ids::RemoteMessageId,
    message::Delivery,
};

pub struct Mail {
    pub envelope_from: String,
    pub to: String,
    pub message: RemoteMessageId,
    pub bytes: Vec<u8>,
}

pub fn compose(_identity: &Identity, _delivery: &Delivery) -> Result<Mail, Failure> {
    Err(Failure::permanent(Reason::Internal, "stub"))
}
