//! What is done in Matrix: by the kind of the row.

use super::{
    Bridge, Claim, Notice,
    again::Again,
    command::{Asked, Welcome},
    join::{Decline, Join},
    left::Left,
    looks::Look,
    original::Wanted,
    receipt::Report,
    relay::Relay,
    remote_room::{Expel, Readmission},
    status::Shown,
    worker::Done,
};
use crate::{
    failure::{Failure, Reason},
    ids::{LocalUser, SourceId},
    message::{Inbound, RawArrival},
    store::{NewRow, Row, now},
};
use ruma::RoomId;
use serde::{Serialize, de::DeserializeOwned};

/// A row for what Fehmarn itself has to do in a room. Rows of one `lane` go one after the other; `source` tells this
/// occasion from all others.
pub(super) fn own_row(
    kind: &'static str,
    lane: String,
    source: String,
    room: &RoomId,
    payload: &impl Serialize,
) -> NewRow {
    NewRow {
        kind,
        connector: "matrix".into(),
        lane,
        source: SourceId::new(source),
        target: room.to_string(),
        room: Some(room.to_owned()),
        payload: serde_json::to_vec(payload).unwrap_or_default(),
        due_at: now(),
    }
}

impl Bridge {
    pub(super) async fn attempt_inbox(&self, row: &Row) -> Result<Done, Failure> {
        match row.kind.as_str() {
            "arrival" => self.attempt_arrival(row).await,
            "join" => self.join(&payload::<Join>(row)?).await.map(|()| Done::default()),
            "claim" => self.claim(row, &payload::<Claim>(row)?).await.map(|()| Done::default()),
            "decline" => self.decline(row, &payload::<Decline>(row)?).await.map(|()| Done::default()),
            "welcome" => self.welcome(row, &payload::<Welcome>(row)?).await.map(|()| Done::default()),
            "command" => self.answer(row, &payload::<Asked>(row)?).await.map(|()| Done::default()),
            "expel" => self.expel(&payload::<Expel>(row)?).await.map(|()| Done::default()),
            "readmission" => self.readmit(row, &payload::<Readmission>(row)?).await,
            "left" => self.look_after_leaving(&payload::<Left>(row)?).await.map(|()| Done::default()),
            "looks" => self.renew_looks(&payload::<Look>(row)?).await.map(|()| Done::default()),
            "original" => self.show_original(row, &payload::<Wanted>(row)?).await.map(|()| Done::default()),
            "relay" => self.pass_on(row, &payload::<Relay>(row)?).await.map(|()| Done::default()),
            "report" => self.take_report(row, &payload::<Report>(row)?).await,
            "again" => self.send_again(row, &payload::<Again>(row)?).await,
            "status" => self.show(&row.source, &payload::<Shown>(row)?).await,
            "notice" => self.say(&row.source, &payload::<Notice>(row)?).await.map(|()| Done::default()),
            other => Err(Failure::permanent(Reason::Internal, format!("rows of the kind {other} are not known"))),
        }
    }

    async fn attempt_arrival(&self, row: &Row) -> Result<Done, Failure> {
        let connector = self.connector(&row.connector)?;
        let raw = RawArrival {
            also: None,
            source: row.source.clone(),
            lane: row.lane.clone(),
            to: LocalUser::new(row.target.as_str()),
            raw: row.payload.clone().into(),
        };
        match connector.read(&raw, row.attempts).await? {
            Inbound::Message(arrival) => self.deliver_arrival(row, &arrival).await,
            Inbound::Receipt(receipt) => self.take_receipt(row, receipt).await,
            Inbound::TakenBack(gone) => self.hide(row, &gone).await,
            Inbound::Reactions(reactions) => self.show_reactions(row, &reactions).await,
            Inbound::InRoom(in_room) => self.happened(row, &in_room).await,
        }
    }
}

fn payload<T: DeserializeOwned>(row: &Row) -> Result<T, Failure> {
    serde_json::from_slice(&row.payload)
        .map_err(|e| Failure::permanent(Reason::Internal, format!("the row of the kind {} is damaged: {e}", row.kind)))
}
