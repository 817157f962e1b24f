//! What the homeserver asks about networks and the people there (Application Service API 1.11, "Third-party networks").
//! Answered without I/O. Who asks is not known: all that is told follows from the question.

use super::{Site, answer, query::fields};
use crate::bridge::{Location, Person};
use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use ruma::{RoomAliasId, UserId};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

pub(super) async fn protocol(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Response {
    let Some(network) = site.bridge.networks.get(name.as_str()) else {
        return answer::not_found("there is no such network");
    };
    let fields: Vec<_> = [Some(network.person), network.room].into_iter().flatten().collect();
    let types = fields
        .iter()
        .map(|field| (field.name, json!({ "regexp": format!("^{}$", field.pattern), "placeholder": field.example })));
    Json(json!({
        "user_fields": [network.person.name],
        "location_fields": network.room.map(|room| room.name).as_slice(),
        // The specification wants one.
        "icon": "",
        "field_types": types.collect::<BTreeMap<_, _>>(),
        "instances": [{ "desc": network.title, "network_id": name, "fields": {} }],
    }))
    .into_response()
}

/// By what a person is known by there.
pub(super) async fn user(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(network) = site.bridge.networks.get(name.as_str()) else {
        return answer::not_found("there is no such network");
    };
    let text = fields(query.as_deref()).remove(network.person.name);
    found(&site, text.and_then(|text| site.bridge.person(&name, &text)))
}

/// By Matrix id.
pub(super) async fn user_by_id(State(site): State<Arc<Site>>, RawQuery(query): RawQuery) -> Response {
    let id = fields(query.as_deref()).remove("userid").and_then(|id| UserId::parse(id).ok());
    found(&site, id.and_then(|id| site.bridge.person_behind(&id)))
}

fn found(site: &Site, person: Option<Person>) -> Response {
    match person.and_then(|person| described(site, &person)) {
        Some(person) => Json(json!([person])).into_response(),
        None => answer::not_found("there is nobody with such an address"),
    }
}

fn described(site: &Site, person: &Person) -> Option<Value> {
    let network = site.bridge.networks.get(person.connector)?;
    let fields = json!({ network.person.name: person.address.address() });
    Some(json!({ "userid": person.ghost, "protocol": person.connector, "fields": fields }))
}

/// By what a room is known by there.
pub(super) async fn location(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let field = site.bridge.networks.get(name.as_str()).and_then(|network| network.room);
    let text = field.and_then(|field| fields(query.as_deref()).remove(field.name));
    found_location(&site, text.and_then(|text| site.bridge.location(&name, &text)))
}

/// By alias.
pub(super) async fn location_by_alias(State(site): State<Arc<Site>>, RawQuery(query): RawQuery) -> Response {
    let alias = fields(query.as_deref()).remove("alias").and_then(|alias| RoomAliasId::parse(alias).ok());
    found_location(&site, alias.and_then(|alias| site.bridge.location_behind(&alias)))
}

fn found_location(site: &Site, location: Option<Location>) -> Response {
    let described = location.and_then(|Location { connector, room, alias }| {
        let field = site.bridge.networks.get(connector)?.room?;
        Some(json!([{ "alias": alias, "protocol": connector, "fields": { field.name: room } }]))
    });
    described.map_or_else(|| answer::not_found("there is no such place"), |it| Json(it).into_response())
}
