//! What a conversation is about.

use super::Bridge;
use crate::store::Portal;

impl Bridge {
    /// What a new conversation in this room is about: the room's name, if people have given it one.
    pub(super) fn subject(&self, portal: &Portal) -> Option<String> {
        let name = portal.name.as_ref()?;
        let mut people: Vec<String> = Vec::new();
        for (user, member) in &portal.members {
            people.extend([user.to_string(), user.localpart().to_owned()]);
            people.extend(member.name.clone());
            people.extend(self.ghosts.parse(user).map(|(_, address)| address));
        }
        (!names_only(name, &people)).then(|| name.clone())
    }
}

/// Whether a room's name is nothing but the names of its members, as clients call rooms by themselves.
fn names_only(name: &str, people: &[String]) -> bool {
    let is_person = |piece: &str| people.iter().any(|person| person.trim().to_lowercase() == piece);
    let name = name.trim().to_lowercase();
    let joined = [" und ", " and ", " & "].iter().fold(name.clone(), |name, word| name.replace(word, ","));
    is_person(&name) || joined.split(',').all(|piece| is_person(piece.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_a_client_gave_by_itself_is_no_subject() {
        let people: Vec<String> = ["bob@example.org", "Bob Meier", "Eve, Dr.", "Anna"].map(str::to_owned).into();
        for name in ["bob@example.org", "Bob Meier", " bob meier ", "Bob Meier und Anna", "Eve, Dr.", "anna, Bob Meier"]
        {
            assert!(names_only(name, &people), "{name}");
        }
        for name in ["Bauantrag 17", "Bob Meier: Antrag", "Anna und der Bauantrag"] {
            assert!(!names_only(name, &people), "{name}");
        }
    }
}
