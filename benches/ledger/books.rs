//! What was written, what was seen at the other end, and what the writers were told.

/// One direction. A conversation is one person outside in one room.
#[derive(Clone, Default)]
pub struct Book {
    /// In the order in which they were written.
    pub due: Vec<Due>,
    /// In the order in which the other side accepted them.
    pub seen: Vec<Seen>,
    /// In order.
    pub told: Vec<Told>,
}

/// A message that one person is to get.
#[derive(Clone, Debug)]
pub struct Due {
    pub conversation: usize,
    pub number: usize,
    /// Whether the person's mail server never takes it: then its writer must hear of that.
    pub hopeless: bool,
}

#[derive(Clone, Debug)]
pub struct Seen {
    /// `None`: a place where nothing of ours belongs.
    pub conversation: Option<usize>,
    pub number: usize,
    /// Message-ID or event id.
    pub id: String,
    /// When it was accepted, at the earliest. Milliseconds since 1970.
    pub at: i64,
}

#[derive(Clone, Debug)]
pub struct Told {
    pub number: usize,
    /// Of which person; `None`: of all to whom the message goes.
    pub conversation: Option<usize>,
    pub news: News,
    pub at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Delivered,
    Failed,
}

#[derive(Clone, Default)]
pub struct Books {
    pub to_mail: Book,
    pub to_matrix: Book,
}

/// From when to when somebody was struck. Milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

pub fn now() -> i64 {
    fehmarn::store::now()
}
