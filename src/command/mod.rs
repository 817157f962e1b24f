//! What the command line can do besides `run`.

pub mod check;
pub mod init;
pub mod queue;
