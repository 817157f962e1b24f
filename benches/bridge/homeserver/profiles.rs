//! Users: their registration and what they are called.

use super::{
    Homeserver,
    call::{Call, Reply},
};
use serde_json::json;

impl Homeserver {
    pub(super) fn register_user(&self, call: &Call) -> Reply {
        let user = format!("@{}:bench.local", call.json()["username"].as_str().unwrap_or_default());
        if !self.world().registered.insert(user.clone()) {
            return Reply::error(400, "M_USER_IN_USE", "this user exists");
        }
        Reply::ok(json!({"user_id": user, "home_server": "bench.local"}))
    }

    pub(super) fn profile(&self, user: &str, field: Option<&str>) -> Reply {
        let Some(profile) = self.world().profile(user) else { return Reply::not_found() };
        match field {
            None => Reply::ok(profile.into()),
            Some(field) => match profile.get(field) {
                Some(value) => Reply::ok(json!({field: value})),
                None => Reply::not_found(),
            },
        }
    }

    pub(super) fn set_profile(&self, user: &str, call: &Call) -> Reply {
        let mut world = self.world();
        let profile = world.profiles.entry(user.to_owned()).or_default();
        profile.extend(call.json().as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        Reply::empty()
    }
}
