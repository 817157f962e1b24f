//! The homeserver as Fehmarn uses it: requests, acting as a ghost or the bot, and Matrix's forms of a message.

mod caller;
mod client;
pub mod content;
mod federation;
pub mod format;
mod history;
pub mod incoming;
mod intent;
mod media;
pub mod registration;
mod signing;
pub mod written;

pub use caller::Caller;
pub use client::{Error, Homeserver};
pub use federation::Federation;
pub use history::{Backlog, Page};
pub use intent::{Intent, NewRoom, Profile, RoomState};
pub use registration::Registration;
pub use signing::{KEY_ID, SigningKey};
