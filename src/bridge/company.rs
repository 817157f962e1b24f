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
    /// The ghosts of those to whom answers shall go, and who are none of the others.
    pub answers_to: BTreeMap<OwnedUserId, RemoteUserId>,
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
        self.staff.len() + self.others.len() + self.answers_to.len() > 1
    }

    /// The people outside, but for the sender.
    pub fn outside(&self) -> impl Iterator<Item = (&OwnedUserId, &RemoteUserId)> {
        self.others.iter().chain(&self.answers_to)
    }

    /// All of them, the sender too.
    pub fn all(&self) -> Vec<&UserId> {
        self.addressed().chain(self.answers_to.keys().map(|user| &**user)).collect()
    }

    fn addressed(&self) -> impl Iterator<Item = &UserId> {
        let ghosts = [&self.sender].into_iter().chain(self.others.keys());
        ghosts.chain(&self.staff).map(|user| &**user)
    }

    /// `audience`: the ghosts of those outside whom the sender has seen in the conversation. Who wants answers to go to one
    /// of them does not leave that one out; who wants them to go to somebody else has not written to that one.
    pub fn fit(&self, members: impl Fn(&UserId) -> bool, audience: &BTreeSet<OwnedUserId>) -> Fit {
        let mut rest = audience.iter().filter(|ghost| **ghost != self.sender).peekable();
        let is_meant = |ghost: &OwnedUserId| self.others.contains_key(ghost) || self.answers_to.contains_key(ghost);
        match () {
            () if rest.peek().is_some() && !rest.any(is_meant) => Fit::Private,
            () if self.addressed().all(members) => Fit::Here,
            () => Fit::Short,
        }
    }

    /// Whether a conversation belongs to just these people, of which nothing but the subject speaks: what answers to it
    /// should go to is then all that tells two mails of one contact form apart.
    pub fn fits_by_subject(&self, members: impl Fn(&UserId) -> bool, audience: &BTreeSet<OwnedUserId>) -> bool {
        self.fit(&members, audience) == Fit::Here && self.all().into_iter().all(members)
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
        let mut company = Company {
            sender: sender.to_owned(),
            staff: BTreeSet::from([staff.to_owned()]),
            others: BTreeMap::new(),
            answers_to: BTreeMap::new(),
        };
        let is_open = arrival.staff.contains(&arrival.to) && !arrival.automatic;
        let people = arrival.staff.len() + arrival.others.len() + arrival.answers_to.len();
        if !is_open || people > MOST {
            return Ok(company);
        }
        for user in arrival.staff.iter().filter(|user| **user != arrival.to) {
            if let Some(id) = self.staff_id(user)
                && self.knows(user).await?
            {
                company.staff.insert(id);
            }
        }
        let ghosts = |people: &[RemoteUserId]| -> BTreeMap<OwnedUserId, RemoteUserId> {
            let ghost = |person: &RemoteUserId| Some((self.ghosts.ghost(connector, person)?, person.clone()));
            people.iter().filter_map(ghost).filter(|(ghost, _)| *ghost != *sender).collect()
        };
        company.others = ghosts(&arrival.others);
        company.answers_to = ghosts(&arrival.answers_to);
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
            answers_to: BTreeMap::new(),
        }
    }

    fn answers_to(company: Company, user: &UserId) -> Company {
        Company { answers_to: BTreeMap::from([(user.to_owned(), RemoteUserId::new("x"))]), ..company }
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
    fn to_whom_answers_go_is_not_left_out_and_need_not_be_there() {
        let mail = answers_to(company(&[anna()], &[]), eve());
        assert_eq!(fit(&mail, &[anna(), bob(), eve()]), Fit::Here, "answers go to one of the group");
        assert_eq!(fit(&mail, &[anna(), bob()]), Fit::Here, "it was not written to the other");
        assert!(mail.is_group() && mail.all().contains(&eve()), "a new conversation is with both");
    }

    #[test]
    fn by_its_subject_alone_a_conversation_is_found_only_if_answers_there_go_where_they_shall() {
        let mail = answers_to(company(&[anna()], &[]), eve());
        let fits = |room: &[&UserId]| {
            let ghosts = room.iter().filter(|user| user.as_str().starts_with("@_"));
            mail.fits_by_subject(|user| room.contains(&user), &ghosts.map(|user| (*user).to_owned()).collect())
        };
        assert!(fits(&[anna(), bob(), eve()]));
        assert!(!fits(&[anna(), bob()]));
        assert!(!fits(&[anna(), bob(), user_id!("@_email_ida:x")]));
    }

    #[test]
    fn nobody_gets_into_a_room_by_being_named() {
        assert_eq!(fit(&company(&[anna(), tom()], &[]), &[anna(), bob()]), Fit::Short);
        assert_eq!(fit(&company(&[anna()], &[eve()]), &[anna(), bob()]), Fit::Short);
    }
}
