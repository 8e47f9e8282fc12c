//! Clients that are generated from the OpenAPI document, and the document as their contract.

mod breaking;
mod contract;
