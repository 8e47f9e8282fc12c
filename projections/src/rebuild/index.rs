//! Builds the live tables' indexes and constraints on the tables under construction. They are read from the catalog and
//! built on several connections.
//!
//! Indexes of partitioned tables are built partition by partition and then attached, as `pg_dump` does it. So the work
//! is shared evenly.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures::future::try_join_all;
use sqlx::{Executor, PgConnection, query_as};

use super::report::{Phase, RebuildError, RebuildProgress};
use super::shadow::{LIVE, Shadow};

/// How many connections build at the same time.
const CONNECTIONS: usize = 2;

/// An index of a live table.
struct Index {
    /// Its table.
    table: String,
    /// Its name.
    name: String,
    /// `CREATE INDEX …`, as it is for the live table.
    definition: String,
    /// `PRIMARY KEY (…)` or `UNIQUE (…)`, if the index belongs to a constraint.
    constraint: Option<String>,
    /// Whether its table is partitioned.
    partitioned: bool,
}

/// A table under construction that holds rows itself: a partition, or a table without partitions.
struct LeafTable {
    /// The table whose indexes it gets: itself, or the table that it is a partition of.
    table: String,
    /// Its name.
    name: String,
    /// Its size.
    bytes: i64,
}

/// One index to be built.
struct Job {
    statement: String,
    bytes: i64,
}

/// Builds all indexes.
pub(super) async fn build(shadow: &mut Shadow, observe: &(dyn Fn(RebuildProgress) + Send + Sync)) -> Result<(), RebuildError> {
    let indexes = indexes(&mut shadow.connection).await?;
    let schema = shadow.schema.clone();
    let leaves = leaves(&mut shadow.connection, &schema).await?;
    for index in indexes.iter().filter(|index| index.partitioned) {
        shadow.connection.execute(index.on_parent(&schema).as_str()).await?;
    }
    let mut jobs = jobs(&indexes, &leaves, &schema);
    // The largest first, so that the connections end at about the same time.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
    let (taken, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(shadow.connect().await?);
    }
    try_join_all(connections.into_iter().map(|connection| work(connection, &jobs, &taken, &done, observe))).await?;
    for index in indexes.iter().filter(|index| index.partitioned) {
        for leaf in leaves.iter().filter(|leaf| leaf.table == index.table) {
            shadow.connection.execute(index.attach(leaf, &schema).as_str()).await?;
        }
    }
    Ok(())
}

/// Builds the next index until none is left.
async fn work(
    mut connection: PgConnection,
    jobs: &[Job],
    taken: &AtomicUsize,
    done: &AtomicU64,
    observe: &(dyn Fn(RebuildProgress) + Send + Sync),
) -> sqlx::Result<()> {
    while let Some(job) = jobs.get(taken.fetch_add(1, Ordering::Relaxed)) {
        connection.execute(job.statement.as_str()).await?;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        observe(RebuildProgress { phase: Phase::Indexing, done, total: jobs.len() as u64 });
    }
    Ok(())
}

fn jobs(indexes: &[Index], leaves: &[LeafTable], schema: &str) -> Vec<Job> {
    let of_leaf = |leaf: &LeafTable| {
        let here = indexes.iter().filter(|index| index.table == leaf.table);
        here.map(|index| Job { statement: index.on_leaf(leaf, schema), bytes: leaf.bytes * index.weight() }).collect::<Vec<_>>()
    };
    leaves.iter().flat_map(of_leaf).collect()
}

impl Index {
    /// The statement for the partitioned table alone. The index becomes valid when every partition's index is attached.
    fn on_parent(&self, schema: &str) -> String {
        match &self.constraint {
            Some(constraint) => format!("ALTER TABLE ONLY {schema}.{} ADD CONSTRAINT {} {constraint}", self.table, self.name),
            None => self.definition.replace(&format!(" {LIVE}.{} ", self.table), &format!(" {schema}.{} ", self.table)),
        }
    }

    fn on_leaf(&self, leaf: &LeafTable, schema: &str) -> String {
        let (name, table) = (self.name_on(leaf), &leaf.name);
        match &self.constraint {
            Some(constraint) => format!("ALTER TABLE {schema}.{table} ADD CONSTRAINT {name} {constraint}"),
            None => {
                let (head, tail) = self.definition.split_once(" USING ").unwrap_or((&self.definition, ""));
                let unique = if head.starts_with("CREATE UNIQUE ") { "UNIQUE " } else { "" };
                format!("CREATE {unique}INDEX {name} ON {schema}.{table} USING {tail}")
            }
        }
    }

    fn attach(&self, leaf: &LeafTable, schema: &str) -> String {
        format!("ALTER INDEX {schema}.{} ATTACH PARTITION {schema}.{}", self.name, self.name_on(leaf))
    }

    /// `idx_messages_user` is `idx_messages_2024_01_user` on the partition `messages_2024_01`.
    fn name_on(&self, leaf: &LeafTable) -> String {
        if self.partitioned { self.name.replacen(&self.table, &leaf.name, 1) } else { self.name.clone() }
    }

    /// A rough build time among the indexes of one table. A full text index takes longer, because texts are cut into
    /// words and stemmed.
    fn weight(&self) -> i64 {
        if self.definition.contains(" USING gin ") { 10 } else { 1 }
    }
}

async fn indexes(connection: &mut PgConnection) -> sqlx::Result<Vec<Index>> {
    query_as!(
        Index,
        r#"SELECT t.relname::text AS "table!", i.relname::text AS "name!", pg_get_indexdef(i.oid) AS "definition!",
                  pg_get_constraintdef(c.oid) AS "constraint?", t.relkind = 'p' AS "partitioned!"
           FROM pg_index x
           JOIN pg_class i ON i.oid = x.indexrelid
           JOIN pg_class t ON t.oid = x.indrelid
           LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype IN ('p', 'u')
           WHERE t.relnamespace = $1::text::regnamespace AND NOT t.relispartition
           ORDER BY t.relname, c.oid IS NULL, i.relname"#,
        LIVE
    )
    .fetch_all(connection)
    .await
}

async fn leaves(connection: &mut PgConnection, schema: &str) -> sqlx::Result<Vec<LeafTable>> {
    query_as!(
        LeafTable,
        r#"SELECT COALESCE(p.relname, t.relname)::text AS "table!", t.relname::text AS "name!", pg_relation_size(t.oid) AS "bytes!"
           FROM pg_class t
           LEFT JOIN pg_inherits h ON h.inhrelid = t.oid
           LEFT JOIN pg_class p ON p.oid = h.inhparent
           WHERE t.relnamespace = $1::text::regnamespace AND t.relkind = 'r'"#,
        schema
    )
    .fetch_all(connection)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(constraint: Option<&str>) -> Index {
        Index {
            table: "messages".into(),
            name: "idx_messages_user".into(),
            definition: "CREATE INDEX idx_messages_user ON ONLY read.messages USING btree (user_id)".into(),
            constraint: constraint.map(str::to_owned),
            partitioned: true,
        }
    }

    #[test]
    fn a_partition_gets_its_own_index_under_its_own_name() {
        let leaf = LeafTable { table: "messages".into(), name: "messages_2024_01".into(), bytes: 1 };
        let index = index(None);
        assert_eq!(index.on_parent("read_next"), "CREATE INDEX idx_messages_user ON ONLY read_next.messages USING btree (user_id)");
        assert_eq!(
            index.on_leaf(&leaf, "read_next"),
            "CREATE INDEX idx_messages_2024_01_user ON read_next.messages_2024_01 USING btree (user_id)"
        );
        assert_eq!(
            index.attach(&leaf, "read_next"),
            "ALTER INDEX read_next.idx_messages_user ATTACH PARTITION read_next.idx_messages_2024_01_user"
        );
    }

    #[test]
    fn a_constraint_is_a_constraint_on_the_partition_too() {
        let leaf = LeafTable { table: "messages".into(), name: "messages_2024_01".into(), bytes: 1 };
        let index = index(Some("PRIMARY KEY (message_id, created_at)"));
        assert_eq!(
            index.on_leaf(&leaf, "read_next"),
            "ALTER TABLE read_next.messages_2024_01 ADD CONSTRAINT idx_messages_2024_01_user PRIMARY KEY (message_id, created_at)"
        );
    }
}
