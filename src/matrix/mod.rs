//! The homeserver as Fehmarn uses it: requests, acting as a ghost or the bot, and Matrix's forms of a message.

mod announcement;
mod avatar;
mod caller;
mod client;
pub mod content;
mod federation;
pub mod format;
mod history;
pub mod incoming;
mod intent;
mod invitations;
pub mod joint;
pub mod marks;
mod media;
pub mod registration;
mod signing;
pub mod status;
mod transport;
pub mod written;

pub use announcement::announcement;
pub use avatar::picture_type;
pub use caller::Caller;
pub use client::{Error, Homeserver};
pub use federation::Federation;
pub use history::{Backlog, Page};
pub use intent::{Intent, NewRoom, Profile, RoomState};
pub use invitations::Invited;
pub use registration::Registration;
pub use signing::{KEY_ID, SigningKey};
