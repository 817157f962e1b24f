//! Which words of an event people outside have got: its first ones, or those of an edit.

use super::{
    Bridge,
    outgoing::{Outgoing, Part, Purpose},
    quote::Old,
};
use crate::{
    failure::Failure,
    store::{Row, Version},
};
use ruma::{EventId, OwnedEventId};

/// What somebody has got of an event.
pub(super) struct Got {
    /// `None`: it cannot be found out, or was taken back.
    pub words: Option<Old>,
    /// Whether they were sent an edit of it.
    pub is_edit: bool,
}

/// Whose words a part says: of the last edit that changed it while it waited, else its own.
fn version(part: &Part) -> &OwnedEventId {
    part.replaced.last().map_or(&part.event, |replaced| &replaced.by)
}

/// What is remembered of a delivery that was accepted: of which event it says something else than the first words.
pub(super) fn versions(row: &Row, outgoing: &Outgoing) -> Vec<Version> {
    let edited = |(event, part)| {
        let version: &OwnedEventId = version(part);
        (version != event).then(|| Version {
            event_id: OwnedEventId::clone(event),
            connector: row.connector.clone(),
            remote_user: outgoing.delivery.to.clone(),
            version: version.clone(),
        })
    };
    match &outgoing.purpose {
        Purpose::Message => outgoing.parts.iter().filter_map(|part| edited((&part.event, part))).collect(),
        Purpose::Correction { of, .. } => {
            outgoing.parts.last().and_then(|part| edited((of, part))).into_iter().collect()
        }
        Purpose::Reaction { .. } | Purpose::Withdrawal { .. } | Purpose::Topic | Purpose::Moderation { .. } => {
            Vec::new()
        }
    }
}

impl Bridge {
    /// The edit whose words the recipient of a delivery was last sent of an event; `None`: its first ones.
    pub(super) async fn latest(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        event: &EventId,
    ) -> Result<Option<OwnedEventId>, Failure> {
        Ok(self.store.version(event, &row.connector, &outgoing.delivery.to).await?)
    }

    /// What the recipient of a delivery was last sent of an event. `first`: the event as it stands on the homeserver.
    pub(super) async fn got(
        &self,
        row: &Row,
        outgoing: &Outgoing,
        event: &EventId,
        first: Option<Old>,
    ) -> Result<Got, Failure> {
        Ok(match self.latest(row, outgoing, event).await? {
            Some(edit) => Got { words: self.old(outgoing, &edit).await?, is_edit: true },
            None => Got { words: first, is_edit: false },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            edit::{replace, take_back},
            hold::sample,
            outgoing::Words,
        },
        *,
    };
    use crate::ids::{LocalUser, SourceId};
    use ruma::event_id;

    fn row() -> Row {
        Row {
            id: 1,
            kind: "delivery".into(),
            connector: "email".into(),
            lane: String::new(),
            source: SourceId::new("x"),
            target: String::new(),
            payload: Vec::new(),
            attempts: 1,
            created_at: 0,
            room: None,
            thread: None,
        }
    }

    fn got(outgoing: &Outgoing) -> Vec<(String, String)> {
        versions(&row(), outgoing).into_iter().map(|it| (it.event_id.to_string(), it.version.to_string())).collect()
    }

    #[test]
    fn the_last_edit_before_it_left_is_what_people_have_got() {
        let anna = LocalUser::new("anna");
        let mut outgoing = sample("$1", "um 10");
        outgoing.parts.extend(sample("$2", "Raum 3").parts);
        assert_eq!(got(&outgoing), []);
        for edit in [event_id!("$e1"), event_id!("$e2")] {
            assert!(replace(&mut outgoing, event_id!("$1"), &anna, edit, Words::default()));
        }
        assert_eq!(got(&outgoing), [("$1".into(), "$e2".into())]);
        assert!(take_back(&mut outgoing, event_id!("$e2")));
        assert_eq!(got(&outgoing), [("$1".into(), "$e1".into())]);
    }

    #[test]
    fn a_correction_is_a_version_of_what_it_corrects() {
        let mut outgoing = sample("$e1", "um 11");
        outgoing.purpose = Purpose::Correction { of: event_id!("$1").to_owned(), first: true };
        assert_eq!(got(&outgoing), [("$1".into(), "$e1".into())]);
        assert!(replace(&mut outgoing, event_id!("$1"), &LocalUser::new("anna"), event_id!("$e2"), Words::default()));
        assert_eq!(got(&outgoing), [("$1".into(), "$e2".into())]);
    }
}
