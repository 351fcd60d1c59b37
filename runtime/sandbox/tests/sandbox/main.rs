//! The sandbox against a guest that does what its input says.

mod support;

mod outcomes;

mod limits;
mod slots;

mod effects;
mod grants;
mod output;

mod modules;
