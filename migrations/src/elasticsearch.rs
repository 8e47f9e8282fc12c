//! The indices of Elasticsearch: the seed's three, as strict templates that carry a version. How many shards and replicas there are, and
//! how often a refresh, is set by whoever applies them.

/// One family of indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// What the family is called: its indices begin so, behind the installation's prefix.
    pub family: &'static str,
    /// The index template, without its name and without the pattern of names that it is for. JSON.
    pub body: &'static str,
}

/// Every family. `files` is shipped so that it is there when files are: nothing is written to it yet.
pub const TEMPLATES: [Template; 3] = [
    Template { family: "messages", body: include_str!("../elasticsearch/messages.json") },
    Template { family: "files", body: include_str!("../elasticsearch/files.json") },
    Template { family: "users", body: include_str!("../elasticsearch/users.json") },
];
