//! The databases of earlier releases: today's release migrates them, reads all of them, and goes on with them.

mod kept;
mod tour;
