//! Restores a plain dump of `pg_dump` without `psql`: it runs the statements as they are, and sends the rows by `COPY`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use sqlx::{Connection, Executor, PgConnection};

/// The number of bytes of rows that are sent at a time.
const PIECE_BYTES: usize = 1 << 16;

/// Restores the dump in this file into the empty database at this address.
pub(super) async fn restore(url: &str, file: &Path) {
    let mut connection = PgConnection::connect(url).await.expect("the database");
    let mut lines = BufReader::new(GzDecoder::new(File::open(file).expect("a dump"))).lines().map(|line| line.expect("a line"));
    let mut statements = String::new();
    while let Some(line) = lines.next() {
        if line.starts_with("COPY ") && line.ends_with(" FROM stdin;") {
            run(&mut connection, &mut statements).await;
            copy(&mut connection, &line, &mut lines).await;
        // These lines are commands to psql: they begin and end its restricted mode.
        } else if !line.starts_with('\\') {
            statements.push_str(&line);
            statements.push('\n');
        }
    }
    run(&mut connection, &mut statements).await;
    connection.close().await.expect("the connection closes");
}

async fn run(connection: &mut PgConnection, statements: &mut String) {
    let wanted = std::mem::take(statements);
    connection.execute(wanted.as_str()).await.unwrap_or_else(|error| panic!("{error} in {wanted}"));
}

/// Sends the rows up to the line that ends them.
async fn copy(connection: &mut PgConnection, statement: &str, lines: &mut impl Iterator<Item = String>) {
    let mut copy = connection.copy_in_raw(statement).await.expect("a table");
    let mut piece = String::new();
    for line in lines.take_while(|line| line != "\\.") {
        piece.push_str(&line);
        piece.push('\n');
        if piece.len() > PIECE_BYTES {
            copy.send(std::mem::take(&mut piece).as_bytes()).await.expect("rows");
        }
    }
    copy.send(piece.as_bytes()).await.expect("rows");
    copy.finish().await.expect("the rows of a table");
}
