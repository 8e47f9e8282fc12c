//! Search, through the front door. One suite, which every backend passes: what is asked and found is the same whoever answers.
//!
//! Who may find what is in `who_may_see.rs`: that does not depend on the backend, but is tried over each all the same.

mod analytics;
mod files;
mod house;
mod kept;
mod language;
mod life;
mod pages;
mod people;
mod who_may_see;
mod words;

/// Has each test of the suite run over each backend.
macro_rules! over_every_backend {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::search::house::Backend::Postgres).await;
            })*
        }

        mod elasticsearch {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::search::house::Backend::Elasticsearch).await;
            })*
        }
    };
}

pub(crate) use over_every_backend;
