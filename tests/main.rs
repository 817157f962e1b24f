mod common;
mod layers;
mod store;
