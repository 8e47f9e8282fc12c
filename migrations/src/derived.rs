//! The schemas that a restored database may lack, as the migrations up to a version leave them:
//! `scripts/derived-schemas.sh` generates them. Migrations alone cannot make them again, because the same migrations
//! also make tables that a backup has.

/// One schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedSchema {
    /// Its name.
    pub name: &'static str,
    /// The statements that create it, without rows.
    pub sql: &'static str,
}

/// The schemas as one version has them.
#[derive(Clone, Copy, Debug)]
pub struct DerivedSchemas {
    /// The last migration that is part of it. It is valid up to the next version of this list.
    pub version: i64,
    /// The schemas.
    pub schemas: &'static [DerivedSchema],
}

macro_rules! schema {
    ($version:literal, $name:literal) => {
        DerivedSchema { name: $name, sql: include_str!(concat!("../derived/", $version, "/", $name, ".sql")) }
    };
}

/// All versions, in order: that of each release, and the present one.
pub static VERSIONS: [DerivedSchemas; 2] = [
    // Release 0.1.0.
    DerivedSchemas { version: 20_261_126_000_200, schemas: &[schema!("20261126000200", "read"), schema!("20261126000200", "proof")] },
    DerivedSchemas {
        version: 20_261_202_400_010,
        schemas: &[schema!("20261202400010", "read"), schema!("20261202400010", "proof"), schema!("20261202400010", "state")],
    },
];
