//! A member of staff and two people outside, in one room.

use super::{Mail, Outside, Setup, Staff, fehmarn::Fehmarn};

pub struct Sitting {
    pub fehmarn: Fehmarn,
    pub anna: Staff,
    pub bob: Outside,
    pub eve: Outside,
    /// Of Bob and of Eve.
    pub ghosts: [String; 2],
    pub room: String,
    /// What Anna wrote first, as Bob got it.
    pub first: Mail,
}

impl Sitting {
    /// Both have come, and have got Anna's first message.
    pub async fn begin(setup: Setup) -> Self {
        let fehmarn = setup.start().await;
        let (anna, bob, eve) = (Staff::new("Anna Muster").await, Outside::new("Bob"), Outside::new("Eve"));
        let ghosts = [&bob, &eve].map(|person| fehmarn.slot().ghost(&person.address));
        let room = anna.room("Sitzung", &[&ghosts[0], &ghosts[1]]).await;
        for ghost in &ghosts {
            anna.wait_for_member(&room, ghost, "join").await;
        }
        anna.say(&room, "Willkommen").await;
        let first = bob.wait_for_text("Willkommen").await;
        eve.wait_for_text("Willkommen").await;
        Self { fehmarn, anna, bob, eve, ghosts, room, first }
    }
}
