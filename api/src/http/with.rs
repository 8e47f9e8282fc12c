//! `with`: the parts that the messages of a list have beside the messages themselves. A client that knows the people and
//! the workspace leaves both out: the row of a message with a text of 86 bytes then has about 400 bytes instead of 600.

use projections::relational::messages::MessageRow;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::extract::List;

/// A part that the messages of a list can have or lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessagePart {
    /// The names and pictures of people: of the author, and of those who answered.
    Names,
    /// The workspace.
    Workspace,
    /// None of these parts.
    None,
}

/// A page of a list of messages.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessageListQuery {
    /// The `next` cursor of the previous page.
    pub after: Option<String>,
    /// The number of rows. The default is 50.
    #[param(minimum = 1)]
    pub limit: Option<u16>,
    /// The parts that the messages have: `names` of people, `workspace`, or `none`. By default they have all.
    #[param(inline, value_type = Vec<MessagePart>, style = Form, explode = false, required = false)]
    with: Option<List<MessagePart>>,
}

impl MessageListQuery {
    /// The parts that the messages have.
    pub fn shown(&self) -> Shown {
        Shown::of(self.with.as_ref(), Shown::ALL)
    }
}

/// The parts that the messages of an answer have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    names: bool,
    workspace: bool,
}

impl Shown {
    /// All parts.
    pub const ALL: Self = Self { names: true, workspace: true };
    /// None of the parts.
    pub const NOTHING: Self = Self { names: false, workspace: false };

    /// The parts that the caller asks for, or else `default`.
    pub fn of(with: Option<&List<MessagePart>>, default: Self) -> Self {
        with.map_or(default, |List(parts)| Self {
            names: parts.contains(&MessagePart::Names),
            workspace: parts.contains(&MessagePart::Workspace),
        })
    }

    /// The message with these parts only.
    pub fn of_message(self, mut row: MessageRow) -> MessageRow {
        if !self.workspace {
            row.workspace_id = None;
        }
        if !self.names {
            (row.username, row.display_name, row.avatar_url) = (None, None, None);
            let participants = row.thread.iter_mut().flat_map(|thread| &mut thread.0.participants);
            participants.for_each(|person| person.leave_out_names());
        }
        row
    }

    /// The messages with these parts only.
    pub fn of_messages(self, rows: Vec<MessageRow>) -> Vec<MessageRow> {
        if self == Self::ALL { rows } else { rows.into_iter().map(|row| self.of_message(row)).collect() }
    }

    /// The JSON of a message with these parts only. `None` if the text is no message.
    pub fn of_json(self, row: String) -> Option<String> {
        if self == Self::ALL {
            return Some(row);
        }
        let row = serde_json::from_str::<MessageRow>(&row).ok()?;
        serde_json::to_string(&self.of_message(row)).ok()
    }
}
