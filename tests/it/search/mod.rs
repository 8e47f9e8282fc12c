//! Search, over HTTP. All backends pass one suite: the same query finds the same messages with each backend.
//!
//! The tests of permissions are in `who_may_see.rs`. Permissions do not depend on the backend, but the tests run with
//! each backend all the same.

mod analytics;
mod files;
mod fixture;
mod kept;
mod language;
mod life;
mod many_channels;
mod pages;
mod people;
mod who_may_see;
mod words;

/// Runs each test of the suite with each backend.
macro_rules! over_every_backend {
    ($($name:ident),* $(,)?) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::search::fixture::Backend::Postgres).await;
            })*
        }

        mod elasticsearch {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(crate::search::fixture::Backend::Elasticsearch).await;
            })*
        }
    };
}

pub(crate) use over_every_backend;
