//! Words in the forms that mails have them in.

pub(super) mod clean;
pub(super) mod flowed;
pub(super) mod html;
pub(super) mod references;
pub(super) mod subject;
pub(super) mod tags;
