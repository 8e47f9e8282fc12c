//! The mapping, on exports that are made here and on real ones. The event store stands aside: these are about what goes into it.

mod archives;
mod exports;
mod foreign_input;
mod hostile;
mod mapping;
mod memory;
mod people_and_channels;
mod resuming;
mod sample;
