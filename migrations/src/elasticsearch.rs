//! The indices of Elasticsearch: the seed's three, as strict templates with a version. The caller that applies them
//! adds the number of shards and replicas, and the refresh interval.

/// One family of indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// The family's name. The names of its indices begin with the installation's prefix and this name.
    pub family: &'static str,
    /// The index template as JSON, without its name and its pattern of index names.
    pub body: &'static str,
}

/// All families. `files` is included for later: nothing is written to it yet.
pub const TEMPLATES: [Template; 3] = [
    Template { family: "messages", body: include_str!("../elasticsearch/messages.json") },
    Template { family: "files", body: include_str!("../elasticsearch/files.json") },
    Template { family: "users", body: include_str!("../elasticsearch/users.json") },
];
