//! stub, being written
use crate::{
    failure::{Failure, Reason},
    message::RawArrival,
};
#[derive(Clone)]
pub struct Store;
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub name: String,
    pub value: String,
}
#[derive(Debug, thiserror::Error)]
#[error("store")]
pub struct Error;
impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::transient(Reason::Internal, e)
    }
}
impl Store {
    pub async fn accept_arrivals(
        &self,
        _c: &'static str,
        _a: Vec<RawArrival>,
        _cur: Option<Cursor>,
    ) -> Result<(), Error> {
        Ok(())
    }
    pub async fn cursor(&self, _c: &'static str, _n: &str) -> Result<Option<String>, Error> {
        Ok(None)
    }
}
