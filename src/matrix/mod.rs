//! The homeserver as Fehmarn uses it: requests, acting as a ghost or the bot, and Matrix's forms of a message.

mod announcement;
mod client;
pub mod content;
pub mod format;
mod history;
pub mod incoming;
mod intent;
pub mod marks;
mod media;
pub mod registration;
pub mod status;
pub mod written;

pub use announcement::announcement;
pub use client::{Error, Homeserver};
pub use history::{Backlog, Page};
pub use intent::{Intent, NewRoom, Profile, RoomState};
pub use registration::Registration;
