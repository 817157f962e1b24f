//! Group chats (XEP-0045): each of ours in a room is an occupant of it, and what happens there comes once.
//!
//! | file | what |
//! |---|---|
//! | `names` | pure: rooms, occupants, and under which name ours go in |
//! | `presence` | pure: what a presence from a room says |
//! | `raw`, `read` | pure: what is written down of a room, and what it means |
//! | `archive` | pure: what a room has kept of what was said |
//! | `early` | what a room says to ours before they have come in again |
//! | `compose` | pure: a delivery's stanzas as a room wants them |
//! | `rooms`, `room` | who is in which room, as this stream has heard it |
//! | `keeper` | the task that brings ours in, and back in |
//! | `profile` | what a room says of itself |
//! | `moderate` | sending people away, and taking away what they have said |
//! | `say` | handing a delivery to a room: it counts when the room says it back |

mod archive;
pub mod compose;
mod early;
mod keeper;
mod moderate;
pub mod names;
mod presence;
mod profile;
mod raw;
mod read;
mod room;
mod rooms;
mod say;

pub use keeper::{cursor, keep};
pub use moderate::moderate;
pub use profile::profile;
pub use raw::{is_written_down, private, room_of_lane};
pub use read::read;
pub use rooms::{Rooms, Taken};
pub use say::{say, say_privately};
