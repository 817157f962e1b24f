//! stub, replaced when merging
#![allow(dead_code)]
use crate::{
    failure::{Failure, Reason},
    message::{Inbound, RawArrival},
};

pub fn read(_raw: &RawArrival, _max_size: u64) -> Result<Inbound, Failure> {
    Err(Failure::permanent(Reason::Internal, "stub"))
}
