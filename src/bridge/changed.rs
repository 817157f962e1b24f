//! What had to be changed for a network: whoever wrote it is told, once in each room.

use super::{
    Bridge, Text,
    event::Event,
    work::{Scene, Work},
};
use crate::{
    matrix::content::{Content, Said},
    message::Form,
    store::{Error, Tx},
};

/// A change that its writer should know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// What has no such form elsewhere became words, a link or a file.
    Form(Form),
    /// A reaction is told by the next message.
    Reaction,
    /// New words for a message that was sent follow it.
    Correction,
}

impl Changed {
    /// The same for all that is told once in a room.
    fn name(self) -> &'static str {
        match self {
            Self::Form(Form::Poll) => "poll",
            Self::Form(Form::Place) => "place",
            Self::Form(Form::Sticker) => "sticker",
            Self::Form(Form::Voice) => "voice",
            Self::Form(Form::Thread) => "thread",
            Self::Reaction => "reaction told later",
            Self::Correction => "correction",
        }
    }
}

/// The forms of a message beside words and files.
fn forms(said: &Said) -> Vec<Form> {
    let own = match &said.content {
        Content::Poll(_) => Some(Form::Poll),
        Content::Sticker(_) => Some(Form::Sticker),
        Content::Message(message) if message.voice.is_some() => Some(Form::Voice),
        Content::Message(message) if message.msgtype.as_deref() == Some("m.location") => Some(Form::Place),
        Content::Message(_) => None,
    };
    own.into_iter().chain(said.relation.thread.is_some().then_some(Form::Thread)).collect()
}

impl Bridge {
    /// Tells what becomes of the forms of a message where one of those who get it has no such thing.
    pub(super) async fn tell_forms(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        said: &Said,
        work: &mut Work,
    ) -> Result<(), Error> {
        let forms = forms(said);
        if forms.is_empty() {
            return Ok(());
        }
        let audiences = self.audiences(scene);
        for form in forms {
            if audiences.iter().any(|audience| !audience.port.capabilities().forms.contains(&form)) {
                self.tell_changed(tx, event, scene, Changed::Form(form), work).await?;
            }
        }
        Ok(())
    }

    /// Nobody is told who does not read here.
    pub(super) async fn tell_changed(
        &self,
        tx: &mut Tx,
        event: &Event<'_>,
        scene: &Scene<'_>,
        changed: Changed,
        work: &mut Work,
    ) -> Result<(), Error> {
        if scene.passing_on.is_some() {
            return Ok(());
        }
        let once = format!("{} {}", changed.name(), event.room);
        self.tell_once(tx, once, event, scene, &Text::Changed(changed), work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::content::said;

    #[test]
    fn the_forms_of_a_message_are_known_by_its_content() {
        let forms = |kind: &str, content: &str| forms(&said(kind, content).unwrap().unwrap());
        let text = r#"{"msgtype":"m.text","body":"x","m.relates_to":{"rel_type":"m.thread","event_id":"$r"}}"#;
        assert_eq!(forms("m.room.message", text), [Form::Thread]);
        let voice = r#"{"msgtype":"m.audio","body":"x","url":"mxc://x/y","org.matrix.msc3245.voice":{}}"#;
        assert_eq!(forms("m.room.message", voice), [Form::Voice]);
        let place = r#"{"msgtype":"m.location","body":"x","geo_uri":"geo:1,2"}"#;
        assert_eq!(forms("m.room.message", place), [Form::Place]);
        assert_eq!(forms("m.sticker", r#"{"body":"x","url":"mxc://x/y"}"#), [Form::Sticker]);
        assert_eq!(forms("m.room.message", r#"{"msgtype":"m.text","body":"x"}"#), []);
    }
}
