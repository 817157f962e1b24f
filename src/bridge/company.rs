//! Everyone whom an arrival concerns, and in which of the rooms they know of it belongs. Pure but for who exists.

use super::Bridge;
use crate::{connector::Directory, failure::Failure, ids::RemoteUserId, message::Arrival};
use ruma::{OwnedUserId, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// What goes to more people than this is for nobody in particular: each gets it in the direct room.
const MOST: usize = 30;

/// The people of one arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Company {
    /// The ghost of the sender.
    pub sender: OwnedUserId,
    pub staff: BTreeSet<OwnedUserId>,
    /// The ghosts of the others outside.
    pub others: BTreeMap<OwnedUserId, RemoteUserId>,
}

/// Whether an arrival belongs in a room that its thread names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Here,
    /// The sender has left out all others outside: it is not for them.
    Private,
    /// It is also for people who are not in the room. Nobody gets into a room because somebody outside says so.
    Short,
}

impl Company {
    pub fn is_group(&self) -> bool {
        self.staff.len() + self.others.len() > 1
    }

    /// All of them, the sender too.
    pub fn all(&self) -> Vec<&UserId> {
        let ghosts = [&self.sender].into_iter().chain(self.others.keys());
        ghosts.chain(&self.staff).map(|user| &**user).collect()
    }

    /// `audience`: the ghosts of those outside whom the sender has seen in the conversation.
    pub fn fit(&self, members: impl Fn(&UserId) -> bool, audience: &BTreeSet<OwnedUserId>) -> Fit {
        let mut rest = audience.iter().filter(|ghost| **ghost != self.sender).peekable();
        match () {
            () if rest.peek().is_some() && !rest.any(|ghost| self.others.contains_key(ghost)) => Fit::Private,
            () if self.all().into_iter().all(members) => Fit::Here,
            () => Fit::Short,
        }
    }
}

impl Bridge {
    /// A machine's words, a blind copy and what goes to very many concern only the two.
    pub(super) async fn company(
        &self,
        connector: &str,
        arrival: &Arrival,
        staff: &UserId,
        sender: &UserId,
    ) -> Result<Company, Failure> {
        let two =
            Company { sender: sender.to_owned(), staff: BTreeSet::from([staff.to_owned()]), others: BTreeMap::new() };
        let is_open = arrival.staff.contains(&arrival.to) && !arrival.automatic;
        if !is_open || arrival.staff.len() + arrival.others.len() > MOST {
            return Ok(two);
        }
        let mut company = two;
        for user in arrival.staff.iter().filter(|user| **user != arrival.to) {
            if let Some(id) = self.staff_id(user)
                && self.knows(user).await?
            {
                company.staff.insert(id);
            }
        }
        for person in &arrival.others {
            if let Some(ghost) = self.ghosts.ghost(connector, person).filter(|ghost| *ghost != *sender) {
                company.others.insert(ghost, person.clone());
            }
        }
        Ok(company)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruma::user_id;

    fn anna() -> &'static UserId {
        user_id!("@anna:x")
    }

    fn tom() -> &'static UserId {
        user_id!("@tom:x")
    }

    fn bob() -> &'static UserId {
        user_id!("@_email_bob:x")
    }

    fn eve() -> &'static UserId {
        user_id!("@_email_eve:x")
    }

    fn company(staff: &[&UserId], others: &[&UserId]) -> Company {
        Company {
            sender: bob().to_owned(),
            staff: staff.iter().map(|user| (*user).to_owned()).collect(),
            others: others.iter().map(|user| ((*user).to_owned(), RemoteUserId::new("x"))).collect(),
        }
    }

    fn fit(company: &Company, room: &[&UserId]) -> Fit {
        let ghosts = room.iter().filter(|user| user.as_str().starts_with("@_"));
        company.fit(|user| room.contains(&user), &ghosts.map(|user| (*user).to_owned()).collect())
    }

    #[test]
    fn what_all_of_a_room_got_belongs_there() {
        assert_eq!(fit(&company(&[anna()], &[]), &[anna(), bob()]), Fit::Here);
        assert_eq!(fit(&company(&[anna()], &[]), &[anna(), tom(), bob()]), Fit::Here, "colleagues may read along");
        assert_eq!(fit(&company(&[anna(), tom()], &[eve()]), &[anna(), tom(), bob(), eve()]), Fit::Here);
    }

    #[test]
    fn a_private_answer_is_not_for_the_group() {
        assert_eq!(fit(&company(&[anna()], &[]), &[anna(), bob(), eve()]), Fit::Private);
    }

    #[test]
    fn who_came_later_was_not_left_out() {
        let room = [anna(), bob(), eve()];
        let fit = company(&[anna()], &[]).fit(|user| room.contains(&user), &BTreeSet::from([bob().to_owned()]));
        assert_eq!(fit, Fit::Here);
    }

    #[test]
    fn nobody_gets_into_a_room_by_being_named() {
        assert_eq!(fit(&company(&[anna(), tom()], &[]), &[anna(), bob()]), Fit::Short);
        assert_eq!(fit(&company(&[anna()], &[eve()]), &[anna(), bob()]), Fit::Short);
    }
}
