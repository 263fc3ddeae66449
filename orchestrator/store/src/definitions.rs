//! Versions of definitions: who can run them, and which take new sagas.

/// A version of a definition, as a node announces it. Its fingerprint is the version's for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announced {
    /// The definition's name.
    pub name: String,
    /// The definition's version.
    pub version: u32,
    /// SHA-256 over its shape.
    pub fingerprint: [u8; 32],
}

/// A node's announcement of everything that it can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The node.
    pub node: String,
    /// All of it: what the node has announced before and is not here, it cannot run any more.
    pub definitions: Vec<Announced>,
    /// Now, Unix milliseconds.
    pub now_ms: i64,
    /// Who has not announced since then is not live any more.
    pub live_since_ms: i64,
}

/// A version of a definition, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionRow {
    /// What was announced.
    pub definition: Announced,
    /// When it was announced first, Unix milliseconds.
    pub announced_at_ms: i64,
    /// Who can run it, and when each said so last; by name.
    pub nodes: Vec<(String, i64)>,
    /// Its last switching; none if it was never switched: then it is dark.
    pub switch: Option<SwitchRow>,
}

impl DefinitionRow {
    /// Whether new sagas may start with it.
    pub fn is_on(&self) -> bool {
        self.switch.as_ref().is_some_and(|switch| switch.on)
    }
}

/// A switching on or off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchRow {
    /// On, or off.
    pub on: bool,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// The reason on record.
    pub why: String,
}

/// A version to switch on or off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The definition's name.
    pub name: String,
    /// The definition's version.
    pub version: u32,
    /// On, or off.
    pub on: bool,
    /// The reason, for the record: 1 to 500 characters, none a control character.
    pub why: String,
    /// Now, Unix milliseconds.
    pub now_ms: i64,
    /// Who has not announced since then is not live any more.
    pub live_since_ms: i64,
}

/// What became of a switching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    /// It is durable.
    Switched,
    /// It is so already; nothing was written.
    Already,
    /// No node has ever announced this version; nothing was written.
    Unknown,
    /// These live nodes cannot run it (none named: no node is live at all); nothing was written.
    Lacking(Vec<String>),
}

/// How many sagas of one version are not finished, parked ones included, in one shard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InFlight {
    /// The definition's name.
    pub name: String,
    /// The definition's version.
    pub version: u32,
    /// The shard.
    pub shard: u16,
    /// How many.
    pub sagas: u64,
}

/// Why the first version of a name is on: nobody had to ask for it.
pub(crate) const FIRST: &str = "the first version of its name";
