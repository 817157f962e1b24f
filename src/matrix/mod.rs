//! The homeserver as Fehmarn uses it: requests, acting as a ghost or the bot, and Matrix's forms of a message.

mod client;
pub mod format;
mod history;
mod intent;
mod media;
pub mod registration;

pub use client::{Error, Homeserver};
pub use history::{Backlog, Page};
pub use intent::{Intent, Profile, RoomState};
pub use registration::Registration;
